"""What is known of a meter's log, and how more of it is learned.

Above: the importer, which says of which day. Below: the client, and the watch on the meter's clock. Whatever is known
here can be forgotten at any time: the meter is then asked once more.
"""

import asyncio
from collections.abc import Iterator, Sequence, Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
import logging
from typing import Final

from ..aiobroute import CountersAt, MeterSilentError, NoSuchDayError, NotJoinedError, PropertyError, SmartMeter
from .clock import ClockWatch, ClockWrongError
from .planner import FARTHEST, HALF_HOUR, HALF_HOURS_A_DAY, Exchange, Hole, Log, day_of, midnight

_LOGGER = logging.getLogger(__name__)

IMPORT: Final = "import"
EXPORT: Final = "export"

LOG_DELAY = timedelta(minutes=2)
"""A half hour is in the meter's log when this time is over."""
DOUBT_PAUSES_S: Final = (60.0, 300.0)
"""A day that the meter refuses, or gives so that it cannot be understood, is asked for again after each of these. A
meter that has it would give it at one of these times; after the last it is believed not to have it."""
SILENCES: Final = 24
SILENCE_S: Final = 4 * 3600.0
"""A day, or the minutes, about which the meter was silent so often, and since so long ago, is believed not to be there
as well: it has answered everything else meanwhile, and a bad radio would have let one of the answers through."""
MINUTE: Final = timedelta(minutes=1)
MINUTES_AT_ONCE: Final = 10


class LogReader:
    """Reads the log of one meter, and knows what was read."""

    def __init__(self, meter: SmartMeter, clock: ClockWatch) -> None:
        """Know nothing of the log yet."""
        self._meter = meter
        self._clock = clock
        self._counters: dict[str, dict[datetime, Decimal | None]] = {IMPORT: {}, EXPORT: {}}
        self._fresh: set[datetime] = set()
        self._failures: dict[date, int] = {}
        self._silences: dict[date, list[float]] = {}
        """When it was silent about a day, on the event loop's clock."""
        self._silences_of_minutes: list[float] = []

    @property
    def known(self) -> Log:
        """What is known of the log."""
        return Log(counters=self._counters, fresh=self._fresh, doubted=self._failures.keys() | self._silences.keys())

    @property
    def complete_until(self) -> datetime:
        """Up to when the meter has completed its log by now, by its own clock; only while that is right."""
        return self._clock.shows - LOG_DELAY

    def take(self, half_hour: CountersAt) -> None:
        """Take a half hour that came when it was its time."""
        self._add([half_hour])
        self._fresh.add(half_hour.at)

    def forget(self, before: datetime | None = None) -> None:
        """Forget what is known, all of it or that of before an instant."""
        for counters in self._counters.values():
            for at in [at for at in counters if before is None or at < before]:
                del counters[at]
        self._fresh = {at for at in self._fresh if before is not None and at >= before}
        self._failures.clear()
        self._silences.clear()
        self._silences_of_minutes.clear()

    def doubt(self, times: AbstractSet[datetime]) -> None:
        """Forget what came at some times when it was their time, so that it is read out of the log."""
        for counters in self._counters.values():
            for at in times:
                counters.pop(at, None)
        self._fresh -= times

    async def read(self, day: date) -> bool:
        """Read a day: whatever is in it is known then, or known not to be there. Return whether that is so.

        A day that was asked for in vain before is asked for after a pause.

        Raises:
            ClockWrongError: the meter's clock is in doubt.
            BrouteError: the meter was not asked, or did not answer.
        """
        failures = self._failures.get(day, 0)
        if failures:
            await asyncio.sleep(DOUBT_PAUSES_S[failures - 1])
        until = self.complete_until
        half_hours: Sequence[CountersAt] = ()
        try:
            half_hours = await self._meter.history(day)
        except NoSuchDayError as err:
            if day_of(self._clock.shows) - day <= FARTHEST:
                self._clock.doubt()
                raise ClockWrongError("The meter's date is another one than it was") from err
        except PropertyError as err:
            _LOGGER.debug("A day of the meter's log was not read: %s", err)
            if failures < len(DOUBT_PAUSES_S):
                self._failures[day] = failures + 1
                return False
        except MeterSilentError:
            if not _is_for_good(self._silences.setdefault(day, [])):
                raise
        self._check_session()
        self._failures.pop(day, None)
        self._silences.pop(day, None)
        self._add(half_hours)
        self._lack([at for at in _half_hours(midnight(day), HALF_HOURS_A_DAY) if at <= until])
        return True

    # The minutes of a meter of the second generation.

    async def first_minute(self, exchange: Exchange, begins: datetime) -> datetime:
        """Return since when what the meter counts is of this house: at the half hour `begins` it was so already.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        known: list[CountersAt] = []
        while not known or known[-1].at > begins - HALF_HOUR:
            minutes = await self._minutes((known[-1].at if known else begins) - MINUTE)
            found = list(takewhile(lambda one: one.import_kwh is not None, reversed(minutes)))
            known += found
            if len(found) < MINUTES_AT_ONCE:
                break
        else:
            # Without a hole nobody knows where they were counted, but for those since it was seen here.
            known = [one for one in known if begins < exchange.before or one.at >= exchange.before]
        self._add(known)
        return known[-1].at if known else begins

    async def read_minute(self, at: datetime) -> None:
        """Read the counters of one minute.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        self._add(await self._minutes(at, 1))
        self._lack([at])

    async def look_into(self, hole: Hole) -> None:
        """Learn the counters of a time in which the meter has written none, because it had no mains.

        One that was the same in the last minute before that and in the first one behind it was so all the time.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        after, before = hole
        pieces = [MINUTE * MINUTES_AT_ONCE * number for number in range(3)]
        last = await self._told_minutes([after + HALF_HOUR - MINUTE - piece for piece in pieces])
        first = await self._told_minutes([before - piece for piece in reversed(pieces)])
        if not last or not first:
            return
        dark = [
            at for at in _half_hours(_half_hour_of(after), int((before - after) / HALF_HOUR) + 1) if after < at < before
        ]
        if last[-1].import_kwh == first[0].import_kwh:
            self._add([CountersAt(at=at, import_kwh=first[0].import_kwh, export_kwh=None) for at in dark])
        if last[-1].export_kwh == first[0].export_kwh:
            self._add([CountersAt(at=at, import_kwh=None, export_kwh=first[0].export_kwh) for at in dark])

    async def _told_minutes(self, ends: Sequence[datetime]) -> list[CountersAt]:
        """Return what is known of the ten minutes up to the first of some instants before which anything is."""
        for end in ends:
            if told := [one for one in await self._minutes(end) if one.import_kwh is not None]:
                return told
        return []

    async def _minutes(self, until: datetime, count: int = MINUTES_AT_ONCE) -> list[CountersAt]:
        """Read the minutes up to an instant, the oldest first; none if the meter refuses them twice, or is silent."""
        for _ in range(2):
            try:
                minutes = await self._meter.minutes(until, count)
            except PropertyError as err:
                _LOGGER.debug("Minutes of the meter's log were not read: %s", err)
                continue
            except MeterSilentError:
                if not _is_for_good(self._silences_of_minutes):
                    raise
                break
            self._check_session()
            self._silences_of_minutes.clear()
            return minutes
        return []

    def _check_session(self) -> None:
        """Raise if what was read may be of another session, and so of another meter, or of one that was set."""
        if not self._clock.is_right:
            raise NotJoinedError("The session with the meter has ended meanwhile")

    def _add(self, counters: Sequence[CountersAt]) -> None:
        for one in counters:
            for direction, energy_kwh in ((IMPORT, one.import_kwh), (EXPORT, one.export_kwh)):
                known = self._counters[direction]
                # What came in its time is right even if a clock that was wrong later has written over it.
                if energy_kwh is not None and (one.at not in self._fresh or known.get(one.at) is None):
                    known[one.at] = energy_kwh

    def _lack(self, times: Sequence[datetime]) -> None:
        for known in self._counters.values():
            for at in times:
                known.setdefault(at, None)


def _is_for_good(silences: list[float]) -> bool:
    """Note that the meter is silent now, and tell whether it was so often and long enough."""
    silences.append(asyncio.get_running_loop().time())
    return len(silences) >= SILENCES and silences[-1] - silences[0] >= SILENCE_S


def _half_hours(start: datetime, number: int) -> Iterator[datetime]:
    return (start + HALF_HOUR * each for each in range(number))


def _half_hour_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30)
