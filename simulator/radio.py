"""The radio half of a module, the same under every firmware: scan, PANA client, datagrams, duty limit.

Above it is a firmware, which turns its reports into lines; below it is the air. The times are those of the captures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Protocol

from .air import ALL_NODES, BITS_PER_S, Air, Authenticator, Datagram, Pan, link_local
from .clock import Timers
from .pana import UDP_PORT as PANA_PORT, Exchange

SEND_S = (0.11, 0.34)
"""From the last byte of a command to the acknowledgement of the air, as captured."""
NO_ACK_S = 0.6
"""The same when nobody acknowledges: all retries of the MAC layer."""
NEIGHBOUR_S = 0.05
"""Each half of address resolution (NS, NA)."""
JOIN_S = (3.3, 9.6)
"""From SKJOIN to EVENT 25, as captured."""
TERMINATE_S = 0.3
TERMINATE_UNANSWERED_S = 10.0
RENEWAL_SHARE = 0.8
"""The PaC renews at this share of the lifetime."""
EXPIRY_MARGIN_S = 5.0
"""For so long after the lifetime the client waits for the PAA to end the session, before it finds it expired."""
DEFAULT_CHANNEL = 0x21
DEFAULT_PAN_ID = 0xFFFF


class Result(Enum):
    """How a transmission ended."""

    SENT = auto()
    RESOLVING = auto()
    """Not yet: address resolution comes first."""
    BARRED = auto()
    """Not sent: the ARIB limit is reached, or a scan is under way."""
    BUSY = auto()
    """Not sent: the air was never free."""
    UNACKNOWLEDGED = auto()


@dataclass(frozen=True, slots=True)
class Session:
    """The session as this side knows it: the coordinator's address."""

    address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where one firmware lets the radio behave otherwise than another; the defaults are those of SKSTACK.

    Attributes:
        scan_unit_s: s; one channel takes this x (2^duration + `scan_extra_units`).
        scan_extra_units: see `scan_unit_s`.
        scan_overhead_s: from the end of the last channel to the end of the scan (captured: 0.5 to 0.7 s more than the
            formula).
        beacon_details_s: range of the time from a beacon to its description (captured: 650 ms).
        beacon_gap_s: between a description and what follows.
        join_unanswered_s: for so long an unanswered PANA request is repeated (field reports).
        renewal_unanswered_s: the same when the session is renewed.
        rejoins: a renewal that finds nobody is not told; the module waits for the end of the lifetime and joins again
            by itself. Without it, the renewal is repeated until it is given up, and the session with it.
    """

    scan_unit_s: float = 0.0096
    scan_extra_units: int = 1
    scan_overhead_s: float = 0.54
    beacon_details_s: tuple[float, float] = (0.05, 0.65)
    beacon_gap_s: float = 0.01
    join_unanswered_s: float = 40.0
    renewal_unanswered_s: float = 40.0
    rejoins: bool = True


SKSTACK = Profile()


class Firmware(Protocol):
    """What the radio reports to."""

    def beacon_heard(self) -> None:
        """A beacon has come."""

    def beacon_described(self, pan: Pan, pairing_id: str | None) -> None:
        """What the beacon said."""

    def channel_scanned(self, channel: int) -> None:
        """The scan is done with a channel."""

    def scan_finished(self) -> None:
        """The last channel is done."""

    def sent(self, address: bytes, result: Result) -> None:
        """A datagram of the radio's own has gone out, or one that waited for address resolution."""

    def neighbour_found(self, address: bytes) -> None:
        """Address resolution was answered."""

    def received(self, datagram: Datagram) -> None:
        """A datagram has come."""

    def joined(self, address: bytes) -> None:
        """PANA succeeded, first or again."""

    def join_failed(self, address: bytes) -> None:
        """PANA failed."""

    def ended_by_peer(self, address: bytes) -> None:
        """The coordinator has ended the session."""

    def terminated(self, address: bytes, *, answered: bool) -> None:
        """The session is ended at the host's wish."""

    def expired(self, address: bytes) -> None:
        """The session's lifetime is over."""

    def echo_answered(self, address: bytes) -> None:
        """An echo request was answered."""

    def duty_limit(self, *, reached: bool) -> None:
        """The ARIB limit on transmission time was reached or lifted."""


class Radio:
    """A radio with one PANA client.

    Args:
        air: what it hears.
        mac: its own MAC address, eight bytes.
        firmware: what it reports to.
        profile: how that firmware lets it behave.

    Attributes:
        channel: logical channel 33..60.
        pan_id: PAN ID.
        identity: the B-route ID, `None` until set.
        password: `None` until set.
        pairing_id: what an active scan asks for.
        renews: renew by itself at 80 % of the lifetime.
        session: the session, `None` without.
        neighbours: addresses that need no resolution.
        transmitted_ms: time on the air since the last reset.
        send_s: range of the time from the last byte of a command to the acknowledgement of the air, s.
    """

    def __init__(self, air: Air, mac: bytes, firmware: Firmware, profile: Profile = SKSTACK) -> None:
        self.mac = mac
        self.address = link_local(mac)
        self._air = air
        self._firmware = firmware
        self._profile = profile
        self._random = air.random(f"radio/{mac.hex()}")
        self._pana = Timers(air.clock)
        self._lifetime = Timers(air.clock)
        self._scan = Timers(air.clock)
        self._sends = Timers(air.clock)
        self._duty_limited = False
        self.send_s = SEND_S
        air.radios.append(self)
        self.reset()

    def reset(self) -> None:
        """Go back to the state after power-on, without a word to the meter."""
        self.channel = DEFAULT_CHANNEL
        self.pan_id = DEFAULT_PAN_ID
        self.identity: str | None = None
        self.password: str | None = None
        self.pairing_id = "CCDDEEFF"
        self.renews = True
        self.session: Session | None = None
        self.neighbours: set[bytes] = set()
        self.transmitted_ms = 0
        self.scanning = False
        self.authenticating = False
        for timers in (self._pana, self._lifetime, self._scan, self._sends):
            timers.cancel()

    @property
    def duty_limited(self) -> bool:
        """Whether the ARIB limit bars transmission; can be set."""
        return self._duty_limited

    @duty_limited.setter
    def duty_limited(self, reached: bool) -> None:
        self._duty_limited = reached
        self._firmware.duty_limit(reached=reached)

    def scan(self, channels: Sequence[int], duration: int, pairing_id: str | None) -> None:
        """Ask channel after channel for beacons: those with the pairing ID, or all."""
        profile = self._profile
        self.scanning = True
        channel_s = profile.scan_unit_s * (2**duration + profile.scan_extra_units)
        end_s = channel_s * len(channels) + profile.scan_overhead_s
        missed = self._air.faults.strikes("scan_misses")
        free_s = -profile.beacon_gap_s
        for index, channel in enumerate(channels):
            for pan in self._air.beacons(channel, pairing_id, duration):
                if missed:
                    continue
                heard_s = max(free_s + profile.beacon_gap_s, channel_s * (index + self._random.uniform(0.2, 0.8)))
                free_s = heard_s + self._random.uniform(*profile.beacon_details_s)
                self._scan.after(heard_s, self._firmware.beacon_heard)
                self._scan.after(free_s, self._firmware.beacon_described, pan, pairing_id)
            self._scan.after(channel_s * (index + 1), self._firmware.channel_scanned, channel)
        self._scan.after(max(end_s, free_s + profile.beacon_gap_s), self._scan_finished)

    def join(self, address: bytes) -> None:
        """Begin a new session with the coordinator of that address; the outcome is reported."""
        self._drop_session()
        self.authenticating = True
        pan = self._air.find(self, address)
        start_s = NEIGHBOUR_S
        if address not in self.neighbours:
            self._pana.after(NEIGHBOUR_S, self._firmware.sent, address, Result.RESOLVING)
            start_s += NEIGHBOUR_S
            if pan is not None:
                self._pana.after(start_s, self._neighbour_found, address)
        if pan is None or pan.coordinator is None:
            self._pana.after(self._profile.join_unanswered_s, self._join_failed, address)
        else:
            self._authenticate(pan, pan.coordinator.paa, start_s=start_s, renewal=False)

    def renew(self) -> bool:
        """Renew the session, which is lost if the meter does not answer; false when there is none."""
        if self.session is None:
            return False
        if not self._begin_renewal(self.session.address):
            self._pana.after(self._profile.renewal_unanswered_s, self._join_failed, self.session.address)
        return True

    def terminate(self) -> bool:
        """End the session, the outcome is reported; false when there is none."""
        if self.session is None:
            return False
        address = self.session.address
        self._drop_session()
        pan = self._air.find(self, address)
        answered = pan is not None and pan.coordinator is not None and pan.coordinator.paa.left(self.mac)
        delay_s = TERMINATE_S if answered else TERMINATE_UNANSWERED_S
        self._pana.after(delay_s, self._terminated, address, answered)
        return True

    def send(self, datagram: Datagram, done: Callable[[Result], object]) -> None:
        """Send a datagram; `done` is told how it ended, or that address resolution comes first."""
        destination = datagram.destination
        peer = self.session.address if destination == ALL_NODES and self.session is not None else destination
        pan = self._air.find(self, peer)
        send_s = self._random.uniform(*self.send_s)
        if self._duty_limited or self.scanning:
            self._sends.after(NEIGHBOUR_S, done, Result.BARRED)
        elif self._air.faults.strikes("failed_sends"):
            self._sends.after(NEIGHBOUR_S, done, Result.BUSY)
        elif destination != ALL_NODES and destination not in self.neighbours:
            self._sends.after(send_s, done, Result.RESOLVING)
            self._sends.after(send_s + NO_ACK_S, self._resolved, pan, datagram)
        elif pan is None:
            self._sends.after(NO_ACK_S, done, Result.UNACKNOWLEDGED)
        else:
            self._sends.after(send_s, self._deliver, pan, datagram, done)

    def hear(self, datagram: Datagram) -> None:
        """Take a datagram from the air; without a session there is no key for an encrypted one."""
        if self.session is not None and not self.authenticating:
            self._firmware.received(datagram)

    def session_ended(self, address: bytes) -> None:
        """Take the coordinator's request to end the session."""
        if self.session is not None and self.session.address == address:
            self._drop_session()
            self._firmware.ended_by_peer(address)

    def forget_session(self) -> None:
        """Lose the session without a word to anybody."""
        self._drop_session()

    def expire_session(self) -> None:
        """Find the session expired now, on both sides, and join again where renewal is automatic."""
        if self.session is not None:
            address = self.session.address
            pan = self._air.find(self, address)
            if pan is not None and pan.coordinator is not None:
                pan.coordinator.paa.forget_session()
            self._expired(address)

    def ping(self, address: bytes) -> None:
        """Send an echo request; an answer is reported."""
        if self._air.find(self, address) is not None and not self._duty_limited:
            self._sends.after(2 * self._random.uniform(*self.send_s), self._firmware.echo_answered, address)

    def _drop_session(self) -> None:
        self._pana.cancel()
        self._lifetime.cancel()
        self.authenticating = False
        self.session = None

    def _scan_finished(self) -> None:
        self.scanning = False
        self._firmware.scan_finished()

    def _neighbour_found(self, address: bytes) -> None:
        self.neighbours.add(address)
        self._firmware.neighbour_found(address)

    def _resolved(self, pan: Pan | None, datagram: Datagram) -> None:
        """Report what became of a datagram that waited for address resolution."""
        if pan is None:
            self._firmware.sent(datagram.destination, Result.UNACKNOWLEDGED)
            return
        self._neighbour_found(datagram.destination)
        self._deliver(pan, datagram, lambda result: self._firmware.sent(datagram.destination, result))

    def _deliver(self, pan: Pan, datagram: Datagram, done: Callable[[Result], object]) -> None:
        self.transmitted_ms += len(datagram.payload) * 8000 // BITS_PER_S + 1
        faults = self._air.faults
        done(Result.UNACKNOWLEDGED if faults.strikes("acknowledgements_lost") else Result.SENT)
        # What is sent while the keys are renewed cannot be read by the meter.
        if pan.coordinator is not None and not self.authenticating and not faults.request_gets_lost():
            pan.coordinator.receive(datagram)

    def _authenticate(self, pan: Pan, paa: Authenticator, *, start_s: float, renewal: bool) -> None:
        """Set the timers of a whole exchange, as the meter's verdict will have it."""
        identity, password = self.identity or "", self.password or ""
        faults = self._air.faults
        if faults.strikes("endless_renewals" if renewal else "endless_joins"):
            return
        refused = faults.strikes("refused_renewals" if renewal else "refused_joins")
        admitted = not refused and paa.admits(self.mac, identity, password)
        exchange = Exchange(paa.identity, self._random)
        messages = [] if renewal else [exchange.start()]
        messages.append(exchange.challenge())
        if admitted:
            messages += [exchange.proof(), exchange.success(paa.session_lifetime_s)]
        else:
            messages.append(exchange.failure())
        join_s = self._random.uniform(*JOIN_S) if paa.join_time_s is None else paa.join_time_s
        if renewal and faults.late_renewals:
            join_s = faults.late_renewals.popleft()
        step_s = max(join_s - start_s, 0.1) / (len(messages) + 1)
        for index, message in enumerate(messages, start=1):
            self._pana.after(start_s + step_s * index, self._request_of_paa, pan, message)
            self._pana.after(start_s + step_s * (index + 0.5), self._firmware.sent, pan.address, Result.SENT)
        if admitted:
            self._pana.after(start_s + step_s * (len(messages) + 1), self._joined, pan.address, paa, renewal)
        else:
            self._pana.after(start_s + step_s * (len(messages) + 1), self._join_failed, pan.address)

    def _request_of_paa(self, pan: Pan, message: bytes) -> None:
        datagram = Datagram(
            source=pan.address,
            destination=self.address,
            source_port=PANA_PORT,
            destination_port=PANA_PORT,
            source_mac=pan.mac,
            secured=False,
            lqi=pan.lqi,
            payload=message,
        )
        self._firmware.received(datagram)

    def _joined(self, address: bytes, paa: Authenticator, renewal: bool) -> None:  # noqa: FBT001 - a timer's call
        if self._air.find(self, address) is None:
            self._pana.after(self._profile.join_unanswered_s, self._join_failed, address)
            return
        self.authenticating = False
        self.session = Session(address)
        paa.joined(self.mac, renewal=renewal)
        now = self._air.clock.now()
        lifetime_s = paa.session_lifetime_s
        self._lifetime.cancel()
        self._lifetime.at(now + timedelta(seconds=lifetime_s * RENEWAL_SHARE), self._renewal_due, address)
        self._lifetime.at(now + timedelta(seconds=lifetime_s + EXPIRY_MARGIN_S), self._expired, address)
        self._firmware.joined(address)

    def _join_failed(self, address: bytes) -> None:
        self._drop_session()
        self._firmware.join_failed(address)

    def _renewal_due(self, address: bytes) -> None:
        if self.renews and self._profile.rejoins:
            self._begin_renewal(address)
        elif self.renews:
            self.renew()

    def _begin_renewal(self, address: bytes) -> bool:
        """Begin to renew; false when the meter does not know the session or cannot be reached."""
        pan = self._air.find(self, address)
        if pan is None or pan.coordinator is None or not pan.coordinator.paa.knows(self.mac):
            return False
        self.authenticating = True
        self._pana.after(NEIGHBOUR_S, self._firmware.sent, address, Result.SENT)
        self._authenticate(pan, pan.coordinator.paa, start_s=NEIGHBOUR_S, renewal=True)
        return True

    def _expired(self, address: bytes) -> None:
        self._drop_session()
        self._firmware.expired(address)
        if self.renews and self._profile.rejoins:
            self.join(address)

    def _terminated(self, address: bytes, answered: bool) -> None:  # noqa: FBT001 - a timer's call
        self._firmware.terminated(address, answered=answered)
