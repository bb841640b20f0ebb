"""Another meter in the place of the old one: nothing invented, and nothing of what it counted elsewhere."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import logging
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, RELEASE_R, HouseLoad, MeterModel, Registers, SimulatedHome

from ..world import has_value, lines, until
from .household import DIRECTIONS, Household
from .recorder import is_rows, queue_done, seen
from .rows import HOUR, changes, complete_until, counter, missing, sleep_until, truth

REPLACED = datetime(2026, 11, 21, 18, 42, 20, tzinfo=JST)


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


async def learn(hass: HomeAssistant, entry: BrouteConfigEntry) -> dict[str, dict[datetime, Decimal]]:
    """Set the entry up, and return what is shown when the log is complete."""
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 18, 0, tzinfo=JST))
    return {direction: await changes(hass, direction) for direction in ("import", "export")}


@pytest.mark.parametrize("model", [None, RELEASE_R])
async def test_meter_is_replaced_while_it_is_read(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    model: MeterModel | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = await learn(hass, entry)
    await sleep_until(home, REPLACED)
    home.replace_meter(model=model)
    await complete_until(hass, datetime(2026, 11, 21, 20, 0, tzinfo=JST))
    for direction, rows in before.items():
        after = await changes(hass, direction)
        assert rows.items() <= after.items()
        assert not missing(after)
        (gap,) = entry.runtime_data.log.progress.gaps[direction]
        assert (gap.start, gap.end, gap.reason) == (
            REPLACED.replace(minute=0, second=0),
            REPLACED.replace(minute=0, second=0) + HOUR,
            "exchanged",
        )
        # Only a meter of the second generation tells what it counted before its first half hour.
        begins = REPLACED.replace(minute=43, second=0) if model else datetime(2026, 11, 21, 19, 0, tzinfo=JST)
        end = datetime(2026, 11, 21, 19, 0, tzinfo=JST)
        assert after[gap.start] == counter(home, end, direction) - counter(home, begins, direction)
        assert after[end.astimezone(UTC)] == counter(home, end + HOUR, direction) - counter(home, end, direction)
    assert len([line for line in lines(caplog, logging.WARNING) if "Another meter" in line]) == 1


async def test_meter_with_an_earlier_life_is_hung_up_while_home_assistant_is_away(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    before = await learn(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    await sleep_until(home, datetime(2026, 11, 22, 3, 10, tzinfo=JST))
    elsewhere = Registers(load=HouseLoad(7), removed_at=datetime(2026, 11, 22, 1, 15, tzinfo=JST))
    home.replace_meter(import_count=54321, export_count=321, earlier=elsewhere)
    await sleep_until(home, datetime(2026, 11, 23, 9, 10, tzinfo=JST))
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 23, 9, 0, tzinfo=JST))
    begins = datetime(2026, 11, 22, 3, 30, tzinfo=JST)
    for direction, rows in before.items():
        after = await changes(hass, direction)
        assert rows.items() <= after.items()
        first = datetime(2026, 11, 22, 3, 0, tzinfo=JST).astimezone(UTC)
        assert min(after.keys() - rows.keys()) == first
        assert after[first] == counter(home, begins + timedelta(minutes=30), direction) - counter(
            home, begins, direction
        )
        for hour in after.keys() - rows.keys() - {first}:
            assert after[hour] == counter(home, hour + HOUR, direction) - counter(home, hour, direction)
        assert max(after) == datetime(2026, 11, 23, 8, 0, tzinfo=JST)


async def test_counts_that_are_worth_something_else_begin_anew(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    before = await learn(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    await sleep_until(home, datetime(2026, 11, 21, 20, 10, tzinfo=JST))
    home.meter.change_scale(unit=0x02, digits=8)
    await sleep_until(home, datetime(2026, 11, 21, 21, 10, tzinfo=JST))
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 22, 0, tzinfo=JST))
    begins = datetime(2026, 11, 21, 21, 30, tzinfo=JST)
    for direction, rows in before.items():
        after = await changes(hass, direction)
        hour = datetime(2026, 11, 21, 21, 0, tzinfo=JST).astimezone(UTC)
        assert after.keys() - rows.keys() == {hour}
        assert after[hour] == counter(home, hour + HOUR, direction) - counter(home, begins, direction)


async def test_what_is_kept_of_the_past_goes_with_the_entry(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await learn(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    key = f"broute.{entry.entry_id}.log"
    assert storage[key]["data"]["identity"][0] == home.meter.pan.mac.hex()
    await hass.config_entries.async_remove(entry.entry_id)
    assert key not in storage


async def test_past_that_is_damaged_is_told_and_begins_anew(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await learn(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    storage[f"broute.{entry.entry_id}.log"]["data"] = {"identity": 1}
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "log_until"))
    assert "cannot be read" in lines(caplog, logging.WARNING)[-1]


# The minutes of a new meter of the second generation.


async def assert_begins(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begins: datetime) -> None:
    """See to it that the new meter has counted from an instant on, and that all later hours are exact."""
    first = (begins - timedelta(minutes=1)).replace(minute=0)
    await complete_until(hass, first + 2 * HOUR, 3 * 3600)
    for direction in ("import", "export"):
        after = await changes(hass, direction)
        assert not missing(after)
        assert after[first.astimezone(UTC)] == counter(home, first + HOUR, direction) - counter(home, begins, direction)
        (gap,) = entry.runtime_data.log.progress.gaps[direction]
        assert (gap.start, gap.end, gap.reason) == (first, first + HOUR, "exchanged")
        later = {hour: energy for hour, energy in after.items() if hour >= gap.end}
        assert later
        assert later == truth(home, later, direction)


async def test_minutes_that_could_not_be_asked_for_at_first_are_asked_for_later(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await learn(hass, entry)
    await sleep_until(home, REPLACED)
    home.replace_meter(model=RELEASE_R)
    write = home.meter.object.write

    def fall_silent(epc: int, edt: bytes) -> bool:
        if epc == 0xEF:
            home.meter.object.write = write  # type: ignore[method-assign]
            home.faults.set(for_s=240, meter_silent=True)
        return write(epc, edt)

    home.meter.object.write = fall_silent  # type: ignore[method-assign]
    await assert_begins(hass, home, entry, REPLACED.replace(minute=43, second=0))


async def test_meter_that_refuses_its_minutes_begins_with_its_first_half_hour(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await learn(hass, entry)
    await sleep_until(home, REPLACED)
    home.replace_meter(model=RELEASE_R)
    write = home.meter.object.write
    home.meter.object.write = lambda epc, edt: epc != 0xEF and write(epc, edt)  # type: ignore[method-assign]
    await assert_begins(hass, home, entry, datetime(2026, 11, 21, 19, 0, tzinfo=JST))


async def test_minutes_that_may_be_of_elsewhere_do_not_count(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """It had mains all the time, as far as its log tells: only what it has counted since it was seen is of here."""
    await learn(hass, entry)
    await sleep_until(home, REPLACED)
    elsewhere = Registers(load=HouseLoad(7), removed_at=REPLACED - timedelta(seconds=1))
    home.replace_meter(model=RELEASE_R, import_count=54321, export_count=321, earlier=elsewhere)
    ledger = entry.runtime_data.log.ledger
    await until(lambda: ledger.exchange and ledger.exchange.begins, 3600)
    exchange = ledger.exchange
    assert exchange
    assert exchange.begins
    assert REPLACED < exchange.before <= exchange.begins < exchange.before + timedelta(minutes=1)
    await assert_begins(hass, home, entry, exchange.begins.astimezone(JST))


async def test_minute_with_which_a_new_meter_began_is_asked_for_once_more_after_a_new_start(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """There was no row of it yet."""
    await learn(hass, entry)
    await sleep_until(home, REPLACED.replace(hour=19, minute=12))
    home.replace_meter(model=RELEASE_R)
    await sleep_until(home, datetime(2026, 11, 21, 19, 40, tzinfo=JST))
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await assert_begins(hass, home, entry, datetime(2026, 11, 21, 19, 13, tzinfo=JST))
    # And not each hour, nor after the next start: there are rows of it now.
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: entry.runtime_data.log.progress.complete_until, 3600)
    minutes = [answer.at for answer in home.meter.answers if 0xEF in answer.epcs]
    assert max(minutes) < datetime(2026, 11, 21, 19, 50, tzinfo=JST)


# What is known of the exchange is on the disk before rows of the new meter are in the database.


@pytest.mark.parametrize("away", [True, False])
async def test_kill_after_the_first_rows_of_a_new_meter(
    hass: HomeAssistant, home: SimulatedHome, household: Household, *, away: bool
) -> None:
    household.set_options(scan_interval_s=600, history_days=2)
    await household.arrive()
    await household.stay_until_complete()
    if away:
        await household.leave()
    await sleep_until(home, datetime(2026, 11, 22, 3, 10, tzinfo=JST))
    home.replace_meter(import_count=54321, export_count=321)
    household.begin_era()
    if away:
        await sleep_until(home, datetime(2026, 11, 22, 19, 31, tzinfo=JST))
        await household.arrive()
    before = {direction: await changes(hass, direction) for direction in DIRECTIONS}
    # The very moment, and not some seconds later.
    with seen(is_rows) as rows:
        await until(lambda: rows, 3600)
        await queue_done(hass)
        await household.be_killed()
    assert await changes(hass, "import") != before["import"]
    await household.arrive()
    await sleep_until(home, home.clock.now() + 4 * HOUR)
    await household.stay_until_complete()
    for direction in DIRECTIONS:
        verdict = await household.verdict(direction)
        assert verdict.wrong == []
        after = await changes(hass, direction)
        new = {hour: energy for hour, energy in after.items() if hour >= datetime(2026, 11, 22, 4, 0, tzinfo=JST)}
        assert new == truth(home, new, direction)
        assert len(new) == len([hour for hour in after if hour >= min(new)])
