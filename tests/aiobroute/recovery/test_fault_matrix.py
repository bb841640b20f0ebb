"""Every fault, for every family of modules: the link comes back in time, and nothing wrong is ever read."""

import asyncio
from typing import Any

import pytest

from .matrix import recovery_s
from .scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.looptime(noop_cycles=0)

CASES = [(family, scenario) for scenario in SCENARIOS for family in scenario.families]


def timers() -> set[asyncio.TimerHandle]:
    """Return what the event loop will still do by itself."""
    loop: Any = asyncio.get_running_loop()
    return {handle for handle in loop._scheduled if not handle.cancelled()}


@pytest.mark.parametrize(("family", "scenario"), CASES, ids=[f"{scenario.name}-{family}" for family, scenario in CASES])
async def test_the_meter_is_read_again_in_time(family: str, scenario: Scenario) -> None:
    tasks, due = asyncio.all_tasks(), timers()
    assert await recovery_s(family, scenario) <= scenario.within_s
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert timers() == due
