"""What goes wrong in the life of a meter, in a real Home Assistant: how its user hears of it, and what is done.

Each test leaves the meter read, for the next one.
"""

from datetime import datetime, timedelta
import json

import pytest
import pytest_asyncio

from development.home_assistant import FIX_FLOWS, HomeAssistant
from development.meter_in_home_assistant import (
    DOMAIN,
    FLOW_TIMEOUT_S,
    READ_TIMEOUT_S,
    add_meter,
    complaints_beside_outages,
    entity_of,
    is_known,
    is_shown,
    only_issue,
    wait_for_no_issue,
    wait_until_read,
)
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW_PASSWORD = "BA9876543210"
WRONG_PASSWORD = "000000000000"

ISSUE_TIMEOUT_S = 300.0
"""The client's own pauses between attempts are not made shorter for a test."""
PROVEN = timedelta(seconds=62)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter, for all tests of the module."""
    return await add_meter(home_assistant, meter)


async def is_read(home_assistant: HomeAssistant) -> None:
    """Wait until the meter is read, and nothing is told of it."""
    await wait_until_read(home_assistant)
    await wait_for_no_issue(home_assistant)


async def is_proven(home_assistant: HomeAssistant) -> None:
    """Wait until the meter has answered in this session for so long that its loss is a new outage, and no relapse."""
    link = await entity_of(home_assistant, "link_state")
    joined = await home_assistant.wait_for_state(link, is_shown("joined"), READ_TIMEOUT_S)
    assert joined is not None

    def is_later(state: Json | None) -> bool:
        return state is not None and _changed_at(state, "last_updated") - _changed_at(joined, "last_changed") > PROVEN

    await home_assistant.wait_for_state(await entity_of(home_assistant, "power"), is_later, READ_TIMEOUT_S)


def _changed_at(state: Json, when: str) -> datetime:
    return datetime.fromisoformat(state[when])


async def confirmed_fix(home_assistant: HomeAssistant, issue: Json) -> Json:
    """Begin to fix an issue, agree to what is said first, and return the step that comes then."""
    step = await home_assistant.start_fix(issue)
    assert (step["type"], step["step_id"]) == ("form", "confirm"), step
    return await home_assistant.configure_flow(step["flow_id"], {}, FIX_FLOWS)


@pytest.mark.usefixtures("entry")
async def test_fault_that_the_meter_reports(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    await is_read(home_assistant)
    fault = await entity_of(home_assistant, "fault")
    await home_assistant.wait_for_state(fault, is_shown("off"), READ_TIMEOUT_S)

    await meter.happen("meter_faulty", faulty=True)
    await home_assistant.wait_for_state(fault, is_shown("on"), READ_TIMEOUT_S)
    issue = await only_issue(home_assistant, "meter_fault", ISSUE_TIMEOUT_S)
    assert not issue["is_fixable"]

    await meter.happen("meter_faulty", faulty=False)
    await is_read(home_assistant)


async def test_credentials_that_were_reissued(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json
) -> None:
    await meter.happen("credentials_reissued", password=NEW_PASSWORD)
    step = await home_assistant.wait_for_flow(DOMAIN, "reauth", ISSUE_TIMEOUT_S)
    assert (step["type"], step["step_id"]) == ("form", "reauth_confirm")

    for password, outcome in ((WRONG_PASSWORD, "form"), (NEW_PASSWORD, "abort")):
        typed = {"id": meter.route_b_id, "password": password}
        step = await home_assistant.configure_flow(step["flow_id"], typed)
        step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
        assert step["type"] == outcome, step
        if outcome == "form":
            assert step["errors"] == {"base": "credentials_refused"}
    assert step["reason"] == "reauth_successful"
    await is_read(home_assistant)
    assert [one["entry_id"] for one in await home_assistant.entries(DOMAIN)] == [entry["entry_id"]]


@pytest.mark.usefixtures("entry")
async def test_module_that_is_unplugged(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    await meter.happen("port_unplugged")
    step = await confirmed_fix(home_assistant, await only_issue(home_assistant, "module_missing", ISSUE_TIMEOUT_S))
    assert step["type"] == "create_entry"
    kind, flow_id = step["next_flow"]
    assert kind == "config_flow"
    step = await home_assistant.flow_step(flow_id)
    assert (step["type"], step["step_id"]) == ("form", "reconfigure")

    await meter.happen("port_plugged")
    step = await home_assistant.configure_flow(flow_id, {"device": meter.port, "id": meter.route_b_id})
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
    assert (step["type"], step.get("reason")) == ("abort", "reconfigure_successful"), step
    await is_read(home_assistant)


@pytest.mark.usefixtures("entry")
async def test_meter_that_is_not_heard_any_more(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    await is_proven(home_assistant)
    await meter.happen("session_ended_by_meter")
    await meter.happen("meter_rebooted", for_s=1_000_000)
    issue = await only_issue(home_assistant, "meter_unreachable", ISSUE_TIMEOUT_S)
    step = await confirmed_fix(home_assistant, issue)
    assert (step["type"], step["progress_action"]) == ("progress", "searching")
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S, FIX_FLOWS)
    assert (step["type"], step["reason"]) == ("abort", "not_heard"), step

    await meter.happen("meter_rebooted", for_s=1)
    await is_read(home_assistant)


@pytest.mark.usefixtures("entry")
async def test_meter_that_was_replaced(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    before = await home_assistant.entity_ids(DOMAIN)
    energy = await entity_of(home_assistant, "import_energy")
    await meter.happen("meter_replaced")
    # It counts from nothing; the first reading of it comes when it was searched for and joined.
    await home_assistant.wait_for_state(
        energy, lambda state: is_known(state) and state is not None and float(state["state"]) < 10, ISSUE_TIMEOUT_S
    )
    assert await home_assistant.entity_ids(DOMAIN) == before


async def test_diagnostics_tell_of_it_and_not_whose_meter_it_is(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json
) -> None:
    diagnostics = (await home_assistant.diagnostics(entry["entry_id"]))["data"]
    assert diagnostics["session"]["state"] == "joined"
    assert diagnostics["issues"] == []
    assert [event for event in diagnostics["last_events"] if "lost" in event["what"]]
    assert meter.secrets_in(json.dumps(diagnostics), NEW_PASSWORD, WRONG_PASSWORD) == []


@pytest.mark.usefixtures("entry")
async def test_system_health_counts_the_meter(home_assistant: HomeAssistant) -> None:
    info = (await home_assistant.system_health(DOMAIN))["info"]
    assert (info["meters"], info["connected"]) == (1, 1)


@pytest.mark.usefixtures("entry")
async def test_survey_hears_the_meter(home_assistant: HomeAssistant) -> None:
    response = await home_assistant.call_action(DOMAIN, "survey", FLOW_TIMEOUT_S)
    (heard,) = response["heard"]
    assert heard["this_meter"] is True
    assert -110 < heard["signal_dbm"] < -20
    await is_read(home_assistant)


@pytest.mark.usefixtures("entry")
async def test_properties_are_read_raw_and_decoded(home_assistant: HomeAssistant) -> None:
    response = await home_assistant.call_action(
        DOMAIN, "read_properties", FLOW_TIMEOUT_S, properties=["80", "e7", "8D"]
    )
    status, power, serial = response["properties"]
    assert (status["epc"], status["data"], status["value"]) == ("80", "30", True)
    assert power["epc"] == "E7"
    assert int.from_bytes(bytes.fromhex(power["data"]), signed=True) == power["value"]
    assert serial["private"] is True
    assert "data" not in serial


@pytest.mark.usefixtures("entry")
async def test_log_has_the_two_lines_of_each_outage_and_nothing_else(
    home_assistant: HomeAssistant, meter: SimulatedMeter
) -> None:
    assert await home_assistant.stop() == 0
    assert complaints_beside_outages(home_assistant) == []
    assert meter.secrets_in("\n".join(home_assistant.log_lines()), NEW_PASSWORD, WRONG_PASSWORD) == []
