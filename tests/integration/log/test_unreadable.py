"""Parts of the log that cannot be understood, or are of another day than they were asked for."""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, SimulatedHome

from .rows import HOUR, changes, complete_until, missing, truth

MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
DAY = timedelta(days=1)


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


async def import_again(hass: HomeAssistant) -> Any:
    """Call the action that reads yesterday and today once more."""
    return await hass.services.async_call(DOMAIN, "import_history", {"days": 1}, blocking=True, return_response=True)


async def sleep_until(home: SimulatedHome, at: datetime) -> None:
    await asyncio.sleep((at - home.clock.now()).total_seconds())


async def test_day_that_cannot_be_understood_is_asked_for_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.faults.replaced_values["E2"] = deque(["0001"] * 3 * 2)
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    assert not home.faults.replaced_values["E2"]
    found = await changes(hass, "import")
    assert min(found) == MIDNIGHT - DAY
    assert found == truth(home, found, "import")
    assert not missing(found)


async def test_log_is_read_over_midnight_and_no_day_is_taken_for_another(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    await sleep_until(home, MIDNIGHT + DAY - timedelta(seconds=20))
    await import_again(hass)
    assert home.clock.now() > MIDNIGHT + DAY
    for direction in ("import", "export"):
        found = await changes(hass, direction)
        assert found == truth(home, found, direction)
        assert not missing(found)


async def test_day_that_the_meter_refuses_is_one_without_data(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, MIDNIGHT + 17 * HOUR)
    before = await changes(hass, "import")
    home.meter.object.settable -= {0xE5, 0xED}

    imported = await import_again(hass)
    assert len(imported["days_read"]) == 2
    assert imported["hours_written"] == {}
    assert await changes(hass, "import") == before

    span = {"from": MIDNIGHT, "to": MIDNIGHT + HOUR}
    log: Any = await hass.services.async_call(DOMAIN, "get_history", span, blocking=True, return_response=True)
    assert log == {"half_hours": []}
