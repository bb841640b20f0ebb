"""The control port: one JSON object per line in, one per line out, to switch faults while the simulation runs.

    {"set": {"meter_silent": true, "lines_late": [2.5]}, "for_s": 60}      {"ok": true}
    {"off": ["meter_silent"]}, {"off": []} for all                         {"ok": true}
    {"happen": "meter_rebooted", "with": {"for_s": 30}}                    {"ok": true}
    {"ask": "truth"}, "faults" (those that are on) or "help"               {"ok": true, "truth": {...}}
    {"ask": "truth", "at": "2026-11-21T18:00:00+09:00"}                    {"ok": true, "truth": {...}}

What cannot be done is answered with {"error": "..."}, and nothing of it is done. It is for this machine only: a Unix
socket, or a port on the loopback interface.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from enum import Enum
import json

from .clock import JST
from .faults import UnknownNameError
from .faults.switches import seconds
from .happenings import Happenings
from .home import SimulatedHome
from .load import EPOCH

MAX_LINE = 16_384
"""Bytes of a line; whoever sends a longer one is told so and hung up on."""

REQUESTS = {
    "set": "faults by name with their values; for_s: after so many seconds they are off by themselves",
    "off": "a list of faults to switch off, empty for all",
    "happen": "a happening by name; with: its arguments",
    "ask": "truth, faults (those that are on) or help; at: the truth of that time instead of now, ISO 8601, JST without"
    " offset",
}


class Control:
    """The requests of a control port, and the port itself.

    Args:
        home: what is controlled.
        happenings: what can happen to it.
    """

    def __init__(self, home: SimulatedHome, happenings: Happenings) -> None:
        self._home = home
        self._happenings = happenings
        self._server: asyncio.Server | None = None
        self._requests: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
            "set": self._set,
            "off": self._off,
            "happen": self._happen,
            "ask": self._ask,
        }
        self._answers: dict[str, Callable[[dict[str, object]], object]] = {
            "truth": self._truth,
            "faults": lambda _: {name: _plain(value) for name, value in home.faults.on().items()},
            "help": lambda _: {
                "requests": REQUESTS,
                "faults": home.faults.documentation(),
                "happenings": happenings.documentation(),
            },
        }

    async def serve(self, where: str) -> str:
        """Begin to listen, and return where.

        Args:
            where: a port on 127.0.0.1, 0 = any; anything else is the path of a Unix socket.

        Raises:
            OSError: it cannot be listened there.
        """
        if where.isdecimal():
            self._server = await asyncio.start_server(self._converse, "127.0.0.1", int(where), limit=MAX_LINE)
            return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._server = await asyncio.start_unix_server(self._converse, where, limit=MAX_LINE)
        return where

    def close(self) -> None:
        """Stop listening, hang up on everybody, and let nothing more happen by itself."""
        self._happenings.close()
        if self._server is not None:
            self._server.close()
            self._server.close_clients()

    def answer(self, line: bytes) -> bytes:
        """Do what a line says and return the line that answers it."""
        try:
            answer = self._do(json.loads(line))
        except (ValueError, UnknownNameError) as error:
            answer = {"error": str(error)}
        return json.dumps(answer).encode() + b"\n"

    def _do(self, request: object) -> dict[str, object]:
        if not isinstance(request, dict):
            raise ValueError("an object is wanted")  # noqa: TRY004 - told as any other wrong value
        named = [name for name in self._requests if name in request]
        if not named:
            raise UnknownNameError(next(iter(request), ""), list(self._requests))
        return {"ok": True} | self._requests[named[0]](request)

    def _set(self, request: dict[str, object]) -> dict[str, object]:
        wanted = _only(request, "set", "for_s")
        if not isinstance(wanted, dict):
            raise ValueError("set: an object is wanted")  # noqa: TRY004
        for_s = seconds(request["for_s"]) if "for_s" in request else None
        faults = self._home.faults
        faults.set(for_s, **{name: faults.read(name, value) for name, value in wanted.items()})
        return {}

    def _off(self, request: dict[str, object]) -> dict[str, object]:
        names = _only(request, "off")
        if not isinstance(names, list):
            raise ValueError("off: a list is wanted")  # noqa: TRY004
        self._home.faults.off(*names)
        return {}

    def _happen(self, request: dict[str, object]) -> dict[str, object]:
        name = _only(request, "happen", "with")
        arguments = request.get("with", {})
        if not isinstance(arguments, dict):
            raise ValueError("with: an object is wanted")  # noqa: TRY004
        self._happenings.happen(str(name), arguments)
        return {}

    def _ask(self, request: dict[str, object]) -> dict[str, object]:
        name = str(request["ask"])
        if name not in self._answers:
            raise UnknownNameError(name, list(self._answers))
        if name != "truth":
            _only(request, "ask")
        return {name: self._answers[name](request)}

    def _truth(self, request: dict[str, object]) -> object:
        _only(request, "ask", "at")
        at = request.get("at")
        if at is None:
            return self._home.truth().to_plain()
        if not isinstance(at, str):
            raise ValueError("at: a text is wanted")  # noqa: TRY004
        instant = datetime.fromisoformat(at)
        instant = instant.replace(tzinfo=JST) if instant.tzinfo is None else instant
        if not EPOCH <= instant <= self._home.clock.now():
            raise ValueError(f"at: a time from {EPOCH:%Y-%m-%d} to now is wanted")
        return self._home.truth(instant).to_plain()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await self._line(reader, writer):
                writer.write(self.answer(line))
                await writer.drain()
        except ConnectionError:
            # Whoever asked has gone without waiting for the answer.
            pass
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Return the next line, empty at the end."""
        try:
            return await reader.readline()
        except ValueError:
            writer.write(json.dumps({"error": f"a line has at most {MAX_LINE} bytes"}).encode() + b"\n")
            return b""


def _only(request: dict[str, object], *names: str) -> object:
    """Return what the first of these names has, if there are no others."""
    for name in request:
        if name not in names:
            raise UnknownNameError(name, list(names))
    return request[names[0]]


def _plain(value: object) -> object:
    """Return what JSON can hold, as the switches read it."""
    match value:
        case bytes():
            return value.decode("latin-1")
        case deque():
            return [_plain(entry) for entry in value]
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case Enum():
            return value.name
        case _:
            return value
