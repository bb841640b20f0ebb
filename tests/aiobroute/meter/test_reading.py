"""What a reading says equals what the meter measured, or is not said at all."""

import asyncio
from datetime import timedelta
from decimal import Decimal
import json

import pytest

from custom_components.broute.aiobroute import Constants, CountersAt, Memory, PropertyError, Reading
from simulator import (
    NORMAL_ONLY,
    OKINAWA,
    RELEASE_F,
    RELEASE_R,
    TWO_WIRE,
    UNIT_KWH,
    ConstantLoad,
    HouseLoad,
    MeterModel,
    Registers,
    SimulatedHome,
    Truth,
)

from .stage import Spoiler, client, joined, last_answer, requests, spoil

pytestmark = pytest.mark.looptime(noop_cycles=0)


def assert_true(reading: Reading, truth: Truth) -> None:
    assert reading.power_w == truth.power_w
    assert reading.current_r_a == truth.current_r_a
    assert reading.current_t_a == truth.current_t_a
    assert reading.import_kwh == truth.import_kwh
    assert reading.export_kwh in (truth.export_kwh, None)
    assert not reading.errors


async def test_the_first_reading_asks_twice_for_what_makes_the_energy() -> None:
    async with joined() as (meter, home):
        reading = await meter.read()
        assert_true(reading, last_answer(home).truth)
        assert reading.import_kwh is not None
        assert requests(home) == [(0xE7, 0xE8, 0xE0, 0xD7, 0xE1, 0xD3), (0xE0, 0xD7, 0xE1, 0xD3, 0x9F)]
        await meter.read()
        assert requests(home)[2:] == [(0xE7, 0xE8, 0xE0)]


async def test_a_poll_is_one_request_with_the_export_where_the_map_has_it() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        reading = await meter.read()
        assert requests(home)[-1] == (0xE7, 0xE8, 0xE0, 0xE3)
        assert reading.export_kwh == last_answer(home).truth.export_kwh is not None


async def test_a_meter_that_does_not_measure_export_is_not_asked_for_it() -> None:
    async with joined(model=NORMAL_ONLY) as (meter, home):
        await meter.describe()
        await meter.read()
        reading = await meter.read()
        assert requests(home)[-1] == (0xE7, 0xE8, 0xE0)
        assert reading.export_kwh is None
        assert not reading.errors


@pytest.mark.parametrize("unit", UNIT_KWH)
async def test_energy_is_exact_in_each_unit(unit: int) -> None:
    registers = Registers(load=HouseLoad(3), unit=unit, digits=8, coefficient=7)
    async with joined(registers=registers) as (meter, home):
        reading = await meter.read()
        assert reading.import_kwh == last_answer(home, 0xE0).truth.import_kwh
        assert meter.constants is None
        assert (await meter.describe()).scale.unit_kwh == UNIT_KWH[unit]


@pytest.mark.parametrize("model", [OKINAWA, RELEASE_R, TWO_WIRE, NORMAL_ONLY], ids=lambda model: model.name)
async def test_each_model_is_read_as_it_is(model: MeterModel) -> None:
    async with joined(model=model) as (meter, home):
        for _ in range(3):
            reading = await meter.read()
            assert_true(reading, next(a.truth for a in reversed(home.meter.answers) if 0xE7 in a.epcs))
            assert reading.import_kwh is not None
            assert (reading.current_t_a is None) == model.two_wire


async def test_power_below_zero_is_export() -> None:
    async with joined(load=ConstantLoad(-1200)) as (meter, _):
        reading = await meter.read()
        assert reading.power_w == -1200
        assert reading.current_r_a is not None
        assert reading.current_r_a < 0


async def test_there_is_no_energy_before_the_coefficient_is_proved_to_be_absent() -> None:
    """A refused D3 in an answer of several properties may only mean that they were too many: the map decides."""
    async with joined(model=OKINAWA) as (meter, home):
        reading = await meter.read()
        assert [epcs for epcs in requests(home) if 0x9F in epcs]
        assert reading.import_kwh == home.meter.answers[0].truth.import_kwh
        assert (await meter.describe()).scale.coefficient == 1


async def test_a_coefficient_of_zero_counts_as_one() -> None:
    with SimulatedHome() as home:
        read = home.meter.object.read
        home.meter.object.read = lambda epc: bytes(4) if epc == 0xD3 else read(epc)  # type: ignore[method-assign]
        async with client(home) as meter:
            await meter.joined()
            assert (await meter.read()).import_kwh == last_answer(home).truth.import_kwh != 0


@pytest.mark.parametrize(
    ("epc", "edt", "lost"),
    [
        (0xE7, b"\x7f\xff\xff\xff", {"power_w"}),
        (0xE7, b"\x80\x00\x00\x00", {"power_w"}),
        (0xE7, b"\x00\x01", {"power_w"}),
        (0xE8, b"\x7f\xff\x00\x10", {"current_r_a", "current_t_a"}),
        (0xE0, b"\xff\xff\xff\xff", {"import_kwh"}),
        (0xE0, (10**6).to_bytes(4), {"import_kwh"}),
        (0xE1, b"\x05", {"import_kwh"}),
        (0xD7, b"\x09", {"import_kwh"}),
    ],
)
async def test_what_cannot_be_read_is_no_value_and_takes_nothing_else_down(
    epc: int, edt: bytes, lost: set[str]
) -> None:
    with SimulatedHome() as home:
        read, wrong = home.meter.object.read, epc
        home.meter.object.read = lambda epc: edt if epc == wrong else read(epc)  # type: ignore[method-assign]
        async with client(home) as meter:
            await meter.joined()
            reading = await meter.read()
            truth = last_answer(home).truth
            for name in ("power_w", "current_r_a", "current_t_a", "import_kwh"):
                assert getattr(reading, name) == (None if name in lost else getattr(truth, name))
            assert all(isinstance(err, PropertyError) for err in reading.errors.values())
            assert reading.errors


async def test_no_data_is_none_and_no_error() -> None:
    async with joined() as (meter, home):
        home.meter.object.no_data |= {0xE0, 0xE7, 0xE8}
        reading = await meter.read()
        assert (reading.power_w, reading.current_r_a, reading.current_t_a, reading.import_kwh) == (None,) * 4
        assert not reading.errors


async def test_constants_survive_json_and_spare_the_first_requests() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            constants = await meter.describe()
            await meter.read()
            network, believed = meter.network, meter.believed
        stored = Constants.from_dict(json.loads(json.dumps(constants.as_dict())))
        assert stored == constants
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        home.meter.answers.clear()
        async with client(home, memory=Memory(network=network, constants=stored, believed=believed)) as meter:
            await meter.joined()
            reading = await meter.read()
            assert requests(home) == [(0xE7, 0xE8, 0xE0, 0xE3)]
            assert reading.export_kwh == last_answer(home).truth.export_kwh
            assert await meter.describe() == constants
            assert {0xD7, 0xE1, 0xD3} <= {epc for epcs in requests(home) for epc in epcs}


async def test_remembered_constants_are_verified_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with SimulatedHome(registers=Registers(load=HouseLoad(0), unit=0x02, digits=8)) as home:
        async with client(home) as meter:
            await meter.joined()
            right = await meter.describe()
        wrong = right.as_dict() | {"unit_kwh": "0.1"}
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(constants=Constants.from_dict(wrong))) as meter:
            await meter.joined()
            assert await meter.describe() == right
            assert (await meter.read()).import_kwh == last_answer(home).truth.import_kwh
            assert "counts otherwise" in caplog.text


async def test_constants_of_another_meter_are_not_used() -> None:
    with SimulatedHome(registers=Registers(load=HouseLoad(0), unit=0x02, digits=8)) as home:
        async with client(home) as meter:
            await meter.joined()
            wrong = (await meter.describe()).as_dict() | {"unit_kwh": "0.1", "mac": "0011223344556677"}
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(constants=Constants.from_dict(wrong))) as meter:
            await meter.joined()
            assert meter.constants is None
            assert (await meter.read()).import_kwh == last_answer(home).truth.import_kwh


async def test_the_description_says_what_the_meter_is() -> None:
    async with joined(model=RELEASE_R) as (meter, _):
        constants = await meter.describe()
        assert constants.get_map == RELEASE_R.readable
        assert constants.set_map == RELEASE_R.settable
        assert constants.announcement_map == RELEASE_R.announced
        assert constants.manufacturer_code == 0x16
        assert constants.serial_number == RELEASE_R.serial
        assert constants.standard_version == "R"
        assert constants.measures_export
        assert RELEASE_R.serial not in repr(constants)


async def test_the_half_hour_comes_by_itself_and_by_its_own_time_stamp() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        half_hours: list[CountersAt] = []
        unsubscribe = meter.on_half_hour(half_hours.append)
        await asyncio.sleep(3600)
        unsubscribe()
        await asyncio.sleep(1800)
        assert [half_hour.at.minute for half_hour in half_hours] == [30, 0]
        for half_hour in half_hours:
            truth = home.truth(half_hour.at)
            assert half_hour.import_kwh == truth.fixed_import_kwh
            assert half_hour.export_kwh == truth.fixed_export_kwh


async def test_a_half_hour_that_goes_with_nothing_that_was_read_is_dropped() -> None:
    async with joined() as (meter, home):
        half_hours: list[CountersAt] = []
        meter.on_half_hour(half_hours.append)
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(1)
        assert not half_hours
        await meter.describe()
        await meter.read()
        notify = home.meter.object.notify
        fixed = notify(0xEA)
        assert fixed is not None
        for wrong in (fixed[:-3] + b"\x01\x02\x03", fixed[:5] + b"\x11" + fixed[6:]):
            home.meter.object.notify = lambda epc, wrong=wrong: wrong if epc == 0xEA else notify(epc)  # type: ignore[method-assign,misc]
            home.meter.notices.announce(0xEA, 0xEB)
            await asyncio.sleep(1)
            assert not half_hours
        home.meter.object.notify = notify  # type: ignore[method-assign]
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(1)
        assert len(half_hours) == 1


@pytest.mark.parametrize("model", [RELEASE_F, NORMAL_ONLY], ids=lambda model: model.name)
async def test_the_last_half_hour_can_be_asked_for(model: MeterModel) -> None:
    async with joined(model=model) as (meter, home):
        await meter.describe()
        assert await meter.read_half_hour() is None
        await meter.read()
        home.meter.answers.clear()
        half_hour = await meter.read_half_hour()
        truth = home.truth()
        assert half_hour == CountersAt(
            at=truth.fixed_time, import_kwh=truth.fixed_import_kwh, export_kwh=truth.fixed_export_kwh
        )
        assert requests(home) == [(0xEA, 0xEB) if model is RELEASE_F else (0xEA,)]


@pytest.mark.parametrize(
    "change",
    [
        lambda edt: edt[:5] + b"\x11" + edt[6:],
        lambda edt: edt[:6] + b"\x01" + edt[7:],
        lambda edt: edt[:-3] + b"\x01\x02\x03",
        lambda edt: edt[:4] + b"\x11" + edt[5:],
        lambda edt: edt[:3] + b"\x14" + edt[4:],
        lambda edt: edt[:3] + b"\x16" + edt[4:],
        lambda _: b"\xff" * 7 + b"\xff\xff\xff\xfe",
        lambda _: None,
    ],
    ids=["minute", "second", "counter", "an hour before", "a day before", "a day after", "none yet", "refused"],
)
async def test_a_half_hour_that_goes_with_nothing_that_is_known_is_none(change: Spoiler) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        await meter.read_clock()
        spoil(home)[0xEA].extend([change] * 2)
        assert await meter.read_half_hour() is None


async def test_a_half_hour_keeps_its_import_when_its_export_goes_with_nothing() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        for change in (lambda edt: edt[:-3] + b"\x01\x02\x03", lambda edt: edt[:4] + b"\x11" + edt[5:]):
            spoil(home)[0xEB].append(change)
            half_hour = await meter.read_half_hour()
            assert half_hour is not None
            assert (half_hour.import_kwh, half_hour.export_kwh) == (home.truth().fixed_import_kwh, None)


async def test_the_strength_of_the_signal_is_that_of_the_last_datagram_where_the_module_tells() -> None:
    async with joined(module="BP35C2") as (meter, home):
        assert meter.rssi_dbm == pytest.approx(0.275 * home.meter.pan.lqi - 104.27, abs=0.06)
        assert meter.lqi == home.meter.pan.lqi
        home.meter.pan.lqi = 0x80
        await meter.read()
        assert (meter.rssi_dbm, meter.lqi) == (-69.1, 0x80)


async def test_the_strength_of_the_signal_is_that_of_the_search_where_the_module_tells_no_other() -> None:
    async with joined(module="BP35A1") as (meter, home):
        lqi = home.meter.pan.lqi
        home.meter.pan.lqi = 0x80
        await meter.read()
        assert meter.lqi == lqi
        assert meter.rssi_dbm == pytest.approx(0.275 * lqi - 104.27, abs=0.06)


async def test_a_j11_module_tells_dbm_and_no_link_quality() -> None:
    async with joined(module="BP35C0-J11") as (meter, _):
        await meter.read()
        assert meter.rssi_dbm is not None
        assert meter.lqi is None


async def test_the_power_alone_is_not_worth_a_whole_reading_of_tomorrow() -> None:
    """Readings far apart in time are each the truth of their own instant."""
    async with joined() as (meter, home):
        first = await meter.read()
        await asyncio.sleep(timedelta(hours=5).total_seconds())
        second = await meter.read()
        assert_true(second, last_answer(home).truth)
        assert first.import_kwh is not None
        assert second.import_kwh is not None
        assert Decimal(0) <= second.import_kwh - first.import_kwh < 100


async def test_a_meter_whose_description_stays_unanswered_is_read_all_the_same() -> None:
    async with joined(model=OKINAWA) as (meter, home):
        read = home.meter.object.read
        home.meter.object.read = lambda epc: None if epc == 0x9F else read(epc)  # type: ignore[method-assign]
        reading = await meter.read()
        truth = home.meter.answers[0].truth
        assert (reading.power_w, reading.current_r_a) == (truth.power_w, truth.current_r_a)
        assert reading.import_kwh is None
        assert 0xE0 in reading.errors
