"""What the module tells of the link, while there is one and while there is none."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import ConstantLoad, SimulatedHome
from simulator.air import rssi_dbm
from simulator.happenings import Happenings

from .world import Ports, has_value, sensor, sensor_id, set_up, shown, until, value

INTERVAL_S = 30.0

every_entity_enabled = pytest.mark.usefixtures("every_entity_enabled")


async def test_state_is_told_from_the_port_to_the_meter(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    states: dict[str, list[str]] = {}

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        if new := event.data["new_state"]:
            states.setdefault(new.entity_id, []).append(new.state)

    hass.bus.async_listen(EVENT_STATE_CHANGED, take)
    await set_up(hass, entry)
    assert states[sensor_id(hass, "link_state") or ""] == ["opening", "searching", "authenticating", "joined"]
    assert states[sensor_id(hass, "connected") or ""] == ["off", "on"]


async def test_renewed_session_is_still_a_connection(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    connected, link_state = shown(hass, "connected"), shown(hass, "link_state")
    home.faults.late_renewals.append(20.0)
    Happenings(home).session_expired()
    await until(lambda: "joined" in link_state)
    assert link_state == ["renewing", "joined"]
    assert connected == []


async def test_missing_module_is_told(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    home.module.port.unplug()
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "link_state") == "waiting")
    assert value(hass, "connected") == "off"
    assert value(hass, "power") == "unavailable"

    home.module.port.plug()
    await until(lambda: value(hass, "connected") == "on")
    assert value(hass, "link_state") == "joined"


async def test_lost_meter_is_told_at_once_and_until_it_is_back(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    connected, link_state = shown(hass, "connected"), shown(hass, "link_state")
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await asyncio.sleep(1)
    assert connected == ["off"]
    await until(lambda: "searching" in link_state)
    home.meter.pan.powered = True
    await until(lambda: value(hass, "connected") == "on")
    assert connected == ["off", "on"]
    assert set(link_state) == {"waiting", "authenticating", "searching", "joined"}


@every_entity_enabled
async def test_link_quality_is_that_of_the_last_answer(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    assert value(hass, "link_quality") == str(home.meter.pan.lqi)
    home.meter.pan.lqi = 0x50
    await asyncio.sleep(INTERVAL_S + 5)
    assert value(hass, "link_quality") == str(0x50)

    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "link_quality") == "unknown")


@every_entity_enabled
@pytest.mark.parametrize("module", ["BP35C2", "BP35C0-J11"])
async def test_signal_strength_is_that_of_the_last_answer(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, module: str
) -> None:
    """Also while the reading is the same each time."""
    home = ports.plug_in(module=module, load=ConstantLoad(0))
    await set_up(hass, entry)
    assert value(hass, "signal_strength") == str(rssi_dbm(home.meter.pan.lqi))
    home.meter.pan.lqi = 0x50
    await asyncio.sleep(INTERVAL_S + 5)
    assert value(hass, "signal_strength") == str(rssi_dbm(0x50))

    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "signal_strength") == "unknown")


@every_entity_enabled
async def test_only_what_the_module_tells_with_each_answer_is_there(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    """What it tells only when it scans would stay as it was then for months."""
    home = ports.plug_in(module="BP35A1")
    await set_up(hass, entry)
    assert sensor_id(hass, "signal_strength") is None
    assert sensor_id(hass, "link_quality") is None

    home.replace_module("BP35C2")
    await until(lambda: has_value(hass, "signal_strength"))
    assert has_value(hass, "link_quality")
    home.replace_module("BP35C0-J11")
    await until(lambda: sensor_id(hass, "link_quality") is None)
    assert has_value(hass, "signal_strength")
    home.replace_module("BP35A1")
    await until(lambda: sensor_id(hass, "signal_strength") is None)


@every_entity_enabled
async def test_module_that_is_not_there_keeps_its_entities(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    home.module.port.unplug()
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "link_state") == "waiting")
    assert value(hass, "signal_strength") == value(hass, "link_quality") == "unknown"
    home.module.port.plug()
    await until(lambda: has_value(hass, "signal_strength"))


@every_entity_enabled
async def test_last_seen_is_the_minute_of_the_last_answer(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, wall_clock: Callable[[SimulatedHome], None]
) -> None:
    wall_clock(home)
    await set_up(hass, entry)

    def last() -> datetime:
        answered_at = home.meter.answers[-1].at
        return answered_at.replace(second=0, microsecond=0)

    async def assert_last_seen() -> None:
        await asyncio.sleep(1)
        state = value(hass, "last_seen")
        assert state is not None
        assert datetime.fromisoformat(state) == last()

    for _ in range(5):
        polls = sum(0xE7 in answer.epcs for answer in home.meter.answers)
        await until(lambda known=polls: sum(0xE7 in answer.epcs for answer in home.meter.answers) > known)  # type: ignore[misc]
        await assert_last_seen()
    home.faults.meter_silent = True
    await until(lambda: value(hass, "power") == "unavailable")
    await assert_last_seen()


@every_entity_enabled
async def test_meter_that_was_never_heard_was_not_seen(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.module.port.unplug()
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: value(hass, "link_state") == "waiting")
    assert value(hass, "last_seen") == "unknown"


@every_entity_enabled
async def test_requests_that_fail_are_counted(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    assert value(hass, "failed_requests") == "0"
    home.faults.datagrams_lost = 1
    await until(lambda: value(hass, "failed_requests") == "1")
    home.faults.failed_sends = 1
    await until(lambda: value(hass, "failed_requests") == "2")
    # It stays where it is while there is no session.
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "connected") == "off")
    assert value(hass, "failed_requests") == "2"


async def test_noisy_ones_are_disabled_by_default(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    registry = er.async_get(hass)
    disabled = {
        registered.unique_id.partition("_")[2]
        for registered in er.async_entries_for_config_entry(registry, entry.entry_id)
        if registered.disabled
    }
    assert disabled == {
        *("failed_requests", "fixed_export_energy", "fixed_import_energy", "installation_location"),
        *("last_seen", "link_quality", "signal_strength"),
    }


async def test_news_of_the_link_are_none_of_a_reading(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """A value that is reported anew is a new sample to whoever integrates it."""
    await set_up(hass, entry)
    state = sensor(hass, "power")
    assert state is not None
    reported = state.last_reported
    link_state = shown(hass, "link_state")
    home.meter.paa.end_session()
    await until(lambda: "authenticating" in link_state)
    assert sensor(hass, "power") is state
    assert state.last_reported == reported
