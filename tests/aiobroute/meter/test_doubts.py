"""A value that cannot be true is asked for again, and a wrong one never comes out of a reading."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
import logging

import pytest

from custom_components.broute.aiobroute import Constants, Memory, PropertyError, Reading, SmartMeter
from custom_components.broute.aiobroute.exceptions import ImplausibleValueError
from custom_components.broute.aiobroute.plausibility import Doubt
from simulator import (
    ID,
    OKINAWA,
    PASSWORD,
    RELEASE_F,
    TWO_WIRE,
    ConstantLoad,
    HouseLoad,
    Meter,
    MeterModel,
    Pan,
    Registers,
    SimulatedHome,
)
from simulator.home import START

from .stage import Spoiler, client, digit, joined, last_answer, requests, spoil, unchanged

pytestmark = pytest.mark.looptime(noop_cycles=0)

POLL = (0xE7, 0xE8, 0xE0, 0xE3)
SCALE = (0xD7, 0xE1, 0xD3)
GET_RES = 0x72
VALUES = {
    "power_w": 0xE7,
    "current_r_a": 0xE8,
    "current_t_a": 0xE8,
    "import_kwh": 0xE0,
    "export_kwh": 0xE3,
}


def becomes(value: int) -> Spoiler:
    return lambda _: value.to_bytes(4)


def assert_nothing_wrong(reading: Reading, home: SimulatedHome, *missing: str) -> None:
    """Hold each value against the truth of the last answer with its property."""
    for name, epc in VALUES.items():
        if name in missing:
            assert getattr(reading, name) is None
            assert epc in reading.errors
        else:
            assert getattr(reading, name) == getattr(last_answer(home, epc).truth, name)
    assert set(reading.errors) == {VALUES[name] for name in missing}


async def settled(meter: SmartMeter, home: SimulatedHome) -> None:
    """Read until everything is known, and forget what that took."""
    await meter.read()
    await meter.describe()
    await meter.read()
    meter.held_back.clear()
    home.meter.answers.clear()


@pytest.mark.parametrize("load", [HouseLoad(1), HouseLoad(2, solar_peak_w=9000), ConstantLoad(23_000)])
async def test_a_healthy_meter_is_never_asked_twice(load: HouseLoad | ConstantLoad) -> None:
    async with joined(registers=Registers(load=load, unit=0x02, digits=7)) as (meter, home):
        await settled(meter, home)
        for _ in range(60):
            reading = await meter.read()
            assert_nothing_wrong(reading, home)
            await asyncio.sleep(55)
        assert set(requests(home)) == {POLL}
        assert len(requests(home)) == 60
        assert not meter.held_back
        assert not meter.dropped


@pytest.mark.parametrize(
    ("epc", "change", "doubt", "again"),
    [
        (0xE0, digit(3, 0x1), Doubt.JUMP, (0xE0,)),
        (0xE0, digit(4, 0x2), Doubt.JUMP, (0xE0,)),
        (0xE0, digit(5, 0xF), Doubt.FALL, (0xE0,)),
        (0xE0, becomes(0), Doubt.FALL, (0xE0,)),
        (0xE3, becomes(1), Doubt.FALL, (0xE3,)),
        (0xE7, digit(0, 0x8), Doubt.POWER_RANGE, (0xE7, 0xE8)),
        (0xE7, digit(2, 0x1), Doubt.POWER_RANGE, (0xE7, 0xE8)),
        (0xE7, digit(4, 0x1), Doubt.POWER_FAR_ABOVE_CURRENTS, (0xE7, 0xE8)),
        (0xE8, digit(0, 0x8), Doubt.CURRENT_RANGE, (0xE7, 0xE8)),
        (0xE8, digit(4, 0x1), Doubt.CURRENT_RANGE, (0xE7, 0xE8)),
        (0xE8, lambda edt: edt[:2] + b"\x7f\xfe", Doubt.LINES, (0xE7, 0xE8)),
    ],
)
async def test_a_digit_that_was_changed_on_its_way_never_comes_out(
    epc: int, change: Spoiler, doubt: Doubt, again: tuple[int, ...]
) -> None:
    registers = Registers(load=ConstantLoad(900), initial_export=0x55)
    async with joined(registers=registers) as (meter, home):
        await settled(meter, home)
        spoil(home)[epc].append(change)
        assert_nothing_wrong(await meter.read(), home)
        assert requests(home) == [POLL, again]
        assert meter.held_back == meter.dropped == {doubt: 1}
        assert_nothing_wrong(await meter.read(), home)
        assert requests(home)[2:] == [POLL]


async def test_a_counter_that_goes_over_its_last_digit_is_no_fall() -> None:
    counted = Registers(load=ConstantLoad(4000), digits=3).import_count(START)
    assert counted is not None
    initial = 990 - counted
    registers = Registers(load=ConstantLoad(4000), digits=3, initial_import=initial)
    async with joined(registers=registers) as (meter, home):
        assert home.truth().import_kwh == 99
        await settled(meter, home)
        seen: list[Decimal] = []
        for _ in range(30):
            reading = await meter.read()
            assert reading.import_kwh is not None
            seen.append(reading.import_kwh)
            await asyncio.sleep(55)
        falls = [later for earlier, later in pairwise(seen) if later < earlier]
        assert falls in ([Decimal(0)], [Decimal("0.1")])
        assert not meter.held_back


async def test_a_counter_that_began_anew_is_believed_when_it_says_so_twice(caplog: pytest.LogCaptureFixture) -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await settled(meter, home)
        home.meter.restart_counters()
        caplog.clear()
        for _ in range(3):
            reading = await meter.read()
            assert_nothing_wrong(reading, home)
            assert reading.import_kwh is not None
            assert reading.import_kwh < 1
        assert requests(home) == [POLL, (0xE0,), POLL, POLL]
        warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(warnings) == 1
        assert "fallen" in warnings[0]


async def test_two_wrong_counters_that_differ_are_no_value_and_the_next_one_is() -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await settled(meter, home)
        spoil(home)[0xE0].extend([becomes(5), becomes(77_000)])
        assert_nothing_wrong(await meter.read(), home, "import_kwh")
        assert_nothing_wrong(await meter.read(), home)
        assert requests(home) == [POLL, (0xE0,), POLL]


async def test_a_doubt_that_cannot_be_resolved_takes_nothing_else_down() -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await settled(meter, home)

        def silence() -> None:
            home.faults.meter_silent = True

        def silent_from_now_on(_: bytes) -> bytes:
            asyncio.get_running_loop().call_later(0.5, silence)
            return bytes(4)

        spoil(home)[0xE0].append(silent_from_now_on)
        assert_nothing_wrong(await meter.read(), home, "import_kwh")
        assert home.faults.meter_silent


async def test_a_second_answer_that_cannot_be_read_is_no_value() -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await settled(meter, home)
        spoilers = spoil(home)
        spoilers[0xE7].extend([becomes(3000), lambda _: b"\x7f\xff\xff\xff"])
        assert_nothing_wrong(await meter.read(), home, "power_w")
        spoilers[0xE0].extend([becomes(0), becomes(1_000_000)])
        assert_nothing_wrong(await meter.read(), home, "import_kwh")
        spoilers[0xE7].append(becomes(3000))
        spoilers[0xE8].extend([unchanged, lambda _: b"\x7f\xff\x00\x10"])
        assert_nothing_wrong(await meter.read(), home, "current_r_a", "current_t_a")


async def test_power_beyond_any_supply_that_is_no_mistake_is_what_the_meter_says() -> None:
    async with joined(load=ConstantLoad(65_000)) as (meter, home):
        await settled(meter, home)
        for _ in range(6):
            assert_nothing_wrong(await meter.read(), home)
        # Three times for the power and three times for the currents, two of them before: such is this supply.
        assert requests(home) == [POLL, (0xE7, 0xE8)] * 4 + [POLL] * 2


# The first reading.


@pytest.mark.parametrize("model", [None, OKINAWA, TWO_WIRE], ids=str)
@pytest.mark.parametrize(("epc", "value"), [(0xE0, 500_000), (0xE1, 0x02), (0xD7, 0x07), (0xD3, 0x64)])
async def test_what_was_wrong_once_in_the_first_reading_never_comes_out(
    model: MeterModel | None, epc: int, value: int
) -> None:
    async with joined(**({"model": model} if model else {})) as (meter, home):
        spoil(home)[epc].append(lambda edt: value.to_bytes(len(edt)))
        for _ in range(3):
            reading = await meter.read()
            assert reading.import_kwh in {None, last_answer(home, 0xE0).truth.import_kwh}
            assert (reading.import_kwh is None) == (0xE0 in reading.errors)
            assert all(isinstance(err, PropertyError) for err in reading.errors.values())
        assert reading.import_kwh is not None


@pytest.mark.parametrize(("epc", "value"), [(0xE1, 0x02), (0xD7, 0x07), (0xD3, 0x64)])
async def test_a_description_takes_no_scale_that_was_said_once(epc: int, value: int) -> None:
    async with joined() as (meter, home):
        spoil(home)[epc].append(lambda edt: value.to_bytes(len(edt)))
        scale = (await meter.describe()).scale
        assert (scale.unit_kwh, scale.effective_digits, scale.coefficient) == (Decimal("0.1"), 6, 1)


async def test_remembered_constants_are_not_replaced_by_a_scale_that_was_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            constants = await meter.describe()
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(constants=constants)) as meter:
            await meter.joined()
            spoil(home)[0xE1].append(lambda _: b"\x02")
            assert await meter.describe() == constants
            assert "counts otherwise" not in caplog.text


async def test_a_coefficient_that_a_spoilt_map_lacks_is_not_lost() -> None:
    async with joined(registers=Registers(load=HouseLoad(0), coefficient=20)) as (meter, home):
        without_d3 = bytearray(home.meter.object.read(0x9F) or b"")
        without_d3[1 + 3] &= ~(1 << 5)
        spoil(home)[0x9F].append(lambda _: bytes(without_d3))
        assert (await meter.describe()).scale.coefficient == 20


# The property maps.


def maps(constants: Constants) -> tuple[frozenset[int], ...]:
    return constants.get_map, constants.set_map, constants.announcement_map


@pytest.mark.parametrize("epc", [0x9D, 0x9E, 0x9F])
@pytest.mark.parametrize("known", [False, True])
async def test_a_spoilt_map_is_not_believed(*, epc: int, known: bool) -> None:
    async with joined() as (meter, home):
        if known:
            await meter.describe()
        # The last property of the announcement and of the Set map, E3 of the Get map.
        spoil(home)[epc].append(digit(8 if epc == 0x9F else -1, 0x4))
        constants = await meter.describe()
        assert maps(constants) == (home.meter.model.readable, home.meter.model.settable, home.meter.model.announced)
        assert constants.measures_export


async def test_maps_that_are_spoilt_each_time_are_none() -> None:
    async with joined() as (meter, home):
        spoil(home)[0x9F] += [digit(8, change) for change in (0x1, 0x2, 0x4)]
        with pytest.raises(ImplausibleValueError):
            await meter.describe()
        assert not meter.is_described
        assert meter.constants is None
        assert (await meter.describe()).get_map == home.meter.model.readable


async def test_maps_that_have_changed_are_believed_when_they_were_given_twice() -> None:
    async with joined() as (meter, home):
        before = await meter.describe()
        home.meter.object.readable -= {0xE3}
        home.meter.answers.clear()
        assert (await meter.describe()).get_map == before.get_map - {0xE3}
        assert sum(0x9F in epcs for epcs in requests(home)) == 2


async def test_maps_that_are_known_are_asked_for_once() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.meter.answers.clear()
        await meter.describe()
        assert len(requests(home)) == 1


# What is remembered.


async def remembered(home: SimulatedHome, **changed: object) -> SmartMeter:
    """Read the meter, end, and return the next client, with what the first one left."""
    async with client(home) as meter:
        await meter.joined()
        await settled(meter, home)
        memory = meter.memory
    assert memory.believed is not None
    await asyncio.sleep(home.meter.paa.rejoin_pause_s)
    home.meter.answers.clear()
    believed = replace(memory.believed, **changed)  # type: ignore[arg-type]
    return client(home, memory=replace(memory, believed=believed))


# Of the same clock, of one that began anew since, and of one that nobody knows.
SEEN_AT: list[dict[str, float | None]] = [{}, {"seen_at": 1e6}, {"seen_at": None}]


@pytest.mark.parametrize("changed", SEEN_AT)
async def test_remembered_counters_spare_the_second_request(changed: dict[str, float | None]) -> None:
    with SimulatedHome() as home:
        async with await remembered(home, **changed) as meter:
            await meter.joined()
            assert_nothing_wrong(await meter.read(), home)
            assert requests(home) == [POLL]


async def test_the_time_between_two_runs_counts() -> None:
    with SimulatedHome(load=ConstantLoad(20_000)) as home:
        meter = await remembered(home)
        await asyncio.sleep(1800)
        async with meter:
            await meter.joined()
            assert_nothing_wrong(await meter.read(), home)
            assert requests(home) == [POLL]


@pytest.mark.parametrize("changed", SEEN_AT)
async def test_a_first_counter_is_held_against_the_remembered_one(changed: dict[str, float | None]) -> None:
    with SimulatedHome(load=ConstantLoad(900)) as home:
        async with await remembered(home, **changed) as meter:
            await meter.joined()
            spoil(home)[0xE0].append(digit(4, 0x2))
            assert_nothing_wrong(await meter.read(), home)
            assert requests(home) == [POLL, (0xE0, *SCALE)]


async def test_remembered_counters_of_another_meter_are_not_used() -> None:
    with SimulatedHome(load=ConstantLoad(900)) as home:
        async with await remembered(home, mac=bytes.fromhex("0011223344556677")) as meter:
            await meter.joined()
            assert_nothing_wrong(await meter.read(), home)
            assert requests(home) == [POLL, (0xE0, 0xE3, *SCALE)]
            assert meter.held_back == {Doubt.FIRST: 2}


async def test_the_counters_that_were_believed_tell_when_and_no_address() -> None:
    async with joined() as (meter, home):
        nothing, asked_at = meter.believed, asyncio.get_running_loop().time()
        reading = await meter.read()
        believed = meter.believed
        assert nothing is None
        assert believed is not None
        assert believed.seen_at is not None
        assert asked_at < believed.seen_at < asked_at + 1.5
        assert believed.normal == (reading.import_kwh or 0) * 10
        assert believed.reverse is None
        assert repr(home.meter.pan.mac) not in repr(believed)


async def test_another_meter_begins_with_nothing_that_was_believed_of_the_first() -> None:
    async with joined(load=ConstantLoad(900)) as (meter, home):
        await meter.read()
        home.air.pans.remove(home.meter.pan)
        other = Meter(
            home.air,
            Pan(mac=bytes.fromhex("001C6400AABBCCDD"), pan_id=0x7777),
            RELEASE_F,
            Registers(load=ConstantLoad(900), unit=0x02, digits=8),
            identity=ID,
            password=PASSWORD,
        )
        home.meter.paa.end_session()
        await asyncio.sleep(timedelta(minutes=10).total_seconds())
        await meter.joined()
        meter.held_back.clear()
        reading = await meter.read()
        answers = [answer for answer in other.answers if answer.esv == GET_RES and 0xE0 in answer.epcs]
        assert [answer.epcs for answer in answers] == [(0xE7, 0xE8, 0xE0, *SCALE), (0xE0, *SCALE, 0x9F)]
        assert reading.import_kwh == answers[-1].truth.import_kwh
        assert meter.held_back == {Doubt.FIRST: 1}
        other.close()
