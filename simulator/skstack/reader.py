"""How an SKSTACK module reads its command line: bytes in, commands out, with the echo. Pure.

`module` above asks for one command at a time, because a module does not take the next before it has answered.
"""

from dataclasses import dataclass

CR, LF, SPACE = b"\r\n "
MAX_LINE = 256
"""Longer than any command line; what comes beyond is dropped and the line refused with ER09."""
MAX_BUFFER = 4096
"""Bytes that wait while a command is carried out; more are lost."""
VENDOR_COMMANDS = (b"ROPT", b"WOPT", b"RUART", b"WUART")
"""These are outside SKSTACK: a lone CR ends them."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        words: name and arguments.
        needs_data: the header of SKSENDTO is complete and its data is to follow.
        data: the data of SKSENDTO.
        broken: the line was too long.
    """

    words: tuple[str, ...]
    needs_data: bool = False
    data: bytes = b""
    broken: bool = False


class CommandReader:
    """Reads commands.

    Args:
        send_words: the words of SKSENDTO before its data, its name included.
    """

    def __init__(self, send_words: int) -> None:
        self._send_words = send_words
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._buffer = bytearray()
        self._end_line()
        self._expected: int | None = None
        self._header: tuple[str, ...] = ()

    def feed(self, data: bytes) -> None:
        """Take bytes from the UART."""
        self._buffer += data[: MAX_BUFFER - len(self._buffer)]

    def expect(self, header: Command, length: int) -> None:
        """Take the next `length` bytes as the data of that SKSENDTO, whatever they are."""
        self._header = header.words
        self._expected = length

    def take(self) -> tuple[bytes, Command | None]:
        """Return the echo of what was read, and the next command if it is complete."""
        if self._expected is not None:
            return b"", self._take_data(self._expected)
        echo = bytearray()
        while self._buffer:
            byte = self._buffer.pop(0)
            echo.append(byte)
            command = self._read(byte)
            if command is not None:
                return bytes(echo) + (b"\r\n" if command.needs_data else b""), command
        return bytes(echo), None

    def _take_data(self, length: int) -> Command | None:
        if len(self._buffer) < length:
            return None
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._expected = None
        return Command(self._header, data=data)

    def _read(self, byte: int) -> Command | None:
        line = self._line
        if byte == LF and line.endswith(b"\r"):
            return self._complete(bytes(line[:-1]))
        if byte == LF and not line:
            return None
        if byte == CR and bytes(line).split(b" ")[0] in VENDOR_COMMANDS:
            return self._complete(bytes(line))
        if len(line) >= MAX_LINE:
            self._broken = True
            del line[MAX_LINE // 2 :]
        line.append(byte)
        if byte == SPACE and line.startswith(b"SKSENDTO ") and line.count(b" ") == self._send_words:
            words = tuple(line[:-1].decode("latin-1").split(" "))
            self._end_line()
            return Command(words, needs_data=True)
        return None

    def _complete(self, line: bytes) -> Command | None:
        """End the line; an empty one is no command, and spaces at its end count for nothing."""
        broken = self._broken
        self._end_line()
        words = tuple(line.rstrip(b" ").decode("latin-1").split(" "))
        return Command(words, broken=broken) if words != ("",) else None

    def _end_line(self) -> None:
        self._line = bytearray()
        self._broken = False
