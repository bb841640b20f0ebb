"""The log becomes statistics: all of it at the first start, and what is missing after each outage."""

from datetime import timedelta
from itertools import pairwise

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
    # The readings have kept their interval meanwhile; the answer itself takes a second.
    polls = [answer.at for answer in home.meter.answers if 0xE7 in answer.epcs]
    assert len(polls) > 25
    assert max(later - earlier for earlier, later in pairwise(polls[2:])) < timedelta(seconds=33)
