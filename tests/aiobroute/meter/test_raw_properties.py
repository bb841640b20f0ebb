"""Any properties as the meter gave them."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.broute.aiobroute import (
    JST,
    MAX_RAW_PROPERTIES,
    InstallationLocation,
    NotJoinedError,
    Place,
    RawProperty,
    SmartMeter,
)
from custom_components.broute.aiobroute.echonet import smart_meter
from custom_components.broute.aiobroute.echonet.smart_meter import Currents, DayHistory, IntervalHistory
from simulator import OKINAWA, RELEASE_R, ConstantLoad

from .stage import joined, requests, spoil

pytestmark = pytest.mark.looptime(noop_cycles=0)

PRIVATE = {0x83, 0x86, 0x8D, 0xC0}


async def read(meter: SmartMeter, epc: int) -> RawProperty:
    (prop,) = await meter.read_properties([epc])
    return prop


async def test_known_properties_are_decoded_beside_their_data() -> None:
    async with joined(load=ConstantLoad(600)) as (meter, _):
        power, currents, place = await meter.read_properties([0xE7, 0xE8, 0x81])
        assert power == RawProperty(
            epc=0xE7,
            edt=bytes.fromhex("00000258"),
            name="instantaneous power",
            value=600,
            error=None,
            is_private=False,
        )
        assert currents.value == Currents(Decimal("3.6"), Decimal("2.4"))
        assert place.value == InstallationLocation(Place.GARDEN, 1, b"\x61")


async def test_everything_that_a_meter_has_can_be_read_and_is_given_in_the_order_asked() -> None:
    async with joined(model=RELEASE_R) as (meter, home):
        epcs = sorted(home.meter.object.readable, reverse=True)
        read_now = await meter.read_properties(epcs)
        assert [prop.epc for prop in read_now] == epcs
        assert {prop.epc for prop in read_now if prop.is_private} == PRIVATE
        for prop in read_now:
            assert prop.edt
            assert prop.error is None
            assert prop.name == smart_meter.PROPERTIES[prop.epc].name
            assert prop.value is not None or prop.epc == 0xE5


async def test_histories_are_decoded_and_asked_for_one_by_one() -> None:
    async with joined() as (meter, home):
        await meter.history((home.clock.now() - timedelta(days=1)).date())
        home.meter.answers.clear()
        day, steps, power, chosen = await meter.read_properties([0xE2, 0xEC, 0xE7, 0xE5])
        assert requests(home) == [(0xE7, 0xE5), (0xE2,), (0xEC,)]
        assert isinstance(day.value, DayHistory)
        assert (day.value.day, chosen.value) == (1, 1)
        assert day.value.counters[0] is not None
        assert isinstance(steps.value, IntervalHistory)
        assert power.value == home.meter.answers[0].truth.power_w


async def test_the_other_history_choices_are_decoded() -> None:
    async with joined(model=RELEASE_R) as (meter, home):
        await meter.describe()
        await meter.read()
        at = home.clock.now().astimezone(JST).replace(second=0, microsecond=0) - timedelta(minutes=1)
        await meter.minutes(at, 3)
        chosen, minutes = await meter.read_properties([0xEF, 0xEE])
        assert chosen.value == smart_meter.IntervalChoice(at, 3)
        assert isinstance(minutes.value, IntervalHistory)
        assert minutes.value.at == datetime.fromisoformat(at.isoformat())
        assert len(minutes.value.counters) == 3


async def test_what_the_meter_does_not_give_is_told() -> None:
    async with joined(model=OKINAWA) as (meter, _):
        known, unknown = await meter.read_properties([0x8D, 0xF3])
    assert (known.edt, known.value, known.name) == (None, None, "production number")
    assert known.error == "8D (production number): the meter does not give it"
    assert (unknown.edt, unknown.value, unknown.name) == (None, None, None)
    assert unknown.error == "F3: the meter does not give it"


async def test_data_in_no_known_form_are_given_with_what_is_wrong() -> None:
    async with joined() as (meter, home):
        spoil(home)[0x88].append(lambda _: b"\x40")
        prop = await read(meter, 0x88)
    assert (prop.edt, prop.value) == (b"\x40", None)
    assert prop.error == "88 (fault status): the code 40 has no meaning"


async def test_data_of_a_property_that_nobody_knows_are_given_and_private() -> None:
    async with joined() as (meter, home):
        home.meter.object.readable |= {0xF3}
        values = home.meter.object._values
        home.meter.object._values = lambda: values() | {0xF3: lambda: b"\x01\x02"}  # type: ignore[method-assign]
        assert await read(meter, 0xF3) == RawProperty(
            epc=0xF3, edt=b"\x01\x02", name=None, value=None, error=None, is_private=True
        )


async def test_a_place_is_private_where_it_is_a_position() -> None:
    async with joined() as (meter, home):
        assert not (await read(meter, 0x81)).is_private
        home.meter.object.location = b"\x01" + 16 * b"7"
        assert (await read(meter, 0x81)).is_private


async def test_no_data_are_no_error() -> None:
    async with joined() as (meter, home):
        home.meter.object.no_data.add(0xE7)
        prop = await read(meter, 0xE7)
    assert (prop.value, prop.error) == (None, None)


async def test_what_is_private_is_not_shown() -> None:
    async with joined(model=RELEASE_R) as (meter, home):
        shown = repr(await meter.read_properties(sorted(PRIVATE)))
        for secret in (home.meter.model.serial, home.meter.pan.mac.hex()):
            assert secret.upper() not in shown.upper()
        assert home.meter.model.serial.encode().hex() not in shown


@pytest.mark.parametrize("epcs", [[], range(0x80, 0x80 + MAX_RAW_PROPERTIES + 1), [0x7F], [0xE7, 0x100]])
async def test_neither_none_nor_too_many_nor_what_is_no_property_are_asked_for(epcs: list[int]) -> None:
    async with joined() as (meter, home):
        home.meter.answers.clear()
        with pytest.raises(ValueError, match="propert"):
            await meter.read_properties(epcs)
        await asyncio.sleep(10)
        assert requests(home) == []


async def test_what_is_asked_for_twice_is_read_once() -> None:
    async with joined() as (meter, home):
        home.meter.answers.clear()
        assert len(await meter.read_properties([0x80, 0x88, 0x80])) == 2
        assert requests(home) == [(0x80, 0x88)]


async def test_a_reading_goes_before() -> None:
    async with joined() as (meter, _):
        await meter.describe()
        raw = asyncio.create_task(meter.read_properties([0x80, 0xE2]))
        await asyncio.sleep(0)
        await meter.read()
        assert not raw.done()
        await raw


async def test_without_a_session_there_are_none() -> None:
    async with joined() as (meter, home):
        home.meter.paa.end_session()
        await asyncio.sleep(0.1)
        with pytest.raises(NotJoinedError):
            await meter.read_properties([0x80])
