"""B-Route Smart Meter: Japanese smart meters over the utilities' B-route service, by a Wi-SUN module."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, translation
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .services import async_setup_services
from .store import LedgerStore, MemoryStore, async_forget

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR, Platform.SWITCH]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, which tell whoever calls them too early."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Leave everything that takes time to the background: the port, the meter, its first reading."""
    store = await MemoryStore.async_of(hass, entry.entry_id, entry.data)
    ledger_store = LedgerStore(hass, entry.entry_id)
    coordinator = BrouteCoordinator(
        hass,
        entry,
        store=store,
        memory=await store.async_load(),
        ledger_store=ledger_store,
        ledger=await ledger_store.async_load(),
    )
    # After a change of the language Home Assistant may not have the names of the devices yet.
    await translation.async_load_integrations(hass, {DOMAIN})
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
    """Forget the meter; its statistics are the user's."""
    await async_forget(hass, entry.entry_id)
