"""Which rows of statistics follow from a meter's counters, and which days of its log have still to be asked for. Pure.

A series is one direction of one house: a row an hour, with the counter at its end (`state`) and the energy since the
series began (`sum`). Its rows are all that is known of what was done before: there is no other account of it. What
follows from that:

- The energy of an hour is what the counter rose by, over its last digit if need be. Energy is never estimated: where
  the counter at the end of an hour is not known, there is no row, and the energy of all the hours up to the next known
  counter stands in the last one of them. So no energy is lost or counted twice, and the hours that are not right by
  themselves are told as a `Gap`.
- Rows are written in their order, and an hour only when it is settled that no earlier one is still to come: `plan` then
  needs no more than the last row to go on.
- A counter that falls, or that rises by more than a supply can deliver, is wrong if those behind it go on from the one
  before it. Else it has begun anew: the sum goes on, and what was between the two is not known.
- After a meter was exchanged (another one, or another unit) counters of the old and the new one have nothing to do
  with each other, and the log of the new one may hold what it counted elsewhere. Of that only the unbroken part counts
  that reaches from within the exchange to the present (`beginning`).
- What a clock may have stamped that was wrong is not used (`Past.doubtful`), unless it came when its time was
  (`Log.fresh`).

Times are aware; a row's is in UTC. Days are the meter's, in JST. Energies are in kWh, exact.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum, auto
from operator import attrgetter

from ..aiobroute import JST, SUPPLY_LIMIT_W

HOUR = timedelta(hours=1)
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)
FARTHEST = 99 * DAY
"""No log can be asked for further back."""
HALF_HOURS_A_DAY = 48

type Hole = tuple[datetime, datetime]

LARGEST_PART_OF_A_ROUND = 10
"""A counter that shows less than before has gone over its last digit only if it rose by a tenth of a round at most."""
SPOILT_POINTS = 4
"""So many counters in a row may be wrong before they are what the meter says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What a counter counts in, kWh: the least that it can show, and after which energy it begins anew at 0."""

    count_kwh: Decimal
    round_kwh: Decimal

    def rise_kwh(self, earlier: Decimal, later: Decimal, lapse: timedelta) -> Decimal | None:
        """Return by how much a counter rose in a time; `None` if that cannot be told, or cannot be."""
        rise = later - earlier if later >= earlier else later - earlier + self.round_kwh
        most = Decimal(SUPPLY_LIMIT_W * lapse.total_seconds() / 3.6e6) + self.count_kwh
        if rise > most or rise + self.round_kwh <= most:
            return None
        if later < earlier and rise * LARGEST_PART_OF_A_ROUND > self.round_kwh:
            return None
        return rise


@dataclass(frozen=True, slots=True)
class Row:
    """An hour of a series: its start, the counter at its end (kWh), and the energy since the series began (kWh)."""

    start: datetime
    state: Decimal
    sum: Decimal

    @property
    def end(self) -> datetime:
        """When the counter was that."""
        return self.start + HOUR


@dataclass(frozen=True, slots=True)
class Span:
    """A time without its two ends; `after` is `None` where nobody knows how early it began."""

    after: datetime | None
    before: datetime

    def __contains__(self, at: datetime) -> bool:
        """Tell whether an instant lies in it."""
        return (self.after is None or self.after < at) and at < self.before


@dataclass(frozen=True, slots=True)
class Exchange:
    """The meter was exchanged, or what its counts are worth: after one instant, and before another.

    `begins`: the first half hour that is the present meter's; `None` until that is known.
    """

    after: datetime | None
    before: datetime
    begins: datetime | None = None

    def may_have(self, at: datetime) -> bool:
        """Tell whether a counter of the present meter may be of here, as far as is known."""
        if self.begins:
            return at >= self.begins
        return self.after is None or at > self.after


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a meter's past beside its counters."""

    exchange: Exchange | None = None
    """The last one: of earlier ones nothing is left but rows."""
    doubtful: tuple[Span, ...] = ()
    """Nothing that is stamped with a time in one of these counts."""
    lost: Mapping[str, date] = field(default_factory=dict)
    """For each direction the day up to which the meter's log tells nothing of it."""

    def is_doubtful(self, at: datetime) -> bool:
        """Tell whether a stamp may be of a clock that was wrong."""
        return any(at in span for span in self.doubtful)


class Reason(StrEnum):
    """Why hours have no energy of their own."""

    NOT_KEPT = "not_kept"
    """The meter does not know its counter at the end of an hour."""
    CLOCK_WRONG = "clock_wrong"
    """Its clock was wrong then."""
    EXCHANGED = "exchanged"
    """It was exchanged then."""
    BEGAN_ANEW = "began_anew"
    """Its counter began anew then."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours from `start` to `end` that have no row, or a row that is not right by itself.

    `energy_kwh`: what the last of them holds for all of them; `None` where nobody knows what there was.
    """

    start: datetime
    end: datetime
    reason: Reason
    energy_kwh: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is known of a meter's log.

    Attributes:
        counters: for each direction its counters in kWh by half hour; `None` where the meter has none.
        fresh: the half hours that were not read out of the log, but came when it was their time.
        doubted: the days that the meter was asked for and did not tell, which may have been by chance.
    """

    counters: Mapping[str, Mapping[datetime, Decimal | None]]
    fresh: AbstractSet[datetime] = frozenset()
    doubted: AbstractSet[date] = frozenset()

    def told_days(self, direction: str) -> set[date]:
        """Return the days of which a counter is known."""
        return {day_of(at) for at, counter in self.counters[direction].items() if counter is not None}

    def empty_days(self, direction: str) -> set[date]:
        """Return the days that have no counter at all."""
        without = Counter(day_of(at) for at, counter in self.counters[direction].items() if counter is None)
        return {day for day, number in without.items() if number == HALF_HOURS_A_DAY}


class Extent(Enum):
    """What of the rows a plan is about."""

    BEHIND = auto()
    """What follows the last ones: an hour as soon as no earlier one can come any more."""
    BEFORE = auto()
    """What comes before the first ones: all of them rise by that at once, when it is known as a whole."""
    AGAIN = auto()
    """All of them, as if there were none, when all is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        rows: those to write, by direction.
        gaps: the hours that are not right by themselves, by direction.
        holes: the times of two counters between which the meter has written none, and so there are gaps.
        contradictions: the times of counters that cannot follow each other.
        day: the day to ask the meter for next; `None` when there is nothing more to ask for.
        begins: what is known of the last exchange now.
        lost: what is known now of where the log begins, as in `Past`; only where it is less than was asked for.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    gaps: dict[str, list[Gap]] = field(default_factory=dict)
    holes: set[Hole] = field(default_factory=set)
    contradictions: set[datetime] = field(default_factory=set)
    day: date | None = None
    begins: datetime | None = None
    lost: dict[str, date] = field(default_factory=dict)


def day_of(at: datetime) -> date:
    """Return the meter's day whose log holds a half hour."""
    return at.astimezone(JST).date()


def midnight(day: date) -> datetime:
    """Return when a day of the meter begins."""
    return datetime.combine(day, time(), JST)


def plan(
    rows: Mapping[str, Sequence[Row]],
    log: Log,
    extent: Extent,
    *,
    start: datetime,
    now: datetime,
    counting: Counting,
    past: Past,
) -> Plan:
    """Plan what follows from the rows that exist and what is known of the meter's log.

    Args:
        rows: for each direction rows that exist, in their order: the last one, or all from `start` on.
        log: the counters that are known; those of the present meter.
        extent: what is wanted.
        start: as far back as the log is wanted.
        now: up to when the log should be complete, by the meter's clock.
        counting: how the meter counts.
        past: what else is known.
    """
    past = _with_rows(past, rows)
    wanted = {
        direction: _wanted(direction, kept, log, extent, start=start, now=now, past=past)
        for direction, kept in rows.items()
    }
    open_days = {direction: each.days for direction, each in wanted.items()}
    day = _next_day(open_days, log)
    begins = None
    if past.exchange:
        # Whether what is known of the log is of this house shows only when it is known as a whole.
        since = min(each.since for each in wanted.values())
        unread = None if past.exchange.begins else _unread_day(past.exchange, log, since)
        oldest = min((days[0] for days in open_days.values() if days), default=None)
        is_open = oldest and past.exchange.begins is None and midnight(oldest) < past.exchange.before
        if is_open or unread:
            return Plan(day=day or unread)
        begins = past.exchange.begins or beginning(past.exchange, log)
        if begins > now:
            return Plan(day=day)
    if day and extent is not Extent.BEHIND:
        return Plan(day=day)
    result = Plan(day=day, begins=begins)
    for direction, each in wanted.items():
        until = each.ends[0] if each.ends else now + HOUR
        counters = {
            at: counter
            for at, counter in log.counters[direction].items()
            if counter is not None
            and each.since - HOUR <= at < until
            and at >= (begins or at)
            and (at in log.fresh or not past.is_doubtful(at))
        }
        points = _points(rows[direction], counters, begins)
        walk = _Walk(counting, past)
        walk.along(points)
        result.contradictions.update(walk.contradictions)
        first = min((row.start for row in (*rows[direction], *walk.rows)), default=now)
        if day is None and day_of(first) > day_of(each.since):
            result.lost[direction] = day_of(first) - DAY
        if extent is Extent.BEFORE and rows[direction] and first == rows[direction][0].start:
            # Rows that are there change only by what comes before them.
            continue
        existing = {row.start: row for row in rows[direction]}
        result.rows[direction] = [row for row in walk.rows if existing.get(row.start) != row]
        result.gaps[direction] = [*_untrusted(each.since, points, past), *walk.gaps]
        result.holes.update(hole for hole in walk.holes if walk.rows and hole[1] <= walk.rows[-1].end)
    return result


def _with_rows(past: Past, rows: Mapping[str, Sequence[Row]]) -> Past:
    """Return the past with what the rows tell of it: what the old meter counted is older than the exchange."""
    exchange = past.exchange
    if exchange is None or exchange.begins is not None:
        return past
    ends = [row.end for kept in rows.values() for row in kept if row.end <= exchange.before]
    if exchange.after is not None:
        ends.append(exchange.after)
    return replace(past, exchange=replace(exchange, after=max(ends, default=None)))


# Which days to ask for.


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is wanted of one direction.

    Attributes:
        since: the first full hour whose counter is wanted.
        ends: the full hours, and a half one with which a meter began, whose counters may still become known, in order.
    """

    since: datetime
    ends: Sequence[datetime]

    @property
    def days(self) -> list[date]:
        """The days in whose log they are, in order."""
        return sorted({day_of(end) for end in self.ends})


def _wanted(
    direction: str, rows: Sequence[Row], log: Log, extent: Extent, *, start: datetime, now: datetime, past: Past
) -> _Wanted:
    """Return what is wanted of one direction.

    A log goes back so far and no further: nothing is hoped for from the days before one without any data.
    """
    if rows and extent is Extent.BEHIND:
        # However little of it was wanted at first.
        start = max(midnight(day_of(now)) - FARTHEST, rows[-1].end + HOUR)
    counters = log.counters[direction]
    lost = max({*log.empty_days(direction), past.lost.get(direction, date.min)})
    if not rows and all(counter is None for counter in counters.values()):
        # Who has never told anything is asked once a day, and not each hour, whether there is something now.
        now = midnight(day_of(now)) - HOUR

    def is_open(end: datetime) -> bool:
        return (
            end not in counters
            and (extent is Extent.AGAIN or not rows or not rows[0].start < end <= rows[-1].end)
            and day_of(end) > lost
            and not past.is_doubtful(end)
            and (past.exchange is None or past.exchange.may_have(end))
        )

    ends = [*_hours(start, now)]
    begins = past.exchange.begins if past.exchange else None
    if begins and begins.minute == 30 and start - HOUR < begins <= now:
        ends = sorted([*ends, begins])
    return _Wanted(start, [end for end in ends if is_open(end)])


def _next_day(open_days: Mapping[str, Sequence[date]], log: Log) -> date | None:
    """Return the day to ask for: the oldest of those for either direction, and what is doubted when all else is known.

    Of the doubted ones the newest: if the meter does not have it, it has none before it.
    """
    hopeful = [day for direction, days in open_days.items() if (day := _hopeful_day(direction, days, log))]
    doubted = [day for days in open_days.values() for day in days if day in log.doubted]
    return min(hopeful) if hopeful else max(doubted, default=None)


def _hopeful_day(direction: str, open_days: Sequence[date], log: Log) -> date | None:
    """Return the day to ask for one direction: the oldest, and in search of the log's beginning one in the middle."""
    in_vain = max({*log.empty_days(direction), *log.doubted}, default=date.min)
    hopeful = [day for day in open_days if day > in_vain]
    told = log.told_days(direction)
    if in_vain == date.min or any(day < in_vain for day in told):
        return min(hopeful, default=None)
    unknown = [day for day in hopeful if day < min(told, default=date.max)]
    return unknown[len(unknown) // 2] if unknown else min(hopeful, default=None)


def beginning(exchange: Exchange, log: Log) -> datetime:
    """Return from which half hour on the log is that of the present meter in this house.

    It hung here at `exchange.before`, and not yet at `exchange.after`. A log without a hole between the two is of the
    time between, but if it reaches back to when another meter hung here, nobody knows where it became ours.
    """
    known = _known(log)
    begins = certain = _certain(exchange)
    while begins - HALF_HOUR in known:
        begins -= HALF_HOUR
        if exchange.after is None or begins <= exchange.after:
            return certain
    return begins


def _unread_day(exchange: Exchange, log: Log, since: datetime) -> date | None:
    """Return the day that must be read to tell whether there is a hole behind what is known of the present meter.

    A meter tells its last half hour to whoever asks, wherever it hung then.
    """
    known = _known(log)
    at = certain = _certain(exchange)
    while at - HALF_HOUR in known:
        at -= HALF_HOUR
    behind = at - HALF_HOUR
    if at == certain or exchange.after is None or at <= exchange.after or behind < since - HOUR:
        return None
    return None if all(behind in counters for counters in log.counters.values()) else day_of(behind)


def _known(log: Log) -> set[datetime]:
    return {at for counters in log.counters.values() for at, counter in counters.items() if counter is not None}


def _certain(exchange: Exchange) -> datetime:
    """Return the first half hour at which it was seen here."""
    certain = exchange.before.replace(minute=exchange.before.minute // 30 * 30, second=0, microsecond=0)
    return certain if certain == exchange.before else certain + HALF_HOUR


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += HOUR


# From counters to rows.


@dataclass(frozen=True, slots=True)
class _Point:
    """A counter at an instant, and the row that ends there, if there is one.

    `is_present`: whether it is the present meter's, so that it may be compared with others of it.
    """

    at: datetime
    counter: Decimal
    is_present: bool
    row: Row | None


def _points(rows: Sequence[Row], counters: Mapping[datetime, Decimal], begins: datetime | None) -> list[_Point]:
    if rows and min(counters, default=rows[0].end) > rows[0].start:
        # Of the first hour no more is known than was when its row was written.
        counters = {at: counter for at, counter in counters.items() if at >= rows[0].end}
    ends = {row.end: row for row in rows}
    points = [_Point(at, counters.get(at, row.state), begins is None or at >= begins, row) for at, row in ends.items()]
    points += [_Point(at, counter, True, None) for at, counter in counters.items() if at not in ends]  # noqa: FBT003
    return sorted(points, key=attrgetter("at"))


def _untrusted(start: datetime, points: Sequence[_Point], past: Past) -> list[Gap]:
    """Return what there is none of before the first counter because a wrong clock has stamped it."""
    doubtful = [end for end in _hours(start, points[0].at) if past.is_doubtful(end)] if points else []
    if not doubtful:
        return []
    first, end = max(start, doubtful[0] - HOUR), points[0].at.replace(minute=0)
    return [Gap(first.astimezone(UTC), end.astimezone(UTC), Reason.CLOCK_WRONG, None)]


class _Walk:
    """Goes from one known counter to the next, and makes rows of the energy on the way."""

    def __init__(self, counting: Counting, past: Past) -> None:
        self.rows: list[Row] = []
        self.gaps: list[Gap] = []
        self.holes: set[Hole] = set()
        self.contradictions: set[datetime] = set()
        self._counting = counting
        self._past = past
        self._sum = Decimal(0)
        self._sum_of_rows = Decimal(0)
        """The sum at the end of the last row."""
        self._open_gap: Gap | None = None

    def along(self, points: Sequence[_Point]) -> None:
        """Go along all of them."""
        if not points:
            return
        last = points[0]
        if last.row:
            self._sum = self._sum_of_rows = last.row.sum
        elif last.at.minute:
            is_doubtful = self._past.is_doubtful(last.at.replace(minute=0))
            self._begin_gap(last.at, Reason.CLOCK_WRONG if is_doubtful else Reason.NOT_KEPT, None)
        for number, point in enumerate(points[1:], start=1):
            rise = self._rise(last, point)
            if rise is None and last.is_present:
                self.contradictions |= {last.at, point.at}
                following = points[number + 1 : number + 1 + SPOILT_POINTS]
                if not following and not point.row:
                    # Whether this is a wrong counter, or a new one, the next will tell.
                    return
                if any(self._rise(last, other) is not None for other in following):
                    if point.row:
                        self._end_row(point.row.end, point.row.state)
                    continue
            self._go(last, point, rise)
            last = point

    def _go(self, last: _Point, point: _Point, rise: Decimal | None) -> None:
        if rise is not None:
            reason = self._reason_of(last.at, point.at)
            if reason is Reason.NOT_KEPT:
                self.holes.add((last.at, point.at))
        elif last.row and point.row:
            # What is known of it is what was made of it when more was known.
            rise, reason = point.row.sum - last.row.sum, None
        else:
            reason = Reason.BEGAN_ANEW if last.is_present else Reason.EXCHANGED
        if reason:
            self._begin_gap(last.at, reason, rise)
        self._sum += rise or 0
        if point.at.minute == 0:
            self._end_row(point.at, point.counter)

    def _reason_of(self, earlier: datetime, later: datetime) -> Reason | None:
        """Return why the hours between two known counters are not right by themselves; `None` if they are."""
        hour = later.replace(minute=0) if later.minute else later - HOUR
        if earlier >= hour:
            return None
        between = (later - HALF_HOUR * number for number in range(1, int((later - earlier) / HALF_HOUR)))
        return Reason.CLOCK_WRONG if any(self._past.is_doubtful(at) for at in between) else Reason.NOT_KEPT

    def _rise(self, earlier: _Point, later: _Point) -> Decimal | None:
        if not (earlier.is_present and later.is_present):
            return None
        return self._counting.rise_kwh(earlier.counter, later.counter, later.at - earlier.at)

    def _begin_gap(self, at: datetime, reason: Reason, energy: Decimal | None) -> None:
        """Note that the hours from the one of an instant on, to the end of the next row, are not right."""
        start = at.replace(minute=0).astimezone(UTC)
        if self._open_gap is None:
            self._open_gap = Gap(start, start, reason, energy)
        elif energy is None:
            self._open_gap = replace(self._open_gap, reason=reason, energy_kwh=None)

    def _end_row(self, at: datetime, counter: Decimal) -> None:
        start = (at - HOUR).astimezone(UTC)
        self.rows.append(Row(start, counter, self._sum))
        if gap := self._open_gap:
            energy = None if gap.energy_kwh is None else self._sum - self._sum_of_rows
            self.gaps.append(replace(gap, end=start + HOUR, energy_kwh=energy))
            self._open_gap = None
        self._sum_of_rows = self._sum
