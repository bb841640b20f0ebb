"""The session with a meter: found, joined, kept, and set up again when it is lost.

Everything that concerns the air is decided here and nowhere else: when to scan, to join, to send, to wait, to give up.
Above: `SmartMeter`. Below: a `Link`, which does as it is told, and the conversation with the meter.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
import logging
import random

from .conversation import Conversation
from .credentials import Credentials
from .echonet import node_profile
from .echonet.frame import NODE_PROFILE, SMART_METER, Eoj, Esv, Frame, Property
from .exceptions import (
    BrouteError,
    ClosedError,
    CredentialsRefusedError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    NotAModuleError,
    NotJoinedError,
    PortError,
    PropertyError,
)
from .link.base import Link, LinkEvent, LinkListener, Module, Network
from .link.identify import identify
from .link.port import PortOpener, open_with_serialx

_LOGGER = logging.getLogger(__name__)

SCAN_DURATIONS = (5, 6, 7)
"""9, 18 and 36 s: the short ones often find nothing, and a longer one than 7 was never needed (protocol 3.4)."""
JOIN_ATTEMPTS = 2
JOIN_PAUSE_S = 10.0
"""A meter refuses whoever comes again sooner (protocol 3.5)."""
RENEWAL_LIMIT_S = 60.0
"""From the end of the session's lifetime to its renewal by the module; 2 s are usual, 42 s were seen."""
LEAVE_LIMIT_S = 5.0
"""For an orderly end, which may have to wait for a command that is under way."""
INSTANCE_LIST_WAIT_S = 20.0
"""The meter sends its instance list by itself within seconds; after this time it is asked for (AIF 3.1.1)."""
BACK_OFF_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Before each new attempt to set up the session, and the last one for ever; each is lengthened by up to a fifth."""


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
        self.instances: frozenset[Eoj] | None = None
        """The objects that the meter announced in this session; `None` while it did not."""
        self._url = url
        self._credentials = credentials
        self._opener = opener
        self._random = randomness or random.Random()  # noqa: S311 - it spreads requests, it keeps no secret
        self.conversation = Conversation(self._random, self._lose)
        """What is said to the meter while it is joined."""
        self.conversation.on_notification(self._take_notification)
        self._link: Link | None = None
        self._opened = False
        self._closing = False
        self._keeper: asyncio.Task[None] | None = None
        self._since_joined: list[LinkEvent] = []
        """What the module reported behind the news that the meter is joined, until that news has been taken."""
        self._state_listeners: list[StateListener] = []
        self._lost: asyncio.Event = asyncio.Event()
        self._renewal_deadline: asyncio.TimerHandle | None = None
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
        if self._opened:
            raise ClosedError("A session is opened once")
        self._opened = True
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
        self._closing = True
        was_joined = self.state is SessionState.JOINED
        self._abandon(ClosedError("The session was closed"))
        self._become(SessionState.CLOSED)
        try:
            if self._keeper:
                self._keeper.cancel()
                await asyncio.wait((self._keeper,))
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

    async def scan(self) -> list[Network]:
        """Scan with growing durations until a network is heard, and return all that were: for `script/broute scan`.

        The session is not set up by this, and must not be open.
        """
        if self._opened:
            raise ClosedError("A session that is set up makes its own scans")
        self._opened = True
        link = await self._open_link()
        await link.prepare(self._credentials)
        for duration in SCAN_DURATIONS:
            if networks := await link.scan(duration):
                return sorted(networks, key=lambda network: network.rssi_dbm, reverse=True)
        return []

    # What comes from the link.

    def _take_notification(self, frame: Frame) -> None:
        if frame.seoj == NODE_PROFILE:
            self._take_instances(frame)

    def _take_instances(self, frame: Frame) -> None:
        for prop in frame.properties:
            if prop.epc != node_profile.INSTANCE_LIST_NOTIFICATION.epc:
                continue
            try:
                self.instances = frozenset(node_profile.INSTANCE_LIST_NOTIFICATION.decode(prop.edt))
                if SMART_METER not in self.instances:
                    _LOGGER.warning("What was joined does not say that it is a smart meter")
            except PropertyError as err:
                _LOGGER.debug("Dropped an instance list: %s", err)

    def _take_event(self, event: LinkEvent) -> None:
        match event:
            case LinkEvent.DUTY_LIMIT_REACHED:
                self.conversation.bar_transmission(barred=True)
            case LinkEvent.DUTY_LIMIT_LIFTED:
                self.conversation.bar_transmission(barred=False)
            case LinkEvent.LOST:
                self._lose("the port is gone", PortError("The port was lost"))
            case _ if self.state is not SessionState.JOINED:
                self._since_joined = [] if event is LinkEvent.JOINED else [*self._since_joined, event]
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
        self.conversation.renewed.clear()
        if self._renewal_deadline is None:
            self._renewal_deadline = asyncio.get_running_loop().call_later(
                RENEWAL_LIMIT_S, self._lose, "the module did not renew the session"
            )

    def _end_renewal(self) -> None:
        self.conversation.renewed.set()
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
            failure: BrouteError
            try:
                await self._establish()
                failures = 0
                await self._watch()
                continue
            except BrouteError as err:
                _LOGGER.debug("The session could not be set up: %s", err)
                failure = err
            except Exception:  # whatever it was, the session must come back without anybody's help
                _LOGGER.exception("The session could not be set up")
                failure = ModuleError("The module cannot be used, for a reason that is only in the log")
            if isinstance(failure, PortError | ModuleError | NotAModuleError):
                await self._drop_link()
            self._abandon(failure)
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
        self.conversation.bar_transmission(barred=False)  # the module was reset
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
                return max(networks, key=lambda network: network.rssi_dbm)
        raise MeterNotFoundError("No meter with this ID was heard: it is too far away, or the ID is wrong")

    async def _join(self, link: Link, network: Network) -> None:
        self._become(SessionState.AUTHENTICATING)
        self.instances = None
        self.network = network
        self.conversation.listen_to(link, network)
        self._since_joined = []
        await link.join(network)
        self.failure = None
        self.conversation.begin()
        self._become(SessionState.JOINED)
        for event in self._since_joined:
            self._take_event(event)

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
                self._take_instances(await self.conversation.request(Esv.INF_REQ, (asked,), to=NODE_PROFILE))
            except BrouteError as err:
                _LOGGER.debug("The meter did not give its instance list: %s", err)

    async def _open_link(self) -> Link:
        link = await identify(self._opener, self._url)
        if self._closing:
            await link.close()
            raise ClosedError("The session was closed while it was opened")
        talk = self.conversation
        link.listen(LinkListener(on_datagram=talk.take, on_event=self._take_event, on_drop=talk.drop))
        self._link = link
        return link

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link:
            await link.close()

    def _lose(self, why: str, failure: BrouteError | None = None) -> None:
        """Note that the session is gone; the keeper sets it up again."""
        self._lost.set()
        if self.state is SessionState.JOINED:
            _LOGGER.debug("The session is lost: %s", why)
            self._abandon(failure or NotJoinedError("The session with the meter was lost"))
            self._become(SessionState.WAITING)

    def _abandon(self, failure: BrouteError) -> None:
        """Let nothing wait for a session that is not there."""
        self.failure = failure
        self._end_renewal()
        self.conversation.end(failure)

    def _become(self, state: SessionState) -> None:
        if state is self.state:
            return
        self.state = state
        if state in (SessionState.JOINED, SessionState.WAITING, SessionState.CLOSED):
            self._settled.set()
        for listener in tuple(self._state_listeners):
            listener(state)


def _subscribe(listeners: list[StateListener], listener: StateListener) -> Callable[[], None]:
    listeners.append(listener)
    return lambda: listeners.remove(listener)
