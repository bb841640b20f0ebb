"""What passed between a client and a simulated module, and when, noted where the simulator's process ends.

The times are those of the machine's monotonic clock, which all its processes share: they can be subtracted from those
that a client has noted.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
import json
import re
import time
from typing import Any, override

from simulator.uart import Uart

SCAN = "SKSCAN"
JOIN = "SKJOIN"
GET = "Get"

_COMMAND = re.compile(rb"(SKSCAN|SKJOIN) ")
_GET = re.compile(rb"SKSENDTO [^\r\n]* \x10\x81(?P<tid>..).{6}\x62", re.DOTALL)
_GET_ANSWER = re.compile(rb"ERXUDP .* 1081(?P<tid>[0-9A-F]{4})[0-9A-F]{12}[57]2")
_ENDS = {b"EVENT 22 ": SCAN, b"EVENT 25 ": JOIN}


@dataclass(frozen=True, slots=True)
class Note:
    """One end of an exchange with the module or the meter.

    Attributes:
        at_s: monotonic clock, s: of the last byte.
        what: `SCAN`, `JOIN`, or `GET` with the TID.
        answered: false for the client's command, true for what ends it.
    """

    at_s: float
    what: str
    answered: bool

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps([self.at_s, self.what, self.answered])


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its end, by the monotonic clock, s: what module and meter have taken."""

    what: str
    asked_at_s: float
    answered_at_s: float

    @property
    def duration_s(self) -> float:
        """From the last byte of the command to the last byte of its end."""
        return self.answered_at_s - self.asked_at_s


def exchanges(lines: Iterable[str]) -> Iterator[Exchange]:
    """Pair the notes; a command without an end is left out, and an end without a command too."""
    asked: dict[str, float] = {}
    for line in lines:
        note = Note(*json.loads(line))
        if not note.answered:
            asked[note.what] = note.at_s
        elif note.what in asked:
            yield Exchange(note.what.split()[0], asked.pop(note.what), note.at_s)


class WatchedLine(Uart):
    """The client's end of a module's line, for a port: notes the commands, and what ends them, on their way."""

    def __init__(self, line: Uart, note: Callable[[Note], Any]) -> None:
        # It has no wire of its own, so nothing of its base class is set up: all is passed on to the real line.
        self._line = line
        self._note = note
        self._said = bytearray()

    @override
    def open(self, to_host: Callable[[bytes], object]) -> None:
        self._said.clear()

        def pass_on(data: bytes) -> None:
            # Before: a quick client may have the bytes before this process goes on.
            at_s = time.monotonic()
            to_host(data)
            self._take_from_module(data, at_s)

        self._line.open(pass_on)

    @override
    def close(self) -> None:
        self._line.close()

    @property
    @override
    def backlog(self) -> int:
        return self._line.backlog

    @override
    def write(self, data: bytes) -> None:
        at_s = time.monotonic()
        self._line.write(data)
        # A client hands over a command at once, and a pseudo-terminal keeps it together.
        for command in _COMMAND.finditer(data):
            self._note(Note(at_s, command[1].decode(), answered=False))
        for request in _GET.finditer(data):
            self._note(Note(at_s, f"{GET} {request['tid'].hex().upper()}", answered=False))

    def _take_from_module(self, data: bytes, at_s: float) -> None:
        self._said += data
        while (end := self._said.find(b"\n")) >= 0:
            line = bytes(self._said[:end])
            del self._said[: end + 1]
            if what := _end_in(line):
                self._note(Note(at_s, what, answered=True))


def _end_in(line: bytes) -> str | None:
    if answer := _GET_ANSWER.match(line):
        return f"{GET} {answer['tid'].decode()}"
    return next((what for event, what in _ENDS.items() if line.startswith(event)), None)
