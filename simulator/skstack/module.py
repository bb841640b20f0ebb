"""A Wi-SUN module with SKSTACK-IP, single or dual stack: commands in, lines out.

Between the radio, which does the work, and the serial line, which gives each byte its time. What each command does is
in `commands`; here is what makes it a device: one command at a time, echo, events, reset.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import override

from simulator.air import Air, Datagram, Pan
from simulator.clock import Timers
from simulator.faults import Fate, Message
from simulator.ports import Port
from simulator.radio import Radio, Result
from simulator.uart import Uart

from . import lines
from .commands import COMMANDS, OK, SendCommand, option_command, send_command
from .products import Product
from .reader import VENDOR_COMMANDS, Command, CommandReader
from .state import SkstackState
from .syntax import FailError, ipv6_text

COMMAND_S = 0.004
"""From the end of a command to its answer, as captured."""
COMMANDS_KEPT = 4096
EVENT_21 = {Result.SENT: 0x00, Result.RESOLVING: 0x02}
"""The parameter of EVENT 21; whatever failed is 01."""
GLUE_AT = 8
"""Where a glued event cuts into an echo: behind the name of SKSENDTO."""


class SkstackModule(SkstackState):
    """A module.

    Args:
        air: where its radio listens.
        product: which module it is.
        mac: its MAC address, eight bytes.
        hexadecimal: how payload is printed at first (WOPT, in flash); products without options know only that.
        echo: whether it starts with the echo on, as after a reset.

    Attributes:
        uart: the serial line.
        port: `plug()` and `unplug()`.
        event21_after_ok: print the EVENT 21 of SKSENDTO after its OK.
        commands: the names of the last commands carried out or refused, in order.
    """

    def __init__(self, air: Air, product: Product, mac: bytes, *, hexadecimal: bool = False, echo: bool = True) -> None:
        super().__init__(product, Radio(air, mac, self), hexadecimal=hexadecimal, echo=echo)
        self.uart = Uart(air.clock, air.faults, self._feed)
        self.port = Port(self.uart, product.name)
        self.event21_after_ok = False
        self.commands: deque[str] = deque(maxlen=COMMANDS_KEPT)
        self._faults = air.faults
        self._reader = CommandReader(product.send_words)
        self._timers = Timers(air.clock)
        self._busy = False
        self._glued: list[Message] = []

    async def open_port(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the module's port in memory; see `Port.open`."""
        return await self.port.open(url, protocol_factory)

    def reset(self) -> None:
        """Start anew as after a loss of power: no session, default registers, echo on, not a word to the host."""
        self.restart()
        self._reader.clear()
        self._timers.cancel()
        self.uart.cut()
        self._busy = False

    @override
    def restart(self) -> None:
        super().restart()
        self._glued.clear()

    def close(self) -> None:
        """Stop everything; an open port is lost."""
        self.port.unplug()
        self.reset()

    def _feed(self, data: bytes) -> None:
        self._reader.feed(data)
        self._next_command()

    def _next_command(self) -> None:
        if self._busy:
            return
        echo, command = self._reader.take()
        self._echo(echo)
        if command is not None:
            self._busy = True
            self._timers.after(COMMAND_S, self._execute, command)

    def _execute(self, command: Command) -> None:
        name = command.words[0]
        if command.needs_data:
            self._expect_data(command)
            return
        if not command.data:
            self.commands.append(name)
        fate = self._faults.command(name)
        if fate.refusal is not None:
            self._refuse(fate.refusal)
        elif fate.carried_out:
            self._carry_out(command, fate)
        else:
            self._done()

    def _carry_out(self, command: Command, fate: Fate) -> None:
        try:
            if command.words[0] == "SKSENDTO" and not command.broken:
                self._send_to(command, fate)
                return
            self._run(command, fate)
        except FailError as refusal:
            self._refuse(refusal.code)
        else:
            self._done()

    def _run(self, command: Command, fate: Fate) -> None:
        name, *arguments = command.words
        if command.broken:
            raise FailError(9)
        if name.encode("latin-1") in VENDOR_COMMANDS:
            answers, end = [option_command(self, command.words)], b"\r"
        elif name not in COMMANDS:
            raise FailError(4)
        else:
            answers, end = COMMANDS[name](self, arguments), lines.CRLF
        for answer in answers:
            if fate.confirmed or not answer.startswith(OK):
                self._answer(answer, end)

    def _refuse(self, code: int) -> None:
        self._answer(f"FAIL ER{code:02d}")
        self._done()

    def _done(self) -> None:
        self._busy = False
        self._next_command()

    def _expect_data(self, command: Command) -> None:
        """Take the header of SKSENDTO; it is carried out when the data has come."""
        self.commands.append(command.words[0])
        try:
            self._reader.expect(command, send_command(self, command.words[1:]).length)
        except FailError as refusal:
            self._refuse(refusal.code)
        else:
            self._done()

    def _send_to(self, command: Command, fate: Fate) -> None:
        """Carry out SKSENDTO."""
        if not command.data:
            raise FailError(5)
        wanted = send_command(self, command.words[1:])
        secured = wanted.secured(self.radio)
        datagram = Datagram(
            source=self.radio.address,
            destination=wanted.destination,
            source_port=self.udp_ports[wanted.handle - 1],
            destination_port=wanted.port,
            source_mac=self.radio.mac,
            secured=secured,
            lqi=0,
            payload=command.data,
        )
        self.radio.send(datagram, lambda result: self._sent_to(wanted, fate, result))

    def _sent_to(self, wanted: SendCommand, fate: Fate, result: Result) -> None:
        if not self.event21_after_ok:
            self.sent(wanted.destination, result)
        if fate.confirmed:
            self._answer(OK)
        if self.event21_after_ok:
            self.sent(wanted.destination, result)
        self._done()

    def beacon_heard(self) -> None:
        """EVENT 20."""
        self._event(0x20, self.radio.address)

    def beacon_described(self, pan: Pan, pairing_id: str | None) -> None:
        """EPANDESC."""
        for row in lines.pan_description(pan, dual=self.product.dual, pairing_id=pairing_id):
            self.uart.say(row)

    def channel_scanned(self, channel: int) -> None:
        """Nothing: the beacons have been told one by one."""

    def scan_finished(self) -> None:
        """EVENT 22."""
        self._event(0x22, self.radio.address)

    def sent(self, address: bytes, result: Result) -> None:
        """EVENT 21."""
        self._event(0x21, address, EVENT_21.get(result, 0x01))

    def neighbour_found(self, address: bytes) -> None:
        """EVENT 02."""
        self._event(0x02, address)

    def received(self, datagram: Datagram) -> None:
        """ERXUDP, if the port is one of the open ones."""
        if datagram.destination_port in self.udp_ports:
            rssi = bool(self.registers.values["SA2"])
            line = lines.received(
                datagram,
                dual=self.product.dual,
                rssi=rssi,
                hexadecimal=self.hexadecimal,
                length=self._faults.claimed_length(len(datagram.payload)),
            )
            self._report(line)

    def joined(self, address: bytes) -> None:
        """EVENT 25."""
        self._event(0x25, address)

    def join_failed(self, address: bytes) -> None:
        """EVENT 24."""
        self._event(0x24, address)

    def ended_by_peer(self, address: bytes) -> None:
        """EVENT 26."""
        self._event(0x26, address)

    def terminated(self, address: bytes, *, answered: bool) -> None:
        """EVENT 27, or 28 when the meter did not answer."""
        self._event(0x27 if answered else 0x28, address)

    def expired(self, address: bytes) -> None:
        """EVENT 29."""
        self._event(0x29, address)

    def duty_limit(self, *, reached: bool) -> None:
        """EVENT 32 and 33."""
        self._event(0x32 if reached else 0x33, self.radio.address)

    def echo_answered(self, address: bytes) -> None:
        """EPONG."""
        self._report(lines.line(f"EPONG {ipv6_text(address)}"))

    def _event(self, number: int, address: bytes, parameter: int | None = None) -> None:
        self._report(lines.event(number, address, dual=self.product.dual, parameter=parameter))

    def _report(self, line: Message) -> None:
        """Print what comes unasked; a fault may hold it until it can cut into an echo."""
        if self.registers.values["SFE"] and self._faults.strikes("glued_events"):
            self._glued.append(line)
        else:
            self.uart.say(line)

    def _answer(self, text: str, end: bytes = lines.CRLF) -> None:
        self.uart.say(lines.line(text, end))

    def _echo(self, echo: bytes) -> None:
        if echo and self.registers.values["SFE"]:
            glued, self._glued = b"".join(map(bytes, self._glued)), []
            self.uart.echo(echo[:GLUE_AT] + glued + echo[GLUE_AT:])
