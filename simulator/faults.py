"""What can be made to go wrong, switched on and off while the simulation runs.

One object is shared by air, meter and module: conditions that last until they are switched off, and counts of how
often something is still to happen. It knows none of them: each asks it at the point where the fault would strike.
Whole events (the session ended, the module reset, the port gone) are methods of the part that they happen to.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .echonet import Frame, Property
from .services import OverLimit

COPY_LEAD_S = 0.05
"""How long a plain copy comes before the answer."""
DUPLICATE_AFTER_S = 0.35
"""How long after the answer its duplicate comes: a retransmission whose acknowledgement was lost."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One datagram on its way: how much later than usual, whether encrypted, and what."""

    delay_s: float
    secured: bool
    frame: Frame


@dataclass
class Faults:
    """The switches.

    Attributes:
        meter_silent: the meter takes requests (the radio acknowledges them) and says nothing, announcements included.
        property_limit: the meter takes at most so many properties in a request; `None` leaves it to the model.
        over_limit: what it does with a request for more.
        refused_joins: how many of the next joins the meter refuses, whatever the credentials.
        scan_misses: how many of the next scans hear nothing.
        late_answers: by how many seconds the next answers come late, one entry each; 0 for an answer in time.
        duplicate_answers: how many of the next answers come twice.
        unencrypted_copies: how many of the next answers are preceded by a plain copy (SECURED 0) with wrong values.
        module_mute: the module does not say a word; what it would have said is lost.
        noise_lines: bytes that come as lines of their own before the next lines of the module, one entry each; give
            them without CRLF.
        glued_events: how many of the next event lines cut into the echo of a command (echo must be on).
    """

    meter_silent: bool = False
    property_limit: int | None = None
    over_limit: OverLimit = OverLimit.PARTIAL
    refused_joins: int = 0
    scan_misses: int = 0
    late_answers: deque[float] = field(default_factory=deque)
    duplicate_answers: int = 0
    unencrypted_copies: int = 0
    module_mute: bool = False
    noise_lines: deque[bytes] = field(default_factory=deque)
    glued_events: int = 0

    def strikes(self, count: str) -> bool:
        """Use up one of the named count; false when none is left."""
        left: int = getattr(self, count)
        if left > 0:
            setattr(self, count, left - 1)
        return left > 0

    def answer(self, frame: Frame) -> Iterator[Delivery]:
        """Yield what becomes of an answer of the meter."""
        late_s = self.late_answers.popleft() if self.late_answers else 0.0
        if self.strikes("unencrypted_copies"):
            yield Delivery(late_s, secured=False, frame=_falsified(frame))
            late_s += COPY_LEAD_S
        yield Delivery(late_s, secured=True, frame=frame)
        if self.strikes("duplicate_answers"):
            yield Delivery(late_s + DUPLICATE_AFTER_S, secured=True, frame=frame)

    def line(self, line: bytes) -> Iterator[bytes]:
        """Yield what becomes of a line of the module."""
        if self.module_mute:
            return
        if self.noise_lines:
            yield self.noise_lines.popleft() + b"\r\n"
        yield line


def _falsified(frame: Frame) -> Frame:
    """Return the frame with the last byte of each value changed."""
    return replace(
        frame,
        properties=tuple(
            Property(prop.epc, prop.edt[:-1] + bytes((prop.edt[-1] ^ 0x2A,)) if prop.edt else b"")
            for prop in frame.properties
        ),
    )
