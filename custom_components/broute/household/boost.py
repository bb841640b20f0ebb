"""When the meter is read faster than usual, and until when: pure.

Above: the coordinator, which hands in what it is asked for and what the readings say, and reads at the interval that
comes out. Requests keep their distance in any case: that is the client's business.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
import math
from typing import Final

CONF_BOOST_PERCENT: Final = "boost_percent"

INTERVAL_S: Final = 5.0
"""From a reading to the next: less is of no use, because the client keeps requests so far apart."""
DEFAULT_DURATION_S: Final = 600.0
DURATION_S: Final = (10.0, 3600.0)
"""So long it can be asked for: the meter's log has hardly any room meanwhile."""
DEFAULT_BOOST_PERCENT: Final = 70
BOOST_PERCENT: Final = (0, 100)
KEEP_PERCENT: Final = 5
"""So many points below where it begins by itself, it goes on."""
HOLD_S: Final = 120.0
"""So long it goes on after the last reading that needed it."""


@dataclass(frozen=True, slots=True)
class Boost:
    """Until when the meter is read faster, on a clock that nobody sets; minus infinity: it was not.

    Attributes:
        asked_until_s: because somebody has asked for it.
        needed_until_s: because so much of the supply's limit is used.
    """

    asked_until_s: float = -math.inf
    needed_until_s: float = -math.inf

    def is_asked(self, at_s: float) -> bool:
        """Tell whether it is on because somebody has asked for it."""
        return at_s < self.asked_until_s

    def is_on(self, at_s: float) -> bool:
        """Tell whether it is on."""
        return at_s < max(self.asked_until_s, self.needed_until_s)

    def ends_at_s(self, at_s: float) -> float | None:
        """Return when one of the two ends next; `None` while it is off."""
        return min((end_s for end_s in (self.asked_until_s, self.needed_until_s) if at_s < end_s), default=None)

    def interval_s(self, at_s: float, usual_s: float) -> float:
        """Return how long after a reading the next one begins, never longer than usual."""
        return min(INTERVAL_S, usual_s) if self.is_on(at_s) else usual_s

    def ask(self, at_s: float, duration_s: float) -> Boost:
        """Begin, or go on, for this time from now on, instead of whatever was asked for before."""
        shortest_s, longest_s = DURATION_S
        return replace(self, asked_until_s=at_s + min(max(duration_s, shortest_s), longest_s))

    def end(self) -> Boost:
        """Be asked for no longer; what is needed goes on."""
        return replace(self, asked_until_s=-math.inf)

    def see(self, at_s: float, usage_percent: Decimal | None, boost_percent: int) -> Boost:
        """Return what a reading makes of it that uses this share of the limit; `boost_percent` of 0: nothing."""
        if usage_percent is None or not boost_percent:
            return self
        keep_percent = KEEP_PERCENT if at_s < self.needed_until_s else 0
        if usage_percent < boost_percent - keep_percent:
            return self
        return replace(self, needed_until_s=at_s + HOLD_S)
