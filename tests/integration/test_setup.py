"""The life of an entry: from the start of Home Assistant to its end, and what happens to the port meanwhile."""

import asyncio
import errno
import logging
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
import serialx

from custom_components.broute.coordinator import GRACE_S, BrouteConfigEntry
from simulator import ID, PASSWORD, SimulatedHome

from .world import PORT, TOKEN, UNIQUE_ID, Ports, has_value, is_free, last_command, lines, sensor, until, value

SETUP_LIMIT_S = 0.1
UNLOAD_LIMIT_S = 8.0


async def test_start_does_not_wait_for_the_meter(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.faults.scan_misses = 2
    start = hass.loop.time()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert hass.loop.time() - start < SETUP_LIMIT_S
    assert entry.state is ConfigEntryState.LOADED
    assert value(hass, "power") == "unavailable"

    assert await until(lambda: has_value(hass, "power")) > 30


async def test_meter_is_read_as_soon_as_it_is_joined(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: home.meter.paa.session)
    # Two requests, 5 s apart: a meter that is read for the first time is asked for its counters and its scale twice.
    assert await until(lambda: has_value(hass, "power")) < 7


async def test_port_that_hangs_holds_up_neither_the_start_nor_the_end(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    ports.hanging.add(PORT)
    start = hass.loop.time()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert hass.loop.time() - start < SETUP_LIMIT_S
    assert entry.state is ConfigEntryState.LOADED
    assert value(hass, "power") == "unavailable"

    await until(lambda: ports.opened)
    start = hass.loop.time()
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.loop.time() - start < UNLOAD_LIMIT_S


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "There is no such port"),
        (OSError(errno.EBUSY, "Device or resource busy"), "is using the port"),
        (PermissionError(errno.EACCES, "Permission denied"), "The port cannot be opened"),
        (serialx.SerialException("Something else"), "The port cannot be opened"),
    ],
)
async def test_port_that_cannot_be_opened_is_told_and_used_soon_after_it_can(
    hass: HomeAssistant,
    ports: Ports,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    caplog: pytest.LogCaptureFixture,
    *,
    fault: Exception,
    sentence: str,
) -> None:
    ports.faults[PORT] = fault
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert value(hass, "power") == "unavailable"
    # What is there within a minute is nobody's business.
    await asyncio.sleep(GRACE_S - 1)
    assert lines(caplog) == []
    await asyncio.sleep(600)
    (line,) = lines(caplog)
    assert sentence in line

    ports.faults.clear()
    busy = isinstance(fault, OSError) and fault.errno == errno.EBUSY
    assert await until(lambda: not is_free(home)) < (6.2 if busy else 2.6)
    await until(lambda: has_value(hass, "power"))
    assert len(lines(caplog)) == 2
    assert "The meter is read again" in lines(caplog)[1]


async def test_port_without_a_module_is_told_and_given_back_between_attempts(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    home.faults.module_mute = True
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: lines(caplog))
    (line,) = lines(caplog)
    assert "No supported Wi-SUN module answers" in line
    for _ in range(2):
        await until(lambda: is_free(home))
        await until(lambda: not is_free(home))

    home.faults.module_mute = False
    await until(lambda: has_value(hass, "power"))


async def test_unload_while_searching(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: last_command(home) == "SKSCAN")
    await assert_unloads(hass, home, entry)


async def test_unload_while_authenticating(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    home.meter.paa.join_time_s = 30.0
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: last_command(home) == "SKJOIN")
    await assert_unloads(hass, home, entry)


async def test_unload_while_the_meter_is_asked(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    home.meter.answer_s = (30.0, 30.0)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: last_command(home) == "SKSENDTO")
    await assert_unloads(hass, home, entry)
    assert last_command(home) == "SKTERM"
    assert lines(caplog) == []


async def test_unload_while_the_next_attempt_is_awaited(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.meter.pan.powered = False
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: entry.runtime_data.meter.failure)
    await assert_unloads(hass, home, entry)


async def assert_unloads(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    start = hass.loop.time()
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.loop.time() - start < UNLOAD_LIMIT_S
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert is_free(home)
    assert home.meter.paa.session is None
    assert not home.module.radio.authenticating, "or there will be one"


async def test_reload(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert home.module.commands.count("SKTERM") == 1
    await until(lambda: has_value(hass, "power"), limit_s=60)


async def test_session_is_ended_when_home_assistant_stops(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    await hass.async_stop()
    assert last_command(home) == "SKTERM"
    assert home.meter.paa.session is None
    assert is_free(home)


async def test_what_was_learned_is_kept_when_the_end_is_cut_short(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    home.faults.module_mute = True
    end = asyncio.create_task(entry.runtime_data.async_shutdown())
    await until(lambda: last_command(home) == "SKTERM")
    assert f"broute.{entry.entry_id}" not in storage
    end.cancel()
    with pytest.raises(asyncio.CancelledError):
        await end
    assert storage[f"broute.{entry.entry_id}"]["data"]["memory"]["left_at"]


async def test_stop_while_the_meter_is_asked_is_no_failure(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    home.meter.answer_s = (30.0, 30.0)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: last_command(home) == "SKSENDTO")
    await hass.async_stop()
    assert is_free(home)
    assert lines(caplog) == []


async def test_refused_credentials_are_told_once(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    ports.plug_in(password="X" * 12)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: lines(caplog))
    assert entry.state is ConfigEntryState.LOADED
    await asyncio.sleep(3600)
    (line,) = lines(caplog)
    assert "did not let this module in" in line
    assert value(hass, "power") == "unavailable"


async def test_what_the_meter_is_is_asked_again_after_the_transmission_limit(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, debug_log: pytest.LogCaptureFixture
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    home.module.radio.duty_limited = True
    await until(lambda: "It is not known yet what meter this is" in debug_log.text)
    home.module.radio.duty_limited = False
    assert sensor(hass, "export_energy") is None
    await until(lambda: has_value(hass, "export_energy"), limit_s=400)
    assert home.module.commands.count("SKJOIN") == 1


async def test_nothing_secret_is_logged(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    # The stand-in for the storage shows what is written; the real one does not.
    caplog.set_level(logging.INFO, "pytest_homeassistant_custom_component.common")
    caplog.set_level(logging.DEBUG)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: sensor(hass, "export_energy"))
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "power") == "unavailable")
    home.meter.pan.powered = True
    await until(lambda: has_value(hass, "power"))
    await hass.config_entries.async_unload(entry.entry_id)
    assert "SKJOIN" in caplog.text
    for secret in (ID, PASSWORD, ID[-8:], home.meter.pan.mac.hex().upper(), home.meter.model.serial):
        assert secret.casefold() not in caplog.text.casefold()


async def test_identifiers_say_nothing_of_the_meter(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: sensor(hass, "export_energy"))
    assert entry.unique_id == UNIQUE_ID
    for state in hass.states.async_all():
        assert ID[-8:].casefold() not in str(state.as_dict()).casefold()
        assert TOKEN not in str(state.as_dict())
