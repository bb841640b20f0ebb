"""Shed loads before the breaker trips: in order, one at a time, and each comes back, whatever happens meanwhile."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry

from ..world import sensor_id, until, value
from .house import MEMORY, House, say

NAME = "shed_loads"
HEATER, BOILER, FAN = (f"input_boolean.{name}" for name in ("heater", "boiler", "fan"))
WATTS = {HEATER: 800, BOILER: 600, FAN: 100}


@pytest.fixture
async def house(house: House, read: BrouteConfigEntry) -> House:
    """Return the house with all of its appliances on, which take 1.5 kW of the 3 kW that are allowed."""
    house.watts = WATTS
    for entity_id in WATTS:
        await house.switch(entity_id, on=True)
    house.switched.clear()
    house.take(500)
    await asyncio.sleep(30)
    return house


def inputs(hass: HomeAssistant) -> dict[str, Any]:
    loads = {f"load_{number}": entity_id for number, entity_id in enumerate(WATTS, 1)}
    powers = {f"power_{number}": watts for number, watts in enumerate(WATTS.values(), 1)}
    return {"headroom": sensor_id(hass, "headroom"), "memory": MEMORY, **loads, **powers}


async def automate(hass: HomeAssistant, house: House, **others: Any) -> None:
    await house.automate(NAME, **inputs(hass), **others)


def remembered(hass: HomeAssistant) -> list[str]:
    state = hass.states.get(MEMORY)
    return state.state.split() if state and state.state != "unknown" else []


async def test_loads_go_in_order_and_come_back_in_the_reverse_order(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(1400)
    await asyncio.sleep(120)
    assert house.fired == []

    # 4.1 kW: with the first load off it is 3.3 kW, with the second one 2.7 kW.
    at = house.take(2600)
    await until(lambda: len(house.switched) == 2)
    assert house.names == ["heater off", "boiler off"]
    assert timedelta(seconds=7) <= house.since(at)[0] <= timedelta(seconds=14)
    # The second one goes when a reading has shown that the first was not enough, and not before.
    assert timedelta(seconds=3) < house.switched[1][0] - house.switched[0][0] < timedelta(seconds=16)
    await asyncio.sleep(600)
    assert house.names == ["heater off", "boiler off"]
    assert remembered(hass) == ["1", "2"]

    # 2.2 kW: the second one and 3 A to spare would be 3.1 kW.
    house.take(2100)
    await asyncio.sleep(900)
    assert len(house.switched) == 2
    # 2 kW: enough for the second one, not for the first.
    at = house.take(1900)
    await until(lambda: len(house.switched) == 3, 900)
    assert timedelta(minutes=5) <= house.switched[2][0] - at < timedelta(minutes=5, seconds=15)
    await asyncio.sleep(900)
    assert house.names == ["heater off", "boiler off", "boiler on"]
    house.take(1000)
    await until(lambda: len(house.switched) == 4, 900)
    assert house.names[3] == "heater on"
    assert remembered(hass) == []
    # All of it was one run, and the next excess is another.
    assert len(house.fired) == 1
    await asyncio.sleep(60)
    house.take(2600)
    await until(lambda: len(house.fired) == 2)


async def test_room_that_does_not_last_brings_nothing_back(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(1600)
    await until(lambda: house.names == ["heater off"])
    for _ in range(5):
        house.take(500)
        await asyncio.sleep(200)
        house.take(1600)
        await asyncio.sleep(60)
    assert house.names == ["heater off"]


async def test_one_reading_alone_is_no_excess(hass: HomeAssistant, house: House) -> None:
    # Longer than from one reading to the next, also where another request comes in between.
    await automate(hass, house, shed_after={"seconds": 12})
    for _ in range(5):
        house.take(2600)
        await until(lambda: float(value(hass, "headroom") or 0) < 0)
        house.take(1400)
        await asyncio.sleep(30)
    assert house.fired == []


@pytest.mark.parametrize(
    ("action", "limit_s"),
    [
        ({"action": "broute.report", "data": {"config_entry_id": "gone"}, "response_variable": "report"}, 16),
        # This ends the run, which is taken up again.
        ({"action": "notify.gone"}, 140),
    ],
)
async def test_message_that_fails_keeps_no_load_on_and_none_off(
    hass: HomeAssistant, house: House, action: dict[str, Any], limit_s: float
) -> None:
    await automate(hass, house, on_shed=[action], on_restored=[action])
    house.take(2600)
    await until(lambda: len(house.switched) == 2)
    assert house.switched[1][0] - house.switched[0][0] < timedelta(seconds=limit_s)
    house.take(500)
    await until(lambda: len(house.switched) == 4, 1000)
    assert house.names[2:] == ["boiler on", "heater on"]


async def test_a_load_without_an_effect_is_followed_by_the_next(hass: HomeAssistant, house: House) -> None:
    # The heater is on and takes nothing, as one whose water is hot.
    house.watts = WATTS | {HEATER: 0}
    await automate(hass, house)
    house.take(2600)
    await until(lambda: len(house.switched) == 2)
    assert house.names == ["heater off", "boiler off"]
    assert timedelta(seconds=15) <= house.switched[1][0] - house.switched[0][0] < timedelta(seconds=16)


async def test_what_is_off_is_not_switched(hass: HomeAssistant, house: House) -> None:
    await house.switch(HEATER, on=False)
    house.switched.clear()
    await automate(hass, house)
    house.take(2400)
    await until(lambda: house.names == ["boiler off"])
    house.take(500)
    await until(lambda: len(house.switched) == 2, 900)
    await asyncio.sleep(900)
    assert house.names == ["boiler off", "boiler on"]


async def test_what_was_switched_on_by_hand_is_left_alone(hass: HomeAssistant, house: House) -> None:
    said = say("{{ load }}")
    await automate(hass, house, on_restored=[said])
    house.take(1600)
    await until(lambda: house.names == ["heater off"])
    await house.switch(HEATER, on=True)
    # Whoever has done that wants it: now it is the turn of the next one.
    await until(lambda: len(house.switched) == 3)
    assert house.names == ["heater off", "heater on", "boiler off"]
    house.take(300)
    await until(lambda: not remembered(hass), 1500)
    assert house.names == ["heater off", "heater on", "boiler off", "boiler on"]
    assert house.told[1:] == [BOILER]


async def test_load_that_cannot_be_reached_when_its_time_comes_is_not_forgotten(
    hass: HomeAssistant, house: House
) -> None:
    await automate(hass, house)
    house.take(1600)
    await until(lambda: house.names == ["heater off"])
    house.take(500)
    await asyncio.sleep(250)
    await house.lose(HEATER, 120)
    await until(lambda: hass.states.is_state(HEATER, "on"), 900)
    await until(lambda: not remembered(hass), 60)


async def test_load_that_does_not_go_on_is_tried_again_and_keeps_no_other_off(
    hass: HomeAssistant, house: House
) -> None:
    """As a switch that answers nothing at times: it raises, and stays as it is."""
    said = say("{{ load }}")
    await automate(hass, house, on_shed=[], on_restored=[said])
    house.take(2600)
    await until(lambda: house.names == ["heater off", "boiler off"])
    broken = house.break_down(BOILER)
    house.take(500)
    await until(lambda: house.names[2:] == ["heater on"], 1500)
    assert remembered(hass) == ["2"]
    broken.clear()
    await until(lambda: house.names[3:] == ["boiler on"], 900)
    await until(lambda: not remembered(hass), 60)
    assert house.told == [HEATER, BOILER]


async def test_loads_come_back_after_a_restart(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(1600)
    await until(lambda: house.names == ["heater off"])
    await house.stop_automations()
    # Nobody is there while it gets better.
    house.take(500)
    await asyncio.sleep(900)
    assert house.names == ["heater off"]
    await automate(hass, house)
    await until(lambda: len(house.switched) == 2, 600)
    assert house.names == ["heater off", "heater on"]


async def test_nothing_is_known_without_readings(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    await automate(hass, house)
    house.take(2600)
    await until(lambda: len(house.switched) == 2)
    await asyncio.sleep(30)
    house.home.faults.meter_silent = True
    await until(lambda: value(hass, "headroom") == "unavailable")
    house.take(2500)
    at = house.now
    await asyncio.sleep(3000)
    assert len(house.switched) == 2
    # For lack of knowledge they come back one by one.
    await until(lambda: len(house.switched) == 4, 9000)
    assert house.names[2:] == ["boiler on", "heater on"]
    assert house.switched[2][0] - at > timedelta(minutes=59)
    assert house.switched[3][0] - house.switched[2][0] > timedelta(minutes=59)
    house.fired.clear()
    house.take(100)
    house.home.faults.meter_silent = False
    await until(lambda: value(hass, "headroom") != "unavailable", 1800)
    await asyncio.sleep(60)
    # That there are readings again is no excess.
    assert house.fired == []
    assert len(house.switched) == 4


@pytest.mark.parametrize(("watts", "switched"), [(500, []), (1600, ["heater off"])])
async def test_start_where_it_is_too_much_already(
    hass: HomeAssistant, house: House, watts: int, switched: list[str]
) -> None:
    house.take(watts)
    await asyncio.sleep(30)
    await house.start_with(NAME, **inputs(hass))
    await asyncio.sleep(10)
    assert house.names == switched
    assert len(house.fired) == len(switched)


async def test_too_much_already_when_the_automation_is_switched_on(hass: HomeAssistant, house: House) -> None:
    """As by another automation in the evening: nothing is crossed then."""
    house.take(1600)
    await asyncio.sleep(30)
    await automate(hass, house)
    await until(lambda: house.names == ["heater off"], 130)
