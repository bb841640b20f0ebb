"""The 920 MHz air: the PANs that can be heard and the radios that hear them.

Between a meter (the coordinator of its PAN) and the radio of a module. Nothing here knows commands or properties.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from .clock import Clock, Timers
from .faults import Faults

CHANNELS = range(33, 61)
"""The Wi-SUN channels of SKSTACK: MHz = 922.5 + 0.2 x (channel - 33)."""
ALL_NODES = bytes.fromhex("FF020000000000000000000000000001")
"""The link-local multicast address FF02::1."""
FLIGHT_S = 0.03
"""From a meter's decision to send until its transmission begins: carrier sense."""
BITS_PER_S = 100_000


def link_local(mac: bytes) -> bytes:
    """Return the IPv6 link-local address of a MAC address of eight bytes."""
    return bytes.fromhex("FE80000000000000") + bytes((mac[0] ^ 0x02,)) + mac[1:]


def rssi_dbm(lqi: int) -> int:
    """Return the field strength in dBm, -104..-34, of a link quality of 0..255."""
    return round(0.275 * lqi - 104.27)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A UDP datagram as the receiver sees it.

    Attributes:
        source: sender's IPv6 address, 16 bytes.
        destination: IPv6 address it was sent to.
        source_port: sender's UDP port.
        destination_port: receiver's UDP port.
        source_mac: sender's MAC address, eight bytes.
        secured: encrypted in the MAC layer.
        lqi: link quality, 0..255; see `rssi_dbm`.
        payload: at most 1232 bytes.
    """

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    source_mac: bytes
    secured: bool
    lqi: int
    payload: bytes


class Authenticator(Protocol):
    """The PAA of a PAN: admits one controller."""

    identity: str
    session_lifetime_s: int
    join_time_s: float | None

    def admits(self, mac: bytes, identity: str, password: str) -> bool:
        """Tell whether the controller may join."""

    def joined(self, mac: bytes, *, renewal: bool) -> None:
        """Note that the controller has joined, or has renewed its session."""

    def knows(self, mac: bytes) -> bool:
        """Tell whether the controller has a session."""

    def left(self, mac: bytes) -> bool:
        """End the session at the controller's wish; false when there was none."""

    def forget_session(self) -> None:
        """Lose the session without a word."""


class Coordinator(Protocol):
    """What runs a PAN: the PAA and the node behind it."""

    @property
    def paa(self) -> Authenticator:
        """The PAA."""

    def receive(self, datagram: Datagram) -> None:
        """Take a datagram of a controller."""


@dataclass(eq=False, kw_only=True)
class Pan:
    """A network that can be heard.

    Attributes:
        channel: 33..60.
        pan_id: 16 bits.
        mac: the coordinator's MAC address, eight bytes.
        lqi: how well it is heard, 0..255.
        pairing_id: answers an active scan with this pairing ID only: the last eight characters of the B-route ID;
            empty: its beacon has none.
        answers_anybody: answers an active scan with any pairing ID.
        heard_from_duration: a scan of a shorter duration misses it.
        powered: false while there is no mains: neither beacon nor acknowledgement.
        coordinator: whose network it is; `None`: a stranger's, of which nothing but the beacon is simulated.
    """

    channel: int = 0x21
    pan_id: int = 0x8888
    mac: bytes = bytes.fromhex("001D129012345678")
    lqi: int = 0xE1
    pairing_id: str = "CCDDEEFF"
    answers_anybody: bool = False
    heard_from_duration: int = 0
    powered: bool = True
    coordinator: Coordinator | None = None

    @property
    def address(self) -> bytes:
        """The coordinator's IPv6 address."""
        return link_local(self.mac)


class Receiver(Protocol):
    """A radio that hears datagrams of the PAN it is tuned to."""

    mac: bytes
    channel: int
    pan_id: int

    def hear(self, datagram: Datagram) -> None:
        """Take a datagram from the air."""

    def session_ended(self, address: bytes) -> None:
        """Take the coordinator's request to end the session."""


@dataclass(eq=False)
class Air:
    """All PANs and all radios within reach of each other.

    Attributes:
        clock: the time.
        faults: what goes wrong.
        seed: names the course of random delays.
        pans: networks on the air; strangers may be appended.
        radios: the radios of the modules.
    """

    clock: Clock
    faults: Faults
    seed: int = 0
    pans: list[Pan] = field(default_factory=list)
    radios: list[Receiver] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with a channel that is free."""
        self._flights = Timers(self.clock)
        self._free_at_s = 0.0
        self._on_the_way: deque[tuple[Pan, bytes, Datagram]] = deque()

    def close(self) -> None:
        """Lose what is on its way."""
        self._flights.cancel()

    def random(self, name: str) -> Random:
        """Return a repeatable source of random numbers for the part of that name."""
        return Random(f"{self.seed}/{name}")

    def beacons(self, channel: int, pairing_id: str | None, duration: int) -> Iterable[Pan]:
        """Return the PANs that answer a beacon request; without a pairing ID all do."""
        return (
            pan
            for pan in self.pans
            if pan.powered and pan.channel == channel and pan.heard_from_duration <= duration
            if pairing_id is None or pan.answers_anybody or pan.pairing_id == pairing_id
            if not self.faults.beacon_gets_lost()
        )

    def find(self, radio: Receiver, address: bytes) -> Pan | None:
        """Return the PAN with that coordinator address if the radio is tuned to it and it is powered."""
        for pan in self.pans:
            if pan.powered and pan.address == address and (pan.channel, pan.pan_id) == (radio.channel, radio.pan_id):
                return pan
        return None

    def transmit(self, pan: Pan, mac: bytes, datagram: Datagram) -> None:
        """Carry a datagram from a PAN's coordinator to the radio with that MAC address, one after the other."""
        begin_s = max(self._free_at_s, self.clock.lapse_s + FLIGHT_S)
        self._free_at_s = begin_s + len(datagram.payload) * 8 / BITS_PER_S
        self._on_the_way.append((pan, mac, datagram))
        self._flights.due(self._free_at_s, self._arrive)

    def end_session(self, pan: Pan, mac: bytes) -> None:
        """Carry the coordinator's request to end the session to the radio with that MAC address."""
        for radio in self._tuned(pan, mac):
            radio.session_ended(pan.address)

    def _arrive(self) -> None:
        pan, mac, datagram = self._on_the_way.popleft()
        if self.faults.datagram_gets_lost():
            return
        for radio in self._tuned(pan, mac):
            radio.hear(datagram)

    def _tuned(self, pan: Pan, mac: bytes) -> list[Receiver]:
        tuned = (pan.channel, pan.pan_id)
        return [
            radio
            for radio in self.radios
            if pan.powered and radio.mac == mac and (radio.channel, radio.pan_id) == tuned
        ]
