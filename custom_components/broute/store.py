"""What is remembered from one start of Home Assistant to the next, kept in Home Assistant's storage.

The memory of a meter's client is true of the ID and the password that it was learned with, and of no others; the ledger
of its log is true of the house. Both hold addresses and serial numbers: the files are private, and go with the entry.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from homeassistant.const import CONF_ID, CONF_PASSWORD
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .aiobroute import MalformedMemoryError, Memory
from .const import DOMAIN, LOGGER
from .history.ledger import Ledger
from .identity import async_credentials_digest

STORAGE_VERSION: Final = 1
LEDGER: Final = ".log"
DATE_DIGITS: Final = len("2026-11-21")
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


class LedgerStore:
    """The ledger of one entry: what is known of the past of its meters, whatever ID they are reached with."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Prepare to load it."""
        self._store = _store(hass, entry_id, LEDGER)
        self._kept: object = None
        """What was said last to be written soon."""
        self._stored: object = None

    async def async_load(self) -> Ledger:
        """Return what is known; nothing, if what was stored cannot be used."""
        stored = await self._store.async_load()
        if stored is None:
            return Ledger()
        try:
            ledger = Ledger.from_dict(stored)
        except (KeyError, TypeError, ValueError) as err:
            LOGGER.warning("What was known of the past of the meter's log cannot be read: %r", err)
            return Ledger()
        self._kept = self._stored = _lasting(ledger)
        return ledger

    @callback
    def async_keep(self, ledger: Ledger) -> None:
        """Write it soon, if it says something that the last one did not; and once a day."""
        if _lasting(ledger) != self._kept:
            self._kept = _lasting(ledger)
            self._store.async_delay_save(ledger.as_dict, SAVE_DELAY_S)

    async def async_secure(self, ledger: Ledger) -> None:
        """Write it now, if it says something that may not be on the disk yet."""
        if _lasting(ledger) != self._stored:
            await self.async_save(ledger)

    async def async_save(self, ledger: Ledger) -> None:
        """Write it now."""
        self._kept = lasting = _lasting(ledger)
        await self._store.async_save(ledger.as_dict())
        self._stored = lasting


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was remembered for an entry."""
    await _store(hass, entry_id).async_remove()
    await _store(hass, entry_id, LEDGER).async_remove()


def _store(hass: HomeAssistant, entry_id: str, part: str = "") -> Store[dict[str, Any]]:
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}{part}", private=True, atomic_writes=True)


def _lasting(ledger: Ledger) -> object:
    """Return what does not change by the hour."""
    told = ledger.as_dict()
    return told | {key: told[key] and told[key][:DATE_DIGITS] for key in ("seen_at", "clock_good_at")}


def _essence(memory: Memory) -> object:
    """Return what a start needs; the rest changes with every answer, and is written when the session ends."""
    network = memory.network
    place = network and (network.channel, network.pan_id, network.mac)
    return place, memory.dialect, memory.constants
