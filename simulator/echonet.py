"""ECHONET Lite frames of format 1, as the meter reads and writes them. Pure: bytes in, values out.

The meter's services are above; below is only UDP. This is the simulator's own codec: it shares nothing with the client.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

EHD = b"\x10\x81"
"""ECHONET Lite, format 1."""
HEADER_LENGTH = 12
"""Bytes up to and including OPC."""
UDP_PORT = 3610

CONTROLLER_EOJ = 0x05FF01
METER_EOJ = 0x028801
NODE_PROFILE_EOJ = 0x0EF001


class Esv(IntEnum):
    """Service codes (ECHONET Lite part II, 3.2.5)."""

    SETI = 0x60
    SETC = 0x61
    GET = 0x62
    INF_REQ = 0x63
    SETGET = 0x6E
    SET_RES = 0x71
    GET_RES = 0x72
    INF = 0x73
    INFC = 0x74
    INFC_RES = 0x7A
    SETGET_RES = 0x7E
    SETI_SNA = 0x50
    SETC_SNA = 0x51
    GET_SNA = 0x52
    INF_SNA = 0x53
    SETGET_SNA = 0x5E


_TWO_LISTS = {Esv.SETGET, Esv.SETGET_RES, Esv.SETGET_SNA}


class FrameError(ValueError):
    """The bytes are no frame of format 1: another header, or they run short."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a frame; an empty `edt` has PDC 0."""

    epc: int
    edt: bytes = b""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `gets` is the second list of the SetGet services and empty in all others."""

    tid: int
    seoj: int
    deoj: int
    esv: int
    properties: tuple[Property, ...]
    gets: tuple[Property, ...] = ()

    @property
    def epcs(self) -> tuple[int, ...]:
        """All EPCs in the order of the frame."""
        return tuple(prop.epc for prop in self.properties + self.gets)

    def to_bytes(self) -> bytes:
        """Encode the frame."""
        head = EHD + self.tid.to_bytes(2) + self.seoj.to_bytes(3) + self.deoj.to_bytes(3) + self.esv.to_bytes()
        body = _encode(self.properties)
        return head + body + (_encode(self.gets) if self.esv in _TWO_LISTS else b"")

    @classmethod
    def from_bytes(cls, data: bytes) -> Frame:
        """Decode a frame; surplus bytes at the end are left alone.

        Raises:
            FrameError: when it is another format or runs short.
        """
        if data[:2] != EHD:
            raise FrameError("no ECHONET Lite frame of format 1")
        if len(data) < HEADER_LENGTH:
            raise FrameError("the header runs short")
        properties, end = _decode(data, HEADER_LENGTH - 1)
        esv = data[10]
        gets = _decode(data, end)[0] if esv in _TWO_LISTS else ()
        return cls(
            int.from_bytes(data[2:4]), int.from_bytes(data[4:7]), int.from_bytes(data[7:10]), esv, properties, gets
        )


def property_map(epcs: Iterable[int]) -> bytes:
    """Encode a property map (9D, 9E, 9F): a list below 16 properties, else 16 bytes of bitmap."""
    ordered = sorted(set(epcs))
    if len(ordered) < 16:
        return bytes((len(ordered), *ordered))
    bitmap = bytearray(16)
    for epc in ordered:
        bitmap[epc & 0x0F] |= 1 << ((epc >> 4) - 8)
    return bytes((len(ordered),)) + bytes(bitmap)


def _encode(properties: tuple[Property, ...]) -> bytes:
    body = bytearray((len(properties),))
    for prop in properties:
        body += bytes((prop.epc, len(prop.edt))) + prop.edt
    return bytes(body)


def _decode(data: bytes, start: int) -> tuple[tuple[Property, ...], int]:
    """Decode OPC and the properties after it; return them and the offset behind them."""
    if start >= len(data):
        raise FrameError("OPC is missing")
    properties = []
    offset = start + 1
    for _ in range(data[start]):
        if offset + 2 > len(data) or offset + 2 + data[offset + 1] > len(data):
            raise FrameError("a property runs short")
        edt = data[offset + 2 : offset + 2 + data[offset + 1]]
        properties.append(Property(data[offset], edt))
        offset += 2 + len(edt)
    return tuple(properties), offset
