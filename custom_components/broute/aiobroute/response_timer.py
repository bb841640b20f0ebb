"""How long an answer of the meter is waited for: learned from its answers, within the limits of the specification.

Pure: whoever asks measures the time.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum

from .echonet.smart_meter import HISTORIES

RESPONSE_TIMER_1_S = 20.0
"""For the answer to a request of one property (AIF 2.4.2)."""
RESPONSE_TIMER_2_S = 60.0
"""For the answer to several properties, or to one of the histories (AIF 2.4.2)."""
SHORTEST_TIMER_S = 8.0
"""However quick a meter is: the radio may have to repeat a datagram."""
TIMES_SLOWEST = 4
ANSWERS_KEPT = 32


class RequestKind(StrEnum):
    """What a meter takes different times for."""

    ONE = "one"
    SEVERAL = "several"
    HISTORY = "history"

    @classmethod
    def of(cls, epcs: Iterable[int]) -> RequestKind:
        """Return the kind of a request for these properties."""
        asked = tuple(epcs)
        if HISTORIES.intersection(asked):
            return cls.HISTORY
        return cls.SEVERAL if len(asked) > 1 else cls.ONE


class ResponseTimer:
    """The response timers for one meter: four times its slowest usual answer.

    At least 8 s, and at most the specification's timer, which a kind of request gets that the meter has not answered
    yet. `slowest_s` is what an earlier `ResponseTimer` had in the property of this name.
    """

    def __init__(self, slowest_s: Mapping[RequestKind, float] | None = None) -> None:
        self._answers_s: dict[RequestKind, deque[float]] = {kind: deque(maxlen=ANSWERS_KEPT) for kind in RequestKind}
        for kind, answer_s in (slowest_s or {}).items():
            self.learn(kind, answer_s)

    @property
    def slowest_s(self) -> dict[RequestKind, float]:
        """The slowest usual answer to each kind of request, seconds; a kind that was not answered yet is missing.

        The slowest of the last 32 is not usual, once there are some: it may have waited for the radio.
        """
        slowest = {}
        for kind, kept in self._answers_s.items():
            if answers := sorted(kept):
                slowest[kind] = answers[-1 if len(answers) < ANSWERS_KEPT // 4 else -2]
        return slowest

    def limit_s(self, kind: RequestKind) -> float:
        """Return how long an answer is waited for."""
        longest = RESPONSE_TIMER_1_S if kind is RequestKind.ONE else RESPONSE_TIMER_2_S
        slowest = self.slowest_s.get(kind)
        return longest if slowest is None else min(max(SHORTEST_TIMER_S, TIMES_SLOWEST * slowest), longest)

    def learn(self, kind: RequestKind, answer_s: float) -> None:
        """Note how long an answer took."""
        self._answers_s[kind].append(answer_s)
