"""Reauthentication and reconfiguration: what is typed is tried with the entry's own port, which it always gets back."""

import asyncio
from collections.abc import Awaitable, Callable
import errno
import logging
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    SOURCE_RECONFIGURE,
    ConfigEntryChange,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.broute.const import CONF_METER, DOMAIN
from custom_components.broute.coordinator import JOINED_METERS, BrouteConfigEntry
from custom_components.broute.flow.attempt import KEEP_JOINED_S, KEEP_LENT_S
from custom_components.broute.identity import async_unique_id
from simulator import ID, PASSWORD, SimulatedHome

from .world import (
    ENTRY_DATA,
    PORT,
    Ports,
    add_entry,
    fields,
    follow,
    has_value,
    is_free,
    last_command,
    suggestions,
    truth,
    until,
    value,
)

NEW_ID = "FFEEDDCCBBAA99887766554433221100"
NEW_PASSWORD = "BA9876543210"
OTHER_PORT = "/dev/ttyUSB1"
WAY = ["releasing", "opening", "searching", "authenticating", "reading"]
READ_AGAIN_LIMIT_S = 120.0

type Begin = Callable[[HomeAssistant, BrouteConfigEntry], Awaitable[Any]]


@pytest.fixture
async def entry(hass: HomeAssistant, home: SimulatedHome) -> BrouteConfigEntry:
    """Return an entry whose meter is being read."""
    entry = add_entry(hass, await async_unique_id(hass, ID), PORT)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    return entry


async def begin_reauth(hass: HomeAssistant, entry: BrouteConfigEntry) -> Any:
    """Begin as whoever finds out that the credentials are refused does, and return the form."""
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return await hass.config_entries.flow.async_configure(flow["flow_id"])


async def begin_reconfigure(hass: HomeAssistant, entry: BrouteConfigEntry) -> Any:
    """Begin as the user does, and return the form."""
    context = {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    return await hass.config_entries.flow.async_init(DOMAIN, context=context)  # type: ignore[arg-type]


both = pytest.mark.parametrize("begin", [begin_reauth, begin_reconfigure])


async def submit(hass: HomeAssistant, step: Any, **typed: str) -> Any:
    """Submit the form, with what it shows but for what is typed."""
    return await hass.config_entries.flow.async_configure(step["flow_id"], suggestions(step) | typed)


def reissue(home: SimulatedHome) -> None:
    """Let the utility issue a new ID and a new password."""
    home.meter.paa.identity = NEW_ID
    home.meter.paa.password = NEW_PASSWORD
    home.meter.pan.pairing_id = NEW_ID[-8:]


def assert_is_as_it_was(entry: BrouteConfigEntry) -> None:
    assert entry.data == ENTRY_DATA


async def assert_reads_again(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await until(lambda: has_value(hass, "power"), READ_AGAIN_LIMIT_S)
    assert entry.state is ConfigEntryState.LOADED


async def assert_changed(hass: HomeAssistant, entry: BrouteConfigEntry, step: Any, **data: str) -> None:
    assert step["type"] is FlowResultType.ABORT
    source = "reauth" if step["reason"].startswith("reauth") else "reconfigure"
    assert step["reason"] == f"{source}_successful"
    # Home Assistant has the words.
    assert step["translation_domain"] == HOMEASSISTANT_DOMAIN
    assert entry.data == ENTRY_DATA | data
    assert entry.unique_id == await async_unique_id(hass, entry.data[CONF_ID])
    assert entry.state is ConfigEntryState.LOADED
    assert not hass.data[JOINED_METERS]


@both
async def test_forms_show_what_is_known_but_for_the_password(
    hass: HomeAssistant, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step = await begin(hass, entry)
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {}
    assert step["description_placeholders"]["name"] == entry.title
    if begin is begin_reauth:
        assert step["step_id"] == "reauth_confirm"
        assert fields(step) == {CONF_ID, CONF_PASSWORD}
        assert suggestions(step) == {CONF_ID: ID}
    else:
        assert step["step_id"] == "reconfigure"
        assert fields(step) == {CONF_DEVICE, CONF_ID, CONF_PASSWORD}
        assert suggestions(step) == {CONF_DEVICE: PORT, CONF_ID: ID}


@both
async def test_new_credentials(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    registered = dict(er.async_get(hass).entities.data)
    known = {device.id for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    step = await begin(hass, entry)
    reissue(home)
    joins = home.module.commands.count("SKJOIN")
    step, shown = await follow(hass, await submit(hass, step, id=NEW_ID.lower(), password=NEW_PASSWORD))
    assert shown == WAY
    await assert_changed(hass, entry, step, id=NEW_ID, password=NEW_PASSWORD)
    assert not ir.async_get(hass).issues

    # Whatever the meter is reached with, it is the same to Home Assistant.
    assert er.async_get(hass).entities.data.keys() == registered.keys()
    assert {device.id for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)} == known
    # What the flow has joined is what the entry reads.
    assert value(hass, "power") == str(truth(home, 0xE7).power_w)
    assert home.module.commands.count("SKJOIN") <= joins + 2
    joins = home.module.commands.count("SKJOIN")
    await asyncio.sleep(2 * KEEP_JOINED_S)
    assert has_value(hass, "power")
    assert home.module.commands.count("SKJOIN") == joins


async def test_memory_is_of_the_new_credentials_afterwards(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    reissue(home)
    step, _ = await follow(hass, await submit(hass, await begin_reauth(hass, entry), id=NEW_ID, password=NEW_PASSWORD))
    await assert_changed(hass, entry, step, id=NEW_ID, password=NEW_PASSWORD)
    scans = home.module.commands.count("SKSCAN")
    await hass.config_entries.async_reload(entry.entry_id)
    await assert_reads_again(hass, entry)
    assert home.module.commands.count("SKSCAN") == scans


@both
@pytest.mark.parametrize("typed", [{}, {CONF_PASSWORD: ""}])
async def test_password_that_has_not_changed_need_not_be_typed(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin, typed: dict[str, str]
) -> None:
    step, _ = await follow(hass, await submit(hass, await begin(hass, entry), **typed))
    await assert_changed(hass, entry, step)


@both
async def test_wrong_password_is_told_and_the_next_one_tried(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step = await begin(hass, entry)
    home.meter.paa.password = NEW_PASSWORD
    step, shown = await follow(hass, await submit(hass, step, password="X" * 12))
    assert step["type"] is FlowResultType.FORM
    assert step["errors"] == {"base": "credentials_refused"}
    assert shown == WAY[:-1]
    assert is_free(home)
    assert_is_as_it_was(entry)

    step, shown = await follow(hass, await submit(hass, step, password=NEW_PASSWORD))
    assert shown == WAY
    await assert_changed(hass, entry, step, password=NEW_PASSWORD)


async def test_password_that_was_typed_need_not_be_typed_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await begin_reauth(hass, entry)
    home.meter.paa.password = NEW_PASSWORD
    step = await submit(hass, step, id=NEW_ID[:-1], password=NEW_PASSWORD)
    assert step["errors"] == {CONF_ID: "invalid_id"}
    assert suggestions(step) == {CONF_ID: NEW_ID[:-1]}
    step, _ = await follow(hass, await submit(hass, step, id=ID))
    await assert_changed(hass, entry, step, password=NEW_PASSWORD)


@both
async def test_malformed_credentials_are_told_while_the_meter_is_read(
    hass: HomeAssistant, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step = await submit(hass, await begin(hass, entry), id="X", password="X")
    assert step["errors"] == {CONF_ID: "invalid_id", CONF_PASSWORD: "invalid_password"}
    assert entry.state is ConfigEntryState.LOADED


async def test_meter_at_another_port(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    home.module.port.unplug()
    await until(lambda: value(hass, "power") == "unavailable")
    home.module.port.plug()
    ports.move(PORT, OTHER_PORT)
    step, _ = await follow(hass, await submit(hass, await begin_reconfigure(hass, entry), device=OTHER_PORT))
    await assert_changed(hass, entry, step, device=OTHER_PORT)
    assert has_value(hass, "power")


async def test_reauthentication_is_not_asked_for_any_more_when_the_user_has_reconfigured(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await begin_reauth(hass, entry)
    assert ir.async_get(hass).issues
    step = await begin_reconfigure(hass, entry)
    home.meter.paa.password = NEW_PASSWORD
    step, _ = await follow(hass, await submit(hass, step, password=NEW_PASSWORD))
    await assert_changed(hass, entry, step, password=NEW_PASSWORD)
    assert not hass.config_entries.flow.async_progress()
    assert not ir.async_get(hass).issues


async def test_other_module(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    home.replace_module("BP35C0-J11")
    step, _ = await follow(hass, await submit(hass, await begin_reconfigure(hass, entry)))
    await assert_changed(hass, entry, step)
    assert has_value(hass, "power")


async def test_other_meter(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    home.replace_meter()
    reissue(home)
    step = await submit(hass, await begin_reconfigure(hass, entry), id=NEW_ID, password=NEW_PASSWORD)
    step, _ = await follow(hass, step)
    await assert_changed(hass, entry, step, id=NEW_ID, password=NEW_PASSWORD)
    assert value(hass, "power") == str(truth(home, 0xE7).power_w)


async def test_local_port_gets_a_name_that_stays(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    by_id = "/dev/serial/by-id/usb-Wi-SUN_0001-if00"
    step = await begin_reauth(hass, entry)
    ports.move(PORT, by_id)
    with patch("homeassistant.components.usb.get_serial_by_id", return_value=by_id):
        step, _ = await follow(hass, await submit(hass, step))
    await assert_changed(hass, entry, step, device=by_id)


async def test_port_and_id_of_another_meter_are_refused_before_anything_is_touched(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    other = add_entry(hass, await async_unique_id(hass, NEW_ID), OTHER_PORT)
    opened = list(ports.opened)
    step = await begin_reconfigure(hass, entry)
    step = await submit(hass, step, device=OTHER_PORT)
    assert step["errors"] == {CONF_DEVICE: "port_in_use"}
    step = await submit(hass, step, device=PORT, id=NEW_ID)
    assert step["errors"] == {CONF_ID: "id_in_use"}
    step = await submit(hass, step, device=OTHER_PORT, id=NEW_ID)
    assert step["errors"] == {CONF_DEVICE: "port_in_use", CONF_ID: "id_in_use"}
    assert ports.opened == opened
    assert entry.state is ConfigEntryState.LOADED

    await hass.config_entries.async_set_disabled_by(other.entry_id, ConfigEntryDisabler.USER)
    step = await submit(hass, step, device=OTHER_PORT, id=NEW_ID)
    # Its ID is still the name of a disabled meter, but nobody uses its port.
    assert step["errors"] == {CONF_ID: "id_in_use"}


async def test_trouble_with_the_port_is_told_where_no_port_is_asked_for(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await begin_reauth(hass, entry)
    ports.faults[PORT] = FileNotFoundError(errno.ENOENT, "No such file or directory")
    step, _ = await follow(hass, await submit(hass, step))
    assert step["errors"] == {"base": "port_missing"}

    step = await begin_reconfigure(hass, entry)
    step, _ = await follow(hass, await submit(hass, step))
    assert step["errors"] == {CONF_DEVICE: "port_missing"}


async def test_ignored_module_is_no_meter(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id="0403:6015", source="ignore", data={}).add_to_hass(hass)
    step, _ = await follow(hass, await submit(hass, await begin_reconfigure(hass, entry)))
    await assert_changed(hass, entry, step)


@both
@pytest.mark.parametrize("command", ["SKTERM", "SKVER", "SKSCAN", "SKJOIN", "SKSENDTO"])
async def test_entry_goes_on_when_the_user_gives_up(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin, command: str
) -> None:
    step = await begin(hass, entry)
    before = home.module.commands.count(command)
    await submit(hass, step, password="X" * 12 if command == "SKJOIN" else PASSWORD)
    await until(lambda: home.module.commands.count(command) > before)
    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    await until(lambda: entry.state is ConfigEntryState.LOADED, 20)
    await assert_reads_again(hass, entry)
    assert_is_as_it_was(entry)


@both
async def test_entry_goes_on_after_a_failure_when_the_user_gives_up(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step, _ = await follow(hass, await submit(hass, await begin(hass, entry), password="X" * 12))
    assert entry.state is ConfigEntryState.NOT_LOADED
    hass.config_entries.flow.async_abort(step["flow_id"])
    await assert_reads_again(hass, entry)
    assert_is_as_it_was(entry)


@both
async def test_entry_goes_on_after_a_failure_when_nobody_does_anything(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step, _ = await follow(hass, await submit(hass, await begin(hass, entry), password="X" * 12))
    assert await until(lambda: entry.state is ConfigEntryState.LOADED, KEEP_LENT_S + 1) > KEEP_LENT_S - 1
    await assert_reads_again(hass, entry)

    # And is stopped once more if the user comes back after all.
    step, shown = await follow(hass, await submit(hass, step, password=PASSWORD))
    assert shown == WAY
    await assert_changed(hass, entry, step)


@pytest.mark.parametrize("begins_anew", [False, True])
async def test_next_attempt_keeps_the_port(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, *, begins_anew: bool
) -> None:
    step, _ = await follow(hass, await submit(hass, await begin_reconfigure(hass, entry), password="X" * 12))
    if begins_anew:
        hass.config_entries.flow.async_abort(step["flow_id"])
        step = await begin_reconfigure(hass, entry)
    await asyncio.sleep(KEEP_LENT_S - 5)
    await submit(hass, step)
    await asyncio.sleep(10)
    assert entry.state is ConfigEntryState.NOT_LOADED


@both
async def test_entry_is_changed_though_nobody_looks(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step = await begin(hass, entry)
    reissue(home)
    await submit(hass, step, id=NEW_ID, password=NEW_PASSWORD)
    await until(lambda: entry.data[CONF_ID] == NEW_ID)
    await assert_reads_again(hass, entry)

    # Nobody is asked any more to do what is done.
    assert await until(lambda: not hass.config_entries.flow.async_progress()) < KEEP_JOINED_S + 1
    assert not ir.async_get(hass).issues
    assert has_value(hass, "power")


async def test_giving_up_in_the_moment_of_success(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await begin_reconfigure(hass, entry)
    reissue(home)

    @callback
    def give_up(_: ConfigEntryChange, changed: BrouteConfigEntry) -> None:
        if changed.data[CONF_ID] == NEW_ID and hass.config_entries.flow.async_progress():
            hass.config_entries.flow.async_abort(step["flow_id"])

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, give_up)
    await submit(hass, step, id=NEW_ID, password=NEW_PASSWORD)
    await until(lambda: entry.data[CONF_ID] == NEW_ID)
    await hass.async_block_till_done()
    # It was late: the entry has the meter.
    assert not hass.config_entries.flow.async_progress()
    assert value(hass, "power") == str(truth(home, 0xE7).power_w)
    await asyncio.sleep(2 * KEEP_JOINED_S)
    assert has_value(hass, "power")


@both
async def test_end_is_told_to_whoever_looks_in_time(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, begin: Begin
) -> None:
    step = await submit(hass, await begin(hass, entry))
    await until(lambda: entry.state is ConfigEntryState.NOT_LOADED)
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    await asyncio.sleep(KEEP_JOINED_S - 2)
    await assert_changed(hass, entry, await hass.config_entries.flow.async_configure(step["flow_id"]))
    await asyncio.sleep(10)


@both
async def test_entry_stays_as_it_was_when_home_assistant_stops(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    begin: Begin,
    caplog: pytest.LogCaptureFixture,
) -> None:
    step = await begin(hass, entry)
    home.meter.answer_s = (30.0, 30.0)
    requests = home.module.commands.count("SKSENDTO")
    await submit(hass, step)
    await until(lambda: home.module.commands.count("SKJOIN") > 1 and last_command(home) == "SKSENDTO")
    assert home.module.commands.count("SKSENDTO") > requests
    await hass.async_stop()
    assert "still running" not in caplog.text
    assert is_free(home)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert_is_as_it_was(entry)


@both
async def test_entry_that_cannot_be_stopped(hass: HomeAssistant, entry: BrouteConfigEntry, begin: Begin) -> None:
    step = await begin(hass, entry)
    entry.mock_state(hass, ConfigEntryState.FAILED_UNLOAD)  # type: ignore[attr-defined]
    step, shown = await follow(hass, await submit(hass, step))
    assert shown == ["releasing"]
    assert step["errors"] == {"base": "not_released"}
    entry.mock_state(hass, ConfigEntryState.LOADED)  # type: ignore[attr-defined]


async def test_entry_that_is_removed_meanwhile(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    first, second = [await begin_reconfigure(hass, entry) for _ in range(2)]
    step = await submit(hass, first)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    await hass.config_entries.async_remove(entry.entry_id)
    step, _ = await follow(hass, step)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "entry_removed")
    assert is_free(home)
    assert not hass.data[JOINED_METERS]

    step = await submit(hass, second)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "entry_removed")


async def test_entry_that_is_removed_while_it_is_stopped(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step, _ = await follow(hass, await submit(hass, await begin_reconfigure(hass, entry), password="X" * 12))
    await hass.config_entries.async_remove(entry.entry_id)
    step = await submit(hass, step)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "entry_removed")


async def test_entry_that_is_disabled_meanwhile_stays_so(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await submit(hass, await begin_reconfigure(hass, entry), password=PASSWORD)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    step, _ = await follow(hass, step)
    assert step["reason"] == "reconfigure_successful"
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert is_free(home)
    assert last_command(home) == "SKTERM"


async def test_entry_that_somebody_sets_up_meanwhile(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await begin_reconfigure(hass, entry)
    reissue(home)
    step = await submit(hass, step, id=NEW_ID, password=NEW_PASSWORD)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    await hass.config_entries.async_reload(entry.entry_id)
    step, _ = await follow(hass, step)
    await assert_changed(hass, entry, step, id=NEW_ID, password=NEW_PASSWORD)
    await assert_reads_again(hass, entry)


async def test_id_that_another_meter_gets_meanwhile(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    step = await begin_reconfigure(hass, entry)
    reissue(home)
    step = await submit(hass, step, id=NEW_ID, password=NEW_PASSWORD)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    add_entry(hass, await async_unique_id(hass, NEW_ID), OTHER_PORT)
    step, _ = await follow(hass, step)
    assert step["errors"] == {CONF_ID: "id_in_use"}
    assert_is_as_it_was(entry)
    assert is_free(home)
    # Nothing is done that the user would not have to be told of any more.
    await asyncio.sleep(2 * KEEP_JOINED_S)
    assert hass.config_entries.flow.async_progress()


@pytest.mark.parametrize("other", [begin_reauth, begin_reconfigure])
async def test_second_change_waits_for_the_first_and_is_tried_then(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry, other: Begin
) -> None:
    first, second = await other(hass, entry), await begin_reconfigure(hass, entry)
    reissue(home)
    opened = len(ports.opened)
    first = await submit(hass, first, id=NEW_ID, password=NEW_PASSWORD)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    second = await submit(hass, second, password="X" * 12)
    assert second["progress_action"] == "releasing"
    await asyncio.sleep(1)
    assert len(ports.opened) == opened + 1

    first, _ = await follow(hass, first)
    assert first["reason"].endswith("_successful")
    second, _ = await follow(hass, second)
    # It has had the port for itself, but the entry is what the first has made of it.
    assert second["errors"] == {"base": "meter_not_found"}
    assert entry.data == ENTRY_DATA | {CONF_ID: NEW_ID, CONF_PASSWORD: NEW_PASSWORD}
    hass.config_entries.flow.async_abort(second["flow_id"])
    await assert_reads_again(hass, entry)


@pytest.mark.parametrize("end", ["given up", "left alone"])
async def test_port_is_not_taken_from_an_attempt_by_the_end_of_an_earlier_one(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, end: str
) -> None:
    first, _ = await follow(hass, await submit(hass, await begin_reauth(hass, entry), password="X" * 12))
    second = await begin_reconfigure(hass, entry)
    if end == "left alone":
        await asyncio.sleep(KEEP_LENT_S - 3)
    scans = home.module.commands.count("SKSCAN")
    second = await submit(hass, second, password=PASSWORD)
    await until(lambda: home.module.commands.count("SKSCAN") > scans)
    if end == "given up":
        hass.config_entries.flow.async_abort(first["flow_id"])
    states = []
    while not hass.data[JOINED_METERS] and entry.state is not ConfigEntryState.LOADED:
        states.append(entry.state)
        await asyncio.sleep(0.2)
    assert set(states) == {ConfigEntryState.NOT_LOADED}
    second, _ = await follow(hass, second)
    await assert_changed(hass, entry, second)
    assert has_value(hass, "power")


async def test_attempt_that_was_given_up_while_it_waited_takes_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    first, second, third = [await begin_reconfigure(hass, entry) for _ in range(3)]
    await submit(hass, first)
    await until(lambda: home.module.commands.count("SKSCAN") > 1)
    await submit(hass, second)
    await asyncio.sleep(1)
    hass.config_entries.flow.async_abort(second["flow_id"])
    await asyncio.sleep(1)
    assert entry.state is ConfigEntryState.NOT_LOADED
    # What is given up on the way frees the port before the next one takes it.
    third = await submit(hass, third)
    hass.config_entries.flow.async_abort(first["flow_id"])
    third, _ = await follow(hass, third)
    await assert_changed(hass, entry, third)


async def test_token_of_an_entry_is_not_given_to_another(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    """An entry keeps the token of its first ID, which another meter may have afterwards."""
    typed = {CONF_DEVICE: PORT, CONF_ID: ID, CONF_PASSWORD: PASSWORD}
    flows = hass.config_entries.flow

    async def add(**more: str) -> BrouteConfigEntry:
        step = await flows.async_init(DOMAIN, context={"source": "user"})
        step, _ = await follow(hass, await flows.async_configure(step["flow_id"], typed | more))
        added: BrouteConfigEntry = step["result"]
        return added

    first = await add()
    token = first.data[CONF_METER]
    reissue(home)
    step = await submit(hass, await begin_reconfigure(hass, first), id=NEW_ID, password=NEW_PASSWORD)
    await follow(hass, step)
    assert first.data[CONF_METER] == token

    ports.plug_in(OTHER_PORT, seed=1)
    second = await add(device=OTHER_PORT)
    assert second.unique_id != first.unique_id
    assert second.data[CONF_METER] != token
    assert has_value(hass, "power", token)
    assert has_value(hass, "power", second.data[CONF_METER])


async def test_nothing_secret_is_logged(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    step = await begin_reauth(hass, entry)
    reissue(home)
    step, _ = await follow(hass, await submit(hass, step, id=NEW_ID, password="X" * 12))
    step, _ = await follow(hass, await submit(hass, step, password=NEW_PASSWORD))
    await assert_changed(hass, entry, step, id=NEW_ID, password=NEW_PASSWORD)
    for secret in (ID, PASSWORD, NEW_ID, NEW_PASSWORD, "X" * 12, NEW_ID[-8:]):
        assert secret.casefold() not in caplog.text.casefold()
