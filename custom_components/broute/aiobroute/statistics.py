"""What happened on the way to the meter, counted: for whoever looks for the cause of a bad link."""

from collections import Counter
from dataclasses import dataclass, field, fields

from .link.base import Drop


@dataclass(slots=True)
class Statistics:
    """Counts since the client was made; none is ever set back.

    `requests` are those put on the air, repeats included; `answers` those that were used; `unanswered` the response
    timers that ran out; `spoilt` the answers that came and could not be read; `not_sent` the transmissions that the
    module gave up (EVENT 21 with 01). `notifications` came by themselves. `attempts` are those to set up the session,
    `scans` and `joins` what they took, `sessions` those that were set up. `losses` tells why sessions were lost,
    `drops` why something that was received was not used.
    """

    requests: int = 0
    answers: int = 0
    unanswered: int = 0
    spoilt: int = 0
    not_sent: int = 0
    notifications: int = 0
    attempts: int = 0
    scans: int = 0
    joins: int = 0
    sessions: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    drops: Counter[Drop] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, int | dict[str, int]]:
        """Return it in the types of JSON."""
        counts = {name.name: getattr(self, name.name) for name in fields(self)}
        return {name: dict(count) if isinstance(count, Counter) else count for name, count in counts.items()}
