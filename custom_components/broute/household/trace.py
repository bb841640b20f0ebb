"""What an entity has reported of late, so that its value can be taken as it was at an instant. Pure.

Above: the watch on the powers, which hands in each report. Instants are on the event loop's clock, which nobody sets.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT_S: Final = 120.0
"""No reading of the meter takes longer, and no instant before its request is asked for."""


@dataclass(frozen=True, slots=True)
class _Report:
    at_s: float
    watts: float | None


class Trace:
    """The reports of one entity: those of the last `KEPT_S`, and the one before them."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._reports: deque[_Report] = deque()

    def take(self, at_s: float, watts: float | None) -> None:
        """Take a report, no earlier than the last one; `None`: the entity says that it does not know."""
        self._reports.append(_Report(at_s, watts))
        while len(self._reports) > 1 and self._reports[1].at_s <= at_s - KEPT_S:
            self._reports.popleft()

    def at(self, at_s: float, max_age_s: float, *, may_rest: bool = False) -> float | None:
        """Return the value that held at an instant, in W.

        It counts for `max_age_s` after its report, and one that is not above zero for any time if `may_rest`: whoever
        has nothing to give has nothing to report. `None`: nothing was known then, or nothing that counts.
        """
        report = next((one for one in reversed(self._reports) if one.at_s <= at_s), None)
        if report is None or report.watts is None:
            return None
        is_current = at_s - report.at_s <= max_age_s or (may_rest and report.watts <= 0)
        return report.watts if is_current else None
