"""J11 frames: bytes in, events out (protocol 4.1, 4.3, 4.4).

Pure: no clock, no port. All numbers are big-endian. The decoder looks for the unique code with a valid header checksum,
cuts by the message length and checks the data. What it cannot read becomes a `Garbled` event, and it holds no more than
one frame. A payload is not searched for frames: neither in a whole frame, nor in one that was spoilt behind its header.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from ..base import Drop

REQUEST_CODE = bytes.fromhex("D0EA83FC")
RESPONSE_CODE = bytes.fromhex("D0F9EE5D")
"""The unique codes: how every request begins, and how everything begins that the module writes."""

HEADER_SIZE = 12
MAX_FRAME = 1361
"""Header and data, bytes."""

CHANNELS = range(4, 18)
"""The channels of the module's own numbering."""

PANA_PORT = 0x02CC
"""Authentication traffic: it holds the B-route ID in clear, so its payload goes no further than this file."""

OK = 0x01
"""The one result that is a success."""

_UNCOUNTED = 4
"""The message length counts the data and the header from the checksums on."""
_CHECKED_HEADER = 8
_RESPONSE = 0x2000


class Command(IntEnum):
    """What can be asked (protocol 4.2); the response has the same code with 2000 added."""

    STATUS = 0x0001
    OPEN_UDP_PORT = 0x0005
    SEND = 0x0008
    SCAN = 0x0051
    START_ROUTE_B = 0x0053
    SET_CREDENTIALS = 0x0054
    START_PANA = 0x0056
    END_PANA = 0x0057
    END_ROUTE_B = 0x0058
    PAN_ID = 0x005E
    INITIALIZE = 0x005F
    VERSION = 0x006B
    RESET = 0x00D9


class BlockState(IntEnum):
    """How far the module has come with route B, or with HAN (protocol 4.2)."""

    INACTIVE = 0x01
    ACTIVE = 0x02
    AUTHENTICATED = 0x03


class PanaResult(IntEnum):
    """How an authentication ended."""

    SUCCEEDED = 0x01
    FAILED = 0x02
    UNANSWERED = 0x03


class Change(IntEnum):
    """What became of the connection, without a request of ours."""

    MAC_UP = 0x01
    PANA_UP = 0x02
    MAC_DOWN = 0x03
    PANA_DOWN = 0x04


@dataclass(frozen=True, slots=True)
class Status:
    """Answer to 0001. `started`: the initial settings were made."""

    started: bool
    route_b: BlockState


@dataclass(frozen=True, slots=True)
class Transmission:
    """Answer to 0008: its detail (protocol 4.2), and the first bytes of what was sent."""

    detail: int
    head: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Beacon:
    """A meter that was heard, on a channel of the module's own numbering."""

    channel: int
    pan_id: int = field(repr=False)
    mac: bytes = field(repr=False)
    rssi_dbm: int


@dataclass(frozen=True, slots=True)
class Version:
    """Answer to 006B."""

    firmware_id: int
    major: int
    minor: int
    revision: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. `value` is `None` where nothing follows the result, and where that is no success."""

    command: int
    result: int
    value: Status | Transmission | Beacon | Version | int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """FFFF: the module does not know the code of the request."""


@dataclass(frozen=True, slots=True)
class ChecksumRefused:
    """2FFF: the request was spoilt on its way, so much that the response cannot name it."""


@dataclass(frozen=True, slots=True)
class ChannelScanned:
    """4051: a scan is done with a channel."""

    beacons: tuple[Beacon, ...]


@dataclass(frozen=True, slots=True)
class UdpReceived:
    """6018. `sender` is the IPv6 address; the payload of the PANA port is left out."""

    sender: bytes = field(repr=False)
    source_port: int
    destination_port: int
    encrypted: bool
    rssi_dbm: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """6019: the module has started and knows nothing of what was before."""


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """601A."""

    change: Change
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PanaEnded:
    """6028: an authentication has ended, that of a join or a renewal that failed."""

    result: PanaResult


@dataclass(frozen=True, slots=True)
class NotReceived:
    """6038: the pieces of a datagram did not make a whole."""

    reason: int


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that were dropped."""

    reason: str
    drop: Drop = Drop.GARBLED


type J11Event = (
    Answer
    | UnknownCommand
    | ChecksumRefused
    | ChannelScanned
    | UdpReceived
    | Started
    | ConnectionChanged
    | PanaEnded
    | NotReceived
    | Garbled
)

_UDP_RECEIVED = 0x6018
_UNKNOWN_COMMAND = 0xFFFF
_CHECKSUM_REFUSED = 0x0FFF
"""In place of the code of the request."""


def request_frame(command: int, data: bytes = b"") -> bytes:
    """Build a request."""
    head = REQUEST_CODE + command.to_bytes(2) + (_UNCOUNTED + len(data)).to_bytes(2)
    return head + checksum(head) + checksum(data) + data


def checksum(data: bytes) -> bytes:
    """Return the sum of all bytes, modulo 0x10000, as the frame holds it."""
    return (sum(data) & 0xFFFF).to_bytes(2)


class Decoder:
    """Turns what a module writes into events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_noise = False

    @property
    def pending(self) -> int:
        """How many bytes wait for more."""
        return len(self._buffer)

    def give_up(self) -> None:
        """Forget what is unfinished: what follows begins with the next unique code."""
        self._resume_behind(len(self._buffer))

    def feed(self, data: bytes) -> Iterator[J11Event]:
        """Take bytes as they came, and yield what they complete."""
        self._buffer += data
        while True:
            before = len(self._buffer)
            yield from self._take()
            if before == len(self._buffer):
                return

    def _take(self) -> Iterator[J11Event]:
        """Take one piece off the buffer, if it is complete."""
        start = self._start_of_frame()
        if start:
            yield from self._drop_noise(start)
        if len(self._buffer) < HEADER_SIZE:
            return
        header = bytes(self._buffer[:HEADER_SIZE])
        if header[_CHECKED_HEADER : _CHECKED_HEADER + 2] != checksum(header[:_CHECKED_HEADER]):
            yield from self._drop_noise(len(RESPONSE_CODE))
            return
        self._in_noise = False
        end = _CHECKED_HEADER + int.from_bytes(header[6:8])
        if not HEADER_SIZE <= end <= MAX_FRAME:
            yield Garbled("a frame of no possible length", Drop.OVERLONG if end > MAX_FRAME else Drop.GARBLED)
            self._resume_behind(len(RESPONSE_CODE))
        elif len(self._buffer) >= end:
            yield from self._take_frame(int.from_bytes(header[4:6]), header, bytes(self._buffer[HEADER_SIZE:end]))

    def _take_frame(self, code: int, header: bytes, data: bytes) -> Iterator[J11Event]:
        if header[_CHECKED_HEADER + 2 :] == checksum(data):
            del self._buffer[: HEADER_SIZE + len(data)]
            yield _decode(code, data)
            return
        yield Garbled("a frame whose data were spoilt")
        # If bytes were lost, the data reach into the next frame, which is found again; but what somebody sent over the
        # air must not be taken for a frame of the module.
        self._resume_behind(HEADER_SIZE + len(data) if code == _UDP_RECEIVED else len(RESPONSE_CODE))

    def _start_of_frame(self) -> int:
        """Return where a unique code stands, whole or as far as the bytes have come."""
        found = self._buffer.find(RESPONSE_CODE)
        if found >= 0:
            return found
        kept = next((size for size in (3, 2, 1) if self._buffer.endswith(RESPONSE_CODE[:size])), 0)
        return len(self._buffer) - kept

    def _drop_noise(self, size: int) -> Iterator[J11Event]:
        """Drop bytes that begin no frame; noise is told once, however long it lasts."""
        if not self._in_noise:
            yield Garbled("bytes that are no frame")
        self._resume_behind(size)

    def _resume_behind(self, size: int) -> None:
        self._in_noise = True
        del self._buffer[:size]


def _decode(code: int, data: bytes) -> J11Event:
    """Decode a whole frame."""
    event = _decode_response(code - _RESPONSE, data) if code & 0xF000 == _RESPONSE else _decode_notification(code, data)
    return event or Garbled("a frame of a form that no module means")


def _decode_response(command: int, data: bytes) -> J11Event | None:
    if command == _CHECKSUM_REFUSED:
        return ChecksumRefused()
    if not data:
        return None
    result, rest = data[0], data[1:]
    decode = _VALUES.get(command)
    if result != OK or decode is None:
        return Answer(command, result)
    value = decode(rest)
    return None if value is None else Answer(command, result, value)


def _decode_notification(code: int, data: bytes) -> J11Event | None:
    if code == _UNKNOWN_COMMAND:
        return UnknownCommand()
    decode = _NOTIFICATIONS.get(code)
    if decode is None:
        return Garbled("a notification of something that was not asked for", Drop.UNEXPECTED)
    return decode(data)


# The values of responses, behind the result.


def _status(data: bytes) -> Status | None:
    if len(data) != 3 or data[1] not in BlockState:
        return None
    return Status(started=data[0] == _STARTED, route_b=BlockState(data[1]))


def _transmission(data: bytes) -> Transmission | None:
    return Transmission(data[0], data[1:]) if data else None


def _connection(data: bytes) -> Beacon | None:
    if len(data) != 12 or data[0] not in CHANNELS:
        return None
    return Beacon(data[0], int.from_bytes(data[1:3]), data[3:11], _dbm(data[11]))


def _pan_id(data: bytes) -> int | None:
    return int.from_bytes(data) if len(data) == 2 else None


def _version(data: bytes) -> Version | None:
    if len(data) != 8:
        return None
    return Version(int.from_bytes(data[:2]), data[2], data[3], int.from_bytes(data[4:]))


_STARTED = 0x03

_VALUES: dict[int, Callable[[bytes], Status | Transmission | Beacon | Version | int | None]] = {
    Command.STATUS: _status,
    Command.SEND: _transmission,
    Command.START_ROUTE_B: _connection,
    Command.PAN_ID: _pan_id,
    Command.VERSION: _version,
}


# Notifications.


def _channel_scanned(data: bytes) -> J11Event | None:
    if len(data) == 2 and data[0] == _NOBODY:
        return ChannelScanned(())
    if len(data) < 3 or data[0] != _SOMEBODY or data[1] not in CHANNELS or len(data) != 3 + _BEACON_SIZE * data[2]:
        return None
    beacons = (data[start : start + _BEACON_SIZE] for start in range(3, len(data), _BEACON_SIZE))
    return ChannelScanned(
        tuple(Beacon(data[1], int.from_bytes(row[8:10]), row[:8], _dbm(row[10])) for row in beacons),
    )


def _udp_received(data: bytes) -> J11Event | None:
    payload = data[_UDP_HEAD:]
    if len(data) < _UDP_HEAD or len(payload) != int.from_bytes(data[25:27]) or data[23] not in (_PLAIN, _ENCRYPTED):
        return None
    source_port, destination_port = int.from_bytes(data[16:18]), int.from_bytes(data[18:20])
    return UdpReceived(
        sender=data[:16],
        source_port=source_port,
        destination_port=destination_port,
        encrypted=data[23] == _ENCRYPTED,
        rssi_dbm=_dbm(data[24]),
        payload=b"" if PANA_PORT in (source_port, destination_port) else payload,
    )


def _started(data: bytes) -> J11Event | None:
    return None if data else Started()


def _connection_changed(data: bytes) -> J11Event | None:
    return ConnectionChanged(Change(data[0]), data[1:9]) if len(data) == 10 and data[0] in Change else None


def _pana_ended(data: bytes) -> J11Event | None:
    return PanaEnded(PanaResult(data[0])) if len(data) == 9 and data[0] in PanaResult else None


def _not_received(data: bytes) -> J11Event | None:
    return NotReceived(data[0]) if data else None


_SOMEBODY = 0x00
_NOBODY = 0x01
_BEACON_SIZE = 11
_UDP_HEAD = 27
_PLAIN = 0x01
_ENCRYPTED = 0x02

_NOTIFICATIONS: dict[int, Callable[[bytes], J11Event | None]] = {
    0x4051: _channel_scanned,
    _UDP_RECEIVED: _udp_received,
    0x6019: _started,
    0x601A: _connection_changed,
    0x6028: _pana_ended,
    0x6038: _not_received,
}


def _dbm(byte: int) -> int:
    """Read a signed byte."""
    return byte - 0x100 if byte & 0x80 else byte
