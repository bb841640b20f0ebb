"""A host that speaks J11, with a reading of protocol 4.1 of its own: every frame that comes is checked."""

import asyncio
from typing import override

from simulator import J11Module, SimulatedHome
from tests.simulator.peer import Peer

MODULE = "BP35C0-J11"
CREDENTIALS = (b"00112233445566778899AABBCCDDEEFF" + b"0123456789AB").hex()
PAIRING_ID = b"CCDDEEFF".hex()
METER = "FE80000000000000021D129012345678"
METER_MAC = "001D129012345678"
"""The meter's, as in the worked examples."""
OWN_ADDRESS = "FE80000000000000021D1290ABCDEF01"
OWN_MAC = "001D1290ABCDEF01"
DUAL_ON_4 = "05000400"
PORT = "0E1A"
GET_POWER = "1081000105FF010288016201E700"


def request(code: int, data: str = "") -> bytes:
    """Return a request; the data is given in hexadecimal."""
    octets = bytes.fromhex(data)
    head = bytes.fromhex("D0EA83FC") + code.to_bytes(2) + (4 + len(octets)).to_bytes(2)
    return head + (sum(head) & 0xFFFF).to_bytes(2) + (sum(octets) & 0xFFFF).to_bytes(2) + octets


def transmission(frame: str, destination: str = METER, ports: str = PORT + PORT) -> str:
    """Return the data of 0008 for an ECHONET Lite frame."""
    return f"{destination}{ports}{len(frame) // 2:04X}{frame}"


def first_frame(data: bytes) -> tuple[int, str] | None:
    """Return code and data of the frame that the bytes begin with, `None` while it is not complete."""
    if len(data) < 12 or len(data) < 8 + int.from_bytes(data[6:8]):
        return None
    octets = data[12 : 8 + int.from_bytes(data[6:8])]
    assert data[:4] == bytes.fromhex("D0F9EE5D")
    assert int.from_bytes(data[8:10]) == sum(data[:8]) & 0xFFFF
    assert int.from_bytes(data[10:12]) == sum(octets) & 0xFFFF
    return int.from_bytes(data[4:6]), octets.hex().upper()


class J11Peer(Peer):
    """The open port.

    Attributes:
        said: code and data of each frame that the module has said, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, str]] = []
        self._seen = 0
        self._rest = b""

    @override
    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (frame := first_frame(self._rest)) is not None:
            self.said.append(frame)
            self._rest = self._rest[12 + len(frame[1]) // 2 :]
        super().data_received(data)

    async def heard(self, code: int, within_s: float = 100.0) -> str:
        """Wait for the next frame with that code and return its data; those before it count as seen."""
        while True:
            while self._seen < len(self.said):
                self._seen += 1
                if self.said[self._seen - 1][0] == code:
                    return self.said[self._seen - 1][1]
            await self.more(within_s)

    async def response(self, code: int, data: str = "") -> str:
        """Send a request and return the data of its response."""
        self.write(request(code, data))
        return await self.heard(code | 0x2000)

    async def listened(self, lapse_s: float) -> list[tuple[int, str]]:
        """Let time pass and return the frames that have come and are not yet seen."""
        await asyncio.sleep(lapse_s)
        seen, self._seen = self._seen, len(self.said)
        return self.said[seen:]


def j11(home: SimulatedHome) -> J11Module:
    """Return the home's module, which is one with J11."""
    assert isinstance(home.module, J11Module)
    return home.module


def channel_of(home: SimulatedHome) -> str:
    """Return the J11 channel of the home's meter, in hexadecimal."""
    return f"{(home.meter.pan.channel - 33) // 2 + 4:02X}"


async def prepared(home: SimulatedHome) -> J11Peer:
    """Open the port and set everything that a start of the B-route needs."""
    peer = await J11Peer.opened(home)
    assert await peer.response(0x005F, f"0500{channel_of(home)}00") == "01"
    credentials = (home.meter.paa.identity + home.meter.paa.password).encode().hex()
    assert await peer.response(0x0054, credentials) == "01"
    return peer


async def started(home: SimulatedHome) -> J11Peer:
    """Start the B-route as well and open the port of ECHONET Lite."""
    peer = await prepared(home)
    assert (await peer.response(0x0053))[:2] == "01"
    assert await peer.response(0x0005, PORT) == "01"
    return peer


async def joined(home: SimulatedHome) -> J11Peer:
    """Authenticate as well and wait for the instance list."""
    peer = await started(home)
    assert await peer.response(0x0056) == "01"
    assert (await peer.heard(0x6028))[:2] == "01"
    await peer.listened(8)
    return peer
