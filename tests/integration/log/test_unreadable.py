"""Parts of the log that cannot be understood, or are of another day than they were asked for."""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.history.planner import Reason
from simulator import JST, SimulatedHome
from simulator.echonet import Frame

from .rows import HOUR, changes, complete_until, missing, truth

MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
DAY = timedelta(days=1)


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


async def import_again(hass: HomeAssistant) -> Any:
    """Call the action that reads yesterday and today once more."""
    return await hass.services.async_call(DOMAIN, "import_history", {"days": 1}, blocking=True, return_response=True)


async def sleep_until(home: SimulatedHome, at: datetime) -> None:
    await asyncio.sleep((at - home.clock.now()).total_seconds())


async def test_day_that_cannot_be_understood_is_asked_for_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.faults.replaced_values["E2"] = deque(["0001"] * 3 * 2)
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    assert not home.faults.replaced_values["E2"]
    found = await changes(hass, "import")
    assert min(found) == MIDNIGHT - DAY
    assert found == truth(home, found, "import")
    assert not missing(found)


def silence(home: SimulatedHome, days_back: int) -> list[datetime]:
    """Let the meter leave every request for one day of its log unanswered; return the list of when there was one."""
    take = home.meter._take
    asked: list[datetime] = []

    def hear(frame: Frame) -> None:
        if home.meter.object.history_day == days_back and {prop.epc for prop in frame.properties} & {0xE2, 0xE4}:
            asked.append(home.clock.now())
        else:
            take(frame)

    home.meter._take = hear  # type: ignore[method-assign]
    return asked


@pytest.mark.parametrize("scan_interval_s", [30, 3600])
async def test_day_about_which_the_meter_is_silent_holds_nothing_up_for_ever(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, scan_interval_s: int
) -> None:
    """It answers everything else, so this is not the radio."""
    options = {CONF_SCAN_INTERVAL: scan_interval_s, CONF_HISTORY_DAYS: 3}
    hass.config_entries.async_update_entry(entry, options=options)
    asked = silence(home, 2)
    await hass.config_entries.async_setup(entry.entry_id)
    log = entry.runtime_data.log
    await sleep_until(home, MIDNIGHT + 20 * HOUR)
    # All others are read meanwhile.
    assert log.progress.days_read == 3
    await sleep_until(home, MIDNIGHT + 23 * HOUR + timedelta(minutes=10))
    # Long enough for a radio to become better.
    assert timedelta(hours=4) <= asked[-1] - asked[0] < timedelta(hours=4, minutes=20)
    assert log.progress.complete_until == MIDNIGHT + 23 * HOUR
    assert log.failure is None
    for direction in ("import", "export"):
        found = await changes(hass, direction)
        (gap,) = log.progress.gaps[direction]
        assert (gap.start, gap.end, gap.reason) == (MIDNIGHT - 2 * DAY - HOUR, MIDNIGHT - DAY, Reason.NOT_KEPT)
        exact = {hour: energy for hour, energy in found.items() if not gap.start <= hour < gap.end}
        assert exact == truth(home, exact, direction)
        assert missing(found) == [gap.start + HOUR * number for number in range(24)]


async def test_log_is_read_over_midnight_and_no_day_is_taken_for_another(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    await sleep_until(home, MIDNIGHT + DAY - timedelta(seconds=20))
    await import_again(hass)
    assert home.clock.now() > MIDNIGHT + DAY
    for direction in ("import", "export"):
        found = await changes(hass, direction)
        assert found == truth(home, found, direction)
        assert not missing(found)


async def test_day_that_the_meter_refuses_is_one_without_data(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    before = await changes(hass, "import")
    home.meter.object.settable -= {0xE5, 0xED}

    imported = await import_again(hass)
    assert len(imported["days_read"]) == 2
    assert imported["hours_written"] == {}
    assert await changes(hass, "import") == before

    span = {"from": MIDNIGHT, "to": MIDNIGHT + HOUR}
    log: Any = await hass.services.async_call(DOMAIN, "get_history", span, blocking=True, return_response=True)
    assert log == {"half_hours": []}
