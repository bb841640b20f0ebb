"""What a user changes of a meter, in a real Home Assistant: taken over, read at another pace, with another module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import DOMAIN, FLOW_TIMEOUT_S, READ_TIMEOUT_S, SPEED, entity_of, is_known
from development.simulated_meter import SimulatedMeter
from development.websocket import Json, RefusedError

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORE_DOMAIN = "route_b_smart_meter"

NOT_TOLD = ("_signal_strength", "_link_quality")
"""What the other module does not tell; its entities are removed, with a line each in the log."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other_module(tmp_path_factory: pytest.TempPathFactory, environment: str) -> AsyncIterator[SimulatedMeter]:
    """Run another module; that there is another meter of the same ID behind it makes no difference to its user."""
    link = tmp_path_factory.mktemp(environment) / "other"
    async with SimulatedMeter(link, "--speed", SPEED, "--module", "BP35A1") as running:
        yield running


@pytest.fixture(scope="module")
def config_entries(meter: SimulatedMeter) -> list[Json]:
    """Return the entry that Home Assistant's own integration has for the meter."""
    return [
        {
            "data": {"device": meter.port, "id": meter.route_b_id, "password": meter.password},
            "domain": CORE_DOMAIN,
            "entry_id": "of_core",
            "source": "user",
            "title": "Route B Smart Meter",
            "unique_id": meter.route_b_id,
            "version": 1,
        }
    ]


async def core_entry(home_assistant: HomeAssistant) -> Json:
    (entry,) = await home_assistant.entries(CORE_DOMAIN)
    return entry


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant) -> Json:
    """Take over what Home Assistant's own integration has, for all tests of the module."""
    step = await home_assistant.start_flow(DOMAIN)
    assert step["type"] == "menu", step
    step = await home_assistant.configure_flow(step["flow_id"], {"next_step_id": "take_over"})
    assert (step["type"], step["step_id"]) == ("form", "take_over_confirm"), step
    suggested = {field["name"]: field.get("description", {}).get("suggested_value") for field in step["data_schema"]}
    assert suggested["password"] is None
    assert (await core_entry(home_assistant))["disabled_by"] is None

    typed = {name: suggested[name] for name in ("device", "id")}
    step = await home_assistant.configure_flow(step["flow_id"], typed)
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
    assert step["type"] == "create_entry", step
    added: Json = step["result"]
    return added


async def is_read(home_assistant: HomeAssistant) -> None:
    await home_assistant.wait_for_state(await entity_of(home_assistant, "power"), is_known, READ_TIMEOUT_S)


@pytest.mark.usefixtures("entry")
async def test_meter_of_home_assistants_own_integration_is_taken_over(home_assistant: HomeAssistant) -> None:
    await is_read(home_assistant)
    # Both cannot have the module.
    assert (await core_entry(home_assistant))["disabled_by"] == "user"


async def test_pace_is_changed_within_its_limits(home_assistant: HomeAssistant, entry: Json) -> None:
    for wrong in (4, 3601):
        with pytest.raises(RefusedError):
            await home_assistant.set_options(entry["entry_id"], {"scan_interval": wrong, "history_days": 1})
    await home_assistant.set_options(entry["entry_id"], {"scan_interval": 5, "history_days": 1})
    await is_read(home_assistant)
    (changed,) = await home_assistant.entries(DOMAIN)
    assert changed["state"] == "loaded"


async def test_meter_stays_what_it_is_with_another_module(
    home_assistant: HomeAssistant, entry: Json, other_module: SimulatedMeter
) -> None:
    before = await home_assistant.entity_ids(DOMAIN)
    step = await home_assistant.start_reconfiguration(entry)
    assert (step["type"], step["step_id"]) == ("form", "reconfigure"), step
    typed = {"device": other_module.port, "id": other_module.route_b_id}
    step = await home_assistant.configure_flow(step["flow_id"], typed)
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
    assert (step["type"], step.get("reason")) == ("abort", "reconfigure_successful"), step
    await is_read(home_assistant)
    stay = {unique_id: entity_id for unique_id, entity_id in before.items() if not unique_id.endswith(NOT_TOLD)}
    assert stay.items() <= (await home_assistant.entity_ids(DOMAIN)).items()
    diagnostics = await home_assistant.diagnostics(entry["entry_id"])
    assert diagnostics["data"]["module"]["dialect"] == "single-stack"


@pytest.mark.usefixtures("entry")
async def test_home_assistant_complains_of_nothing_of_ours(home_assistant: HomeAssistant) -> None:
    assert await home_assistant.stop() == 0
    # Home Assistant's own integration is there for its entry alone, and complains that what it needs is not installed.
    ours = [line for line in home_assistant.complaints() if "custom_components.broute" in line]
    assert [line for line in ours if not line.endswith(" is removed")] == []
