"""What the meter says of itself: its operation, a fault, where it is."""

import asyncio
from collections.abc import Callable

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import RETRY_S, STATUS_INTERVAL_S, BrouteConfigEntry
from simulator import ConstantLoad, SimulatedHome

from .world import Ports, has_value, sensor, set_up, shown, until, value

STATUS = frozenset({0x80, 0x81, 0x88})

every_entity_enabled = pytest.mark.usefixtures("every_entity_enabled")


def questions(home: SimulatedHome) -> int:
    """Return how often the meter was asked how it is."""
    return sum(set(answer.epcs) == STATUS for answer in home.meter.answers)


async def set_up_all(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up, and wait until the meter has said how it is."""
    await set_up(hass, entry)
    await until(lambda: has_value(hass, "operating"))


async def test_healthy_meter(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up_all(hass, entry)
    assert value(hass, "operating") == "on"
    assert value(hass, "fault") == "off"


async def test_fault_and_its_end_are_told_when_the_meter_announces_them(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    """Also while the reading is the same each time."""
    home = ports.plug_in(load=ConstantLoad(0))
    await set_up_all(hass, entry)
    fault, power = shown(hass, "fault"), shown(hass, "power")
    home.meter.fault = True
    await until(lambda: fault == ["on"], 90)
    home.meter.fault = False
    await until(lambda: fault == ["on", "off"], 90)
    assert "unavailable" not in power


async def test_end_of_operation_is_told(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up_all(hass, entry)
    home.meter.operating = False
    await until(lambda: value(hass, "operating") == "off", 90)
    assert value(hass, "fault") == "off"


async def test_fault_whose_announcement_got_lost_is_found_within_the_hour(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_all(hass, entry)
    home.meter.object.fault = True
    await until(lambda: value(hass, "fault") == "on", STATUS_INTERVAL_S + 120)


async def test_meter_is_asked_how_it_is_once_a_session_and_once_an_hour(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_all(hass, entry)
    await asyncio.sleep(60)
    assert questions(home) == 1
    await asyncio.sleep(3 * STATUS_INTERVAL_S)
    assert questions(home) == 4
    home.meter.paa.end_session()
    await until(lambda: questions(home) == 5, 120)
    await asyncio.sleep(600)
    assert questions(home) == 5


async def test_question_of_the_hour_is_no_new_session(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, wall_clock: Callable[[SimulatedHome], None]
) -> None:
    """In a new session the meter's clock is not believed before it was looked at."""
    wall_clock(home)
    await set_up_all(hass, entry)
    clock = entry.runtime_data.log.clock
    await until(lambda: clock.is_right)
    while questions(home) < 2:
        assert clock.is_right
        await asyncio.sleep(0.5)
    assert clock.is_right


async def test_question_that_could_not_be_asked_is_asked_soon(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_all(hass, entry)
    await asyncio.sleep(STATUS_INTERVAL_S - 60)
    home.module.radio.duty_limited = True
    await asyncio.sleep(260)
    assert questions(home) == 1
    home.module.radio.duty_limited = False
    await until(lambda: questions(home) == 2, RETRY_S + 60)


@every_entity_enabled
async def test_meter_that_does_not_say_how_it_is(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    read = home.meter.object.read
    home.meter.object.read = lambda epc: None if epc in STATUS else read(epc)  # type: ignore[method-assign]
    await set_up(hass, entry)
    await asyncio.sleep(120)
    assert value(hass, "operating") == value(hass, "fault") == "unknown"
    assert value(hass, "installation_location") == "unknown"
    assert has_value(hass, "power")


async def test_nothing_is_claimed_while_the_meter_is_not_reached(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_all(hass, entry)
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "power") == "unavailable")
    assert value(hass, "operating") == value(hass, "fault") == "unavailable"
    home.meter.pan.powered = True
    await until(lambda: value(hass, "fault") == "off", 600)


@every_entity_enabled
@pytest.mark.parametrize(
    ("location", "place", "number"),
    [
        (b"\x61", "garden", 1),
        (b"\x08", "living_room", 0),
        (b"\x7f", "other", 7),
        (b"\x00", "unknown", None),
        (b"\xff", "unknown", None),
        (b"\x01" + bytes(16), "unknown", None),
    ],
)
async def test_installation_location(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    *,
    location: bytes,
    place: str,
    number: int | None,
) -> None:
    home.meter.object.location = location
    await set_up_all(hass, entry)
    state = sensor(hass, "installation_location")
    assert state is not None
    assert state.state == place
    assert {name: state.attributes[name] for name in state.attributes if name == "number"} == (
        {} if number is None else {"number": number}
    )
