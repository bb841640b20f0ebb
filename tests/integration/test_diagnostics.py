"""Diagnostics: what helps, and nothing that tells whose meter it is."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.broute.const import CONF_SUN, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.diagnostics import async_get_config_entry_diagnostics
from simulator import ID, PASSWORD, SimulatedHome, link_local

from .world import PORT, TOKEN, UNIQUE_ID, Ports, add_entry, has_value, set_up, until, value


def has_issue(hass: HomeAssistant) -> bool:
    return any(domain == DOMAIN for domain, _ in ir.async_get(hass).issues)


async def diagnostics(hass: HomeAssistant, entry: BrouteConfigEntry) -> dict[str, Any]:
    """Return the diagnostics as they are downloaded."""
    downloaded: dict[str, Any] = json.loads(json.dumps(await async_get_config_entry_diagnostics(hass, entry)))
    return downloaded


async def test_names_of_other_entities_stay_out(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    sun = {"pv_power": ["sensor.a", "sensor.b"], "max_age": 60}
    hass.config_entries.async_update_entry(entry, options={CONF_SUN: sun})
    await set_up(hass, entry)
    found = await diagnostics(hass, entry)
    assert found["options"] == {CONF_SUN: {"pv_power": 2, "max_age": 60}}
    assert entry.options[CONF_SUN] == sun


async def test_what_helps_is_in_it(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, options={"scan_interval": 60})
    home.faults.noise_lines.append(b"\xff\x00garbage")
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    # The counter stands at 0 for one answer, and where it was when it is asked for again.
    home.faults.replaced_values["E0"] = deque(["00000000"])
    await until(lambda: "E0" in home.faults.replaced_values and not home.faults.replaced_values["E0"])
    await asyncio.sleep(10)
    home.faults.unencrypted_copies = 1
    home.meter.paa.end_session()
    await until(lambda: entry.runtime_data.meter.statistics.sessions == 2)
    await until(lambda: "unencrypted" in entry.runtime_data.meter.statistics.drops)
    found = await diagnostics(hass, entry)
    assert found["options"] == {"scan_interval": 60}
    assert found["port"] == "local"
    assert found["module"]["dialect"] == "dual-stack"
    assert found["module"]["version"]
    assert found["module"]["application_version"]
    session = found["session"]
    assert session["state"] == "joined"
    assert session["failure"] is None
    assert session["failure_in_words"] is None
    assert session["reading_is_overdue"] is False
    assert session["channel"] == home.meter.pan.channel
    assert -110 < session["rssi_dbm"] < -20
    assert session["response_timers_s"].keys() == {"one", "several", "history"}
    assert session["response_timers_s"]["several"] == 8
    assert session["response_timers_s"]["history"] == 60
    statistics = found["statistics"]
    assert statistics["requests"] >= statistics["answers"] > 1
    assert statistics["sessions"] == statistics["joins"] == 2
    assert statistics["scans"] >= 1
    assert statistics["losses"] == {"ended_by_meter": 1}
    assert statistics["drops"]["unencrypted"] == 1
    # What is read for the first time is asked for twice, too.
    assert found["held_back"] == {"first": 2, "fall": 1}
    assert found["dropped"] == {"fall": 1}
    assert found["meter"]["manufacturer_code"] == "000016"
    assert found["meter"]["standard_version"] == "F"
    assert found["meter"]["unit_kwh"] == "0.1"
    assert {"E0", "E3", "E7", "E8"} <= set(found["meter"]["get_map"])
    assert "E5" in found["meter"]["set_map"]
    assert "80" in found["meter"]["announcement_map"]
    assert found["unreadable"] == {}
    # There is no recorder, and the simulated home has another date than this machine.
    log = found["log"]
    assert log["complete_until"] is None
    assert log["clock_is_right"] is False
    assert log["failure"] == "The meter's clock is not right"
    # The meter shows minutes, and the request waits for its turn, a minute at the most.
    low_s, high_s = log["clock_offset_s"]
    assert 0 < high_s - low_s <= 120


async def test_why_the_meter_is_not_read_is_in_it(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.module.port.unplug()
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: entry.runtime_data.is_overdue)
    found = await diagnostics(hass, entry)
    assert found["module"] is None
    assert found["meter"] is None
    assert found["session"]["failure"] == "port_missing"
    assert found["session"]["failure_in_words"] == "There is no such port"
    assert found["session"]["reading_is_overdue"] is True
    assert found["session"]["channel"] is None
    assert found["session"]["heard_at"] is None
    outage = found["session"]["outage"]
    assert datetime.fromisoformat(outage.pop("since"))
    assert outage.pop("attempts") > 10
    assert outage == {"searches_in_vain": 0, "refusals": 0, "heard_dbm": None}
    assert found["unreadable"] == {}
    await until(lambda: has_issue(hass))
    assert (await diagnostics(hass, entry))["issues"] == ["module_missing"]


async def test_last_events_are_in_it_with_their_times(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    wall_clock: Callable[[SimulatedHome], None],
) -> None:
    wall_clock(home)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(300)
    lost_at = home.clock.now()
    home.meter.paa.end_session()
    await asyncio.sleep(60)
    found = await diagnostics(hass, entry)
    assert found["issues"] == []
    assert found["session"]["outage"] is None
    assert (
        timedelta(0) <= home.clock.now() - datetime.fromisoformat(found["session"]["heard_at"]) < timedelta(minutes=1)
    )
    (lost,) = [event for event in found["last_events"] if "lost" in event["what"]]
    assert abs(datetime.fromisoformat(lost["at"]) - lost_at) < timedelta(seconds=5)
    assert lost["times"] == 1


async def test_value_that_cannot_be_read_is_in_it(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    home.meter.object.readable -= {0xE8}
    await until(lambda: value(hass, "current_r") == "unknown")
    assert (await diagnostics(hass, entry))["unreadable"].keys() == {"E8"}


@pytest.mark.parametrize("device", [PORT, "socket://meter-cupboard.example.org:4000?key=NOTFOROTHERS"])
async def test_nothing_tells_whose_meter_it_is(hass: HomeAssistant, ports: Ports, device: str) -> None:
    home = ports.plug_in(device)
    entry = add_entry(hass, UNIQUE_ID, device)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    texts = [json.dumps(await diagnostics(hass, entry))]
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "power") == "unavailable")
    texts.append(json.dumps(await diagnostics(hass, entry)))
    pan = home.meter.pan
    private = [
        *(ID, PASSWORD, ID[-8:], TOKEN, entry.entry_id, device, "ttyUSB", "example.org", "NOTFOROTHERS"),
        *(home.meter.model.serial, pan.mac.hex(), str(list(pan.mac)), home.module.radio.mac.hex()),
        *(link_local(pan.mac).hex(), f"{pan.pan_id:04X}", str(pan.pan_id), pan.mac[-3:].hex()),
    ]
    for text in texts:
        for secret in private:
            assert secret.casefold() not in text.casefold(), secret
