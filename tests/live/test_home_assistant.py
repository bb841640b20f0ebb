"""The Home Assistant that the other tests here rely on: it starts, can be driven, tells its troubles, and goes away."""

from pathlib import Path

import pytest

from development.child_process import free_port, port_is_free
from development.home_assistant import HomeAssistant, HomeAssistantEndedError
from development.meter_in_home_assistant import is_gone, is_known
from development.websocket import RefusedError

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_runs_the_version_that_is_pinned_in_japan(home_assistant: HomeAssistant, version: str) -> None:
    config = await home_assistant.get("/api/config")
    assert {key: config[key] for key in ("version", "state", "recovery_mode", "country", "currency", "time_zone")} == {
        "version": version,
        "state": "RUNNING",
        "recovery_mode": False,
        "country": "JP",
        "currency": "JPY",
        "time_zone": "Asia/Tokyo",
    }


async def test_starts_without_a_complaint(home_assistant: HomeAssistant) -> None:
    assert home_assistant.complaints() == []


async def test_sees_the_integration_of_the_checkout(home_assistant: HomeAssistant) -> None:
    assert "broute" in await home_assistant.flow_handlers()


async def test_adds_reloads_disables_and_deletes_an_integration(home_assistant: HomeAssistant) -> None:
    step = await home_assistant.start_flow("uptime")
    assert step["type"] == "form"
    step = await home_assistant.wait_flow_step(await home_assistant.configure_flow(step["flow_id"], {}))
    assert step["type"] == "create_entry"
    entry_id = step["result"]["entry_id"]
    (sensor,) = (await home_assistant.entity_ids("uptime")).values()
    assert await home_assistant.wait_for_state(sensor, is_known)

    await home_assistant.reload_entry(entry_id)
    assert await home_assistant.wait_for_state(sensor, is_known)

    await home_assistant.disable_entry(entry_id)
    assert is_gone(await home_assistant.wait_for_state(sensor, is_gone))
    assert [entry["state"] for entry in await home_assistant.entries("uptime")] == ["not_loaded"]

    await home_assistant.enable_entry(entry_id)
    assert await home_assistant.wait_for_state(sensor, is_known)

    await home_assistant.delete_entry(entry_id)
    assert await home_assistant.entries("uptime") == []


async def test_tells_why_something_was_refused(home_assistant: HomeAssistant) -> None:
    with pytest.raises(RefusedError, match=r"404.*Invalid handler specified"):
        await home_assistant.start_flow("no_such_integration")
    with pytest.raises(RefusedError, match="no_such_command: unknown_command"):
        await home_assistant.command("no_such_command")


async def test_tells_what_was_waited_for_in_vain(home_assistant: HomeAssistant) -> None:
    with pytest.raises(
        TimeoutError, match=r"did not bring sensor\.none to the state waited for within 0\.1 s; the end of"
    ):
        await home_assistant.wait_for_state("sensor.none", lambda state: state is not None, timeout_s=0.1)


async def test_tells_why_it_could_not_start(tmp_path: Path) -> None:
    broken = tmp_path / "hass"
    broken.write_text("#!/bin/sh\necho Something is missing\nexit 3\n")
    broken.chmod(0o755)
    home_assistant = HomeAssistant(broken, tmp_path, free_port())
    with pytest.raises(HomeAssistantEndedError, match=r"exit code 3(.|\n)*Something is missing"):
        await home_assistant.start()
    assert home_assistant.process.exit_code == 3


async def test_starts_again_and_leaves_nothing_behind(home_assistant: HomeAssistant) -> None:
    assert await home_assistant.stop() == 0
    await home_assistant.start()
    assert (await home_assistant.get("/api/config"))["state"] == "RUNNING"

    port = int(home_assistant.address.rpartition(":")[2])
    assert not port_is_free(port)
    assert await home_assistant.stop() == 0
    assert not home_assistant.process.left_behind
    assert port_is_free(port)
