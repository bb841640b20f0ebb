"""The limit of the supply: what the options ask for, what is shown of it, and when it is exceeded."""

import asyncio
from collections.abc import Mapping
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.const import CONF_CONTRACT
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import TWO_WIRE, ScriptedLoad, SimulatedHome

from .world import SECTIONS, Ports, has_value, sensor, sensor_id, set_up, shown, until, value

AMPERES = {"limit": "amperes", "amperes": 40}
BREAKER = {"limit": "main_breaker", "amperes": 30}


async def set_up_with(
    hass: HomeAssistant, entry: BrouteConfigEntry, contract: Mapping[str, Any], **options: Any
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_CONTRACT: dict(contract), **options})
    await set_up(hass, entry)


@pytest.fixture
def load() -> ScriptedLoad:
    """Return what the house takes: 2 kW, 12 A of them in R and 8 A in T."""
    return ScriptedLoad(2000)


@pytest.fixture
async def home(ports: Ports, load: ScriptedLoad) -> SimulatedHome:
    """Return a home that takes it."""
    return ports.plug_in(load=load)


@pytest.mark.parametrize(
    ("contract", "usage", "headroom"),
    [
        (AMPERES, "50.0", "20.0"),
        (BREAKER, "40.0", "18.0"),
        ({"limit": "capacity", "kva": 6}, "40.0", "18.0"),
        (BREAKER | {"counting": "sum"}, "66.6", "10.0"),
    ],
)
@pytest.mark.usefixtures("home")
async def test_what_is_used_of_the_limit(
    hass: HomeAssistant, entry: BrouteConfigEntry, *, contract: Mapping[str, Any], usage: str, headroom: str
) -> None:
    await set_up_with(hass, entry, contract)
    assert value(hass, "contract_usage") == usage
    assert value(hass, "headroom") == headroom
    assert value(hass, "over_contract") == "off"
    state = sensor(hass, "contract_usage")
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "%"


@pytest.mark.usefixtures("home")
async def test_nothing_of_it_where_nothing_limits_the_supply(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    assert {sensor_id(hass, key) for key in ("contract_usage", "headroom", "over_contract")} == {None}


@pytest.mark.usefixtures("home")
async def test_what_is_set_no_more_is_removed(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await set_up_with(hass, entry, AMPERES)
    assert sensor_id(hass, "over_contract")
    await hass.config_entries.async_unload(entry.entry_id)
    await set_up_with(hass, entry, {"limit": "none"})
    assert {sensor_id(hass, key) for key in ("contract_usage", "headroom", "over_contract")} == {None}
    assert len(er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)) > 5


async def test_current_that_is_missing_is_no_room(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry, AMPERES)
    home.meter.object.no_data.add(0xE8)
    await until(lambda: value(hass, "headroom") == "unknown")
    assert value(hass, "contract_usage") == value(hass, "over_contract") == "unknown"
    home.meter.object.no_data.clear()
    await until(lambda: has_value(hass, "headroom"))
    assert value(hass, "over_contract") == "off"


async def test_two_wires(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, load: ScriptedLoad) -> None:
    ports.plug_in(load=load, model=TWO_WIRE)
    await set_up_with(hass, entry, AMPERES | {"wires": "two"})
    assert value(hass, "headroom") == "20.0"


async def test_wires_that_are_not_the_meters(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry, AMPERES | {"wires": "two"})
    assert value(hass, "headroom") == value(hass, "over_contract") == "unknown"


async def test_limit_is_exceeded_and_kept_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, load: ScriptedLoad
) -> None:
    """Also by readings that are the same, since there are no counters in them."""
    await set_up_with(hass, entry, AMPERES, **{CONF_SCAN_INTERVAL: 10})
    home.meter.object.no_data |= {0xE0, 0xE3}
    await until(lambda: value(hass, "import_energy") == "unknown")
    states = shown(hass, "over_contract")
    load.step(home.clock.now(), 4200)
    assert await until(lambda: states == ["on"]) < 25
    assert value(hass, "headroom") == "-2.0"
    load.step(home.clock.now(), 3900)
    await asyncio.sleep(200)
    assert states == ["on"]
    load.step(home.clock.now(), 3000)
    assert 60 <= await until(lambda: states == ["on", "off"]) < 85


async def test_nothing_is_said_while_the_meter_is_not_reached(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry, AMPERES)
    home.meter.pan.powered = False
    home.meter.paa.end_session()
    await until(lambda: value(hass, "power") == "unavailable")
    assert value(hass, "contract_usage") == value(hass, "over_contract") == "unavailable"


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"limit": "amperes"}, "amperes_missing"),
        ({"limit": "amperes", "amperes": 75}, "amperes_of_no_contract"),
        ({"limit": "capacity"}, "kva_missing"),
    ],
)
@pytest.mark.usefixtures("home")
async def test_form_says_what_is_missing_and_keeps_what_was_typed(
    hass: HomeAssistant, entry: BrouteConfigEntry, typed: dict[str, Any], error: str
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    step = await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_CONTRACT: typed})
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {"base": error}
    assert step["data_schema"] is not None
    form = step["data_schema"].schema
    fields = {str(field): field.description for field in form[CONF_CONTRACT].schema.schema}
    assert fields["limit"] == {"suggested_value": typed["limit"]}
    # The section at fault is open, and it alone.
    assert {name for name in SECTIONS if not form[name].options["collapsed"]} == {CONF_CONTRACT}

    step = await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_CONTRACT: AMPERES})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: has_value(hass, "headroom"))
    assert entry.options[CONF_CONTRACT]["amperes"] == 40


@pytest.mark.parametrize(
    "typed",
    [
        {"limit": "other"},
        {"limit": "amperes", "amperes": 9},
        {"limit": "main_breaker", "amperes": 201},
        {"limit": "capacity", "kva": 5},
        {"over_percent": 49},
        {"wires": "four"},
        {"counting": "twice"},
    ],
)
@pytest.mark.usefixtures("home")
async def test_what_is_no_limit_at_all_is_refused(
    hass: HomeAssistant, entry: BrouteConfigEntry, typed: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | {CONF_CONTRACT: typed})
    hass.config_entries.options.async_abort(step["flow_id"])
