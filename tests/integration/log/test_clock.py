"""The meter's clock: what it shows against Home Assistant's, and what is done while it is wrong."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
import json
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.diagnostics import async_get_config_entry_diagnostics
from custom_components.broute.history.clock import CONFIRMATION_S
from simulator import JST, SimulatedHome

from ..world import TOKEN, has_value, until, value
from .rows import HOUR, assert_exact, changes, complete_until, counter, missing, sleep_until, truth

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


async def test_wrong_clock_is_told_no_later_because_it_was_looked_at_in_a_new_session(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.meter.clock_offset = timedelta(minutes=-7)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "clock_drift"))
    await asyncio.sleep(CONFIRMATION_S / 2)
    home.meter.paa.end_session()
    late_s = await until(lambda: issue(hass), 2 * CONFIRMATION_S) - CONFIRMATION_S / 2
    assert 0 <= late_s < 30


# Which of the two clocks it was.


FAST = [timedelta(minutes=9), timedelta(minutes=-9), timedelta(days=1), timedelta(days=-1)]


@pytest.mark.parametrize("fast", FAST, ids=str)
@pytest.mark.parametrize("wrong_for", [timedelta(minutes=3), timedelta(minutes=20)], ids=str)
async def test_clock_of_home_assistant_that_is_set_after_its_start_is_no_wrong_clock_of_the_meter(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    wall_clock: Callable[..., None],
    *,
    fast: timedelta,
    wrong_for: timedelta,
) -> None:
    """A machine without a battery knows the time when it has found a time server."""
    wall_clock(home, fast)
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(wrong_for.total_seconds())
    assert (issue(hass) is None) == (wrong_for < timedelta(minutes=5))
    assert await changes(hass, "import") == {}
    wall_clock(home)
    await complete_until(hass, datetime(2026, 11, 21, 20, 0, tzinfo=JST))
    assert issue(hass) is None
    assert not any(entry.runtime_data.log.progress.gaps.values())
    await assert_exact(hass, home)
    assert min(await changes(hass, "import")) == datetime(2026, 11, 20, tzinfo=JST)


@pytest.mark.parametrize("fast", FAST, ids=str)
async def test_clock_of_home_assistant_that_is_wrong_for_a_while_spoils_nothing(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    wall_clock: Callable[..., None],
    *,
    fast: timedelta,
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 18, 0, tzinfo=JST))
    await sleep_until(home, datetime(2026, 11, 21, 19, 20, tzinfo=JST))
    wall_clock(home, fast)
    await until(lambda: issue(hass), 2 * 3600)
    # Nor does a new start in the midst of it.
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await sleep_until(home, datetime(2026, 11, 21, 22, 50, tzinfo=JST))
    wall_clock(home)
    await complete_until(hass, datetime(2026, 11, 22, 1, 0, tzinfo=JST), 3 * 3600)
    assert issue(hass) is None
    assert not any(entry.runtime_data.log.progress.gaps.values())
    await assert_exact(hass, home)


@pytest.mark.parametrize("wrong_for", [timedelta(minutes=3), timedelta(minutes=20)], ids=str)
async def test_what_a_meter_that_was_set_after_the_start_has_stamped_before_is_told_as_a_gap(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, wrong_for: timedelta
) -> None:
    home.meter.clock_offset = timedelta(hours=5)
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(wrong_for.total_seconds())
    home.meter.clock_offset = timedelta(0)
    await complete_until(hass, datetime(2026, 11, 21, 21, 0, tzinfo=JST), 3 * 3600)
    diagnostics = (await async_get_config_entry_diagnostics(hass, entry))["log"]
    response: Any = await hass.services.async_call(
        DOMAIN, "import_history", {"days": 3}, blocking=True, return_response=True
    )
    assert response["hours_written"] == {}
    for direction in ("import", "export"):
        told = diagnostics["gaps"][direction]
        assert {gap["reason"] for gap in told} == {"clock_wrong"}
        assert told[0]["start"] == "2026-11-19T15:00:00+00:00"
        known_from = datetime.fromisoformat(told[-1]["end"])
        assert datetime(2026, 11, 21, 19, 0, tzinfo=JST) <= known_from <= datetime(2026, 11, 21, 20, 0, tzinfo=JST)
        exact = {hour: energy for hour, energy in (await changes(hass, direction)).items() if hour >= known_from}
        assert exact == truth(home, exact, direction)
        # In the response as far back as was asked for.
        (gap,) = response["gaps"][direction]
        assert gap == told[-1] | {"start": "2026-11-17T15:00:00+00:00", "energy_kwh": None}


async def test_meter_whose_clock_was_set_while_home_assistant_was_away_is_not_believed_before_it_was_looked_at(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """The session is lost for so short a time that the last look is not old."""
    await hass.config_entries.async_setup(entry.entry_id)
    await sleep_until(home, datetime(2026, 11, 21, 20, 40, tzinfo=JST))
    home.meter.reboot(120)
    await asyncio.sleep(60)
    home.meter.clock_offset = timedelta(minutes=-20)
    await asyncio.sleep(3 * 3600)
    set_at = home.clock.now()
    home.meter.clock_offset = timedelta(0)
    await complete_until(hass, set_at + HOUR, 4 * 3600)
    await assert_untold_hours_are_exact(hass, home, entry)


async def test_half_hour_that_comes_at_another_time_is_not_used_before_the_clock_was_looked_at(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    clock = entry.runtime_data.log.clock
    await sleep_until(home, datetime(2026, 11, 21, 19, 50, tzinfo=JST))
    # It is looked at once an hour, when there is something to do.
    await clock.async_check(0)
    await sleep_until(home, datetime(2026, 11, 21, 20, 51, tzinfo=JST))
    assert entry.runtime_data.log.clock.is_right
    home.meter.clock_offset = timedelta(minutes=8)
    await sleep_until(home, datetime(2026, 11, 21, 20, 54, tzinfo=JST))
    told = entry.runtime_data.log.half_hour
    assert told
    assert told.at == datetime(2026, 11, 21, 21, 0, tzinfo=JST)
    assert not clock.is_right
    await sleep_until(home, datetime(2026, 11, 21, 22, 40, tzinfo=JST))
    home.meter.clock_offset = timedelta(0)
    await sleep_until(home, datetime(2026, 11, 22, 2, 10, tzinfo=JST))
    await assert_untold_hours_are_exact(hass, home, entry)


async def test_meter_whose_date_is_another_one_in_the_midst_of_an_import(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    clock = entry.runtime_data.log.clock
    await sleep_until(home, datetime(2026, 11, 21, 19, 40, tzinfo=JST))
    await clock.async_check(0)
    # Today is refused, and asked for again when the clock was not looked at for an hour.
    await sleep_until(home, datetime(2026, 11, 21, 20, 36, tzinfo=JST))
    home.faults.replaced_values = {"E2": deque(["", "", ""])}
    action = hass.async_create_task(
        hass.services.async_call(DOMAIN, "import_history", {"days": 1}, blocking=True, return_response=True)
    )
    await sleep_until(home, datetime(2026, 11, 21, 20, 39, tzinfo=JST))
    home.meter.clock_offset = timedelta(days=-3)
    with pytest.raises(HomeAssistantError) as failed:
        await action
    assert failed.value.translation_key == "clock_not_right"
    await asyncio.sleep(3600)
    home.meter.clock_offset = timedelta(0)
    await asyncio.sleep(5 * 3600)
    await assert_untold_hours_are_exact(hass, home, entry)


async def assert_untold_hours_are_exact(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    for direction in ("import", "export"):
        gaps = entry.runtime_data.log.progress.gaps[direction]
        found = await changes(hass, direction)
        untold = {
            hour: energy for hour, energy in found.items() if not any(gap.start <= hour < gap.end for gap in gaps)
        }
        assert untold == truth(home, untold, direction)
        assert {gap.reason for gap in gaps} == {"clock_wrong"}
        for gap in gaps:
            energy = counter(home, gap.end, direction) - counter(home, gap.start, direction)
            assert gap.energy_kwh == energy
            assert gap.end - gap.start < 8 * HOUR


# A clock that is a little off.


def write_late(home: SimulatedHome, delay: timedelta) -> None:
    """Let the meter have the last half hour in its log of the day only after some time."""
    target = home.meter.object
    read = target.read

    def answer(epc: int) -> bytes | None:
        edt = read(epc)
        if (
            edt is None
            or epc not in {0xE2, 0xE4}
            or target.history_day
            or home.meter.object.now.minute % 30 * 60 > delay.total_seconds()
        ):
            return edt
        slot = target.now.hour * 2 + target.now.minute // 30
        return edt[: 2 + 4 * slot] + b"\xff\xff\xff\xfe" + edt[6 + 4 * slot :]

    target.read = answer  # type: ignore[method-assign]


@pytest.mark.parametrize(("off_min", "delay_s"), [(-4, 0), (-4.3, 0), (0, 90), (-4, 90), (4.3, 0)])
async def test_half_hour_that_the_meter_has_not_written_yet_is_waited_for(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, off_min: float, delay_s: float
) -> None:
    home.meter.clock_offset = timedelta(minutes=off_min)
    write_late(home, timedelta(seconds=delay_s))
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 18, 0, tzinfo=JST))
    await hass.config_entries.async_unload(entry.entry_id)
    # The day is read between the full hour by our clock and when that is in the log, and then nothing for a while.
    await sleep_until(
        home, datetime(2026, 11, 21, 21, 0, 5, tzinfo=JST) - min(home.meter.clock_offset / 2, timedelta(0))
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: entry.runtime_data.log.progress.days_read)
    home.faults.meter_silent = True
    await sleep_until(home, datetime(2026, 11, 21, 21, 38, tzinfo=JST))
    home.faults.off()
    await sleep_until(home, datetime(2026, 11, 22, 1, 40, tzinfo=JST))
    found = await changes(hass, "import")
    assert not missing(found)
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
