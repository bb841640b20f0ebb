"""The driver for J11 modules.

Above: the session. Below: the requester, which asks and is answered one request at a time.
"""

import asyncio
from collections.abc import Callable
import logging

from ...credentials import Credentials
from ...echonet.frame import PORT as ECHONET_PORT
from ...exceptions import (
    BrouteError,
    CommandRefusedError,
    CredentialsRefusedError,
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
from .codec import (
    PANA_PORT,
    Beacon,
    BlockState,
    Change,
    ChannelScanned,
    ConnectionChanged,
    NotReceived,
    PanaEnded,
    PanaResult,
    Started,
    Status,
    Transmission,
    UdpReceived,
    Version,
)
from .requester import Report, Requester

_LOGGER = logging.getLogger(__name__)

START_LIMIT_S = 3.0
"""From the reset to the report that the module has started."""
JOIN_LIMIT_S = 60.0
"""A join takes seconds; the manual's worst case is 706 s, and 60 to 120 s are practical (protocol 4.5)."""
DUTY_LIMIT_TRIAL_S = 10.0
"""Nothing tells the end of the transmission limit, and what the module refuses does not use the air."""
MAX_BEACONS = 256
"""What is kept of one scan: only meters with our pairing ID answer it, one as a rule."""

# Results that are no failure, or one of the meter; most of them answer a request whose first answer was lost.
_PORT_ALREADY_OPEN = 0x0A
_CONNECT_FAILED = 0x0E
_ROUTE_B_RUNS = 0x34
_PANA_DONE = 0x35
_PANA_RUNS = 0x52
_CREDENTIALS_ALREADY_SET = 0x58
_NOT_RUNNING = (0x0F, 0x10, 0x37)
"""What there is to end has ended, or never began."""

_NO_SESSION = frozenset({0x02, 0x06, 0x0B, *_NOT_RUNNING, 0x53})
"""The module does not know the meter's address, or nothing that a transmission needs has been started."""

_SENT = 0x0
_BARRED = 0x2
_NOT_SENT_REASONS = {
    _BARRED: "its limit of transmission time is reached",
    0x3: "the air is busy",
    0x5: "the meter did not acknowledge it",
    0xF: "it was only queued",
}


class J11Link:
    """A J11 module on an open port.

    Its limit of transmission time (ARIB) is reported by no event: while it lasts, each `send()` raises `NotSentError`,
    the first of which tells that it is reached, and the first that does not that it is lifted. Renewals of the session
    are reported only if they fail.
    """

    def __init__(self, port: Port) -> None:
        self._requester = Requester(port, self._take, self._drop, self._lost)
        self._listener: LinkListener | None = None
        self._module: Module | None = None
        self._credentials: Credentials | None = None
        self._meter: Network | None = None
        self._in_session = False
        self._is_barred = False
        self._is_leaving = False
        self._turns = Turns()
        self._start: asyncio.Future[None] | None = None
        self._beacons: list[Beacon] | None = None
        self._authentication: asyncio.Future[PanaResult] | None = None

    @property
    def module(self) -> Module:
        """What was identified.

        `version` is major, minor and revision of the firmware, the last in hex; `application_version` is its ID.
        """
        if self._module is None:
            raise NotAModuleError("The module was not identified")
        return self._module

    @property
    def is_open(self) -> bool:
        """Whether its port can still be used."""
        return self._requester.is_open

    @property
    def duty_limit_trial_s(self) -> float:
        """After so long without news it is tried whether the limit of transmission time was lifted unheard."""
        return DUTY_LIMIT_TRIAL_S

    async def identify(self, wait_s: float) -> bool:
        """Ask whether a J11 module is behind the port; false if none answers within `wait_s`.

        Nobody else has the link yet, so this needs no turn.
        """
        try:
            answer = await self._requester.try_once(commands.VERSION, wait_s)
        except ModuleError:
            return False  # it was just starting, and can be asked again
        if answer is None or not isinstance(answer.value, Version):
            return False
        version = answer.value
        self._module = Module(
            dialect=Dialect.J11,
            version=f"{version.major}.{version.minor}.{version.revision:X}",
            application_version=f"{version.firmware_id:04X}",
            hex_payload=False,
        )
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
        """Scan all channels for the meter of the credentials; `duration`: 1 to 14.

        Raises:
            ModuleError: the module was not prepared, or did not finish.
        """
        return await self._turns.carry_out(self._scan, duration)

    async def join(self, network: Network) -> None:
        """Connect to the meter of a network and authenticate.

        Raises:
            CredentialsRefusedError: the authentication failed.
            MeterSilentError: the meter is not on this channel, or did not answer.
        """
        await self._turns.carry_out(self._join, network)

    async def send(self, payload: bytes, may_send: Callable[[], bool] = always) -> bool:
        """Send a datagram to the joined meter, encrypted, unless it may not be sent when its turn has come.

        Raises:
            NotSentError: it was not sent, or the meter did not acknowledge it.
            NotJoinedError: the module has no session with the meter.
        """
        return await self._turns.carry_out(self._send, payload, may_send)

    async def leave(self) -> None:
        """End the session with the meter, if there is one; break off a join that is under way."""
        self._is_leaving = True
        if self._authentication:
            fail(self._authentication, NotJoinedError("The join was broken off"))
        await self._turns.carry_out(self._leave)

    async def close(self) -> None:
        """Close the port and end whatever was under way."""
        try:
            await self._turns.end()
        finally:
            await self._requester.close()

    # What the verbs do, each in its turn.

    async def _prepare(self, credentials: Credentials) -> None:
        self._in_session = self._is_barred = False
        self._credentials = credentials
        # The reset itself is not answered, and may be lost on the wire.
        if not await self._reset() and not await self._reset():
            raise ModuleSilentError("The module did not start again")
        await self._requester.ask(commands.initialize())
        await self._requester.ask(commands.set_credentials(credentials), _CREDENTIALS_ALREADY_SET)

    async def _reset(self) -> bool:
        start = self._start = asyncio.get_running_loop().create_future()
        try:
            self._requester.order(commands.RESET)
            async with asyncio.timeout(START_LIMIT_S):
                await start
        except TimeoutError:
            return False
        finally:
            self._start = None
        return True

    async def _take_up(self, network: Network) -> bool:
        try:
            status = await self._requester.ask(commands.STATUS)
            if status.value != Status(started=True, route_b=BlockState.AUTHENTICATED):
                return False
            if (await self._requester.ask(commands.PAN_ID)).value != network.pan_id:
                return False
            if not self._in_session:
                await self._requester.ask(commands.open_port(ECHONET_PORT), _PORT_ALREADY_OPEN)
        except CommandRefusedError:
            return False
        self._meter = network
        self._in_session = True
        return True

    async def _make_idle(self) -> None:
        """End what an earlier join left: neither a scan nor the settings are possible beside it."""
        self._in_session = False
        match (await self._requester.ask(commands.STATUS)).value:
            case Status(route_b=BlockState.INACTIVE):
                return
            case _:
                await self._requester.ask(commands.END_ROUTE_B, *_NOT_RUNNING)

    async def _scan(self, duration: int) -> list[Network]:
        if self._credentials is None:
            raise ModuleError("The module was not told whom to scan for")
        pairing_id = self._credentials.pairing_id
        await self._make_idle()
        beacons = self._beacons = []
        try:
            await self._requester.ask(commands.active_scan(duration, pairing_id), again_when_silent=False)
        finally:
            self._beacons = None
        return [
            Network(
                channel=commands.skstack_channel(beacon.channel),
                pan_id=beacon.pan_id,
                mac=beacon.mac,
                rssi_dbm=float(beacon.rssi_dbm),
                pairing_id=pairing_id,
            )
            for beacon in beacons
        ]

    async def _join(self, network: Network) -> None:
        channel = commands.own_channel(network.channel)
        if channel is None:
            raise MeterSilentError("The module cannot use the channel on which the meter was")
        await self._make_idle()
        await self._requester.ask(commands.initialize(channel))
        try:
            await self._connect(network)
            await self._authenticate()
        except BrouteError:
            # Or it would go on trying, in the way of the next join.
            try:
                await self._requester.ask(commands.END_ROUTE_B, *_NOT_RUNNING)
            except BrouteError as err:
                _LOGGER.debug("The attempt to join was not ended in order: %s", err)
            raise
        self._in_session = True

    async def _connect(self, network: Network) -> None:
        self._meter = network
        answer = await self._requester.ask(commands.START_ROUTE_B, _CONNECT_FAILED, _ROUTE_B_RUNS)
        if answer.result == _ROUTE_B_RUNS:
            # The first answer was lost, and with it what it told.
            await self._requester.ask(commands.END_ROUTE_B, *_NOT_RUNNING)
            answer = await self._requester.ask(commands.START_ROUTE_B, _CONNECT_FAILED)
        meter = answer.value
        if not isinstance(meter, Beacon):
            raise MeterSilentError("The meter does not answer on its channel")
        if (meter.mac, meter.pan_id) != (network.mac, network.pan_id):
            raise MeterSilentError("Another meter or another network answers on the channel")
        await self._requester.ask(commands.open_port(ECHONET_PORT), _PORT_ALREADY_OPEN)

    async def _authenticate(self) -> None:
        if self._is_leaving:
            raise NotJoinedError("The join was broken off")
        authentication = self._authentication = asyncio.get_running_loop().create_future()
        try:
            await self._requester.ask(commands.START_PANA, _PANA_RUNS, _PANA_DONE)
            async with asyncio.timeout(JOIN_LIMIT_S):
                result = await authentication
        except TimeoutError:
            raise MeterSilentError("The authentication did not end in time") from None
        finally:
            self._authentication = None
        if result is PanaResult.FAILED:
            raise CredentialsRefusedError("The meter did not accept the authentication")
        if result is PanaResult.UNANSWERED:
            raise MeterSilentError("The meter did not answer the authentication")

    async def _send(self, payload: bytes, may_send: Callable[[], bool]) -> bool:
        if not may_send():
            return False
        if self._meter is None or not self._in_session:
            # It might go out all the same, and unencrypted.
            raise NotJoinedError("There is no session with the meter to send in")
        request = commands.send_to(commands.link_local_address(self._meter.mac), ECHONET_PORT, payload)
        answer = await self._requester.try_once(request, request.wait_s)
        if answer is None:
            # The answer may have been lost on the wire; whether the meter got it shows in its own answer.
            await self._requester.ask(commands.VERSION)
            _LOGGER.debug("The module did not report the end of a transmission")
        elif answer.result in _NO_SESSION:
            raise NotJoinedError("The module has no session with the meter")
        elif not isinstance(answer.value, Transmission):
            raise NotSentError(f"The module refused to send, with result {answer.result:02X}")
        else:
            self._take_outcome(answer.value.detail & 0x0F)
        return True

    def _take_outcome(self, reason: int) -> None:
        """Raise what a transmission came to, and tell the transmission limit, which is told in no other way."""
        if (reason == _BARRED) != self._is_barred:
            self._is_barred = reason == _BARRED
            self._tell(LinkEvent.DUTY_LIMIT_REACHED if self._is_barred else LinkEvent.DUTY_LIMIT_LIFTED)
        if reason != _SENT:
            why = _NOT_SENT_REASONS.get(reason, f"reason {reason:X}")
            raise NotSentError(f"The module could not send the datagram: {why}")

    async def _leave(self) -> None:
        self._is_leaving = self._in_session = False
        await self._requester.ask(commands.END_PANA, *_NOT_RUNNING)
        await self._requester.ask(commands.END_ROUTE_B, *_NOT_RUNNING)

    # What comes from the module, whenever it likes.

    def _take(self, report: Report) -> None:
        match report:
            case ChannelScanned(beacons):
                if self._beacons is not None:
                    self._beacons.extend(beacons[: MAX_BEACONS - len(self._beacons)])
            case UdpReceived():
                self._take_datagram(report)
            case Started():
                self._take_start()
            case PanaEnded(result):
                self._take_authentication(result)
            case ConnectionChanged(change, mac):
                self._take_change(change, mac)
            case NotReceived(reason):
                _LOGGER.debug("The module received a datagram in part, reason %02X", reason)
                self._drop(Drop.MALFORMED)

    def _take_start(self) -> None:
        if self._start:
            settle(self._start, None)
            return
        self._in_session = False
        err = ModuleError("The module started anew")
        self._requester.break_off(err)
        if self._authentication:
            fail(self._authentication, err)
        self._tell(LinkEvent.RESET)

    def _take_authentication(self, result: PanaResult) -> None:
        if self._authentication:
            settle(self._authentication, result)
        self._in_session = result is PanaResult.SUCCEEDED
        self._tell(LinkEvent.JOINED if self._in_session else LinkEvent.JOIN_FAILED)

    def _take_change(self, change: Change, mac: bytes) -> None:
        if change not in (Change.PANA_DOWN, Change.MAC_DOWN):
            return
        # First the one, then the other: it is one end.
        if self._in_session and self._meter and mac == self._meter.mac:
            self._in_session = False
            self._tell(LinkEvent.ENDED_BY_METER)

    def _take_datagram(self, received: UdpReceived) -> None:
        ports = {received.source_port, received.destination_port}
        if ports != {ECHONET_PORT}:
            if ports != {PANA_PORT}:
                self._drop(Drop.WRONG_PORT)
            return
        mac = commands.mac_of(received.sender)
        if mac is None:
            self._drop(Drop.STRANGER)
        elif self._listener:
            self._listener.on_datagram(
                Datagram(
                    mac=mac,
                    encrypted=received.encrypted,
                    rssi_dbm=float(received.rssi_dbm),
                    payload=received.payload,
                )
            )

    def _tell(self, event: LinkEvent) -> None:
        if self._listener:
            self._listener.on_event(event)

    def _drop(self, drop: Drop) -> None:
        if self._listener:
            self._listener.on_drop(drop)

    def _lost(self) -> None:
        lost = PortError("The port was lost")
        for future in (self._start, self._authentication):
            if future:
                fail(future, lost)
        self._tell(LinkEvent.LOST)
