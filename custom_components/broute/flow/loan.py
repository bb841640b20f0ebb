"""An entry that lends its port for an attempt, and gets it back whatever becomes of that."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, OperationNotAllowed
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN


class NotReleasedError(Exception):
    """The entry does not let go of its port: it could not be unloaded."""


@dataclass(slots=True)
class _Lender:
    """What the loans of one entry have in common: there may be several flows for it, in as many windows.

    Attributes:
        turn: held by the loan whose attempt uses the port.
        moving: held while the entry is unloaded or set up.
        borrower: the loan that has taken the port last, and so the one that gives it back.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    borrower: Loan | None = None


_LENDERS: Final[HassKey[dict[str | None, _Lender]]] = HassKey(f"{DOMAIN}.lenders")
"""By entry id."""


class Loan:
    """The port of an entry, ours or another integration's, which stays unloaded as long as the port is lent.

    Nothing of it is stored: a Home Assistant that is started anew sets the entry up as ever. Without an entry, and with
    one that has been removed, there is nothing to take and nothing to give back.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str | None = None) -> None:
        """Prepare; the entry goes on as it is."""
        self._hass = hass
        self._entry_id = entry_id
        # Without an entry there is nothing that two flows could have in common.
        lenders = hass.data.setdefault(_LENDERS, {}) if entry_id else {}
        self._lender = lenders.setdefault(entry_id, _Lender())
        self._has_turn = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def entry(self) -> ConfigEntry[Any] | None:
        """The entry, as long as there is one."""
        return self._hass.config_entries.async_get_entry(self._entry_id) if self._entry_id else None

    async def async_take(self) -> None:
        """Let the entry go of its port; one that is just being set up is waited for, and so is another flow's attempt.

        Raises:
            NotReleasedError: it does not.
        """
        self._forget_timer()
        if not self._has_turn:
            await self._lender.turn.acquire()
            self._has_turn = True
        self._lender.borrower = self
        if entry := self.entry:
            async with entry.setup_lock:
                pass
        # In a task of its own: an entry whose unloading is cut off can be used no more.
        if not await asyncio.shield(self._hass.async_create_task(self._unload())):
            raise NotReleasedError

    async def _unload(self) -> bool:
        async with self._lender.moving:
            # One that could not be migrated has never been loaded.
            if not (entry := self.entry) or entry.state is ConfigEntryState.MIGRATION_ERROR:
                return True
            try:
                return await self._hass.config_entries.async_unload(entry.entry_id)
            except OperationNotAllowed:
                return False

    async def async_give_back(self) -> None:
        """Set the entry up again; then the next flow may have the port."""
        try:
            await self._set_up()
        finally:
            self.async_end_turn()

    async def _set_up(self) -> None:
        """Set it up, unless somebody has done so or has disabled it already, or another flow has the port."""
        async with self._lender.moving:
            if self._lender.borrower is not self:
                return
            if not (entry := self.entry) or entry.disabled_by or self._hass.is_stopping:
                return
            if entry.state is ConfigEntryState.NOT_LOADED:
                await self._hass.config_entries.async_setup(entry.entry_id)

    @callback
    def async_give_back_in(self, delay_s: float) -> None:
        """Set it up after a while, if the port is not taken again before; nobody waits for it, as it may take minutes.

        The next flow may have the port at once.
        """
        self.async_end_turn()
        self._forget_timer()
        if delay_s:
            self._timer = self._hass.loop.call_later(delay_s, self._begin_to_give_back)
        else:
            self._begin_to_give_back()

    def _begin_to_give_back(self) -> None:
        self._hass.async_create_task(self._set_up())

    @callback
    def async_end_turn(self) -> None:
        """Let the next flow have the port, and leave the entry as it is."""
        if self._has_turn:
            self._has_turn = False
            self._lender.turn.release()

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
