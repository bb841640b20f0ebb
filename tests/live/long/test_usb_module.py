"""A module that is plugged in, in a real Home Assistant: it is offered, added, and wanted by others as well.

Each test leaves the meter read, for the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
import os
from pathlib import Path
import sys

import pytest
import pytest_asyncio

from development.child_process import ChildProcess
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DOMAIN,
    FLOW_TIMEOUT_S,
    OUTAGE_LINES,
    READ_TIMEOUT_S,
    entity_of,
    is_shown,
    issue_texts,
    only_issue,
    wait_for_no_issue,
    wait_until_read,
)
from development.plugged_in import PLUGGED_IN, PRODUCT, plug_in
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

ISSUE_TIMEOUT_S = 300.0
"""The client's own pauses between attempts are not made shorter for a test, and two minutes of them are nobody's
business."""
HOLD_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
ENOUGH_SESSIONS = 3

HOLD = """\
import fcntl, os, signal, sys

port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
signal.pause()
"""
"""Another program that wants a port for itself, and gets it or fails."""


@pytest.fixture(scope="module")
def meter_options() -> Sequence[str]:
    """Have the meter behind the module that is plugged in."""
    return ("--module", PRODUCT)


@pytest.fixture(scope="module")
def config_folder(tmp_path_factory: pytest.TempPathFactory, meter: SimulatedMeter) -> Path:
    """Have the module plugged in when Home Assistant starts."""
    folder = tmp_path_factory.mktemp("config")
    plug_in(folder, meter)
    return folder


async def flows_of_ours(home_assistant: HomeAssistant) -> list[Json]:
    """Return the flows that Home Assistant has begun by itself and that wait for the user."""
    return [flow for flow in await home_assistant.command("config_entries/flow/progress") if flow["handler"] == DOMAIN]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter behind the module that is offered, for all tests of the module."""
    step = await home_assistant.wait_for_flow(DOMAIN, "usb")
    assert (step["type"], step["step_id"]) == ("form", "usb_confirm"), step
    assert step["description_placeholders"]["name"] == PRODUCT
    (flow,) = await flows_of_ours(home_assistant)
    assert flow["context"]["title_placeholders"] == {"name": PRODUCT}
    suggested = {field["name"]: field.get("description", {}).get("suggested_value") for field in step["data_schema"]}
    assert suggested == {"device": meter.port, "id": None, "password": None}
    # Nobody has agreed to it yet.
    assert await home_assistant.entries(DOMAIN) == []

    typed = {"device": suggested["device"], "id": meter.route_b_id, "password": meter.password}
    step = await home_assistant.configure_flow(step["flow_id"], typed)
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
    assert step["type"] == "create_entry", step
    added: Json = step["result"]
    return added


@asynccontextmanager
async def held(port: str, folder: Path) -> AsyncIterator[None]:
    """Have a port held by another program; it is free when this is entered."""
    program = await ChildProcess.start(
        *(sys.executable, "-c", HOLD, port), folder=folder, environment=os.environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(HOLD_TIMEOUT_S):
            assert await program.stdout.readline() == b"held\n"
        yield
        assert program.exit_code is None
    finally:
        await program.stop(STOP_TIMEOUT_S)


@pytest.mark.usefixtures("entry")
async def test_module_that_was_offered_is_read_and_offered_no_more(home_assistant: HomeAssistant) -> None:
    await wait_until_read(home_assistant)
    await wait_for_no_issue(home_assistant)
    assert await flows_of_ours(home_assistant) == []


async def test_module_whose_port_another_program_has(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json, tmp_path: Path
) -> None:
    # Ours would hold it, and the other program could not have it.
    await home_assistant.disable_entry(entry["entry_id"])
    async with held(meter.port, tmp_path):
        await home_assistant.enable_entry(entry["entry_id"])
        issue = await only_issue(home_assistant, "port_taken", ISSUE_TIMEOUT_S)
        assert not issue["is_fixable"]
        texts = await issue_texts(home_assistant, issue)
        assert all(entry["title"] in text for text in texts.values()), texts
        assert texts["en"] != texts["ja"]
        power = await home_assistant.state(await entity_of(home_assistant, "power"))
        assert power is not None
        assert power["state"] == "unavailable"
    await wait_until_read(home_assistant)
    await wait_for_no_issue(home_assistant)


async def test_meter_that_ends_its_sessions_again_and_again(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json
) -> None:
    """The hour after which that is told no longer is for tests on virtual time; whoever sets up anew begins anew."""
    link = await entity_of(home_assistant, "link_state")
    for _ in range(ENOUGH_SESSIONS):
        joined = await home_assistant.wait_for_state(link, is_shown("joined"), READ_TIMEOUT_S)
        assert joined is not None
        assert await home_assistant.issues(DOMAIN) == []
        await meter.happen("session_ended_by_meter")
        await home_assistant.wait_for_state(link, is_shown_since(joined), READ_TIMEOUT_S)
    issue = await only_issue(home_assistant, "session_taken", ISSUE_TIMEOUT_S)
    assert not issue["is_fixable"]
    texts = await issue_texts(home_assistant, issue)
    assert all(entry["title"] in text for text in texts.values()), texts
    assert texts["en"] != texts["ja"]
    await wait_until_read(home_assistant)
    assert await only_issue(home_assistant, "session_taken", ISSUE_TIMEOUT_S) == issue

    await home_assistant.reload_entry(entry["entry_id"])
    await wait_for_no_issue(home_assistant)
    await wait_until_read(home_assistant)


def is_shown_since(before: Json) -> Callable[[Json | None], bool]:
    """Return what tells whether an entity has the value anew that it had before."""
    return lambda state: (
        state is not None and state["state"] == before["state"] and state["last_changed"] != before["last_changed"]
    )


@pytest.mark.usefixtures("entry")
async def test_log_has_the_two_lines_of_the_only_outage(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    assert await home_assistant.stop() == 0
    # That there is the integration which plugs it in is told as of any that is not Home Assistant's.
    complaints = [line for line in home_assistant.complaints() if f"custom integration {PLUGGED_IN}" not in line]
    assert len(complaints) == len(OUTAGE_LINES), complaints
    assert all(words in line for words, line in zip(OUTAGE_LINES, complaints, strict=True)), complaints
    assert meter.secrets_in("\n".join(home_assistant.log_lines())) == []
