"""The 21 items of the utilities' table: each has a home, as `docs/data-items.md` says, and is asked for."""

import asyncio
from collections.abc import Callable
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.broute.aiobroute import SmartMeter
from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.diagnostics import async_get_config_entry_diagnostics
from simulator import OKINAWA, SimulatedHome

from .world import TOKEN, Ports, has_value, sensor_id, set_up, until

TABLE = Path(__file__).parents[2] / "docs" / "data-items.md"
HALF_HOUR_S = 1800.0


def homes() -> dict[int, list[str]]:
    """Return where the items are, by EPC."""
    rows = re.findall(r"^\| ([0-9A-F]{2}) \|[^|]+\|[^|]+\|([^|]+)\|", TABLE.read_text("utf-8"), re.MULTILINE)
    return {int(epc, 16): re.findall(r"`([^`]+)`", cell) for epc, cell in rows}


@pytest.fixture
async def okinawa(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, wall_clock: Callable[[SimulatedHome], None]
) -> SimulatedHome:
    """Return a home whose meter has these 21 properties and no others, for half an hour."""
    home = ports.plug_in(model=OKINAWA)
    wall_clock(home)
    await set_up(hass, entry)
    await until(lambda: has_value(hass, "clock_drift"))
    await hass.services.async_call(
        DOMAIN, "get_history", {"from": home.clock.now().replace(hour=0)}, blocking=True, return_response=True
    )
    await asyncio.sleep(HALF_HOUR_S)
    return home


def test_table_has_the_items() -> None:
    assert homes().keys() == OKINAWA.readable
    assert len(homes()) == 21
    assert all(homes().values())


async def test_every_home_is_there(hass: HomeAssistant, okinawa: SimulatedHome, entry: BrouteConfigEntry) -> None:
    diagnostics = json.loads(json.dumps(await async_get_config_entry_diagnostics(hass, entry)))
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, TOKEN), entry.entry_id)
    missing = [name for names in homes().values() for name in names if not is_there(hass, device, diagnostics, name)]
    assert missing == []


def is_there(hass: HomeAssistant, device: dr.DeviceEntry | None, diagnostics: Any, name: str) -> bool:
    """Tell whether a home that the table names exists, and holds something."""
    kind, _, rest = name.partition(".")
    match kind:
        case "sensor" | "binary_sensor":
            return (sensor_id(hass, rest) or "").startswith(f"{kind}.")
        case "device":
            return getattr(device, rest, None) is not None
        case "diagnostics":
            for key in rest.split("."):
                diagnostics = diagnostics.get(key, {})
            return diagnostics not in ({}, None)
        case "SmartMeter":
            return hasattr(SmartMeter, rest)
    return False


async def test_every_item_is_asked_for(okinawa: SimulatedHome) -> None:
    told = {epc for answer in okinawa.meter.answers for epc in answer.epcs}
    assert told >= OKINAWA.readable
