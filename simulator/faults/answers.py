"""What can happen to the meter's answers between its decision to send and the air.

The forged copies carry the TID of the request and wrong values, and come just before the answer itself: whoever does
not look at encryption, sender and ports takes them for it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from simulator.echonet import UDP_PORT, Frame, Property
from simulator.services import OverLimit

from .switches import Switches, by_name, count, entries, flag, hexadecimal, seconds, switch

COPY_LEAD_S = 0.05
"""How long a copy comes before the next one, or before the answer."""
DUPLICATE_AFTER_S = 0.35
"""How long after the answer its duplicate comes: a retransmission whose acknowledgement was lost."""
NEIGHBOUR_MAC = bytes.fromhex("001D129087654321")
"""The neighbour whose meter's datagrams are heard."""
OTHER_SOURCE_PORT = 0x0E1B
OTHER_DESTINATION_PORT = 0x02CC
"""The one other port that a module has open after a reset: that of PANA."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One datagram on its way.

    Attributes:
        delay_s: how much later than usual.
        payload: the frame, whole or damaged.
        secured: whether it is encrypted.
        source_mac: whose it is; `None`: the meter's.
        source_port: UDP port of the sender.
        destination_port: UDP port that it is for.
    """

    delay_s: float
    payload: bytes
    secured: bool = True
    source_mac: bytes | None = None
    source_port: int = UDP_PORT
    destination_port: int = UDP_PORT


COPIES: dict[str, dict[str, Any]] = {
    "unencrypted_copies": {"secured": False},
    "neighbour_copies": {"source_mac": NEIGHBOUR_MAC},
    "source_port_copies": {"source_port": OTHER_SOURCE_PORT},
    "destination_port_copies": {"destination_port": OTHER_DESTINATION_PORT},
}
"""In what each kind of forged copy differs from an answer, its values aside."""


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
    neighbour_copies: int = switch(
        "how many of the next answers are preceded by a copy with wrong values from a neighbour's meter (another MAC)",
        count,
        off=0,
    )
    source_port_copies: int = switch(
        "how many of the next answers are preceded by a copy with wrong values from another port than 3610",
        count,
        off=0,
    )
    destination_port_copies: int = switch(
        "how many of the next answers are preceded by a copy with wrong values to port 716, which modules keep open",
        count,
        off=0,
    )
    foreign_tids: int = switch("how many of the next answers carry another TID than the request", count, off=0)
    foreign_epcs: int = switch(
        "how many of the next answers name other properties than were asked for, each EPC being the next one",
        count,
        off=0,
    )
    repeated_answers: int = switch(
        "how many of the next requests get the answer to the one before, as it was, in place of their own",
        count,
        off=0,
    )
    short_answers: int = switch("how many of the next answers lack their tail: the frame is too short", count, off=0)
    replaced_values: dict[str, deque[str]] = switch(
        "by EPC (two hexadecimal digits) the EDTs, in hexadecimal, that the next answers with it carry in place of the"
        " true ones: impossible or no-data values of a meter that is otherwise well",
        by_name(entries(hexadecimal)),
        off={},
    )

    def __post_init__(self) -> None:
        """Begin without a previous answer."""
        super().__post_init__()
        self._previous: Frame | None = None

    def answer(self, frame: Frame) -> Iterator[Delivery]:
        """Yield what becomes of an answer of the meter."""
        late_s = self.late_answers.popleft() if self.late_answers else 0.0
        for name, differences in COPIES.items():
            if self.strikes(name):
                yield Delivery(late_s, _falsified(frame).to_bytes(), **differences)
                late_s += COPY_LEAD_S
        payload = self._changed(frame).to_bytes()
        if self.strikes("short_answers"):
            payload = payload[: self.random.randrange(1, len(payload))]
        yield Delivery(late_s, payload)
        if self.strikes("duplicate_answers"):
            yield Delivery(late_s + DUPLICATE_AFTER_S, payload)

    def _changed(self, frame: Frame) -> Frame:
        previous, self._previous = self._previous, frame
        if previous is not None and self.strikes("repeated_answers"):
            return previous
        if self.strikes("foreign_tids"):
            frame = replace(frame, tid=(frame.tid + 0x8000) % 0x10000)
        if self.strikes("foreign_epcs"):
            properties = tuple(Property(0x80 | (prop.epc + 1) % 0x80, prop.edt) for prop in frame.properties)
            frame = replace(frame, properties=properties)
        return replace(frame, properties=tuple(map(self._replaced, frame.properties)))

    def _replaced(self, prop: Property) -> Property:
        values = self.replaced_values.get(f"{prop.epc:02X}")
        return Property(prop.epc, bytes.fromhex(values.popleft())) if values and prop.edt else prop


def _falsified(frame: Frame) -> Frame:
    """Return the frame with the last byte of each value changed."""
    return replace(
        frame,
        properties=tuple(
            Property(prop.epc, prop.edt[:-1] + bytes((prop.edt[-1] ^ 0x2A,)) if prop.edt else b"")
            for prop in frame.properties
        ),
    )
