"""The power of the house with sun and battery: of the instant of a reading, and unknown without all that it needs."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
import logging
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL, EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.const import CONF_SUN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, ConstantLoad, Registers, SimulatedHome

from .world import SECTIONS, Ports, has_value, lines, sensor, sensor_id, set_up, until, value

KEYS = ("house_power", "self_consumption", "surplus")
PV, BATTERY = "sensor.inverter_power", "sensor.battery_power"
WITH_PV = {"pv_power": [PV]}
WITH_BATTERY = WITH_PV | {"battery_power": [BATTERY], "battery_sign": "discharging"}
NOON = datetime(2026, 11, 21, 12, tzinfo=JST)
NIGHT = datetime(2026, 11, 21, 21, tzinfo=JST)
GRID_W = 640


class Inverter:
    """Integrations for the inverter and the battery: what they write is of now, by the clock of the home."""

    def __init__(self, hass: HomeAssistant, home: SimulatedHome) -> None:
        self._hass = hass
        self._home = home

    def write(self, entity_id: str, state: object, unit: str = "W") -> None:
        """Write a state, new or the same again."""
        self._hass.states.async_set(
            entity_id,
            str(state),
            {"unit_of_measurement": unit, "device_class": "power", "state_class": "measurement"},
            timestamp=self._home.clock.now().timestamp(),
        )

    async def keep_writing(self, entity_id: str, state: object, lapse_s: float, every_s: float = 10) -> None:
        """Write the same state again and again for a time."""
        for _ in range(int(lapse_s / every_s)):
            self.write(entity_id, state)
            await asyncio.sleep(every_s)


@pytest.fixture
def start() -> datetime:
    """Return when everything begins."""
    return NOON


@pytest.fixture
async def load() -> ConstantLoad:
    """Return what is taken from the grid, until a test sets a step."""
    return ConstantLoad(GRID_W)


@pytest.fixture
async def home(
    hass: HomeAssistant,
    ports: Ports,
    wall_clock: Callable[[SimulatedHome], None],
    load: ConstantLoad,
    start: datetime,
) -> SimulatedHome:
    """Return a home in Tokyo, by whose clock Home Assistant goes."""
    home = ports.plug_in(registers=Registers(load=load), start=start)
    wall_clock(home)
    await hass.config.async_update(latitude=35.68, longitude=139.69, time_zone="Asia/Tokyo")
    return home


@pytest.fixture
async def inverter(hass: HomeAssistant, home: SimulatedHome) -> Inverter:
    return Inverter(hass, home)


async def set_up_with(
    hass: HomeAssistant, entry: BrouteConfigEntry, sun: Mapping[str, Any], interval_s: int = 10
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: interval_s, CONF_SUN: dict(sun)})
    await set_up(hass, entry)


def shown(hass: HomeAssistant) -> tuple[str | None, ...]:
    """Return what is shown of house, self-consumption and surplus."""
    return tuple(value(hass, key) for key in KEYS)


UNKNOWN = ("unknown",) * 3


async def test_what_becomes_of_the_power(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter, load: ConstantLoad
) -> None:
    load.step(NOON + timedelta(minutes=5), -1500)
    inverter.write(PV, 1000)
    inverter.write(BATTERY, 300)
    await set_up_with(hass, entry, WITH_BATTERY)
    assert shown(hass) == (str(GRID_W + 1300), "1000", "0")
    state = sensor(hass, "house_power")
    assert state
    assert state.attributes["unit_of_measurement"] == "W"
    assert state.attributes["state_class"] == "measurement"
    await asyncio.sleep((NOON + timedelta(minutes=5, seconds=20) - home.clock.now()).total_seconds())
    inverter.write(PV, 4)
    inverter.write(PV, 4, "kW")
    inverter.write(BATTERY, -2000)
    await until(lambda: shown(hass) == ("500", "2500", "3500"), 30)


async def test_battery_that_counts_charging(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(BATTERY, 400)
    await set_up_with(hass, entry, {"battery_power": [BATTERY], "battery_sign": "charging"})
    assert value(hass, "house_power") == str(GRID_W - 400)
    assert sensor_id(hass, "surplus") is None
    assert sensor_id(hass, "self_consumption") is None


async def test_several_sources_are_added_up(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    inverter.write("sensor.west", "0.5", "kW")
    await set_up_with(hass, entry, {"pv_power": [PV, "sensor.west"]})
    assert value(hass, "house_power") == str(GRID_W + 1500)
    # What one does not know makes nothing known.
    inverter.write("sensor.west", "unavailable")
    await until(lambda: shown(hass) == UNKNOWN, 30)


@pytest.mark.parametrize(
    ("state", "unit"),
    [
        *(("unavailable", "W"), ("unknown", "W"), ("sunny", "W"), ("inf", "W"), ("nan", "W"), ("", "W")),
        *(("1000", "kWh"), ("1000", "%"), ("-800", "W")),
    ],
)
async def test_what_is_no_power_is_not_known(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    inverter: Inverter,
    *,
    state: str,
    unit: str,
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    assert has_value(hass, "house_power")
    inverter.write(PV, state, unit)
    await until(lambda: shown(hass) == UNKNOWN, 30)
    # The meter is read as ever.
    assert value(hass, "power") == str(GRID_W)
    inverter.write(PV, 1000)
    await until(lambda: has_value(hass, "house_power"), 30)


async def test_source_that_is_not_there_yet(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    await set_up_with(hass, entry, WITH_PV)
    assert shown(hass) == UNKNOWN
    inverter.write(PV, 1000)
    await until(lambda: has_value(hass, "house_power"), 30)


async def test_what_is_impossible_is_not_known(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter, load: ConstantLoad
) -> None:
    """More is exported than there is: the sun has changed since it was reported, or it is no power of the sun."""
    load.step(NOON + timedelta(minutes=3), -2000)
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    await asyncio.sleep((NOON + timedelta(minutes=3, seconds=20) - home.clock.now()).total_seconds())
    inverter.write(PV, 1000)
    await until(lambda: shown(hass) == UNKNOWN, 30)
    # What the measurements may be off is no reason.
    inverter.write(PV, 1900)
    await until(lambda: shown(hass) == ("0", "0", "1900"), 30)


async def test_source_that_goes_silent_is_believed_for_a_while(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV | {"max_age": 60})
    await inverter.keep_writing(PV, 1000, 300)
    assert value(hass, "house_power") == str(GRID_W + 1000)
    # Since ten seconds.
    took_s = await until(lambda: shown(hass) == UNKNOWN, 120)
    assert 45 <= took_s <= 65
    # It may say the same as before.
    inverter.write(PV, 1000)
    await until(lambda: has_value(hass, "house_power"), 30)


async def test_report_of_before_the_start_counts_from_then(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await asyncio.sleep(121)
    await set_up_with(hass, entry, WITH_PV)
    assert shown(hass) == UNKNOWN


async def test_report_of_a_clock_that_was_set_back_since_counts(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    inverter: Inverter,
    wall_clock: Callable[..., None],
) -> None:
    inverter.write(PV, 1000)
    wall_clock(home, timedelta(minutes=-30))
    await set_up_with(hass, entry, WITH_PV)
    assert has_value(hass, "house_power")


@pytest.mark.parametrize("start", [NIGHT])
async def test_sun_that_is_down_has_nothing_to_report(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, -6)
    inverter.write(BATTERY, 0)
    await set_up_with(hass, entry, WITH_PV, interval_s=60)
    await asyncio.sleep(9 * 3600)
    assert shown(hass) == (str(GRID_W), "0", "0")
    # At sunrise, at 6:23, it has to say something again.
    await until(lambda: shown(hass) == UNKNOWN, 3600)
    assert abs(home.clock.now() - NIGHT - timedelta(hours=9, minutes=23)) < timedelta(minutes=5)


@pytest.mark.parametrize("start", [NIGHT])
async def test_battery_has_something_to_report_at_night(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 0)
    inverter.write(BATTERY, 0)
    await set_up_with(hass, entry, WITH_BATTERY)
    assert has_value(hass, "house_power")
    await until(lambda: shown(hass) == UNKNOWN, 180)


async def test_value_is_of_the_instant_of_the_reading(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    """Between two readings nothing changes."""
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV, interval_s=60)
    assert value(hass, "house_power") == str(GRID_W + 1000)
    inverter.write(PV, 3000)
    await asyncio.sleep(5)
    assert value(hass, "house_power") == str(GRID_W + 1000)
    await until(lambda: value(hass, "house_power") == str(GRID_W + 3000), 65)


async def test_late_answer_is_of_the_sun_of_then(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV | {"max_age": 600}, interval_s=60)
    await asyncio.sleep(70)
    statistics = entry.runtime_data.meter.statistics
    home.faults.late_answers.append(4)
    await until(lambda: not home.faults.late_answers, 65)
    # The meter has measured, and its answer is under way.
    answers = statistics.answers
    await asyncio.sleep(3.5)
    inverter.write(PV, 3000)
    assert statistics.answers == answers
    await until(lambda: statistics.answers > answers, 5)
    await asyncio.sleep(1)
    assert value(hass, "house_power") == str(GRID_W + 1000)
    await until(lambda: value(hass, "house_power") == str(GRID_W + 3000), 65)


async def test_values_go_on_though_the_readings_are_the_same(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    home.meter.object.no_data |= {0xE0, 0xE3}
    inverter.write(PV, 1000)
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 10, CONF_SUN: WITH_PV})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "house_power") == str(GRID_W + 1000))
    await inverter.keep_writing(PV, 1000, 100)
    inverter.write(PV, 2000)
    await until(lambda: value(hass, "house_power") == str(GRID_W + 2000), 30)


async def test_nothing_is_told_while_the_meter_is_not_reached(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    home.faults.meter_silent = True
    await inverter.keep_writing(PV, 1000, 200)
    assert shown(hass) == ("unavailable",) * 3


async def test_power_that_the_meter_does_not_tell(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    home.meter.object.no_data.add(0xE7)
    await until(lambda: shown(hass) == UNKNOWN, 60)


def register(hass: HomeAssistant, entity_id: str, **known: Any) -> er.RegistryEntry:
    """Register an entity of another integration."""
    return er.async_get(hass).async_get_or_create(
        "sensor", "other", entity_id, suggested_object_id=entity_id.removeprefix("sensor."), **known
    )


async def test_renamed_entity_is_followed(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    inverter: Inverter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registered = register(hass, PV)
    inverter.write(PV, 1000)
    inverter.write(BATTERY, 200)
    await set_up_with(hass, entry, WITH_BATTERY | {"pv_power": [registered.id]})
    assert value(hass, "house_power") == str(GRID_W + 1200)
    er.async_get(hass).async_update_entity(PV, new_entity_id="sensor.roof")
    hass.states.async_remove(PV)
    await until(lambda: shown(hass) == UNKNOWN, 30)
    inverter.write("sensor.roof", 1500)
    inverter.write(BATTERY, 200)
    await until(lambda: value(hass, "house_power") == str(GRID_W + 1700), 30)
    # Nobody follows what has the old name now.
    inverter.write(PV, 9000)
    await asyncio.sleep(30)
    assert value(hass, "house_power") == str(GRID_W + 1700)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_entity_that_was_renamed_meanwhile_is_found(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    registered = register(hass, PV)
    er.async_get(hass).async_update_entity(PV, new_entity_id="sensor.roof")
    inverter.write("sensor.roof", 1000)
    await set_up_with(hass, entry, {"pv_power": [registered.id]})
    assert value(hass, "house_power") == str(GRID_W + 1000)


async def test_removed_entity_makes_nothing_known_until_it_is_there_again(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    inverter: Inverter,
    debug_log: pytest.LogCaptureFixture,
) -> None:
    registered = register(hass, PV)
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, {"pv_power": [registered.id]})
    er.async_get(hass).async_remove(PV)
    await until(lambda: shown(hass) == UNKNOWN, 30)
    inverter.write(PV, 1000)
    await asyncio.sleep(30)
    assert shown(hass) == UNKNOWN
    hass.states.async_remove(PV)
    # Home Assistant gives it the same id as before.
    assert register(hass, PV).id == registered.id
    inverter.write(PV, 1000)
    await until(lambda: has_value(hass, "house_power"), 30)
    assert lines(debug_log) == []


async def test_unknown_id_of_an_entity_is_no_fault(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry, {"pv_power": ["0123456789abcdef0123456789abcdef"]})
    assert shown(hass) == UNKNOWN


async def test_restart(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter) -> None:
    listeners = hass.bus.async_listeners()
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    await hass.config_entries.async_unload(entry.entry_id)
    for event_type in (EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, er.EVENT_ENTITY_REGISTRY_UPDATED):
        assert hass.bus.async_listeners().get(event_type) == listeners.get(event_type)
    inverter.write(PV, 1200)
    await set_up(hass, entry)
    assert value(hass, "house_power") == str(GRID_W + 1200)


async def test_what_is_named_no_more_is_removed(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    inverter.write(PV, 1000)
    await set_up_with(hass, entry, WITH_PV)
    assert sensor_id(hass, "house_power")
    await hass.config_entries.async_unload(entry.entry_id)
    await set_up_with(hass, entry, {})
    assert [sensor_id(hass, key) for key in KEYS] == [None] * 3


# The form.


@pytest.mark.usefixtures("home")
async def test_sources_are_chosen_and_shown_again(
    hass: HomeAssistant, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    registered = register(hass, PV)
    inverter.write(PV, 1000)
    inverter.write(BATTERY, 100)
    await set_up(hass, entry)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    step = await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_SUN: WITH_BATTERY})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options[CONF_SUN] == WITH_BATTERY | {"pv_power": [registered.id], "max_age": 120}
    assert isinstance(entry.options[CONF_SUN]["max_age"], int)
    await until(lambda: has_value(hass, "surplus"))

    er.async_get(hass).async_update_entity(PV, new_entity_id="sensor.roof")
    step = await hass.config_entries.options.async_init(entry.entry_id)
    assert step["data_schema"] is not None
    fields = step["data_schema"].schema[CONF_SUN].schema.schema
    suggested = {str(field): field.description["suggested_value"] for field in fields if field.description}
    assert suggested == WITH_BATTERY | {"pv_power": ["sensor.roof"], "max_age": 120}
    hass.config_entries.options.async_abort(step["flow_id"])

    # One that is there no more is not shown as something that nobody can read.
    er.async_get(hass).async_remove("sensor.roof")
    step = await hass.config_entries.options.async_init(entry.entry_id)
    assert step["data_schema"] is not None
    fields = step["data_schema"].schema[CONF_SUN].schema.schema
    suggested = {str(field): field.description["suggested_value"] for field in fields if field.description}
    assert suggested["pv_power"] == []


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"battery_sign": "charging"}, "battery_sign_alone"),
        ({"battery_power": [BATTERY]}, "battery_sign_missing"),
        (WITH_PV | {"battery_power": [PV], "battery_sign": "charging"}, "source_named_twice"),
        ({"pv_energy": ["sensor.pv_energy"], "battery_charged": ["sensor.charged"]}, "battery_counter_missing"),
        ({"pv_energy": ["sensor.mean"]}, "source_without_statistics"),
        ({"pv_energy": ["sensor.nowhere"]}, "source_without_statistics"),
        ({"pv_power": ["sensor.b_route_smart_meter_power"]}, "source_is_own"),
    ],
)
@pytest.mark.usefixtures("home")
async def test_form_says_what_makes_no_sense_and_keeps_what_was_typed(
    hass: HomeAssistant, entry: BrouteConfigEntry, inverter: Inverter, typed: dict[str, Any], error: str
) -> None:
    register(hass, BATTERY)
    for name in ("pv_energy", "charged"):
        hass.states.async_set(f"sensor.{name}", "1", {"state_class": "total_increasing", "device_class": "energy"})
    hass.states.async_set("sensor.mean", "1", {"device_class": "energy"})
    await set_up(hass, entry)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    step = await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_SUN: typed})
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {"base": error}
    assert step["data_schema"] is not None
    form = step["data_schema"].schema
    assert {name for name in SECTIONS if not form[name].options["collapsed"]} == {CONF_SUN}
    fields = form[CONF_SUN].schema.schema
    suggested = {str(field): field.description["suggested_value"] for field in fields if field.description}
    assert suggested == typed | {"max_age": 120}
    # And what makes sense is taken then.
    step = await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_SUN: WITH_PV})
    assert step["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("home")
async def test_registered_entity_need_not_be_there_to_be_chosen(
    hass: HomeAssistant, entry: BrouteConfigEntry, inverter: Inverter
) -> None:
    """Its integration may be down just now."""
    registered = register(hass, "sensor.pv_energy", capabilities={"state_class": "total"})
    await set_up(hass, entry)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    step = await hass.config_entries.options.async_configure(
        step["flow_id"], SECTIONS | {CONF_SUN: {"pv_energy": ["sensor.pv_energy"]}}
    )
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options[CONF_SUN]["pv_energy"] == [registered.id]


@pytest.mark.parametrize(
    "typed",
    [
        {"max_age": 9},
        {"max_age": 86401},
        {"battery_sign": "both"},
        {"pv_power": ["light.kitchen"]},
        {"pv_power": "no entity"},
    ],
)
@pytest.mark.usefixtures("home")
async def test_what_is_no_source_at_all_is_refused(
    hass: HomeAssistant, entry: BrouteConfigEntry, typed: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_SUN: typed})
    hass.config_entries.options.async_abort(step["flow_id"])
