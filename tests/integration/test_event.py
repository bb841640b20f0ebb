"""What is told by the event entity, and what is not."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
import pytest

from custom_components.broute.const import CONF_CONTRACT, CONF_DEMAND_TARGET, CONF_ENERGY
from custom_components.broute.coordinator import GRACE_S, BrouteConfigEntry
from simulator import ScriptedLoad, SimulatedHome

from .world import Ports, has_value, sensor_id, set_up, until, value


@pytest.fixture
def told(hass: HomeAssistant) -> list[tuple[str, Any]]:
    """Return the list in which all that is told will be, with the reason."""
    events: list[tuple[str, Any]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if event.data["entity_id"] != sensor_id(hass, "events") or old is None or new is None:
            return
        # After a restart the last one is shown again.
        if old.state != "unavailable" and new.state != "unavailable":
            events.append((new.attributes["event_type"], new.attributes.get("reason")))

    hass.bus.async_listen(EVENT_STATE_CHANGED, take)
    return events


@pytest.fixture
async def home(ports: Ports, load: ScriptedLoad, wall_clock: Callable[..., None]) -> SimulatedHome:
    """Return a home, by whose clock Home Assistant goes."""
    home = ports.plug_in(load=load)
    wall_clock(home)
    return home


@pytest.fixture
def load() -> ScriptedLoad:
    """Return what the house takes."""
    return ScriptedLoad(2000)


async def set_up_quietly(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up, and wait until all is known of the meter."""
    await set_up(hass, entry)
    await until(lambda: has_value(hass, "operating") and entry.runtime_data.log.clock.is_right)


async def test_healthy_meter_is_no_news(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    await set_up_quietly(hass, entry)
    home.meter.paa.end_session()
    await asyncio.sleep(7200)
    assert told == []


async def test_meter_that_was_never_read_is_not_lost(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    home.meter.pan.powered = False
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(600)
    home.meter.pan.powered = True
    await until(lambda: has_value(hass, "power"), 1200)
    assert told == []


async def test_link_that_is_lost_and_back(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    await set_up_quietly(hass, entry)
    home.meter.pan.powered = False
    home.meter.paa.end_session()
    lapse_s = await until(lambda: told, 200)
    assert GRACE_S - 1 < lapse_s < GRACE_S + 35
    assert [event for event, _ in told] == ["link_lost"]
    await asyncio.sleep(600)
    home.meter.pan.powered = True
    await until(lambda: len(told) > 1, 1200)
    assert [event for event, _ in told] == ["link_lost", "link_restored"]


async def test_lost_link_comes_with_its_reason(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]], ports: Ports
) -> None:
    await set_up_quietly(hass, entry)
    home.module.port.unplug()
    ports.faults["/dev/ttyUSB0"] = FileNotFoundError(2, "No such file or directory")
    await until(lambda: told, 200)
    assert told == [("link_lost", "port_missing")]


async def test_fault_and_its_end(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    await set_up_quietly(hass, entry)
    home.meter.fault = True
    await until(lambda: told, 90)
    home.meter.fault = False
    await until(lambda: len(told) > 1, 90)
    assert told == [("meter_fault", None), ("meter_fault_over", None)]


async def test_clock_that_is_wrong_and_right_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    await set_up_quietly(hass, entry)
    home.meter.clock_offset = timedelta(minutes=9)
    await until(lambda: told, 4200)
    # What was told before is not told again by a restart.
    await hass.config_entries.async_unload(entry.entry_id)
    await set_up(hass, entry)
    await asyncio.sleep(600)
    assert [event for event, _ in told] == ["clock_wrong"]
    home.meter.clock_offset = timedelta(0)
    await until(lambda: len(told) > 1, 4200)
    assert [event for event, _ in told] == ["clock_wrong", "clock_right"]


async def test_meter_that_was_replaced(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, told: list[tuple[str, Any]]
) -> None:
    await set_up_quietly(hass, entry)
    home.replace_meter()
    await until(lambda: ("meter_replaced", None) in told, 1200)
    await hass.config_entries.async_unload(entry.entry_id)
    await set_up_quietly(hass, entry)
    await asyncio.sleep(600)
    assert [event for event, _ in told].count("meter_replaced") == 1


async def test_limit_that_is_exceeded_and_kept_again(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    load: ScriptedLoad,
    told: list[tuple[str, Any]],
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_CONTRACT: {"limit": "amperes", "amperes": 30}})
    await set_up_quietly(hass, entry)
    # A motor that starts.
    load.step(home.clock.now(), 6000)
    await asyncio.sleep(2)
    load.step(home.clock.now(), 2000)
    await asyncio.sleep(120)
    assert told == []
    load.step(home.clock.now(), 3300)
    await until(lambda: told, 60)
    load.step(home.clock.now(), 2000)
    await until(lambda: len(told) > 1, 120)
    assert told == [("contract_exceeded", None), ("contract_kept", None)]


async def test_target_that_will_be_exceeded_and_is_kept_again(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    load: ScriptedLoad,
    told: list[tuple[str, Any]],
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_ENERGY: {CONF_DEMAND_TARGET: 3}})
    await set_up_quietly(hass, entry)
    await until(lambda: value(hass, "demand_exceeded") == "off", 1800)
    load.step(home.clock.now(), 6000)
    await until(lambda: value(hass, "demand_exceeded") == "on", 1800)
    # At once, though the readings are the same.
    assert told == [("demand_exceeded", None)]
    # In a new session nothing is known for a while.
    home.meter.paa.end_session()
    await until(lambda: value(hass, "demand_exceeded") == "unknown", 120)
    await until(lambda: value(hass, "demand_exceeded") == "on", 1800)
    load.step(home.clock.now(), 200)
    await until(lambda: value(hass, "demand_exceeded") == "off", 3600)
    assert told == [("demand_exceeded", None), ("demand_kept", None)]
