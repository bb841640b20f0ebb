"""An entry that lends its port for an attempt, and gets it back whatever becomes of that."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, OperationNotAllowed
from homeassistant.core import HomeAssistant, callback


class NotReleasedError(Exception):
    """The entry does not let go of its port: it could not be unloaded."""


class Loan:
    """The port of an entry, ours or another integration's, which stays unloaded as long as the port is lent.

    Nothing of it is stored: a Home Assistant that is started anew sets the entry up as ever. Without an entry, and with
    one that has been removed, there is nothing to take and nothing to give back.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str | None = None) -> None:
        """Prepare; the entry goes on as it is."""
        self._hass = hass
        self._entry_id = entry_id
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def entry(self) -> ConfigEntry[Any] | None:
        """The entry, as long as there is one."""
        return self._hass.config_entries.async_get_entry(self._entry_id) if self._entry_id else None

    async def async_take(self) -> None:
        """Let the entry go of its port; one that is just being set up is waited for.

        Raises:
            NotReleasedError: it does not.
        """
        self._forget_timer()
        if entry := self.entry:
            async with entry.setup_lock:
                pass
        # In a task of its own: an entry whose unloading is cut off can be used no more.
        if not await asyncio.shield(self._hass.async_create_task(self._unload())):
            raise NotReleasedError

    async def _unload(self) -> bool:
        async with self._one_at_a_time:
            # One that could not be migrated has never been loaded.
            if not (entry := self.entry) or entry.state is ConfigEntryState.MIGRATION_ERROR:
                return True
            try:
                return await self._hass.config_entries.async_unload(entry.entry_id)
            except OperationNotAllowed:
                return False

    async def async_give_back(self) -> None:
        """Set the entry up again, unless somebody has done so already or has disabled it."""
        async with self._one_at_a_time:
            if not (entry := self.entry) or entry.disabled_by or self._hass.is_stopping:
                return
            if entry.state is ConfigEntryState.NOT_LOADED:
                await self._hass.config_entries.async_setup(entry.entry_id)

    @callback
    def async_give_back_in(self, delay_s: float) -> None:
        """Do so after a while, if the port is not taken again before; nobody waits for it, as it may take minutes."""
        self._forget_timer()
        if delay_s:
            self._timer = self._hass.loop.call_later(delay_s, self._begin_to_give_back)
        else:
            self._begin_to_give_back()

    def _begin_to_give_back(self) -> None:
        self._hass.async_create_task(self.async_give_back())

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
