"""A house with its meters, and a Home Assistant that is not always there, by half hours and in plain values.

The meters count by the simulator's registers. What the integration would do is done with the same planner and ledger,
and everything else is as short as can be: rows are a dictionary, and a day of the log is read all at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
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
    """

    mac: str
    registers: Registers
    since: datetime
    log: dict[datetime, tuple[int, int]] = field(default_factory=dict)

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
    """

    def __init__(self, seed: int, *, depth_days: int, kept_days: int, registers: Mapping[str, Any]) -> None:
        self.now = START
        self.offset = timedelta(0)
        self.rows: dict[str, dict[datetime, Row]] = {direction: {} for direction in DIRECTIONS}
        self.gaps: dict[str, set[Gap]] = {direction: set() for direction in DIRECTIONS}
        self.asked: list[datetime] = []
        self.ledger = Ledger()
        self.meters: list[HangingMeter] = []
        self._seed = seed
        self._depth_days = depth_days
        self._kept_days = kept_days
        self._counters: dict[str, dict[datetime, Decimal]] = {direction: {} for direction in DIRECTIONS}
        self._read_until: dict[date, datetime] = {}
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
            self.meters.append(HangingMeter(old.mac, registers, self.now, old.log))

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
        """Forget what is in memory only."""
        for counters in self._counters.values():
            counters.clear()
        self._read_until.clear()
        self._fresh.clear()
        self.ledger = Ledger.from_dict(self.ledger.as_dict())

    def be_there(self, *, notice: bool = True, radio: bool = True, killed_after: int | None = None) -> None:
        """Do what is done after each half hour, as far as the radio lets it.

        Args:
            notice: whether the meter's own notice of the half hour has come.
            radio: whether the log can be read.
            killed_after: after so many writes of rows the process is killed; `None`: it is not.
        """
        if self.ledger.meet(self.meter.identity, self.now):
            self.restart()
        self.ledger.check_clock(self.offset, self.now)
        if self.ledger.clock_is_wrong:
            return
        if notice:
            self._take(_half_hour_of(self.now))
            self._fresh.add(_half_hour_of(self.now))
        writes = 0
        while True:
            planned = self._plan({d: list(self.rows[d].values())[-1:] for d in DIRECTIONS})
            self.ledger.settle_exchange(planned.begins)
            for direction in DIRECTIONS:
                if planned.rows[direction]:
                    if writes == killed_after:
                        self.restart()
                        return
                    writes += 1
                    self.rows[direction] |= {row.start: row for row in planned.rows[direction]}
                self.gaps[direction] |= set(planned.gaps[direction])
            if planned.day is None or not radio:
                return
            self._read(planned)

    def read_all_again(self) -> int:
        """Read the whole log once more, write what follows, and return how many rows that were."""
        self.restart()
        since = dict.fromkeys(DIRECTIONS, self._as_far_back_as_wanted())
        while (planned := self._plan(self._sorted_rows(), since)).day is not None:
            self._read(planned)
        for direction in DIRECTIONS:
            self.rows[direction] |= {row.start: row for row in planned.rows[direction]}
        return sum(len(rows) for rows in planned.rows.values())

    def _sorted_rows(self) -> dict[str, list[Row]]:
        return {d: [row for _, row in sorted(rows.items())] for d, rows in self.rows.items()}

    def _as_far_back_as_wanted(self) -> datetime:
        return midnight(day_of(self.now) - DAY * self._depth_days)

    def _plan(self, rows: dict[str, list[Row]], since: dict[str, datetime] | None = None) -> Plan:
        start = self._as_far_back_as_wanted()
        return plan(
            rows,
            Log(counters=self._counters, read_until=self._read_until, fresh=self._fresh),
            since=since or {d: max(rows[d][-1].end + HOUR, start) if rows[d] else start for d in DIRECTIONS},
            now=self.now,
            counting=self.meter.counting,
            past=self.ledger.past,
        )

    def _read(self, planned: Plan) -> None:
        day = planned.day
        assert day is not None
        self.asked.append(midnight(day))
        assert day not in self._read_until or self._read_until[day] < self.now
        self._read_until[day] = self.now
        oldest = midnight(day_of(self.now + self.offset) - DAY * self._kept_days)
        for number in range(48):
            if (at := midnight(day) + HALF_HOUR * number) >= oldest and at <= self.now + self.offset:
                self._take(at)

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
