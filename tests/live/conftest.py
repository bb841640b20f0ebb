"""A real Home Assistant of the oldest and of the newest supported version, each a process of its own.

Both are wanted: a missing one is an error, never a skip. Nothing of the test package's simulated Home Assistant is used
here, and its autouse fixtures do no more than look after this process.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
import re
import sys

import pytest
import pytest_asyncio
import pytest_socket

from development.child_process import free_port
from development.config import CHECKOUT, INTEGRATION, write_config
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import SPEED
from development.simulated_meter import SimulatedMeter
from development.websocket import Json


# Before xdist looks at the groups: where this folder is named on the command line, xdist would be asked first.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one Home Assistant in one worker, where tests are distributed."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder) and isinstance(item, pytest.Function):
            environment = item.callspec.params.get("environment", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"live {item.path.stem} {environment}"))


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    """Allow connections to this machine, which the test package forbids anew before the fixtures of every test."""
    pytest_socket.enable_socket()


@pytest.fixture(scope="module", params=["test", "develop"])
def environment(request: pytest.FixtureRequest) -> str:
    """Name the environment whose Home Assistant is run: of the oldest supported version, of the newest."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def version(environment: str) -> str:
    """Return the version that the environment is meant to have."""
    pins = (CHECKOUT / "requirements" / f"{environment}.txt").read_text()
    found = re.search(r"^homeassistant==(\S+)", pins, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def hass(environment: str) -> Path:
    """Return the executable of the Home Assistant to run."""
    executables = {
        "test": Path(sys.executable).with_name("hass"),
        "develop": CHECKOUT / ".venv-develop" / "bin" / "hass",
    }
    executable = executables[environment]
    assert executable.exists(), f"{executable} is missing: run script/setup"
    return executable


@pytest.fixture(scope="module")
def config_entries() -> list[Json]:
    """Return the config entries of before the first start: none, unless a module has its own."""
    return []


@pytest.fixture(scope="module")
def config_folder(tmp_path_factory: pytest.TempPathFactory, environment: str) -> Path:
    """Return the configuration folder: an empty one of each version, unless a module has something of its own in it."""
    return tmp_path_factory.mktemp(f"config_{environment}")


@pytest.fixture(scope="module")
def integration() -> Path | None:
    """Return what is offered as this integration: that of the checkout, unless a module has installed one."""
    return INTEGRATION


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home_assistant(
    hass: Path, config_folder: Path, config_entries: list[Json], integration: Path | None
) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant for the tests of one module."""
    port = free_port()
    write_config(config_folder, port, entries=config_entries, integration=integration)
    async with HomeAssistant(hass, config_folder, port) as running:
        yield running


@pytest.fixture(scope="module")
def meter_options() -> Sequence[str]:
    """Return what the simulated meter is started with beside its speed and a control port, unless a module has more."""
    return ()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def meter(
    tmp_path_factory: pytest.TempPathFactory, environment: str, meter_options: Sequence[str]
) -> AsyncIterator[SimulatedMeter]:
    """Run a simulated meter for the tests of one module."""
    link = tmp_path_factory.mktemp(f"meter_{environment}") / "meter"
    async with SimulatedMeter(link, "--speed", SPEED, "--control", "0", *meter_options) as running:
        yield running
