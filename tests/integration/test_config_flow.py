"""Adding a meter, with everything that can go wrong on the way to its first reading."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
import errno
import gc
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch
import weakref

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
import pytest
import serialx

from custom_components.broute.config_flow import BrouteConfigFlow
from custom_components.broute.const import CONF_METER, DOMAIN
from custom_components.broute.coordinator import JOINED_METERS, BrouteConfigEntry
from custom_components.broute.flow.attempt import KEEP_JOINED_S
from custom_components.broute.identity import async_unique_id
from simulator import ID, PASSWORD, SimulatedHome

from .world import (
    PORT,
    TYPED,
    Ports,
    add_entry,
    follow,
    has_value,
    is_free,
    last_command,
    lines,
    start_flow,
    submit,
    suggestions,
    truth,
    until,
    value,
)

ABORT_LIMIT_S = 8.0
OTHER_ID = "FFEEDDCCBBAA99887766554433221100"


async def add_meter(hass: HomeAssistant) -> BrouteConfigEntry:
    """Add the meter of the simulated home, and return its entry."""
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    assert step["type"] is FlowResultType.CREATE_ENTRY, step
    return step["result"]


async def test_meter_is_added_and_shows_its_values_at_once(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await start_flow(hass)
    assert step["type"] is FlowResultType.FORM
    assert step["step_id"] == "user"
    assert step["errors"] == {}

    step, shown = await follow(hass, await submit(hass, step))
    assert shown == ["opening", "searching", "authenticating", "reading"]
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert step["title"] == "B-Route Smart Meter"
    entry = step["result"]
    assert entry.state is ConfigEntryState.LOADED
    token = entry.data[CONF_METER]
    assert entry.data == TYPED | {CONF_METER: token}
    assert entry.options == {}

    shown_power = value(hass, "power", token)
    assert shown_power is not None
    assert Decimal(shown_power) == truth(home, 0xE7).power_w
    # The meter that the flow has joined is the one that the entry reads.
    assert home.module.commands.count("SKJOIN") == 1
    assert "SKTERM" not in home.module.commands
    await until(lambda: len(home.meter.answers) > 4)
    assert not is_free(home)


async def test_entry_keeps_the_meter_when_the_flow_is_over(hass: HomeAssistant, home: SimulatedHome) -> None:
    entry = await add_meter(hass)
    await asyncio.sleep(2 * KEEP_JOINED_S)
    assert home.module.commands.count("SKJOIN") == 1
    assert home.meter.paa.session
    assert not hass.data[JOINED_METERS]

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert is_free(home)


async def test_flow_is_forgotten_when_it_is_over(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    flow = hass.config_entries.flow._progress[step["flow_id"]]
    assert isinstance(flow, BrouteConfigFlow)
    assert flow._attempt
    forgotten: list[weakref.ref[Any]] = [weakref.ref(flow), weakref.ref(flow._attempt)]
    del flow
    await follow(hass, step)
    gc.collect()
    assert [one() for one in forgotten] == [None, None]


async def test_what_was_typed_is_mended(hass: HomeAssistant, home: SimulatedHome) -> None:
    typed_id = "００１１-2233 4455 6677\u20108899 aabb ccdd eeff "
    step = await submit(hass, await start_flow(hass), id=typed_id, password=" 0123 4567-89ab")
    step, _ = await follow(hass, step)
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert step["data"][CONF_ID] == ID
    assert step["data"][CONF_PASSWORD] == PASSWORD


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({CONF_ID: ID[:-1]}, {CONF_ID: "invalid_id"}),
        ({CONF_PASSWORD: PASSWORD + "0"}, {CONF_PASSWORD: "invalid_password"}),
        ({CONF_ID: "", CONF_PASSWORD: ""}, {CONF_ID: "invalid_id", CONF_PASSWORD: "invalid_password"}),
    ],
)
async def test_malformed_credentials_are_told_before_the_port_is_touched(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, typed: dict[str, str], errors: dict[str, str]
) -> None:
    step = await submit(hass, await start_flow(hass), **typed)
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == errors
    assert suggestions(step) == {key: (TYPED | typed)[key] for key in (CONF_DEVICE, CONF_ID)}
    assert ports.opened == []

    step, _ = await follow(hass, await submit(hass, step))
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_form_can_be_closed(hass: HomeAssistant, home: SimulatedHome, caplog: pytest.LogCaptureFixture) -> None:
    step = await start_flow(hass)
    hass.config_entries.flow.async_abort(step["flow_id"])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_same_meter_is_refused_before_a_port_is_touched(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    await add_meter(hass)
    opened = list(ports.opened)
    step = await submit(hass, await start_flow(hass), device="/dev/ttyUSB1", id=ID.lower())
    assert step["type"] is FlowResultType.ABORT
    assert step["reason"] == "already_configured"
    assert ports.opened == opened


async def test_port_of_another_meter_is_refused_before_it_is_touched(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    await add_meter(hass)
    opened = list(ports.opened)
    step = await submit(hass, await start_flow(hass), id=OTHER_ID)
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {CONF_DEVICE: "port_in_use"}
    assert ports.opened == opened

    ports.plug_in("/dev/ttyUSB1", id=OTHER_ID)
    step, _ = await follow(hass, await submit(hass, step, id=OTHER_ID, device="/dev/ttyUSB1"))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    tokens = {entry.data[CONF_METER] for entry in hass.config_entries.async_entries(DOMAIN)}
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("device", "typed"),
    [
        ("socket://192.168.1.10:4000", "socket://192.168.1.10:4000"),
        ("socket://Server.local:4000", "SOCKET://server.local:4000"),
        ("rfc2217://192.168.1.10:4000?ign_set_control", "socket://192.168.1.10:4000"),
        ("esphome-hass://esphome/a?port_name=wisun", "esphome-hass://esphome/a?port_name=wisun"),
    ],
)
async def test_same_address_of_another_meter_is_refused_before_it_is_touched(
    hass: HomeAssistant, ports: Ports, device: str, typed: str
) -> None:
    add_entry(hass, "another", device)
    step = await submit(hass, await start_flow(hass), device=typed)
    assert step["errors"] == {CONF_DEVICE: "port_in_use"}
    assert ports.opened == []


@pytest.mark.parametrize(
    ("device", "typed"),
    [
        ("socket://192.168.1.10:4000", "socket://192.168.1.10:4001"),
        ("esphome-hass://esphome/a?port_name=wisun", "esphome-hass://esphome/a?port_name=other"),
    ],
)
async def test_other_port_of_the_same_host_can_be_used(
    hass: HomeAssistant, ports: Ports, device: str, typed: str
) -> None:
    add_entry(hass, "another", device)
    ports.plug_in(typed)
    step, _ = await follow(hass, await submit(hass, await start_flow(hass), device=typed))
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_port_is_known_by_all_its_names(hass: HomeAssistant, ports: Ports, tmp_path: Path) -> None:
    real = tmp_path / "ttyUSB0"
    real.touch()
    for name in ("by-id", "by-path"):
        (tmp_path / name).symlink_to(real)
    add_entry(hass, "another", str(tmp_path / "by-id"))
    for name in ("by-id", "by-path", "ttyUSB0"):
        step = await submit(hass, await start_flow(hass), device=str(tmp_path / name))
        assert step["errors"] == {CONF_DEVICE: "port_in_use"}
    assert ports.opened == []


@pytest.mark.parametrize("typed", ["socket://[fe80::1:4000", "/dev/\0ttyUSB0"])
async def test_what_is_no_address_is_told_at_the_port(hass: HomeAssistant, ports: Ports, typed: str) -> None:
    add_entry(hass, "another", "socket://192.168.1.10:4000")
    step, _ = await follow(hass, await submit(hass, await start_flow(hass), device=typed))
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {CONF_DEVICE: "port_missing"}


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), {CONF_DEVICE: "port_missing"}),
        (OSError(errno.EBUSY, "Device or resource busy"), {CONF_DEVICE: "port_busy"}),
        (PermissionError(errno.EACCES, "Permission denied"), {CONF_DEVICE: "cannot_open_port"}),
        (serialx.SerialException("Something else"), {CONF_DEVICE: "cannot_open_port"}),
        (ZeroDivisionError(), {CONF_DEVICE: "cannot_open_port"}),
    ],
)
async def test_port_that_cannot_be_opened(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, fault: Exception, errors: dict[str, str]
) -> None:
    ports.faults[PORT] = fault
    step, shown = await follow(hass, await submit(hass, await start_flow(hass)))
    assert shown == ["opening"]
    await assert_told_and_added_after_all(hass, home, step, errors, ports.faults.clear)


async def test_surprise_from_a_library(
    hass: HomeAssistant, home: SimulatedHome, caplog: pytest.LogCaptureFixture
) -> None:
    async def surprise(*_: object, **__: object) -> tuple[asyncio.Transport, None]:
        return asyncio.Transport(), None  # which can do nothing

    with patch("serialx.create_serial_connection", surprise):
        step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    # The form says that the log says more.
    assert "Traceback" in caplog.text
    await assert_told_and_added_after_all(hass, home, step, {"base": "unknown"}, lambda: None)


async def test_port_that_another_program_holds(hass: HomeAssistant, home: SimulatedHome) -> None:
    other = await home.open_port(PORT, asyncio.Protocol)
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    other.close()
    await assert_told_and_added_after_all(hass, home, step, {CONF_DEVICE: "port_busy"})


async def test_port_without_a_module(hass: HomeAssistant, home: SimulatedHome) -> None:
    home.faults.module_mute = True
    step, shown = await follow(hass, await submit(hass, await start_flow(hass)))
    assert shown == ["opening"]

    def speak() -> None:
        home.faults.module_mute = False

    await assert_told_and_added_after_all(hass, home, step, {CONF_DEVICE: "not_a_module"}, speak)


async def test_meter_out_of_reach(hass: HomeAssistant, home: SimulatedHome) -> None:
    home.meter.pan.powered = False
    step, shown = await follow(hass, await submit(hass, await start_flow(hass)))
    assert shown == ["opening", "searching"]

    def come_closer() -> None:
        home.meter.pan.powered = True

    await assert_told_and_added_after_all(hass, home, step, {"base": "meter_not_found"}, come_closer)


async def test_meter_that_is_found_late(hass: HomeAssistant, home: SimulatedHome) -> None:
    home.faults.scan_misses = 2
    home.meter.paa.join_time_s = 30.0
    start = hass.loop.time()
    await add_meter(hass)
    assert hass.loop.time() - start > 90


async def test_wrong_password(hass: HomeAssistant, home: SimulatedHome) -> None:
    step, shown = await follow(hass, await submit(hass, await start_flow(hass), password="X" * 12))
    assert shown == ["opening", "searching", "authenticating"]
    await assert_told_and_added_after_all(hass, home, step, {"base": "credentials_refused"})


async def test_meter_that_does_not_answer(hass: HomeAssistant, home: SimulatedHome) -> None:
    home.faults.meter_silent = True
    step, shown = await follow(hass, await submit(hass, await start_flow(hass)))
    assert shown == ["opening", "searching", "authenticating", "reading"]

    def wake_up() -> None:
        home.faults.meter_silent = False

    await assert_told_and_added_after_all(hass, home, step, {"base": "no_answer"}, wake_up)


async def test_module_that_stops_answering(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    await until(lambda: last_command(home) == "SKSCAN")
    home.faults.module_mute = True
    step, shown = await follow(hass, step)
    assert shown == ["opening", "searching"]

    def speak() -> None:
        home.faults.module_mute = False

    await assert_told_and_added_after_all(hass, home, step, {"base": "module_error"}, speak)


async def assert_told_and_added_after_all(
    hass: HomeAssistant,
    home: SimulatedHome,
    step: Any,
    errors: dict[str, str],
    mend: Callable[[], object] = lambda: None,
) -> None:
    assert step["type"] is FlowResultType.FORM
    assert step["step_id"] == "user"
    assert step["errors"] == errors
    # The password is to be typed again.
    assert suggestions(step) == {CONF_DEVICE: PORT, CONF_ID: ID}
    assert is_free(home)
    mend()
    step, shown = await follow(hass, await submit(hass, step))
    assert shown == ["opening", "searching", "authenticating", "reading"]
    assert step["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("command", ["SKVER", "SKSCAN", "SKJOIN", "SKSENDTO"])
async def test_port_is_freed_when_the_user_gives_up(hass: HomeAssistant, home: SimulatedHome, command: str) -> None:
    home.meter.paa.join_time_s = 30.0
    home.meter.answer_s = (15.0, 15.0)
    step = await submit(hass, await start_flow(hass))
    await until(lambda: command in home.module.commands)
    hass.config_entries.flow.async_abort(step["flow_id"])
    assert await until(lambda: is_free(home)) < ABORT_LIMIT_S
    assert home.meter.paa.session is None
    assert not home.module.radio.authenticating, "or there will be one"

    # The meter refuses whoever comes again so soon; a usual join is tried twice within the attempt.
    home.meter.paa.join_time_s = None
    await add_meter(hass)


async def test_giving_up_while_the_port_is_being_closed(
    hass: HomeAssistant, home: SimulatedHome, debug_log: pytest.LogCaptureFixture
) -> None:
    home.meter.answer_s = (0.5, 0.5)
    step = await submit(hass, await start_flow(hass))
    await until(lambda: home.meter.paa.session)
    # The reading fails, and the end of the session takes a while, because the module does not say a word.
    home.faults.module_mute = True
    await until(lambda: "The meter could not be read" in debug_log.text)
    hass.config_entries.flow.async_abort(step["flow_id"])
    assert await until(lambda: is_free(home)) < ABORT_LIMIT_S


async def test_meter_is_closed_when_the_user_gives_up_at_the_end(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    await until(lambda: hass.data.get(JOINED_METERS))
    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    assert last_command(home) == "SKTERM"
    assert is_free(home)
    assert not hass.data[JOINED_METERS]


async def test_meter_is_closed_when_nobody_asks_for_the_entry(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    await until(lambda: hass.data.get(JOINED_METERS))
    assert not is_free(home)
    assert await until(lambda: is_free(home)) > KEEP_JOINED_S - 1
    assert last_command(home) == "SKTERM"

    # The entry is made all the same, and finds the meter by itself.
    step = await hass.config_entries.flow.async_configure(step["flow_id"])
    assert step["type"] is FlowResultType.CREATE_ENTRY
    token = step["result"].data[CONF_METER]
    assert value(hass, "power", token) == "unavailable"
    await until(lambda: value(hass, "power", token) != "unavailable")


async def test_progress_can_be_asked_for_at_any_time(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    for _ in range(3):
        step = await hass.config_entries.flow.async_configure(step["flow_id"])
        assert step["type"] is FlowResultType.SHOW_PROGRESS
    step, _ = await follow(hass, step)
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_two_flows_for_the_same_meter(hass: HomeAssistant, home: SimulatedHome) -> None:
    first = await submit(hass, await start_flow(hass))
    await until(lambda: "SKSCAN" in home.module.commands)
    second, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    assert second["errors"] == {CONF_DEVICE: "port_busy"}

    first, _ = await follow(hass, first)
    assert first["type"] is FlowResultType.CREATE_ENTRY
    second = await submit(hass, second)
    assert second["type"] is FlowResultType.ABORT
    assert second["reason"] == "already_configured"


async def test_each_entry_gets_its_own_meter(hass: HomeAssistant, ports: Ports) -> None:
    homes = {PORT: ports.plug_in(), "/dev/ttyUSB1": ports.plug_in("/dev/ttyUSB1", id=OTHER_ID, seed=1)}
    await submit(hass, await start_flow(hass))
    await submit(hass, await start_flow(hass), device="/dev/ttyUSB1", id=OTHER_ID)
    await until(lambda: len(hass.data.get(JOINED_METERS, ())) == 2)
    joined_meters = hass.data[JOINED_METERS]
    titles: list[str] = []
    for flow_id in [*joined_meters][::-1]:
        step = await hass.config_entries.flow.async_configure(flow_id)
        entry = step["result"]
        titles.append(entry.title)
        shown_power = value(hass, "power", entry.data[CONF_METER])
        assert shown_power == str(truth(homes[entry.data[CONF_DEVICE]], 0xE7).power_w)
    assert titles == ["B-Route Smart Meter", "B-Route Smart Meter 2"]


@pytest.mark.usefixtures("home")
async def test_entry_has_its_title_in_the_language_of_home_assistant(hass: HomeAssistant) -> None:
    hass.config.language = "ja"
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    assert step["title"] == "Bルート スマートメーター"


async def test_log_tells_which_of_several_meters_is_lost(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, caplog: pytest.LogCaptureFixture
) -> None:
    await add_meter(hass)
    other = ports.plug_in("/dev/ttyUSB1", id=OTHER_ID, seed=1)
    step, _ = await follow(hass, await submit(hass, await start_flow(hass), device="/dev/ttyUSB1", id=OTHER_ID))
    token = step["result"].data[CONF_METER]
    other.module.port.unplug()
    await until(lambda: value(hass, "power", token) == "unavailable")
    (line,) = lines(caplog)
    assert "B-Route Smart Meter 2" in line
    other.module.port.plug()
    await until(lambda: has_value(hass, "power", token))
    assert "B-Route Smart Meter 2" in lines(caplog)[1]


async def test_meter_that_was_added_meanwhile(hass: HomeAssistant, home: SimulatedHome) -> None:
    step = await submit(hass, await start_flow(hass))
    await until(lambda: hass.data.get(JOINED_METERS))
    add_entry(hass, await async_unique_id(hass, ID), "/dev/ttyUSB1")
    step = await hass.config_entries.flow.async_configure(step["flow_id"])
    assert step["type"] is FlowResultType.ABORT
    assert step["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert is_free(home)


@pytest.mark.parametrize("mute", [False, True])
async def test_port_is_freed_when_home_assistant_stops(
    hass: HomeAssistant, home: SimulatedHome, caplog: pytest.LogCaptureFixture, *, mute: bool
) -> None:
    home.meter.answer_s = (30.0, 30.0)
    await submit(hass, await start_flow(hass))
    await until(lambda: last_command(home) == "SKSENDTO")
    home.faults.module_mute = mute
    await hass.async_stop()
    # Home Assistant has waited for it.
    assert "still running" not in caplog.text
    assert is_free(home)
    assert mute or last_command(home) == "SKTERM"


async def test_meter_that_is_kept_joined_is_left_when_home_assistant_stops(
    hass: HomeAssistant, home: SimulatedHome
) -> None:
    await submit(hass, await start_flow(hass))
    await until(lambda: hass.data.get(JOINED_METERS))
    await hass.async_stop()
    assert is_free(home)
    assert home.meter.paa.session is None


async def test_flow_that_is_given_up_while_it_is_checked_opens_no_port(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    step = await start_flow(hass)

    def give_up(device: str) -> str:
        hass.config_entries.flow.async_abort(step["flow_id"])
        return device

    with patch("homeassistant.components.usb.get_serial_by_id", side_effect=give_up), suppress(UnknownFlow):
        await submit(hass, step)
    await asyncio.sleep(60)
    assert ports.opened == []


async def test_port_of_a_disabled_entry_can_be_used(hass: HomeAssistant, home: SimulatedHome) -> None:
    disabled = add_entry(hass, "another", PORT)
    await hass.config_entries.async_set_disabled_by(disabled.entry_id, ConfigEntryDisabler.USER)
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_local_port_gets_a_name_that_stays(hass: HomeAssistant, ports: Ports) -> None:
    by_id = "/dev/serial/by-id/usb-Wi-SUN_0001-if00"
    ports.plug_in(by_id)
    with patch("homeassistant.components.usb.get_serial_by_id", return_value=by_id) as get_serial_by_id:
        entry = await add_meter(hass)
    get_serial_by_id.assert_called_once_with(PORT)
    assert entry.data[CONF_DEVICE] == by_id


async def test_local_port_keeps_its_name_when_there_is_no_other(hass: HomeAssistant, home: SimulatedHome) -> None:
    with patch("homeassistant.components.usb.get_serial_by_id", side_effect=PermissionError):
        entry = await add_meter(hass)
    assert entry.data[CONF_DEVICE] == PORT


async def test_address_is_taken_as_it_is(hass: HomeAssistant, ports: Ports) -> None:
    url = "socket://192.168.1.10:4000"
    ports.plug_in(url)
    with patch("homeassistant.components.usb.get_serial_by_id") as get_serial_by_id:
        step, _ = await follow(hass, await submit(hass, await start_flow(hass), device=url))
    get_serial_by_id.assert_not_called()
    assert step["data"][CONF_DEVICE] == url


async def test_nothing_secret_is_logged_or_named(
    hass: HomeAssistant, home: SimulatedHome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    step, _ = await follow(hass, await submit(hass, await start_flow(hass), password="X" * 12))
    step, _ = await follow(hass, await submit(hass, step))
    entry = step["result"]
    for secret in (ID, PASSWORD, ID[-8:], "X" * 12, home.meter.pan.mac.hex()):
        assert secret.casefold() not in caplog.text.casefold()
        assert secret.casefold() not in f"{entry.title} {entry.unique_id} {entry.data[CONF_METER]}".casefold()
