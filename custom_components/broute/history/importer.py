"""Brings the rows of a meter's log up to date: asks the meter for the days that are missing, and writes what follows.

Above: the keeper, which says when. Below: the planner, which decides, the client, and the rows in the database. Nothing
is remembered of what was done: the rows that are there tell what is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
import logging
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..aiobroute import Constants, CountersAt, PropertyError, PropertyRefusedError, SmartMeter
from .ledger import Ledger
from .planner import DAY, HALF_HOUR, HOUR, Counting, Gap, Log, Plan, Row, day_of, midnight, plan
from .series import LogError, Series

_LOGGER = logging.getLogger(__name__)

IMPORT: Final = "import"
EXPORT: Final = "export"

LOG_DELAY = timedelta(minutes=2)
"""A half hour is in the meter's log when this time is over."""
MINUTE: Final = timedelta(minutes=1)
MINUTES_AT_ONCE: Final = 10
UNREADABLE: Final = 3
"""A day that could not be understood so often is given up."""
GAPS_KEPT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has done.

    Attributes:
        days: the days that were read, in the order in which they were.
        rows: for each direction how many hours were written.
        gaps: for each direction the hours that are not right by themselves.
    """

    days: list[date] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, list[Gap]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the log is.

    Attributes:
        complete_until: the end of the last hour that all series have; `None` while that is not known.
        next_day: the day that is asked for next; `None` when nothing is missing.
        days_read: how many days were read since Home Assistant's start.
        gaps: for each direction the hours since Home Assistant's start that are not right by themselves.
    """

    complete_until: datetime | None = None
    next_day: date | None = None
    days_read: int = 0
    gaps: Mapping[str, Sequence[Gap]] = field(default_factory=dict)


class LogImporter:
    """Imports the log of one meter.

    Args:
        hass: Home Assistant.
        meter: the client.
        ledger: what is known of the meter's past.
        token: what the series are named after.
        title: what the user calls the meter.
        depth_days: how far back the log is asked for.
        on_news: called when `progress` has changed.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        meter: SmartMeter,
        ledger: Ledger,
        *,
        token: str,
        title: str,
        depth_days: int,
        on_news: Callable[[], None],
    ) -> None:
        """Know nothing of the log yet."""
        self.progress = Progress()
        self._hass = hass
        self._meter = meter
        self._ledger = ledger
        self._token = token
        self._title = title
        self._depth_days = depth_days
        self._on_news = on_news
        self._counters: dict[str, dict[datetime, Decimal]] = {IMPORT: {}, EXPORT: {}}
        self._read_until: dict[date, datetime] = {}
        self._fresh: set[datetime] = set()
        self._failures: dict[date, int] = {}

    def take(self, half_hour: CountersAt) -> None:
        """Take a half hour that came when it was its time."""
        self._add([half_hour])
        self._fresh.add(half_hour.at)

    async def async_import(self, constants: Constants, again_days: int | None = None) -> Imported:
        """Bring the rows up to date: from the last ones on, or today and so many days before once more.

        Raises:
            LogError: the recorder does not work now, or the meter's date has changed meanwhile.
            BrouteError: the meter was not asked, or did not answer.
        """
        imported = Imported()
        directions = (IMPORT, EXPORT) if constants.logs_export else (IMPORT,)
        every_series = {each: Series(self._hass, self._token, each, self._title) for each in directions}
        depth_days = self._depth_days if again_days is None else again_days
        start = midnight(day_of(dt_util.utcnow()) - DAY * depth_days)
        while True:
            number = 1 if again_days is None else (again_days + 2) * 24
            rows = {each: await series.async_last_rows(number) for each, series in every_series.items()}
            since = dict.fromkeys(directions, start)
            if again_days is None:
                since |= {each: max(start, kept[-1].end + HOUR) for each, kept in rows.items() if kept}
            planned = self._plan(constants, rows, since)
            if planned.begins and self._ledger.settle_exchange(planned.begins):
                await self._look_closer(constants, planned.begins)
                planned = self._plan(constants, rows, since)
            if again_days is None or planned.day is None:
                await self._write(every_series, planned, imported)
            if planned.day is None:
                break
            self._show(replace(self.progress, next_day=planned.day))
            await self._read(planned.day)
            imported.days.append(planned.day)
        ends = [max(row.end for row in there) for each in directions if (there := (*rows[each], *planned.rows[each]))]
        if len(ends) == len(directions):
            self._show(replace(self.progress, complete_until=min(ends)))
            self.forget(before=min(ends) - HOUR)
        self._show(replace(self.progress, next_day=None))
        return imported

    def forget(self, before: datetime | None = None) -> None:
        """Forget what is known of the log, all of it or that of before an instant."""
        for counters in self._counters.values():
            for at in [at for at in counters if before is None or at < before]:
                del counters[at]
        self._fresh = {at for at in self._fresh if before is not None and at >= before}
        for day in [day for day in self._read_until if before is None or midnight(day + DAY) < before]:
            del self._read_until[day]
        if before is None:
            self._failures.clear()

    def _plan(self, constants: Constants, rows: Mapping[str, Sequence[Row]], since: Mapping[str, datetime]) -> Plan:
        return plan(
            rows,
            Log(counters=self._counters, read_until=self._read_until, fresh=self._fresh),
            since=since,
            now=dt_util.utcnow(),
            counting=counting_of(constants),
            past=self._ledger.past,
        )

    async def _write(self, every_series: Mapping[str, Series], planned: Plan, imported: Imported) -> None:
        known = {each: [*self.progress.gaps.get(each, ())] for each in every_series}
        for each, series in every_series.items():
            if rows := planned.rows[each]:
                await series.async_write(rows)
                imported.rows[each] = imported.rows.get(each, 0) + len(rows)
            imported.gaps.setdefault(each, []).extend(planned.gaps[each])
            known[each] += [gap for gap in planned.gaps[each] if gap not in known[each]]
            del known[each][:-GAPS_KEPT]
        self._show(replace(self.progress, gaps=known))

    async def _read(self, day: date) -> None:
        """Read a day of the log: whatever is in it is known then, or known not to be there."""
        asked_at = dt_util.utcnow()
        try:
            half_hours = await self._meter.history(day)
        except PropertyRefusedError:
            half_hours = []
        except PropertyError:
            self._failures[day] = self._failures.get(day, 0) + 1
            if self._failures[day] < UNREADABLE:
                raise
            half_hours = []
        if half_hours and half_hours[0].at.date() != day:
            raise LogError("The meter's date has changed meanwhile")
        self._add(half_hours)
        self._read_until[day] = min(asked_at - LOG_DELAY, midnight(day + DAY))
        self._show(replace(self.progress, days_read=self.progress.days_read + 1))

    async def _look_closer(self, constants: Constants, begins: datetime) -> None:
        """Ask a meter of the second generation for the minutes before its first half hour here."""
        exchange = self._ledger.exchange
        if exchange is None or not constants.logs_minutes:
            return
        known: list[CountersAt] = []
        try:
            while not known or known[-1].at > begins - HALF_HOUR:
                at = known[-1].at if known else begins
                minutes = await self._meter.minutes(at - MINUTE, MINUTES_AT_ONCE)
                found = list(takewhile(lambda one: one.import_kwh is not None, reversed(minutes)))
                known += found
                if len(found) < len(minutes):
                    break
            else:
                # Without a hole nobody knows where they were counted, but for those since it was seen here.
                known = [one for one in known if begins < exchange.before or one.at >= exchange.before]
        except PropertyError as err:
            _LOGGER.debug("%s: The minutes before its first half hour are not known: %s", self._title, err)
        if known:
            self._add(known)
            self._ledger.settle_exchange(known[-1].at)

    def _add(self, counters: Sequence[CountersAt]) -> None:
        for one in counters:
            for direction, energy_kwh in ((IMPORT, one.import_kwh), (EXPORT, one.export_kwh)):
                if energy_kwh is not None:
                    self._counters[direction][one.at] = energy_kwh

    def _show(self, progress: Progress) -> None:
        if progress != self.progress:
            self.progress = progress
            self._on_news()


def counting_of(constants: Constants) -> Counting:
    """Return how a meter with these constants counts."""
    scale = constants.scale
    count_kwh = scale.unit_kwh * scale.coefficient
    return Counting(count_kwh=count_kwh, round_kwh=count_kwh * 10**scale.effective_digits)
