"""All devices and entities as Home Assistant has them, for three meters: what changes in them is seen in a review."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension  # type: ignore[import-untyped]
from syrupy.assertion import SnapshotAssertion

from custom_components.broute.const import CONF_SUN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import NORMAL_ONLY, RELEASE_R, TWO_WIRE, ConstantLoad, Registers, SimulatedHome

from .world import Ports, has_value, sensor, sensor_id, set_up, until

HOMES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "both directions, three wires": {},
        "no export, two wires": {
            "module": "BP35A1",
            "model": replace(TWO_WIRE, readable=NORMAL_ONLY.readable, settable=NORMAL_ONLY.settable),
        },
        "second generation, J11": {"module": "BP35C0-J11", "model": RELEASE_R},
    }
)
BY_THE_SECOND = {"clock_drift", "last_seen", "half_hour_energy", "demand", "demand_forecast"}
"""Their values depend on the second of a request."""


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return a snapshot without what Home Assistant makes up: ids and times."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture(params=HOMES)
async def home(
    request: pytest.FixtureRequest, ports: Ports, wall_clock: Callable[[SimulatedHome], None]
) -> SimulatedHome:
    """Return one of the homes, by whose clock Home Assistant goes."""
    registers = Registers(load=ConstantLoad(640), initial_import=123456, initial_export=7890)
    home = ports.plug_in(registers=registers, **HOMES[request.param])
    wall_clock(home)
    return home


@pytest.mark.usefixtures("home")
async def test_devices(hass: HomeAssistant, entry: BrouteConfigEntry, snapshot: SnapshotAssertion) -> None:
    await set_up(hass, entry)
    assert dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id) == snapshot


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("home", ["both directions, three wires"], indirect=True)
async def test_registered_entities(hass: HomeAssistant, entry: BrouteConfigEntry, snapshot: SnapshotAssertion) -> None:
    await set_up(hass, entry)
    for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        assert registered == snapshot(name=registered.entity_id)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("home", ["both directions, three wires"], indirect=True)
async def test_house_with_sun_and_battery(
    hass: HomeAssistant, entry: BrouteConfigEntry, snapshot: SnapshotAssertion
) -> None:
    sun = {"pv_power": ["sensor.pv"], "battery_power": ["sensor.battery"], "battery_sign": "charging"}
    hass.config_entries.async_update_entry(entry, options={CONF_SUN: sun})
    now = dt_util.utcnow().timestamp()
    hass.states.async_set("sensor.pv", "1.2", {"unit_of_measurement": "kW"}, timestamp=now)
    hass.states.async_set("sensor.battery", "300", {"unit_of_measurement": "W"}, timestamp=now)
    await set_up(hass, entry)
    registry = er.async_get(hass)
    for key in ("house_power", "self_consumption", "surplus"):
        registered = registry.async_get(sensor_id(hass, key) or "")
        assert registered == snapshot(name=f"{key}, registered")
        assert sensor(hass, key) == snapshot(name=key)


@pytest.mark.usefixtures("home", "every_entity_enabled")
async def test_states(hass: HomeAssistant, entry: BrouteConfigEntry, snapshot: SnapshotAssertion) -> None:
    await set_up(hass, entry)
    await until(lambda: has_value(hass, "operating") and has_value(hass, "fixed_import_energy"))
    await hass.async_block_till_done()
    for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        state = hass.states.get(registered.entity_id)
        assert state is not None
        if registered.translation_key in BY_THE_SECOND:
            attributes = {
                name: value
                for name, value in state.attributes.items()
                if name not in {"at", "counted_until", "readings"}
            }
            state = State(state.entity_id, "as it was then", attributes)
        assert state == snapshot(name=registered.entity_id)
