"""The driver for SKSTACK-IP modules of both dialects.

Above: the session. Below: the console, which asks and answers one command at a time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import logging
import re

from ...credentials import Credentials
from ...echonet.frame import PORT as ECHONET_PORT
from ...exceptions import (
    BrouteError,
    CommandRefusedError,
    CredentialsRefusedError,
    ExecutionFailedError,
    MeterSilentError,
    ModuleError,
    ModuleSilentError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
    PortError,
)
from ..base import Datagram, Dialect, Drop, LinkEvent, LinkListener, Module, Network, always
from ..port import Port
from ..turns import Turns, fail, settle
from . import commands
from .codec import PANA_PORT, Event, PanDescription, UdpReceived, rssi_of_lqi
from .console import Console, Report

_LOGGER = logging.getLogger(__name__)

INFORMATION_ATTEMPTS = 2
SENT_TIMEOUT_S = 4.0
"""From SKSENDTO's OK to the EVENT 21 that tells its end, with an address resolution in between."""
MAX_NETWORKS = 256
"""What is kept of one scan: only meters with our pairing ID answer it, one as a rule."""
SCAN_SLACK_S = 5.0
"""What a scan may take beyond the formula (protocol 3.4; up to 0.7 s were measured)."""
JOIN_TIMEOUT_S = 65.0
"""The module repeats the authentication for about 40 s before it gives up with EVENT 24 (protocol 3.5)."""
CLOCK_RESOLUTION_S = 0.001
JOIN_CHECK_S = 3.0
"""After so long without a word a module that joins is asked whether it was reset: it would not say so."""
UNANSWERED_JOIN_S = 25.0
"""A refusal comes within seconds; later than this EVENT 24 means that nobody answered at all."""
DUTY_LIMIT_TRIAL_S = 120.0
"""The module tells the end of its transmission limit (EVENT 33), so only where that got lost."""
LEAVE_TIMEOUT_S = 3.0
"""For EVENT 27 or 28 after SKTERM: an orderly end is tried, not insisted on."""

_SENT = 0x00
_NOT_SENT = 0x01

_EVENT_NEIGHBOUR_FOUND = 0x02
_EVENT_BEACON = 0x20
_EVENT_UDP_SENT = 0x21
_EVENT_SCAN_DONE = 0x22
_EVENT_JOIN_FAILED = 0x24
_EVENT_JOINED = 0x25
_EVENTS_OF_SCAN = frozenset({_EVENT_BEACON, _EVENT_SCAN_DONE})
_EVENTS_OF_JOIN = frozenset({_EVENT_NEIGHBOUR_FOUND, _EVENT_UDP_SENT, _EVENT_JOIN_FAILED, _EVENT_JOINED})
_EVENTS_OF_LEAVE = frozenset({0x27, 0x28})
_EVENTS_OF_SEND = frozenset({_EVENT_UDP_SENT})
_EVENTS = {
    _EVENT_JOIN_FAILED: LinkEvent.JOIN_FAILED,
    _EVENT_JOINED: LinkEvent.JOINED,
    0x26: LinkEvent.ENDED_BY_METER,
    0x27: LinkEvent.ENDED,
    0x28: LinkEvent.ENDED,
    0x29: LinkEvent.EXPIRED,
    0x32: LinkEvent.DUTY_LIMIT_REACHED,
    0x33: LinkEvent.DUTY_LIMIT_LIFTED,
}

_EINFO = re.compile(
    r"[0-9A-F:]{39} [0-9A-F]{16} (?P<channel>[0-9A-F]{2}) (?P<pan_id>[0-9A-F]{4}) (?:(?P<addr16>[0-9A-F]{4})|[0-9A-F])"
)
"""IPADDR, ADDR64, CHANNEL, PANID; then ADDR16 (single stack) or SIDE (dual stack)."""


@dataclass(slots=True)
class _Progress:
    """Whether one of the events came by which a command shows that it is carried out."""

    events: frozenset[int]
    is_seen: bool = False


@dataclass(slots=True)
class _Scan:
    done: asyncio.Future[None]
    networks: list[Network] = field(default_factory=list)


class SkStackLink:
    """An SKSTACK-IP module on an open port.

    Every exchange with the module is carried through by a task of its own: when a caller is cancelled, the answer that
    is still to come is not taken for the answer to somebody else's command.
    """

    def __init__(self, port: Port) -> None:
        self._console = Console(port, self._take, self._drop, self._was_reset, self._lost)
        self._listener: LinkListener | None = None
        self._module: Module | None = None
        self._meter: Network | None = None
        self._has_no_key = False
        self._progress: _Progress | None = None
        self._turns = Turns()
        self._scan: _Scan | None = None
        self._sent: asyncio.Future[int] | None = None
        self._session_change: asyncio.Future[LinkEvent] | None = None
        self._awaited_events: tuple[LinkEvent, ...] = ()
        self._reported_at = 0.0
        """When the module said something by itself last, on the event loop's clock."""

    @property
    def module(self) -> Module:
        """What was identified."""
        if self._module is None:
            raise NotAModuleError("The module was not identified")
        return self._module

    @property
    def is_open(self) -> bool:
        """Whether its port can still be used."""
        return self._console.is_open

    @property
    def duty_limit_trial_s(self) -> float:
        """After so long without news it is tried whether the limit of transmission time was lifted unheard."""
        return DUTY_LIMIT_TRIAL_S

    async def identify(self, wait_s: float) -> bool:
        """Ask whether an SKSTACK-IP module is behind the port, and which dialect it speaks; false if none answers.

        `wait_s`: for the first answer. Nobody else has the link yet, so this needs no turn.

        Raises:
            NotAModuleError: it answers, but not all that every module knows.
        """
        self._console.begin()
        try:
            try:
                version = await self._console.version(wait_s)
            except ModuleSilentError:
                return False
            try:
                self._module = await self._describe(version)
            except ModuleError as err:
                raise NotAModuleError("What is behind this port does not answer as a Wi-SUN module") from err
        finally:
            if self._module is None:
                # Nobody closes a link that was not identified: its port is asked for another family.
                self._console.give_up_line()
        return True

    def listen(self, listener: LinkListener) -> None:
        """Deliver datagrams and events there from now on."""
        self._listener = listener

    async def prepare(self, credentials: Credentials) -> None:
        """Reset the module, which drops an old session, and hand it the credentials."""
        await self._turns.carry_out(self._prepare, credentials)

    async def take_up(self, network: Network) -> bool:
        """Use the session that an earlier program left in the module; only an answer of the meter proves it."""
        return await self._turns.carry_out(self._take_up, network)

    async def scan(self, duration: int) -> list[Network]:
        """Scan all channels and return every network that was heard."""
        return await self._turns.carry_out(self._scan_all, duration)

    async def join(self, network: Network) -> None:
        """Authenticate with the meter of a network."""
        await self._turns.carry_out(self._join, network)

    async def send(self, payload: bytes, may_send: Callable[[], bool] = always) -> bool:
        """Send a datagram to the joined meter, encrypted, unless it may not be sent when its turn has come."""
        return await self._turns.carry_out(self._send, payload, may_send)

    async def leave(self) -> None:
        """End the session with the meter, if there is one; break off a join that is under way."""
        is_joining = LinkEvent.JOINED in self._awaited_events
        if is_joining and self._session_change:
            fail(self._session_change, NotJoinedError("The join was broken off"))
        await self._turns.carry_out(self._leave, reset=is_joining)

    async def close(self) -> None:
        """Close the port and end whatever was under way."""
        try:
            await self._turns.end()
        finally:
            await self._console.close()

    # What the verbs do, each in its turn.

    async def _describe(self, version: str) -> Module:
        await self._console.command(commands.ECHO_OFF)
        try:
            application = await self._console.command(commands.APPLICATION_VERSION, data_prefix="EAPPVER ")
        except CommandRefusedError:
            application = None
        information = await self._information()
        return Module(
            dialect=Dialect.SINGLE_STACK if information["addr16"] else Dialect.DUAL_STACK,
            version=version,
            application_version=application,
            hex_payload=await self._console.payload_form(),
        )

    async def _information(self) -> re.Match[str]:
        # The dialect depends on it: what was spoilt on the wire is asked for again.
        for _ in range(INFORMATION_ATTEMPTS):
            information = await self._console.command(commands.INFORMATION, data_prefix="EINFO ")
            if match := _EINFO.fullmatch(information or ""):
                return match
        raise NotAModuleError("The module does not say what it is")

    async def _prepare(self, credentials: Credentials) -> None:
        self._meter = None
        await self._console.command(commands.RESET)
        self._has_no_key = True
        await self._console.command(commands.ECHO_OFF)
        await self._report_signal_strength()
        await self._console.command(commands.set_password(credentials))
        await self._console.command(commands.set_route_b_id(credentials))

    async def _take_up(self, network: Network) -> bool:
        if not await self._is_set_to(network):
            return False
        await self._report_signal_strength()
        self._meter = network
        return True

    async def _is_set_to(self, network: Network) -> bool:
        # A reset sets both back, so where they differ there is no session with this meter.
        information = await self._information()
        return information.group("channel", "pan_id") == (f"{network.channel:02X}", f"{network.pan_id:04X}")

    async def _report_signal_strength(self) -> None:
        if self.module.dialect is Dialect.DUAL_STACK:
            # With every datagram. On single-stack modules the register may be the transmit power.
            await self._console.command(commands.write_register("SA2", "1"))

    async def _scan_all(self, duration: int) -> list[Network]:
        scan = self._scan = _Scan(_future())
        try:
            await self._begin(commands.active_scan(self.module.dialect, duration), _EVENTS_OF_SCAN)
            async with asyncio.timeout(commands.scan_time_s(duration) + SCAN_SLACK_S):
                await scan.done
        except TimeoutError:
            # Where something was heard, only the report of the end was lost.
            self._console.finish_description()
            if not scan.networks:
                raise ModuleSilentError("The module did not finish its scan") from None
        finally:
            self._scan = None
        return scan.networks

    async def _join(self, network: Network) -> None:
        loop = asyncio.get_running_loop()
        change = self._await_events(LinkEvent.JOINED, LinkEvent.JOIN_FAILED)
        try:
            await self._console.command(commands.write_register("S2", f"{network.channel:02X}"))
            await self._console.command(commands.write_register("S3", f"{network.pan_id:04X}"))
            self._meter = network
            if not change.done():
                await self._begin(commands.join(commands.link_local_address(network.mac)), _EVENTS_OF_JOIN)
            began_at = loop.time()
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                event = await self._outcome(change, network)
        except TimeoutError:
            raise MeterSilentError("The meter did not answer the authentication") from None
        finally:
            self._session_change = None
            self._awaited_events = ()
        if event is LinkEvent.JOINED:
            return
        if loop.time() - began_at > UNANSWERED_JOIN_S:
            raise MeterSilentError("The meter did not answer the authentication")
        raise CredentialsRefusedError("The meter did not accept the authentication")

    async def _outcome(self, change: asyncio.Future[LinkEvent], network: Network) -> LinkEvent:
        """Wait for the end of a join, and see meanwhile that the module is still at it."""
        loop = asyncio.get_running_loop()
        self._reported_at = loop.time()
        while not change.done():
            silent_s = loop.time() - self._reported_at
            await asyncio.wait((change,), timeout=JOIN_CHECK_S - silent_s)
            if change.done() or loop.time() - self._reported_at < JOIN_CHECK_S - CLOCK_RESOLUTION_S:
                continue
            self._reported_at = loop.time()
            try:
                is_at_it = await self._is_set_to(network)
            except ModuleError:
                if not change.done():
                    raise
            else:
                if not is_at_it:
                    self._was_reset()
        return change.result()

    async def _send(self, payload: bytes, may_send: Callable[[], bool]) -> bool:
        if not may_send():
            return False
        if self._meter is None:
            raise NotSentError("There is no meter to send to")
        address = commands.link_local_address(self._meter.mac)
        sent = self._sent = _future()
        progress = self._progress = _Progress(_EVENTS_OF_SEND)
        try:
            await self._hand_over(commands.send_to(self.module.dialect, address, ECHONET_PORT, payload), progress)
            if not sent.done():
                await asyncio.wait((sent,), timeout=SENT_TIMEOUT_S)
        finally:
            self._sent = self._progress = None
        if not sent.done():
            # The report may have been lost on the wire; whether the meter got it shows in its answer.
            _LOGGER.debug("The module did not report the end of a transmission")
        elif sent.result() == _NOT_SENT:
            raise NotSentError("The module could not put the datagram on the air")
        return True

    async def _hand_over(self, command: bytes, progress: _Progress) -> None:
        try:
            await self._console.send(command, lambda: progress.is_seen)
        except ExecutionFailedError:
            raise NotJoinedError("The module has no session with the meter") from None
        except CommandRefusedError:
            raise NotSentError("The module did not understand what to send") from None

    async def _leave(self, *, reset: bool) -> None:
        change = self._await_events(LinkEvent.ENDED)
        try:
            await self._begin(commands.TERMINATE, _EVENTS_OF_LEAVE)
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await change
        except ExecutionFailedError:
            # There was no session, or it was ended by the first of two attempts. A join ends in no other way.
            if reset:
                await self._console.command(commands.RESET)
        except TimeoutError:
            _LOGGER.debug("The module did not report the end of the session")
        finally:
            self._session_change = None
            self._awaited_events = ()

    async def _begin(self, command: bytes, events: frozenset[int]) -> None:
        """Give a command that goes on behind its OK; any of the events shows that it does, should the OK be lost."""
        progress = self._progress = _Progress(events)
        try:
            await self._console.command(command, has_begun=lambda: progress.is_seen)
        finally:
            self._progress = None

    def _await_events(self, *events: LinkEvent) -> asyncio.Future[LinkEvent]:
        self._awaited_events = events
        self._session_change = _future()
        return self._session_change

    # What comes from the module, whenever it likes.

    def _take(self, report: Report) -> None:
        self._reported_at = asyncio.get_running_loop().time()
        match report:
            case Event(number, parameter):
                self._take_event(number, parameter)
            case PanDescription(network):
                self._take_network(network)
            case UdpReceived():
                self._take_datagram(report)

    def _take_event(self, number: int, parameter: int | None) -> None:
        _LOGGER.debug("← EVENT %02X%s", number, "" if parameter is None else f" {parameter:02X}")
        if self._progress and number in self._progress.events:
            self._progress.is_seen = True
        if number == _EVENT_UDP_SENT:
            # 02: the module looks for the address first, sends by itself, and reports again.
            if self._sent and parameter in (_SENT, _NOT_SENT):
                settle(self._sent, parameter)
        elif number == _EVENT_SCAN_DONE:
            if self._scan:
                settle(self._scan.done, None)
        elif event := _EVENTS.get(number):
            if event is LinkEvent.JOINED:
                self._has_no_key = False
            if self._session_change and event in self._awaited_events:
                settle(self._session_change, event)
            self._tell(event)

    def _take_network(self, network: Network) -> None:
        if not self._scan:
            return
        if len(self._scan.networks) < MAX_NETWORKS:
            self._scan.networks.append(network)
        else:
            self._drop(Drop.OVERLONG)

    def _take_datagram(self, received: UdpReceived) -> None:
        ports = {received.remote_port, received.local_port}
        if ports != {ECHONET_PORT}:
            if ports != {PANA_PORT}:
                self._drop(Drop.WRONG_PORT)
            return
        mac = bytes.fromhex(received.mac)
        if len(mac) != 8 or received.sender != commands.link_local_address(mac):
            self._drop(Drop.STRANGER)
            return
        if self._has_no_key and received.secured and self._is_joining(mac):
            _LOGGER.debug("The meter speaks encrypted: the report that it was joined was lost")
            self._take_event(_EVENT_JOINED, None)
        if self._listener:
            self._listener.on_datagram(
                Datagram(
                    mac=mac,
                    encrypted=received.secured,
                    rssi_dbm=None if received.lqi is None else rssi_of_lqi(received.lqi),
                    lqi=received.lqi,
                    payload=received.payload,
                )
            )

    def _is_joining(self, mac: bytes) -> bool:
        return (
            self._session_change is not None
            and LinkEvent.JOINED in self._awaited_events
            and self._meter is not None
            and self._meter.mac == mac
        )

    def _tell(self, event: LinkEvent) -> None:
        if self._listener:
            self._listener.on_event(event)

    def _drop(self, drop: Drop) -> None:
        if self._listener:
            self._listener.on_drop(drop)

    def _was_reset(self) -> None:
        _LOGGER.debug("The echo is on again, or the registers are set back: the module was reset")
        self._break_off(ModuleError("The module was reset"))
        self._tell(LinkEvent.RESET)

    def _lost(self) -> None:
        lost = PortError("The port was lost")
        if self._sent:
            fail(self._sent, lost)
        self._break_off(lost)
        self._tell(LinkEvent.LOST)

    def _break_off(self, err: BrouteError) -> None:
        """End what the module was at, and does no more."""
        for future in (self._scan and self._scan.done, self._session_change):
            if future:
                fail(future, err)


def _future[T]() -> asyncio.Future[T]:
    return asyncio.get_running_loop().create_future()
