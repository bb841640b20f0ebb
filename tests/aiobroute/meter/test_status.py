"""What the meter says of itself: read or announced, and believed when it was told twice."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.broute.aiobroute import (
    BrouteError,
    InstallationLocation,
    MeterStatus,
    Place,
    SmartMeter,
)
from simulator import RELEASE_F, SimulatedHome
from simulator.echonet import NODE_PROFILE_EOJ, Esv, Frame, Property

from .stage import client, joined, requests, spoil

pytestmark = pytest.mark.looptime(noop_cycles=0)

STATUS = (0x80, 0x88, 0x81)
GARDEN = InstallationLocation(Place.GARDEN, 1, b"\x61")
WELL = MeterStatus(operating=True, faulty=False, location=GARDEN)
FAULTY = replace(WELL, faulty=True)
PASSAGE = InstallationLocation(Place.PASSAGE, 2, b"\x3a")
TOLD_S = 10.0
"""A second look waits for the spacing of requests."""

NEWS = pytest.mark.parametrize(
    ("attribute", "value", "epc", "status"),
    [
        ("fault", True, 0x88, FAULTY),
        ("operating", False, 0x80, replace(WELL, operating=False)),
        ("location", b"\x3a", 0x81, replace(WELL, location=PASSAGE)),
    ],
)


def announce_wrongly(home: SimulatedHome, *, fault: bool) -> None:
    """Let a meter announce what is not so: to the client it is a digit that was changed on its way."""
    home.meter.object.fault = fault
    home.meter.notices.announce(0x88)
    home.meter.object.fault = not fault


async def announce_and_fall_silent(home: SimulatedHome) -> None:
    """Let a meter announce a fault, and leave what it is asked then unanswered."""
    home.meter.fault = True
    home.faults.meter_silent = True
    await asyncio.sleep(300)
    home.faults.meter_silent = False


async def known(meter: SmartMeter, home: SimulatedHome) -> list[MeterStatus]:
    """Let the client know the status; return what its listener will be told of changes."""
    await meter.read_status()
    home.meter.answers.clear()
    told: list[MeterStatus] = []
    meter.on_status(told.append)
    return told


async def test_a_meter_that_is_well_is_asked_once() -> None:
    async with joined() as (meter, home):
        told: list[MeterStatus] = []
        meter.on_status(told.append)
        before = meter.status
        assert before is None
        for _ in range(3):
            assert await meter.read_status() == WELL
        assert meter.status == WELL
        assert requests(home) == [STATUS] * 3
        assert told == [WELL]


@NEWS
async def test_what_is_news_is_read_again_alone_before_it_is_believed(
    attribute: str, value: object, epc: int, status: MeterStatus
) -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        setattr(home.meter.object, attribute, value)
        assert await meter.read_status() == status
        assert requests(home) == [STATUS, (epc,)]
        assert await meter.read_status() == status
        assert len(requests(home)) == 3
        assert told == [status]


@NEWS
async def test_a_digit_that_was_changed_on_its_way_is_not_believed(
    attribute: str, value: object, epc: int, status: MeterStatus
) -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        edt = getattr(status.location, "edt", b"") if attribute == "location" else {0x88: b"\x41", 0x80: b"\x31"}[epc]
        spoil(home)[epc].append(lambda _: edt)
        assert await meter.read_status() == WELL
        assert requests(home) == [STATUS, (epc,)]
        assert told == []
        # Nor is it kept: the next one is again the first.
        spoil(home)[epc].append(lambda _: edt)
        assert await meter.read_status() == WELL


async def test_a_fault_in_the_first_answer_is_asked_for_again() -> None:
    async with joined() as (meter, home):
        told: list[MeterStatus] = []
        meter.on_status(told.append)
        spoil(home)[0x88].append(lambda _: b"\x41")
        assert await meter.read_status() == WELL
        assert requests(home) == [STATUS, (0x88,)]
        assert told == [WELL]


async def test_two_answers_that_agree_neither_with_each_other_nor_with_the_past_change_nothing() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        spoil(home)[0x81].extend([lambda _: b"\x62", lambda _: b"\x63"])
        assert await meter.read_status() == WELL
        assert told == []


@NEWS
async def test_what_is_announced_is_asked_for_and_told(
    attribute: str, value: object, epc: int, status: MeterStatus
) -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        setattr(home.meter, attribute, value)
        await asyncio.sleep(TOLD_S)
        assert told == [status]
        assert meter.status == status
        assert requests(home) == [STATUS]


async def test_an_announcement_that_was_changed_on_its_way_alarms_nobody() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        announce_wrongly(home, fault=True)
        await asyncio.sleep(TOLD_S)
        assert told == []
        assert requests(home) == [STATUS]


@pytest.mark.parametrize("by_word", [True, False], ids=["announced", "read"])
async def test_the_end_of_a_fault_is_believed_when_it_was_told_twice(by_word: bool) -> None:
    async with joined() as (meter, home):
        home.meter.fault = True
        told = await known(meter, home)
        assert meter.status == FAULTY
        if by_word:
            announce_wrongly(home, fault=False)
            await asyncio.sleep(TOLD_S)
        else:
            spoil(home)[0x88].append(lambda _: b"\x42")
            await meter.read_status()
        assert meter.status == FAULTY
        if by_word:
            home.meter.fault = False
            await asyncio.sleep(TOLD_S)
        else:
            home.meter.object.fault = False
            await meter.read_status()
        assert told == [WELL]


async def test_an_announcement_that_is_no_news_costs_no_request() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        home.meter.notices.announce(*STATUS)
        await asyncio.sleep(TOLD_S)
        assert (told, requests(home)) == ([], [])


async def test_several_announcements_at_once_cost_one_request() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        home.meter.fault = True
        home.meter.operating = False
        await asyncio.sleep(TOLD_S)
        assert told == [replace(FAULTY, operating=False)]
        assert requests(home) == [STATUS]


async def test_what_is_announced_before_anything_was_read_is_read() -> None:
    async with joined() as (meter, home):
        home.meter.fault = True
        await asyncio.sleep(TOLD_S)
        assert meter.status == FAULTY


async def test_what_another_object_of_the_meter_says_of_itself_is_not_the_meters_status() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        home.meter.notices._send_to_all(
            Frame(7, NODE_PROFILE_EOJ, NODE_PROFILE_EOJ, Esv.INF, (Property(0x80, b"\x31"),))
        )
        await asyncio.sleep(TOLD_S)
        assert (told, requests(home)) == ([], [])


async def test_a_fault_whose_second_look_failed_is_believed_by_the_next_one() -> None:
    async with joined() as (meter, home):
        await known(meter, home)
        await announce_and_fall_silent(home)
        assert meter.status == WELL
        await asyncio.sleep(60)
        home.meter.answers.clear()
        assert await meter.read_status() == FAULTY
        assert requests(home) == [STATUS]


async def test_what_was_believed_stays_when_the_meter_does_not_answer() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        home.faults.meter_silent = True
        for _ in range(2):
            with pytest.raises(BrouteError):
                await meter.read_status()
        assert (meter.status, told) == (WELL, [])


async def test_what_the_meter_does_not_tell_is_none_and_is_not_asked_for_again() -> None:
    model = replace(RELEASE_F, readable=RELEASE_F.readable - {0x81}, announced=frozenset({0x80, 0x88}))
    async with joined(model=model) as (meter, home):
        await meter.describe()
        home.meter.answers.clear()
        for _ in range(2):
            assert await meter.read_status() == replace(WELL, location=None)
        assert requests(home) == [STATUS] * 2


async def test_a_status_in_no_known_form_is_none() -> None:
    async with joined() as (meter, home):
        home.meter.answers.clear()
        spoil(home)[0x88].extend([lambda _: b"\x40"] * 2)
        assert await meter.read_status() == replace(WELL, faulty=None)
        assert requests(home) == [STATUS]
        assert await meter.read_status() == replace(WELL, faulty=None)
        # Nobody has known yet that there is none.
        home.meter.object.fault = True
        home.meter.answers.clear()
        assert await meter.read_status() == FAULTY
        assert requests(home) == [STATUS, (0x88,)]


async def test_an_unreadable_answer_changes_nothing_when_the_second_can_be_read() -> None:
    async with joined() as (meter, home):
        told = await known(meter, home)
        spoil(home)[0x80].append(lambda _: b"\x3f")
        assert await meter.read_status() == WELL
        assert told == []


async def test_the_status_is_the_meters_and_another_one_begins_anew() -> None:
    async with joined() as (meter, home):
        home.meter.fault = True
        await known(meter, home)
        home.meter.paa.end_session()
        home.replace_meter()
        await asyncio.sleep(600)
        assert meter.status is None
        home.meter.answers.clear()
        assert await meter.read_status() == WELL
        assert requests(home) == [STATUS]


async def test_what_a_meter_has_told_once_is_no_word_of_the_one_that_replaces_it() -> None:
    async with joined() as (meter, home):
        await known(meter, home)
        await announce_and_fall_silent(home)
        assert meter.status == WELL
        home.meter.paa.end_session()
        home.replace_meter()
        await asyncio.sleep(600)
        spoil(home)[0x88].append(lambda _: b"\x41")
        assert await meter.read_status() == WELL


async def test_what_is_announced_before_anything_was_read_is_told_where_it_alarms_nobody() -> None:
    async with joined() as (meter, home):
        home.meter.notices.announce(0x81, 0x88)
        await asyncio.sleep(TOLD_S)
        assert meter.status == replace(WELL, operating=None)
        assert requests(home) == []


async def test_a_reading_goes_before_the_status() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.meter.answers.clear()
        status = asyncio.create_task(meter.read_status())
        await asyncio.sleep(0)
        await meter.read()
        assert not status.done()
        assert await status == WELL


async def test_who_listens_no_more_is_told_nothing() -> None:
    async with joined() as (meter, _):
        told: list[MeterStatus] = []
        meter.on_status(told.append)()
        await meter.read_status()
        assert told == []


@pytest.mark.parametrize("delay", [0.0, 0.2, 1.0, 3.0])
async def test_nothing_looks_again_after_the_close(delay: float) -> None:
    with SimulatedHome() as home:
        tasks = asyncio.all_tasks()
        async with client(home) as meter:
            await meter.joined()
            await meter.read_status()
            home.faults.meter_silent = True
            announce_wrongly(home, fault=True)
            home.faults.meter_silent = False
            home.meter.fault = True
            await asyncio.sleep(delay)
            began_at = asyncio.get_running_loop().time()
        # An end in order takes 0.3 s, and the next request would be due in some seconds.
        assert asyncio.get_running_loop().time() - began_at < 1
        assert asyncio.all_tasks() == tasks
