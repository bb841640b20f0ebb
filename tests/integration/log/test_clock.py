"""The meter's clock: what it shows against Home Assistant's, and what is done while it is wrong."""

import asyncio
from datetime import datetime, timedelta
import json

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.diagnostics import async_get_config_entry_diagnostics
from simulator import JST, SimulatedHome

from ..world import TOKEN, has_value, until, value
from .rows import HOUR, changes, complete_until, missing, truth

ISSUE = f"clock_wrong_{TOKEN}"


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


def issue(hass: HomeAssistant) -> ir.IssueEntry | None:
    """Return the repair issue about the meter's clock."""
    return ir.async_get(hass).async_get_issue(DOMAIN, ISSUE)


@pytest.mark.parametrize(("off_s", "zone"), [(-40, "Asia/Tokyo"), (0, "UTC"), (200, "America/St_Johns")])
async def test_drift_is_shown(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, off_s: int, zone: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    home.meter.clock_offset = timedelta(seconds=off_s)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "clock_drift"))
    # One look leaves a minute open.
    assert abs(int(value(hass, "clock_drift") or "") - off_s) <= 35
    assert issue(hass) is None


@pytest.mark.parametrize(("off_min", "key"), [(7, "clock_fast"), (-6 * 60, "clock_slow")])
async def test_wrong_clock_is_told_and_nothing_that_it_stamps_is_used(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, off_min: int, key: str
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 18, 0, tzinfo=JST))
    wrong_at = datetime(2026, 11, 21, 18, 50, tzinfo=JST)
    await asyncio.sleep((wrong_at - home.clock.now()).total_seconds())
    home.meter.clock_offset = timedelta(minutes=off_min)

    await until(lambda: issue(hass), 4000)
    told = issue(hass)
    assert told
    assert told.translation_key == key
    assert told.translation_placeholders == {"name": entry.title, "minutes": str(abs(off_min))}
    await asyncio.sleep(2 * 3600)
    before = await changes(hass, "import")
    assert max(before) < wrong_at
    assert before == truth(home, before, "import")

    home.meter.clock_offset = timedelta(0)
    set_at = home.clock.now()
    await until(lambda: issue(hass) is None, 4000)
    await complete_until(hass, set_at)
    after = await changes(hass, "import")
    gaps = entry.runtime_data.log.progress.gaps["import"]
    assert {gap.reason for gap in gaps} == {"clock_wrong"}
    exact = {hour: energy for hour, energy in after.items() if not any(gap.start <= hour < gap.end for gap in gaps)}
    assert before.items() <= exact.items()
    assert exact == truth(home, exact, "import")
    # What was taken meanwhile stands in the last of the hours that are not known.
    (gap,) = gaps
    unknown = [gap.start + HOUR * number for number in range(int((gap.end - gap.start) / HOUR))]
    assert missing(after) == unknown[:-1]
    assert after[unknown[-1]] == gap.energy_kwh == sum(truth(home, unknown, "import").values())


async def test_clock_of_home_assistant_that_is_set_after_its_start_is_no_wrong_clock_of_the_meter(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.meter.clock_offset = timedelta(hours=5)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "clock_drift"))
    home.meter.clock_offset = timedelta(0)
    await until(lambda: has_value(hass, "log_until"), 1200)
    assert issue(hass) is None
    assert not any(entry.runtime_data.log.progress.gaps.values())


async def test_issue_goes_with_the_entry(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    home.meter.clock_offset = timedelta(hours=-5)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: issue(hass), 600)
    await hass.config_entries.async_remove(entry.entry_id)
    assert issue(hass) is None


async def test_diagnostics_tell_of_the_log(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "log_until"))
    log = (await async_get_config_entry_diagnostics(hass, entry))["log"]
    assert json.loads(json.dumps(log)) == {
        "complete_until": "2026-11-21T09:00:00+00:00",
        "next_day": None,
        "days_read": 2,
        "failure": None,
        "gaps": {"import": [], "export": []},
        "last_half_hour": "2026-11-21T18:00:00+09:00",
        "clock_is_right": True,
        "clock_offset_s": log["clock_offset_s"],
        "clock_was_wrong": [],
        "exchanged": None,
    }
