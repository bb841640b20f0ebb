"""Breakers, as far as anything is known of how fast they are: `docs/breaker.md` has the sources and the assumptions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
import math
from typing import Protocol

from simulator import ScriptedLoad

STEP = timedelta(seconds=0.1)


class Breaker(Protocol):
    """What switches a supply off."""

    def flowing_a(self, r_a: float, t_a: float) -> float:
        """Return the current that it looks at, of those in R and T."""

    def tripping(self, before: float) -> Callable[[float], bool]:
        """Return what says every tenth of a second whether it trips, told the share of the limit that flows."""


@dataclass(frozen=True)
class ThermalBreaker:
    """A bimetal, which each line heats with the square of its current, and which cools by itself.

    It never trips at less than `holds`, the share of its rating that it bears for ever.

    Attributes:
        twice_s: after which time it trips at twice its rating, from cold.
        holds: the share of its rating at whose heat it trips.
    """

    twice_s: float
    holds: float = 1.05

    def flowing_a(self, r_a: float, t_a: float) -> float:
        """Return the larger one: each heats a bimetal of its own."""
        return max(r_a, t_a)

    def tripping(self, before: float) -> Callable[[float], bool]:
        """Return what says whether it trips, which is as warm as `before` has made it."""
        heat = before**2

        def trips(share: float) -> bool:
            nonlocal heat
            heat += (share**2 - heat) * STEP.total_seconds() / self._time_constant_s
            return heat >= self.holds**2

        return trips

    @property
    def _time_constant_s(self) -> float:
        return self.twice_s / math.log(4 / (4 - self.holds**2))


@dataclass(frozen=True)
class Limiter:
    """A meter's limit of current: it bears anything above it for the same time.

    Attributes:
        bears_s: for how long.
    """

    bears_s: float

    def flowing_a(self, r_a: float, t_a: float) -> float:
        """Return both together."""
        return r_a + t_a

    def tripping(self, _: float) -> Callable[[float], bool]:
        """Return what says whether it trips."""
        over_s = 0.0

        def trips(share: float) -> bool:
            nonlocal over_s
            over_s = over_s + STEP.total_seconds() if share > 1 else 0.0
            return over_s >= self.bears_s

        return trips


QUICK = ThermalBreaker(twice_s=20)
LAST_ALLOWED = ThermalBreaker(twice_s=240)
METERS_LIMIT = Limiter(bears_s=5)


def trips_at(
    breaker: Breaker,
    rating_a: float,
    load: ScriptedLoad,
    start: datetime,
    end: datetime,
) -> datetime | None:
    """Return when a breaker trips between two instants, if it does, by what a house takes."""

    def share(at: datetime) -> float:
        r_da, t_da = load.flow(at).currents_da(two_wire=False)
        assert t_da is not None
        return breaker.flowing_a(r_da / 10, t_da / 10) / rating_a

    trips = breaker.tripping(share(start))
    at = start
    while at < end:
        at += STEP
        if trips(share(at)):
            return at
    return None
