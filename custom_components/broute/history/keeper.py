"""Keeps the log of one meter complete: takes each half hour when it comes, and asks for what is missing.

Above: the entities, the actions and the diagnostics. Below: the client, whose requests for this go in the background of
the readings, the meter's clock, and the importer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
import logging
import random
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..aiobroute import (
    BrouteError,
    Constants,
    CountersAt,
    PropertyRefusedError,
    SessionState,
    SmartMeter,
)
from ..issues import Issues
from .clock import AGE_LIMIT_S as CLOCK_AGE_LIMIT_S, ClockWatch, ClockWrongError
from .importer import Imported, LogImporter, Progress, counting_of
from .ledger import CLOCK_TOLERANCE, Identity, Ledger
from .planner import DAY, HALF_HOUR, Counting, day_of
from .series import RecorderError, recorder_is_there

_LOGGER = logging.getLogger(__name__)

NOTICE_LIMIT = timedelta(minutes=5)
"""From a half hour to the meter's notice of it (AIF 3.2.1); one that is missing then is asked for (AIF 3.3.1)."""
JITTER_S: Final = 45.0
"""So that not all controllers of a neighbourhood ask at once."""
RETRIES_S: Final = (60.0, 120.0, 300.0, 900.0)
"""The pauses after something that could not be read or written; the last one again and again."""


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
        issues: where the user is told that the meter's clock is wrong.
        depth_days: how far back the log is asked for.
        secure: sees to it that what the ledger says now is stored.
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
        issues: Issues,
        depth_days: int,
        secure: Callable[[], Awaitable[None]],
        on_news: Callable[[], None],
    ) -> None:
        """Prepare; nothing is asked or written before `async_meet` and `async_run`."""
        self.half_hour: CountersAt | None = None
        """The counters of the last half hour."""
        self.failure: str | None = None
        """Why the log is not complete at present; `None` while nothing is in the way."""
        self.ledger = ledger
        self.clock = ClockWatch(hass, meter, ledger, issues)
        self._hass = hass
        self._meter = meter
        self._title = title
        self._on_news = on_news
        self._constants: Constants | None = None
        self._importer = LogImporter(
            hass,
            meter,
            self.clock,
            ledger,
            token=token,
            title=title,
            depth_days=depth_days,
            secure=secure,
            on_news=on_news,
        )
        self._taken: datetime | None = None
        """The newest half hour that counts: it came while the clock was right."""
        self._wake = asyncio.Event()
        self._one_import = asyncio.Lock()
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._unsubscribe = [meter.on_half_hour(self._take_notice), meter.on_state(self._take_state)]

    @property
    def progress(self) -> Progress:
        """How far the log is."""
        return self._importer.progress

    @property
    def trusted_half_hour(self) -> CountersAt | None:
        """The counters of the last half hour, if they came while the meter's clock was right."""
        return self.half_hour if self.half_hour and self.half_hour.at == self._taken else None

    @property
    def now(self) -> datetime:
        """What the meter's clock shows now, most likely.

        Raises:
            ClockWrongError: it is not right, or in doubt.
        """
        now, half_hour = self.clock.now, self.trusted_half_hour
        # Whoever tells a half hour has begun it, though its clock may not have shown that as far as we know it.
        return max(now, half_hour.at) if half_hour else now

    # Life.

    @callback
    def async_meet(self, constants: Constants) -> None:
        """Begin, or go on, with the meter that was joined and has just told what it is."""
        self._constants = constants
        self._ask_if_missing()

    @callback
    def _take_state(self, state: SessionState) -> None:
        """Use nothing of the next session before it is known which meter it is with, and what time it has."""
        if state not in (SessionState.JOINED, SessionState.RENEWING):
            self._constants = None
            self.clock.doubt()

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
                self._show(str(err))
            except (BrouteError, RecorderError) as err:
                _LOGGER.debug("%s: The log is not complete yet: %s", self._title, err)
                self._call_in(next(pauses_s, RETRIES_S[-1]), self._wake.set)
                self._show(str(err))
            else:
                pauses_s = iter(RETRIES_S)
                self._show(None)

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
        """Take a notice of the meter, once, and none that is older than what is known."""
        now = dt_util.utcnow()
        if self._taken and half_hour.at <= self._taken:
            return
        late = now - half_hour.at
        if not -CLOCK_TOLERANCE <= late <= NOTICE_LIMIT + CLOCK_TOLERANCE:
            _LOGGER.debug("%s: A half hour came %s after its time: the clock is looked at", self._title, late)
            self.clock.doubt()
        self._take(half_hour)

    @callback
    def _take(self, half_hour: CountersAt) -> None:
        self.half_hour = half_hour
        if self.clock.is_right:
            self._taken = half_hour.at
            self.ledger.seen_at = dt_util.utcnow()
            self._importer.take(half_hour)
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

    async def _fetch_half_hour(self, constants: Constants) -> None:
        """Ask for the last half hour, if the meter should have told it by now and has not.

        A meter whose clock was set tells it at another time: that is looked at first.
        """
        now = dt_util.utcnow()
        expected = _half_hour_of(now - NOTICE_LIMIT)
        if self._taken and self._taken >= expected:
            return
        await self._check(constants, NOTICE_LIMIT.total_seconds())
        half_hour = await self._meter.read_half_hour()
        if half_hour is None or self.ledger.past.is_doubtful(half_hour.at):
            return
        if expected <= half_hour.at <= _half_hour_of(now + CLOCK_TOLERANCE):
            self._take(half_hour)

    # The log.

    async def _look_after(self) -> None:
        """Do what is due: the clock, the last half hour, and whatever of the log is missing."""
        if (constants := self._constants) is None:
            return
        async with self._one_import:
            await self._check(constants)
            await self._fetch_half_hour(constants)
            if not recorder_is_there(self._hass):
                raise RecorderError("The recorder is not there")
            imported = await self._importer.async_import(constants)
        if imported.days:
            _LOGGER.info(
                "%s: %d days of the meter's log were read; hours written: %s",
                *(self._title, len(imported.days), imported.rows),
            )

    async def _check(self, constants: Constants, age_limit_s: float = CLOCK_AGE_LIMIT_S) -> None:
        """See to it that the clock is right, and that it is known which meter's it is."""
        if not await self.clock.async_check(age_limit_s):
            raise ClockWrongError("The meter's clock is not right")
        if self.ledger.meet(Identity.of(constants), dt_util.utcnow()):
            _LOGGER.warning("%s: Another meter, or one that counts otherwise: its log goes on from here", self._title)
            self._importer.forget()
            self.half_hour = self._taken = None

    async def async_import(self, days: int) -> Imported:
        """Read today and so many days before once more, and write what follows.

        Raises:
            ClockWrongError: the meter's clock is wrong.
            RecorderError: there is no recorder, or it does not work now.
            BrouteError: the meter was not asked, or did not answer.
        """
        async with self._one_import:
            constants = self._constants or await self._meter.describe()
            await self._check(constants)
            if not recorder_is_there(self._hass):
                raise RecorderError("The recorder is not there")
            return await self._importer.async_import_again(constants, days)

    async def async_get(self, start: datetime, end: datetime) -> list[HalfHour]:
        """Return the half hours that begin between two instants, as the meter's log has them.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        counting = counting_of(self._constants or await self._meter.describe())
        log: dict[datetime, CountersAt] = {}
        # The end of the last half hour is in the log of the day that it begins.
        day = day_of(start)
        while day <= day_of(min(end + HALF_HOUR, dt_util.utcnow())):
            log |= {one.at: one for one in await self._history(day)}
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

    async def _history(self, day: date) -> list[CountersAt]:
        """Read a day; return nothing if the meter refuses it twice."""
        for _ in range(2):
            with suppress(PropertyRefusedError):
                return await self._meter.history(day)
        return []

    def _show(self, failure: str | None) -> None:
        self.failure = failure
        self._on_news()

    def _call_in(self, delay_s: float, call: Callable[[], None]) -> None:
        if timer := self._timers.pop(call, None):
            timer.cancel()
        self._timers[call] = self._hass.loop.call_later(delay_s, call)


def _rise_kwh(counting: Counting, earlier: Decimal | None, later: Decimal | None) -> Decimal | None:
    return None if earlier is None or later is None else counting.rise_kwh(earlier, later, HALF_HOUR)


def _half_hour_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)
