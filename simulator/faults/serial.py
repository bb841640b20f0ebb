"""What can happen to what a module says and to what it is told, between its firmware and the host.

The same for every family: a `Message` is a line of text or a binary frame, and knows which of its bytes may be damaged
in which way. `uart` above asks at both ends of the line.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .switches import Switches, count, entries, flag, number, octets, seconds, switch

HEX_DIGITS = b"0123456789ABCDEF"


class Form(Enum):
    """How a message is written, which decides what a client can recognise as damage."""

    TEXT = auto()
    """Readable all through: a byte from 80 on does not occur."""
    BINARY_PAYLOAD = auto()
    """A readable head, then a payload in which every byte is as good as another."""
    CHECKED = auto()
    """A frame with a checksum."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a module says at once.

    Attributes:
        body: the line without its end, or the frame.
        end: the end of the line; empty for a frame.
        payload_at: where the payload of a datagram begins, which goes up to the end; `None`: there is none.
        form: how it is written.
    """

    body: bytes
    end: bytes = b""
    payload_at: int | None = None
    form: Form = Form.TEXT

    def __bytes__(self) -> bytes:
        """Return what goes over the line."""
        return self.body + self.end


@dataclass(kw_only=True, eq=False)
class SerialFaults(Switches):
    """Faults of the serial line, of its converter, and of the module's voice."""

    module_mute: bool = switch(
        "the module does not say a word; what it would have said is lost, and it takes commands as ever",
        flag,
        off=False,
    )
    struck: bytes = switch(
        "lines_* and noise_lines strike only messages that contain these bytes; empty: any message", octets, off=b""
    )
    noise_lines: deque[bytes] = switch(
        "bytes that come as lines of their own before the next messages, one entry each, without line end",
        entries(octets),
        off=deque(),
    )
    lines_lost: int = switch("how many of the next messages (lines or frames) of the module are lost", count, off=0)
    lines_late: deque[float] = switch(
        "by how many s the next messages come late, one entry each; later ones may overtake them",
        entries(seconds),
        off=deque(),
    )
    lines_duplicate: int = switch("how many of the next messages come twice", count, off=0)
    lines_cut: int = switch("how many of the next messages lack their tail together with the line end", count, off=0)
    lines_short: int = switch("how many of the next messages lack their tail and keep the line end", count, off=0)
    lines_glued: int = switch(
        "how many of the next lines lack their line end; frames, which have none, pass", count, off=0
    )
    lines_corrupt: int = switch(
        "how many of the next messages hold a byte as a framing error makes it: 80..FF where the form holds only"
        " readable characters (all of a text line, all but the payload of a binary one), any byte of a frame with"
        " checksum. A client can recognise each of these; it cannot recognise lines_misread",
        count,
        off=0,
    )
    lines_misread: int = switch(
        "how many of the next messages with payload have a digit of the payload (hexadecimal) or a byte of it (binary)"
        " that is another one and as readable. SKSTACK has no checksum: nothing but the value itself can give it"
        " away. A frame with checksum, of which the client recognises it, is changed as well",
        count,
        off=0,
    )
    lengths_wrong: deque[int] = switch(
        "by how much the payload lengths (DATALEN) of the next datagrams differ from the payload, one entry each",
        entries(number),
        off=deque(),
    )
    byte_by_byte: bool = switch("each byte of the module is delivered by itself", flag, off=False)
    gathered_s: float = switch(
        "bytes of the module are gathered for so many s and delivered in one piece, as by a network bridge",
        seconds,
        off=0.0,
    )
    host_bytes_lost: int = switch("how many of the next bytes of the host do not reach the module", count, off=0)
    host_writes_cut: int = switch(
        "of how many of the next writes of the host only the first half arrives", count, off=0
    )
    glued_events: int = switch(
        "how many of the next event lines cut into the echo of a command (echo on)", count, off=0
    )

    def said(self, message: Message) -> Iterator[tuple[float, bytes]]:
        """Yield what becomes of a message of the module: by how many s it is late, and its bytes."""
        if self.module_mute:
            return
        if self.struck not in message.body or len(message.body) < 2:
            yield 0.0, bytes(message)
            return
        if self.noise_lines:
            yield 0.0, self.noise_lines.popleft() + message.end
        if self.strikes("lines_lost"):
            return
        late_s = self.lines_late.popleft() if self.lines_late else 0.0
        damaged = self._damaged(message)
        yield late_s, damaged
        if self.strikes("lines_duplicate"):
            yield late_s, damaged

    def told(self, data: bytes) -> bytes:
        """Return what reaches the module of what the host writes at once."""
        lost = min(self.host_bytes_lost, len(data))
        self.host_bytes_lost -= lost
        data = data[lost:]
        return data[: len(data) // 2] if data and self.strikes("host_writes_cut") else data

    def claimed_length(self, length: int) -> int:
        """Return the length of payload that the module tells of a datagram, 0..FFFF."""
        return max(0, min(length + (self.lengths_wrong.popleft() if self.lengths_wrong else 0), 0xFFFF))

    def _damaged(self, message: Message) -> bytes:
        body, end = message.body, message.end
        if self.strikes("lines_corrupt"):
            body = self._corrupt(message)
        if message.payload_at is not None and message.payload_at < len(body) and self.strikes("lines_misread"):
            body = self._misread(body, message.payload_at, message.form)
        if self.strikes("lines_cut"):
            return body[: self.random.randrange(1, len(body))]
        if self.strikes("lines_short"):
            return body[: self.random.randrange(1, len(body))] + end
        if end and self.strikes("lines_glued"):
            return body
        return body + end

    def _corrupt(self, message: Message) -> bytes:
        head = message.payload_at if message.form is Form.BINARY_PAYLOAD else None
        at = self.random.randrange(len(message.body[:head]))
        was = message.body[at]
        if message.form is Form.CHECKED:
            return _replaced(message.body, at, was ^ self.random.randrange(1, 0x100))
        return _replaced(message.body, at, self.random.randrange(0x80, 0x100))

    def _misread(self, body: bytes, payload_at: int, form: Form) -> bytes:
        at = self.random.randrange(payload_at, len(body))
        readable = HEX_DIGITS if form is Form.TEXT else bytes(range(0x100))
        return _replaced(body, at, self.random.choice([byte for byte in readable if byte != body[at]]))


def _replaced(data: bytes, at: int, byte: int) -> bytes:
    return data[:at] + bytes((byte,)) + data[at + 1 :]
