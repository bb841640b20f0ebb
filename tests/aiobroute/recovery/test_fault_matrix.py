"""Every fault, for every family of modules: the link comes back in time, and nothing wrong is ever read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from simulator import SimulatedHome

from .scenarios import ANSWER_S, FAMILIES, JOIN_S, SCENARIOS, Scenario, Stage
from .watch import INTERVAL_S, Reader

pytestmark = pytest.mark.looptime(noop_cycles=0)

CASES = [(family, scenario) for scenario in SCENARIOS for family in scenario.families]


def timers() -> set[asyncio.TimerHandle]:
    """Return what the event loop will still do by itself."""
    loop: Any = asyncio.get_running_loop()
    return {handle for handle in loop._scheduled if not handle.cancelled()}


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def recovery_s(family: str, scenario: Scenario) -> float:
    """Let a fault strike while a meter is read, and return how long after its end the next reading came."""
    loop = asyncio.get_running_loop()
    with SimulatedHome(**FAMILIES[family]) as home:
        home.meter.paa.join_time_s = JOIN_S
        home.meter.answer_s = (ANSWER_S, ANSWER_S)
        reader = Reader(home)
        await reader.open()
        # The client knows its meter, and nothing is under way or was sent a moment ago.
        await reader.read_since(loop.time() + 5 * INTERVAL_S, 10 * INTERVAL_S)
        await asyncio.sleep(INTERVAL_S / 2)
        scenario.strike(Stage(home, family))
        reader.wake()
        over_at = loop.time() + scenario.lasts_s
        try:
            read_at = await reader.read_since(over_at, scenario.lasts_s + scenario.within_s + 600)
            # And it stays so.
            home.faults.off()
            await reader.read_since(loop.time() + 2 * INTERVAL_S, 10 * INTERVAL_S)
        finally:
            await reader.close()
        assert reader.wrong == []
        assert reader.meter.statistics.answers > 5
    return read_at - over_at


@pytest.mark.parametrize(("family", "scenario"), CASES, ids=[f"{scenario.name}-{family}" for family, scenario in CASES])
async def test_the_meter_is_read_again_in_time(family: str, scenario: Scenario) -> None:
    tasks, due, files = asyncio.all_tasks(), timers(), open_files()
    assert await recovery_s(family, scenario) <= scenario.within_s
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert timers() == due
    assert open_files() == files
