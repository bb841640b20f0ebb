"""The counters of each half hour: told once, by their own time stamp, whether they come in one frame or in two."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from custom_components.broute.aiobroute import CountersAt, SmartMeter
from custom_components.broute.aiobroute.echonet.smart_meter import NORMAL_FIXED_TIME, REVERSE_FIXED_TIME
from custom_components.broute.aiobroute.half_hours import PART_WAIT_S
from simulator import NORMAL_ONLY, ConstantLoad, SimulatedHome

from .stage import Spoiler, joined

pytestmark = pytest.mark.looptime(noop_cycles=0)

EA, EB = 0xEA, 0xEB
JUST_SENT_S = 1.0


@asynccontextmanager
async def listening(**home_options: Any) -> AsyncIterator[tuple[list[CountersAt], SimulatedHome, SmartMeter]]:
    """Give what is told, of a meter that announces nothing by itself."""
    async with joined(**home_options) as (meter, home):
        await meter.describe()
        await meter.read()
        await meter.read()
        home.meter.notices.end()
        told: list[CountersAt] = []
        meter.on_half_hour(told.append)
        yield told, home, meter


def whole(home: SimulatedHome) -> CountersAt:
    """Return what the meter has to tell now."""
    truth = home.truth()
    return CountersAt(at=truth.fixed_time, import_kwh=truth.fixed_import_kwh, export_kwh=truth.fixed_export_kwh)


def without_export(half_hour: CountersAt) -> CountersAt:
    return CountersAt(at=half_hour.at, import_kwh=half_hour.import_kwh, export_kwh=None)


async def announce(home: SimulatedHome, *epcs: int) -> None:
    home.meter.notices.announce(*epcs)
    await asyncio.sleep(JUST_SENT_S)


def spoil_notice(home: SimulatedHome, epc: int, change: Spoiler) -> None:
    """Change a property of the next announcement."""
    notify, spoilt = home.meter.object.notify, epc

    def once(epc: int) -> bytes | None:
        edt = notify(epc)
        if epc == spoilt and edt is not None:
            home.meter.object.notify = notify  # type: ignore[method-assign]
            return change(edt)
        return edt

    home.meter.object.notify = once  # type: ignore[method-assign]


@pytest.mark.parametrize("first", [EA, EB])
async def test_two_frames_make_one_half_hour(first: int) -> None:
    async with listening() as (told, home, _):
        await announce(home, first)
        assert not told
        await asyncio.sleep(PART_WAIT_S - 4)
        await announce(home, EA + EB - first)
        assert told == [whole(home)]
        assert told[0].export_kwh is not None
        await asyncio.sleep(2 * PART_WAIT_S)
        assert len(told) == 1


async def test_what_else_is_announced_in_between_is_no_half_of_it() -> None:
    async with listening() as (told, home, _):
        await announce(home, EA)
        home.meter.fault = True
        await asyncio.sleep(JUST_SENT_S)
        await announce(home, EB)
        assert told == [whole(home)]


async def test_each_half_is_waited_for_as_long_as_the_other() -> None:
    async with listening(load=ConstantLoad(900)) as (told, home, _):
        spoil_notice(home, EB, lambda edt: edt[:4] + b"\x11\x1e" + edt[6:])
        await announce(home, EB)
        await asyncio.sleep(PART_WAIT_S / 2)
        await announce(home, EA)
        await asyncio.sleep(PART_WAIT_S / 2)
        await announce(home, EB)
        assert told == [whole(home)]


async def test_one_frame_is_told_at_once_and_once() -> None:
    async with listening() as (told, home, _):
        for _ in range(2):
            await announce(home, EA, EB)
            assert told == [whole(home)]
        await announce(home, EA)
        await asyncio.sleep(2 * PART_WAIT_S)
        assert len(told) == 1


async def test_an_import_whose_export_does_not_come_is_told_after_a_while_and_not_again() -> None:
    async with listening() as (told, home, _):
        await announce(home, EA)
        await asyncio.sleep(PART_WAIT_S / 2)
        # A meter that misses our INFC_Res announces it once more.
        await announce(home, EA)
        assert not told
        await asyncio.sleep(PART_WAIT_S / 2)
        assert told == [without_export(whole(home))]
        await announce(home, EB)
        await asyncio.sleep(2 * PART_WAIT_S)
        await announce(home, EA, EB)
        assert len(told) == 1


async def test_an_export_alone_is_not_told() -> None:
    async with listening() as (told, home, _):
        await announce(home, EB)
        await asyncio.sleep(2 * PART_WAIT_S)
        assert not told
        await announce(home, EA, EB)
        assert told == [whole(home)]


async def test_a_meter_without_export_has_nothing_to_wait_for() -> None:
    async with listening(model=NORMAL_ONLY) as (told, home, _):
        await announce(home, EA)
        assert told == [whole(home)]


async def test_halves_of_two_half_hours_are_not_put_together() -> None:
    async with listening(load=ConstantLoad(900)) as (told, home, _):
        # Half an hour too early: it goes with the readings all the same.
        spoil_notice(home, EA, lambda edt: edt[:4] + b"\x11\x1e" + edt[6:])
        await announce(home, EA)
        await announce(home, EB)
        assert told == [without_export(told[0])]
        assert told[0].at != whole(home).at
        await announce(home, EA)
        assert told[1:] == [whole(home)]


async def test_what_is_no_time_waits_for_nothing_of_another() -> None:
    async with listening() as (told, home, _):
        spoil_notice(home, EA, lambda edt: b"\xff" * 7 + edt[7:])
        await announce(home, EA)
        await announce(home, EB)
        await announce(home, EA)
        assert told == [whole(home)]


@pytest.mark.parametrize("epcs", [(EA, EB), (EA,)])
async def test_the_next_half_hour_is_told_as_the_first(epcs: tuple[int, ...]) -> None:
    async with listening() as (told, home, meter):
        for number in range(1, 4):
            for epc in epcs:
                await announce(home, epc)
            due = whole(home)
            await asyncio.sleep(0 if EB in epcs else PART_WAIT_S)
            assert len(told) == number
            assert told[-1] == (due if EB in epcs else without_export(due))
            await asyncio.sleep(1800)
            await meter.read()


async def test_a_counter_with_more_digits_than_the_meter_is_not_told() -> None:
    async with listening() as (told, home, _):
        spoil_notice(home, EA, lambda edt: edt[:7] + (int.from_bytes(edt[7:]) + 10**6).to_bytes(4))
        await announce(home, EA, EB)
        assert not told
        await announce(home, EA, EB)
        assert told == [whole(home)]


async def test_a_half_hour_is_converted_as_soon_as_its_unit_is_known() -> None:
    async with joined() as (meter, home):
        answers = await meter.get(NORMAL_FIXED_TIME, REVERSE_FIXED_TIME)
        assert meter.half_hour(answers) is None
        await meter.describe()
        assert meter.half_hour(answers) == whole(home)


async def test_nothing_is_told_after_the_end() -> None:
    async with listening() as (told, home, meter):
        await announce(home, EA)
        await meter.close()
        await asyncio.sleep(2 * PART_WAIT_S)
        assert not told
