"""Entries that older versions have made: whoever changes their shape writes a migration, and shows it here."""

from typing import Any

from homeassistant.config_entries import ConfigEntries, ConfigEntryState
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, CONF_METER, DOMAIN
from simulator import ID, PASSWORD, SimulatedHome

from .world import PORT, TOKEN, UNIQUE_ID, follow, has_value, start_flow, submit, until

AS_0_1_0_STORES_IT: dict[str, Any] = {
    "created_at": "2026-11-21T09:24:00.000000+00:00",
    "data": {"device": PORT, "id": ID, "meter": TOKEN, "password": PASSWORD},
    "disabled_by": None,
    "discovery_keys": {},
    "domain": "broute",
    "entry_id": "01KAJQ8X0V0V0V0V0V0V0V0V0V",
    "minor_version": 1,
    "modified_at": "2026-11-21T09:24:00.000000+00:00",
    "options": {"history_days": 44, "scan_interval": 10},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "subentries": [],
    "title": "B-Route Smart Meter",
    "unique_id": UNIQUE_ID,
    "version": 1,
}


@pytest.fixture
async def stored(hass: HomeAssistant, storage: dict[str, Any]) -> None:
    """Let Home Assistant find what 0.1.0 has stored."""
    key = "core.config_entries"
    storage[key] = {"version": 1, "minor_version": 5, "key": key, "data": {"entries": [AS_0_1_0_STORES_IT]}}
    hass.config_entries = ConfigEntries(hass, {})
    await hass.config_entries.async_initialize()


@pytest.mark.usefixtures("stored")
async def test_entry_of_0_1_0(hass: HomeAssistant, home: SimulatedHome) -> None:
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await until(lambda: has_value(hass, "power"))
    assert entry.data == AS_0_1_0_STORES_IT["data"]
    assert entry.options == {CONF_SCAN_INTERVAL: 10, CONF_HISTORY_DAYS: 44}


async def test_entry_is_made_as_0_1_0_made_it(hass: HomeAssistant, home: SimulatedHome) -> None:
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    entry = step["result"]
    assert entry.data.keys() == {CONF_DEVICE, CONF_ID, CONF_METER, CONF_PASSWORD}
    assert (entry.version, entry.minor_version) == (AS_0_1_0_STORES_IT["version"], AS_0_1_0_STORES_IT["minor_version"])
