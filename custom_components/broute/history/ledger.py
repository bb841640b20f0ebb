"""What must not be forgotten of a meter's past, because neither the meter nor the rows tell it. Pure.

Which meter it was, until when, when its clock was wrong, and how far back its log goes. It is kept with the entry, and
is about the world: what was read or written is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Self

from ..aiobroute import Constants
from .planner import DAY, Exchange, Past, Span

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A clock that is wrong by more than this stamps nothing that is used."""
OLDEST = 100 * DAY
"""No log goes back further."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a meter is, and what its counts are worth. Secret, as an address and a serial number are."""

    mac: str = field(repr=False)
    serial_number: str | None = field(repr=False)
    scale: str

    @classmethod
    def of(cls, constants: Constants) -> Self:
        """Return that of a meter with these constants."""
        scale = constants.scale
        return cls(
            constants.mac.hex(),
            constants.serial_number,
            f"{scale.unit_kwh} {scale.coefficient} {scale.effective_digits}",
        )

    def may_be(self, other: Identity) -> bool:
        """Tell whether the other one may be the same: a serial number that is not told is no other one."""
        same_serial = None in (self.serial_number, other.serial_number) or self.serial_number == other.serial_number
        return same_serial and self.mac == other.mac and self.scale == other.scale


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The past of one meter's log, in instants of Home Assistant's clock.

    Attributes:
        identity: the meter that hangs there; `None` before the first.
        seen_at: when it was seen there last.
        exchange: when it came into the place of another one; `None` if there was none.
        doubtful: the stamps that may be of a clock that was wrong.
        clock_good_at: when the meter's clock was seen to be right last; `None` if never.
        offsets: while the clock is wrong, by how much at least and at most so far; negative is slow.
        clock_was_set: whether the meter's clock has been set while it was wrong, and not only Home Assistant's.
        lost: for each direction the day up to which the meter's log tells nothing of it.
    """

    identity: Identity | None = None
    seen_at: datetime | None = None
    exchange: Exchange | None = None
    doubtful: tuple[Span, ...] = ()
    clock_good_at: datetime | None = None
    offsets: tuple[timedelta, timedelta] | None = None
    clock_was_set: bool = False
    lost: dict[str, date] = field(default_factory=dict)

    def meet(self, identity: Identity, now: datetime) -> bool:
        """Take note of the meter that is there now; return whether it is another one than before.

        Only while its clock and ours agree: one of them may be wrong, and so may the time.
        """
        met, seen_at = self.identity, self.seen_at
        self.seen_at = now
        if met is None or identity.may_be(met):
            # A serial number that was told once is not forgotten.
            known = met.serial_number if met else None
            self.identity = replace(identity, serial_number=identity.serial_number or known)
            return False
        self.identity = identity
        self.exchange = Exchange(seen_at, now)
        return True

    def settle_exchange(self, begins: datetime) -> None:
        """Keep from when on the log is of the present meter."""
        if self.exchange:
            self.exchange = replace(self.exchange, begins=begins)

    @property
    def clock_is_wrong(self) -> bool:
        """Whether the meter's clock is wrong now, as far as is known."""
        return self.offsets is not None

    def check_clock(self, offset: timedelta, now: datetime, *, ran_on: bool | None) -> None:
        """Take note of what the meter's clock shows more than the true time, as far as we know that.

        When it is right again, all that it may have stamped before is doubtful: since it was last seen right, by the
        true time and by its own. But not if it was Home Assistant's clock that was set: the meter's is as right now as
        it was all the time.

        Args:
            offset: by how much the meter's clock is ahead of Home Assistant's.
            now: Home Assistant's time.
            ran_on: whether the meter's clock has run on evenly since it was looked at before; `None`: nobody knows.
        """
        if abs(offset) > CLOCK_TOLERANCE:
            low, high = self.offsets or (offset, offset)
            self.offsets = min(low, offset), max(high, offset)
            self.clock_was_set = self.clock_was_set or ran_on is False
            return
        if self.offsets and (self.clock_was_set or not ran_on):
            low, high = self.offsets
            spans = [*self.doubtful, Span(self.clock_good_at, now)]
            if self.clock_good_at:
                # A clock that was fast has stamped what is still to come: until the meter writes that once more.
                spans.append(Span(self.clock_good_at + low - CLOCK_TOLERANCE, now + high + CLOCK_TOLERANCE))
            self.doubtful = tuple(span for span in spans if span.before > now - OLDEST)
        self.offsets = None
        self.clock_was_set = False
        self.clock_good_at = now

    @property
    def past(self) -> Past:
        """What a plan has to mind."""
        return Past(self.exchange, self.doubtful, self.lost)

    def as_dict(self) -> dict[str, Any]:
        """Return it in types that JSON has."""
        identity, exchange = self.identity, self.exchange
        return {
            "identity": identity and [identity.mac, identity.serial_number, identity.scale],
            "seen_at": _text(self.seen_at),
            "exchange": exchange and [_text(at) for at in (exchange.after, exchange.before, exchange.begins)],
            "doubtful": [[_text(span.after), _text(span.before)] for span in self.doubtful],
            "clock_good_at": _text(self.clock_good_at),
            "offsets": self.offsets and [offset.total_seconds() for offset in self.offsets],
            "clock_was_set": self.clock_was_set,
            "lost": {direction: day.isoformat() for direction, day in self.lost.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_dict` wrote; raise `KeyError`, `TypeError` or `ValueError` for anything else."""
        identity, offsets = data["identity"], data["offsets"]
        exchange = None
        if data["exchange"] is not None:
            after, before, begins = data["exchange"]
            exchange = Exchange(_instant(after), _known_instant(before), _instant(begins))
        return cls(
            identity=None if identity is None else Identity(*identity),
            seen_at=_instant(data["seen_at"]),
            exchange=exchange,
            doubtful=tuple(Span(_instant(after), _known_instant(before)) for after, before in data["doubtful"]),
            clock_good_at=_instant(data["clock_good_at"]),
            offsets=None if offsets is None else (timedelta(seconds=offsets[0]), timedelta(seconds=offsets[1])),
            clock_was_set=bool(data["clock_was_set"]),
            lost={str(direction): date.fromisoformat(day) for direction, day in dict(data["lost"]).items()},
        )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> datetime | None:
    return None if text is None else _known_instant(text)


def _known_instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("An instant without a zone")
    return at
