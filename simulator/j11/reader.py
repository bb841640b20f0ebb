"""How a J11 module reads its serial line: bytes in, requests out. Pure.

Whatever stands before a request's unique code, be it a command of another protocol, is skipped without a word.
"""

from dataclasses import dataclass

from .frames import CHECKED, CHECKSUMS, MAX_FRAME, REQUEST, checksum
from .results import ResultCode

HEADER = CHECKED + 2
"""Bytes up to and including the checksum of the header."""
UNREADABLE = 0x0FFF
"""Stands for the code of a request whose header cannot be believed: 2FFF answers it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, or what is wrong with one.

    Attributes:
        code: the command code.
        data: its data.
        error: why it cannot be carried out, `None` when it can.
    """

    code: int
    data: bytes = b""
    error: ResultCode | None = None


class RequestReader:
    """Reads requests; it never holds more than one frame's worth of bytes after `take()` has returned `None`."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether a request has begun and is not complete."""
        return bool(self._buffer)

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()

    def feed(self, data: bytes) -> None:
        """Take bytes from the UART."""
        self._buffer += data

    def take(self) -> Request | None:
        """Return the next request, `None` until one is complete."""
        buffer = self._buffer
        self._skip()
        if len(buffer) < HEADER:
            return None
        code, length = int.from_bytes(buffer[4:6]), int.from_bytes(buffer[6:8])
        if int.from_bytes(buffer[CHECKED:HEADER]) != checksum(bytes(buffer[:CHECKED])):
            # Its length is not to be believed either: the next request may begin anywhere behind its unique code.
            return self._drop(len(REQUEST), Request(UNREADABLE, error=ResultCode.HEADER_CHECKSUM))
        if length < CHECKSUMS:
            return self._drop(HEADER, Request(code, error=ResultCode.TOO_SHORT))
        if CHECKED + length > MAX_FRAME:
            return self._drop(HEADER, Request(code, error=ResultCode.TOO_LONG))
        if len(buffer) < CHECKED + length:
            return None
        data = bytes(buffer[CHECKED + CHECKSUMS : CHECKED + length])
        good = int.from_bytes(buffer[HEADER : CHECKED + CHECKSUMS]) == checksum(data)
        request = Request(code, data) if good else Request(code, error=ResultCode.DATA_CHECKSUM)
        return self._drop(CHECKED + length, request)

    def give_up(self) -> Request | None:
        """Forget a request whose rest does not come; `None` when not even its unique code has."""
        begun = bytes(self._buffer)
        self._buffer.clear()
        if len(begun) < len(REQUEST):
            return None
        code = int.from_bytes(begun[4:6]) if len(begun) >= HEADER else UNREADABLE
        return Request(code, error=ResultCode.DATA_TIMEOUT)

    def _skip(self) -> None:
        """Drop what stands before a unique code, or before what may be the beginning of one."""
        buffer = self._buffer
        start = buffer.find(REQUEST)
        if start < 0:
            begun = (count for count in range(len(REQUEST) - 1, 0, -1) if buffer.endswith(REQUEST[:count]))
            start = len(buffer) - next(begun, 0)
        del buffer[:start]

    def _drop(self, count: int, request: Request) -> Request:
        del self._buffer[:count]
        return request
