"""What a meter's client remembers from one start of Home Assistant to the next, kept in Home Assistant's storage.

It holds the meter's addresses and serial number: the file is private, and goes with the entry. It is true of the ID
and the password that it was learned with, and of no others.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from homeassistant.const import CONF_ID, CONF_PASSWORD
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .aiobroute import MalformedMemoryError, Memory
from .const import DOMAIN, LOGGER
from .identity import async_credentials_digest

STORAGE_VERSION: Final = 1
SAVE_DELAY_S: Final = 10.0
"""What is learned comes in several steps after a join; they are written together."""


class MemoryStore:
    """The memory of one entry's meter."""

    def __init__(self, hass: HomeAssistant, entry_id: str, credentials_digest: str) -> None:
        """Prepare to load it. `credentials_digest` names the ID and the password that it must belong to."""
        self._credentials_digest = credentials_digest
        self._store = _store(hass, entry_id)
        self._written: object = None

    @classmethod
    async def async_of(cls, hass: HomeAssistant, entry_id: str, data: Mapping[str, Any]) -> Self:
        """Return the memory of an entry with this data."""
        return cls(hass, entry_id, await async_credentials_digest(hass, data[CONF_ID], data[CONF_PASSWORD]))

    async def async_load(self) -> Memory | None:
        """Return what was remembered; `None` if that is nothing that can be used."""
        stored = await self._store.async_load()
        if stored is None:
            return None
        if stored.get("credentials") != self._credentials_digest:
            LOGGER.debug("What was remembered is of another ID or password: the start is cold")
            return None
        try:
            memory = Memory.from_dict(stored["memory"])
        except (KeyError, MalformedMemoryError) as err:
            LOGGER.debug("The start is cold: %r", err)
            return None
        self._written = _essence(memory)
        return memory

    @callback
    def async_keep(self, memory: Memory) -> None:
        """Write it soon, if it says something that the last one did not."""
        if _essence(memory) != self._written:
            self._written = _essence(memory)
            self._store.async_delay_save(lambda: self._as_stored(memory), SAVE_DELAY_S)

    async def async_save(self, memory: Memory) -> None:
        """Write it now."""
        await self._store.async_save(self._as_stored(memory))

    def _as_stored(self, memory: Memory) -> dict[str, Any]:
        return {"credentials": self._credentials_digest, "memory": memory.as_dict()}


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was remembered for an entry."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True, atomic_writes=True)


def _essence(memory: Memory) -> object:
    """Return what a start needs; the rest changes with every answer, and is written when the session ends."""
    network = memory.network
    place = network and (network.channel, network.pan_id, network.mac)
    return place, memory.dialect, memory.constants
