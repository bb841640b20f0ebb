"""B-Route Smart Meter: Japanese smart meters over the utilities' B-route service, by a Wi-SUN module."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import HomeAssistant

from .coordinator import BrouteConfigEntry, BrouteCoordinator

PLATFORMS = [Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Open the port; finding, joining and reading the meter is left to the background."""
    coordinator = BrouteCoordinator(hass, entry)
    await coordinator.async_start()
    entry.runtime_data = coordinator
    # Entries are not unloaded when Home Assistant stops.
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, coordinator.async_stop))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Remove the entities; the coordinator shuts itself down."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
