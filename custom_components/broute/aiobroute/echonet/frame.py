"""The ECHONET Lite frame, format 1: bytes in, a value out, and back (protocol 1.1-1.4).

Above: the property codecs, which read the EDTs. Below: a datagram's payload.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from ..exceptions import FrameError

EHD = b"\x10\x81"
"""ECHONET Lite, format 1."""

PORT = 3610
"""The UDP port of both sides."""

MAX_PDC = 255
MAX_OPC = 255


class Esv(IntEnum):
    """Service codes (protocol 1.2)."""

    SET_I = 0x60
    SET_C = 0x61
    GET = 0x62
    INF_REQ = 0x63
    SET_GET = 0x6E
    SET_RES = 0x71
    GET_RES = 0x72
    INF = 0x73
    INFC = 0x74
    INFC_RES = 0x7A
    SET_GET_RES = 0x7E
    SET_I_SNA = 0x50
    SET_C_SNA = 0x51
    GET_SNA = 0x52
    INF_SNA = 0x53
    SET_GET_SNA = 0x5E

    @property
    def has_two_lists(self) -> bool:
        """Whether a list of properties to get follows the list of properties to set."""
        return self in _TWO_LISTS


_TWO_LISTS = frozenset({Esv.SET_GET, Esv.SET_GET_RES, Esv.SET_GET_SNA})

ANSWERS: dict[Esv, frozenset[Esv]] = {
    Esv.SET_I: frozenset({Esv.SET_I_SNA}),
    Esv.SET_C: frozenset({Esv.SET_RES, Esv.SET_C_SNA}),
    Esv.GET: frozenset({Esv.GET_RES, Esv.GET_SNA}),
    Esv.INF_REQ: frozenset({Esv.INF, Esv.INF_SNA}),
    Esv.SET_GET: frozenset({Esv.SET_GET_RES, Esv.SET_GET_SNA}),
    Esv.INFC: frozenset({Esv.INFC_RES}),
}
"""The services that may answer a service."""


_TELLS_NOBODY = frozenset(
    {
        *(0x80, 0x82, 0x84, 0x85, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8E, 0x8F),
        *(0x93, 0x97, 0x98, 0x99, 0x9A, 0x9D, 0x9E, 0x9F),
        *range(0xD0, 0xF0),
    }
)
"""The properties whose data may be shown. Identification (83), the maker's own data (86), serial number (8D) and
route-B identification (C0) are not among them, nor is any that is not known."""
_PLACE = 0x81
"""One byte says in which room; more are a position (protocol 2.1.1)."""


@dataclass(frozen=True, slots=True)
class Eoj:
    """An ECHONET object: class group, class and instance code."""

    class_group: int
    class_code: int
    instance: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode the three bytes of an EOJ."""
        return cls(data[0], data[1], data[2])

    def to_bytes(self) -> bytes:
        """Encode as three bytes."""
        return bytes((self.class_group, self.class_code, self.instance))


CONTROLLER = Eoj(0x05, 0xFF, 0x01)
NODE_PROFILE = Eoj(0x0E, 0xF0, 0x01)
SMART_METER = Eoj(0x02, 0x88, 0x01)
"""The meter's instance code is always 01 (AIF 2.1)."""
_USUAL_OBJECTS = {eoj.to_bytes(): eoj for eoj in (CONTROLLER, NODE_PROFILE, SMART_METER)}


@dataclass(frozen=True, slots=True)
class Property:
    """An EPC and its EDT; an empty EDT is a PDC of 0."""

    epc: int
    edt: bytes = field(default=b"", repr=False)

    @property
    def is_private(self) -> bool:
        """Whether the data may tell whose meter it is."""
        return self.epc not in _TELLS_NOBODY and not (self.epc == _PLACE and len(self.edt) <= 1)

    def __str__(self) -> str:
        """Show the data too, unless they are private."""
        data = f"({len(self.edt)} bytes)" if self.is_private else self.edt.hex().upper()
        return f"{self.epc:02X}={data}" if self.edt else f"{self.epc:02X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One ECHONET Lite frame.

    `properties` is the first list; `to_get` is the second one, which only the three SetGet services have. `surplus`
    counts bytes behind the end of the frame: they are tolerated, and are no part of its value.
    """

    tid: int
    seoj: Eoj
    deoj: Eoj
    esv: Esv
    properties: tuple[Property, ...]
    to_get: tuple[Property, ...] = ()
    surplus: int = field(default=0, compare=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a datagram's payload.

        Raises:
            FrameError: it is not format 1, has an unknown service code, or ends too early.
        """
        if data[:2] != EHD:
            raise FrameError("Not an ECHONET Lite frame of format 1")
        if len(data) < 12:
            raise FrameError("The frame ends within its header")
        try:
            esv = Esv(data[10])
        except ValueError:
            raise FrameError(f"Unknown service code {data[10]:02X}") from None
        properties, end = _read_list(data, 11)
        to_get: tuple[Property, ...] = ()
        if esv.has_two_lists:
            to_get, end = _read_list(data, end)
        return cls(
            tid=int.from_bytes(data[2:4]),
            seoj=_USUAL_OBJECTS.get(data[4:7]) or Eoj.from_bytes(data[4:7]),
            deoj=_USUAL_OBJECTS.get(data[7:10]) or Eoj.from_bytes(data[7:10]),
            esv=esv,
            properties=properties,
            to_get=to_get,
            surplus=len(data) - end,
        )

    def to_bytes(self) -> bytes:
        """Encode as a datagram's payload.

        Raises:
            FrameError: a list or an EDT is longer than its counter can say, or a second list is there without need.
        """
        parts = [EHD, self.tid.to_bytes(2), self.seoj.to_bytes(), self.deoj.to_bytes(), bytes((self.esv,))]
        parts += _write_list(self.properties)
        if self.esv.has_two_lists:
            parts += _write_list(self.to_get)
        elif self.to_get:
            raise FrameError(f"{self.esv.name} has one list of properties")
        return b"".join(parts)

    def __str__(self) -> str:
        """Show what it says, for the log, without anything that tells whose meter it is."""
        lists = " / ".join(" ".join(map(str, props)) for props in (self.properties, self.to_get) if props)
        return f"{self.esv.name} {self.tid:04X} {lists}"

    @property
    def epcs(self) -> tuple[int, ...]:
        """The EPCs of the first list, in order."""
        return tuple(prop.epc for prop in self.properties)


def _read_list(data: bytes, start: int) -> tuple[tuple[Property, ...], int]:
    """Read an OPC and its properties; return them and the index behind them."""
    size = len(data)
    if start >= size:
        raise FrameError("The frame ends before a list of properties")
    position = start + 1
    properties = []
    for _ in range(data[start]):
        begin = position + 2
        if begin > size:
            raise FrameError("The frame ends before a property")
        epc, end = data[position], begin + data[position + 1]
        if end > size:
            raise FrameError(f"The frame ends within the data of property {epc:02X}")
        properties.append(Property(epc, data[begin:end]))
        position = end
    return tuple(properties), position


def _write_list(properties: tuple[Property, ...]) -> list[bytes]:
    if len(properties) > MAX_OPC:
        raise FrameError(f"A frame holds {MAX_OPC} properties at the most")
    parts = [bytes((len(properties),))]
    for prop in properties:
        if len(prop.edt) > MAX_PDC:
            raise FrameError(f"The data of property {prop.epc:02X} are longer than {MAX_PDC} bytes")
        parts.append(bytes((prop.epc, len(prop.edt))) + prop.edt)
    return parts
