"""Use what would be sold: while there is some, without switching to and fro, and not what is somebody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry

from ..world import sensor_id, until, value
from .house import House

NAME = "use_surplus"
BOILER = "input_boolean.boiler"
MEMORY = "input_boolean.on_by_surplus"


@pytest.fixture
async def house(house: House, read: BrouteConfigEntry) -> House:
    """Return the house, with a boiler of 1 kW that is off."""
    house.watts = {BOILER: 1000}
    house.take(300)
    await asyncio.sleep(600)
    return house


def inputs(hass: HomeAssistant) -> dict[str, Any]:
    return {"power": sensor_id(hass, "power"), "load": BOILER, "load_power": 1000, "memory": MEMORY}


async def automate(hass: HomeAssistant, house: House, **others: Any) -> None:
    await house.automate(NAME, **inputs(hass), **others)


async def test_boiler_is_on_while_there_is_a_surplus(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    # Too little, and too short.
    house.take(-1100)
    await asyncio.sleep(900)
    house.take(-2000)
    await asyncio.sleep(240)
    house.take(-1100)
    await asyncio.sleep(600)
    assert house.names == []

    at = house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 600)
    assert timedelta(minutes=5) <= house.switched[0][0] - at < timedelta(minutes=5, seconds=15)
    # It leaves 300 W, and some clouds that it bridges.
    await asyncio.sleep(3600)
    house.take(-950)
    await asyncio.sleep(3600)
    for _ in range(4):
        house.take(-200)
        await asyncio.sleep(150)
        house.take(-1050)
        await asyncio.sleep(60)
    assert house.names == ["boiler on"]

    at = house.take(-200)
    await until(lambda: len(house.switched) == 2, 600)
    assert house.names[1] == "boiler off"
    assert timedelta(minutes=3) <= house.switched[1][0] - at < timedelta(minutes=3, seconds=15)
    assert hass.states.is_state(MEMORY, "off")
    await asyncio.sleep(1800)
    assert len(house.switched) == 2


async def test_shortest_times(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house, shortest_on={"minutes": 20}, shortest_off={"minutes": 15})
    house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 1200)
    house.take(500)
    await until(lambda: len(house.switched) == 2, 3000)
    assert timedelta(minutes=20) <= house.switched[1][0] - house.switched[0][0] < timedelta(minutes=24)
    house.take(-1300)
    await until(lambda: len(house.switched) == 3, 3000)
    assert timedelta(minutes=15) <= house.switched[2][0] - house.switched[1][0] < timedelta(minutes=24)


async def test_what_was_switched_on_by_hand_is_left_alone(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    await house.switch(BOILER, on=True)
    house.take(-2500)
    await asyncio.sleep(1200)
    house.take(500)
    await asyncio.sleep(1200)
    assert house.names == ["boiler on"]


async def test_what_is_switched_on_by_hand_before_the_surplus_has_lasted_is_left_alone(
    hass: HomeAssistant, house: House
) -> None:
    await automate(hass, house)
    house.take(-1300)
    await asyncio.sleep(120)
    await house.switch(BOILER, on=True)
    house.take(500)
    await asyncio.sleep(1200)
    assert house.names == ["boiler on"]


async def test_what_was_switched_off_by_hand_is_over(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house, shortest_on={"minutes": 1})
    house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 1200)
    await asyncio.sleep(120)
    # Nothing is imported then, and too little is left for another time.
    house.take(-500)
    await house.switch(BOILER, on=False)
    await until(lambda: hass.states.is_state(MEMORY, "off"), 300)
    await asyncio.sleep(600)
    assert house.names == ["boiler on", "boiler off"]


async def test_load_that_cannot_be_reached_when_it_should_go_off_goes_later(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 1200)
    await asyncio.sleep(900)
    house.take(500)
    await asyncio.sleep(120)
    await house.lose(BOILER, 120)
    await until(lambda: hass.states.is_state(BOILER, "off"), 600)
    await until(lambda: hass.states.is_state(MEMORY, "off"), 60)


@pytest.mark.parametrize("make", [House.automate, House.start_with], ids=["it is changed", "Home Assistant starts"])
async def test_surplus_that_is_there_already_when(
    hass: HomeAssistant, house: House, make: Callable[..., Awaitable[None]]
) -> None:
    """As at noon of a clear day."""
    if make is House.automate:
        await automate(hass, house)
    house.take(-1500)
    await asyncio.sleep(180)
    at = house.now
    await make(house, NAME, **inputs(hass))
    await until(lambda: house.names == ["boiler on"], 1200)
    assert timedelta(minutes=5) <= house.switched[0][0] - at < timedelta(minutes=5, seconds=15)


async def test_surplus_that_is_there_already_and_does_not_last(hass: HomeAssistant, house: House) -> None:
    house.take(-1500)
    await asyncio.sleep(180)
    await house.start_with(NAME, **inputs(hass))
    await asyncio.sleep(240)
    house.take(300)
    await asyncio.sleep(1200)
    assert house.names == []


async def test_reload_without_a_surplus_is_nothing_to_run_for(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    await automate(hass, house)
    await asyncio.sleep(600)
    assert house.fired == []


async def test_boiler_goes_off_after_a_restart(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 1200)
    await house.stop_automations()
    house.take(500)
    await asyncio.sleep(1800)
    assert house.names == ["boiler on"]
    await automate(hass, house)
    await until(lambda: house.names == ["boiler on", "boiler off"], 600)


async def test_a_surplus_that_is_back_with_the_link_has_to_last(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.home.faults.meter_silent = True
    await until(lambda: value(hass, "power") == "unavailable", 600)
    house.take(-1500)
    house.home.faults.meter_silent = False
    await until(lambda: value(hass, "power") == "-1500", 1800)
    at = house.now
    await until(lambda: house.names == ["boiler on"], 1200)
    assert house.switched[0][0] - at > timedelta(minutes=4, seconds=55)


async def test_nothing_is_used_for_long_without_readings(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    house.take(-1300)
    await until(lambda: house.names == ["boiler on"], 1200)
    await asyncio.sleep(900)
    for silent_s in (600, 3000):
        at = house.now
        house.home.faults.meter_silent = True
        await until(lambda: value(hass, "power") == "unavailable", 600)
        assert house.names == ["boiler on"]
        await asyncio.sleep(silent_s)
        house.home.faults.meter_silent = False
        await until(lambda: value(hass, "power") != "unavailable", 1800)
    assert house.names[:2] == ["boiler on", "boiler off"]
    assert timedelta(minutes=30) < house.switched[1][0] - at < timedelta(minutes=33)
