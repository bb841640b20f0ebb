"""Tell of trouble with the meter: each once, and its end; and nothing of a start or a short loss."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator.happenings import Happenings

from ..world import sensor_id, until, value
from .house import House, say

NAME = "tell_of_trouble"


async def automate(hass: HomeAssistant, house: House, **inputs: Any) -> None:
    said = say("{{ kind }}: {{ message }}")
    over = say("over: {{ kind }}: {{ message }}")
    wanted = {"events": sensor_id(hass, "events"), "connection": [sensor_id(hass, "connected")], "language": "en"}
    await house.automate(NAME, **wanted | {"on_trouble": [said], "on_clear": [over]} | inputs)


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en", "The meter reports a fault. Call the utility."),
        ("ja", "メーターが異常を知らせています。送配電会社にご連絡ください。"),
    ],
)
@pytest.mark.usefixtures("read")
async def test_fault_and_its_end(hass: HomeAssistant, house: House, language: str, message: str) -> None:
    await automate(hass, house, language=language)
    happenings = Happenings(house.home)
    happenings.meter_faulty(faulty=True)
    await until(lambda: house.told)
    assert house.told == [f"meter_fault: {message}"]
    happenings.meter_faulty(faulty=False)
    await until(lambda: len(house.told) == 2)
    assert house.told[1].startswith("over: meter_fault: ")


@pytest.mark.usefixtures("read")
async def test_kinds_that_are_not_wanted(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house, kinds=["clock_wrong"])
    happenings = Happenings(house.home)
    happenings.meter_faulty(faulty=True)
    await until(lambda: value(hass, "fault") == "on")
    happenings.meter_faulty(faulty=False)
    await until(lambda: value(hass, "fault") == "off")
    await asyncio.sleep(60)
    assert house.told == []


async def test_restart_is_no_news(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    await automate(hass, house)
    Happenings(house.home).meter_faulty(faulty=True)
    await until(lambda: house.told)
    Happenings(house.home).meter_faulty(faulty=False)
    await until(lambda: len(house.told) == 2)
    house.fired.clear()
    await hass.config_entries.async_reload(read.entry_id)
    await until(lambda: value(hass, "fault") == "off")
    await asyncio.sleep(120)
    assert house.fired == []
    assert len(house.told) == 2


@pytest.mark.usefixtures("read")
async def test_connection_that_is_lost_for_long(hass: HomeAssistant, house: House) -> None:
    await automate(hass, house)
    happenings = Happenings(house.home)
    happenings.port_unplugged()
    await until(lambda: value(hass, "connected") == "off")
    await asyncio.sleep(300)
    happenings.port_plugged()
    await until(lambda: value(hass, "connected") == "on")
    await asyncio.sleep(900)
    assert house.told == []

    happenings.port_unplugged()
    await until(lambda: value(hass, "connected") == "off")
    at = house.now
    await until(lambda: house.told, 900)
    assert timedelta(minutes=9, seconds=59) < house.since(at)[0] < timedelta(minutes=10, seconds=5)
    assert house.told == ["link_lost: The meter cannot be read any more."]
    happenings.port_plugged()
    await until(lambda: len(house.told) == 2, 600)
    assert house.told[1] == "over: link_lost: The meter is read again."


@pytest.mark.usefixtures("read")
async def test_problem_that_lasts(hass: HomeAssistant, house: House) -> None:
    over = sensor_id(hass, "over_contract")
    await automate(hass, house, kinds=[], problems=[over], lasting={"minutes": 3})
    house.take(3300)
    await until(lambda: value(hass, "over_contract") == "on")
    await asyncio.sleep(60)
    house.take(500)
    await until(lambda: value(hass, "over_contract") == "off")
    await asyncio.sleep(60)
    assert house.told == []
    house.take(3300)
    await until(lambda: house.told)
    assert house.told == [f"{over}: B-Route Smart Meter Over the contract: a problem."]
    house.take(500)
    await until(lambda: len(house.told) == 2)
    assert house.told[1] == f"over: {over}: B-Route Smart Meter Over the contract: over."
