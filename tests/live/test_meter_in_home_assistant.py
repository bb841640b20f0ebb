"""The whole way, from a meter's registers to the states of a real Home Assistant, and what its user meets on it."""

from collections.abc import AsyncIterator, Sequence, Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
import fcntl
import json
import os
from pathlib import Path

import pytest
import pytest_asyncio

from development.config import INTEGRATION
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DOMAIN,
    FLOW_TIMEOUT_S,
    SPEED,
    add_meter,
    is_gone,
    is_known,
    put_on_energy_dashboard,
)
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER_ID = "FFEEDDCCBBAA99887766554433221100"
WRONG_PASSWORD = "BA9876543210"


@dataclass(frozen=True, slots=True)
class Quantity:
    """What an entity shows: in which answers of the meter it is, its name in the truth about them, and its unit."""

    epc: str
    truth: str
    unit: str


QUANTITIES = {
    "power": Quantity("E7", "power_w", "W"),
    "current_r": Quantity("E8", "current_r_a", "A"),
    "current_t": Quantity("E8", "current_t_a", "A"),
    "import_energy": Quantity("E0", "import_kwh", "kWh"),
    "export_energy": Quantity("E3", "export_kwh", "kWh"),
}


@pytest.fixture(scope="module")
def truth_log(tmp_path_factory: pytest.TempPathFactory, environment: str) -> Path:
    return tmp_path_factory.mktemp(environment) / "truth.jsonl"


@pytest.fixture(scope="module")
def meter_options(truth_log: Path) -> Sequence[str]:
    """Have the meter write down what was true when it answered."""
    return ("--truth-log", str(truth_log))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other_meter(truth_log: Path) -> AsyncIterator[SimulatedMeter]:
    link = truth_log.with_name("other_meter")
    async with SimulatedMeter(link, "--speed", SPEED, "--id", OTHER_ID) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter, for all tests of the module."""
    return await add_meter(home_assistant, meter)


async def submit(home_assistant: HomeAssistant, step: Json, meter: SimulatedMeter, **typed: str) -> Json:
    """Fill in the form with what belongs to the meter, but for what is ``typed``, and wait for what comes of it."""
    right = {"device": meter.port, "id": meter.route_b_id, "password": meter.password}
    step = await home_assistant.configure_flow(step["flow_id"], right | typed)
    return await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)


async def entities(home_assistant: HomeAssistant) -> dict[str, str]:
    """Return the entity ids of the meter's quantities; some are added only when the meter has told of them."""

    def by_key(registered: dict[str, str]) -> dict[str, str]:
        return {unique_id.partition("_")[2]: entity_id for unique_id, entity_id in registered.items()}

    registered = await home_assistant.wait_for_entities(DOMAIN, lambda names: by_key(names).keys() >= QUANTITIES.keys())
    return {key: entity_id for key, entity_id in by_key(registered).items() if key in QUANTITIES}


def recent_truths(truth_log: Path, quantity: Quantity) -> list[Decimal]:
    """Return what was true when the meter last sent this quantity, and the time before: that may be what is shown."""
    answers = [json.loads(line) for line in truth_log.read_text().splitlines()]
    return [Decimal(answer["truth"][quantity.truth]) for answer in answers if quantity.epc in answer["epcs"]][-2:]


async def assert_states_are_true(home_assistant: HomeAssistant, truth_log: Path, keys: AbstractSet[str]) -> None:
    ids = await entities(home_assistant)
    for key in keys:
        state = await home_assistant.wait_for_state(ids[key], is_known)
        assert state is not None
        assert state["attributes"]["unit_of_measurement"] == QUANTITIES[key].unit
        assert Decimal(state["state"]) in recent_truths(truth_log, QUANTITIES[key]), key


def port_is_free(meter: SimulatedMeter) -> bool:
    """Tell whether the port could be opened now: whoever has it open has locked it."""
    port = os.open(meter.port, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(port)
    return True


@pytest.mark.usefixtures("entry")
async def test_same_meter_is_not_added_twice(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    step = await submit(home_assistant, await home_assistant.start_flow(DOMAIN), meter)
    assert (step["type"], step["reason"]) == ("abort", "already_configured")
    assert len(await home_assistant.entries(DOMAIN)) == 1


# While this waits, the meter of the tests below tells what it counts.
async def test_mistakes_are_told_and_can_be_corrected(
    home_assistant: HomeAssistant, other_meter: SimulatedMeter, entry: Json
) -> None:
    step = await home_assistant.start_flow(DOMAIN)
    assert (step["type"], step["step_id"]) == ("form", "user")
    assert {field["name"] for field in step["data_schema"]} == {"device", "id", "password"}

    step = await submit(home_assistant, step, other_meter, id="0123")
    assert step["type"] == "form", step
    assert step["errors"].keys() == {"id"}

    step = await submit(home_assistant, step, other_meter, password=WRONG_PASSWORD)
    assert step["type"] == "form", step
    (error,) = step["errors"].values()
    assert error in json.loads((INTEGRATION / "translations" / "en.json").read_text())["config"]["error"]

    step = await submit(home_assistant, step, other_meter)
    assert step["type"] == "create_entry", step

    await home_assistant.delete_entry(step["result"]["entry_id"])
    assert [left["entry_id"] for left in await home_assistant.entries(DOMAIN)] == [entry["entry_id"]]
    assert port_is_free(other_meter)


@pytest.mark.usefixtures("entry")
async def test_states_are_what_the_meter_measured(home_assistant: HomeAssistant, truth_log: Path) -> None:
    await assert_states_are_true(home_assistant, truth_log, QUANTITIES.keys())


async def test_meter_is_reached_through_the_module(home_assistant: HomeAssistant, entry: Json) -> None:
    listed = await home_assistant.command("config/device_registry/list")
    devices = {device["name"]: device for device in listed if entry["entry_id"] in device["config_entries"]}
    assert devices.keys() == {"B-Route Smart Meter", "Wi-SUN module"}
    meter, module = devices["B-Route Smart Meter"], devices["Wi-SUN module"]
    assert meter["via_device_id"] == module["id"]
    assert meter["manufacturer"] == "Toshiba"
    assert meter["model"] == "Low-voltage smart electric energy meter"
    assert module["model"] == "SKSTACK-IP, dual stack"
    assert module["sw_version"] == "1.5.2 (rev26e)"
    assert module["via_device_id"] is None
    assert module["serial_number"] is None


@pytest.mark.usefixtures("entry")
async def test_energy_dashboard_takes_the_meter(home_assistant: HomeAssistant) -> None:
    ids = await entities(home_assistant)
    complaints = await put_on_energy_dashboard(
        home_assistant, energy_from=ids["import_energy"], energy_to=ids["export_energy"], power=ids["power"]
    )
    # Statistics are first compiled up to five minutes later; that they will be is in the list below.
    assert [complaint for complaint in complaints if complaint["type"] != "statistics_not_defined"] == []

    statistics = {
        statistic["statistic_id"]: (statistic["has_sum"], statistic["statistics_unit_of_measurement"])
        for statistic in await home_assistant.command("recorder/list_statistic_ids")
    }
    assert {key: statistics[entity_id] for key, entity_id in ids.items()} == {
        "power": (False, "W"),
        "current_r": (False, "A"),
        "current_t": (False, "A"),
        "import_energy": (True, "kWh"),
        "export_energy": (True, "kWh"),
    }


async def test_port_is_given_back_and_taken_again(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json, truth_log: Path
) -> None:
    assert not port_is_free(meter)
    ids = await entities(home_assistant)

    await home_assistant.disable_entry(entry["entry_id"])
    for entity_id in ids.values():
        assert is_gone(await home_assistant.wait_for_state(entity_id, is_gone))
    assert port_is_free(meter)

    # Exported energy is read only when the meter has told once more that it counts it.
    soon = QUANTITIES.keys() - {"export_energy"}
    await home_assistant.enable_entry(entry["entry_id"])
    await assert_states_are_true(home_assistant, truth_log, soon)

    await home_assistant.reload_entry(entry["entry_id"])
    await assert_states_are_true(home_assistant, truth_log, soon)
    assert [entry["state"] for entry in await home_assistant.entries(DOMAIN)] == ["loaded"]


@pytest.mark.usefixtures("entry")
async def test_home_assistant_stops_without_a_trace(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    assert await home_assistant.stop() == 0
    assert not home_assistant.process.left_behind
    assert port_is_free(meter)

    assert home_assistant.complaints() == []
    log = "\n".join(home_assistant.log_lines())
    assert meter.secrets_in(log, OTHER_ID, WRONG_PASSWORD) == []
