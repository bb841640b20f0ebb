"""The session with a meter: found, joined, kept, and set up again when it is lost.

Everything that concerns the air is decided here and nowhere else: when to scan, to join, to send, to wait, to give up.
Above: `SmartMeter`, which asks for properties. Below: a `Link`, which does as it is told.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import StrEnum
import logging
import random
from typing import Any

from .credentials import Credentials
from .echonet import node_profile
from .echonet.frame import (
    ANSWERS,
    CONTROLLER,
    NODE_PROFILE,
    PORT,
    SMART_METER,
    Eoj,
    Esv,
    Frame,
    Property,
)
from .exceptions import (
    BrouteError,
    ClosedError,
    CredentialsRefusedError,
    FrameError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
    PortError,
    PropertyError,
)
from .link.base import Datagram, Link, LinkEvent, LinkListener, Module, Network
from .link.identify import identify
from .link.port import PortOpener, open_with_serialx

_LOGGER = logging.getLogger(__name__)

RESPONSE_TIMER_1_S = 20.0
"""For the answer to a request of one property (AIF 2.4.2)."""
RESPONSE_TIMER_2_S = 60.0
"""For the answer to several properties, or to one of the histories (AIF 2.4.2)."""
REPEATS = 2
"""How often a request that the meter leaves unanswered is repeated (protocol 5.2)."""
NOT_SENT_REPEATS = 3
NOT_SENT_PAUSE_S = 3.0
"""After EVENT 21 with 01: the air was busy, so it is not the meter that is silent (protocol 5.2: 2 to 5 s)."""
SPACING_S = 5.0
"""From the start of a request to the start of the next (protocol 5.2)."""
SCAN_DURATIONS = (5, 6, 7)
"""9, 18 and 36 s: the short ones often find nothing, and a longer one than 7 was never needed (protocol 3.4)."""
JOIN_ATTEMPTS = 2
JOIN_PAUSE_S = 10.0
"""A meter refuses whoever comes again sooner (protocol 3.5)."""
RENEWAL_LIMIT_S = 60.0
"""From the end of the session's lifetime to its renewal by the module; 2 s are usual, 42 s were seen."""
GATE_LIMIT_S = 70.0
"""So long a request waits for a renewal or for the end of the transmission limit."""
LEAVE_LIMIT_S = 5.0
"""For an orderly end, which may have to wait for a command that is under way."""
INSTANCE_LIST_WAIT_S = 20.0
"""The meter sends its instance list by itself within seconds; after this time it is asked for (AIF 3.1.1)."""
SILENT_REQUESTS = 3
"""So many requests in a row without an answer mean that the session is lost (protocol 5.2)."""
BACK_OFF_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Before each new attempt to set up the session, and the last one for ever; each is lengthened by up to a fifth."""

_HISTORIES = frozenset({0xE2, 0xE4, 0xEC, 0xEE})
_METER_OBJECTS = frozenset({SMART_METER, NODE_PROFILE})
_OUR_OBJECTS = frozenset({(0x05, 0xFF), (0x0E, 0xF0)})


class SessionState(StrEnum):
    """What the session is doing."""

    CLOSED = "closed"
    OPENING = "opening"
    """The port is being opened and the module identified."""
    SEARCHING = "searching"
    """The module scans for the meter."""
    AUTHENTICATING = "authenticating"
    JOINED = "joined"
    WAITING = "waiting"
    """The last attempt failed; the next one comes after a pause."""


type StateListener = Callable[[SessionState], None]
type NotificationListener = Callable[[Frame], None]


class Session:
    """One port, one module, one meter.

    `network` is what an earlier session left in `network`: it is joined at once, and only if that fails a scan is made.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        network: Network | None = None,
        opener: PortOpener = open_with_serialx,
        randomness: random.Random | None = None,
    ) -> None:
        self.network = network
        self.state = SessionState.CLOSED
        self.failure: BrouteError | None = None
        """Why the last attempt failed; `None` while there is nothing to complain of."""
        self.rssi_dbm: float | None = None
        """How strongly the meter was heard last; `None` while it was not heard."""
        self.instances: frozenset[Eoj] | None = None
        """The objects that the meter announced in this session; `None` while it did not."""
        self._url = url
        self._credentials = credentials
        self._opener = opener
        self._random = randomness or random.Random()  # noqa: S311 - it spreads requests, it keeps no secret
        self._tid = self._random.randrange(0x10000)
        self._link: Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._state_listeners: list[StateListener] = []
        self._notification_listeners: list[NotificationListener] = []
        self._one_request = asyncio.Lock()
        self._next_send_at = 0.0
        self._pending: _Pending | None = None
        self._silent_requests = 0
        self._lost: asyncio.Event = asyncio.Event()
        self._renewed = asyncio.Event()
        """Not set from the end of the session's lifetime until the module has renewed it."""
        self._renewal_deadline: asyncio.TimerHandle | None = None
        self._below_duty_limit = asyncio.Event()
        self._settled = asyncio.Event()
        """Set when an attempt has ended, well or not."""

    # The life of a session.

    async def open(self) -> None:
        """Open the port, identify the module, and begin to set up the session in the background.

        Takes 5 s at the most.

        Raises:
            PortError: the port cannot be opened.
            NotAModuleError: there is no Wi-SUN module behind it.
        """
        if self._keeper:
            raise ClosedError("A session is opened once")
        self._become(SessionState.OPENING)
        try:
            await self._open_link()
        except BaseException:
            self._become(SessionState.CLOSED)
            raise
        self._keeper = asyncio.create_task(self._keep(), name="broute session")

    async def joined(self) -> None:
        """Wait until there is a session with the meter.

        Raises:
            BrouteError: the attempt that was under way failed, and why. The next one comes after a pause.
        """
        while self.state is not SessionState.JOINED:
            if self.state is SessionState.CLOSED:
                raise ClosedError("The session is closed")
            if self.state is SessionState.WAITING and self.failure:
                raise self.failure
            self._settled.clear()
            await self._settled.wait()

    async def close(self) -> None:
        """End the session with the meter and close the port, within seconds. Nothing survives it."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for answer in self._answers:
            answer.cancel()
        was_joined = self.state is SessionState.JOINED
        self._abandon(ClosedError("The session was closed"))
        self._become(SessionState.CLOSED)
        try:
            if was_joined and self._link:
                async with asyncio.timeout(LEAVE_LIMIT_S):
                    await self._link.leave()
        except (BrouteError, TimeoutError) as err:
            _LOGGER.debug("The session was not ended in order: %s", err)
        finally:
            await self._drop_link()

    @property
    def module(self) -> Module | None:
        """What the module says of itself; `None` before it was identified."""
        return self._link.module if self._link else None

    def on_state(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener` whenever the state changes; return what ends that."""
        return _subscribe(self._state_listeners, listener)

    def on_notification(self, listener: NotificationListener) -> Callable[[], None]:
        """Call `listener` with each INF and INFC of the meter; return what ends that."""
        return _subscribe(self._notification_listeners, listener)

    async def scan(self) -> list[Network]:
        """Scan with growing durations until a network is heard, and return all that were: for `script/broute scan`.

        The session is not set up by this, and must not be open.
        """
        if self._keeper:
            raise ClosedError("A session that is set up makes its own scans")
        link = await self._open_link()
        await link.prepare(self._credentials)
        for duration in SCAN_DURATIONS:
            if networks := await link.scan(duration):
                return sorted(networks, key=lambda network: network.lqi, reverse=True)
        return []

    # Requests.

    async def request(
        self, esv: Esv, properties: Iterable[Property], *, to: Eoj = SMART_METER, repeats: int = REPEATS
    ) -> Frame:
        """Send a request and return the meter's answer, which may be an SNA.

        One request is under way at a time, and they are spaced. A request that stays unanswered is repeated, each time
        with a new TID.

        Raises:
            NotJoinedError: there is no session now.
            MeterSilentError: the meter left the request and its repeats unanswered.
            NotSentError: the module could not send it.
            ModuleError: the module does not answer.
        """
        asked = tuple(properties)
        async with self._one_request:
            for _ in range(1 + repeats):
                answer = await self._ask_once(esv, asked, to)
                if answer:
                    self._silent_requests = 0
                    return answer
                _LOGGER.debug("The meter did not answer a request of %d properties", len(asked))
        self._silent_requests += 1
        if self._silent_requests >= SILENT_REQUESTS:
            self._lose("the meter stopped answering")
        raise MeterSilentError("The meter does not answer")

    async def _ask_once(self, esv: Esv, properties: tuple[Property, ...], to: Eoj) -> Frame | None:
        link = await self._clear_to_send()
        self._tid = (self._tid + 1) & 0xFFFF
        frame = Frame(tid=self._tid, seoj=CONTROLLER, deoj=to, esv=esv, properties=properties)
        pending = self._pending = _Pending(frame)
        try:
            await self._send(link, frame)
            async with asyncio.timeout(_response_timer_s(properties)):
                return await pending.answer
        except TimeoutError:
            return None
        finally:
            self._pending = None

    async def _clear_to_send(self) -> Link:
        """Wait for the spacing, the renewal and the duty limit; return the link that may be used."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(GATE_LIMIT_S):
                await asyncio.sleep(self._next_send_at - loop.time())
                # A session that is lost meanwhile opens both gates.
                while not (self._renewed.is_set() and self._below_duty_limit.is_set()):
                    await self._renewed.wait()
                    await self._below_duty_limit.wait()
        except TimeoutError:
            raise NotSentError("The module may not transmit now, by its limit of transmission time") from None
        if self._link is None or self.state is not SessionState.JOINED:
            raise NotJoinedError("There is no session with the meter now")
        self._next_send_at = loop.time() + SPACING_S
        return self._link

    async def _send(self, link: Link, frame: Frame) -> None:
        payload = frame.to_bytes()
        for attempt in range(1 + NOT_SENT_REPEATS):
            if attempt:
                await asyncio.sleep(NOT_SENT_PAUSE_S)
            try:
                await link.send(payload)
            except NotSentError:
                _LOGGER.debug("The module could not put a datagram on the air")
            else:
                return
        raise NotSentError("The module cannot put anything on the air: is it out of reach of the meter?")

    # What comes from the link.

    def _take_datagram(self, datagram: Datagram) -> None:
        if not (
            self.network
            and datagram.mac == self.network.mac
            and datagram.encrypted
            and datagram.source_port == PORT
            and datagram.destination_port == PORT
        ):
            _LOGGER.debug("Dropped a datagram that is not the joined meter's")
            return
        if datagram.rssi_dbm is not None:
            self.rssi_dbm = datagram.rssi_dbm
        try:
            frame = Frame.from_bytes(datagram.payload)
        except FrameError as err:
            _LOGGER.debug("Dropped a datagram: %s", err)
            return
        if frame.surplus:
            _LOGGER.debug("A frame is followed by %d bytes that do not belong to it", frame.surplus)
        if self._pending and self._pending.is_answered_by(frame):
            if not self._pending.answer.done():
                self._pending.answer.set_result(frame)
        elif frame.esv in (Esv.INF, Esv.INFC) and frame.seoj in _METER_OBJECTS:
            self._take_notification(frame)
        else:
            _LOGGER.debug("Dropped a %s that nothing waits for", frame.esv.name)

    def _take_notification(self, frame: Frame) -> None:
        if (frame.deoj.class_group, frame.deoj.class_code) not in _OUR_OBJECTS:
            _LOGGER.debug("Dropped a notification to an object that we do not have")
            return
        if frame.esv is Esv.INFC:
            task = asyncio.create_task(self._confirm(frame))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
        if frame.seoj == NODE_PROFILE:
            self._take_instances(frame)
        for listener in tuple(self._notification_listeners):
            listener(frame)

    def _take_instances(self, frame: Frame) -> None:
        for prop in frame.properties:
            if prop.epc != node_profile.INSTANCE_LIST_NOTIFICATION.epc:
                continue
            try:
                self.instances = frozenset(node_profile.INSTANCE_LIST_NOTIFICATION.decode(prop.edt))
            except PropertyError as err:
                _LOGGER.debug("Dropped an instance list: %s", err)

    async def _confirm(self, notification: Frame) -> None:
        """Answer an INFC (protocol 1.3); the meter repeats it when the answer is lost."""
        answer = Frame(
            tid=notification.tid,
            seoj=notification.deoj,
            deoj=notification.seoj,
            esv=Esv.INFC_RES,
            properties=tuple(Property(epc) for epc in notification.epcs),
        )
        if self._link:
            try:
                await self._link.send(answer.to_bytes())
            except BrouteError as err:
                _LOGGER.debug("A notification was not confirmed: %s", err)

    def _take_event(self, event: LinkEvent) -> None:
        match event:
            case LinkEvent.DUTY_LIMIT_REACHED:
                self._below_duty_limit.clear()
            case LinkEvent.DUTY_LIMIT_LIFTED:
                self._below_duty_limit.set()
            case LinkEvent.LOST:
                self._lose("the port is gone")
            case _ if self.state is not SessionState.JOINED:
                pass  # the attempt that is under way sees it
            case LinkEvent.EXPIRED:
                self._await_renewal()
            case LinkEvent.JOINED:
                self._end_renewal()
            case LinkEvent.JOIN_FAILED:
                self._lose("the renewal of the session failed")
            case LinkEvent.ENDED_BY_METER:
                self._lose("the meter ended the session")
            case LinkEvent.ENDED:
                self._lose("the session ended")

    def _await_renewal(self) -> None:
        """Send nothing until the module, which does so by itself, has renewed the session (protocol 3.5)."""
        self._renewed.clear()
        if self._renewal_deadline is None:
            self._renewal_deadline = asyncio.get_running_loop().call_later(
                RENEWAL_LIMIT_S, self._lose, "the module did not renew the session"
            )

    def _end_renewal(self) -> None:
        self._renewed.set()
        if self._renewal_deadline:
            self._renewal_deadline.cancel()
            self._renewal_deadline = None

    # Setting the session up, again and again.

    async def _keep(self) -> None:
        """Keep the session: set it up, watch it, and when it is lost set it up again.

        A session that was lost is set up again at once; after an attempt that failed there is a pause, longer each
        time.
        """
        failures = 0
        while True:
            try:
                await self._establish()
                failures = 0
                await self._watch()
            except BrouteError as err:
                _LOGGER.debug("The session could not be set up: %s", err)
                if isinstance(err, PortError | ModuleError | NotAModuleError):
                    await self._drop_link()
                self._abandon(err)
                self._become(SessionState.WAITING)
                pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                await asyncio.sleep(pause * self._random.uniform(1.0, 1.2))

    async def _establish(self) -> None:
        self._lost.clear()
        if self._link and not self._link.is_open:
            await self._drop_link()
        link = self._link
        if link is None:
            self._become(SessionState.OPENING)
            link = await self._open_link()
        await link.prepare(self._credentials)
        if self.network:
            try:
                await self._join(link, self.network)
            except CredentialsRefusedError, MeterSilentError:
                # The meter may have moved to another channel: the scan tells.
                _LOGGER.debug("The meter is not where it was: searching")
                self.network = None
            else:
                return
        network = await self._find(link)
        for attempt in range(1, JOIN_ATTEMPTS + 1):
            try:
                await self._join(link, network)
            except CredentialsRefusedError:
                if attempt == JOIN_ATTEMPTS:
                    raise
                await asyncio.sleep(JOIN_PAUSE_S)
            else:
                return

    async def _find(self, link: Link) -> Network:
        """Scan with growing durations; take the strongest network that answers to our pairing ID."""
        self._become(SessionState.SEARCHING)
        for duration in SCAN_DURATIONS:
            networks = [
                network for network in await link.scan(duration) if network.pairing_id == self._credentials.pairing_id
            ]
            if networks:
                return max(networks, key=lambda network: network.lqi)
        raise MeterNotFoundError("No meter with this ID was heard: it is too far away, or the ID is wrong")

    async def _join(self, link: Link, network: Network) -> None:
        self._become(SessionState.AUTHENTICATING)
        self.instances = None
        # Before the meter is joined, because its first notification may come with the news of success.
        self.network = network
        await link.join(network)
        self.rssi_dbm = network.rssi_dbm
        self.failure = None
        self._silent_requests = 0
        self._end_renewal()
        self._below_duty_limit.set()
        self._become(SessionState.JOINED)

    async def _watch(self) -> None:
        """Wait until the session is lost; see to the instance list meanwhile."""
        instances = asyncio.create_task(self._ask_for_instances())
        try:
            await self._lost.wait()
        finally:
            instances.cancel()
            await asyncio.gather(instances, return_exceptions=True)

    async def _ask_for_instances(self) -> None:
        await asyncio.sleep(INSTANCE_LIST_WAIT_S)
        if self.instances is None:
            asked = Property(node_profile.INSTANCE_LIST_NOTIFICATION.epc)
            try:
                self._take_instances(await self.request(Esv.INF_REQ, (asked,), to=NODE_PROFILE))
            except BrouteError as err:
                _LOGGER.debug("The meter did not give its instance list: %s", err)

    async def _open_link(self) -> Link:
        link = await identify(self._opener, self._url)
        link.listen(LinkListener(on_datagram=self._take_datagram, on_event=self._take_event))
        self._link = link
        return link

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link:
            await link.close()

    def _lose(self, why: str) -> None:
        """Note that the session is gone; the keeper sets it up again."""
        self._lost.set()
        if self.state is SessionState.JOINED:
            _LOGGER.debug("The session is lost: %s", why)
            self._abandon(NotJoinedError("The session with the meter was lost"))
            self._become(SessionState.WAITING)

    def _abandon(self, failure: BrouteError) -> None:
        """Let nothing wait for a session that is not there."""
        self.failure = failure
        self._end_renewal()
        self._below_duty_limit.set()
        if self._pending and not self._pending.answer.done():
            self._pending.answer.set_exception(failure)

    def _become(self, state: SessionState) -> None:
        if state is self.state:
            return
        self.state = state
        if state in (SessionState.JOINED, SessionState.WAITING, SessionState.CLOSED):
            self._settled.set()
        for listener in tuple(self._state_listeners):
            listener(state)


class _Pending:
    """The request that is under way."""

    def __init__(self, request: Frame) -> None:
        self.answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._request = request
        self._epcs = sorted(request.epcs)

    def is_answered_by(self, frame: Frame) -> bool:
        """Tell whether a frame answers this request: TID, both objects, the service and the EPCs must fit.

        The TID alone is not enough: meters use small TIDs of their own (protocol 1.2).
        """
        return (
            frame.tid == self._request.tid
            and frame.seoj == self._request.deoj
            and frame.esv in ANSWERS[self._request.esv]
            and (frame.deoj == self._request.seoj or frame.esv is Esv.INF)
            and sorted(frame.epcs) == self._epcs
        )


def _response_timer_s(properties: tuple[Property, ...]) -> float:
    several = len(properties) > 1 or any(prop.epc in _HISTORIES for prop in properties)
    return RESPONSE_TIMER_2_S if several else RESPONSE_TIMER_1_S


def _subscribe(listeners: list[Any], listener: Any) -> Callable[[], None]:  # noqa: ANN401 - any callable
    listeners.append(listener)
    return lambda: listeners.remove(listener)
