"""The automations of docs/automations.md do what it says."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
import re
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST

from ..world import until, value
from .conftest import CHECKOUT
from .house import House


def documented(alias: str) -> dict[str, Any]:
    """Return an automation of the document."""
    (found,) = (block for block in blocks() if block.get("alias") == alias)
    return found


def blocks() -> list[dict[str, Any]]:
    text = (CHECKOUT / "docs" / "automations.md").read_text("utf-8")
    return [
        parsed
        for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if isinstance(parsed := parse_yaml(block), dict)
    ]


@pytest.fixture
def called(hass: HomeAssistant) -> list[tuple[str, Any]]:
    """Return the list in which all calls of actions of switches will be."""
    calls: list[tuple[str, Any]] = []

    @callback
    def take(call: ServiceCall) -> None:
        calls.append((call.service, call.data["entity_id"]))

    for service in ("turn_on", "turn_off"):
        hass.services.async_register("switch", service, take)
    return calls


@pytest.mark.usefixtures("read")
async def test_power_that_crosses_a_threshold(hass: HomeAssistant, house: House) -> None:
    await async_setup_component(hass, "power", {})
    await house.automate_as(documented("Much is taken"))
    house.take(4100)
    await asyncio.sleep(40)
    house.take(3900)
    await asyncio.sleep(60)
    assert house.fired == []
    at = house.take(4100)
    await until(lambda: house.fired)
    assert timedelta(seconds=60) <= house.since(at)[0] <= timedelta(seconds=73)
    assert house.told == ["4100 W"]


@pytest.mark.usefixtures("read")
async def test_value_of_power_with_another_for_the_end(house: House, called: list[tuple[str, Any]]) -> None:
    await house.automate_as(documented("Keep the fan off while much is taken"))
    house.take(4100)
    await until(lambda: called == [("turn_off", ["switch.fan"])])
    for watts in (3500, 2900, 3500):
        house.take(watts)
        await asyncio.sleep(200)
    assert len(called) == 1
    house.take(2900)
    await until(lambda: called[1:] == [("turn_on", ["switch.fan"])], 330)


async def test_read_faster_while_something_runs(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    await house.automate_as(documented("Read faster while the oven is on"))
    hass.states.async_set("switch.oven", "off")
    hass.states.async_set("switch.oven", "on")
    await until(lambda: value(hass, "boost") == "on")
    await asyncio.sleep(3500)
    assert value(hass, "boost") == "on"
    await until(lambda: value(hass, "boost") == "off", 120)


@pytest.mark.usefixtures("read")
async def test_report_on_the_link(house: House) -> None:
    await house.automate_as(documented("What is it with the link"))
    house.home.module.port.unplug()
    await until(lambda: house.told, 1200)
    (told,) = house.told
    assert len(told.splitlines()) > 5


@pytest.mark.parametrize("options", [{CONF_SCAN_INTERVAL: 30}])
@pytest.mark.usefixtures("read")
async def test_yesterday_by_the_meter(house: House) -> None:
    example = documented("Yesterday by the meter")
    at = (house.now + timedelta(seconds=60)).strftime("%H:%M:%S")
    await house.automate_as(example | {"triggers": [{"trigger": "time", "at": at}]})
    await until(lambda: house.told, 600)
    # 500 W all day long.
    assert house.told == ["12.0 kWh"]


# Read once a minute, hours go by quickly; the utility meter's own timer for the next month outlives the test.
@pytest.mark.parametrize(("options", "expected_lingering_timers"), [({CONF_SCAN_INTERVAL: 60}, True)])
@pytest.mark.usefixtures("read")
async def test_tariff_changes_at_its_hours(hass: HomeAssistant, house: House) -> None:
    (meters,) = (block for block in blocks() if "utility_meter" in block)
    assert await async_setup_component(hass, "utility_meter", meters)
    await house.automate_as(documented("Select the tariff"))
    house.take(1000)
    await asyncio.sleep(120)

    def state(entity_id: str) -> str:
        found = hass.states.get(entity_id)
        assert found
        return found.state

    def counted(tariff: str) -> Decimal:
        return Decimal(state(f"sensor.imported_by_tariff_{tariff}"))

    assert state("select.imported_by_tariff") == "day"
    eleven = datetime(2026, 11, 21, 23, tzinfo=JST)
    await asyncio.sleep((eleven - house.now).total_seconds() - 61)
    assert state("select.imported_by_tariff") == "day"
    before = counted("day")
    assert counted("night") == 0
    await asyncio.sleep(122)
    assert state("select.imported_by_tariff") == "night"
    await asyncio.sleep(1800)
    # 1 kW: the day has what was read up to eleven, the night what came since.
    assert Decimal("0.015") < counted("day") - before < Decimal("0.036")
    assert abs(counted("night") - Decimal("0.517")) < Decimal("0.036")
    # All of it has been counted once.
    await asyncio.sleep((eleven + timedelta(hours=8, minutes=5) - house.now).total_seconds())
    assert state("select.imported_by_tariff") == "day"
    assert abs(counted("night") - 8) < Decimal("0.036")
