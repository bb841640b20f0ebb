"""The page of the system's health."""

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import get_system_health_info  # type: ignore[import-untyped]

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .world import has_value, until


async def test_all_meters_are_counted_together(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    assert await async_setup_component(hass, "system_health", {})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    statistics = entry.runtime_data.meter.statistics
    info = await get_system_health_info(hass, DOMAIN)
    assert info == {
        "meters": 1,
        "connected": 1,
        "modules": "dual-stack",
        "answered": f"{statistics.answers}/{statistics.requests}",
        "connections": 1,
    }

    await hass.config_entries.async_unload(entry.entry_id)
    assert (await get_system_health_info(hass, DOMAIN))["meters"] == 0
