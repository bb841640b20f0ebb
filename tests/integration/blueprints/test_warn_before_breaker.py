"""Warn before the breaker trips: once for each time that it gets tight, not before, and not for nothing."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry

from ..world import sensor_id, until, value
from .house import House, say

NAME = "warn_before_breaker"
TWO_READINGS = timedelta(seconds=13)


def notes(language: str) -> dict[str, Any]:
    """Return actions that leave their words where a test finds them."""
    said = say("{{ title }}: {{ message }}")
    return {"language": language, "on_warning": [said], "on_clear": [said]}


@pytest.fixture
async def warns(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    await house.automate(NAME, usage=sensor_id(hass, "contract_usage"), **notes("en"))


@pytest.mark.usefixtures("warns")
async def test_warns_once_and_gives_the_all_clear_once(house: House) -> None:
    house.take(2650)
    await asyncio.sleep(120)
    assert house.fired == []

    at = house.take(2750)
    await until(lambda: house.fired)
    assert house.since(at)[0] <= TWO_READINGS
    await until(lambda: house.told)
    assert house.told == ["Near the limit of the contract: 91.6 % of the contract is used."]

    # What hovers in between is no news.
    for watts in (2600, 2800, 2450, 2750):
        house.take(watts)
        await asyncio.sleep(60)
    assert len(house.fired) == len(house.told) == 1

    # Nor is a short time of little.
    house.take(1000)
    await asyncio.sleep(90)
    house.take(2750)
    await asyncio.sleep(60)
    assert len(house.fired) == len(house.told) == 1

    house.take(1000)
    await asyncio.sleep(150)
    assert len(house.told) == 2
    assert house.told[1] == "There is room again: 33.3 % of the contract is used."
    house.take(2750)
    await until(lambda: len(house.fired) == 2)


@pytest.mark.usefixtures("warns")
async def test_link_that_is_back_is_no_warning(hass: HomeAssistant, house: House) -> None:
    house.take(2750)
    await until(lambda: house.told)
    for _ in range(2):
        house.home.faults.meter_silent = True
        await until(lambda: value(hass, "contract_usage") == "unavailable")
        house.home.faults.meter_silent = False
        await until(lambda: value(hass, "contract_usage") == "91.6")
    await asyncio.sleep(60)
    assert len(house.fired) == len(house.told) == 1


async def test_minimum_time(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    await house.automate(NAME, usage=sensor_id(hass, "contract_usage"), warn_after={"seconds": 60}, **notes("ja"))
    house.take(2750)
    await asyncio.sleep(50)
    house.take(1000)
    await asyncio.sleep(120)
    assert house.fired == []
    house.take(2750)
    await asyncio.sleep(80)
    assert len(house.fired) == 1
    assert house.told == ["契約の上限に近づいています: 契約の 91.6% を使用しています。"]


@pytest.mark.usefixtures("read")
async def test_no_all_clear_above_the_warning(hass: HomeAssistant, house: House) -> None:
    """As where the warning was put below what the other field has been left at: nothing would warn any more."""
    await house.automate(NAME, usage=sensor_id(hass, "contract_usage"), warn_above=70, **notes("en"))
    house.take(2250)
    await until(lambda: house.told)
    await asyncio.sleep(300)
    assert house.told == ["Near the limit of the contract: 75.0 % of the contract is used."]
    house.take(2000)
    await until(lambda: len(house.told) == 2)
    house.take(2250)
    await until(lambda: len(house.told) == 3)


@pytest.mark.parametrize(("watts", "times"), [(1000, 0), (2750, 1)])
async def test_start_where_it_is_tight_already(
    hass: HomeAssistant, house: House, read: BrouteConfigEntry, watts: int, times: int
) -> None:
    house.take(watts)
    await asyncio.sleep(30)
    await house.start_with(NAME, usage=sensor_id(hass, "contract_usage"), **notes("en"))
    await asyncio.sleep(60)
    assert len(house.told) == times


@pytest.mark.usefixtures("read")
async def test_tight_already_when_the_automation_is_switched_on(hass: HomeAssistant, house: House) -> None:
    """As by another automation in the evening: nothing is crossed then."""
    house.take(2750)
    await asyncio.sleep(30)
    await house.automate(NAME, usage=sensor_id(hass, "contract_usage"), **notes("en"))
    await until(lambda: house.told, 130)
    await asyncio.sleep(300)
    assert len(house.told) == 1
