"""A real recorder, which runs in threads of its own: virtual time stands still while it works.

And the wall clock is that of the simulated home, because a meter's log is about the time of day.
"""

from asyncio import Future, wrap_future
from collections.abc import Callable, Generator
from dataclasses import dataclass
import logging
from pathlib import Path
import threading
from typing import Any, override
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.tasks import RecorderTask, SynchronizeTask
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .household import Household

THREAD_LIMIT_S = 600.0
"""Weeks may have gone by meanwhile, and the disk be slow: the recorder has thousands of states to write then."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the benchmark say for how long and with which outages it is tested (`long/test_soak.py`)."""
    parser.addoption("--soak-days", type=float)
    parser.addoption("--soak-seed", type=int)


@dataclass(slots=True)
class _Barrier(RecorderTask):
    """Tells that everything before it in the recorder's queue is done."""

    reached: threading.Event

    @override
    def run(self, instance: Recorder) -> None:
        self.reached.set()


@pytest.fixture
def recorder_db_url(tmp_path: Path) -> str:
    """Return where the database is."""
    return f"sqlite:///{tmp_path / 'home-assistant_v2.db'}"


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Let the recorder gather states before it commits them, as it does in a home, and not commit each of them."""
    return {"commit_interval": 600}


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: object) -> None:
    """Have the recorder prepared before Home Assistant."""


@pytest.fixture(autouse=True)
def custom_integrations(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """Let Home Assistant see the integration, behind the recorder."""


@pytest.fixture(autouse=True)
def no_time_passes_in_threads(custom_integrations: None, virtual_time: None) -> Generator[None]:
    """Let virtual time stand still while the recorder reads and writes."""
    # Tests log at the lowest level, and each statement is several lines.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    queue_task = Recorder.queue_task

    def put(self: Recorder, task: Any) -> None:
        queue_task(self, task)
        if isinstance(task, SynchronizeTask):
            barrier = _Barrier(threading.Event())
            queue_task(self, barrier)
            assert barrier.reached.wait(THREAD_LIMIT_S)

    def carry_out[T](self: Recorder, target: Callable[..., T], *args: Any) -> Future[T]:
        assert self._db_executor
        done = self._db_executor.submit(target, *args)
        done.exception(THREAD_LIMIT_S)
        return wrap_future(done)

    with (
        patch.object(Recorder, "queue_task", put),
        patch.object(Recorder, "async_add_executor_job", carry_out),
    ):
        yield


@pytest.fixture
def home(home: SimulatedHome, wall_clock: Callable[[SimulatedHome], None]) -> SimulatedHome:
    """Return the simulated home, by whose clock Home Assistant goes."""
    wall_clock(home)
    return home


@pytest.fixture
def household(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, storage: dict[str, Any]) -> Household:
    """Return this home and the integration in it, which is not set up yet."""
    # Each statement of the recorder and each line on the wire is a record, which costs more than what it tells of.
    logging.getLogger().setLevel(logging.INFO)
    return Household(hass, home, entry, storage)
