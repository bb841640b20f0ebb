"""What is remembered from one start to the next, and what is done with it."""

import asyncio
from typing import Any

from homeassistant.const import CONF_ID, CONF_PASSWORD
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_METER
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.store import SAVE_DELAY_S
from simulator import ID, PASSWORD, SimulatedHome

from .world import follow, has_value, start_flow, submit, until, value

JOIN_LIMIT_S = 30.0


def stored(storage: dict[str, Any], entry: BrouteConfigEntry) -> dict[str, Any]:
    """Return what is in the storage for an entry."""
    data: dict[str, Any] = storage[f"broute.{entry.entry_id}"]["data"]
    return data


async def learn(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up, wait until everything is known, and unload it."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_second_start_needs_no_scan(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await learn(hass, entry)
    home.module.commands.clear()
    home.meter.answers.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    # The meter refuses whoever comes again within 10 s.
    assert await until(lambda: has_value(hass, "export_energy")) < JOIN_LIMIT_S
    assert "SKSCAN" not in home.module.commands
    assert home.module.commands.count("SKJOIN") == 1
    first = next(answer for answer in home.meter.answers if answer.esv == 0x72)
    assert set(first.epcs) == {0xE0, 0xE3, 0xE7, 0xE8}


async def test_session_that_the_module_still_holds_is_used(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    """Home Assistant was killed: what it had learned is written soon after it was learned."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(2 * SAVE_DELAY_S)
    left = dict(stored(storage, entry))
    assert left["memory"]["left_at"] is None
    home.module.port.unplug()
    assert await hass.config_entries.async_unload(entry.entry_id)
    storage[f"broute.{entry.entry_id}"]["data"] = left
    home.module.port.plug()

    home.module.commands.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    assert await until(lambda: has_value(hass, "power")) < 10
    assert not {"SKSCAN", "SKJOIN"} & set(home.module.commands)


async def test_polls_write_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(2 * SAVE_DELAY_S)
    before = storage[f"broute.{entry.entry_id}"]
    home.meter.paa.end_session()
    await asyncio.sleep(600)
    assert home.module.commands.count("SKJOIN") == 2
    assert storage[f"broute.{entry.entry_id}"] is before

    # One that is heard differently is where it was.
    searched = home.module.commands.count("SKSCAN")
    home.meter.pan.lqi //= 2
    home.faults.refused_joins = 2
    home.meter.paa.end_session()
    await asyncio.sleep(600)
    assert home.module.commands.count("SKSCAN") > searched
    assert has_value(hass, "power")
    assert storage[f"broute.{entry.entry_id}"] is before

    # A meter that has moved is worth it.
    home.meter.pan.channel = 40
    home.meter.paa.end_session()
    await asyncio.sleep(600)
    assert stored(storage, entry)["memory"]["network"]["channel"] == 40


async def test_memory_is_written_when_home_assistant_stops(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    await hass.async_stop()
    memory = stored(storage, entry)["memory"]
    assert memory["network"]["channel"] == home.meter.pan.channel
    assert memory["left_at"]
    assert memory["slowest_s"]


async def test_what_was_known_is_there_from_the_start(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await learn(hass, entry)
    home.meter.pan.powered = False
    await hass.config_entries.async_setup(entry.entry_id)
    constants = entry.runtime_data.meter.constants
    assert constants is not None
    assert constants.measures_export
    assert value(hass, "export_energy") == "unavailable"


@pytest.mark.parametrize("changed", [{CONF_ID: "F" * 32}, {CONF_PASSWORD: "F" * 12}])
async def test_memory_of_other_credentials_is_not_used(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    changed: dict[str, str],
    debug_log: pytest.LogCaptureFixture,
) -> None:
    await learn(hass, entry)
    hass.config_entries.async_update_entry(entry, data={**entry.data, **changed})
    await hass.config_entries.async_setup(entry.entry_id)
    assert debug_log.text.count("the start is cold") == 1
    assert entry.runtime_data.meter.network is None
    assert entry.runtime_data.meter.constants is None


@pytest.mark.parametrize(
    "damage", [{"format": 99}, {"network": {"channel": 7}}, {"constants": {"mac": ""}}, {"slowest_s": None}]
)
async def test_damaged_memory_is_a_cold_start(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    storage: dict[str, Any],
    debug_log: pytest.LogCaptureFixture,
    *,
    damage: dict[str, Any],
) -> None:
    await learn(hass, entry)
    storage[f"broute.{entry.entry_id}"]["data"]["memory"] |= damage
    home.module.commands.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    assert debug_log.text.count("The start is cold") == 1
    await until(lambda: has_value(hass, "power"))
    assert "SKSCAN" in home.module.commands


async def test_memory_without_a_memory_is_a_cold_start(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await learn(hass, entry)
    del storage[f"broute.{entry.entry_id}"]["data"]["memory"]
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.meter.network is None


async def test_memory_goes_with_the_entry(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await hass.config_entries.async_remove(entry.entry_id)
    await asyncio.sleep(10 * SAVE_DELAY_S)
    assert f"broute.{entry.entry_id}" not in storage


async def test_memory_does_not_name_the_credentials(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await learn(hass, entry)
    data = stored(storage, entry)
    assert ID not in str(data)
    assert PASSWORD not in str(data)
    assert len(data["credentials"]) == 64


async def test_config_flow_begins_cold_and_leaves_its_memory_to_the_entry(
    hass: HomeAssistant, home: SimulatedHome, storage: dict[str, Any]
) -> None:
    step, progress = await follow(hass, await submit(hass, await start_flow(hass)))
    assert "searching" in progress
    entry = step["result"]
    await until(lambda: has_value(hass, "export_energy", entry.data[CONF_METER]))
    await asyncio.sleep(2 * SAVE_DELAY_S)
    memory = stored(storage, entry)["memory"]
    assert memory["network"]["channel"] == home.meter.pan.channel
    assert memory["constants"]["manufacturer_code"] == 0x16
