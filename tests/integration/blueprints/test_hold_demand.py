"""Hold the demand under a target: loads go while it will be exceeded, and come back when they fit, or in a new one."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST

from ..world import has_value, sensor_id, shown, until, value
from .house import MEMORY, House

NAME = "hold_demand"
HEATER, BOILER = "input_boolean.heater", "input_boolean.boiler"
WATTS = {HEATER: 1000, BOILER: 500}
HALF_PAST = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
SEVEN = datetime(2026, 11, 21, 19, 0, tzinfo=JST)


@pytest.fixture
def options() -> dict[str, Any]:
    return {"energy": {"demand_target": 2.0}}


@pytest.fixture
async def house(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> House:
    """Return the house with both appliances on, which take 1.5 kW, shortly after half past six."""
    house.watts = WATTS
    for entity_id in WATTS:
        await house.switch(entity_id, on=True)
    house.switched.clear()
    house.take(300)
    await until(lambda: has_value(hass, "demand_forecast"), 600)
    await asyncio.sleep((HALF_PAST + timedelta(minutes=2) - house.now).total_seconds())
    await automate(hass, house)
    return house


async def automate(hass: HomeAssistant, house: House) -> None:
    loads = {"load_1": HEATER, "power_1": 1000, "load_2": BOILER, "power_2": 500}
    sensors = {"target": sensor_id(hass, "demand_exceeded"), "forecast": sensor_id(hass, "demand_forecast")}
    await house.automate(NAME, memory=MEMORY, **sensors, **loads)


def demand_kw(house: House, start: datetime) -> float:
    """Return what the demand of a half hour was."""
    first, last = house.home.truth(start).import_kwh, house.home.truth(start + timedelta(minutes=30)).import_kwh
    assert first is not None
    assert last is not None
    return float(last - first) * 2


async def test_demand_is_held_by_loads_that_come_back_in_the_next_half_hour(house: House) -> None:
    await asyncio.sleep(240)
    assert house.fired == []
    # 2.7 kW from now on, of which the half hour would be 2.5 kW; without the heater it is just enough.
    house.take(1200)
    await until(lambda: house.names == ["heater off"], 900)
    await asyncio.sleep((SEVEN - house.now).total_seconds())
    assert demand_kw(house, HALF_PAST) <= 2.0
    # The next half hour is a new one, and begins with what was taken in the last minutes; then it is too much again.
    await until(lambda: len(house.switched) > 1, 1200)
    assert house.names[:2] == ["heater off", "heater on"]
    assert timedelta(0) < house.switched[1][0] - SEVEN < timedelta(minutes=6)
    await asyncio.sleep((SEVEN + timedelta(minutes=30) - house.now).total_seconds())
    assert demand_kw(house, SEVEN) <= 2.0


async def test_load_that_fits_comes_back_in_the_same_half_hour(house: House) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    assert timedelta(minutes=5) <= house.switched[1][0] - house.switched[0][0] < timedelta(minutes=6)
    house.take(100)
    await until(lambda: len(house.switched) == 4, 1500)
    assert house.names[2:] == ["boiler on", "heater on"]
    assert house.switched[3][0] < SEVEN
    assert demand_kw(house, HALF_PAST - timedelta(minutes=30)) <= 2.0
    await asyncio.sleep((SEVEN - house.now).total_seconds())
    assert demand_kw(house, HALF_PAST) <= 2.0


async def test_load_that_cannot_be_reached_when_its_time_comes_is_not_forgotten(
    hass: HomeAssistant, house: House
) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    house.take(100)
    await until(lambda: value(hass, "demand_exceeded") == "off", 900)
    await asyncio.sleep(250)
    await house.lose(BOILER, 120)
    await until(lambda: hass.states.is_state(BOILER, "on"), 1500)


async def test_load_that_does_not_go_on_is_tried_again_and_keeps_no_other_off(house: House) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    broken = house.break_down(BOILER)
    house.take(100)
    await until(lambda: house.names[2:] == ["heater on"], 1500)
    broken.clear()
    await until(lambda: house.names[3:] == ["boiler on"], 1500)


async def test_session_that_is_set_up_again_sheds_no_load_early(hass: HomeAssistant, house: House) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off"], 900)
    await asyncio.sleep(30)
    house.home.meter.paa.end_session()
    seen = shown(hass, "demand_exceeded")
    await until(lambda: seen == ["unknown", "on"])
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    assert timedelta(minutes=5) <= house.switched[1][0] - house.switched[0][0] < timedelta(minutes=6)


async def test_loads_come_back_after_a_restart_and_without_readings(hass: HomeAssistant, house: House) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    await house.stop_automations()
    house.home.faults.meter_silent = True
    house.take(100)
    await until(lambda: value(hass, "demand_exceeded") in {"unavailable", "unknown"}, 600)
    await automate(hass, house)
    at = house.now
    await until(lambda: len(house.switched) == 4, 9000)
    assert house.names[2:] == ["boiler on", "heater on"]
    assert timedelta(hours=1) < house.switched[2][0] - at < timedelta(hours=1, minutes=3)


async def test_loads_come_back_where_there_is_no_target_any_more(
    hass: HomeAssistant, house: House, read: BrouteConfigEntry
) -> None:
    house.take(3000)
    await until(lambda: house.names == ["heater off", "boiler off"], 900)
    hass.config_entries.async_update_entry(read, options={})
    await hass.config_entries.async_reload(read.entry_id)
    await until(lambda: len(house.switched) == 4, 9000)
    assert house.names[2:] == ["boiler on", "heater on"]


async def test_target_that_is_exceeded_already(hass: HomeAssistant, house: House) -> None:
    await house.stop_automations()
    house.take(3000)
    await until(lambda: value(hass, "demand_exceeded") == "on", 900)
    await automate(hass, house)
    await until(lambda: house.names == ["heater off"], 130)
