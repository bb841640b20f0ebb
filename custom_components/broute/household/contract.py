"""The limit of the supply, how currents count against it, and when it is exceeded: pure.

Above: the coordinator, which hands in each reading's currents and when it came. `docs/breaker.md` has the sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any, Final, Self

CONF_LIMIT: Final = "limit"
CONF_AMPERES: Final = "amperes"
CONF_KVA: Final = "kva"
CONF_WIRES: Final = "wires"
CONF_COUNTING: Final = "counting"
CONF_OVER_PERCENT: Final = "over_percent"

CONTRACT_A: Final = (10, 60)
"""The ampere contracts that there are: 10, 15, 20, 30, 40, 50 and 60 A."""
BREAKER_A: Final = (10, 200)
CAPACITY_KVA: Final = (6, 49)
"""Contracts by capacity begin at 6 kVA, and at 50 kVA a supply is no low-voltage one any more."""
DEFAULT_OVER_PERCENT: Final = 100
OVER_PERCENT: Final = (50, 150)

CLEAR_BELOW_PERCENT: Final = 5
"""So many points below where it began a limit is kept again, if it stays there."""
CONFIRM_S: Final = 4.0
"""Two readings at least so far apart have to exceed the limit: one alone may be a motor that starts."""
CLEAR_S: Final = 60.0
"""So long the readings have to stay below: whatever switches in minutes is told once."""


class Limit(StrEnum):
    """What limits the supply."""

    NONE = "none"
    AMPERES = "amperes"
    """A contract by current, which the meter or a breaker of the utility keeps."""
    CAPACITY = "capacity"
    """A contract by capacity in kVA, which is the main breaker's rating."""
    MAIN_BREAKER = "main_breaker"


class Wires(StrEnum):
    """The lines of a single-phase supply."""

    TWO = "two"
    THREE = "three"


class Counting(StrEnum):
    """How the two currents of a supply with three wires count."""

    USUAL = "usual"
    """As is usual for the limit: the sum for a contract by current, each line for a breaker."""
    SUM = "sum"
    PER_LINE = "per_line"


@dataclass(frozen=True, slots=True)
class Contract:
    """A limit of the supply.

    Attributes:
        limit_a: what may flow, in A: in each line, or in both together.
        wires: the lines that there are.
        counting: by sum or by line.
        over_percent: from which share of the limit on it counts as exceeded.
    """

    limit_a: Decimal
    wires: Wires
    counting: Counting
    over_percent: int = DEFAULT_OVER_PERCENT

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self | None:
        """Return what the options say, in which `fault_in` finds no fault; `None` if nothing limits the supply."""
        limit = Limit(options.get(CONF_LIMIT, Limit.NONE))
        if limit is Limit.NONE:
            return None
        wires = Wires(options.get(CONF_WIRES, Wires.THREE))
        counting = Counting(options.get(CONF_COUNTING, Counting.USUAL))
        if counting is Counting.USUAL:
            counting = Counting.SUM if limit is Limit.AMPERES else Counting.PER_LINE
        if limit is Limit.CAPACITY:
            # A capacity is the rating of the main breaker at the voltage between the outer lines.
            volts = 200 if wires is Wires.THREE and counting is Counting.PER_LINE else 100
            limit_a = Decimal(1000 * options[CONF_KVA]) / volts
        else:
            limit_a = Decimal(options[CONF_AMPERES])
        return cls(limit_a, wires, counting, options.get(CONF_OVER_PERCENT, DEFAULT_OVER_PERCENT))

    def used_a(self, r_a: Decimal | None, t_a: Decimal | None) -> Decimal | None:
        """Return what counts of the currents of R and T, in A, of the line that takes most where each counts.

        A breaker does not know in which direction a current flows, a contract by current is about what is taken.
        `None`: a current that counts is not known, or one flows in a line that should not be there.
        """
        if self.wires is Wires.TWO and not t_a:
            t_a = Decimal(0)
        elif self.wires is Wires.TWO:
            return None
        if r_a is None or t_a is None:
            return None
        if self.counting is Counting.SUM:
            return max(r_a, Decimal(0)) + max(t_a, Decimal(0))
        return max(abs(r_a), abs(t_a))

    def usage_percent(self, r_a: Decimal | None, t_a: Decimal | None) -> Decimal | None:
        """Return how much of the limit is used, in % to one digit, never rounded up to one; `None` as for `used_a`."""
        used_a = self.used_a(r_a, t_a)
        return None if used_a is None else (100 * used_a / self.limit_a).quantize(Decimal("0.1"), ROUND_FLOOR)

    def headroom_a(self, r_a: Decimal | None, t_a: Decimal | None) -> Decimal | None:
        """Return what may flow besides, in A: negative while it is too much. `None` as for `used_a`."""
        used_a = self.used_a(r_a, t_a)
        return None if used_a is None else self.limit_a - used_a


def fault_in(options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with options that were typed, a key of the translations; `None` if nothing is."""
    match Limit(options[CONF_LIMIT]):
        case Limit.AMPERES | Limit.MAIN_BREAKER if CONF_AMPERES not in options:
            return "amperes_missing"
        case Limit.AMPERES if not CONTRACT_A[0] <= options[CONF_AMPERES] <= CONTRACT_A[1]:
            return "amperes_of_no_contract"
        case Limit.CAPACITY if CONF_KVA not in options:
            return "kva_missing"
    return None


@dataclass(frozen=True, slots=True)
class Excess:
    """Whether a limit is exceeded, with what that rests on. Begin with an empty one, and let it `see` each reading.

    Attributes:
        is_over: whether it is exceeded; `None` before the readings have told.
        since_s: since when the readings say the opposite; `None` if the last one did not.
    """

    is_over: bool | None = None
    since_s: float | None = None

    def see(self, at_s: float, usage_percent: Decimal | None, over_percent: int) -> Excess:
        """Return what is so after a reading: when it came, on a clock that nobody sets, and how much it says is used.

        One that does not say changes nothing.
        """
        if usage_percent is None:
            return self
        if self.is_over:
            is_opposite, wait_s = usage_percent < over_percent - CLEAR_BELOW_PERCENT, CLEAR_S
        else:
            is_opposite, wait_s = usage_percent >= over_percent, CONFIRM_S
        if not is_opposite:
            return Excess(bool(self.is_over))
        since_s = at_s if self.since_s is None else self.since_s
        if at_s - since_s >= wait_s:
            return Excess(not self.is_over)
        return Excess(self.is_over, since_s)
