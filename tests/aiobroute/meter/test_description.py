"""What does not change in a meter: none of it is believed that was told once; a scale that changed is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from custom_components.broute.aiobroute import (
    Constants,
    CountersAt,
    Memory,
    MeterSilentError,
    NotJoinedError,
    PropertyError,
    SmartMeter,
)
from custom_components.broute.aiobroute.exceptions import ImplausibleValueError
from simulator import (
    OKINAWA,
    RELEASE_F,
    RELEASE_R,
    ConstantLoad,
    HouseLoad,
    MeterModel,
    Registers,
    SimulatedHome,
)

from .stage import Spoiler, client, days_ago, digit, joined, last_answer, requests, spoil, unchanged

pytestmark = pytest.mark.looptime(noop_cycles=0)

POLL = (0xE7, 0xE8, 0xE0, 0xE3)
SCALE = (0xD7, 0xE1, 0xD3)
DESCRIPTION = (0x82, 0x9D, 0x9E, 0x9F, 0x8A, 0x8D)
FIELDS = {
    0x82: "standard_version",
    0x9D: "announcement_map",
    0x9E: "set_map",
    0x9F: "get_map",
    0x8A: "manufacturer_code",
    0x8D: "serial_number",
}
SPOILERS: dict[int, Spoiler] = {
    0x82: digit(5, 0x1),
    0x9D: lambda _: bytes.fromhex("03808189"),
    0x9E: lambda _: bytes.fromhex("0281E5"),
    0x9F: digit(6, 0x4),
    0x8A: digit(5, 0x1),
    0x8D: digit(19, 0x1),
}
"""A changed digit that still makes a value of the same form."""


def field(constants: Constants, epc: int) -> Any:
    return getattr(constants, FIELDS[epc])


async def again(meter: SmartMeter, home: SimulatedHome) -> None:
    """End the session, and wait for the next one."""
    home.meter.paa.end_session()
    await asyncio.sleep(home.meter.paa.rejoin_pause_s + 60)
    await meter.joined()
    home.meter.answers.clear()


@asynccontextmanager
async def in_second_session(**home_options: Any) -> AsyncIterator[tuple[SmartMeter, SimulatedHome]]:
    """Give a client that knows its meter, in a new session."""
    async with joined(**home_options) as (meter, home):
        await meter.read()
        await meter.describe()
        await meter.read()
        await again(meter, home)
        meter.held_back.clear()
        yield meter, home


# What it costs.


async def test_the_first_time_all_is_told_twice_and_later_once_a_session() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.meter.answers.clear()
        await meter.describe()
        assert requests(home) == [DESCRIPTION] * 2
        await meter.read()
        described = [meter.is_described]
        await again(meter, home)
        described.append(meter.is_described)
        await meter.read()
        await meter.describe()
        await meter.read()
        described.append(meter.is_described)
        assert described == [True, False, True]
        assert requests(home) == [POLL, DESCRIPTION, SCALE, POLL]


async def test_a_meter_that_answers_few_properties_at_once_is_described_completely() -> None:
    async with joined(model=replace(RELEASE_F, max_opc=3)) as (meter, _):
        constants = await meter.describe()
        assert constants.serial_number == RELEASE_F.serial
        assert constants.get_map == RELEASE_F.readable
        assert constants.max_properties == 3


@pytest.mark.parametrize("model", [OKINAWA, RELEASE_R], ids=lambda model: model.name)
async def test_what_a_meter_does_not_have_is_known_to_be_missing(model: MeterModel) -> None:
    async with joined(model=model) as (meter, home):
        constants = await meter.describe()
        assert constants.get_map == model.readable
        assert constants.serial_number == (model.serial if 0x8D in model.readable else None)
        home.meter.answers.clear()
        await again(meter, home)
        assert await meter.describe() == constants
        assert len(requests(home)) == 2


# What is believed.


@pytest.mark.parametrize("epc", FIELDS)
async def test_what_was_spoilt_in_the_first_answer_is_not_believed(epc: int) -> None:
    async with joined() as (meter, home):
        right = await meter.describe()
        spoilt = spoil(home)
    async with joined() as (meter, home):
        spoilt = spoil(home)
        spoilt[epc].append(SPOILERS[epc])
        constants = await meter.describe()
        assert not spoilt[epc]
        assert constants == right
        assert requests(home) == [DESCRIPTION, DESCRIPTION, (epc,), SCALE, SCALE]


@pytest.mark.parametrize("epc", FIELDS)
async def test_what_was_spoilt_later_is_not_believed(epc: int) -> None:
    async with in_second_session() as (meter, home):
        right = meter.constants
        spoilt = spoil(home)
        spoilt[epc].append(SPOILERS[epc])
        assert await meter.describe() == right
        assert not spoilt[epc]
        assert requests(home) == [DESCRIPTION, (epc,), SCALE]


@pytest.mark.parametrize("epc", FIELDS)
async def test_what_is_told_twice_is_believed(epc: int) -> None:
    async with in_second_session() as (meter, home):
        right = meter.constants
        assert right is not None
        spoil(home)[epc].extend([SPOILERS[epc]] * 2)
        assert field(await meter.describe(), epc) not in (field(right, epc), None)


@pytest.mark.parametrize("epc", [0x82, 0x8A, 0x8D])
async def test_what_is_told_differently_each_time_stays_as_it_was(epc: int) -> None:
    def other(place: int) -> Spoiler:
        return lambda edt: edt[:2] + bytes((edt[2] ^ place,)) + edt[3:]

    async with joined() as (meter, home):
        spoil(home)[epc].extend(map(other, (1, 2, 4)))
        assert field(await meter.describe(), epc) is None
        await again(meter, home)
        right = await meter.describe()
        assert field(right, epc) is not None
        await again(meter, home)
        spoil(home)[epc].extend(map(other, (1, 2, 4)))
        assert await meter.describe() == right


@pytest.mark.parametrize("epc", [0x9D, 0x9E, 0x9F])
async def test_a_map_that_is_told_differently_each_time_is_an_error(epc: int) -> None:
    async with joined() as (meter, home):
        maps = [bytes((3, 0x80, 0x81, last)) for last in (0xE0, 0xE1, 0xE2)]
        spoil(home)[epc].extend([lambda _, edt=edt: edt for edt in maps])  # type: ignore[misc]
        with pytest.raises(ImplausibleValueError, match=f"{epc:02X}.*differently"):
            await meter.describe()
        assert meter.constants is None
        assert (await meter.describe()).get_map == RELEASE_F.readable


@pytest.mark.parametrize("epc", [0x9D, 0x9E])
async def test_a_meter_without_another_map_has_nothing_in_it(epc: int) -> None:
    async with joined() as (meter, home):
        read = home.meter.object.read
        missing = epc
        home.meter.object.read = lambda epc: None if epc == missing else read(epc)  # type: ignore[method-assign]
        assert field(await meter.describe(), epc) == frozenset()


async def test_a_meter_without_a_get_map_is_an_error() -> None:
    async with joined() as (meter, home):
        read = home.meter.object.read
        home.meter.object.read = lambda epc: None if epc == 0x9F else read(epc)  # type: ignore[method-assign]
        with pytest.raises(PropertyError, match="9F"):
            await meter.describe()


async def test_a_spoilt_serial_number_of_an_earlier_run_does_not_come_out() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            right = await meter.describe()
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(constants=right)) as meter:
            await meter.joined()
            spoil(home)[0x8D].append(SPOILERS[0x8D])
            assert await meter.describe() == right


# The scale.


CHANGES: list[dict[str, Any]] = [
    {"coefficient": 2},
    {"unit": 0x02, "digits": 8, "same_energy": True},
    {"unit": 0x00, "same_energy": True},
    {"digits": 5},
]


@pytest.mark.parametrize("is_described", [True, False])
@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
async def test_a_scale_that_changed_is_found_in_the_next_session(
    change: dict[str, Any], *, is_described: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """By the description, or else by the second reading."""
    async with joined(registers=Registers(load=ConstantLoad(900), digits=7)) as (meter, home):
        await meter.read()
        await meter.describe()
        await meter.read()
        home.meter.change_scale(**change)
        await again(meter, home)
        await meter.read()
        if is_described:
            await meter.describe()
        reading = await meter.read()
        assert meter.constants is not None
        registers = home.meter.registers
        assert meter.constants.scale.coefficient == registers.coefficient
        assert meter.constants.scale.effective_digits == registers.digits
        assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh is not None
        assert reading.export_kwh == last_answer(home, 0xE3).truth.export_kwh is not None
        assert not reading.errors
        assert caplog.text.count("counts otherwise") == 1


@pytest.mark.parametrize("unit", [0x00, 0x02])
async def test_a_counter_that_is_in_doubt_asks_for_the_scale_with_it(unit: int) -> None:
    async with joined(registers=Registers(load=ConstantLoad(900), digits=8)) as (meter, home):
        await meter.read()
        await meter.describe()
        await meter.read()
        home.meter.change_scale(unit=unit, same_energy=True)
        await again(meter, home)
        for _ in range(3):
            reading = await meter.read()
            assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh is not None
            assert reading.export_kwh == last_answer(home, 0xE3).truth.export_kwh is not None
        # The scale is told twice, and by what it is then all is read anew.
        assert requests(home) == [POLL, (0xE0, *SCALE), SCALE, POLL, (0xE3,), POLL, POLL]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_scale_that_is_told_differently_each_time_leaves_no_energy(number: int) -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        if number == 2:
            await meter.read()
        spoilt = spoil(home)
        if number == 1:
            spoilt[0xE0].append(digit(3, 1))
        spoilt[0xE1].extend([lambda _, code=code: bytes((code,)) for code in (2, 3, 4, 0)])  # type: ignore[misc]
        reading = await meter.read()
        assert (reading.import_kwh, reading.export_kwh) == (None, None)
        assert set(reading.errors) == {0xE0, 0xE3}
        assert reading.power_w == 900
        spoilt.clear()
        reading = await meter.read()
        assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh is not None


@pytest.mark.parametrize("epc", [0xE1, 0xD7, 0xD3])
async def test_a_scale_that_was_said_once_changes_nothing(epc: int, caplog: pytest.LogCaptureFixture) -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        right = meter.constants
        spoilt = spoil(home)
        spoilt[epc].append(lambda edt: (8).to_bytes(len(edt)) if epc != 0xE1 else b"\x02")
        # With a counter that is spoilt as well.
        spoilt[0xE0].append(digit(3, 1))
        reading = await meter.read()
        assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh is not None
        assert requests(home) == [POLL, (0xE0, *SCALE), SCALE]
        assert await meter.describe() == right
        assert "counts otherwise" not in caplog.text


async def test_a_scale_that_was_said_once_in_each_of_two_sessions_changes_nothing() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        right = meter.constants
        for _ in range(2):
            spoil(home)[0xE1].append(lambda _: b"\x02")
            assert await meter.describe() == right
            await again(meter, home)


async def test_a_counter_that_fell_in_a_session_whose_scale_is_known_is_asked_for_alone() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        await meter.describe()
        home.meter.answers.clear()
        spoil(home)[0xE0].append(digit(3, 1))
        await meter.read()
        assert requests(home) == [POLL, (0xE0,)]


async def test_what_makes_no_energy_does_not_ask_for_the_scale() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        spoil(home)[0xE7].append(digit(2, 1))
        await meter.read()
        assert requests(home) == [POLL, (0xE7, 0xE8)]


async def test_a_second_reading_verifies_the_scale_when_nobody_else_did() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        for _ in range(3):
            reading = await meter.read()
            assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh is not None
        assert [epc for epcs in requests(home) for epc in epcs] == [*POLL, *POLL, *SCALE, *POLL]


async def test_energies_go_on_while_the_scale_is_not_answered() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        spoil(home)[0xD7].extend([lambda _: None, unchanged])
        await meter.read()
        assert (await meter.read()).import_kwh is not None


async def test_a_half_hour_is_not_told_before_the_scale_is_verified() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):
        told: list[CountersAt] = []
        meter.on_half_hour(told.append)
        await meter.read()
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(1)
        assert not told
        assert await meter.read_half_hour() is None
        await meter.describe()
        assert await meter.read_half_hour() is not None
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(1)
        assert len(told) == 1


@pytest.mark.parametrize("what", ["history", "minutes"])
async def test_a_log_is_not_converted_by_a_scale_that_is_no_more(what: str) -> None:
    async with joined(model=RELEASE_R, load=ConstantLoad(900)) as (meter, home):

        async def read() -> list[CountersAt]:
            today = days_ago(home, 0)
            return await (meter.history(today) if what == "history" else meter.minutes(home.clock.now(), 1))

        await read()
        await again(meter, home)
        await read()
        assert requests(home).count(SCALE) == 1
        home.meter.change_scale(coefficient=3)
        await again(meter, home)
        with pytest.raises(NotJoinedError, match="counts otherwise"):
            await read()
        assert not [epcs for epcs in requests(home) if {0xE5, 0xEF} & set(epcs)]
        assert meter.constants is not None
        assert meter.constants.scale.coefficient == 3
        await read()


async def test_a_meter_that_is_silent_about_its_scale_keeps_its_readings() -> None:
    async with in_second_session(load=ConstantLoad(900)) as (meter, home):

        def silence() -> None:
            home.faults.meter_silent = True

        def silent_from_now_on(edt: bytes) -> bytes:
            asyncio.get_running_loop().call_later(1, silence)
            return edt

        spoilt = spoil(home)
        spoilt[0xE0].extend([digit(3, 1), silent_from_now_on])
        spoilt[0xE1].append(lambda _: b"\x02")
        reading = await meter.read()
        assert reading.power_w == 900
        assert (reading.import_kwh, reading.export_kwh) == (None, None)
        assert home.faults.meter_silent
        with pytest.raises((MeterSilentError, NotJoinedError)):
            await meter.read()


async def test_a_coefficient_that_is_refused_once_does_not_become_one(caplog: pytest.LogCaptureFixture) -> None:
    registers = Registers(load=HouseLoad(0), coefficient=20)
    async with in_second_session(registers=registers) as (meter, home):
        spoil(home)[0xD3].extend([lambda _: None] * 4)
        with pytest.raises(PropertyError):
            await meter.describe()
        assert (await meter.describe()).scale.coefficient == 20
        assert (await meter.read()).import_kwh == last_answer(home, 0xE0).truth.import_kwh
        assert "counts otherwise" not in caplog.text
