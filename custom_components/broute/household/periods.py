"""The energy of a day and of a billing period, from the rows of the meter's log and the counters behind them. Pure.

Nothing is added up here that a counter has not counted, and nothing is stored: a row of the log holds the energy since
the series began (`sum`), so the energy of a time is the difference of two rows. Behind the last row the counters go on:
that of the last half hour, and those that were read. What follows from that:

- A time whose beginning no row and no counter tells is unknown. A counter that has not moved from one before it to one
  after it was the same in between, so that the beginning of a night without import is known at once.
- Where a counter was exchanged or has begun anew it is not known what was used in between. The energy of a time with
  such a hole in it is unknown; what was counted on both sides is told beside it.

Days are the meter's, in JST. A billing period is from the meter-reading day of one month to the day before that of the
next. Times are aware, energies in kWh, exact.
"""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Self

from ..history.planner import DAY, Counting, Exchange, Row, day_of, midnight
from .demand import BRIDGE


def day_start(now: datetime) -> datetime:
    """Return when the meter's day began."""
    return midnight(day_of(now))


def billing_start(now: datetime, reading_day: int) -> datetime:
    """Return when the billing period began: on a day of the month, 1 to 31, or the last one of a shorter month."""
    today = day_of(now)
    begins = _in_month(today, reading_day)
    if begins > today:
        begins = _in_month(today.replace(day=1) - DAY, reading_day)
    return midnight(begins)


def _in_month(day: date, number: int) -> date:
    return day.replace(day=min(number, monthrange(day.year, day.month)[1]))


@dataclass(frozen=True, slots=True)
class Energy:
    """The energy of a time.

    Attributes:
        start: its beginning.
        until: up to when it is counted.
        counted_kwh: what was counted in it.
        not_counted: the times in it of which no counter tells what was used.
    """

    start: datetime
    until: datetime
    counted_kwh: Decimal
    not_counted: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def energy_kwh(self) -> Decimal | None:
        """What there was in all; `None`: some of it was not counted."""
        return None if self.not_counted else self.counted_kwh


@dataclass(frozen=True, slots=True)
class _Total:
    """What was counted up to an instant since the first one."""

    at: datetime
    kwh: Decimal


class Account:
    """What one direction has counted, up to an instant.

    Args:
        rows: those of the log that are there, in their order.
        counting: how the present meter counts.
        exchange: since when it does; `None`: always.
    """

    def __init__(self, rows: Sequence[Row], counting: Counting, exchange: Exchange | None) -> None:
        """Take the rows."""
        self._counting = counting
        self._exchange = exchange
        self._totals = [_Total(row.end, row.sum) for row in rows]
        self._last = (rows[-1].end, rows[-1].state) if rows else None
        """The last counter and its time."""
        self._not_counted = tuple(
            (earlier.end, later.end)
            for earlier, later in pairwise(rows)
            if self._is_of_another(earlier.end, later.end) or later.sum - earlier.sum != self._counted(earlier, later)
        )

    def _is_of_another(self, earlier: datetime, later: datetime) -> bool:
        """Tell whether, of two counters, only the later one is the present meter's."""
        begins = self._exchange.begins if self._exchange else None
        return begins is not None and earlier < begins <= later

    def _counted(self, earlier: Row, later: Row) -> Decimal | None:
        """Return what the counter rose by from one row to another, whatever meter it was of."""
        if later.state >= earlier.state:
            return later.state - earlier.state
        return self._counting.rise_kwh(earlier.state, later.state, later.end - earlier.end)

    def with_counters(self, counters: Sequence[tuple[datetime, Decimal]]) -> Self | None:
        """Return the account as it goes on by counters of the present meter; `None` if they cannot follow.

        Those that are no later than the last row tell nothing new. They are given with their times, in their order.
        """
        account = copy(self)
        account._totals = [*self._totals]  # noqa: SLF001
        return account if all(account._take(at, counter) for at, counter in counters) else None  # noqa: SLF001

    def _take(self, at: datetime, counter: Decimal) -> bool:
        """Go on to a counter; return whether it can follow the last one."""
        if self._last is None:
            self._totals.append(_Total(at, Decimal(0)))
            self._last = at, counter
            return True
        last_at, last = self._last
        if at <= last_at:
            return True
        if self._exchange and (self._exchange.begins is None or last_at < self._exchange.begins):
            return False
        if (rise := self._counting.rise_kwh(last, counter, at - last_at)) is None:
            return False
        self._totals.append(_Total(at, self._totals[-1].kwh + rise))
        self._last = at, counter
        return True

    def energy(self, start: datetime, end: datetime | None = None) -> Energy | None:
        """Return the energy from `start` to `end`, or up to the last counter; `None`: it is not known."""
        if end is None:
            if not self._totals:
                return None
            end = self._totals[-1].at
            if end < start:
                # At the very beginning there was nothing. A counter of long before may have none to follow it.
                return Energy(start, start, Decimal(0)) if start - end <= BRIDGE else None
        first, last = self._total(start), self._total(end)
        if first is None or last is None:
            return None
        # A hole that ends where the time begins is none of it, and one that it cuts leaves no beginning.
        holes = tuple(hole for hole in self._not_counted if hole[0] < end and hole[1] > start)
        return Energy(start, end, last - first, holes)

    def _total(self, at: datetime) -> Decimal | None:
        """Return what was counted up to an instant, if that is known."""
        number = bisect_left(self._totals, at, key=lambda total: total.at)
        if number == len(self._totals):
            return None
        later = self._totals[number]
        if later.at == at:
            return later.kwh
        if number == 0 or later.kwh != self._totals[number - 1].kwh:
            return None
        earlier = self._totals[number - 1]
        is_hole = any(hole[0] < later.at and hole[1] > earlier.at for hole in self._not_counted)
        return None if is_hole else later.kwh
