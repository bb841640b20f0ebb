"""The counters at each full and half hour: the meter tells them by itself, or is asked.

Above: `SmartMeter`. Below: the properties, and what else is known, which tells whether they can be.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
import logging

from .clock import MeterClock
from .description import Description
from .echonet.smart_meter import NORMAL_ENERGY, NORMAL_FIXED_TIME, REVERSE_ENERGY, REVERSE_FIXED_TIME, Counters
from .echonet.values import PropertyCodec
from .exceptions import PropertyError
from .plausibility import Observation, Plausibility
from .properties import Answers, PropertyReader
from .readings import CountersAt

_LOGGER = logging.getLogger(__name__)

AGE_LIMIT_S = 2400.0
"""A notice of a half hour comes within 5 minutes (AIF 3.2.1), and is of the last half hour at the latest."""
PART_WAIT_S = 20.0
"""After one direction in a frame of its own the other is waited for as long as an answer may take (AIF 2.4.2)."""

_BOTH = (NORMAL_FIXED_TIME, REVERSE_FIXED_TIME)

type HalfHourListener = Callable[[CountersAt], None]


class HalfHours:
    """Reads the last half hour, and takes what the meter announces: both directions in a frame, or each in its own."""

    def __init__(
        self, properties: PropertyReader, description: Description, clock: MeterClock, plausibility: Plausibility
    ) -> None:
        self._properties = properties
        self._description = description
        self._clock = clock
        self._plausibility = plausibility
        self._listeners: list[HalfHourListener] = []
        self._part: Answers | None = None
        """What was announced of a half hour of which more may come."""
        self._waiting: asyncio.TimerHandle | None = None
        self._told_at: datetime | None = None

    def on_notice(self, listener: HalfHourListener) -> Callable[[], None]:
        """Call `listener` with each half hour that the meter announces, once; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Wait for nothing more."""
        self._part = None
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    async def read(self) -> CountersAt | None:
        """Ask for the last half hour in the background; see `SmartMeter.read_half_hour`."""
        epcs = [NORMAL_FIXED_TIME.epc]
        if self._description.constants and self._has_reverse:
            epcs.append(REVERSE_FIXED_TIME.epc)
        return self._believed(await self._properties.get(epcs, background=True))

    def take(self, answers: Answers) -> None:
        """Take what the meter announces, and tell it when both directions are there, or no more comes.

        The reverse direction is not told alone: whoever misses the normal one can ask for both.
        """
        if not any(answers.has_data(codec.epc) for codec in _BOTH):
            return
        if self._part and _times_of(self._part) != _times_of(answers):
            self._tell()
        self._part = self._part | answers if self._part else answers
        if not self._has_reverse or all(self._part.has_data(codec.epc) for codec in _BOTH):
            self._tell()
        elif self._waiting is None:
            self._waiting = asyncio.get_running_loop().call_later(PART_WAIT_S, self._tell)

    def value_of(self, answers: Answers) -> CountersAt | None:
        """Make one value of EA and EB; `None` before the meter has one, or while it cannot be converted."""
        at, counters = _half_hour_of(answers)
        return self._in_kwh(at, counters) if at else None

    @property
    def _has_reverse(self) -> bool:
        """Whether the meter may announce the reverse direction; it does, while nobody knows."""
        constants = self._description.constants
        return constants is None or REVERSE_FIXED_TIME.epc in constants.get_map

    def _tell(self) -> None:
        """Tell what was announced, unless it has been told or cannot be, and wait for the rest no longer."""
        half_hour = self._believed(self._part) if self._part else None
        self.close()
        if half_hour is None or half_hour.at == self._told_at:
            return
        self._told_at = half_hour.at
        for listener in tuple(self._listeners):
            listener(half_hour)

    # What is believed.

    def _believed(self, answers: Answers) -> CountersAt | None:
        """Return a half hour, as far as its counters go with the last ones that were read.

        And its time with the meter's clock, if that was read within the last hour.
        """
        at, counters = _half_hour_of(answers)
        if at is None or at.minute not in (0, 30) or at.second:
            return None
        clock, now_s = self._clock.fresh, asyncio.get_running_loop().time()
        is_in_time = clock is None or (clock.earliest(now_s - AGE_LIMIT_S) <= at <= clock.latest(now_s))
        if not is_in_time or not self._goes_with_readings(NORMAL_ENERGY, counters.normal, now_s):
            _LOGGER.debug("Dropped counters that go with nothing that is known")
            return None
        if not self._goes_with_readings(REVERSE_ENERGY, counters.reverse, now_s):
            counters = Counters(counters.normal, None)
        return self._in_kwh(at, counters)

    def _goes_with_readings(self, codec: PropertyCodec[int | None], counter: int | None, now_s: float) -> bool:
        scale = self._description.scale
        if scale is None or not self._description.scale_is_certain or counter is None:
            return False
        return self._plausibility.fits(codec.epc, Observation(counter, now_s - AGE_LIMIT_S, now_s), scale)

    def _in_kwh(self, at: datetime, counters: Counters) -> CountersAt | None:
        scale = self._description.scale
        if scale is None:
            return None
        try:
            return CountersAt(
                at=at, import_kwh=scale.energy_kwh(counters.normal), export_kwh=scale.energy_kwh(counters.reverse)
            )
        except PropertyError as err:
            _LOGGER.debug("Dropped counters: %s", err)
            return None


def _half_hour_of(answers: Answers) -> tuple[datetime | None, Counters]:
    """Return EA and EB with their time, if it is one time."""
    normal, reverse = (answers.value(codec) for codec in _BOTH)
    same_time = normal is not None and reverse is not None and reverse.at == normal.at
    return (normal.at if normal else None), Counters(
        normal.counter if normal else None, reverse.counter if reverse and same_time else None
    )


def _times_of(answers: Answers) -> set[datetime | None]:
    return {counter.at for codec in _BOTH if (counter := answers.value(codec))}
