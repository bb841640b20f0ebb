"""The meter's own clock."""

import asyncio
from datetime import datetime, timedelta

import pytest

from custom_components.broute.aiobroute import ClockReading, PropertyError, SmartMeter
from custom_components.broute.aiobroute.exceptions import ImplausibleValueError
from simulator import JST, SimulatedHome

from .stage import Spoiler, digit, joined, requests, spoil, unchanged

pytestmark = pytest.mark.looptime(noop_cycles=0)

CLOCK = (0x98, 0x97)
MINUTE = timedelta(minutes=1)


def assert_true(reading: ClockReading, home: SimulatedHome) -> None:
    """Hold a reading against what the meter's clock shows now."""
    shown = home.meter.object.now
    now_s = asyncio.get_running_loop().time()
    assert reading.earliest(now_s) <= shown <= reading.latest(now_s)
    after_s, before_s = reading.instants(shown)
    assert after_s <= now_s <= before_s


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(minutes=7, seconds=40), timedelta(days=-3)])
async def test_the_clock_is_told_to_the_minute_with_the_instants_around_it(offset: timedelta) -> None:
    async with joined() as (meter, home):
        home.meter.clock_offset = offset
        loop = asyncio.get_running_loop()
        await meter.read_clock()
        await asyncio.sleep(100)
        asked_s = loop.time()
        reading = await meter.read_clock()
        assert (reading.asked_s, reading.answered_s) == (asked_s, loop.time())
        assert reading.answered_s - reading.asked_s < 2
        assert reading.shown == home.meter.object.now.replace(second=0, microsecond=0)
        assert reading.shown.utcoffset() == timedelta(hours=9)
        assert_true(reading, home)


async def test_the_first_reading_is_confirmed_by_a_second_and_the_next_ones_by_the_last() -> None:
    async with joined() as (meter, home):
        home.meter.answers.clear()
        for pause_s in (0, 10, 3600, 86_400):
            await asyncio.sleep(pause_s)
            assert_true(await meter.read_clock(), home)
        assert [epcs for epcs in requests(home) if set(epcs) & set(CLOCK)] == [CLOCK] * 5


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("epc", "change"),
    [(0x98, digit(7, 1)), (0x98, digit(5, 2)), (0x98, digit(3, 1)), (0x97, digit(1, 4)), (0x97, digit(2, 2))],
    ids=["day", "no month", "year", "hour", "minutes"],
)
async def test_a_digit_that_was_changed_on_its_way_never_comes_out(known: bool, epc: int, change: Spoiler) -> None:
    async with joined() as (meter, home):
        if known:
            await meter.read_clock()
        home.meter.answers.clear()
        spoil(home)[epc].append(change)
        assert_true(await meter.read_clock(), home)
        assert requests(home) == [CLOCK] * (2 if known else 3)


async def test_a_clock_that_was_set_is_believed_when_it_says_so_twice() -> None:
    async with joined() as (meter, home):
        await meter.read_clock()
        home.meter.clock_offset = timedelta(minutes=20)
        home.meter.answers.clear()
        assert_true(await meter.read_clock(), home)
        assert_true(await meter.read_clock(), home)
        assert requests(home) == [CLOCK] * 3


async def test_a_clock_that_tells_something_else_each_time_is_an_error() -> None:
    async with joined() as (meter, home):
        spoilers = spoil(home)
        spoilers[0x97].extend([digit(1, 1), digit(1, 2), unchanged])
        with pytest.raises(ImplausibleValueError, match="differently"):
            await meter.read_clock()
        spoilers[0x97].extend([lambda _: b"\x18\x00"] * 3)
        with pytest.raises(PropertyError, match="97"):
            await meter.read_clock()
        assert_true(await meter.read_clock(), home)


async def test_a_meter_without_a_clock_is_asked_once() -> None:
    async with joined() as (meter, home):
        home.meter.answers.clear()
        spoil(home)[0x98].extend([lambda _: None] * 2)
        with pytest.raises(PropertyError, match="98"):
            await meter.read_clock()
        assert len(requests(home)) <= 2


@pytest.mark.parametrize("limit", [1, None])
@pytest.mark.parametrize("seconds", range(30, 61, 3))
async def test_date_and_time_belong_together_around_midnight(seconds: int, limit: int | None) -> None:
    async with joined(start=datetime(2026, 11, 21, 23, 59, tzinfo=JST) - 2 * MINUTE) as (meter, home):
        await meter.describe()
        home.faults.property_limit = limit
        midnight = home.clock.now().replace(hour=0, minute=0, second=0) + timedelta(days=1)
        await asyncio.sleep((midnight - home.clock.now()).total_seconds() - 60 + seconds)
        for _ in range(3):
            assert_true(await meter.read_clock(), home)


async def test_the_first_reading_of_another_meter_is_confirmed_anew() -> None:
    async with joined() as (meter, home):
        await meter.read_clock()
        home.meter.paa.end_session()
        home.replace_meter()
        await read_again(meter)
        home.meter.answers.clear()
        assert_true(await meter.read_clock(), home)
        assert requests(home) == [CLOCK] * 2


async def read_again(meter: SmartMeter) -> None:
    """Wait for the session with another meter."""
    await asyncio.sleep(600)
    await meter.joined()
    await meter.read()
