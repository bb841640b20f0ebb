"""Entities follow what the meter says that it gives: its utility updates its software, or hangs up another one."""

import asyncio
from collections import deque
from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import RETRY_S, BrouteConfigEntry
from simulator import NORMAL_ONLY, RELEASE_F, SimulatedHome

from .world import Ports, has_value, lines, sensor, sensor_id, set_up, truth, until, update_software, value

EXPORT = ("export_energy", "fixed_export_energy")
"""All that goes with property E3; the second is disabled by default."""
OTHERS = ("power", "current_r", "current_t", "import_energy", "fixed_import_energy")

SPOILT_MAP = "1941414120404000624300414040430202"
"""The Get map of `RELEASE_F`, one digit of which was a 6: the bits of D3 and E3."""


def sessions(entry: BrouteConfigEntry) -> int:
    """Return how many sessions there were."""
    return entry.runtime_data.meter.statistics.sessions


async def until_described(entry: BrouteConfigEntry, session: int) -> None:
    """Wait until the meter has said what it is, in a later session."""
    meter = entry.runtime_data.meter
    await until(lambda: meter.statistics.sessions == session and meter.is_described)


async def test_property_that_is_there_now_is_shown_at_once(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    home = ports.plug_in(model=NORMAL_ONLY)
    await set_up(hass, entry)
    assert [sensor_id(hass, key) for key in EXPORT] == [None, None]
    update_software(home, RELEASE_F)
    await until(lambda: has_value(hass, "export_energy"), 60)
    assert value(hass, "export_energy") == str(truth(home, 0xE3).export_kwh)
    assert sensor_id(hass, "fixed_export_energy")


async def test_property_that_is_there_no_more_is_removed(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up(hass, entry)
    update_software(home, NORMAL_ONLY)
    await until(lambda: sensor_id(hass, "export_energy") is None)
    assert sensor(hass, "export_energy") is None
    assert sensor_id(hass, "fixed_export_energy") is None
    assert all(sensor_id(hass, key) for key in OTHERS)
    removed = [line for line in lines(caplog) if "removed" in line]
    assert len(removed) == len(EXPORT)
    assert "sensor.b_route_smart_meter_exported_energy" in removed[0]

    home.meter.answers.clear()
    await until(lambda: len(home.meter.answers) > 3)
    assert has_value(hass, "power")
    assert not any(0xE3 in answer.epcs for answer in home.meter.answers)


async def test_what_was_removed_comes_back_as_it_was(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    entity_id = sensor_id(hass, "export_energy")
    assert entity_id
    registry = er.async_get(hass)
    registry.async_update_entity(entity_id, new_entity_id="sensor.sold", name="Sold")
    update_software(home, NORMAL_ONLY)
    await until(lambda: sensor_id(hass, "export_energy") is None)
    update_software(home, RELEASE_F)
    await until(lambda: has_value(hass, "export_energy"))
    assert sensor_id(hass, "export_energy") == "sensor.sold"
    registered = registry.async_get("sensor.sold")
    assert registered is not None
    assert registered.name == "Sold"


async def test_digit_that_was_spoilt_on_its_way_removes_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """E3 is a bit of the map: without it the map is one of another meter."""
    await set_up(hass, entry)
    entity_id = sensor_id(hass, "export_energy")
    home.faults.replaced_values["9F"] = deque([SPOILT_MAP])
    home.meter.paa.end_session()
    await until_described(entry, 2)
    assert not home.faults.replaced_values["9F"]
    home.meter.answers.clear()
    await until(lambda: len(home.meter.answers) > 3)
    assert sensor_id(hass, "export_energy") == entity_id
    assert value(hass, "export_energy") == str(truth(home, 0xE3).export_kwh)


async def test_other_meter_without_the_property(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.replace_meter(NORMAL_ONLY)
    await until(lambda: sensor_id(hass, "export_energy") is None, 600)
    await until(lambda: has_value(hass, "import_energy"))


async def test_spoilt_map_of_another_meter_removes_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.faults.replaced_values["9F"] = deque([SPOILT_MAP])
    home.replace_meter()
    await until(lambda: not home.faults.replaced_values["9F"], 600)
    await until(lambda: has_value(hass, "export_energy"), 600)


async def test_unreached_meter_keeps_its_entities(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    home.meter.pan.powered = False
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "link_state") == "waiting")
    assert all(sensor_id(hass, key) for key in (*EXPORT, *OTHERS))


async def test_entities_stay_while_the_map_is_not_read(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    read = home.meter.object.read
    home.meter.object.read = lambda epc: None if epc == 0x9F else read(epc)  # type: ignore[method-assign]
    home.meter.paa.end_session()
    await until(lambda: sessions(entry) == 2)
    await until(lambda: has_value(hass, "export_energy"))


async def test_meter_that_has_said_meanwhile_what_it_is_is_not_asked_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """It was asked in vain at first, and then by an action."""
    read = home.meter.object.read
    home.meter.object.read = lambda epc: None if epc == 0x9F else read(epc)  # type: ignore[method-assign]
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    await asyncio.sleep(RETRY_S / 2)
    home.meter.object.read = read  # type: ignore[method-assign]
    start = home.clock.now() - timedelta(hours=1)
    await hass.services.async_call(DOMAIN, "get_history", {"from": start}, blocking=True, return_response=True)
    assert entry.runtime_data.meter.is_described
    asked = sum(0x9F in answer.epcs for answer in home.meter.answers)
    await asyncio.sleep(RETRY_S)
    assert sensor_id(hass, "fixed_export_energy")
    assert sum(0x9F in answer.epcs for answer in home.meter.answers) == asked
