"""The meter's log by half hours and by minutes, and what of it is believed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise
import random
import re

import pytest

from custom_components.broute.aiobroute import BrouteError, CountersAt, NotJoinedError, PropertyError, SmartMeter
from custom_components.broute.aiobroute.exceptions import ImplausibleValueError, PropertyRefusedError
from custom_components.broute.aiobroute.plausibility import Doubt
from simulator import (
    NORMAL_ONLY,
    RELEASE_F,
    RELEASE_R,
    ConstantLoad,
    HouseLoad,
    MeterModel,
    Registers,
    SimulatedHome,
)
from simulator.home import START
from tests.captures import FOLDER

from .stage import Spoiler, days_ago, digit, joined, requests, spoil, unchanged

pytestmark = pytest.mark.looptime(noop_cycles=0)

DAY_LENGTH, HALF_HOUR, MINUTE = timedelta(days=1), timedelta(minutes=30), timedelta(minutes=1)
BY_HALF_HOURS = MeterModel(
    name="by-half-hours", readable=RELEASE_F.readable - {0xE2, 0xE4, 0xE5}, settable=frozenset({0x81, 0xED})
)
WITHOUT_REVERSE_DAYS = replace(RELEASE_F, readable=RELEASE_F.readable - {0xE4})
DAY = [(0xE5,), (0xE2,), (0xE4,)]
PIECE = [(0xED,), (0xEC,)]
CLOCK = (0x98, 0x97)
NO_COUNT = b"\xff\xff\xff\xfe"


async def described(meter: SmartMeter, home: SimulatedHome) -> None:
    """Let the client know all of its meter that a log needs, and forget what that took."""
    await meter.describe()
    await meter.read()
    await meter.read_clock()
    meter.held_back.clear()
    meter.dropped.clear()
    home.meter.answers.clear()


def assert_true(
    counters: Sequence[CountersAt], home: SimulatedHome, *missing: datetime, asked_at: datetime | None = None
) -> None:
    """Hold all that was past when it was asked for, but for what is missing, against the truth.

    By the client's knowledge of the meter's clock, a minute later.
    """
    past = (asked_at or home.clock.now()) - (timedelta(0) if asked_at is None else 2 * MINUTE)
    for each in counters:
        if each.at > past and each.import_kwh is None:
            assert each.export_kwh is None
            continue
        assert each.at <= home.clock.now()
        truth = home.truth(each.at)
        assert each.import_kwh == (None if each.at in missing else truth.import_kwh), each.at
        assert each.export_kwh == truth.export_kwh


def slot(number: int, change: Spoiler) -> Spoiler:
    """Change one of the counters of a day (E2, E4)."""
    start = 2 + 4 * number

    def changed(edt: bytes) -> bytes:
        return edt[:start] + (change(edt[start : start + 4]) or b"") + edt[start + 4 :]

    return changed


def more(counts: int) -> Spoiler:
    return lambda counter: (int.from_bytes(counter) + counts).to_bytes(4)


# By half hours.


@pytest.mark.parametrize("model", [BY_HALF_HOURS, WITHOUT_REVERSE_DAYS], ids=lambda model: model.name)
@pytest.mark.parametrize("days_back", [0, 1, 44])
async def test_a_day_is_read_by_half_hours_where_it_cannot_be_chosen_as_a_whole(
    model: MeterModel, days_back: int
) -> None:
    async with joined(model=model, registers=Registers(load=HouseLoad(3), initial_import=77)) as (meter, home):
        await described(meter, home)
        chosen: list[bytes] = []
        write = home.meter.object.write
        home.meter.object.write = lambda epc, edt: (chosen.append(edt), write(epc, edt))[1]  # type: ignore[method-assign, func-returns-value]
        day = await meter.history(days_ago(home, days_back))
        midnight = START.replace(hour=0, minute=0) - timedelta(days=days_back)
        assert [each.at for each in day] == [midnight + number * HALF_HOUR for number in range(48)]
        assert_true(day, home)
        # Today up to 18:00, the newest first.
        last = {0: "121E 0C" if home.clock.now().minute >= 30 else "1200 0C"}.get(days_back, "171E 0C")
        assert chosen[0][-3:] == bytes.fromhex(last)
        assert requests(home) == PIECE * 4
        assert not meter.held_back


async def test_a_meter_that_measures_no_export_has_none_in_its_half_hours() -> None:
    model = replace(NORMAL_ONLY, readable=NORMAL_ONLY.readable - {0xE2} | {0xEC}, settable=frozenset({0xED}))
    async with joined(model=model) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEC].extend([lambda edt: edt.replace(NO_COUNT, bytes(4))] * 4)
        day = await meter.history(days_ago(home, 1))
        assert requests(home) == PIECE * 4
        assert all(each.import_kwh == home.truth(each.at).import_kwh and each.export_kwh is None for each in day)


@pytest.mark.parametrize("epcs", [{0xE5}, {0xED}, {0xEF}])
async def test_a_meter_that_does_not_take_the_choice_is_an_error(epcs: set[int]) -> None:
    async with joined(model=BY_HALF_HOURS if 0xED in epcs else RELEASE_R) as (meter, home):
        await meter.describe()
        write = home.meter.object.write
        home.meter.object.write = lambda epc, edt: epc not in epcs and write(epc, edt)  # type: ignore[method-assign]
        with pytest.raises(PropertyRefusedError, match=f"{min(epcs):02X}"):
            await (meter.minutes(START, 2) if 0xEF in epcs else meter.history(days_ago(home, 3)))


@pytest.mark.parametrize(
    "change",
    [
        lambda edt: edt[:4] + b"\x03" + edt[5:],
        lambda edt: edt[:6] + b"\x0b" + edt[7:-8],
    ],
    ids=["another time", "another count"],
)
async def test_half_hours_that_were_not_asked_for_are_not_taken(change: Spoiler) -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        spoilers = spoil(home)
        spoilers[0xEC].append(change)
        assert_true(await meter.history(days_ago(home, 1)), home)
        assert requests(home) == PIECE * 5
        assert meter.held_back == meter.dropped == {Doubt.LOG: 1}
        spoilers[0xEC].extend([change] * 2)
        with pytest.raises(PropertyError, match="instead of 12 up to"):
            await meter.history(days_ago(home, 1))


# In which order.


def turned(edt: bytes) -> bytes:
    """List the counters of EC or EE the other way round."""
    return edt[:7] + b"".join(edt[start : start + 8] for start in range(len(edt) - 8, 6, -8))


def with_counters(*counters: int) -> Spoiler:
    """Put other counters of the normal direction into EC or EE, and none of the reverse direction."""
    return lambda edt: edt[:7] + b"".join(counter.to_bytes(4) + NO_COUNT for counter in counters)


async def test_half_hours_that_come_oldest_first_are_the_truth_when_they_were_told_twice() -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        spoilers = spoil(home)
        spoilers[0xEC].extend([turned] * 4 * 4)
        for days_back, pieces in ((0, 8), (1, 4), (44, 4)):
            asked_at = home.clock.now()
            assert_true(await meter.history(days_ago(home, days_back)), home, asked_at=asked_at)
            assert requests(home).count((0xEC,)) == pieces
            home.meter.answers.clear()
        assert meter.held_back == meter.dropped == {Doubt.LOG: 1}
        # It is the order of this meter, and is not given up for one answer.
        spoilers[0xEC].extend([unchanged] * 4 + [turned] * 8)
        for pieces in (8, 4):
            assert_true(await meter.history(days_ago(home, 2)), home)
            assert requests(home).count((0xEC,)) == pieces
            home.meter.answers.clear()
        assert not spoilers[0xEC]


async def test_half_hours_that_came_oldest_first_once_change_nothing() -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEC].extend([turned] * 4)
        for pieces in (8, 4):
            assert_true(await meter.history(days_ago(home, 1)), home)
            assert requests(home).count((0xEC,)) == pieces
            home.meter.answers.clear()


async def test_half_hours_oldest_first_that_do_not_go_with_what_is_known_are_an_error_and_no_energy() -> None:
    async with joined(model=BY_HALF_HOURS, load=ConstantLoad(900)) as (meter, home):
        await described(meter, home)
        spoilers = spoil(home)
        # A day whose end is an hour ahead of the reading that comes after it.
        start, now = 37, home.clock.now()
        count = home.meter.object.import_count(now) or 0
        day = [count + 200 - 4 * number for number in range(start)][::-1]
        pieces = [day[max(0, end - 12) : end] for end in range(start, 0, -12)]
        spoilers[0xEC].extend([with_counters(*piece) for piece in pieces] * 3)
        with pytest.raises(ImplausibleValueError, match="rise towards the past"):
            await meter.history(days_ago(home, 0))


async def test_one_rise_tells_no_order() -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        rises = with_counters(7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8)
        rest = [with_counters(*[7] * 12)] * 3
        spoilers = spoil(home)
        spoilers[0xEC].extend([rises, *rest] * 2)
        with pytest.raises(ImplausibleValueError, match="nothing tells"):
            await meter.history(days_ago(home, 3))
        # Newest first it is a rise, as expected.
        spoilers[0xEC].extend([lambda edt: turned(rises(edt) or b""), *rest])
        assert [each.import_kwh for each in await meter.history(days_ago(home, 3))][-7:] == [
            *[Decimal("0.7")],
            *[Decimal("0.8")] * 6,
        ]


async def test_one_rise_is_where_it_was_when_the_order_is_known() -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        spoilers = spoil(home)
        spoilers[0xEC].extend([turned] * 8)
        await meter.history(days_ago(home, 1))
        rises = with_counters(7, 7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8)
        spoilers[0xEC].extend([rises, *[with_counters(*[7] * 12)] * 3])
        assert [each.import_kwh for each in await meter.history(days_ago(home, 3))][-6:] == [
            *[Decimal("0.7")],
            *[Decimal("0.8")] * 5,
        ]


async def test_counters_that_stand_still_are_the_same_in_both_orders() -> None:
    async with joined(model=BY_HALF_HOURS, load=ConstantLoad(0)) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEC].extend([turned] * 4)
        assert_true(await meter.history(days_ago(home, 1)), home)
        assert requests(home) == PIECE * 4


async def test_the_order_of_one_meter_is_not_expected_of_the_next() -> None:
    async with joined(model=BY_HALF_HOURS) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEC].extend([turned] * 8)
        await meter.history(days_ago(home, 1))
        home.meter.paa.end_session()
        earlier = Registers(
            load=HouseLoad(4), installed_at=START - 9 * DAY_LENGTH, removed_at=home.clock.now() - MINUTE
        )
        home.replace_meter(earlier=earlier)
        await meter_found(meter)
        await described(meter, home)
        day = await meter.history(days_ago(home, 1))
        assert requests(home).count((0xEC,)) == 4
        counters = [each.import_kwh for each in day if each.import_kwh is not None]
        assert len(counters) == 48
        assert counters == sorted(counters)


async def test_minutes_that_come_oldest_first_are_the_truth_when_they_were_told_twice() -> None:
    registers = Registers(load=ConstantLoad(9000), unit=0x03, digits=8)
    async with joined(model=RELEASE_R, registers=registers) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEE].extend([turned] * 3)
        for times in (2, 1):
            assert_true(await meter.minutes(home.clock.now() - timedelta(hours=3), 10), home)
            assert requests(home) == [(0xEF,), (0xEE,)] * times
            home.meter.answers.clear()


# What is believed.


@pytest.mark.parametrize("load", [HouseLoad(1), HouseLoad(2, solar_peak_w=9000), ConstantLoad(38_000)])
@pytest.mark.parametrize("model", [RELEASE_F, BY_HALF_HOURS], ids=lambda model: model.name)
async def test_the_log_of_a_healthy_meter_is_never_read_twice(
    load: HouseLoad | ConstantLoad, model: MeterModel
) -> None:
    async with joined(registers=Registers(load=load, unit=0x02, digits=8), model=model) as (meter, home):
        await described(meter, home)
        for days_back in (0, 1, 2, 43, 44, 45, 1, 0):
            asked_at = home.clock.now()
            day = await meter.history(days_ago(home, days_back))
            if days_back < 45:
                assert_true(day, home, asked_at=asked_at)
        assert not meter.held_back
        assert not meter.dropped


@pytest.mark.parametrize("model", [RELEASE_F, BY_HALF_HOURS], ids=lambda model: model.name)
async def test_a_day_in_which_a_counter_goes_over_its_last_digit_is_read_once(model: MeterModel) -> None:
    midnight = START.replace(hour=0, minute=0) - timedelta(days=1)
    registers = Registers(load=ConstantLoad(3000), digits=4)
    noon = registers.import_count(midnight + timedelta(hours=12))
    assert noon is not None
    registers = replace(registers, initial_import=10_000 - noon % 10_000)
    async with joined(registers=registers, model=model) as (meter, home):
        await described(meter, home)
        day = await meter.history(days_ago(home, 1))
        assert_true(day, home)
        known = [each.import_kwh for each in day if each.import_kwh is not None]
        assert [later for earlier, later in pairwise(known) if later < earlier] == [0]
        assert not meter.held_back


@pytest.mark.parametrize("number", [1, 20, 46])
@pytest.mark.parametrize("change", [more(60), more(-10), more(50_000), digit(3, 1), lambda _: bytes(4)])
async def test_a_counter_that_was_spoilt_on_its_way_never_comes_out(number: int, change: Spoiler) -> None:
    async with joined(registers=Registers(load=ConstantLoad(900), initial_import=300_000)) as (meter, home):
        await described(meter, home)
        spoil(home)[0xE2].append(slot(number, change))
        day = await meter.history(days_ago(home, 1))
        assert_true(day, home, day[number].at)
        assert requests(home) == DAY * 2
        assert meter.held_back == meter.dropped == {Doubt.LOG: 1}


@pytest.mark.parametrize("days_back", [0, 1])
async def test_the_last_counter_of_a_day_is_held_against_what_lies_behind_it(days_back: int) -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await described(meter, home)
        for earlier in range(days_back):
            await meter.history(days_ago(home, earlier))
        home.meter.answers.clear()
        last = 47 if days_back else 36
        spoil(home)[0xE2].append(slot(last, more(16)))
        day = await meter.history(days_ago(home, days_back))
        assert_true(day, home, day[last].at)
        assert requests(home) == DAY * 2


async def test_half_hours_without_a_value_only_make_the_time_longer() -> None:
    async with joined(load=ConstantLoad(3000)) as (meter, home):
        await described(meter, home)
        hole = reduce(
            lambda a, b: lambda edt: b(a(edt) or b""), [slot(number, lambda _: NO_COUNT) for number in range(9, 20)]
        )
        spoil(home)[0xE2].append(hole)
        day = await meter.history(days_ago(home, 1))
        assert_true(day, home, *(each.at for each in day[9:20]))
        assert requests(home) == DAY


@pytest.mark.parametrize("model", [RELEASE_F, BY_HALF_HOURS], ids=lambda model: model.name)
async def test_a_counter_that_began_anew_is_what_the_meter_says_when_it_says_so_twice(model: MeterModel) -> None:
    async with joined(model=model, registers=Registers(load=ConstantLoad(900))) as (meter, home):
        await described(meter, home)
        noon = START.replace(hour=12, minute=0) - timedelta(days=1)
        registers = home.meter.registers

        def began_anew(at: datetime) -> int | None:
            return Registers.import_count(registers if at < noon else replace(registers, installed_at=noon), at)

        home.meter.object.import_count = began_anew  # type: ignore[method-assign]
        home.meter.answers.clear()
        day = await meter.history(days_ago(home, 1))
        counts = [None if each.import_kwh is None else each.import_kwh * 10 for each in day]
        assert counts == [began_anew(each.at) for each in day]
        assert counts[24] == 0
        assert meter.held_back == {Doubt.LOG: 1}
        assert not meter.dropped
        assert len(requests(home)) == 2 * (len(PIECE) * 4 if model is BY_HALF_HOURS else len(DAY))


@pytest.mark.parametrize(
    "change",
    [slot(5, lambda _: b"\x10\x00\x00\x00"), slot(5, more(1_000_000)), digit(3, 4), lambda edt: edt[:-4]],
    ids=["no counter", "too many digits", "another day", "too short"],
)
async def test_an_answer_that_cannot_be_read_is_made_up_for_by_another(change: Spoiler) -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await described(meter, home)
        spoilers = spoil(home)
        spoilers[0xE2].append(change)
        assert_true(await meter.history(days_ago(home, 1)), home)
        assert meter.held_back == meter.dropped == {Doubt.LOG: 1}
        # One that cannot be true, and a second one that cannot be read.
        spoilers[0xE2].extend([slot(7, more(70)), change])
        with pytest.raises(PropertyError):
            await meter.history(days_ago(home, 1))
        # One that cannot be read, and a second one that cannot be true.
        spoilers[0xE2].extend([change, slot(7, more(70))])
        day = await meter.history(days_ago(home, 1))
        assert_true(day, home, day[7].at)


@pytest.mark.parametrize("seed", range(12))
async def test_a_digit_that_is_misread_anywhere_gives_no_wrong_energy(seed: int) -> None:
    async with joined(seed=seed, registers=Registers(load=ConstantLoad(900))) as (meter, home):
        await described(meter, home)
        # The answer to the second request, E2; the first is E5.
        home.faults.set(struck=b"E2C2", lines_misread=1)
        day = await meter.history(days_ago(home, 1))
        assert not home.faults.lines_misread
        worst = Decimal(0)
        for each in day[1:-1]:
            truth = home.truth(each.at).import_kwh
            if each.import_kwh is not None:
                assert truth is not None
                worst = max(worst, abs(each.import_kwh - truth))
        # What could have been true: less than the house took in a half hour.
        assert worst <= Decimal("0.5")


@pytest.mark.parametrize("number", [10, 13])
async def test_a_real_log_is_read_once_and_gives_its_counters(number: int) -> None:
    (file,) = FOLDER.glob(f"{number}_*")
    (edt,) = re.findall(r"E2C2([0-9A-F]{388})\b", file.read_text(encoding="utf-8"))
    async with joined() as (meter, home):
        await described(meter, home)
        spoil(home)[0xE2].append(lambda _: bytes.fromhex(edt))
        day = await meter.history(days_ago(home, int(edt[:4], 16)))
        counters = [int(edt[start : start + 8], 16) for start in range(4, len(edt), 8)]
        assert [each.import_kwh for each in day] == [Decimal(counter) / 10 for counter in counters]
        assert not meter.held_back


# What goes wrong in the middle.


@pytest.mark.parametrize("model", [RELEASE_F, BY_HALF_HOURS], ids=lambda model: model.name)
async def test_a_session_that_is_lost_in_the_middle_of_a_day_is_told_and_the_next_day_is_read(
    model: MeterModel,
) -> None:
    async with joined(model=model) as (meter, home):
        await described(meter, home)
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        await asyncio.sleep(8)
        assert requests(home)
        home.meter.paa.end_session()
        with pytest.raises(NotJoinedError):
            async with asyncio.timeout(10):
                await log
        await asyncio.sleep(60)
        await meter.joined()
        assert_true(await meter.history(days_ago(home, 1)), home)


@pytest.mark.parametrize("model", [RELEASE_F, BY_HALF_HOURS], ids=lambda model: model.name)
async def test_a_day_can_be_given_up_at_any_time(model: MeterModel) -> None:
    async with joined(model=model) as (meter, home):
        await described(meter, home)
        when = random.Random(5)
        for after_s in [0.0, 0.01, *(when.uniform(0, 30) for _ in range(30))]:
            log = asyncio.create_task(meter.history(days_ago(home, 2)))
            await asyncio.sleep(after_s)
            log.cancel()
            await asyncio.wait((log,))
        assert_true(await meter.history(days_ago(home, 1)), home)
        assert (await meter.read()).power_w is not None
        assert not meter.held_back


async def test_days_that_are_asked_for_at_once_do_not_get_mixed_up() -> None:
    async with joined() as (meter, home):
        await described(meter, home)
        asked = (meter.history(days_ago(home, days_back)) for days_back in (3, 1, 2))
        days = await asyncio.gather(*asked, meter.read())
        for day in days[:3]:
            assert_true(day, home)  # type: ignore[arg-type]
        assert [day[0].at.day for day in days[:3]] == [18, 20, 19]  # type: ignore[index]
        assert not meter.held_back


async def test_a_log_of_a_meter_that_was_replaced_meanwhile_is_not_given() -> None:
    async with joined(start=START.replace(hour=23, minute=56)) as (meter, home):
        await described(meter, home)
        # It waits for midnight.
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        await asyncio.sleep(10)
        home.meter.paa.end_session()
        home.replace_meter()
        await meter_found(meter)
        with pytest.raises(BrouteError):
            await log


async def test_the_log_of_another_meter_is_not_held_against_that_of_the_first() -> None:
    async with joined() as (meter, home):
        await described(meter, home)
        await meter.history(days_ago(home, 0))
        home.meter.paa.end_session()
        home.replace_meter()
        await meter_found(meter)
        await asyncio.sleep(600)
        await meter.describe()
        asked_at = home.clock.now()
        day = await meter.history(days_ago(home, 0))
        assert [each.import_kwh for each in day].count(Decimal(0)) >= 1
        assert all(each.import_kwh is None for each in day if each.at < home.meter.registers.installed_at)
        assert_true([each for each in day if each.at >= home.meter.registers.installed_at], home, asked_at=asked_at)
        assert Doubt.LOG not in meter.held_back


async def meter_found(meter: SmartMeter) -> None:
    """Wait until there is a session again."""
    while True:
        await asyncio.sleep(10)
        try:
            await meter.read()
        except BrouteError:
            continue
        return


# By minutes.


async def test_minutes_are_the_truth_and_the_oldest_comes_first() -> None:
    async with joined(model=RELEASE_R, registers=Registers(load=ConstantLoad(9000), unit=0x03, digits=8)) as (
        meter,
        home,
    ):
        await described(meter, home)
        newest = START - timedelta(hours=3)
        minutes = await meter.minutes(newest + timedelta(seconds=12), 10)
        assert [each.at for each in minutes] == [newest - number * MINUTE for number in range(9, -1, -1)]
        assert_true(minutes, home)
        assert len({each.import_kwh for each in minutes}) == 10
        assert requests(home) == [(0xEF,), (0xEE,)]
        assert not meter.held_back


async def test_a_minute_that_was_spoilt_on_its_way_never_comes_out() -> None:
    async with joined(model=RELEASE_R, load=ConstantLoad(900)) as (meter, home):
        await described(meter, home)
        # The fourth newest of five, normal direction.
        spoil(home)[0xEE].append(lambda edt: edt[: 7 + 24] + b"\x00\x00\x00\x01" + edt[7 + 28 :])
        minutes = await meter.minutes(START, 5)
        assert_true(minutes, home, minutes[1].at)
        assert requests(home) == [(0xEF,), (0xEE,)] * 2
        assert meter.held_back == meter.dropped == {Doubt.LOG: 1}


@pytest.mark.parametrize("change", [digit(11, 1), digit(13, 7)], ids=["another minute", "another count"])
async def test_minutes_that_were_not_asked_for_are_not_taken(change: Spoiler) -> None:
    async with joined(model=RELEASE_R) as (meter, home):
        await described(meter, home)
        spoil(home)[0xEE].extend([change] * 2)
        with pytest.raises(PropertyError):
            await meter.minutes(START, 5)
        assert_true(await meter.minutes(START, 5), home)


async def test_a_meter_without_minutes_is_not_asked_for_them() -> None:
    async with joined() as (meter, home):
        await described(meter, home)
        with pytest.raises(PropertyRefusedError, match="EE"):
            await meter.minutes(START, 5)
        assert not requests(home)


@pytest.mark.parametrize("count", [0, 11])
async def test_more_minutes_than_a_meter_gives_are_not_asked_for(count: int) -> None:
    async with joined(model=RELEASE_R) as (meter, home):
        await described(meter, home)
        with pytest.raises(ValueError, match="1 to 10"):
            await meter.minutes(START, count)
        assert not requests(home)
