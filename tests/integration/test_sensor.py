"""What the sensors show, and which of them there are."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorDeviceClass, SensorStateClass
from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_FRIENDLY_NAME, ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import (
    NORMAL_ONLY,
    OKINAWA,
    RELEASE_F,
    RELEASE_R,
    TWO_WIRE,
    ConstantLoad,
    HouseLoad,
    MeterModel,
    Registers,
    SimulatedHome,
)

from .world import TOKEN, Ports, has_value, sensor, sensor_id, truth, until, value

QUANTITIES = {
    "power": (0xE7, "power_w"),
    "current_r": (0xE8, "current_r_a"),
    "current_t": (0xE8, "current_t_a"),
    "import_energy": (0xE0, "import_kwh"),
    "export_energy": (0xE3, "export_kwh"),
}


def is_described(entry: BrouteConfigEntry) -> bool:
    """Tell whether all is over that follows a join."""
    coordinator = entry.runtime_data
    constants = coordinator.meter.constants
    if not coordinator.meter.is_described or constants is None or coordinator.data is None:
        return False
    return coordinator.data.export_kwh is not None or not constants.measures_export


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up and wait until it is known what meter this is."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: is_described(entry))
    await hass.async_block_till_done()


async def assert_true(hass: HomeAssistant, home: SimulatedHome, *keys: str) -> None:
    """Compare the states with what was true when the meter answered."""
    # An answer takes a moment from the meter to the state.
    await asyncio.sleep(1)
    for key in keys:
        epc, name = QUANTITIES[key]
        state = value(hass, key)
        assert state is not None
        assert state == str(getattr(truth(home, epc), name)), key


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2"])
@pytest.mark.parametrize("load", [HouseLoad(), ConstantLoad(-1234)], ids=["house", "export"])
async def test_states_are_what_the_meter_measured(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, module: str, load: HouseLoad | ConstantLoad
) -> None:
    home = ports.plug_in(module=module, load=load)
    await set_up(hass, entry)
    for _ in range(3):
        await assert_true(hass, home, *QUANTITIES)
        answers = len(home.meter.answers)
        await until(lambda known=answers: len(home.meter.answers) > known)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("unit", "coefficient", "digits", "shown"),
    [
        (0x00, 1, 6, "98765"),
        (0x01, 1, 6, "9876.5"),
        (0x03, 10, 8, "987.650"),
        (0x04, 1, 6, "9.8765"),
        (0x0B, 1, 5, "9876500"),
    ],
)
async def test_energy_is_exact_in_every_unit(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, *, unit: int, coefficient: int, digits: int, shown: str
) -> None:
    load = ConstantLoad(0)
    registers = Registers(
        load=load, unit=unit, coefficient=coefficient, digits=digits, initial_import=98765, initial_export=0
    )
    home = ports.plug_in(registers=registers)
    await set_up(hass, entry)
    assert value(hass, "import_energy") == shown
    await assert_true(hass, home, "import_energy", "export_energy")


async def test_meter_is_read_in_one_request_at_the_interval(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    wall_clock: Callable[[SimulatedHome], None],
) -> None:
    # Half hours and days are not asked for at the time of this machine.
    wall_clock(home)
    await set_up(hass, entry)
    # The clock is looked at in each session.
    await until(lambda: has_value(hass, "clock_drift"))
    home.meter.answers.clear()
    await until(lambda: len(home.meter.answers) == 4)
    assert {frozenset(answer.epcs) for answer in home.meter.answers} == {frozenset({0xE0, 0xE3, 0xE7, 0xE8})}
    times = [answer.at for answer in home.meter.answers]
    for earlier, later in pairwise(times):
        assert abs(later - earlier - timedelta(seconds=30)) < timedelta(seconds=3)


@pytest.mark.parametrize("model", [RELEASE_F, RELEASE_R, OKINAWA])
async def test_sensors_of_a_meter_that_measures_both_directions(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, model: MeterModel
) -> None:
    home = ports.plug_in(model=model)
    await set_up(hass, entry)
    await assert_true(hass, home, *QUANTITIES)


async def test_no_export_where_it_is_not_measured(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    home = ports.plug_in(model=NORMAL_ONLY)
    await set_up(hass, entry)
    assert sensor_id(hass, "export_energy") is None
    await assert_true(hass, home, "power", "current_r", "current_t", "import_energy")


async def test_second_current_only_when_it_has_a_value(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    home = ports.plug_in(model=TWO_WIRE)
    await set_up(hass, entry)
    answers = len(home.meter.answers)
    await until(lambda: len(home.meter.answers) > answers + 2)
    assert sensor_id(hass, "current_t") is None
    await assert_true(hass, home, "power", "current_r", "import_energy", "export_energy")

    home.meter.model = home.meter.object.model = replace(TWO_WIRE, two_wire=False)
    await until(lambda: has_value(hass, "current_t"))
    await assert_true(hass, home, "current_r", "current_t")


async def test_sensors_that_were_known_are_there_from_the_start(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for key in QUANTITIES:
        state = sensor(hass, key)
        assert state is not None
        assert state.state == "unavailable"
        assert not state.attributes.get("restored"), key
    await until(lambda: has_value(hass, "export_energy"))
    await until(lambda: has_value(hass, "current_t"))


@pytest.mark.parametrize("key", ["power", "current_r", "import_energy", "export_energy"])
async def test_value_that_the_meter_does_not_have_takes_no_other_down(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, key: str
) -> None:
    await set_up(hass, entry)
    epc, _ = QUANTITIES[key]
    affected = {other for other, quantity in QUANTITIES.items() if quantity[0] == epc}
    home.meter.object.no_data.add(epc)
    await until(lambda: value(hass, key) == "unknown")
    assert {other for other in QUANTITIES if not has_value(hass, other)} == affected
    await assert_true(hass, home, *(QUANTITIES.keys() - affected))

    home.meter.object.no_data.clear()
    await until(lambda: has_value(hass, key))


async def test_property_that_the_meter_refuses_takes_no_other_down(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.object.readable -= {0xE8}
    await until(lambda: value(hass, "current_r") == "unknown")
    assert value(hass, "current_t") == "unknown"
    for key in ("power", "import_energy", "export_energy"):
        assert has_value(hass, key)


@pytest.mark.parametrize(
    ("key", "device_class", "state_class", "unit", "precision", "name"),
    [
        ("power", SensorDeviceClass.POWER, SensorStateClass.MEASUREMENT, "W", 0, "Power"),
        ("current_r", SensorDeviceClass.CURRENT, SensorStateClass.MEASUREMENT, "A", 1, "Current R"),
        ("current_t", SensorDeviceClass.CURRENT, SensorStateClass.MEASUREMENT, "A", 1, "Current T"),
        ("import_energy", SensorDeviceClass.ENERGY, SensorStateClass.TOTAL_INCREASING, "kWh", 1, "Imported energy"),
        ("export_energy", SensorDeviceClass.ENERGY, SensorStateClass.TOTAL_INCREASING, "kWh", 1, "Exported energy"),
    ],
)
async def test_what_kind_of_value_it_is(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    *,
    key: str,
    device_class: str,
    state_class: str,
    unit: str,
    precision: int,
    name: str,
) -> None:
    await set_up(hass, entry)
    state = sensor(hass, key)
    assert state is not None
    assert state.attributes[ATTR_DEVICE_CLASS] == device_class
    assert state.attributes[ATTR_STATE_CLASS] == state_class
    assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == unit
    assert state.attributes[ATTR_FRIENDLY_NAME] == f"B-Route Smart Meter {name}"
    registered = er.async_get(hass).async_get(state.entity_id)
    assert registered is not None
    assert registered.unique_id == f"{TOKEN}_{key}"
    assert registered.options["sensor"]["suggested_display_precision"] == precision


async def test_meter_that_does_not_say_what_it_is_is_read_all_the_same_and_asked_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    read = home.meter.object.read
    home.meter.object.read = lambda epc: None if epc == 0x9F else read(epc)  # type: ignore[method-assign]
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    await asyncio.sleep(100)
    await assert_true(hass, home, "power", "import_energy")
    assert sensor_id(hass, "export_energy") is None
    home.meter.object.read = read  # type: ignore[method-assign]
    await until(lambda: has_value(hass, "export_energy"), 400)


async def test_meter_is_described_once_a_session(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    """The first reading of a meter without coefficient has to ask for its property map already."""
    home = ports.plug_in(model=OKINAWA)
    await set_up(hass, entry)
    # Twice more, because it is the first time ever: nothing of it is believed that was told once.
    assert sum(0x9F in answer.epcs for answer in home.meter.answers) == 1 + 2


async def test_names_in_japanese(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    hass.config.language = "ja"
    await set_up(hass, entry)
    names = {key: sensor(hass, key).attributes[ATTR_FRIENDLY_NAME] for key in QUANTITIES}  # type: ignore[union-attr]
    assert names == {
        "power": "Bルート スマートメーター 瞬時電力",
        "current_r": "Bルート スマートメーター 瞬時電流（R相）",
        "current_t": "Bルート スマートメーター 瞬時電流（T相）",
        "import_energy": "Bルート スマートメーター 積算電力量（正方向）",
        "export_energy": "Bルート スマートメーター 積算電力量（逆方向）",
    }


async def test_values_are_numbers_without_noise(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    for key in QUANTITIES:
        state = value(hass, key)
        assert state is not None
        exponent = Decimal(state).as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -1, key
