"""The counters of each half hour: taken when the meter tells them, asked for when it does not."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, SimulatedHome

from ..world import TOKEN, has_value, sensor, shown, until, value
from .rows import assert_exact, changes, counter, missing, sleep_until, truth

FIXED = ("fixed_import_energy", "fixed_export_energy")
INF = 0x73
GET_RES = 0x72


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up, with all its entities, and wait until its log is there."""
    registry = er.async_get(hass)
    for key in FIXED:
        registry.async_get_or_create("sensor", DOMAIN, f"{TOKEN}_{key}", config_entry=entry)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "log_until"))


def asked(home: SimulatedHome, since: datetime) -> list[datetime]:
    """Return when the meter was asked for a half hour."""
    return [
        answer.at
        for answer in home.meter.answers
        if answer.esv == GET_RES and 0xEA in answer.epcs and answer.at > since
    ]


def shows(hass: HomeAssistant, at: datetime) -> bool:
    """Tell whether the counters of a half hour are shown."""
    state = sensor(hass, FIXED[0])
    return state is not None and state.attributes.get("at") == at


def assert_shows(hass: HomeAssistant, home: SimulatedHome, at: datetime) -> None:
    for key, direction in zip(FIXED, ("import", "export"), strict=True):
        state = sensor(hass, key)
        assert state
        assert state.attributes["at"] == at
        assert state.state == str(counter(home, at, direction))


async def test_half_hours_are_taken_as_they_come(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    since = home.clock.now()
    for at in (datetime(2026, 11, 21, 18, 30, tzinfo=JST), datetime(2026, 11, 21, 19, 0, tzinfo=JST)):
        await until(partial(shows, hass, at), 3600)
        assert home.clock.now() - at < timedelta(seconds=61)
        assert_shows(hass, home, at)
    await until(lambda: value(hass, "log_until") == "2026-11-21T10:00:00+00:00", 60)
    assert home.clock.now() < datetime(2026, 11, 21, 19, 2, tzinfo=JST)
    await asyncio.sleep(600)
    assert not asked(home, since)


async def test_half_hour_that_has_not_come_is_asked_for(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.notices.notice_s = (1700.0, 1750.0)
    home.meter.notices.schedule()
    since = home.clock.now()
    at = datetime(2026, 11, 21, 19, 0, tzinfo=JST)
    await until(partial(shows, hass, at), 3600)
    assert timedelta(minutes=5) < home.clock.now() - at < timedelta(minutes=6)
    assert_shows(hass, home, at)
    assert [when.minute for when in asked(home, since)] == [35, 5]
    await until(lambda: value(hass, "log_until") == "2026-11-21T10:00:00+00:00", 60)
    found = await changes(hass, "import")
    assert found == truth(home, found, "import")
    assert not missing(found)


def announce(home: SimulatedHome, back: timedelta) -> None:
    """Let the meter tell the half hour of some time ago by itself."""
    target = home.meter.object
    fixed_time = target.fixed_time
    target.fixed_time = lambda now: fixed_time(now) - back  # type: ignore[method-assign]
    home.meter.notices.announce(0xEA, 0xEB)
    target.fixed_time = fixed_time  # type: ignore[method-assign]


@pytest.mark.parametrize("back", [timedelta(0), timedelta(minutes=30), timedelta(hours=1)], ids=str)
async def test_notice_that_is_no_news_changes_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, back: timedelta
) -> None:
    await set_up(hass, entry)
    at = datetime(2026, 11, 21, 19, 0, tzinfo=JST)
    await until(partial(shows, hass, at), 3600)
    await sleep_until(home, at + timedelta(minutes=2))
    states = shown(hass, FIXED[0])
    log = entry.runtime_data.log
    announce(home, back)
    await asyncio.sleep(30)
    assert states == []
    assert_shows(hass, home, at)
    assert log.clock.is_right
    await sleep_until(home, datetime(2026, 11, 21, 21, 10, tzinfo=JST))
    await assert_exact(hass, home)


def misread(home: SimulatedHome, epc: int, counts: int) -> None:
    """Let a digit of the next announcement of a property be another one: the counter shows so much more."""
    target = home.meter.object
    notify = target.notify

    misread_epc = epc

    def once(epc: int) -> bytes | None:
        edt = notify(epc)
        if epc != misread_epc or edt is None:
            return edt
        target.notify = notify  # type: ignore[method-assign]
        return edt[:7] + (int.from_bytes(edt[7:]) + counts).to_bytes(4)

    target.notify = once  # type: ignore[method-assign]


@pytest.mark.parametrize(("scan_interval_s", "counts"), [(3600, 8), (3600, 50), (900, -50)])
@pytest.mark.parametrize("minute", [29, 59])
@pytest.mark.parametrize("epc", [0xEA, 0xEB])
async def test_counter_that_is_misread_in_a_notice_is_put_right_by_the_log(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    *,
    epc: int,
    minute: int,
    scan_interval_s: int,
    counts: int,
) -> None:
    """Readings are too far apart to tell, and the counter goes with them."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: scan_interval_s, CONF_HISTORY_DAYS: 1})
    await set_up(hass, entry)
    await sleep_until(home, datetime(2026, 11, 21, 19, minute, tzinfo=JST))
    misread(home, epc, counts)
    # It is seen by the next half hour, if not at once.
    await sleep_until(home, datetime(2026, 11, 21, 21, 10, tzinfo=JST))
    await assert_exact(hass, home)
    log = entry.runtime_data.log
    assert not any(log.progress.gaps.values())
    assert log.progress.complete_until == datetime(2026, 11, 21, 21, tzinfo=JST)
    # Both days at first, that of the counter when it is seen, and not again.
    days = log.progress.days_read
    await sleep_until(home, datetime(2026, 11, 21, 23, 50, tzinfo=JST))
    assert log.progress.days_read == days <= 4


async def test_askers_do_not_all_ask_at_once(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.notices.notice_s = (1700.0, 1750.0)
    home.meter.notices.schedule()
    since = home.clock.now()
    await asyncio.sleep(6 * 3600)
    times = asked(home, since)
    seconds = [when.minute % 30 * 60 + when.second for when in times]
    assert len(times) == 12
    assert all(5 * 60 <= second < 6 * 60 for second in seconds)
    # By chance not even one of a thousand million such lists is so narrow.
    assert max(seconds) - min(seconds) > 5


async def test_half_hour_that_is_older_than_it_should_be_is_not_taken_for_the_last(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """The meter has not come to the last one yet, when it is asked for it."""
    home.meter.notices.notice_s = (1700.0, 1750.0)
    home.meter.notices.schedule()
    fixed_time = home.meter.object.fixed_time
    home.meter.object.fixed_time = lambda now: fixed_time(now) - timedelta(minutes=30)  # type: ignore[method-assign]
    await set_up(hass, entry)
    assert asked(home, datetime(2026, 11, 21, 18, 24, tzinfo=JST))
    assert entry.runtime_data.log.half_hour is None
    home.meter.object.fixed_time = fixed_time  # type: ignore[method-assign]
    at = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
    await until(partial(shows, hass, at), 3600)
    assert_shows(hass, home, at)


async def test_half_hour_before_the_last_is_not_taken_for_it_though_its_counters_are_not_old(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.meter.notices.notice_s = (1700.0, 1750.0)
    home.meter.notices.schedule()
    target = home.meter.object
    fixed_time = target.fixed_time
    is_late = True

    def late(tell: Callable[[int], bytes | None]) -> Callable[[int], bytes | None]:
        def tell_late(epc: int) -> bytes | None:
            target.fixed_time = lambda now: fixed_time(now) - timedelta(minutes=30) * is_late  # type: ignore[method-assign]
            edt = tell(epc)
            target.fixed_time = fixed_time  # type: ignore[method-assign]
            return edt

        return tell_late

    target.read = late(target.read)  # type: ignore[assignment, method-assign]
    target.notify = late(target.notify)  # type: ignore[assignment, method-assign]
    await set_up(hass, entry)
    at = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
    await sleep_until(home, at + timedelta(minutes=7))
    assert asked(home, at + timedelta(minutes=5))
    assert entry.runtime_data.log.half_hour is None
    is_late = False
    await until(partial(shows, hass, at), 3600)
    assert_shows(hass, home, at)


async def test_notice_that_comes_before_it_is_known_which_meter_this_is(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await sleep_until(home, datetime(2026, 11, 21, 18, 45, tzinfo=JST))
    # In a new session the meter is read, and then asked what it is: that fails for a while.
    await hass.config_entries.async_unload(entry.entry_id)
    home.meter.object.readable -= {0x9F}
    await hass.config_entries.async_setup(entry.entry_id)
    at = datetime(2026, 11, 21, 19, 0, tzinfo=JST)
    await until(partial(shows, hass, at), 3600)
    log = entry.runtime_data.log
    await asyncio.sleep(60)
    assert log.failure is None
    assert log.progress.complete_until is None
    home.meter.object.readable |= {0x9F}
    await until(lambda: log.progress.complete_until == at, 900)
    await assert_exact(hass, home)


async def test_these_sensors_are_no_second_meter(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "log_until"))
    registry = er.async_get(hass)
    for key in FIXED:
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{TOKEN}_{key}")
        assert entity_id
        registered = registry.async_get(entity_id)
        assert registered
        assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        assert not (registered.capabilities or {}).get("state_class")
