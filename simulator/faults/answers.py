"""What can happen to the meter's answers between its decision to send and the air."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulator.echonet import Frame, Property
from simulator.services import OverLimit

from .switches import Switches, count, entries, flag, seconds, switch

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


def _limit(value: object) -> int | None:
    return None if value is None else count(value)


def _over_limit(value: object) -> OverLimit:
    try:
        return OverLimit[str(value)]
    except KeyError as error:
        raise ValueError(f"one of {', '.join(OverLimit.__members__)} is wanted") from error


@dataclass(kw_only=True, eq=False)
class AnswerFaults(Switches):
    """Faults of the meter's node."""

    meter_silent: bool = switch(
        "the meter takes requests (the radio acknowledges them) and says nothing, announcements included",
        flag,
        off=False,
    )
    property_limit: int | None = switch(
        "the meter takes at most so many properties in a request; null leaves it to the model", _limit, off=None
    )
    over_limit: OverLimit = switch(
        "what it does with a request for more: PARTIAL, REFUSE or SILENT", _over_limit, off=OverLimit.PARTIAL
    )
    late_answers: deque[float] = switch(
        "by how many s the next answers come late, one entry each; 0 for an answer in time",
        entries(seconds),
        off=deque(),
    )
    duplicate_answers: int = switch("how many of the next answers come twice", count, off=0)
    unencrypted_copies: int = switch(
        "how many of the next answers are preceded by a plain copy (SECURED 0) with wrong values", count, off=0
    )

    def answer(self, frame: Frame) -> Iterator[Delivery]:
        """Yield what becomes of an answer of the meter."""
        late_s = self.late_answers.popleft() if self.late_answers else 0.0
        if self.strikes("unencrypted_copies"):
            yield Delivery(late_s, secured=False, frame=_falsified(frame))
            late_s += COPY_LEAD_S
        yield Delivery(late_s, secured=True, frame=frame)
        if self.strikes("duplicate_answers"):
            yield Delivery(late_s + DUPLICATE_AFTER_S, secured=True, frame=frame)


def _falsified(frame: Frame) -> Frame:
    """Return the frame with the last byte of each value changed."""
    return replace(
        frame,
        properties=tuple(
            Property(prop.epc, prop.edt[:-1] + bytes((prop.edt[-1] ^ 0x2A,)) if prop.edt else b"")
            for prop in frame.properties
        ),
    )
