"""Changing how often the meter is read, how far back its log, and what is made of that for the household."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from custom_components.broute.const import (
    CONF_DEMAND_TARGET,
    CONF_ENERGY,
    CONF_HISTORY_DAYS,
    CONF_READING_DAY,
    MIN_SCAN_INTERVAL_S,
)
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .world import GET_RES, SECTIONS, has_value, until, value


async def test_options_are_changed(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))

    step = await hass.config_entries.options.async_init(entry.entry_id)
    assert step["type"] is FlowResultType.FORM
    assert step["step_id"] == "init"
    assert step["data_schema"] is not None
    proposed = step["data_schema"](SECTIONS)
    assert proposed.keys() == {CONF_SCAN_INTERVAL, CONF_HISTORY_DAYS, *SECTIONS}
    assert (proposed[CONF_SCAN_INTERVAL], proposed[CONF_HISTORY_DAYS]) == (30, 44)
    assert proposed[CONF_ENERGY] == {}
    typed = proposed | {
        CONF_SCAN_INTERVAL: 120.0,
        CONF_HISTORY_DAYS: 99.0,
        CONF_ENERGY: {CONF_DEMAND_TARGET: 3.5, CONF_READING_DAY: 21.0},
    }
    step = await hass.config_entries.options.async_configure(step["flow_id"], typed)
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == typed
    assert all(isinstance(entry.options[name], int) for name in (CONF_SCAN_INTERVAL, CONF_HISTORY_DAYS))
    assert isinstance(entry.options[CONF_ENERGY][CONF_READING_DAY], int)

    # The entry is set up anew by itself.
    await until(lambda: value(hass, "power") == "unavailable")
    await until(lambda: has_value(hass, "export_energy"))
    assert entry.state is ConfigEntryState.LOADED
    await asyncio.sleep(400)
    times = [answer.at for answer in home.meter.answers if 0xE7 in answer.epcs]
    assert abs(times[-1] - times[-2] - timedelta(seconds=120)) < timedelta(seconds=3)

    step = await hass.config_entries.options.async_init(entry.entry_id)
    assert step["data_schema"] is not None
    form = step["data_schema"].schema
    suggested = {str(field): field.description for field in form}
    assert suggested[CONF_SCAN_INTERVAL] == {"suggested_value": 120}
    assert suggested[CONF_HISTORY_DAYS] == {"suggested_value": 99}
    assert {str(field): field.description for field in form[CONF_ENERGY].schema.schema} == {
        CONF_DEMAND_TARGET: {"suggested_value": 3.5},
        CONF_READING_DAY: {"suggested_value": 21},
    }
    assert [form[name].options for name in SECTIONS] == [{"collapsed": True}] * len(SECTIONS)


async def test_meter_is_read_as_often_as_can_be(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: MIN_SCAN_INTERVAL_S})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(60)
    start = home.clock.now()
    await asyncio.sleep(600)
    # The answer takes a second, which is part of the interval; and once a minute something else is asked.
    assert 600 / 7 < len([at for at, epcs in asked(home, start) if 0xE7 in epcs]) <= 600 / 5


async def test_meter_that_is_read_in_parts_is_not_asked_more_often(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.faults.property_limit = 1
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: MIN_SCAN_INTERVAL_S})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(60)
    start = home.clock.now()
    await asyncio.sleep(600)
    times = [at for at, _ in asked(home, start)]
    assert min(later - earlier for earlier, later in pairwise(times)) > timedelta(seconds=4)
    # Power, currents and two counters take a request each.
    assert 600 / 28 < len([at for at, epcs in asked(home, start) if 0xE7 in epcs]) <= 600 / 20
    assert has_value(hass, "power")


def asked(home: SimulatedHome, start: datetime) -> list[tuple[datetime, Collection[int]]]:
    """Return what the meter has answered to since then, and when."""
    return [(answer.at, answer.epcs) for answer in home.meter.answers if answer.at > start and answer.esv == GET_RES]


@pytest.mark.parametrize(
    "typed",
    [
        {CONF_SCAN_INTERVAL: 4},
        {CONF_SCAN_INTERVAL: 3601},
        {CONF_HISTORY_DAYS: 0},
        {CONF_HISTORY_DAYS: 100},
        {CONF_ENERGY: {CONF_DEMAND_TARGET: 0.4}},
        {CONF_ENERGY: {CONF_DEMAND_TARGET: 50.1}},
        {CONF_ENERGY: {CONF_READING_DAY: 0}},
        {CONF_ENERGY: {CONF_READING_DAY: 32}},
    ],
)
async def test_options_have_limits(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, typed: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(step["flow_id"], SECTIONS | typed)
    hass.config_entries.options.async_abort(step["flow_id"])
