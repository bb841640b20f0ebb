"""The last events of a session, with times: for whoever looks for the cause of a bad link.

Written by the session alone. Nothing in it tells whose meter it is.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

LENGTH = 64


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What happened, in words of ours that stay the same, and when, on the event loop's clock.

    `times`: how often it has happened with nothing else in between; `at_s` is the last time.
    """

    at_s: float
    what: str
    times: int = 1


class Journal:
    """The last `LENGTH` entries, the oldest first.

    What happens again and again, as the attempts to open a port that is not there, is one of them.
    """

    def __init__(self) -> None:
        self._entries: deque[JournalEntry] = deque(maxlen=LENGTH)

    @property
    def entries(self) -> Sequence[JournalEntry]:
        """What there is now."""
        return tuple(self._entries)

    def note(self, at_s: float, what: str) -> None:
        """Add what has happened."""
        if self._entries and (last := self._entries[-1]).what == what:
            self._entries[-1] = replace(last, at_s=at_s, times=last.times + 1)
        else:
            self._entries.append(JournalEntry(at_s, what))
