"""Whether what a meter says can be true: counters against their past, power against currents, all against the supply.

Above: `SmartMeter`, which asks again for what is in doubt. Below: plain values. Times are seconds of one steady clock,
given by the caller.

A digit that was changed between a module and us and stays a hex digit cannot be recognised by its form: no checksum
covers it. So what an answer says is also held against what a low-voltage supply can do (its contract is below 50 kVA):

- A counter rises, by no more than the supply can deliver in the time, and one count more, since it shows whole counts.
  It begins anew at 0 behind its last digit, which is a rise as well. The time is counted from before the earlier
  request to behind the later answer, so it is never too short. A rise of more than `UNCONFIRMED_RISE_KWH` is doubted
  however long it took: after an outage of a day the supply could have delivered more than a thousand kWh, and no house
  takes that. The first counter after a start has nothing to be held against and is doubted, too, unless an earlier
  run left its counters.
- Power and currents lie within the supply, with a fifth to spare.
- Power is no more than the currents can carry. Two-wire is 100 V x R and three-wire 100 V x (R + T); 115 V is beyond
  the tolerance of 101 ± 6 V. Meters that measure in steps of 1 A cut off up to 1 A a line.
- Power is not much less than the currents carry. The sum keeps their signs, since with generation on the roof one line
  may give while the other takes. A power factor of 0.2 with 2 kVA to spare is below what a house has.
- The T line is there or it is not: it does not come and go.

What is in doubt is no value yet. It is asked for again, alone, and the second answer decides. If it fits, the first one
was spoilt and is dropped. If it is in doubt for the same reason and goes on from the first, it is what the meter says:
the same wrong value does not come twice by chance. So a confirmed fall is a new counter (a meter that was reset), with
no third answer. If the two answers agree neither with each other nor with what is known, neither is a value. What a
counter is worth may have changed as well: see `description`.

Some supplies are otherwise by nature: three-phase at 200 V has more power than 115 V x the currents, and there may be
meters whose currents have no sign. A check of power and currents that was answered the same twice `BY_NATURE` times is
not made any more with this meter, so that it is not asked twice for ever.

The meter's log is held against itself: each of its counters must follow the one before it, and its ends must go with
what lies beside them. Where they do not, it is read a second time, and what both answers say is what the meter says.

What remains: a wrong value that could be true. That is a power or a current near the right one, or a counter
a few counts ahead. The latter shows as a fall at the next reading, and is put right by it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
import logging

from .echonet.smart_meter import CURRENTS, POWER, Currents
from .readings import Scale

_LOGGER = logging.getLogger(__name__)

SUPPLY_LIMIT_W = 60_000
"""A fifth above the largest contract."""
CURRENT_LIMIT_A = 300
"""The same in one line: 50 kVA in three wires are 250 A."""
UNCONFIRMED_RISE_KWH = 20
"""A larger rise is asked for twice. It is about what a house takes in a day."""
LARGEST_PART_OF_A_ROUND = 10
"""Nor is a larger part than a tenth of all that a counter can show taken for a rise."""
LINE_VOLTAGE_V = 115
LINE_VOLTAGE_OF_THREE_PHASES_V = 230
CURRENT_STEP_A = 1
NOMINAL_VOLTAGE_V = 100
LEAST_POWER_FACTOR = Decimal("0.2")
APPARENT_POWER_TO_SPARE_VA = 2000
REPEATED_WITHIN = 4
"""A value beyond the supply is repeated by one that differs from it by no more than a quarter."""
BY_NATURE = 3
_J_PER_KWH = 3_600_000


class Doubt(StrEnum):
    """Why a value is not believed at once."""

    FIRST = "first"
    """A counter without a past."""
    FALL = "fall"
    """A counter below the last one."""
    JUMP = "jump"
    """A counter that rose by more than was delivered."""
    POWER_RANGE = "power_range"
    """A power beyond the supply."""
    CURRENT_RANGE = "current_range"
    """A current beyond the supply."""
    LINES = "lines"
    """The T line came or went."""
    POWER_ABOVE_CURRENTS = "power_above_currents"
    """More power than the currents carry at 100 V, as it is with three phases at 200 V."""
    POWER_FAR_ABOVE_CURRENTS = "power_far_above_currents"
    """More power than the currents carry at 200 V."""
    POWER_BELOW_CURRENTS = "power_below_currents"
    """Much less power than the currents carry."""
    LOG = "log"
    """A piece of the meter's log that could not be read, or in which a counter cannot follow the one before it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A counter, and between which instants the meter took it."""

    counter: int
    after_s: float
    before_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one answer says: power in W, currents in A, raw counters by EPC. `None`, or not there: no such value.

    `simultaneous`: power and currents are of the same instant.
    """

    power_w: int | None = None
    currents: Currents | None = None
    counters: Mapping[int, Observation] = field(default_factory=dict)
    simultaneous: bool = True


def could_follow(later: Observation, earlier: Observation, scale: Scale) -> bool:
    """Tell whether a counter is the earlier one or a plausible rise from it, over its last digit if need be."""
    seconds = max(0.0, later.before_s - earlier.after_s)
    rise_kwh = min(SUPPLY_LIMIT_W * seconds / _J_PER_KWH, UNCONFIRMED_RISE_KWH)
    size: int = 10**scale.effective_digits
    rise = int(rise_kwh / float(scale.unit_kwh * scale.coefficient))
    return (later.counter - earlier.counter) % size <= min(rise, size // LARGEST_PART_OF_A_ROUND) + 1


def could_be_of_one_counter(a: Observation, b: Observation, scale: Scale) -> bool:
    """Tell whether one of two counters could follow the other, in whatever order they were taken."""
    return could_follow(a, b, scale) or could_follow(b, a, scale)


class Plausibility:
    """What is believed of one meter, and what was not.

    `held_back` counts the values that were doubted, by reason, and `dropped` those of them that were not confirmed.
    """

    def __init__(self) -> None:
        self.held_back: Counter[Doubt] = Counter()
        self.dropped: Counter[Doubt] = Counter()
        self.believed: dict[int, Observation] = {}
        """The last counter of each direction that was believed, by EPC."""
        self._has_t: bool | None = None
        self._confirmed: Counter[Doubt] = Counter()

    def forget(self) -> None:
        """Begin anew with another meter."""
        self.believed.clear()
        self._has_t = None
        self._confirmed.clear()

    def judge(self, measured: Measured, scale: Scale | None) -> dict[int, Doubt]:
        """Return by EPC what of an answer must be asked for again; the rest is believed.

        Power and currents are doubted together. Without a scale nothing is said of counters.
        """
        doubts: dict[int, Doubt] = {}
        if doubt := self._doubt_of_instant(measured):
            doubts |= {POWER.epc: doubt, CURRENTS.epc: doubt}
            self.held_back[doubt] += 1
        else:
            self._believe_lines(measured)
        if scale:
            for epc, seen in measured.counters.items():
                if doubt := self._doubt_of_counter(epc, seen, scale):
                    doubts[epc] = doubt
                    self.held_back[doubt] += 1
                else:
                    self.believed[epc] = seen
        return doubts

    def settle(
        self, first: Measured, second: Measured | None, doubts: Mapping[int, Doubt], scale: Scale | None
    ) -> tuple[Measured, set[int]]:
        """Return what to believe, and the EPCs of what neither answer makes believable.

        `second` is the answer to the request for what `judge` doubted in `first`; `None` if there was none. Without a
        scale no counter is believed.
        """
        settled = first
        not_confirmed: set[int] = set()
        if doubt := doubts.get(POWER.epc):
            instant = self._settle_instant(first, second, doubt)
            if instant is None:
                not_confirmed |= {POWER.epc, CURRENTS.epc}
                instant = Measured()
            settled = replace(settled, power_w=instant.power_w, currents=instant.currents)
        counters = dict(first.counters)
        for epc, seen in first.counters.items():
            if doubt := doubts.get(epc):
                again = self._settle_counter(epc, seen, second.counters.get(epc) if second else None, doubt, scale)
                if again is None:
                    not_confirmed.add(epc)
                    del counters[epc]
                else:
                    counters[epc] = again
        return replace(settled, counters=counters), not_confirmed

    def _settle_instant(self, first: Measured, second: Measured | None, doubt: Doubt) -> Measured | None:
        again = self._doubt_of_instant(second) if second else doubt
        if second and again is doubt and _repeats(first, second, doubt):
            self._confirmed[doubt] += 1
        else:
            self.dropped[doubt] += 1
            if again:
                return None
        if second:
            self._believe_lines(second)
        return second

    def _settle_counter(
        self, epc: int, first: Observation, second: Observation | None, doubt: Doubt, scale: Scale | None
    ) -> Observation | None:
        if second and scale and self._doubt_of_counter(epc, second, scale) is None:
            self.dropped[doubt] += 1
        elif second and scale and could_follow(second, first, scale):
            if doubt is Doubt.FALL:
                _LOGGER.warning("A counter of the meter has fallen: it is taken as one that began anew")
        else:
            self.dropped[doubt] += 1
            return None
        self.believed[epc] = second
        return second

    def fits(self, epc: int, seen: Observation, scale: Scale) -> bool:
        """Tell whether a counter of a past instant goes with the last believed one, before or behind it."""
        last = self.believed.get(epc)
        return last is not None and could_be_of_one_counter(seen, last, scale)

    def _doubt_of_counter(self, epc: int, seen: Observation, scale: Scale) -> Doubt | None:
        last = self.believed.get(epc)
        if last is None:
            return Doubt.FIRST
        if could_follow(seen, last, scale):
            return None
        return Doubt.FALL if seen.counter < last.counter else Doubt.JUMP

    def _doubt_of_instant(self, measured: Measured) -> Doubt | None:
        return next((doubt for doubt in self._objections(measured) if self._confirmed[doubt] < BY_NATURE), None)

    def _objections(self, measured: Measured) -> Iterator[Doubt]:
        power_w, currents = measured.power_w, measured.currents
        if power_w is not None and abs(power_w) > SUPPLY_LIMIT_W:
            yield Doubt.POWER_RANGE
        if currents is None or currents.r_a is None:
            return
        r_a, t_a = currents.r_a, currents.t_a or Decimal(0)
        if max(abs(r_a), abs(t_a)) > CURRENT_LIMIT_A:
            yield Doubt.CURRENT_RANGE
        if self._has_t not in {None, currents.t_a is not None}:
            yield Doubt.LINES
        if power_w is None or not measured.simultaneous:
            return
        most_a = abs(r_a) + abs(t_a) + CURRENT_STEP_A * (1 if currents.t_a is None else 2)
        if abs(power_w) > LINE_VOLTAGE_OF_THREE_PHASES_V * most_a:
            yield Doubt.POWER_FAR_ABOVE_CURRENTS
        if abs(power_w) > LINE_VOLTAGE_V * most_a:
            yield Doubt.POWER_ABOVE_CURRENTS
        if NOMINAL_VOLTAGE_V * abs(r_a + t_a) > abs(power_w) / LEAST_POWER_FACTOR + APPARENT_POWER_TO_SPARE_VA:
            yield Doubt.POWER_BELOW_CURRENTS

    def _believe_lines(self, measured: Measured) -> None:
        if measured.currents and measured.currents.r_a is not None:
            self._has_t = measured.currents.t_a is not None


def _repeats(first: Measured, second: Measured, doubt: Doubt) -> bool:
    """Tell whether the second answer says what the first one said; a load may change in between."""
    match doubt:
        case Doubt.POWER_RANGE:
            return _is_near(first.power_w, second.power_w)
        case Doubt.CURRENT_RANGE:
            a, b = first.currents, second.currents
            return bool(a and b and _is_near(a.r_a, b.r_a) and _is_near(a.t_a, b.t_a))
        case _:
            return True


def _is_near[N: (int, Decimal)](a: N | None, b: N | None) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) * REPEATED_WITHIN <= max(abs(a), abs(b))
