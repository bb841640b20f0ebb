"""The log becomes statistics: all of it at the first start, and what is missing after each outage."""

from homeassistant.core import HomeAssistant

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from ..world import until
from .rows import changes, missing, truth


async def test_first_start_imports_all_that_the_meter_has(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    log = entry.runtime_data.log
    await until(lambda: log.progress.complete_until and log.progress.next_day is None, 3600)
    for direction in ("import", "export"):
        found = await changes(hass, direction)
        assert found == truth(home, found, direction)
        assert not missing(found)
