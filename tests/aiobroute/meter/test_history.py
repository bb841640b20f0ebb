"""The meter's own log, day by day."""

import asyncio
from datetime import datetime, timedelta

import pytest

from custom_components.broute.aiobroute import NoSuchDayError, PropertyError
from simulator import JST, NORMAL_ONLY, ConstantLoad, HouseLoad, Registers

from .stage import days_ago, joined, requests, spoil

pytestmark = pytest.mark.looptime(noop_cycles=0)


@pytest.mark.parametrize("days_back", [0, 1, 11, 44])
async def test_a_day_of_the_log_is_the_truth_of_each_half_hour(days_back: int) -> None:
    async with joined() as (meter, home):
        day = await meter.history(days_ago(home, days_back))
        midnight = (home.clock.now() - timedelta(days=days_back)).replace(hour=0, minute=0, second=0, microsecond=0)
        assert [half_hour.at for half_hour in day] == [midnight + slot * timedelta(minutes=30) for slot in range(48)]
        for half_hour in day:
            if half_hour.at > home.clock.now():
                assert half_hour.import_kwh is half_hour.export_kwh is None
            else:
                truth = home.truth(half_hour.at)
                assert half_hour.import_kwh == truth.import_kwh
                assert half_hour.export_kwh == truth.export_kwh


async def test_a_day_that_is_not_kept_is_empty() -> None:
    async with joined() as (meter, home):
        assert all(half_hour.import_kwh is None for half_hour in await meter.history(days_ago(home, 45)))


async def test_a_meter_without_export_has_a_log_of_imports() -> None:
    async with joined(model=NORMAL_ONLY) as (meter, home):
        day = await meter.history(days_ago(home, 1))
        assert all(half_hour.import_kwh is not None and half_hour.export_kwh is None for half_hour in day)


async def test_the_date_is_the_meters_own() -> None:
    async with joined() as (meter, home):
        home.meter.clock_offset = timedelta(days=-2)
        day = await meter.history(days_ago(home, 2))
        assert day[0].at.date() == days_ago(home, 2)
        assert day[47].import_kwh is None
        with pytest.raises(NoSuchDayError, match="still to come"):
            await meter.history(days_ago(home, 1))


@pytest.mark.parametrize("days_back", [0, 1, 98])
async def test_the_log_is_not_read_across_the_meters_midnight(days_back: int) -> None:
    start = datetime(2026, 11, 21, 23, 56, tzinfo=JST)
    async with joined(start=start, registers=Registers(load=ConstantLoad(1000), history_days=99)) as (meter, home):
        asked = days_ago(home, days_back)
        day = await meter.history(asked)
        assert home.clock.now() > start.replace(hour=0, minute=0) + timedelta(days=1)
        assert [half_hour.at.date() for half_hour in day] == [asked] * 48
        for half_hour in day:
            assert half_hour.import_kwh == home.truth(half_hour.at).import_kwh is not None


async def test_a_day_that_gets_out_of_reach_at_midnight_is_an_error() -> None:
    async with joined(start=datetime(2026, 11, 21, 23, 56, tzinfo=JST)) as (meter, home):
        with pytest.raises(NoSuchDayError, match="99 days"):
            await meter.history(days_ago(home, 99))
        assert not [epcs for epcs in requests(home) if 0xE5 in epcs]


@pytest.mark.parametrize("days_back", [-1, 100])
async def test_a_day_that_no_meter_can_be_asked_for_is_an_error(days_back: int) -> None:
    async with joined() as (meter, home):
        with pytest.raises(NoSuchDayError):
            await meter.history(days_ago(home, days_back))
        assert not [epcs for epcs in requests(home) if 0xE5 in epcs]


async def test_an_answer_for_another_day_is_an_error() -> None:
    async with joined() as (meter, home):
        write = home.meter.object.write
        home.meter.object.write = lambda epc, edt: write(epc, b"\x07")  # type: ignore[method-assign]
        with pytest.raises(PropertyError, match="day 7 instead of 3"):
            await meter.history(days_ago(home, 3))


async def test_a_meter_that_refuses_the_day_is_an_error() -> None:
    async with joined() as (meter, home):
        home.meter.object.write = lambda epc, edt: False  # type: ignore[method-assign]
        with pytest.raises(PropertyError, match="E5"):
            await meter.history(days_ago(home, 3))


async def test_the_clock_is_read_once_an_hour_and_twice_at_first() -> None:
    async with joined() as (meter, home):
        for _ in range(3):
            await meter.history(days_ago(home, 1))
        assert sum(0x97 in answer.epcs for answer in home.meter.answers) == 2
        await asyncio.sleep(3600)
        await meter.history(days_ago(home, 1))
        assert sum(0x97 in answer.epcs for answer in home.meter.answers) == 3


async def test_a_day_that_was_read_across_midnight_is_read_again() -> None:
    start = datetime(2026, 11, 21, 23, 50, tzinfo=JST)
    async with joined(start=start, load=HouseLoad(2, solar_peak_w=9000)) as (meter, home):
        await meter.describe()
        await meter.read_clock()

        async def poll() -> None:
            while True:
                await meter.read()

        polls = asyncio.create_task(poll())
        await asyncio.sleep((start.replace(minute=53, second=30) - home.clock.now()).total_seconds())
        home.meter.answers.clear()
        # It cannot be read, so the day is read once more, and between polls that takes until the next day.
        spoil(home)[0xE4].append(lambda edt: edt[:-4])
        asked = days_ago(home, 1)
        day = await meter.history(asked)
        polls.cancel()
        days = [answer.at.day for answer in home.meter.answers if 0xE4 in answer.epcs]
        assert days == [21, 22, 22]
        assert day[0].at.date() == asked
        for half_hour in day:
            assert half_hour.import_kwh == home.truth(half_hour.at).import_kwh
            assert half_hour.export_kwh == home.truth(half_hour.at).export_kwh
