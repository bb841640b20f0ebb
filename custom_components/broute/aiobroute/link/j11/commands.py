"""J11 requests: what is asked, and how long the answer may take (protocol 4.2, 4.5).

Pure.
"""

from dataclasses import dataclass, field

from ...credentials import Credentials
from .codec import CHANNELS, Command, request_frame

ANSWER_WAIT_S = 2.0
"""What takes no radio is answered in milliseconds (26 were measured); the manual says 2 s."""
START_ROUTE_B_WAIT_S = 3.6
SEND_WAIT_S = 8.0
SCAN_SLACK_S = 5.0
"""What a scan may take beyond the formula; by the manual it is up to 2.2 s."""

CHANNEL_TIME_S = 0.00964
"""A scan listens on each channel for this x 2^duration."""

MODE_DUAL = 0x05
HAN_SLEEP_OFF = 0x00
POWER_20_MW = 0x00
WITH_PAIRING_ID = 0x01

FIRST_SKSTACK_CHANNEL = 33
SKSTACK_CHANNELS_PER_CHANNEL = 2
"""J11 counts channels of 400 kHz, SKSTACK units of 200 kHz."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. It may hold what must not be shown."""

    command: Command
    data: bytes = field(default=b"", repr=False)
    wait_s: float = ANSWER_WAIT_S

    @property
    def frame(self) -> bytes:
        """The bytes to write."""
        return request_frame(self.command, self.data)


STATUS = Request(Command.STATUS)
START_ROUTE_B = Request(Command.START_ROUTE_B, wait_s=START_ROUTE_B_WAIT_S)
START_PANA = Request(Command.START_PANA)
END_PANA = Request(Command.END_PANA)
END_ROUTE_B = Request(Command.END_ROUTE_B)
PAN_ID = Request(Command.PAN_ID)
VERSION = Request(Command.VERSION)
RESET = Request(Command.RESET)
"""It is not answered; the module reports that it has started."""


def own_channel(channel: int) -> int | None:
    """Return the module's own number of a channel 33 to 60; `None` if it has no such channel."""
    number, between = divmod(channel - FIRST_SKSTACK_CHANNEL, SKSTACK_CHANNELS_PER_CHANNEL)
    return CHANNELS[0] + number if not between and 0 <= number < len(CHANNELS) else None


def skstack_channel(channel: int) -> int:
    """Return the number from 33 to 59 of a channel of the module's own numbering."""
    return FIRST_SKSTACK_CHANNEL + SKSTACK_CHANNELS_PER_CHANNEL * (channel - CHANNELS[0])


def initialize(channel: int = CHANNELS[0]) -> Request:
    """Make the initial settings, for route B and with full power; the channel matters only to a join."""
    return Request(Command.INITIALIZE, bytes((MODE_DUAL, HAN_SLEEP_OFF, channel, POWER_20_MW)))


def set_credentials(credentials: Credentials) -> Request:
    """Hand the module ID and password, from which it derives the pairing ID."""
    return Request(Command.SET_CREDENTIALS, (credentials.route_b_id + credentials.password).encode("ascii"))


def scan_time_s(duration: int) -> float:
    """Seconds that a scan of all channels takes."""
    return CHANNEL_TIME_S * (1 << duration) * len(CHANNELS)


def active_scan(duration: int, pairing_id: str) -> Request:
    """Scan all channels for the meter that knows a pairing ID; `duration`: 1 to 14."""
    mask = sum(1 << channel for channel in CHANNELS)
    data = bytes((duration,)) + mask.to_bytes(4) + bytes((WITH_PAIRING_ID,)) + pairing_id.encode("ascii")
    return Request(Command.SCAN, data, scan_time_s(duration) + SCAN_SLACK_S)


def open_port(port: int) -> Request:
    """Receive what is sent to a UDP port."""
    return Request(Command.OPEN_UDP_PORT, port.to_bytes(2))


def send_to(address: bytes, port: int, payload: bytes) -> Request:
    """Send a datagram from and to the same port, encrypted as all that goes to an authenticated meter."""
    ports = port.to_bytes(2) * 2
    return Request(Command.SEND, address + ports + len(payload).to_bytes(2) + payload, SEND_WAIT_S)


def link_local_address(mac: bytes) -> bytes:
    """Derive the IPv6 address from a MAC: FE80:: and the MAC with bit 1 of its first byte inverted (protocol 3.5)."""
    return LINK_LOCAL + bytes((mac[0] ^ 0x02,)) + mac[1:]


def mac_of(address: bytes) -> bytes | None:
    """Return the MAC from which an IPv6 address is derived; `None` if it is not such an address."""
    if not address.startswith(LINK_LOCAL):
        return None
    interface = address[len(LINK_LOCAL) :]
    return bytes((interface[0] ^ 0x02,)) + interface[1:]


LINK_LOCAL = bytes.fromhex("FE80000000000000")
