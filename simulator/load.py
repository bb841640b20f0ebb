"""The house: how much power it takes or gives at any instant, and the exact energy since `EPOCH`.

Knows nothing of meters or registers. Power is constant within a minute or a step, so energy is an exact integer of
microjoules (watt x microsecond) and can be asked for any instant, in any order. Between a load and its meter are the
`Mains`, which may fail. The registers above make kWh of it.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from operator import attrgetter
from random import Random
from typing import Protocol
from zlib import crc32

from .clock import JST

EPOCH = datetime(2016, 4, 1, tzinfo=JST)
"""Where every load begins to count: the year in which the utilities opened the B-route."""
UJ_PER_WH = 3_600_000_000
MINUTES_PER_DAY = 1440
_US_PER_MINUTE = 60_000_000
_US = timedelta(microseconds=1)
_HOUSE_DAYS = 8
_SKY_DAYS = 6


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy since `EPOCH` in microjoules, both directions counted apart, neither ever falls."""

    import_uj: int
    export_uj: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What passes the meter at an instant: whole watts, negative = export, and the R line's share of it in permille."""

    power_w: int
    r_permille: int = 600

    def currents_da(self, *, two_wire: bool) -> tuple[int, int | None]:
        """Return the R and T currents in 0.1 A at 100 V a line, signed as the power; T is `None` on two wires."""
        total_da = round(self.power_w / 10)
        if two_wire:
            return total_da, None
        r_da = round(self.power_w * self.r_permille / 10_000)
        return r_da, total_da - r_da


class Load(Protocol):
    """What a meter measures."""

    def flow(self, at: datetime) -> Flow:
        """Return the flow at an instant."""

    def energy(self, at: datetime) -> Energy:
        """Return the exact energy from `EPOCH` to an instant; zero before it."""


class ScriptedLoad:
    """Constant power from one step to the next: for thresholds and for answers that a test knows by heart.

    Args:
        power_w: the power before the first step, in W, negative = export.
        r_permille: the R line's share.
    """

    def __init__(self, power_w: int, *, r_permille: int = 600) -> None:
        self._r_permille = r_permille
        self._steps = [(EPOCH, power_w)]
        self._totals = [Energy(0, 0)]

    def step(self, at: datetime, power_w: int) -> None:
        """Set the power from `at` on, in W; steps are given in the order of time.

        Raises:
            ValueError: when `at` lies before the step given last.
        """
        if at < self._steps[-1][0]:
            raise ValueError("give the steps in the order of time")
        self._totals.append(self.energy(at))
        self._steps.append((at, power_w))

    def flow(self, at: datetime) -> Flow:
        """Return the flow at an instant."""
        return Flow(self._steps[self._index(at)][1], self._r_permille)

    def energy(self, at: datetime) -> Energy:
        """Return the exact energy from `EPOCH` to an instant; zero before it."""
        index = self._index(at)
        since, power_w = self._steps[index]
        lapse_us = max(0, (at - since) // _US)
        total = self._totals[index]
        return Energy(total.import_uj + max(power_w, 0) * lapse_us, total.export_uj + max(-power_w, 0) * lapse_us)

    def _index(self, at: datetime) -> int:
        return max(0, bisect_right(self._steps, at, key=lambda step: step[0]) - 1)


class ConstantLoad(ScriptedLoad):
    """The same power for ever, until a test sets a step."""


class HouseLoad:
    """A household with a day's rhythm and, unless `export` is false, solar generation on the roof.

    Each day is one of a set of days made from the seed, so any day of any year can be asked for at once and the same
    seed gives the same curve.

    Args:
        seed: names the curve.
        export: whether there is generation; without it nothing ever flows out.
        solar_peak_w: the most that the generation gives, in W.
    """

    def __init__(self, seed: int = 0, *, export: bool = True, solar_peak_w: int = 3200) -> None:
        self._seed = seed
        self._solar_peak_w = solar_peak_w if export else 0
        # The days that were asked for, from `EPOCH` on, and the watt-minutes before each of them and after the last.
        self._days: list[_Day] = []
        self._totals: list[tuple[int, int]] = [(0, 0)]

    def flow(self, at: datetime) -> Flow:
        """Return the flow at an instant; constant within a minute."""
        number, within = divmod(at - EPOCH, timedelta(days=1))
        return self._day(number).flows[within // timedelta(minutes=1)]

    def energy(self, at: datetime) -> Energy:
        """Return the exact energy from `EPOCH` to an instant; zero before it."""
        if at <= EPOCH:
            return Energy(0, 0)
        since = at - EPOCH
        number = since.days
        while len(self._days) <= number:
            bought, sold = self._totals[-1]
            day = self._day(len(self._days))
            self._days.append(day)
            self._totals.append((bought + day.import_wmin[-1], sold + day.export_wmin[-1]))
        day = self._days[number]
        minute, second = divmod(since.seconds, 60)
        rest_us = second * 1_000_000 + since.microseconds
        power_w = day.flows[minute].power_w
        bought, sold = self._totals[number]
        return Energy(
            (bought + day.import_wmin[minute]) * _US_PER_MINUTE + max(power_w, 0) * rest_us,
            (sold + day.export_wmin[minute]) * _US_PER_MINUTE + max(-power_w, 0) * rest_us,
        )

    def _day(self, number: int) -> _Day:
        draw = crc32(f"{self._seed}/{number}".encode())
        return _kind_of_day(self._seed, draw % _HOUSE_DAYS, draw // _HOUSE_DAYS % _SKY_DAYS, self._solar_peak_w)


@dataclass(frozen=True, slots=True)
class _Outage:
    """A time without mains, `end` not included.

    Attributes:
        start: when they failed.
        end: when they were back; `None`: not yet.
        passed: what had passed the mains when they failed.
        lost: what the load is ahead of the mains once they are back.
    """

    start: datetime
    end: datetime | None
    passed: Energy
    lost: Energy


class Mains:
    """The mains between a load and its meter: while there are none, the house neither takes nor gives.

    Itself a load, and as exact: the energy that the curve has during an outage is left out for ever.

    Args:
        load: what the house takes and gives while there are mains.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._outages: list[_Outage] = []

    def fail(self, at: datetime) -> None:
        """Have no mains from `at` on; when there are none already, that outage goes on."""
        if self.powered(at):
            self._outages.append(_Outage(at, None, self.energy(at), Energy(0, 0)))

    def restore(self, at: datetime) -> None:
        """Have mains again from `at` on, if there were none."""
        if not self.powered(at):
            last = self._outages[-1]
            total = self._load.energy(at)
            lost = Energy(total.import_uj - last.passed.import_uj, total.export_uj - last.passed.export_uj)
            self._outages[-1] = _Outage(last.start, at, last.passed, lost)

    def powered(self, at: datetime) -> bool:
        """Tell whether there are mains at an instant; in an outage the first instant counts and the last does not."""
        outage = self._last_outage(at)
        return outage is None or (outage.end is not None and at >= outage.end)

    def flow(self, at: datetime) -> Flow:
        """Return the flow at an instant."""
        return self._load.flow(at) if self.powered(at) else Flow(0)

    def energy(self, at: datetime) -> Energy:
        """Return the exact energy from `EPOCH` to an instant; zero before it."""
        outage = self._last_outage(at)
        if outage is None:
            return self._load.energy(at)
        if outage.end is None or at < outage.end:
            return outage.passed
        total = self._load.energy(at)
        return Energy(total.import_uj - outage.lost.import_uj, total.export_uj - outage.lost.export_uj)

    def _last_outage(self, at: datetime) -> _Outage | None:
        """Return the outage that has begun last before an instant."""
        index = bisect_right(self._outages, at, key=attrgetter("start"))
        return self._outages[index - 1] if index else None


@dataclass(frozen=True)
class _Day:
    """The minutes of a day, and the watt-minutes before each of them."""

    flows: tuple[Flow, ...]

    @cached_property
    def import_wmin(self) -> tuple[int, ...]:
        return tuple(accumulate((max(flow.power_w, 0) for flow in self.flows), initial=0))

    @cached_property
    def export_wmin(self) -> tuple[int, ...]:
        return tuple(accumulate((max(-flow.power_w, 0) for flow in self.flows), initial=0))


@lru_cache(maxsize=4 * _HOUSE_DAYS * _SKY_DAYS)
def _kind_of_day(seed: int, house: int, sky: int, solar_peak_w: int) -> _Day:
    used = _house_day(f"{seed}/house/{house}")
    made = _sky_day(f"{seed}/sky/{sky}", solar_peak_w)
    return _Day(tuple(Flow(used_w - made_w, share) for (used_w, share), made_w in zip(used, made, strict=True)))


def _house_day(seed: str) -> list[tuple[int, int]]:
    """Return for each minute of a day what the house takes in W and the R line's share in permille."""
    random = Random(seed)
    minutes = []
    base_w, fridge_phase = random.randint(140, 220), random.randrange(60)
    morning, evening = random.randint(370, 420), random.randint(1020, 1110)
    bursts = [(random.randrange(360, 1380), random.randint(2, 25), random.randint(500, 1400)) for _ in range(9)]
    for minute in range(MINUTES_PER_DAY):
        power_w = base_w + random.randint(-12, 12)
        power_w += 90 if (minute + fridge_phase) % 60 < 25 else 0
        power_w += 520 + random.randint(-60, 60) if morning <= minute < morning + 95 else 0
        power_w += 760 + random.randint(-90, 90) if evening <= minute < evening + 280 else 0
        power_w += sum(extra_w for start, length, extra_w in bursts if start <= minute < start + length)
        minutes.append((power_w, random.randint(350, 650)))
    return minutes


def _sky_day(seed: str, peak_w: int) -> list[int]:
    """Return for each minute of a day what the generation gives in W: a parabola between dawn and dusk under clouds."""
    random = Random(seed)
    clear_permille = random.choice((130, 300, 500, 750, 1000))
    dawn, dusk = random.randint(350, 400), random.randint(1000, 1070)
    minutes = []
    for minute in range(MINUTES_PER_DAY):
        cloud_permille = clear_permille - random.randint(0, 120)
        height = max(0, (minute - dawn) * (dusk - minute))
        minutes.append(peak_w * height * 4 * cloud_permille // ((dusk - dawn) ** 2 * 1000))
    return minutes
