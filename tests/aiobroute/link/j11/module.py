"""A J11 module that answers as it is told, on a port in memory, and the frames that it writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, override

from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.link.base import Dialect, Link, Network
from custom_components.broute.aiobroute.link.identify import identify
from tests.aiobroute.link.peer import URL, Peer

REQUEST_CODE = bytes.fromhex("D0EA83FC")
RESPONSE_CODE = bytes.fromhex("D0F9EE5D")

CREDENTIALS = Credentials.parse("00112233445566778899AABBCCDDEEFF", "0123456789AB")
METER_MAC = bytes.fromhex("0050C2FFFEDC2822")
METER_ADDRESS = bytes.fromhex("FE800000000000000250C2FFFEDC2822")
NETWORK = Network(channel=49, pan_id=0xBCDE, mac=METER_MAC, rssi_dbm=-34.0, pairing_id="CCDDEEFF")
"""That of capture 20: its channel 12."""

GET_POWER = bytes.fromhex("1081000105FF010288016201E700")
POWER = bytes.fromhex("1081000102880105FF017201E704000001F4")

STATUS = "0001"
OPEN_PORT = "0005"
SEND = "0008"
SCAN = "0051"
START_ROUTE_B = "0053"
SET_CREDENTIALS = "0054"
START_PANA = "0056"
END_PANA = "0057"
END_ROUTE_B = "0058"
PAN_ID = "005E"
INITIALIZE = "005F"
VERSION = "006B"
RESET = "00D9"


def frame(code: int | str, data: bytes | str = b"", unique_code: bytes = RESPONSE_CODE) -> bytes:
    """Build a frame that the module writes."""
    number = int(code, 16) if isinstance(code, str) else code
    content = bytes.fromhex(data) if isinstance(data, str) else data
    head = unique_code + number.to_bytes(2) + (4 + len(content)).to_bytes(2)
    return head + (sum(head) % 0x10000).to_bytes(2) + (sum(content) % 0x10000).to_bytes(2) + content


def response(command: str, result: int = 1, more: str = "") -> bytes:
    """Build the answer to a command."""
    return frame(0x2000 | int(command, 16), bytes((result,)) + bytes.fromhex(more))


STARTED = frame(0x6019)
JOINED = frame(0x6028, "01" + METER_MAC.hex())
REFUSED = frame(0x6028, "02" + METER_MAC.hex())
UNANSWERED = frame(0x6028, "03" + METER_MAC.hex())
CONNECTED = response(START_ROUTE_B, 1, f"0C BCDE {METER_MAC.hex()} DE")
SENT = response(SEND, 1, "00 1081000105")
IDLE = response(STATUS, 1, "03 01 01")
AUTHENTICATED = response(STATUS, 1, "03 03 01")


def change(kind: int, mac: bytes = METER_MAC) -> bytes:
    """Build the news of a connection that went up or down."""
    return frame(0x601A, bytes((kind,)) + mac + b"\xde")


def datagram(
    payload: bytes = POWER,
    *,
    sender: bytes = METER_ADDRESS,
    ports: str = "0E1A 0E1A",
    encryption: int = 2,
    rssi: int = 0xCB,
) -> bytes:
    """Build a received datagram."""
    head = sender + bytes.fromhex(ports) + bytes.fromhex("BCDE 00") + bytes((encryption, rssi))
    return frame(0x6018, head + len(payload).to_bytes(2) + payload)


def beacon(channel: int, mac: bytes = METER_MAC, pan_id: int = 0xBCDE, rssi: int = 0xDE) -> bytes:
    """Build the news of a channel on which a meter was heard."""
    return frame(0x4051, bytes((0, channel, 1)) + mac + pan_id.to_bytes(2) + bytes((rssi,)))


def nobody(channel: int) -> bytes:
    """Build the news of a channel on which nothing was heard."""
    return frame(0x4051, bytes((1, channel)))


class J11Peer(Peer):
    """The module: `requests` are those that it got, by code, and `commands` their frames.

    A request without an answer of its own is answered with success. Bytes that begin no request are skipped.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.answers(VERSION, response(VERSION, 1, "0400 01 03 0000158A"))
        self.answers(STATUS, IDLE)
        self.answers(RESET, 0.5, STARTED)
        self.answers(START_ROUTE_B, CONNECTED)
        self.answers(START_PANA, response(START_PANA), 0.5, JOINED)
        self.answers(SEND, SENT)

    @property
    def requests(self) -> list[str]:
        """The codes of the requests."""
        return [command[4:6].hex().upper() for command in self.commands]

    @override
    def _next_command(self) -> bytes | None:
        start = self._received.find(REQUEST_CODE)
        if start < 0:
            return None
        self._cut(start)
        end = 8 + int.from_bytes(self._received[6:8])
        return self._cut(end) if len(self._received) >= max(end, 12) else None

    @override
    def _answer(self, command: bytes) -> None:
        code = command[4:6].hex().upper()
        queue = self._answers.get(code)
        if queue is None:
            self.say(response(code))
        else:
            self.say(*(queue.popleft() if len(queue) > 1 else queue[0]))


@asynccontextmanager
async def identified(peer: J11Peer) -> AsyncIterator[Link]:
    """Give the link to a module, and close it; the requests until then are forgotten."""
    link = await identify(peer.open, URL, first=Dialect.J11)
    peer.commands.clear()
    try:
        yield link
    finally:
        await link.close()
        peer.silence()


@asynccontextmanager
async def prepared(peer: J11Peer) -> AsyncIterator[Link]:
    """Give a link that has the credentials."""
    async with identified(peer) as link:
        await link.prepare(CREDENTIALS)
        peer.commands.clear()
        yield link


@asynccontextmanager
async def joined(peer: J11Peer) -> AsyncIterator[Link]:
    """Give a link that has joined `NETWORK`."""
    async with prepared(peer) as link:
        await link.join(NETWORK)
        peer.commands.clear()
        yield link
