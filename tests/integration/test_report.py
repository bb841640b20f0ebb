"""The report for whoever looks after the link: what is in it, and what is not."""

import asyncio
from collections.abc import Callable
import re

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_load_integrations
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import ID, PASSWORD, SimulatedHome, link_local

from .world import TOKEN, UNIQUE_ID, Ports, add_entry, set_up, until, value


@pytest.fixture
async def home(ports: Ports, wall_clock: Callable[[SimulatedHome], None]) -> SimulatedHome:
    """Return a home, by whose clock Home Assistant goes."""
    home = ports.plug_in()
    wall_clock(home)
    return home


async def report(hass: HomeAssistant) -> str:
    response = await hass.services.async_call(DOMAIN, "report", {}, blocking=True, return_response=True)
    assert response is not None
    text = response["text"]
    assert isinstance(text, str)
    return text


async def test_report_of_a_healthy_link(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await hass.config.async_set_time_zone("Asia/Tokyo")
    await set_up(hass, entry)
    await asyncio.sleep(3600)
    lines = (await report(hass)).splitlines()
    statistics = entry.runtime_data.meter.statistics
    assert lines[0].startswith("Report on the B-route link, 2026-11-21 19:")
    assert re.fullmatch(r"Wi-SUN module: SKSTACK.*, version 1\.5\.2, firmware \S+", lines[1])
    assert lines[2].endswith("standard version F")
    assert lines[3] == "Connected: yes"
    assert lines[4].startswith(f"Since the start: {statistics.answers} of {statistics.requests} requests answered;")
    assert lines[5].startswith("Connections since the start: 1 (attempts: 1,")
    hours = [line for line in lines if line.startswith("- 2026-11-21 1")][:2]
    assert re.fullmatch(r"- 2026-11-21 18:00:00: -42 dBm \(-42 to -42\), \d+ of \d+ answered", hours[0])
    assert hours[1].startswith("- 2026-11-21 19:00:00: -42 dBm")
    events = lines[lines.index("Last events:") + 1 :]
    assert any(re.fullmatch(r"- 2026-11-21 18:2\d:\d\d session joined", event) for event in events)


async def test_report_of_an_outage(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: (outage := entry.runtime_data.meter.outage) is not None and outage.searches_in_vain > 1, 1200)
    text = await report(hass)
    assert "Connected: no. The meter was not heard. Take the module closer to it." in text
    outage = entry.runtime_data.meter.outage
    assert outage is not None
    assert f": {outage.attempts} attempts, {outage.searches_in_vain} whole searches in a row that heard nothing" in text
    assert "Connections lost, by cause: ended_by_meter 1" in text
    assert "attempt failed: MeterNotFoundError" in text


async def test_meter_that_refuses_is_reported_with_how_it_was_heard(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.reissue(password="BA9876543210")
    home.meter.paa.end_session()
    await until(lambda: (outage := entry.runtime_data.meter.outage) is not None and outage.heard_dbm is not None, 600)
    assert "Heard by the last search with -42 dBm" in await report(hass)


async def test_report_without_a_module(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(60)
    lines = (await report(hass)).splitlines()
    assert lines[1] == "Wi-SUN module: none has answered"
    assert lines[2].startswith("Connected: no. There is no such port.")
    assert "Signal and answers, from hour to hour:" not in lines


async def test_module_that_tells_no_signal(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    ports.plug_in(module="BP35A1")
    await set_up(hass, entry)
    assert re.search(r"^- \S+ \S+: signal not told, \d+ of \d+ answered$", await report(hass), re.MULTILINE)


@pytest.mark.usefixtures("home")
async def test_report_in_japanese(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    hass.config.language = "ja"
    await async_load_integrations(hass, {DOMAIN})
    await set_up(hass, entry)
    lines = (await report(hass)).splitlines()
    assert lines[0].startswith("Bルート通信の報告（")
    assert lines[3] == "接続：あり"


async def test_nothing_tells_whose_meter_it_is(
    hass: HomeAssistant, ports: Ports, wall_clock: Callable[[SimulatedHome], None]
) -> None:
    device = "socket://meter-cupboard.example.org:4000?key=NOTFOROTHERS"
    home = ports.plug_in(device)
    wall_clock(home)
    entry = add_entry(hass, UNIQUE_ID, device)
    hass.config_entries.async_update_entry(entry, title="House of somebody")
    await set_up(hass, entry)
    texts = [await report(hass)]
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "power") == "unavailable")
    texts.append(await report(hass))
    pan = home.meter.pan
    private = [
        *(ID, PASSWORD, ID[-8:], TOKEN, entry.entry_id, "somebody", "example.org", "NOTFOROTHERS"),
        *(home.meter.model.serial, pan.mac.hex(), home.module.radio.mac.hex()),
        *(link_local(pan.mac).hex(), f"{pan.pan_id:04X}", pan.mac[-3:].hex()),
    ]
    for text in texts:
        for secret in private:
            assert secret.casefold() not in text.casefold(), secret
