"""A Wi-SUN module with J11 firmware: requests in, responses and notifications out.

Between the radio, which does the work, and the serial line, which gives each byte its time. What each command does is
in `commands`; here is what makes it a device: one command at a time, notifications, supervision, reset.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from enum import IntEnum
from typing import override

from simulator.air import Air, Datagram, Pan
from simulator.clock import Timers
from simulator.faults import Fate
from simulator.pana import UDP_PORT as PANA_PORT
from simulator.ports import Port
from simulator.radio import Profile, Radio, Result
from simulator.uart import Uart

from . import frames
from .commands import COMMANDS, ping_command, scan_command, start_command, transmit_command
from .products import Product
from .reader import UNREADABLE, Request, RequestReader
from .results import RefusedError, ResultCode
from .state import J11State

COMMAND_S = 0.023
"""From the end of a request to its response (captured: 26 ms to the end of 206B)."""
START_UP_S = 0.5
"""From a reset to 6019; there is no figure, 2 s is what a host is told to wait."""
DATA_WAIT_S = 1.0
"""For so long the rest of a request is waited for."""
SCAN_UNIT_S = 0.00964
"""Time on one channel: this x 2^duration."""
START_DURATION = 8
"""The scan of one channel by which 0053 finds the coordinator: 2.5 s, of the 2.6 s that a host is told to wait."""
UNAUTHENTICATED_S = 4800.0
"""A connection without a session is dropped after this."""
UNACKNOWLEDGED = 3
"""So many transmissions in a row without an acknowledgement, and nothing heard since, and the coordinator is gone."""
PING_S = 5.0
"""An echo request without a reply is given up after this."""
PROFILE = Profile(
    scan_unit_s=SCAN_UNIT_S,
    scan_extra_units=0,
    scan_overhead_s=0.01,
    beacon_details_s=(0.0, 0.0),
    beacon_gap_s=0.0,
    # The least of the worst cases that a host is told to be ready for.
    join_unanswered_s=311.0,
    renewal_unanswered_s=180.0,
    rejoins=False,
)
PING_ANSWERED, PING_UNANSWERED = 0x01, 0x02
"""The first byte of 60D1; the reference does not name its data."""
COMMANDS_KEPT = 4096
TRANSMIT, SCAN, START, PING, RESET = 0x0008, 0x0051, 0x0053, 0x00D1, 0x00D9
UNKNOWN = 0xFFFF
"""The code of the response to a command that there is not."""
PAYLOAD_SHOWN = 5
"""The response to 0008 repeats so many bytes of its data."""


DETAILS = {
    Result.SENT: 0x00,
    Result.BARRED: 0x02,
    Result.BUSY: 0x03,
    Result.UNACKNOWLEDGED: 0x05,
    Result.RESOLVING: 0x0F,
}
"""The second byte of the response to 0008; nothing is ever queued for a HAN device that sleeps."""


class PanaOutcome(IntEnum):
    """The first byte of 6028."""

    OK = 1
    FAILED = 2
    NO_RESPONSE = 3


class J11Module(J11State):
    """A module.

    Args:
        air: where its radio listens.
        product: which module it is.
        mac: its MAC address, eight bytes.

    Attributes:
        uart: the serial line.
        port: `plug()` and `unplug()`.
        commands: the codes of the last commands carried out or refused, four hexadecimal digits each, in order.
    """

    def __init__(self, air: Air, product: Product, mac: bytes) -> None:
        super().__init__(product, Radio(air, mac, self, PROFILE))
        self.uart = Uart(air.clock, air.faults, self._feed)
        self.port = Port(self.uart, product.name)
        self.commands: deque[str] = deque(maxlen=COMMANDS_KEPT)
        self._air = air
        self._faults = air.faults
        self._reader = RequestReader()
        self._timers = Timers(air.clock)
        self._patience = Timers(air.clock)
        self._unauthenticated = Timers(air.clock)
        self._ping = Timers(air.clock)
        self._lasting: dict[int, Callable[[bytes], None]] = {
            TRANSMIT: self._transmit,
            SCAN: self._scan,
            START: self._start,
            PING: self._echo,
        }
        self._clear()

    async def open_port(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the module's port in memory; see `Port.open`."""
        return await self.port.open(url, protocol_factory)

    def reset(self) -> None:
        """Start anew as after a loss of power: nothing is remembered, and 6019 tells when it is up."""
        self.restart()
        self.uart.cut()
        self._starting_up = True
        self._timers.after(START_UP_S, self._started_up)

    def close(self) -> None:
        """Stop everything; an open port is lost."""
        self.port.unplug()
        self.restart()
        self.uart.cut()

    @override
    def restart(self) -> None:
        super().restart()
        self._reader.clear()
        for timers in (self._timers, self._patience, self._unauthenticated, self._ping):
            timers.cancel()
        self._clear()

    def _clear(self) -> None:
        self._starting_up = False
        self._busy = False
        self._confirmed = True
        self._pinging = False
        self._supervised = False
        self._unacknowledged = 0
        self._heard: list[Pan] = []

    def _started_up(self) -> None:
        self._starting_up = False
        self.uart.say(frames.frame(frames.STARTED_UP))

    def _feed(self, data: bytes) -> None:
        if self._starting_up:
            return
        self._patience.cancel()
        self._reader.feed(data)
        while (request := self._reader.take()) is not None:
            self._take(request)
        if self._reader.waiting:
            self._patience.after(DATA_WAIT_S, self._give_up)

    def _give_up(self) -> None:
        request = self._reader.give_up()
        if request is not None:
            self._take(request)

    def _take(self, request: Request) -> None:
        name = f"{request.code:04X}"
        if request.code != UNREADABLE:
            self.commands.append(name)
        if request.error is not None:
            self._respond_soon(request.code, request.error)
        elif self._busy and request.code != RESET:
            self._respond_soon(request.code, ResultCode.COMMAND_BUSY)
        else:
            self._begin(request, self._faults.command(name))

    def _begin(self, request: Request, fate: Fate) -> None:
        if fate.refusal is not None:
            self._respond_soon(request.code, fate.refusal)
        elif fate.carried_out and request.code == RESET:
            self.reset()
        elif fate.carried_out:
            self._busy = True
            self._confirmed = fate.confirmed
            self._timers.after(COMMAND_S, self._execute, request)

    def _execute(self, request: Request) -> None:
        try:
            if request.code in self._lasting:
                self._lasting[request.code](request.data)
            elif request.code in COMMANDS:
                self._done(request.code, COMMANDS[request.code](self, request.data))
            else:
                self._busy = False
                self._respond(UNKNOWN, ResultCode.UNKNOWN_COMMAND)
        except RefusedError as refusal:
            self._refuse(request.code, refusal.result)
        self._supervise()

    def _done(self, code: int, data: bytes = b"") -> None:
        """End a command that went well."""
        self._busy = False
        if self._confirmed:
            self._respond(code, ResultCode.OK, data)

    def _refuse(self, code: int, result: ResultCode) -> None:
        """End a command that did not."""
        self._busy = False
        self._respond(code, result)

    def _transmit(self, data: bytes) -> None:
        datagram = transmit_command(self, data)
        self.radio.send(datagram, lambda result: self._transmitted(datagram, result))

    def _transmitted(self, datagram: Datagram, result: Result) -> None:
        self._done(TRANSMIT, bytes((DETAILS[result],)) + datagram.payload[:PAYLOAD_SHOWN])
        self._unacknowledged = self._unacknowledged + 1 if result is Result.UNACKNOWLEDGED else 0
        if self._unacknowledged == UNACKNOWLEDGED:
            self._connection_lost()

    def _scan(self, data: bytes) -> None:
        wanted = scan_command(self, data)
        self.radio.scan(
            [frames.radio_channel(channel) for channel in wanted.channels], wanted.duration, wanted.pairing_id
        )

    def _start(self, data: bytes) -> None:
        pairing_id = start_command(self, data)
        self._timers.after(SCAN_UNIT_S * 2**START_DURATION, self._searched, pairing_id)

    def _searched(self, pairing_id: str) -> None:
        found = list(self._air.beacons(self.radio.channel, pairing_id, START_DURATION))
        if not found:
            self._refuse(START, ResultCode.NOT_CONNECTED)
            return
        best = self.connect(max(found, key=lambda pan: pan.lqi))
        self._done(START, bytes((self.channel,)) + best.pan_id.to_bytes(2) + best.mac + best.rssi)
        self._unacknowledged = 0
        self._supervise()

    def _echo(self, data: bytes) -> None:
        address = ping_command(self, data)
        if self._pinging:
            raise RefusedError(ResultCode.PING_BUSY)
        self._pinging = True
        self._done(PING)
        self._ping.after(PING_S, self._pinged, address, PING_UNANSWERED)
        self.radio.ping(address)

    def _pinged(self, address: bytes, outcome: int) -> None:
        self._ping.cancel()
        self._pinging = False
        self.uart.say(frames.frame(frames.PINGED, bytes((outcome,)) + address))

    def _supervise(self) -> None:
        """See to it that a connection without a session does not last."""
        unauthenticated = self.connection is not None and self.radio.session is None
        if unauthenticated and not self._supervised:
            due = self._air.clock.now() + timedelta(seconds=UNAUTHENTICATED_S)
            self._unauthenticated.at(due, self._connection_lost)
        elif not unauthenticated:
            self._unauthenticated.cancel()
        self._supervised = unauthenticated

    def _session_lost(self) -> None:
        self._tell_change(frames.PANA_DOWN)
        self.pana_over()
        self._supervise()

    def _connection_lost(self) -> None:
        """Drop the coordinator, and with it B-route operation."""
        self._tell_change(frames.MAC_DOWN)
        self.disconnect()
        self._supervise()

    def beacon_heard(self) -> None:
        """Nothing: what was heard is told at the end of the channel."""

    def beacon_described(self, pan: Pan, pairing_id: str | None) -> None:
        """Keep what 4051 will tell."""
        self._heard.append(pan)

    def channel_scanned(self, channel: int) -> None:
        """4051."""
        heard, self._heard = self._heard, []
        self.uart.say(frames.scanned(frames.j11_channel(channel), heard))

    def scan_finished(self) -> None:
        """2051."""
        self._done(SCAN)

    def sent(self, address: bytes, result: Result) -> None:
        """Nothing: the module tells what becomes of the host's own datagrams only."""

    def neighbour_found(self, address: bytes) -> None:
        """Nothing: address resolution is the module's own affair."""

    def received(self, datagram: Datagram) -> None:
        """6018, if the port is open; the module keeps PANA to itself."""
        if datagram.destination_port == PANA_PORT:
            self.pana_answered = True
            return
        if self.connection is not None and datagram.source_mac == self.connection.mac:
            self._unacknowledged = 0
        if datagram.destination_port in self.udp_ports:
            length = self._faults.claimed_length(len(datagram.payload))
            self.uart.say(frames.received(datagram, self.radio.pan_id, length))

    def joined(self, address: bytes) -> None:
        """6028 01, unless the module has renewed the session by itself."""
        if self.pana_requested:
            self._tell_outcome(PanaOutcome.OK)
        self.pana_over()
        self._supervise()

    def join_failed(self, address: bytes) -> None:
        """6028 02, or 03 when the meter has not said a word."""
        self._tell_outcome(PanaOutcome.FAILED if self.pana_answered else PanaOutcome.NO_RESPONSE)
        self.pana_over()
        self._supervise()

    def ended_by_peer(self, address: bytes) -> None:
        """601A 04."""
        self._session_lost()

    def terminated(self, address: bytes, *, answered: bool) -> None:
        """601A 04: nobody is told of an end that the host has asked for, so this one was not."""
        self._session_lost()

    def expired(self, address: bytes) -> None:
        """601A 04."""
        self._session_lost()

    def duty_limit(self, *, reached: bool) -> None:
        """Nothing: the response to 0008 tells."""

    def echo_answered(self, address: bytes) -> None:
        """60D1."""
        if self._pinging:
            self._pinged(address, PING_ANSWERED)

    def _tell_outcome(self, outcome: PanaOutcome) -> None:
        if self.connection is not None:
            self.uart.say(frames.frame(frames.AUTHENTICATED, bytes((outcome,)) + self.connection.mac))

    def _tell_change(self, change: int) -> None:
        if self.connection is not None:
            data = bytes((change,)) + self.connection.mac + self.connection.rssi
            self.uart.say(frames.frame(frames.CONNECTION_CHANGED, data))

    def _respond_soon(self, code: int, result: int) -> None:
        self._timers.after(COMMAND_S, self._respond, code, result)

    def _respond(self, code: int, result: int, data: bytes = b"") -> None:
        self.uart.say(frames.frame(code | frames.ANSWER, bytes((result,)) + data))
