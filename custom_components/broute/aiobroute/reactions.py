"""What the session does about everything that can happen to it: one table, state by state.

`docs/link.md` shows it for readers, and a test compares the two.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum

from .conversation import Trouble
from .exceptions import BrouteError, MeterSilentError, ModuleError, NotJoinedError, PortError
from .link.base import LinkEvent


class SessionState(StrEnum):
    """What the session is doing."""

    CLOSED = "closed"
    OPENING = "opening"
    """The port is being opened and the module identified."""
    SEARCHING = "searching"
    """The module scans for the meter."""
    AUTHENTICATING = "authenticating"
    JOINED = "joined"
    RENEWING = "renewing"
    """The session's lifetime is over and the module renews it: nothing is sent."""
    WAITING = "waiting"
    """The last attempt failed; the next one comes after a pause."""


class Lapse(Enum):
    """What fails to happen in time."""

    RENEWAL_OVERDUE = "renewal_overdue"
    """The module has not renewed the session within its limit."""


class Reaction(StrEnum):
    """What the session does."""

    NOTHING = "nothing"
    BEGIN = "begin"
    """The meter is joined: begin to talk."""
    HOLD = "hold"
    """Send nothing, and wait for the renewal within its limit."""
    RESUME = "resume"
    """The session is renewed: send again."""
    BAR = "bar"
    """Send nothing until the transmission limit is lifted; keep the session."""
    LIFT = "lift"
    """Send again."""
    BREAK_OFF = "break_off"
    """The session that the module still held is lost while it is checked: end the check, and join."""
    REJOIN = "rejoin"
    """The session is lost: join again, as the module is."""
    RESET = "reset"
    """The session is lost, and the module is not in the state that it was left in: reset it and join again."""
    REOPEN = "reopen"
    """The port is lost: open it again as soon as it is there."""


type Occurrence = LinkEvent | Trouble | Lapse

_S = SessionState
_JOINED = frozenset({_S.JOINED, _S.RENEWING})
_ALWAYS = frozenset(_S) - {_S.CLOSED}

_ENDS = (
    LinkEvent.JOIN_FAILED,
    LinkEvent.ENDED_BY_METER,
    LinkEvent.ENDED,
    LinkEvent.EXPIRED,
    LinkEvent.RESET,
    LinkEvent.LOST,
)

_TABLE: tuple[tuple[Occurrence, frozenset[SessionState], Reaction], ...] = (
    (LinkEvent.JOINED, frozenset({_S.AUTHENTICATING}), Reaction.BEGIN),
    (LinkEvent.JOINED, frozenset({_S.RENEWING}), Reaction.RESUME),
    *((event, frozenset({_S.AUTHENTICATING}), Reaction.BREAK_OFF) for event in _ENDS),
    (LinkEvent.JOIN_FAILED, _JOINED, Reaction.REJOIN),
    (LinkEvent.ENDED_BY_METER, _JOINED, Reaction.REJOIN),
    (LinkEvent.ENDED, _JOINED, Reaction.REJOIN),
    (LinkEvent.EXPIRED, frozenset({_S.JOINED}), Reaction.HOLD),
    (LinkEvent.DUTY_LIMIT_REACHED, _ALWAYS, Reaction.BAR),
    (LinkEvent.DUTY_LIMIT_LIFTED, _ALWAYS, Reaction.LIFT),
    (LinkEvent.RESET, _JOINED | {_S.WAITING}, Reaction.RESET),
    (LinkEvent.LOST, _JOINED | {_S.WAITING}, Reaction.REOPEN),
    (Trouble.NO_SESSION, _JOINED, Reaction.RESET),
    (Trouble.MODULE_SILENT, _JOINED, Reaction.RESET),
    (Trouble.NOT_SENT, _JOINED, Reaction.REJOIN),
    (Trouble.METER_SILENT, _JOINED, Reaction.REJOIN),
    (Lapse.RENEWAL_OVERDUE, frozenset({_S.RENEWING}), Reaction.REJOIN),
)

REACTIONS: Mapping[tuple[SessionState, Occurrence], Reaction] = {
    (state, occurrence): reaction for occurrence, states, reaction in _TABLE for state in states
}
"""What is not in it is no news: what was asked for is awaited by the attempt that asked, and fails it or not."""
OCCURRENCES: tuple[Occurrence, ...] = (*LinkEvent, *Trouble, *Lapse)


def reaction_to(occurrence: Occurrence, state: SessionState) -> Reaction:
    """Return what the session does about an occurrence in a state."""
    return REACTIONS.get((state, occurrence), Reaction.NOTHING)


def failure_of(cause: Occurrence) -> BrouteError:
    """Say to whoever waits why there is no session any more."""
    match cause:
        case LinkEvent.LOST:
            return PortError("The port was lost")
        case Trouble.METER_SILENT | Trouble.NOT_SENT:
            return MeterSilentError("The meter stopped answering")
        case Trouble.MODULE_SILENT | LinkEvent.RESET:
            return ModuleError("The module stopped working")
    return NotJoinedError("The session with the meter was lost")


def words_for(cause: Occurrence) -> str:
    """Name for readers what has ended a session."""
    match cause:
        case LinkEvent.LOST:
            return "port lost"
        case LinkEvent.RESET:
            return "module reset"
    return cause.name.lower().replace("_", " ")
