"""The log becomes statistics: all of it at the first start, and what is missing after each outage."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.history.planner import Reason
from simulator import JST, NORMAL_ONLY, OKINAWA, RELEASE_F, RELEASE_R, MeterModel, SimulatedHome

from ..world import Ports, until
from .household import DIRECTIONS, Household
from .rows import assert_exact, changes, missing, sleep_until, truth

TODAY = datetime(2026, 11, 21, tzinfo=JST)
DAY = timedelta(days=1)
E2, E5, EC = 0xE2, 0xE5, 0xEC


def days_asked(home: SimulatedHome) -> int:
    """Return how often a day of the log was chosen."""
    return sum(E5 in answer.epcs for answer in home.meter.answers)


def set_options(hass: HomeAssistant, entry: BrouteConfigEntry, **options: int) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 3600} | options)


async def test_first_start_imports_all_that_the_meter_has(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    log = entry.runtime_data.log
    await until(lambda: log.progress.complete_until and log.progress.next_day is None, 3600)
    for direction in DIRECTIONS:
        found = await changes(hass, direction)
        assert found == truth(home, found, direction)
        assert not missing(found)
    # The readings have kept their interval meanwhile; the answer itself takes a second.
    polls = [answer.at for answer in home.meter.answers if 0xE7 in answer.epcs]
    assert len(polls) > 25
    assert max(later - earlier for earlier, later in pairwise(polls[2:])) < timedelta(seconds=33)


BY_HALF_HOURS = replace(
    RELEASE_F, readable=RELEASE_F.readable - {0xE2, 0xE4, 0xE5}, settable=RELEASE_F.settable - {0xE5}
)


@pytest.mark.parametrize(
    ("model", "read_by", "directions"),
    [
        (RELEASE_F, E2, DIRECTIONS),
        (RELEASE_R, E2, DIRECTIONS),
        (OKINAWA, E2, DIRECTIONS),
        (NORMAL_ONLY, E2, ("import",)),
        (BY_HALF_HOURS, EC, DIRECTIONS),
        (replace(RELEASE_F, readable=RELEASE_F.readable - {0xE4}), EC, DIRECTIONS),
    ],
    ids=["release F", "release R", "Okinawa", "no export", "only the other log", "only the other log with export"],
)
async def test_whatever_log_a_meter_has_is_imported(
    hass: HomeAssistant,
    ports: Ports,
    entry: BrouteConfigEntry,
    wall_clock: Callable[[SimulatedHome], None],
    *,
    model: MeterModel,
    read_by: int,
    directions: tuple[str, ...],
) -> None:
    home = ports.plug_in(model=model)
    wall_clock(home)
    set_options(hass, entry, **{CONF_HISTORY_DAYS: 2})
    await hass.config_entries.async_setup(entry.entry_id)
    await sleep_until(home, TODAY.replace(hour=21, minute=10))
    await assert_exact(hass, home, *directions)
    for direction in DIRECTIONS:
        found = await changes(hass, direction)
        assert len(found) == (2 * 24 + 21 if direction in directions else 0)
    progress = entry.runtime_data.log.progress
    assert (progress.complete_until, progress.days_read) == (TODAY.replace(hour=21), 3)
    asked = {epc for answer in home.meter.answers for epc in answer.epcs}
    assert asked & {E2, EC} == {read_by}


async def test_more_days_that_are_wanted_later_are_imported_once(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    household.set_options(scan_interval_s=3600, history_days=1)
    await household.arrive()
    await household.stay_until_complete()
    before = {direction: await changes(hass, direction) for direction in DIRECTIONS}
    await household.leave()
    household.set_options(scan_interval_s=3600, history_days=4)
    asked = days_asked(home)
    await household.arrive()
    await sleep_until(home, TODAY.replace(hour=20, minute=10))
    # The first day that was there is asked for as well: what it began with was nobody's end.
    assert days_asked(home) - asked == 4
    await assert_exact(hass, home)
    for direction in DIRECTIONS:
        after = await changes(hass, direction)
        assert min(after) == TODAY - 4 * DAY
        assert before[direction].items() <= after.items()
    await sleep_until(home, TODAY.replace(hour=23, minute=10))
    assert days_asked(home) - asked == 4


async def test_more_days_than_the_meter_keeps_are_asked_for_once(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    household.set_options(scan_interval_s=3600, history_days=42)
    await household.arrive()
    await household.stay_until_complete()
    await household.leave()
    household.set_options(scan_interval_s=3600, history_days=60)
    asked = days_asked(home)
    await household.arrive()
    await sleep_until(home, TODAY.replace(hour=22, minute=10))
    # Two days and the first that was there, and no more than six to find where the log begins.
    found = days_asked(home) - asked
    assert 3 < found <= 9
    assert min(await changes(hass, "import")) == TODAY - 44 * DAY
    await assert_exact(hass, home)
    await household.leave()
    await household.arrive()
    await sleep_until(home, TODAY.replace(hour=23, minute=40))
    assert days_asked(home) - asked == found


async def test_days_are_wanted_from_the_last_row_on_however_few_were_wanted_at_first(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    household.set_options(scan_interval_s=3600, history_days=1)
    await household.arrive()
    await household.stay_until_complete()
    await household.leave()
    await household.stay(5 * DAY)
    await household.arrive()
    await household.stay_until_complete()
    await assert_exact(hass, home)
    assert not any(household.log.progress.gaps.values())


async def test_only_one_import_is_under_way(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    set_options(hass, entry, **{CONF_HISTORY_DAYS: 3})
    write = home.meter.object.write
    chosen: list[int] = []

    def choose(epc: int, edt: bytes) -> bool:
        if epc == E5:
            chosen.append(edt[0])
        return write(epc, edt)

    home.meter.object.write = choose  # type: ignore[method-assign]
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: entry.runtime_data.log.progress.days_read == 1)
    await asyncio.gather(
        *(hass.services.async_call(DOMAIN, "import_history", {"days": days}, blocking=True) for days in (5, 2))
    )
    assert chosen == [3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 2, 1, 0]
    await assert_exact(hass, home)


async def test_of_very_many_gaps_the_last_ones_are_told(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    count = home.meter.object.import_count
    home.meter.object.import_count = lambda at: None if at.hour % 2 and at.minute == 0 else count(at)  # type: ignore[method-assign]
    set_options(hass, entry, **{CONF_HISTORY_DAYS: 12})
    await hass.config_entries.async_setup(entry.entry_id)
    await sleep_until(home, TODAY.replace(hour=20, minute=10))
    gaps = entry.runtime_data.log.progress.gaps
    assert len(gaps["import"]) == 100
    assert gaps["export"] == []
    assert gaps["import"][-1].end == TODAY.replace(hour=20)
    assert {gap.reason for gap in gaps["import"]} == {Reason.NOT_KEPT}


# A direction without data.


async def test_direction_of_which_the_meter_has_nothing_does_not_hold_up_the_other(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    """It has E3 and E4 in its map, and answers that there is no value."""
    household.set_options(scan_interval_s=3600, history_days=5)
    count = home.meter.object.export_count
    home.meter.object.export_count = lambda at: None  # type: ignore[method-assign]
    await household.arrive()
    await household.stay_until_complete()
    assert days_asked(home) == 6
    await assert_exact(hass, home, "import")
    assert await changes(hass, "export") == {}
    # Neither each hour nor at each start; but when a day is over.
    await household.leave()
    await household.arrive()
    await sleep_until(home, TODAY.replace(hour=23, minute=45))
    assert days_asked(home) == 6
    tomorrow = TODAY + DAY
    await sleep_until(home, tomorrow.replace(hour=12, minute=10))
    assert days_asked(home) == 7
    assert household.log.progress.complete_until == tomorrow.replace(hour=12)

    # When it has something, that is asked for at once.
    home.meter.object.export_count = count  # type: ignore[method-assign]
    await sleep_until(home, tomorrow.replace(hour=14, minute=10))
    await assert_exact(hass, home)
    assert max(await changes(hass, "export")) == tomorrow.replace(hour=13)
