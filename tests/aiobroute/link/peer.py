"""A module that answers as it is told, on a port in memory: no protocol of its own."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import re
from string import Template
from typing import Any, override

from custom_components.broute.aiobroute.link.base import Datagram, Dialect, Drop, Link, LinkEvent, LinkListener, Network
from custom_components.broute.aiobroute.link.identify import identify

from .wire import MAKER_COMMANDS, METER_ADDRESS, METER_MAC

URL = "memory://module"

type Piece = str | bytes | float
"""What a module does: write a line, write bytes as they are, wait so many seconds."""

OK = "OK"
NETWORK = Network(
    channel=0x21, pan_id=0x8888, mac=bytes.fromhex(METER_MAC), rssi_dbm=-42.4, lqi=0xE1, pairing_id="CCDDEEFF"
)

J11_REQUEST = bytes.fromhex("D0EA83FC")
"""How a request to a J11 module begins, which to this one is the beginning of a line."""

_SENDTO = re.compile(rb"SKSENDTO (?:\S+ ){4,5}(?P<length>[0-9A-F]{4}) ")


class PeerTransport(asyncio.Transport):
    """The open port. `stuck`: it never tells its end, as one whose driver hangs."""

    def __init__(self, protocol: asyncio.Protocol, write: Callable[[bytes], None], *, stuck: bool) -> None:
        super().__init__()
        self._protocol = protocol
        self._write = write
        self._stuck = stuck
        self._closing = False
        self.was_aborted = False

    @override
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._write(bytes(data))

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def close(self) -> None:
        self.lose(None)

    @override
    def abort(self) -> None:
        self.was_aborted = True

    def lose(self, error: Exception | None) -> None:
        """End the connection, as `close()` does and as an unplugged module does."""
        if not self._closing:
            self._closing = True
            if not self._stuck:
                asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    def receive(self, data: bytes) -> None:
        """Hand the program what the module wrote."""
        if not self._closing:
            self._protocol.data_received(data)


class Peer:
    """The module: `commands` are those that it got, whole and in order.

    A command without an answer of its own is answered with OK. `$S2` and `$S3` in an answer stand for what was written
    to these registers. `echo`: whether commands come back. `loses`: how many
    bytes of the next thing that is written to it are lost at its end.
    """

    def __init__(self, *, echo: bool = False, opens_after_s: float = 0.0, stuck: bool = False) -> None:
        self.commands: list[bytes] = []
        self.transport: PeerTransport | None = None
        self.echo = echo
        self.loses = 0
        self.registers = {"S2": "21", "S3": "FFFF"}
        self._opens_after_s = opens_after_s
        self._stuck = stuck
        self._answers: dict[str, deque[tuple[Piece, ...]]] = {}
        self._received = bytearray()
        self._to_come: set[asyncio.TimerHandle] = set()

    def answers(self, command: str, *pieces: Piece) -> None:
        """Answer commands that begin so; the second answer given is for the second command, and the last for all."""
        self._answers.setdefault(command, deque()).append(pieces)

    def answers_anew(self, command: str, *pieces: Piece) -> None:
        """Forget what was answered to commands that begin so."""
        self._answers[command] = deque([pieces])

    async def open(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the port: a `PortOpener`."""
        assert url == URL
        await asyncio.sleep(self._opens_after_s)
        protocol = protocol_factory()
        self.transport = PeerTransport(protocol, self._take, stuck=self._stuck)
        protocol.connection_made(self.transport)
        return self.transport

    def say(self, *pieces: Piece) -> None:
        """Write something, now or after the pauses between; what no pause divides comes in one piece."""
        after_s = 0.0
        data = b""
        for piece in (*pieces, 0.0):
            if isinstance(piece, str):
                data += Template(piece).safe_substitute(self.registers).encode("ascii") + b"\r\n"
            elif isinstance(piece, bytes):
                data += piece
            else:
                if data:
                    self._later(after_s, data)
                data = b""
                after_s += piece

    def unplug(self) -> None:
        """Take the module away."""
        assert self.transport
        self.transport.lose(OSError("unplugged"))

    @property
    def names(self) -> list[str]:
        """The names of the commands that came."""
        lines = [command for command in self.commands if command.strip() and not command.startswith(J11_REQUEST)]
        return [line.split(maxsplit=1)[0].decode("ascii") for line in lines]

    def _later(self, after_s: float, data: bytes) -> None:
        def write() -> None:
            self._to_come.discard(handle)
            if self.transport:
                self.transport.receive(data)

        handle = asyncio.get_running_loop().call_later(after_s, write)
        self._to_come.add(handle)

    def silence(self) -> None:
        """Write nothing of what was still to come."""
        for handle in self._to_come:
            handle.cancel()
        self._to_come.clear()

    def _take(self, data: bytes) -> None:
        self._received += data[: len(data) - self.loses]
        self.loses = 0
        while command := self._next_command():
            self.commands.append(command)
            self._answer(command)

    def _next_command(self) -> bytes | None:
        if sendto := _SENDTO.match(self._received):
            end = sendto.end() + int(sendto["length"], 16)
            return self._cut(end) if len(self._received) >= end else None
        if self._received.startswith(b"SKSENDTO"):
            return None
        name = re.match(rb"[A-Z]*", bytes(self._received))
        line_end = b"\r" if name and name.group().decode() in MAKER_COMMANDS else b"\r\n"
        end = self._received.find(line_end)
        return self._cut(end + len(line_end)) if end >= 0 else None

    def _cut(self, end: int) -> bytes:
        piece = bytes(self._received[:end])
        del self._received[:end]
        return piece

    def _answer(self, command: bytes) -> None:
        line = command.decode("ascii", "replace")
        starts = [start for start in self._answers if line.startswith(start)]
        if not line.strip():  # ends whatever was unfinished, and is no command
            return
        if command.startswith(J11_REQUEST):
            self.say("FAIL ER04")
            return
        echo = re.sub(rb"(SKSENDTO (?:\S+ ){5,6}).*", rb"\1\r\n", command, flags=re.DOTALL) if self.echo else b""
        if written := re.fullmatch(r"SKSREG (S[23]) (\w+)\r\n", line):
            self.registers[written[1]] = written[2]
        if not starts:
            self.say(echo, OK)
            return
        queue = self._answers[max(starts, key=len)]
        self.say(echo, *(queue.popleft() if len(queue) > 1 else queue[0]))


def single_stack(**options: Any) -> Peer:
    """Return a module as that of capture 02: one stack, and none of the maker's commands."""
    peer = Peer(**options)
    peer.answers("SKVER", "EVER 1.2.10", OK)
    peer.answers("SKAPPVER", "EAPPVER rev26e", OK)
    peer.answers("SKINFO", "EINFO FE80:0000:0000:0000:1234:5678:1234:5678 1234567812345678 $S2 $S3 FFFE", OK)
    peer.answers("ROPT", "FAIL ER04")
    return peer


def dual_stack(payload_form: bytes = b"OK 01\r", **options: Any) -> Peer:
    """Return a module as those of the captures 01 and 12: two stacks, the maker's answers ended by a lone CR."""
    peer = Peer(**options)
    peer.answers("SKVER", "EVER 1.5.2", OK)
    peer.answers("SKAPPVER", "FAIL ER04")
    peer.answers("SKINFO", "EINFO FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 $S2 $S3 0", OK)
    peer.answers("ROPT", payload_form)
    return peer


class Heard:
    """What a link delivered."""

    def __init__(self, link: Link) -> None:
        self.datagrams: list[Datagram] = []
        self.events: list[LinkEvent] = []
        self.drops: list[Drop] = []
        link.listen(
            LinkListener(on_datagram=self.datagrams.append, on_event=self.events.append, on_drop=self.drops.append)
        )

    @property
    def payloads(self) -> list[bytes]:
        """The datagrams' payloads."""
        return [datagram.payload for datagram in self.datagrams]


@asynccontextmanager
async def identified(peer: Peer) -> AsyncIterator[Link]:
    """Give the link to a module, and close it."""
    link = await identify(peer.open, URL)
    try:
        yield link
    finally:
        await link.close()
        peer.silence()


@asynccontextmanager
async def joined(peer: Peer) -> AsyncIterator[Link]:
    """Give a link that has joined `NETWORK`; the commands until then are forgotten."""
    async with identified(peer) as link:
        peer.answers("SKJOIN", OK, 0.5, _joined_event(link))
        await link.join(NETWORK)
        peer.commands.clear()
        yield link


def _joined_event(link: Link) -> str:
    return f"EVENT 25 {METER_ADDRESS}" + (" 0" if link.module.dialect is Dialect.DUAL_STACK else "")


def now() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


async def turn() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)
