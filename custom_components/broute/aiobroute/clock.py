"""The meter's own clock, by which it stamps and counts the days of its log.

Above: `SmartMeter` and its log. Below: the properties. The library knows no wall clock: it counts on from a reading by
the event loop's.
"""

import asyncio
from datetime import datetime, timedelta
import logging

from .echonet import super_class
from .exceptions import ImplausibleValueError, PropertyError, PropertyRefusedError
from .properties import PropertyReader
from .readings import ClockReading

_LOGGER = logging.getLogger(__name__)

AGE_LIMIT_S = 3600.0
READINGS = 3
"""So often the clock is read until one reading confirms another."""


class MeterClock:
    """Reads the meter's date and time.

    A digit that was changed on its way would put a whole day of the log, or none, in its place, and at midnight the
    date may be of the one day and the time of the other. So a reading counts when it goes on from the last one that
    did, or from one just before it: the first is confirmed by a second, and so is a clock that was set.
    """

    def __init__(self, properties: PropertyReader) -> None:
        self._properties = properties
        self.last: ClockReading | None = None
        """The last reading that counts; `None` before the first."""

    def forget(self) -> None:
        """Begin anew with another meter."""
        self.last = None

    @property
    def fresh(self) -> ClockReading | None:
        """The last reading, if it is no older than an hour: by then the clock may have been set."""
        if self.last is None or asyncio.get_running_loop().time() - self.last.answered_s > AGE_LIMIT_S:
            return None
        return self.last

    async def recent(self) -> ClockReading:
        """Return a reading that is no older than an hour, else a new one."""
        return self.fresh or await self.read()

    async def read(self) -> ClockReading:
        """Read date and time in the background, until it is certain that they are the meter's.

        Raises:
            ImplausibleValueError: no reading confirms another.
            PropertyError: the meter gives no date and time, or none that can be.
            BrouteError: the meter was not asked, or did not answer.
        """
        seen = [self.last] if self.last else []
        failure: PropertyError = ImplausibleValueError("The meter gives its date and time differently each time")
        for _ in range(READINGS):
            try:
                reading = await self._ask()
            except PropertyRefusedError:
                raise
            except PropertyError as err:
                _LOGGER.debug("The meter's clock could not be read: %s", err)
                failure = err
                continue
            if any(reading.goes_on_from(earlier) for earlier in seen):
                self.last = reading
                return reading
            seen.append(reading)
        raise failure

    async def _ask(self) -> ClockReading:
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        answers = await self._properties.get(
            [super_class.CURRENT_DATE.epc, super_class.CURRENT_TIME.epc], background=True
        )
        date, time = answers.required(super_class.CURRENT_DATE), answers.required(super_class.CURRENT_TIME)
        return ClockReading(shown=datetime.combine(date, time), asked_s=asked_s, answered_s=loop.time())


def is_before_midnight(reading: ClockReading, now_s: float, margin: timedelta) -> bool:
    """Tell whether the meter's date stays what it is for so long."""
    return reading.earliest(now_s).date() == (reading.latest(now_s) + margin).date()
