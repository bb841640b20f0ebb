"""The log that a meter keeps of itself: its counters at each half hour for weeks, and newer meters' of each minute.

Above: `SmartMeter`. Below: the conversation, in the background of which it is read, and the clock by which it is kept.

There are three of these logs. Of the first a day is chosen (E5) and read, each direction by itself (E2, E4). Of the
others a time is chosen and how many counters backwards from it, and both directions are read at once: up to 12 half
hours (ED, EC) or 10 minutes (EF, EE). Which of them a meter has, its property maps say. What was chosen and what is
read belong together, so one choice is under way at a time. An answer repeats the choice, and is of no use without that.

No checksum covers the way from a module to us, so what is read is held against itself (see `plausibility`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
import logging

from .clock import MeterClock, is_before_midnight
from .conversation import Conversation
from .echonet import smart_meter
from .echonet.frame import Esv, Property
from .echonet.smart_meter import Counters, DayHistory, IntervalChoice, IntervalHistory
from .echonet.values import JST, PropertyCodec
from .exceptions import ImplausibleValueError, NoSuchDayError, PropertyError, PropertyRefusedError
from .plausibility import Doubt, Observation, Plausibility, could_be_of_one_counter, could_follow
from .properties import PropertyReader
from .readings import Constants, CountersAt, Scale

_LOGGER = logging.getLogger(__name__)

MIDNIGHT_MARGIN = timedelta(minutes=5)
"""The days of the log are counted from the meter's date: it is not asked for while that may change."""
NEIGHBOUR_S = 2400.0
"""So near in time a counter beside a piece of the log tells something of its end."""
RISES_OF_AN_ORDER = 2
"""One rise may be a counter that began anew, seen from the wrong end. More of them, and no fall, tell an order."""

HALF_HOUR = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
_NO_DATA = Counters(None, None)

type _Course = Sequence[tuple[datetime, int]]
"""The known counters of one direction with their times, chronological and not empty."""


class MeterLog:
    """Reads the log of one meter at a time, piece by piece."""

    def __init__(
        self, conversation: Conversation, properties: PropertyReader, clock: MeterClock, plausibility: Plausibility
    ) -> None:
        self._conversation = conversation
        self._properties = properties
        self._clock = clock
        self._plausibility = plausibility
        self._one_choice = asyncio.Lock()
        self._is_oldest_first: bool | None = None
        """In which order EC and EE list their counters; `None`: the newest first, until they tell."""
        self._order_told: bool | None = None
        """An order that is news and was told once."""
        self._ends: dict[int, tuple[Observation, ...]] = {}
        """The first and the last counter of the day that was read last, by the EPC of the direction's counter."""

    def forget(self) -> None:
        """Begin anew with another meter."""
        self._is_oldest_first = None
        self._order_told = None
        self._ends.clear()

    async def day(self, day: date, constants: Constants) -> list[CountersAt]:
        """Read the 48 counters of a day; see `SmartMeter.history`."""
        midnight = datetime.combine(day, time(), JST)
        times = [midnight + slot * HALF_HOUR for slot in range(smart_meter.SLOTS_A_DAY)]
        async with self._one_choice:
            while True:
                now = await self._steady_time()
                days_back = _days_back(day, now.date())
                if _is_read_by_half_hours(constants):
                    read = partial(self._half_hours, times, sum(at <= now for at in times), constants.scale)
                else:
                    read = partial(self._chosen_day, days_back, constants)
                counters = await self._confirmed(read, times, constants.scale)
                # The days are counted back from the meter's date: it must still be the one that they were counted from.
                if (await self._clock.recent()).latest(self._now_s).date() == now.date():
                    self._ends = {epc: self._ends_of(course) for epc, course in _courses(times, counters)}
                    return _in_kwh(times, counters, constants)

    async def minutes(self, at: datetime, count: int, constants: Constants) -> list[CountersAt]:
        """Read the counters of `count` minutes; see `SmartMeter.minutes`."""
        choice, log = smart_meter.ONE_MINUTE_CHOICE, smart_meter.ONE_MINUTE_HISTORY
        if not 1 <= count <= smart_meter.MAX_MINUTES:
            raise ValueError(f"A meter gives 1 to {smart_meter.MAX_MINUTES} minutes at once, not {count}")
        if not constants.logs_minutes:
            raise PropertyRefusedError(f"{log}: this meter has no log of minutes")
        newest = at.astimezone(JST).replace(second=0, microsecond=0)
        times = [newest - number * MINUTE for number in reversed(range(count))]

        async with self._one_choice:
            read = partial(self._pieces, choice, log, [times], constants.scale)
            return _in_kwh(times, await self._confirmed(read, times, constants.scale), constants)

    # One answer, chronological.

    async def _chosen_day(self, days_back: int, constants: Constants) -> list[Counters]:
        await self._choose(smart_meter.HISTORY_DAY, smart_meter.encode_day(days_back))
        normal = await self._direction(smart_meter.NORMAL_DAY_HISTORY, days_back)
        reverse: Sequence[int | None] = [None] * len(normal)
        if smart_meter.REVERSE_DAY_HISTORY.epc in constants.get_map:
            reverse = await self._direction(smart_meter.REVERSE_DAY_HISTORY, days_back)
        return [Counters(*both) for both in zip(normal, reverse, strict=True)]

    async def _direction(self, codec: PropertyCodec[DayHistory], days_back: int) -> tuple[int | None, ...]:
        day = (await self._properties.get([codec.epc], background=True)).required(codec)
        if day.day != days_back:
            raise PropertyError(f"{codec}: day {day.day} instead of {days_back}")
        return day.counters

    async def _half_hours(self, times: Sequence[datetime], past: int, scale: Scale) -> list[Counters]:
        """Read the first `past` half hours of a day; the rest is to come."""
        most = smart_meter.MAX_HALF_HOURS
        pieces = [times[max(0, end - most) : end] for end in range(past, 0, -most)]
        known = await self._pieces(smart_meter.HALF_HOUR_CHOICE, smart_meter.HALF_HOUR_HISTORY, pieces, scale)
        return known + [_NO_DATA] * (len(times) - past)

    async def _pieces(
        self,
        choice: PropertyCodec[IntervalChoice],
        log: PropertyCodec[IntervalHistory],
        pieces: Sequence[Sequence[datetime]],
        scale: Scale,
    ) -> list[Counters]:
        """Read the counters at some times, in pieces that the meter gives at once, the newest piece first."""
        listed: list[Sequence[Counters]] = []
        for times in pieces:
            newest, count = times[-1], len(times)
            await self._choose(choice, smart_meter.encode_interval_choice(newest, count))
            answer = (await self._properties.get([log.epc], background=True)).required(log)
            if (answer.at, len(answer.counters)) != (newest, count):
                raise PropertyError(
                    f"{log}: {len(answer.counters)} up to {answer.at} instead of {count} up to {newest}"
                )
            listed.append(answer.counters)
        return self._in_order([at for times in reversed(pieces) for at in times], listed[::-1], scale, log)

    def _in_order(
        self,
        times: Sequence[datetime],
        pieces: Sequence[Sequence[Counters]],
        scale: Scale,
        log: PropertyCodec[IntervalHistory],
    ) -> list[Counters]:
        """Return the counters of all pieces chronologically.

        That each piece lists the newest one first is how others read it (protocol 2.5.2), and was not seen in any
        specification. Counters rise, and so they tell. The other order is taken when it is told twice, and goes with
        what is known from beside them; from then on it is the one that is expected.

        Raises:
            ImplausibleValueError: they rise towards the past, as far as is known.
        """
        orders = {
            False: [counters for piece in pieces for counters in reversed(piece)],
            True: [counters for piece in pieces for counters in piece],
        }
        falls = {
            order: sum(_falls(course, scale) for _, course in _courses(times, counters))
            for order, counters in orders.items()
        }
        expected = bool(self._is_oldest_first)
        if not falls[expected]:
            if falls[not expected] >= RISES_OF_AN_ORDER:
                self._is_oldest_first = expected
        elif not falls[not expected] and falls[expected] >= RISES_OF_AN_ORDER:
            was_told, self._order_told = self._order_told == (not expected), not expected
            if not (was_told and self._could_be(times, orders[not expected], scale)):
                raise ImplausibleValueError(f"{log}: its counters rise towards the past")
            self._is_oldest_first = expected = not expected
        elif not falls[not expected] and self._is_oldest_first is None:
            raise ImplausibleValueError(f"{log}: nothing tells in which order its counters are")
        return orders[expected]

    async def _choose[T](self, choice: PropertyCodec[T], edt: bytes) -> None:
        chosen = await self._conversation.request(Esv.SET_C, (Property(choice.epc, edt),), background=True)
        if chosen.esv is not Esv.SET_RES:
            raise PropertyRefusedError(f"{choice}: the meter does not take the choice")

    # Whether it can be.

    async def _confirmed(
        self, read: Callable[[], Awaitable[list[Counters]]], times: Sequence[datetime], scale: Scale
    ) -> list[Counters]:
        """Read a piece of the log, and where it cannot be true, once more; return what may be believed of it.

        Of two answers that is what both say. An answer that cannot be read at all is made up for by another one.
        """
        doubted: list[Counters] | None = None
        unreadable = False
        while True:
            try:
                counters = await read()
                for counter in (counter for both in counters for counter in (both.normal, both.reverse)):
                    scale.energy_kwh(counter)
            except PropertyRefusedError:
                raise
            except PropertyError as err:
                _LOGGER.debug("A piece of the log could not be read: %s", err)
                self._plausibility.dropped[Doubt.LOG] += 1
                if unreadable or doubted is not None:
                    raise
                unreadable = True
                self._plausibility.held_back[Doubt.LOG] += 1
                continue
            if doubted is not None:
                if counters != doubted:
                    self._plausibility.dropped[Doubt.LOG] += 1
                return [_alike(*both) for both in zip(doubted, counters, strict=True)]
            if self._could_be(times, counters, scale):
                return counters
            _LOGGER.debug("A piece of the log is read once more: a counter in it cannot follow the one before it")
            self._plausibility.held_back[Doubt.LOG] += 1
            doubted = counters

    def _could_be(self, times: Sequence[datetime], counters: Sequence[Counters], scale: Scale) -> bool:
        """Tell whether counters can follow each other, and go with what is known from beside them."""
        for epc, course in _courses(times, counters):
            if _falls(course, scale):
                return False
            believed = self._plausibility.believed.get(epc)
            beside = [*self._ends.get(epc, ()), *([believed] if believed else [])]
            for end in self._ends_of(course):
                if not all(could_be_of_one_counter(end, known, scale) for known in beside if _are_near(end, known)):
                    return False
        return True

    def _ends_of(self, course: _Course) -> tuple[Observation, ...]:
        """Return the first and the last of a course on the event loop's clock; nothing while the meter's is unknown."""
        clock = self._clock.last
        return (
            tuple(Observation(counter, *clock.instants(at)) for at, counter in (course[0], course[-1])) if clock else ()
        )

    # When.

    async def _steady_time(self) -> datetime:
        """Return the meter's date and time, but not while its date is about to change."""
        while True:
            clock = await self._clock.recent()
            if is_before_midnight(clock, self._now_s, MIDNIGHT_MARGIN):
                return clock.earliest(self._now_s)
            now = clock.earliest(self._now_s)
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            await asyncio.sleep((midnight - now + MINUTE).total_seconds())
            await self._clock.read()

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _days_back(day: date, today: date) -> int:
    """Count the days back from the meter's date."""
    days_back = (today - day).days
    if days_back < 0:
        raise NoSuchDayError(f"{smart_meter.HISTORY_DAY}: by the meter's date the day is still to come")
    if days_back > smart_meter.MAX_DAYS_BACK:
        raise NoSuchDayError(f"{smart_meter.HISTORY_DAY}: a log goes back {smart_meter.MAX_DAYS_BACK} days, no further")
    return days_back


def _is_read_by_half_hours(constants: Constants) -> bool:
    """Tell whether a day is read in pieces: where it cannot be chosen, or would be given in one direction only.

    Every meter should have a day that can be chosen: without either in its maps, its answer is the proof.
    """
    by_half_hours = (
        smart_meter.HALF_HOUR_CHOICE.epc in constants.set_map and smart_meter.HALF_HOUR_HISTORY.epc in constants.get_map
    )
    by_day = (
        smart_meter.HISTORY_DAY.epc in constants.set_map and smart_meter.NORMAL_DAY_HISTORY.epc in constants.get_map
    )
    is_complete = not constants.measures_export or smart_meter.REVERSE_DAY_HISTORY.epc in constants.get_map
    return by_half_hours and not (by_day and is_complete)


def _courses(times: Sequence[datetime], counters: Sequence[Counters]) -> Iterator[tuple[int, _Course]]:
    """Yield each direction of which anything is known, by the EPC of its counter."""
    directions = (
        (smart_meter.NORMAL_ENERGY.epc, [both.normal for both in counters]),
        (smart_meter.REVERSE_ENERGY.epc, [both.reverse for both in counters]),
    )
    for epc, values in directions:
        course = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
        if course:
            yield epc, course


def _falls(course: _Course, scale: Scale) -> int:
    """Count the counters that cannot follow the one before them, in the time between both."""
    seen = [Observation(counter, at.timestamp(), at.timestamp()) for at, counter in course]
    return sum(not could_follow(later, earlier, scale) for earlier, later in pairwise(seen))


def _are_near(a: Observation, b: Observation) -> bool:
    return max(a.after_s - b.before_s, b.after_s - a.before_s) <= NEIGHBOUR_S


def _alike(a: Counters, b: Counters) -> Counters:
    return Counters(
        normal=a.normal if a.normal == b.normal else None, reverse=a.reverse if a.reverse == b.reverse else None
    )


def _in_kwh(times: Sequence[datetime], counters: Sequence[Counters], constants: Constants) -> list[CountersAt]:
    scale = constants.scale
    return [
        CountersAt(
            at=at,
            import_kwh=scale.energy_kwh(both.normal),
            export_kwh=scale.energy_kwh(both.reverse) if constants.measures_export else None,
        )
        for at, both in zip(times, counters, strict=True)
    ]
