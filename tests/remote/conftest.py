"""Modules behind a real serial port server, `ser2net`: over TCP on this machine, as raw bytes and as RFC 2217."""

from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
import pytest_socket

from development.simulated_meter import SimulatedMeter

from .ser2net import Ser2net

SPEED = "50"
"""Scanning and joining take a real module half a minute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one protocol in one worker, where tests are distributed: each test runs two programs."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder) and isinstance(item, pytest.Function):
            scheme = item.callspec.params.get("scheme", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"remote {scheme}"))


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    """Allow connections to this machine, which the test package forbids anew before the fixtures of every test."""
    pytest_socket.enable_socket()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """See that no test leaves a file descriptor: whatever a connection runs into, its socket or port is closed.

    That is looked at before the servers are ended, who would hang up.
    """
    before = descriptors()
    result = yield
    assert descriptors().items() <= before.items()
    return result


def descriptors() -> dict[str, str]:
    """Return what this process has open, by number."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        # That of the folder itself is closed again.
        with suppress(FileNotFoundError):
            found[entry.name] = str(entry.readlink())
    return found


@pytest.fixture(params=["socket", "rfc2217"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Name what is spoken with the server."""
    name: str = request.param
    return name


@pytest.fixture
def truth_log(tmp_path: Path) -> Path:
    """Return where the meter writes what was true at each of its answers."""
    return tmp_path / "truth.jsonl"


@pytest_asyncio.fixture
async def meter(tmp_path: Path, truth_log: Path) -> AsyncIterator[SimulatedMeter]:
    """Run a simulated meter."""
    async with SimulatedMeter(tmp_path / "module", "--speed", SPEED, "--truth-log", str(truth_log)) as running:
        yield running


@pytest_asyncio.fixture
async def server(scheme: str, meter: SimulatedMeter, tmp_path: Path) -> AsyncIterator[Ser2net]:
    """Serve the port of its module."""
    async with Ser2net(scheme, meter.port, tmp_path / "ser2net.yaml") as running:
        yield running
