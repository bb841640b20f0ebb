"""The frames of J11 (protocol 4.1), and the data of those that a module sends unasked. Pure.

Frame: unique code 4, command code 2, message length 2 (what follows it: 4 + data), checksum of the eight bytes so far
2, checksum of the data 2, data. A checksum is the sum of the bytes modulo 0x10000; all numbers are big endian.
"""

from collections.abc import Sequence

from simulator.air import ALL_NODES, CHANNELS, Datagram, Pan, rssi_dbm
from simulator.faults import Form, Message

REQUEST = bytes.fromhex("D0EA83FC")
"""The unique code of what a host sends."""
RESPONSE = bytes.fromhex("D0F9EE5D")
"""The unique code of what a module sends."""
CHECKED = 8
"""Bytes under the header's checksum; the message length counts what comes after them."""
CHECKSUMS = 4
MAX_FRAME = 1361
ANSWER = 0x2000
"""The code of a response is that of its request with this bit set."""

SCANNED = 0x4051
RECEIVED = 0x6018
STARTED_UP = 0x6019
CONNECTION_CHANGED = 0x601A
AUTHENTICATED = 0x6028
PINGED = 0x60D1

MAC_DOWN = 0x03
PANA_DOWN = 0x04
"""What `connection_changed` tells."""

FIRST_CHANNEL = 4
J11_CHANNELS = range(FIRST_CHANNEL, 18)


def checksum(data: bytes) -> int:
    """Return the sum of the bytes, 16 bits."""
    return sum(data) & 0xFFFF


def frame(code: int, data: bytes = b"", payload_at: int | None = None) -> Message:
    """Return a frame of the module; `payload_at` is where in its data the payload of a datagram begins."""
    head = RESPONSE + code.to_bytes(2) + (CHECKSUMS + len(data)).to_bytes(2)
    head += checksum(head).to_bytes(2) + checksum(data).to_bytes(2)
    return Message(head + data, payload_at=payload_at and len(head) + payload_at, form=Form.CHECKED)


def radio_channel(channel: int) -> int:
    """Return the radio's name 33..59 for a J11 channel: 4 is 33, and each is two further."""
    return CHANNELS.start + 2 * (channel - FIRST_CHANNEL)


def j11_channel(channel: int) -> int:
    """Return the J11 name 4..17 for a channel of the radio."""
    return FIRST_CHANNEL + (channel - CHANNELS.start) // 2


def rssi(lqi: int) -> bytes:
    """Return the field strength as one signed byte in dBm, 98..DE."""
    return rssi_dbm(lqi).to_bytes(1, signed=True)


def scanned(channel: int, pans: Sequence[Pan]) -> Message:
    """Return 4051 of one J11 channel with all PANs that answered there."""
    if not pans:
        return frame(SCANNED, bytes((1, channel)))
    found = (pan.mac + pan.pan_id.to_bytes(2) + rssi(pan.lqi) for pan in pans)
    return frame(SCANNED, bytes((0, channel, len(pans))) + b"".join(found))


def received(datagram: Datagram, pan_id: int, length: int) -> Message:
    """Return 6018 with a size of `length`, which a fault may make another than that of the payload."""
    head = (
        datagram.source
        + datagram.source_port.to_bytes(2)
        + datagram.destination_port.to_bytes(2)
        + pan_id.to_bytes(2)
        + bytes((datagram.destination == ALL_NODES, 1 + datagram.secured))
        + rssi(datagram.lqi)
        + length.to_bytes(2)
    )
    return frame(RECEIVED, head + datagram.payload, len(head))
