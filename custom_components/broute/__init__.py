"""B-Route Smart Meter: Japanese smart meters over the utilities' B-route service, by a Wi-SUN module."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import HomeAssistant

from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .store import MemoryStore, async_forget

PLATFORMS = [Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Leave everything that takes time to the background: the port, the meter, its first reading."""
    store = await MemoryStore.async_of(hass, entry.entry_id, entry.data)
    coordinator = BrouteCoordinator(hass, entry, store, await store.async_load())
    coordinator.async_start()
    entry.runtime_data = coordinator
    # Entries are not unloaded when Home Assistant stops.
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, coordinator.async_stop))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Remove the entities; the coordinator shuts itself down."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Forget the meter."""
    await async_forget(hass, entry.entry_id)
