"""Days with outages of Home Assistant, module, radio and mains: for a short test, and for `benchmarks/log_soak.py`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
import math
import random

from simulator import Answer, SimulatedHome
from simulator.happenings import Happenings

from .household import DIRECTIONS, Household

CALM = (timedelta(minutes=20), timedelta(days=2))
"""The shortest and the longest time between two outages; all magnitudes are equally likely, as for the outages."""
OUTAGE = (timedelta(minutes=2), timedelta(weeks=2))
MAINS_OUTAGE = (timedelta(minutes=2), timedelta(hours=6))
CATCHING_UP = timedelta(hours=6)
"""After the last outage; the way back into a session may be long, and then a day of the log takes half a minute."""
LOG_PROPERTIES = {0xE2, 0xE4, 0xE5, 0xEC, 0xED}
ANNOUNCEMENTS = {0x73, 0x74}


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        outages: how often what was away.
        away_s: how long all of it was away in all.
        rows: how many hours there are, of both directions together.
        exact: those with what the register has counted.
        told: the hours that were told not to be right by themselves, or not to be there.
        wrong: what must not be, in words.
        answers: how many requests the meter has answered.
        log_answers: those of them that were about its log.
    """

    outages: dict[str, int] = field(default_factory=dict)
    away_s: float = 0.0
    rows: int = 0
    exact: int = 0
    told: int = 0
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    log_answers: int = 0


async def soak(household: Household, home: SimulatedHome, seed: int, days: float) -> Report:
    """Live through days with outages, and return what came of it."""
    chance = random.Random(seed)
    happenings = Happenings(home)
    report = Report()

    def count(answer: Answer) -> None:
        if answer.esv not in ANNOUNCEMENTS:
            report.answers += 1
            report.log_answers += not LOG_PROPERTIES.isdisjoint(answer.epcs)

    async def away(lapse: timedelta) -> None:
        await household.leave()
        await household.stay(lapse)
        await household.arrive()

    async def killed(lapse: timedelta) -> None:
        await household.be_killed()
        await household.stay(lapse)
        await household.arrive()

    async def module(lapse: timedelta) -> None:
        happenings.port_unplugged()
        await household.stay(lapse)
        happenings.port_plugged()

    async def radio(lapse: timedelta) -> None:
        home.faults.set(request_loss=1.0, datagram_loss=1.0, beacon_loss=1.0)
        await household.stay(lapse)
        home.faults.off()

    async def mains(lapse: timedelta) -> None:
        home.meter.reboot(lapse.total_seconds())
        await household.stay(lapse)

    strikes: tuple[Callable[[timedelta], Awaitable[None]], ...] = (away, killed, module, radio, mains)
    spans = dict.fromkeys(strikes, OUTAGE) | {mains: MAINS_OUTAGE}
    home.meter.on_answer = count
    end = home.clock.now() + timedelta(days=days)
    await household.arrive()
    await household.stay_until_complete(CATCHING_UP)
    while True:
        await household.stay(_between(chance, *CALM))
        if (began := home.clock.now()) >= end:
            break
        strike = chance.choice(strikes)
        await strike(min(_between(chance, *spans[strike]), end - began))
        report.outages[strike.__name__] = report.outages.get(strike.__name__, 0) + 1
        report.away_s += (home.clock.now() - began).total_seconds()
    await household.stay_until_complete(CATCHING_UP)
    for direction in DIRECTIONS:
        verdict = await household.verdict(direction)
        report.exact += verdict.exact
        report.told += verdict.told
        report.wrong += verdict.wrong
        report.rows += verdict.rows
    return report


def _between(chance: random.Random, shortest: timedelta, longest: timedelta) -> timedelta:
    low, high = (math.log(lapse.total_seconds()) for lapse in (shortest, longest))
    return timedelta(seconds=math.exp(chance.uniform(low, high)))
