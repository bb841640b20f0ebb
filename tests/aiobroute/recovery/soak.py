"""Days of reading on virtual time, with a fault every few minutes: for a short test, and for `benchmarks/soak.py`."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
import gc
import random

from simulator import SimulatedHome

from .scenarios import FAMILIES, SCENARIOS, Scenario, Stage
from .watch import Reader, TellingLoad

FAULT_EVERY_S = 300.0
"""On the average."""
CALM_SHARE = 0.3
"""How often everything that still goes wrong is put right before the next fault; else faults add up."""
STUCK_S = 3 * 3600.0 + 3600.0
"""A client that has not read for so long will never read again: the longest fault, and an hour in which others come."""
RECOVERED_S = 900.0
"""After the last fault, when a whole ladder of attempts may have been climbed."""
SAMPLE_S = 6 * 3600.0
WARM_UP_S = 24 * 3600.0
"""From then on nothing may grow."""


@dataclass(slots=True)
class Report:
    """What came of it."""

    readings: int = 0
    wrong: int = 0
    incomplete: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    recovered_s: float = 0.0
    tasks: list[int] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)


def _weight(scenario: Scenario) -> float:
    return 1 / (1 + scenario.lasts_s / 60)


async def soak(family: str, seed: int, days: float) -> Report:
    """Read a meter for days while faults strike, and return what came of it."""
    loop = asyncio.get_running_loop()
    chance = random.Random(f"{family}/{seed}")
    scenarios = [scenario for scenario in SCENARIOS if family in scenario.families and not scenario.stands_alone]
    weights = [_weight(scenario) for scenario in scenarios]
    report = Report()
    end = loop.time() + days * 86_400
    with SimulatedHome(load=TellingLoad(seed), seed=seed, **FAMILIES[family]) as home:
        reader = Reader(home)
        await reader.open()
        sampling = asyncio.create_task(_sample(report))
        try:
            while loop.time() < end:
                await asyncio.sleep(chance.expovariate(1 / FAULT_EVERY_S))
                if chance.random() < CALM_SHARE:
                    home.faults.off()
                (scenario,) = chance.choices(scenarios, weights)
                report.faults[scenario.name] += 1
                scenario.strike(Stage.of(home, family))
                assert loop.time() - reader.read_at[-1] < STUCK_S, f"stuck after {scenario.name}"
            home.faults.off()
            calm_at = loop.time()
            report.recovered_s = await reader.read_since(calm_at, RECOVERED_S) - calm_at
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
            await reader.close()
        report.readings = reader.readings
        report.wrong, report.incomplete = len(reader.wrong), len(reader.incomplete)
        report.longest_gap_s = reader.longest_gap_s
    return report


async def _sample(report: Report) -> None:
    """Count what could grow."""
    await asyncio.sleep(WARM_UP_S)
    while True:
        gc.collect()
        report.tasks.append(len(asyncio.all_tasks()))
        report.objects.append(len(gc.get_objects()))
        await asyncio.sleep(SAMPLE_S)
