"""A Home Assistant without a recorder: there is nowhere to put the log, and everything else is as ever."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import logging

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.const import CONF_SUN, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .world import lines, sensor_id, set_up, until, value


@pytest.fixture
async def home(home: SimulatedHome, wall_clock: Callable[[SimulatedHome], None]) -> SimulatedHome:
    """Return the simulated home, by whose clock Home Assistant goes."""
    wall_clock(home)
    return home


async def test_everything_but_the_log_works(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, debug_log: pytest.LogCaptureFixture
) -> None:
    assert "recorder" not in hass.config.components
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "power") == str(home.truth().power_w))
    entity_id = sensor_id(hass, "fixed_import_energy")
    assert entity_id
    er.async_get(hass).async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    # A half hour and a clock are told whether or not anybody keeps them.
    await asyncio.sleep(timedelta(minutes=50).total_seconds())
    assert value(hass, "fixed_import_energy") == str(home.truth().fixed_import_kwh)
    assert entry.runtime_data.log.clock.is_right
    assert entry.runtime_data.log.progress.days_read == 0
    assert any("The recorder is not there" in line for line in lines(debug_log, logging.DEBUG))
    assert lines(debug_log, logging.INFO) == []


async def test_import_says_that_there_is_no_recorder(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: home.meter.paa.session)
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(DOMAIN, "import_history", {}, blocking=True, return_response=True)
    assert raised.value.translation_key == "recorder_not_there"


async def test_energy_of_the_house_needs_the_recorder(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_SUN: {"pv_energy": ["sensor.pv_energy"]}})
    await set_up(hass, entry)
    assert sensor_id(hass, "house_today") is None
    assert sensor_id(hass, "self_consumed_today") is None
