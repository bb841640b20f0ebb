"""The command with which a developer starts everything, on a checkout of its own."""

import asyncio
import os
from pathlib import Path
import signal
import socket

import aiohttp
import pytest

from development.child_process import LOCALHOST, ChildProcess, free_port, port_is_free
from development.config import CHECKOUT

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose configuration folder is not the developer's."""
    pins, installed = CHECKOUT / "requirements" / "develop.txt", CHECKOUT / ".venv-develop" / "installed.txt"
    # Else the command itself would begin to set up the environment.
    assert installed.exists(), "run script/setup"
    assert installed.read_text() == pins.read_text(), "run script/setup"
    for name in (".venv-develop", "custom_components", "development", "requirements", "script", "simulator"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    return tmp_path


async def start(checkout: Path, *options: str) -> ChildProcess:
    return await ChildProcess.start(
        checkout / "script" / "develop",
        *options,
        folder=checkout,
        environment=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )


def children_of(checkout: Path) -> list[str]:
    """Return the command lines of the meter and of Home Assistant, which name their files in the checkout."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            commands.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in commands if str(checkout) in command]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_everything_starts_and_stops_with_one_command(checkout: Path, signal_number: signal.Signals) -> None:
    port = free_port()
    develop = await start(checkout, "--port", str(port))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            told = ""
            while "Ctrl-C stops everything" not in told:
                line = await develop.stdout.readline()
                assert line, f"ended with exit code {develop.exit_code} after telling: {told}"
                told += line.decode()
        assert "dev, password dev" in told
        assert f"{checkout}/config/meter" in told
        assert "log of 44 days" in told
        async with aiohttp.ClientSession() as session, session.get(f"http://{LOCALHOST}:{port}") as response:
            assert response.status == 200
        assert len(children_of(checkout)) == 2

        os.kill(develop.pid, signal_number)
        async with asyncio.timeout(STOP_TIMEOUT_S):
            assert await develop.wait() == 0
        assert children_of(checkout) == []
        assert port_is_free(port)
    finally:
        await develop.stop(STOP_TIMEOUT_S)


async def test_port_in_use_is_told_in_one_line(checkout: Path) -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        port = server.getsockname()[1]
        develop = await start(checkout, "--port", str(port))
        assert await develop.wait() == 1
    told = (await develop.stdout.read()).decode()
    assert told == f"Port {port} is in use: stop what listens there, or choose another with --port\n"
    assert not (checkout / "config").exists()
