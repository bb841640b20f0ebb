"""The daily report: yesterday, as the meter's own registers have it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, ScriptedLoad

from ..world import until, value
from .house import House, say

NAME = "daily_report"
YESTERDAY = datetime(2026, 11, 20, tzinfo=JST)


async def automate(house: House, read: BrouteConfigEntry, **inputs: Any) -> None:
    said = say("{{ title }}|{{ message }}")
    at = (house.now + timedelta(seconds=60)).strftime("%H:%M:%S")
    await house.automate(NAME, entry=read.entry_id, at=at, on_report=[said], **inputs)


def imported(house: House, start: datetime, end: datetime) -> Decimal:
    first, last = house.home.truth(start).import_kwh, house.home.truth(end).import_kwh
    assert first is not None
    assert last is not None
    return last - first


@pytest.fixture
def options() -> dict[str, Any]:
    """Return options that leave the log its room."""
    return {CONF_SCAN_INTERVAL: 30}


@pytest.fixture
def load() -> ScriptedLoad:
    """Return a load of 500 W, but for an hour and a half of yesterday."""
    load = ScriptedLoad(500)
    load.step(YESTERDAY + timedelta(hours=18), 2500)
    load.step(YESTERDAY + timedelta(hours=18, minutes=30), 3200)
    load.step(YESTERDAY + timedelta(hours=19), -700)
    load.step(YESTERDAY + timedelta(hours=20), 500)
    return load


async def test_day_as_the_registers_have_it(house: House, read: BrouteConfigEntry) -> None:
    await automate(house, read, language="en")
    await until(lambda: house.told, 600)
    total = imported(house, YESTERDAY, YESTERDAY + timedelta(days=1))
    assert total == Decimal("13.850")
    assert house.told[0].splitlines() == [
        "Electricity on 2026-11-20|Imported 13.8 kWh",
        "Exported 0.7 kWh",
        "Highest demand 3.2 kW (half hour from 18:30)",
    ]


async def test_day_in_japanese_with_the_report_on_the_link(
    hass: HomeAssistant, house: House, read: BrouteConfigEntry
) -> None:
    await automate(house, read, with_link=True)
    await until(lambda: house.told, 600)
    assert "2026-11-20 の電力|買電 13.8 kWh" in house.told[0]
    assert "最大デマンド 3.2 kW（18:30 から 30 分）" in house.told[0]
    report = await hass.services.async_call("broute", "report", {}, blocking=True, return_response=True)
    assert report
    assert str(report["text"]).splitlines()[1] in house.told[0]


async def test_without_a_connection(hass: HomeAssistant, house: House, read: BrouteConfigEntry) -> None:
    house.home.module.port.unplug()
    await until(lambda: value(hass, "connected") == "off")
    await automate(house, read, language="en")
    await until(lambda: house.told, 600)
    assert "The log of yesterday could not be read" in house.told[0]
