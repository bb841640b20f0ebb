"""The meter's clock against Home Assistant's: how far it is off, and whether its stamps may be used.

A meter loses its clock in a long outage, and whatever it logs then stands at a wrong time. Home Assistant's may be the
wrong one as well, above all before a machine without a battery has found a time server. Which of them was set when they
agree again tells a third: the event loop's, which nobody sets.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..aiobroute import JST, ClockReading, SmartMeter
from ..issues import Issue, Issues
from .ledger import CLOCK_TOLERANCE, Ledger

DRIFT: Final = timedelta(seconds=1) / timedelta(hours=1)
"""More than a quartz clock gains or loses."""
AGE_LIMIT_S: Final = 3600.0
DOUBT_S: Final = 10.0
"""A clock that is in doubt is looked at again after this time, if nothing else has it looked at."""
CONFIRMATION_S: Final = 300.0
"""A clock that seems to be wrong is looked at again after this time: it may have been ours, before it was set."""


class ClockWrongError(Exception):
    """The meter's clock is wrong, or not known to be right: nothing that it stamps is used."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By what a meter's clock is ahead of the true time, at least and at most; negative is behind. As of `at`.

    The meter shows whole minutes, so that one reading leaves a minute open. Several, at different seconds, leave less.
    """

    low: timedelta
    high: timedelta
    at: datetime

    @property
    def middle(self) -> timedelta:
        """What it is most likely."""
        return (self.low + self.high) / 2

    def narrowed_by(self, earlier: ClockOffset | None) -> ClockOffset:
        """Return what this one leaves open of an earlier one; this one alone if the clock was set in between."""
        if earlier is None:
            return self
        since = abs(self.at - earlier.at) * DRIFT
        low, high = max(self.low, earlier.low - since), min(self.high, earlier.high + since)
        return ClockOffset(low, high, self.at) if low <= high else self


class ClockWatch:
    """Looks at a meter's clock once an hour and in each new session, and tells the user when it is wrong.

    `offset` is what was seen last, `None` before that.
    """

    def __init__(self, hass: HomeAssistant, meter: SmartMeter, ledger: Ledger, issues: Issues) -> None:
        """Look at nothing yet."""
        self.offset: ClockOffset | None = None
        self.next_look_s: float = AGE_LIMIT_S
        """After which time a clock that is not right should be looked at again, in seconds."""
        self.is_wrong: bool | None = None
        """Whether it is wrong for certain, as the user was told; `None` before that or the opposite was found."""
        self._hass = hass
        self._meter = meter
        self._ledger = ledger
        self._issues = issues
        self._right_at_s: float | None = None
        """When it was found to be right, on the event loop's clock; `None` if that is in doubt."""
        self._suspicion: tuple[float, timedelta] | None = None
        """Since when it seems to be wrong, and by how much it did then."""
        self._reading: ClockReading | None = None
        """The first look since which it has run on evenly, or one at which it was right."""
        self._was_right = False
        """Whether it was right at that look, and so is still."""

    @property
    def shows(self) -> datetime:
        """What the meter's clock shows now, at least.

        Raises:
            ClockWrongError: it is not right, or in doubt.
        """
        if self._reading is None or not self.is_right:
            raise ClockWrongError("The meter's clock is in doubt")
        return self._reading.earliest(self._now_s)

    @property
    def is_right(self) -> bool:
        """Whether stamps may be used: the clock was right when it was looked at."""
        return self._right_at_s is not None

    @property
    def now(self) -> datetime:
        """What the meter's clock shows now, most likely: several looks at it tell that better than the last one.

        Raises:
            ClockWrongError: it is not right, or in doubt.
        """
        earliest = self.shows
        if self._reading is None or self.offset is None:
            return earliest
        likely = dt_util.utcnow().astimezone(JST) + self.offset.middle
        # Ours may have been set since.
        return min(max(likely, earliest), self._reading.latest(self._now_s))

    def doubt(self) -> None:
        """Use no stamp before the clock was looked at again."""
        self._right_at_s = None
        self.next_look_s = DOUBT_S

    async def async_check(self, age_limit_s: float = AGE_LIMIT_S) -> bool:
        """Look at the clock, if it was not within this time, in seconds; return whether it is right.

        Raises:
            BrouteError: the meter does not tell the time.
        """
        if self._right_at_s is not None and self._now_s - self._right_at_s < age_limit_s:
            return True
        reading = await self._meter.read_clock()
        now, now_s = dt_util.utcnow(), self._now_s
        offset = ClockOffset(reading.earliest(now_s) - now, reading.latest(now_s) - now, now)
        self.offset = offset.narrowed_by(self.offset)
        self._right_at_s = None
        middle = self.offset.middle
        ran_on = reading.goes_on_from(self._reading) if self._reading else None
        if abs(middle) <= CLOCK_TOLERANCE:
            if self._suspicion and ran_on is False:
                # It was wrong, for however short a time.
                self._ledger.check_clock(self._suspicion[1], now, ran_on=False)
            self._suspicion = None
            self._right_at_s = now_s
            self._reading, self._was_right = reading, True
            self._ledger.check_clock(middle, now, ran_on=ran_on)
            self.is_wrong = False
            self._issues.withdraw(Issue.CLOCK_WRONG)
            return True
        if not ran_on:
            self._reading, self._was_right = reading, False
        if self._suspicion is None:
            self._suspicion = now_s, middle
        confirmed_in_s = CONFIRMATION_S - (now_s - self._suspicion[0])
        is_certain = self._ledger.clock_is_wrong or confirmed_in_s <= 0
        if is_certain and not self._was_right:
            self._ledger.check_clock(middle, now, ran_on=ran_on)
        if is_certain:
            self._tell(middle)
        self.next_look_s = AGE_LIMIT_S if is_certain else confirmed_in_s
        return False

    def _tell(self, offset: timedelta) -> None:
        self.is_wrong = True
        text = "clock_fast" if offset > timedelta(0) else "clock_slow"
        self._issues.tell(Issue.CLOCK_WRONG, text, minutes=str(round(abs(offset) / timedelta(minutes=1))))

    @property
    def _now_s(self) -> float:
        return self._hass.loop.time()
