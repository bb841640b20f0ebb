"""A host that knows no protocol: it writes bytes to the module's port and keeps what comes back, with the times."""

import asyncio
from typing import Self, override

from simulator import SimulatedHome, SkstackModule

ADDRESS = "FE80:0000:0000:0000:021D:1290:1234:5678"
"""The meter's, as in the worked examples."""
OWN_ADDRESS = "FE80:0000:0000:0000:021D:1290:ABCD:EF01"


class Peer(asyncio.Protocol):
    """The open port."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.pieces: list[tuple[float, bytes]] = []
        self.lost: list[Exception | None] = []
        self.transport: asyncio.Transport | None = None
        self._mark = 0
        self._more = asyncio.Event()

    @classmethod
    async def opened(cls, home: SimulatedHome) -> Self:
        """Open the home's port."""
        peer = cls()
        peer.transport = await home.open_port("memory://module", lambda: peer)
        return peer

    @override
    def data_received(self, data: bytes) -> None:
        self.received += data
        self.pieces.append((asyncio.get_running_loop().time(), data))
        self._more.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def write(self, data: bytes) -> None:
        """Write raw bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def new(self) -> bytes:
        """Return what has come since the last call."""
        data = bytes(self.received[self._mark :])
        self._mark = len(self.received)
        return data

    async def until(self, end: bytes, within_s: float = 100.0) -> bytes:
        """Wait until what is new ends with `end`, and return it."""
        async with asyncio.timeout(within_s):
            while not bytes(self.received[self._mark :]).endswith(end):
                self._more.clear()
                await self._more.wait()
        return self.new()

    async def more(self, within_s: float) -> None:
        """Wait for the next bytes."""
        self._more.clear()
        async with asyncio.timeout(within_s):
            await self._more.wait()

    async def ask(self, command: str | bytes, end: bytes = b"OK\r\n") -> bytes:
        """Write a command and return the answer that ends with `end`."""
        self.write(command.encode() + b"\r\n" if isinstance(command, str) else command)
        return await self.until(end)

    async def settle(self, lapse_s: float) -> bytes:
        """Let time pass and return what has come."""
        await asyncio.sleep(lapse_s)
        return self.new()


def skstack(home: SimulatedHome) -> SkstackModule:
    """Return the home's module, which is one with SKSTACK-IP."""
    assert isinstance(home.module, SkstackModule)
    return home.module


async def joined(home: SimulatedHome) -> Peer:
    """Open the port and take it through a join, echo off, up to the instance list."""
    peer = await Peer.opened(home)
    await peer.ask("SKSREG SFE 0")
    await peer.ask(f"SKSETPWD C {home.meter.paa.password}")
    await peer.ask(f"SKSETRBID {home.meter.paa.identity}")
    await peer.ask(f"SKSREG S2 {home.meter.pan.channel:X}")
    await peer.ask(f"SKSREG S3 {home.meter.pan.pan_id:X}")
    side = b" 0" if skstack(home).product.dual else b""
    await peer.ask(f"SKJOIN {ADDRESS}", b"EVENT 25 " + ADDRESS.encode() + side + b"\r\n")
    await peer.settle(8)
    return peer


def send_command(home: SimulatedHome, frame: bytes, security: int = 1) -> bytes:
    """Return SKSENDTO to the meter with a frame."""
    side = " 0" if skstack(home).product.dual else ""
    return f"SKSENDTO 1 {ADDRESS} 0E1A {security}{side} {len(frame):04X} ".encode() + frame


async def request(peer: Peer, home: SimulatedHome, frame: str, wait_s: float = 3.0) -> list[str]:
    """Send a frame given in hexadecimal and return the lines that come."""
    peer.write(send_command(home, bytes.fromhex(frame)))
    return (await peer.settle(wait_s)).decode().splitlines()


async def answer(peer: Peer, home: SimulatedHome, frame: str) -> str:
    """Send a frame and return the payload of the one datagram that comes back, in hexadecimal."""
    payloads = [line.split(" ")[-1] for line in await request(peer, home, frame) if line.startswith("ERXUDP")]
    assert len(payloads) == 1, payloads
    return payloads[0]
