"""SKSTACK-IP output: bytes in, events out (protocol 3.1, 3.4, 3.6-3.9).

Pure: no clock, no port. The decoder copes with CR, LF and CRLF, with events between any two lines and inside an echo,
with the 9, 10 and 11 tokens of ERXUDP, and with payloads in hex or binary, which it cuts by DATALEN. What it cannot
read becomes a `Garbled` event, and it holds no more than one datagram's worth of bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
import re

from ..base import Drop, Network

MAX_PAYLOAD = 1232
"""The largest datagram, bytes (protocol 3.6)."""

MAX_HEADER = 160
"""`ERXUDP` and its tokens up to the payload, bytes; the longest has 140."""

MAX_LINE = 1024
"""Any other line; the longest known one has about 100 bytes."""

CHANNELS = range(0x21, 0x3D)
"""The channels of the modules' own numbering (protocol 3.2)."""

PANA_PORT = 0x02CC
"""Authentication traffic: it holds the B-route ID in clear, so its payload goes no further than this file."""

RSSI_SLOPE_DBM = 0.275
RSSI_OFFSET_DBM = -104.27
"""RSSI = 0.275 x LQI - 104.27 dBm (protocol 3.4)."""


def rssi_of_lqi(lqi: int) -> float:
    """Convert a link quality indicator (0 to 255) to dBm."""
    return round(RSSI_SLOPE_DBM * lqi + RSSI_OFFSET_DBM, 1)


@dataclass(frozen=True, slots=True)
class Ok:
    """`OK`, or `OK 01` as ROPT answers."""

    value: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """`FAIL ERxx`; `code` is `None` for a bare FAIL."""

    code: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """`EVENT`: its number, and for 21 its parameter, which is the last field whatever the dialect."""

    number: int
    parameter: int | None = None


@dataclass(frozen=True, slots=True)
class PanDescription:
    """A whole EPANDESC block."""

    network: Network


@dataclass(frozen=True, slots=True)
class UdpReceived:
    """`ERXUDP`. `lqi` is `None` where the module does not write it; the payload of the PANA port is left out."""

    sender: str = field(repr=False)
    mac: str = field(repr=False)
    remote_port: int
    local_port: int
    secured: bool
    lqi: int | None
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """Any other line: the data of an answer, or an echo. It may hold what must not be shown."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that were dropped."""

    reason: str
    drop: Drop = Drop.GARBLED


type SkEvent = Ok | Fail | Event | PanDescription | UdpReceived | Line | Garbled

_CR, _LF = b"\r\n"
_LINE_END = re.compile(rb"\r\n?|\n")
_HEX = re.compile(rb"[0-9A-Fa-f]*")
_ERXUDP = b"ERXUDP "
_HEADER = (
    rb"ERXUDP (?P<sender>[0-9A-Fa-f:]{2,39}) [0-9A-Fa-f:]{2,39}"
    rb" (?P<rport>[0-9A-Fa-f]{4}) (?P<lport>[0-9A-Fa-f]{4}) (?P<mac>[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16})"
    rb" (?P<flags>(?:[0-9A-Fa-f]{1,2} ){1,3})(?P<datalen>[0-9A-Fa-f]{4}) "
)
_ERXUDP_HEADER = re.compile(_HEADER)
_ERXUDP_LINE = re.compile(_HEADER + rb"(?P<payload>[0-9A-Fa-f]*)\r\n")
"""What is usual, whole: a datagram in hex."""
_EVENT = re.compile(r"EVENT (?P<number>[0-9A-Fa-f]{2})(?P<fields>(?: [0-9A-Fa-f:]+)*)\Z")
_FAIL = re.compile(r"FAIL(?: (?P<code>ER[0-9]{2}))?\Z")
_OK = re.compile(r"OK(?: (?P<value>[0-9A-Fa-f]{2}))?\Z")
_PAN_ROW = re.compile(r" {1,2}(?P<key>[A-Za-z][A-Za-z ]*):(?P<value>[0-9A-Za-z ]*)\Z")
_RESULT = re.compile(r"[0-9A-Fa-f]{2}\Z")
_PAN_KEYS = frozenset({"Channel", "Channel Page", "Pan ID", "Addr", "LQI", "Side", "PairID"})

_EVENT_UDP_SENT = 0x21
_EVENT_BEACON = 0x20
_EVENT_SCAN_DONE = 0x22
_EVENTS_WITHOUT_SENDER = frozenset({_EVENT_SCAN_DONE, 0xC0})
"""Waking up has none by definition; one module was seen to leave it out at the end of a scan."""


@dataclass(slots=True)
class _Header:
    """An ERXUDP whose payload is still to come."""

    match: re.Match[bytes]
    size: int


class Decoder:
    """Turns what a module writes into events.

    `hex_payload` says how the module writes payloads (ROPT); while it is `None`, DATALEN and the line end that must
    follow the payload decide for each datagram.
    """

    def __init__(self) -> None:
        self.hex_payload: bool | None = None
        self._buffer = bytearray()
        self._header: _Header | None = None
        self._skipping = False
        self._pan: dict[str, str] | None = None

    @property
    def pending(self) -> int:
        """How many bytes wait for more."""
        return len(self._buffer)

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun whose end did not come yet."""
        return bool(self._buffer) or self._header is not None or self._skipping

    def give_up(self) -> Garbled | None:
        """Wait no longer for the end of a line: the next byte begins one. Return what was lost, unless it was told."""
        lost = Garbled("a line without an end") if self.unfinished and not self._skipping else None
        self._buffer.clear()
        self._header = None
        self._skipping = False
        return lost

    def reset(self) -> None:
        """Forget everything that is unfinished: a line, and a description over several lines."""
        self.give_up()
        self._pan = None

    def finish_description(self) -> Iterator[SkEvent]:
        """Yield a description that is open: it has no end of its own, and nothing follows that would close it."""
        yield from self._finish_pan()

    def feed(self, data: bytes) -> Iterator[SkEvent]:
        """Take bytes as they came, and yield what they complete."""
        self._buffer += data
        while self._buffer:
            if self.hex_payload and not (self._header or self._skipping) and (received := self._take_datagram()):
                yield received
                continue
            before = len(self._buffer), self._header, self._skipping
            yield from self._take()
            if before == (len(self._buffer), self._header, self._skipping):
                return

    def _take_datagram(self) -> UdpReceived | None:
        """Take a datagram in hex off the buffer in one step, if it is whole and as long as it says."""
        line = _ERXUDP_LINE.match(self._buffer)
        if line is None:
            return None
        payload = line["payload"]
        size = int(line["datalen"], 16)
        if len(payload) != 2 * size or size > MAX_PAYLOAD:
            return None
        received = _datagram(line, bytes.fromhex(payload.decode("ascii")))
        end = line.end()
        # A buffer that a match looks at cannot change its size.
        del line
        del self._buffer[:end]
        return received

    def _take(self) -> Iterator[SkEvent]:
        """Take one piece off the buffer, if it is complete."""
        if self._header:
            yield from self._take_payload(self._header)
            return
        end = _LINE_END.search(self._buffer)
        if self._skipping:
            self._skipping = end is None
            self._cut(end.end() if end else len(self._buffer))
            return
        length = end.start() if end else len(self._buffer)
        start = self._buffer.find(_ERXUDP, 0, min(length, MAX_LINE + len(_ERXUDP)))
        if start > 0:
            echo = self._cut(start)
            yield from self._decode_line(bytes(echo))
        elif start == 0:
            yield from self._take_header(line_ended=end is not None)
        elif length > MAX_LINE and (end or length >= MAX_LINE + len(_ERXUDP)):
            yield from self._skip("a line that is too long", Drop.OVERLONG)
        elif end:
            line = self._cut(end.end())
            yield from self._decode_line(bytes(line[:length]))

    def _take_header(self, *, line_ended: bool) -> Iterator[SkEvent]:
        match = _ERXUDP_HEADER.match(bytes(self._buffer[:MAX_HEADER]))
        if match:
            size = int(match["datalen"], 16)
            self._cut(match.end())
            if size > MAX_PAYLOAD:
                yield from self._skip("a datagram that is too long", Drop.OVERLONG)
            else:
                self._header = _Header(match, size)
        elif line_ended or len(self._buffer) >= MAX_HEADER:
            yield from self._skip("a malformed ERXUDP")

    def _take_payload(self, header: _Header) -> Iterator[SkEvent]:
        """Cut the payload by DATALEN; whatever is not followed by a line end is no payload."""
        size = header.size
        digits = _HEX.match(self._buffer)
        count = len(digits.group()) if digits else 0
        ended = len(self._buffer) > count
        if self.hex_payload is not False and count >= 2 * size and (ended or count > 2 * size):
            self._header = None
            text = self._buffer[: 2 * size].decode("ascii")
            if count == 2 * size and self._buffer[count] in b"\r\n":
                self._cut(count)
                yield _datagram(header.match, bytes.fromhex(text))
            else:
                yield from self._skip("a datagram longer than it says")
        elif self.hex_payload:
            if ended:
                self._header = None
                yield from self._skip("a datagram shorter than it says")
        elif len(self._buffer) > size and (self.hex_payload is False or ended):
            self._header = None
            if self._ends_at(size):
                payload = self._cut(size)
                yield _datagram(header.match, bytes(payload))
            else:
                self._cut(size)
                yield from self._skip("a datagram that does not end where it says")

    def _ends_at(self, size: int) -> bool:
        """Tell whether a line ends behind a binary payload.

        An LF after a CR is the second half of a line end: there, a byte was lost and the CR took its place.
        """
        end = self._buffer[size]
        return end == _CR or (end == _LF and not (size and self._buffer[size - 1] == _CR))

    def _decode_line(self, data: bytes) -> Iterator[SkEvent]:
        if not data.strip(b" "):
            return
        start = data.find(b"EVENT ")
        if start > 0:
            yield from self._decode_line(data[:start])
            data = data[start:]
        text = data.decode("ascii", "replace")
        if not text.isascii() or not text.isprintable():
            yield Garbled("a line with bytes that are no text")
            return
        if row := _PAN_ROW.match(text):
            if self._pan is None or row["key"] not in _PAN_KEYS:
                yield Garbled("a row of no EPANDESC")
            else:
                self._pan[row["key"]] = row["value"].strip()
            return
        text = text.strip(" ")
        if match := _EVENT.match(text):
            yield from self._event(match)
            return
        yield from self._finish_pan()
        if text == "EPANDESC":
            self._pan = {}
        elif match := _OK.match(text):
            yield Ok(match["value"])
        elif match := _FAIL.match(text):
            yield Fail(match["code"])
        elif text.startswith(("EVENT", "ERXUDP")):
            yield Garbled("a malformed event")
        else:
            yield Line(text)

    def _event(self, match: re.Match[str]) -> Iterator[SkEvent]:
        number = int(match["number"], 16)
        fields = match["fields"].split()
        if number == _EVENT_UDP_SENT:
            # SIDE has one digit and the result two: a line that was cut before the result must not look like success.
            if len(fields) < 2 or not _RESULT.match(fields[-1]):
                yield Garbled("EVENT 21 without its result")
            else:
                yield Event(number, int(fields[-1], 16))
        elif not fields and number not in _EVENTS_WITHOUT_SENDER:
            yield Garbled("an event without its sender")
        else:
            if number in (_EVENT_BEACON, _EVENT_SCAN_DONE):
                yield from self._finish_pan()
            yield Event(number)

    def _finish_pan(self) -> Iterator[SkEvent]:
        """Close the block that is open: other events may stand between its rows, nothing else."""
        if self._pan is None:
            return
        rows, self._pan = self._pan, None
        try:
            lqi = int(rows["LQI"], 16)
            network = Network(
                channel=int(rows["Channel"], 16),
                pan_id=int(rows["Pan ID"], 16),
                mac=bytes.fromhex(rows["Addr"]),
                rssi_dbm=rssi_of_lqi(lqi),
                lqi=lqi,
                pairing_id=rows.get("PairID"),
            )
        except KeyError, ValueError:
            yield Garbled("an incomplete EPANDESC")
            return
        if (
            len(network.mac) == 8
            and network.channel in CHANNELS
            and len(rows["Channel"]) == len(rows["LQI"]) == 2
            and len(rows["Pan ID"]) == 4
        ):
            yield PanDescription(network)
        else:
            yield Garbled("an EPANDESC that no module means")

    def _skip(self, reason: str, drop: Drop = Drop.GARBLED) -> Iterator[SkEvent]:
        """Drop what is there, up to the next line end."""
        self._skipping = True
        yield Garbled(reason, drop)

    def _cut(self, end: int) -> bytearray:
        piece = self._buffer[:end]
        del self._buffer[:end]
        return piece


def _datagram(match: re.Match[bytes], payload: bytes) -> UdpReceived:
    sender, remote, local, mac, flags_text = match.group("sender", "rport", "lport", "mac", "flags")
    flags = flags_text.split()
    # SECURED alone; SECURED and SIDE; RSSI and SECURED; RSSI, SECURED and SIDE. Only RSSI has two digits.
    has_lqi = len(flags) == 3 or (len(flags) == 2 and len(flags[0]) == 2)
    lqi = int(flags.pop(0), 16) if has_lqi else None
    remote_port, local_port = int(remote, 16), int(local, 16)
    return UdpReceived(
        sender=sender.decode("ascii").upper(),
        mac=mac.decode("ascii").upper(),
        remote_port=remote_port,
        local_port=local_port,
        secured=int(flags[0], 16) != 0,
        lqi=lqi,
        payload=b"" if PANA_PORT in (remote_port, local_port) else payload,
    )
