"""How well the meter was heard and answered, hour by hour: pure.

Above: the coordinator, which hands in what each reading has come to. Below: nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

HOURS: Final = 24
"""So many are kept: those in which the meter was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour in which the meter was asked.

    Attributes:
        start: its start.
        requests: how many requests were put on the air.
        answers: how many of them were answered.
        signals_dbm: their signal strengths added up, in dBm.
        heard: how many were added.
        weakest_dbm: the smallest of them; `None` while there is none.
        strongest_dbm: the largest of them; `None` while there is none.
    """

    start: datetime
    requests: int = 0
    answers: int = 0
    signals_dbm: float = 0.0
    heard: int = 0
    weakest_dbm: float | None = None
    strongest_dbm: float | None = None

    @property
    def mean_dbm(self) -> float | None:
        """The mean of the signal strengths; `None` while there is none."""
        return self.signals_dbm / self.heard if self.heard else None


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """The last hours, the oldest first. Begin with an empty one, and let it `see` whatever a reading has come to.

    `requests` and `answers` are those counted so far.
    """

    hours: Sequence[Hour] = ()
    requests: int = 0
    answers: int = 0

    def see(self, at: datetime, signal_dbm: float | None, *, requests: int, answers: int) -> LinkRecord:
        """Return what is known then: by the counts since the start, and how strongly the meter was heard, if it was."""
        start = at.replace(minute=0, second=0, microsecond=0)
        *earlier, hour = self.hours or (Hour(start=start),)
        if hour.start != start:
            earlier, hour = [*earlier, hour], Hour(start=start)
        hour = replace(
            hour,
            requests=hour.requests + requests - self.requests,
            answers=hour.answers + answers - self.answers,
        )
        if signal_dbm is not None:
            hour = replace(
                hour,
                signals_dbm=hour.signals_dbm + signal_dbm,
                heard=hour.heard + 1,
                weakest_dbm=signal_dbm if hour.weakest_dbm is None else min(hour.weakest_dbm, signal_dbm),
                strongest_dbm=signal_dbm if hour.strongest_dbm is None else max(hour.strongest_dbm, signal_dbm),
            )
        return LinkRecord((*earlier, hour)[-HOURS:], requests, answers)
