"""Keeps the log of one meter complete: takes each half hour when it comes, and asks for what is missing.

Above: the entities, the actions and the diagnostics. Below: the client, which asks the meter in the background of the
readings, the rows in the database, and the planner, which decides. Nothing is remembered of what was done: each time
the rows that are there tell what is missing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
import logging
import random
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..aiobroute import (
    BrouteError,
    Constants,
    CountersAt,
    PropertyError,
    PropertyRefusedError,
    SmartMeter,
)
from .clock import AGE_LIMIT_S as CLOCK_AGE_LIMIT_S, ClockWatch
from .ledger import CLOCK_TOLERANCE, Identity, Ledger
from .planner import DAY, HALF_HOUR, HOUR, Counting, Gap, Log, Plan, Row, day_of, midnight, plan
from .series import LogError, RecorderError, Series, recorder_is_there

_LOGGER = logging.getLogger(__name__)

IMPORT: Final = "import"
EXPORT: Final = "export"

NOTICE_LIMIT = timedelta(minutes=5)
"""From a half hour to the meter's notice of it (AIF 3.2.1); one that is missing then is asked for (AIF 3.3.1)."""
JITTER_S: Final = 45.0
"""So that not all controllers of a neighbourhood ask at once."""
LOG_DELAY = timedelta(minutes=2)
"""A half hour is in the meter's log when this time is over."""
RETRIES_S: Final = (60.0, 120.0, 300.0, 900.0)
"""The pauses after something that could not be read or written; the last one again and again."""
MINUTE: Final = timedelta(minutes=1)
MINUTES_AT_ONCE: Final = 10
UNREADABLE: Final = 3
"""A day that could not be understood so often is given up."""


class ClockWrongError(LogError):
    """The meter's clock is wrong, or not known to be right: nothing that it stamps is used."""


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
        failure: why it does not go on at present; `None` while it does.
        gaps: for each direction the hours since Home Assistant's start that are not right by themselves.
    """

    complete_until: datetime | None = None
    next_day: date | None = None
    days_read: int = 0
    failure: str | None = None
    gaps: Mapping[str, Sequence[Gap]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfHour:
    """A half hour of the log, from `start` on (JST): the energies in it, and the counters at its start, in kWh.

    `None`: the meter does not know it, or it cannot be told.
    """

    start: datetime
    import_kwh: Decimal | None
    export_kwh: Decimal | None
    import_counter_kwh: Decimal | None
    export_counter_kwh: Decimal | None


class LogKeeper:
    """Keeps the log of one meter.

    Args:
        hass: Home Assistant.
        meter: the client.
        ledger: what is known of the meter's past.
        token: what the series are named after.
        title: what the user calls the meter.
        depth_days: how far back the log is asked for.
        on_news: called when something that is shown or kept has changed.
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
        """Prepare; nothing is asked or written before `async_meet` and `async_run`."""
        self.half_hour: CountersAt | None = None
        """The counters of the last half hour."""
        self.progress = Progress()
        self.ledger = ledger
        self.clock = ClockWatch(hass, meter, ledger, token=token, title=title)
        self._hass = hass
        self._meter = meter
        self._token = token
        self._title = title
        self._depth_days = depth_days
        self._on_news = on_news
        self._constants: Constants | None = None
        self._counters: dict[str, dict[datetime, Decimal]] = {IMPORT: {}, EXPORT: {}}
        self._read_until: dict[date, datetime] = {}
        self._fresh: set[datetime] = set()
        self._failures: dict[date, int] = {}
        self._wake = asyncio.Event()
        self._one_import = asyncio.Lock()
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._unsubscribe = [meter.on_half_hour(self._take_notice)]

    # Life.

    @callback
    def async_meet(self, constants: Constants) -> None:
        """Begin, or go on, with the meter that was joined and has just told what it is."""
        self._constants = constants
        self.clock.doubt()
        if self.ledger.meet(Identity.of(constants), dt_util.utcnow()):
            _LOGGER.warning("%s: Another meter, or one that counts otherwise: its log goes on from here", self._title)
            self._forget_log()
            self.half_hour = None
        self._ask_if_missing()

    async def async_run(self) -> None:
        """Keep the log complete, as long as this is not cancelled."""
        pauses_s = iter(RETRIES_S)
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._look_after()
            except ClockWrongError as err:
                self._call_in(self.clock.next_look_s, self._wake.set)
                self._show(replace(self.progress, failure=str(err)))
            except (BrouteError, LogError) as err:
                _LOGGER.debug("%s: The log is not complete yet: %s", self._title, err)
                self._call_in(next(pauses_s, RETRIES_S[-1]), self._wake.set)
                self._show(replace(self.progress, failure=str(err)))
            else:
                pauses_s = iter(RETRIES_S)
                self._show(replace(self.progress, failure=None))

    @callback
    def async_stop(self) -> None:
        """Take no more half hours."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        for timer in self._timers.values():
            timer.cancel()

    # Half hours.

    @callback
    def _take_notice(self, half_hour: CountersAt) -> None:
        """Take a notice of the meter, once."""
        if self.half_hour and half_hour.at == self.half_hour.at:
            return
        late = dt_util.utcnow() - half_hour.at
        if not -CLOCK_TOLERANCE <= late <= NOTICE_LIMIT + CLOCK_TOLERANCE:
            _LOGGER.debug("%s: A half hour came %s after its time: the clock is looked at", self._title, late)
            self.clock.doubt()
        self._take(half_hour)

    @callback
    def _take(self, half_hour: CountersAt) -> None:
        self.half_hour = half_hour
        self.ledger.seen_at = dt_util.utcnow()
        if self.clock.is_right:
            self._add([half_hour])
            self._fresh.add(half_hour.at)
        self._wake.set()
        self._on_news()

    @callback
    def _ask_if_missing(self) -> None:
        """See to it that the last half hour is asked for if it has not come; and the next ones in their time."""
        now = dt_util.utcnow()
        due = _half_hour_of(now - NOTICE_LIMIT) + HALF_HOUR + NOTICE_LIMIT
        jitter_s = random.uniform(0, JITTER_S)  # noqa: S311 - nobody gains by knowing it
        self._call_in((due - now).total_seconds() + jitter_s, self._ask_if_missing)
        self._wake.set()

    async def _fetch_half_hour(self) -> None:
        """Ask for the last half hour, if the meter should have told it by now and has not.

        A meter whose clock was set tells it at another time: that is looked at first.
        """
        now = dt_util.utcnow()
        expected = _half_hour_of(now - NOTICE_LIMIT)
        if self.half_hour and self.half_hour.at >= expected:
            return
        await self._check_clock(NOTICE_LIMIT.total_seconds())
        half_hour = await self._meter.read_half_hour()
        if half_hour and expected <= half_hour.at <= _half_hour_of(now + CLOCK_TOLERANCE):
            self._take(half_hour)

    # The log.

    async def _look_after(self) -> None:
        """Do what is due: the clock, the last half hour, and whatever of the log is missing."""
        if self._constants is None:
            return
        await self._check_clock()
        await self._fetch_half_hour()
        if not recorder_is_there(self._hass):
            raise RecorderError("The recorder is not there")
        async with self._one_import:
            imported = await self._import(self._constants)
        if imported.days:
            _LOGGER.info(
                "%s: %d days of the meter's log were read; hours written: %s",
                *(self._title, len(imported.days), imported.rows),
            )

    async def _check_clock(self, age_limit_s: float = CLOCK_AGE_LIMIT_S) -> None:
        if not await self.clock.async_check(age_limit_s):
            raise ClockWrongError("The meter's clock is not right")

    async def async_import(self, days: int) -> Imported:
        """Read today and so many days before once more, and write what follows.

        Raises:
            ClockWrongError: the meter's clock is wrong.
            LogError: there is no recorder, or it does not work now; or the meter's date has changed meanwhile.
            BrouteError: the meter was not asked, or did not answer.
        """
        constants = self._constants or await self._meter.describe()
        await self._check_clock()
        if not recorder_is_there(self._hass):
            raise RecorderError("The recorder is not there")
        async with self._one_import:
            self._forget_log()
            return await self._import(constants, days)

    async def async_get(self, start: datetime, end: datetime) -> list[HalfHour]:
        """Return the half hours that begin between two instants, as the meter's log has them.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        counting = _counting(self._constants or await self._meter.describe())
        log: dict[datetime, CountersAt] = {}
        # The end of the last half hour is in the log of the day that it begins.
        day = day_of(start)
        while day <= day_of(min(end + HALF_HOUR, dt_util.utcnow())):
            try:
                log |= {one.at: one for one in await self._meter.history((day_of(dt_util.utcnow()) - day).days)}
            except PropertyRefusedError as err:
                _LOGGER.debug("%s: %s", self._title, err)
            day += DAY
        half_hours = []
        for at in sorted(at for at in log if start <= at < end):
            now, then = log[at], log.get(at + HALF_HOUR)
            half_hours.append(
                HalfHour(
                    start=at,
                    import_kwh=_rise_kwh(counting, now.import_kwh, then.import_kwh if then else None),
                    export_kwh=_rise_kwh(counting, now.export_kwh, then.export_kwh if then else None),
                    import_counter_kwh=now.import_kwh,
                    export_counter_kwh=now.export_kwh,
                )
            )
        return half_hours

    async def _import(self, constants: Constants, again_days: int | None = None) -> Imported:
        """Bring the rows up to date: from the last ones on, or so many days once more."""
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
            if planned.begins and self.ledger.settle_exchange(planned.begins):
                await self._look_closer(constants, planned.begins)
                planned = self._plan(constants, rows, since)
            if again_days is None or planned.day is None:
                await self._write(every_series, planned, imported)
            if planned.day is None:
                break
            self._show(replace(self.progress, next_day=planned.day))
            await self._read(planned.day)
            imported.days.append(planned.day)
        ends = [(planned.rows[each] or rows[each])[-1].end for each in directions if planned.rows[each] or rows[each]]
        if len(ends) == len(directions):
            self._show(replace(self.progress, complete_until=min(ends)))
            self._forget_log(before=min(ends) - HOUR)
        self._show(replace(self.progress, next_day=None))
        return imported

    def _plan(self, constants: Constants, rows: Mapping[str, Sequence[Row]], since: Mapping[str, datetime]) -> Plan:
        return plan(
            rows,
            Log(counters=self._counters, read_until=self._read_until, fresh=self._fresh),
            since=since,
            now=dt_util.utcnow(),
            counting=_counting(constants),
            past=self.ledger.past,
        )

    async def _write(self, every_series: Mapping[str, Series], planned: Plan, imported: Imported) -> None:
        known = {each: [*self.progress.gaps.get(each, ())] for each in every_series}
        for each, series in every_series.items():
            if rows := planned.rows[each]:
                await series.async_write(rows)
                imported.rows[each] = imported.rows.get(each, 0) + len(rows)
            new = [gap for gap in planned.gaps[each] if gap not in known[each]]
            known[each] += new
            imported.gaps.setdefault(each, []).extend(new)
        self._show(replace(self.progress, gaps=known))

    async def _read(self, day: date) -> None:
        """Read a day of the log: whatever is in it is known then, or known not to be there."""
        asked_at = dt_util.utcnow()
        try:
            half_hours = await self._meter.history((day_of(asked_at) - day).days)
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
        exchange = self.ledger.exchange
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
            self.ledger.settle_exchange(known[-1].at)

    # What is known of it.

    def _add(self, counters: Sequence[CountersAt]) -> None:
        for one in counters:
            for direction, energy_kwh in ((IMPORT, one.import_kwh), (EXPORT, one.export_kwh)):
                if energy_kwh is not None:
                    self._counters[direction][one.at] = energy_kwh

    def _forget_log(self, before: datetime | None = None) -> None:
        """Forget what is known of the log, all of it or that of before an instant."""
        for counters in self._counters.values():
            for at in [at for at in counters if before is None or at < before]:
                del counters[at]
        self._fresh = {at for at in self._fresh if before is not None and at >= before}
        for day in [day for day in self._read_until if before is None or midnight(day + DAY) < before]:
            del self._read_until[day]
        if before is None:
            self._failures.clear()

    def _show(self, progress: Progress) -> None:
        if progress != self.progress:
            self.progress = progress
            self._on_news()

    def _call_in(self, delay_s: float, call: Callable[[], None]) -> None:
        if timer := self._timers.pop(call, None):
            timer.cancel()
        self._timers[call] = self._hass.loop.call_later(delay_s, call)


def _counting(constants: Constants) -> Counting:
    scale = constants.scale
    count_kwh = scale.unit_kwh * scale.coefficient
    return Counting(count_kwh=count_kwh, round_kwh=count_kwh * 10**scale.effective_digits)


def _rise_kwh(counting: Counting, earlier: Decimal | None, later: Decimal | None) -> Decimal | None:
    return None if earlier is None or later is None else counting.rise_kwh(earlier, later, HALF_HOUR)


def _half_hour_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)
