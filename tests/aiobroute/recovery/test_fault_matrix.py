"""Every fault, for every family of modules: the link comes back in time, and nothing wrong is ever read."""

import asyncio
from typing import Any, ClassVar, override

import pytest

from simulator import Faults, SimulatedHome
from simulator.happenings import Happenings

from .matrix import recovery_s
from .scenarios import FAMILIES, SCENARIOS, Scenario, Stage

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


class Seen(Happenings):
    """Happenings, and which of them were asked for."""

    names: ClassVar[set[str]] = set()

    @override
    def __getattribute__(self, name: str) -> Any:
        Seen.names.add(name)
        return super().__getattribute__(name)


async def test_nothing_that_can_go_wrong_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    switched: set[str] = set()
    switch = Faults.set

    def noted(faults: Faults, seconds: float | None = None, /, **switches: Any) -> None:
        switched.update(switches)
        switch(faults, seconds, **switches)

    monkeypatch.setattr(Faults, "set", noted)
    for family, scenario in CASES:
        with SimulatedHome(**FAMILIES[family]) as home:
            scenario.strike(Stage(home, family, Seen(home)))
    assert switched == set(Faults.documentation())
    # What a house takes is nothing that goes wrong.
    assert set(Happenings.documentation()) - {"load_stepped"} <= Seen.names
