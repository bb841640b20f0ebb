"""Brings the rows of a meter's log up to date: asks the meter for the days that are missing, and writes what follows.

Above: the keeper, which says when. Below: the planner, which decides, the reader, which asks the meter, and the rows in
the database. Nothing is remembered of what was done: the rows that are there tell what is missing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from homeassistant.core import HomeAssistant

from ..aiobroute import Constants, CountersAt, SmartMeter
from .clock import ClockWatch
from .ledger import Ledger
from .planner import DAY, HOUR, Counting, Extent, Gap, Hole, Plan, Row, day_of, midnight, plan
from .reader import EXPORT, IMPORT, LogReader
from .series import Series

HOURS_A_DAY: Final = 24
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


@dataclass(frozen=True, slots=True)
class _Run:
    """An import that is under way.

    Attributes:
        constants: what meter it is.
        series: by direction, those that the meter logs.
        start: as far back as the log is wanted.
        all_rows: how many rows there are at the most from then on.
        imported: what it has done.
        looked_into: the holes whose minutes were read.
    """

    constants: Constants
    series: Mapping[str, Series]
    start: datetime
    all_rows: int
    imported: Imported = field(default_factory=Imported)
    looked_into: set[Hole] = field(default_factory=set)


class LogImporter:
    """Imports the log of one meter.

    Args:
        hass: Home Assistant.
        meter: the client.
        clock: the watch on the meter's clock, which is right while anything is imported.
        ledger: what is known of the meter's past.
        token: what the series are named after.
        title: what the user calls the meter.
        depth_days: how far back the log is asked for.
        secure: sees to it that what the ledger says now is stored.
        on_news: called when `progress` has changed.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        meter: SmartMeter,
        clock: ClockWatch,
        ledger: Ledger,
        *,
        token: str,
        title: str,
        depth_days: int,
        secure: Callable[[], Awaitable[None]],
        on_news: Callable[[], None],
    ) -> None:
        """Know nothing of the log yet."""
        self.progress = Progress()
        self._hass = hass
        self._clock = clock
        self._ledger = ledger
        self._token = token
        self._title = title
        self._depth_days = depth_days
        self._secure = secure
        self._on_news = on_news
        self._reader = LogReader(meter, clock)

    def take(self, half_hour: CountersAt) -> None:
        """Take a half hour that came when it was its time."""
        self._reader.take(half_hour)

    def forget(self) -> None:
        """Forget all that is known of the log."""
        self._reader.forget()

    async def async_import(self, constants: Constants) -> Imported:
        """Write what is missing behind the last rows, and then what the meter has of before the first ones.

        Raises:
            ClockWrongError: the meter's clock is in doubt.
            RecorderError: the recorder does not work now.
            BrouteError: the meter was not asked, or did not answer.
        """
        run = self._run(constants, self._depth_days)
        await self._complete(run, Extent.BEHIND)
        if await self._may_begin_earlier(run):
            await self._complete(run, Extent.BEFORE)
        return run.imported

    async def async_import_again(self, constants: Constants, days: int) -> Imported:
        """Read today and so many days before once more, and write what is missing or different.

        Raises:
            ClockWrongError: the meter's clock is in doubt.
            RecorderError: the recorder does not work now.
            BrouteError: the meter was not asked, or did not answer.
        """
        self._reader.forget()
        run = self._run(constants, days)
        await self._complete(run, Extent.AGAIN)
        return run.imported

    def _run(self, constants: Constants, days: int) -> _Run:
        directions = (IMPORT, EXPORT) if constants.logs_export else (IMPORT,)
        series = {each: Series(self._hass, self._token, each, self._title) for each in directions}
        return _Run(constants, series, midnight(day_of(self._clock.shows) - DAY * days), (days + 2) * HOURS_A_DAY)

    async def _complete(self, run: _Run, extent: Extent) -> None:
        """Ask the meter until nothing more can become known, and write what follows from it.

        Rows are read each time anew, and written in one step with that: others may have written or deleted some.
        """
        while True:
            number = 1 if extent is Extent.BEHIND else run.all_rows
            rows = {each: await series.async_last_rows(number) for each, series in run.series.items()}
            planned = self._plan(run, extent, rows)
            if extent is Extent.BEHIND and await self._look_up(run, planned):
                continue
            if await self._look_closer(run, planned, rows):
                continue
            await self._write(run, planned)
            if planned.day is None:
                break
            self._show(replace(self.progress, next_day=planned.day))
            if await self._reader.read(planned.day):
                run.imported.days.append(planned.day)
                self._show(replace(self.progress, days_read=self.progress.days_read + 1))
        self._ledger.lost |= planned.lost
        if ends := [
            max(row.end for row in there)
            for each in run.series
            if (there := (*rows[each], *planned.rows.get(each, ())))
        ]:
            self._show(replace(self.progress, complete_until=min(ends)))
            self._reader.forget(before=min(ends) - HOUR)
        self._show(replace(self.progress, next_day=None))

    def _plan(self, run: _Run, extent: Extent, rows: Mapping[str, Sequence[Row]]) -> Plan:
        past = self._ledger.past
        return plan(
            rows,
            self._reader.known,
            extent,
            start=run.start,
            now=self._reader.complete_until,
            counting=counting_of(run.constants),
            # What is asked for once more may turn out to be there.
            past=replace(past, lost={}) if extent is Extent.AGAIN else past,
        )

    async def _look_up(self, run: _Run, planned: Plan) -> bool:
        """Put right by the log what was told half hour by half hour, if a part of it contradicts another.

        A notice comes once, and a digit of it may be misread: a row may have been written with that. Return whether
        there may be news.
        """
        if not (doubted := planned.contradictions & self._reader.known.fresh):
            return False
        self._reader.doubt(doubted)
        start = min(doubted).replace(minute=0)
        hours = (self._clock.shows - start) // HOUR
        # With rows of before the first counter, which the sum goes on from.
        await self._complete(replace(run, start=start, all_rows=hours + 3), Extent.AGAIN)
        return True

    async def _look_closer(self, run: _Run, planned: Plan, rows: Mapping[str, Sequence[Row]]) -> bool:
        """Settle when a new meter has begun to count, and learn from minutes what half hours leave open.

        Return whether there may be news.
        """
        exchange, begins = self._ledger.exchange, planned.begins
        if exchange and begins and exchange.begins is None:
            if run.constants.logs_minutes:
                begins = await self._reader.first_minute(exchange, begins)
            self._ledger.settle_exchange(begins)
            return True
        if not run.constants.logs_minutes:
            return False
        if begins and begins.minute % 30 and begins not in self._reader.known.counters[IMPORT]:
            ends = [kept[-1].end for kept in rows.values() if kept]
            if min(ends, default=begins) <= begins:
                # Home Assistant was started anew before there was a row of it.
                await self._reader.read_minute(begins)
                return True
        if hole := min(planned.holes - run.looked_into, default=None):
            run.looked_into.add(hole)
            await self._reader.look_into(hole)
            return True
        return False

    async def _may_begin_earlier(self, run: _Run) -> bool:
        """Tell whether there may be something in the log before the first row of a series: more is wanted than was."""
        for direction, series in run.series.items():
            oldest = max(run.start, midnight(self._ledger.lost.get(direction, date.min) + DAY))
            if not await series.async_rows(oldest, oldest + DAY) and await series.async_last_rows(1):
                return True
        return False

    async def _write(self, run: _Run, planned: Plan) -> None:
        known = {each: [*self.progress.gaps.get(each, ())] for each in run.series}
        for each, rows in planned.rows.items():
            if rows:
                # Who is killed now must not take it for another meter's, or for another time, afterwards.
                await self._secure()
                await run.series[each].async_write(rows)
                run.imported.rows[each] = run.imported.rows.get(each, 0) + len(rows)
        for each, gaps in planned.gaps.items():
            run.imported.gaps.setdefault(each, []).extend(gaps)
            known[each] += [gap for gap in gaps if gap not in known[each]]
            del known[each][:-GAPS_KEPT]
        self._show(replace(self.progress, gaps=known))

    def _show(self, progress: Progress) -> None:
        if progress != self.progress:
            self.progress = progress
            self._on_news()


def counting_of(constants: Constants) -> Counting:
    """Return how a meter with these constants counts."""
    scale = constants.scale
    count_kwh = scale.unit_kwh * scale.coefficient
    return Counting(count_kwh=count_kwh, round_kwh=count_kwh * 10**scale.effective_digits)
