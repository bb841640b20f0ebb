"""A house with its meters, and a Home Assistant that is not always there, by half hours and in plain values.

The meters count by the simulator's registers. What the integration would do is done with the same planner and ledger,
and everything else is as short as can be: rows are a dictionary, and a day of the log is read all at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from custom_components.broute.history.ledger import Identity, Ledger
from custom_components.broute.history.planner import (
    DAY,
    HALF_HOUR,
    HOUR,
    Counting,
    Gap,
    Log,
    Plan,
    Row,
    day_of,
    midnight,
    plan,
)
from simulator import JST, HouseLoad, Registers

IMPORT, EXPORT = "import", "export"
DIRECTIONS = (IMPORT, EXPORT)
START = datetime(2026, 11, 1, tzinfo=JST)
UJ_PER_KWH = Decimal(3_600_000_000_000)
VISIBLE_KWH = 8000
"""More than a supply delivers in five days."""
INSTALLED = START - timedelta(days=60)


@cache
def _load(seed: int) -> HouseLoad:
    return HouseLoad(seed)


@cache
def counts(registers: Registers, at: datetime) -> tuple[int, int]:
    """Return what both registers of a meter show at a true time."""
    normal, reverse = registers.import_count(at), registers.export_count(at)
    assert normal is not None
    assert reverse is not None
    return normal, reverse


@dataclass
class HangingMeter:
    """A meter on the wall.

    Attributes:
        mac: who it is.
        registers: what it counts.
        since: since when it hangs here.
        log: raw counts of both directions by the stamp of the clock that it had then.
        met_at: when the integration has met it, and known what time it was.
    """

    mac: str
    registers: Registers
    since: datetime
    log: dict[datetime, tuple[int, int]] = field(default_factory=dict)
    met_at: datetime | None = None

    @property
    def counting(self) -> Counting:
        """How it counts."""
        worth = self.registers.kwh_per_count
        return Counting(count_kwh=worth, round_kwh=worth * 10**self.registers.digits)

    @property
    def identity(self) -> Identity:
        """Who it is to the ledger."""
        return Identity(self.mac, None, f"{self.registers.unit} {self.registers.coefficient} {self.registers.digits}")


class House:
    """The world, which goes on by half an hour with each `step`.

    Attributes:
        now: the true time.
        meters: all that have hung here, the present one last.
        offset: what the meter's clock shows more than the true time.
        rows: the database.
        gaps: what the plans have told of hours that are not right by themselves.
        asked: the days that the meter was asked for, in their order.
        stored: what is on the disk of the ledger.
        readable: the half hours whose true counters could be read at some time, all that was read not being lost.
    """

    def __init__(self, seed: int, *, depth_days: int, kept_days: int, registers: Mapping[str, Any]) -> None:
        self.now = START
        self.offset = timedelta(0)
        self.rows: dict[str, dict[datetime, Row]] = {direction: {} for direction in DIRECTIONS}
        self.gaps: dict[str, set[Gap]] = {direction: set() for direction in DIRECTIONS}
        self.asked: list[datetime] = []
        self.ledger = Ledger()
        self.stored = self.ledger.as_dict()
        self.meters: list[HangingMeter] = []
        self.readable: set[datetime] = set()
        self._seed = seed
        self._depth_days = depth_days
        self._kept_days = kept_days
        self._counters: dict[str, dict[datetime, Decimal | None]] = {direction: {} for direction in DIRECTIONS}
        self._seen_offset: timedelta | None = None
        """What the meter's clock was off when it was looked at last."""
        self._fresh: set[datetime] = set()
        self.hang(registers)
        self.meter.since = INSTALLED
        # What it has counted before anybody asks.
        start = self.now
        for number in range(kept_days * 48, -1, -1):
            self.now = start - HALF_HOUR * number
            self._write_log()
        self.now = start

    @property
    def meter(self) -> HangingMeter:
        """The one that hangs there now."""
        return self.meters[-1]

    def hang(self, registers: Mapping[str, Any], *, earlier_life_slots: int = 0, hole_slots: int = 0) -> None:
        """Hang a meter on the wall, which may have counted elsewhere until some half hours ago."""
        made = replace(Registers(load=_load(self._seed), installed_at=INSTALLED), **registers)
        meter = HangingMeter(f"{len(self.meters):016x}", made, self.now)
        elsewhere = Registers(load=_load(self._seed + 1), installed_at=INSTALLED)
        for number in range(hole_slots + 1, hole_slots + 1 + earlier_life_slots):
            at = _half_hour_of(self.now) - HALF_HOUR * number
            meter.log[at] = counts(elsewhere, at)
        self.meters.append(meter)

    def restart_counter(self) -> None:
        """Let the same meter count imports from 0, unless it shows so little, or so much, that this cannot be seen."""
        old = self.meter
        normal, _ = counts(old.registers, self.now)
        size = 10**old.registers.digits
        worth = old.registers.kwh_per_count
        if VISIBLE_KWH < normal * worth < size * worth - VISIBLE_KWH:
            registers = replace(old.registers, initial_import=(old.registers.initial_import - normal) % size)
            self.meters.append(HangingMeter(old.mac, registers, self.now, old.log, old.met_at))

    def want(self, depth_days: int) -> None:
        """Have more of the log wanted than before: an option, and so the integration starts anew."""
        self._depth_days = max(depth_days, self._depth_days)
        self.restart()

    def step(self, *, powered: bool = True) -> None:
        """Let half an hour pass."""
        self.now += HALF_HOUR
        if powered:
            self._write_log()

    def _write_log(self) -> None:
        stamp = _half_hour_of(self.now + self.offset)
        self.meter.log[stamp] = counts(self.meter.registers, self.now)

    # The integration.

    def restart(self) -> None:
        """End in order, and start anew."""
        self._store()
        self.be_killed()

    def be_killed(self) -> None:
        """Lose what is in memory only, and start anew."""
        self._forget()
        self._seen_offset = None
        self.ledger = Ledger.from_dict(self.stored)

    def _store(self) -> None:
        self.stored = self.ledger.as_dict()

    def _forget(self) -> None:
        for counters in self._counters.values():
            counters.clear()
        self._fresh.clear()

    def be_there(self, *, notice: bool = True, radio: bool = True, killed_after: int | None = None) -> None:
        """Do what is done after each half hour, as far as the radio lets it.

        Args:
            notice: whether the meter's own notice of the half hour has come.
            radio: whether the log can be read.
            killed_after: after so many writes of rows the process is killed; `None`: it is not.
        """
        ran_on = None if self._seen_offset is None else self.offset == self._seen_offset
        self._seen_offset = self.offset
        self.ledger.check_clock(self.offset, self.now, ran_on=ran_on)
        if self.ledger.clock_is_wrong:
            self._store()
            return
        if self.ledger.meet(self.meter.identity, self.now):
            self._forget()
        self.meter.met_at = self.meter.met_at or self.now
        if notice:
            self._take(_half_hour_of(self.now))
            self._fresh.add(_half_hour_of(self.now))
        if self._is_completed(radio=radio, writes=killed_after) and radio:
            self._note_readable()
        if killed_after is None:
            # That is done some seconds after whatever is new.
            self._store()
        else:
            self.be_killed()

    def _is_completed(self, *, radio: bool, writes: int | None) -> bool:
        """Bring the rows up to date, in so many writes at the most; return whether there was no need of more."""
        for is_older in (False, True):
            while True:
                rows = self._sorted_rows() if is_older else {d: list(self.rows[d].values())[-1:] for d in DIRECTIONS}
                since = dict.fromkeys(DIRECTIONS, self._as_far_back_as_wanted()) if is_older else None
                planned = self._plan(rows, since)
                if planned.begins:
                    self.ledger.settle_exchange(planned.begins)
                for direction in DIRECTIONS if planned.day is None or not is_older else ():
                    new = planned.rows[direction]
                    if is_older and not (new and rows[direction] and new[0].start < rows[direction][0].start):
                        continue
                    if new:
                        self._store()
                        if writes == 0:
                            return False
                        writes = writes and writes - 1
                        self.rows[direction] = self.rows[direction] | {row.start: row for row in new}
                        self.rows[direction] = dict(sorted(self.rows[direction].items()))
                    self.gaps[direction] |= set(planned.gaps[direction])
                if planned.day is None:
                    self.ledger.lost |= planned.lost
                    break
                if not radio:
                    return True
                self._read(planned)
        return True

    def _note_readable(self) -> None:
        """Take note of what the meter had in its log when all that was missing could be read."""
        at = self._oldest_kept()
        while at <= self.now:
            if self.meter.log.get(at) == counts(self._counting_at(at).registers, at):
                self.readable.add(at)
            at += HALF_HOUR

    def read_all_again(self) -> int:
        """Read the whole log once more, write what follows, and return how many rows that were."""
        self._forget()
        since = dict.fromkeys(DIRECTIONS, self._as_far_back_as_wanted())
        while (planned := self._plan(self._sorted_rows(), since, again=True)).day is not None:
            self._read(planned)
        for direction in DIRECTIONS:
            self.rows[direction] |= {row.start: row for row in planned.rows[direction]}
        return sum(len(rows) for rows in planned.rows.values())

    def _sorted_rows(self) -> dict[str, list[Row]]:
        return {d: [row for _, row in sorted(rows.items())] for d, rows in self.rows.items()}

    def _as_far_back_as_wanted(self) -> datetime:
        return midnight(day_of(self.now) - DAY * self._depth_days)

    def _plan(
        self, rows: dict[str, list[Row]], since: dict[str, datetime] | None = None, *, again: bool = False
    ) -> Plan:
        start = self._as_far_back_as_wanted()
        return plan(
            rows,
            Log(counters=self._counters, fresh=self._fresh),
            since=since or {d: rows[d][-1].end + HOUR if rows[d] else start for d in DIRECTIONS},
            now=self.now,
            counting=self.meter.counting,
            past=self.ledger.past,
            again=again,
        )

    def _read(self, planned: Plan) -> None:
        day = planned.day
        assert day is not None
        self.asked.append(midnight(day))
        oldest = self._oldest_kept()
        for number in range(48):
            if (at := midnight(day) + HALF_HOUR * number) > self.now + self.offset:
                break
            if at >= oldest and at not in self._fresh:
                self._take(at)
            for counters in self._counters.values():
                counters.setdefault(at, None)

    def _oldest_kept(self) -> datetime:
        return midnight(day_of(self.now + self.offset) - DAY * self._kept_days)

    def _take(self, at: datetime) -> None:
        if (logged := self.meter.log.get(at)) is not None:
            for direction, count in zip(DIRECTIONS, logged, strict=True):
                self._counters[direction][at] = count * self.meter.registers.kwh_per_count

    # What is true.

    def energy_kwh(self, direction: str, start: datetime, end: datetime) -> Decimal | None:
        """Return by how much the register has risen in a time; `None` if it was not the same one all the time."""
        first = next(each for each in reversed(self.meters) if each.since <= start)
        # At the very instant of a change the log still has the old one's.
        last = next(each for each in reversed(self.meters) if each.since < end)
        began, ended = (getattr(each.registers, f"initial_{direction}") for each in (first, last))
        if first.mac != last.mac or began != ended:
            return None
        lower, upper = (counts(last.registers, at)[DIRECTIONS.index(direction)] for at in (start, end))
        size: int = 10**last.registers.digits
        return (upper - lower) % size * last.registers.kwh_per_count

    def must_be_exact(self, hour: datetime) -> bool:
        """Tell whether the energy of an hour can be known: one meter, met by then, had both counters to be read."""
        ends = (hour, hour + HOUR)
        first, last = (self._counting_at(end) for end in ends)
        was_met = first is self.meters[0] or (first.met_at is not None and first.met_at <= hour)
        return first is last and was_met and all(self._is_certain(end) for end in ends)

    def _is_certain(self, at: datetime) -> bool:
        return at in self.readable and not self.ledger.past.is_doubtful(at)

    def _counting_at(self, at: datetime) -> HangingMeter:
        # At the very instant of a change the log still has the old one's.
        return next((each for each in reversed(self.meters) if each.since < at), self.meters[0])

    def consumption_kwh(self, direction: str, start: datetime, end: datetime) -> Decimal:
        """Return what the house took or gave in a time, whatever counted it."""
        load = self.meter.registers.load
        first, last = (
            energy.import_uj if direction == IMPORT else energy.export_uj
            for energy in (load.energy(start), load.energy(end))
        )
        return Decimal(last - first) / UJ_PER_KWH

    def is_gap(self, direction: str, hour: datetime) -> bool:
        """Tell whether an hour was told not to be right by itself."""
        return any(gap.start <= hour < gap.end for gap in self.gaps[direction])

    def changes(self, direction: str) -> Iterator[tuple[datetime, Decimal]]:
        """Yield for each row its hour and the energy that is shown for it."""
        before = Decimal(0)
        for row in sorted(self.rows[direction].values(), key=lambda row: row.start):
            yield row.start, row.sum - before
            before = row.sum


def _half_hour_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)


def utc(at: datetime) -> datetime:
    """Return the same instant as rows have it."""
    return at.astimezone(UTC)
