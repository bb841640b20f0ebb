"""The session with a meter: found, joined, kept, and set up again when it is lost.

Everything that concerns the air is decided here and nowhere else: when to scan, to join, to send, to wait, to give up.
What is done about each thing that can happen is a table in `reactions`, the order of attempts after a loss is in
`recovery`. Above: `SmartMeter`. Below: a `Link`, which does as it is told, and the conversation with the meter.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
import logging
import random

from .conversation import SILENT_ATTEMPTS, Conversation, Trouble
from .credentials import Credentials
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
    PortSharedError,
    SurveyUnderWayError,
)
from .instances import Instances
from .journal import Journal, JournalEntry
from .link.base import Dialect, Drop, Link, LinkEvent, LinkListener, Module, Network
from .link.identify import identify
from .link.port import PortOpener, open_with_serialx
from .reactions import Lapse, Occurrence, Reaction, SessionState, failure_of, reaction_to, words_for
from .recovery import PROOF_S, Attempt, Footing, Outage, Recovery
from .response_timer import ResponseTimer
from .search import SCAN_DURATIONS, Search
from .statistics import Statistics
from .survey import Heard, Survey
from .watch import ask_operation_status, watch_the_meter, watch_the_module

_LOGGER = logging.getLogger(__name__)

JOIN_ATTEMPTS = 2
JOIN_PAUSE_S = 5.0
"""Between the refusal of a join and the next one: one refusal may be the radio, or the meter's rest after a session."""
REST_S = 10.0
"""A meter refuses a join within this time after the end of its last session (protocol 3.5)."""
RENEWAL_LIMIT_S = 60.0
"""From the end of the session's lifetime to its renewal by the module; 2 s are usual, 42 s were seen."""
LEAVE_LIMIT_S = 5.0
"""For an orderly end, which may have to wait for a command that is under way."""
SURPRISE_PAUSE_S = 10.0
PATIENCE = (1, 1, 1, 4, 7)
"""How many times more silence is borne in a session after so many that did not prove themselves: when neither a new
session has helped, nor a reset of the module, nor the port, more of them do not help more. The most are 10 minutes: the
meter may have started anew since."""
DISTURBANCES = 3
DISTURBANCE_SPAN_S = 60.0
"""So many spoilt lines and answers to nobody's commands in this time are another program's work, not the wire's."""

WITH_SESSION = frozenset({SessionState.JOINED, SessionState.RENEWING})

type StateListener = Callable[[SessionState], None]


class Session:
    """One port, one module, one meter.

    `network`, `dialect`, `timer` and `left_at` are what an earlier session left in the attributes of these names: the
    network is joined at once, and searched for only if that fails. If the module still holds a session with it, that is
    used after one check.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        network: Network | None = None,
        dialect: Dialect | None = None,
        timer: ResponseTimer | None = None,
        left_at: float | None = None,
        opener: PortOpener = open_with_serialx,
        randomness: random.Random | None = None,
    ) -> None:
        self.network = network
        self.dialect = dialect
        """How the module is spoken to; `None` before it was identified."""
        self.timer = timer or ResponseTimer()
        self.left_at = left_at
        """When the last session with the meter was ended, on the event loop's clock; `None` before there was one."""
        self.state = SessionState.CLOSED
        self.failure: BrouteError | None = None
        """Why the last attempt failed; `None` while there is nothing to complain of."""
        self.statistics = Statistics()
        self._url = url
        self._credentials = credentials
        self._opener = opener
        self._random = randomness or random.Random()  # noqa: S311 - it spreads requests, it keeps no secret
        self.conversation = Conversation(self._random, self.statistics, self.timer, self._take)
        """What is said to the meter while it is joined."""
        self.instances = Instances(self.conversation)
        self._search = Search(credentials.pairing_id, self.conversation, self.statistics, self._note)
        self._link: Link | None = None
        self._joining = network
        """The network that the session is being set up with."""
        self._prepared = False
        """Whether the module has the credentials."""
        self._opened = False
        self._closing = False
        self._holds_session = False
        """Whether the module may hold a session that has to be ended in order."""
        self._survey: Survey | None = None
        self._interruption: asyncio.Timeout | None = None
        """What breaks off the work for a session, while there is any."""
        self._keeper: asyncio.Task[None] | None = None
        self._recovery: Recovery
        """Of the outage that is there, or was the last; from the beginning of the session on."""
        self._begun_at = 0.0
        """When the session with the meter began, on the event loop's clock."""
        self._journal = Journal()
        self._disturbances: deque[float] = deque(maxlen=DISTURBANCES)
        self._state_listeners: list[StateListener] = []
        self._lost = asyncio.Event()
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
        self._begin_once()
        try:
            await self._open_link()
        except BaseException:
            self._become(SessionState.CLOSED)
            raise
        self._keeper = asyncio.create_task(self._keep(), name="broute session")

    def start(self) -> None:
        """Begin to open the port and to set up the session in the background; return at once.

        For whoever cannot wait and is there for years: a port that cannot be opened is a failure like any other, and
        is tried again until it is there.
        """
        self._begin_once()
        self._keeper = asyncio.create_task(self._keep(), name="broute session")

    def _begin_once(self) -> None:
        if self._opened or self._closing:
            raise ClosedError("A session is opened once")
        self._opened = True
        self._begin_outage(Footing.AS_IT_IS)
        self._become(SessionState.OPENING)

    async def joined(self) -> None:
        """Wait until there is a session with the meter.

        Raises:
            BrouteError: the attempt that was under way failed, and why. The next one comes after a pause.
        """
        while self.state not in WITH_SESSION:
            if self.state is SessionState.CLOSED:
                raise ClosedError("The session is closed")
            if self.state is SessionState.WAITING and self.failure:
                raise self.failure
            self._settled.clear()
            await self._settled.wait()

    async def survey(self, duration: int) -> list[Heard]:
        """Scan once, and return everything that was heard, the strongest first; then set the session up again.

        It breaks into whatever is going on: a session is ended in order, a pause or an attempt is broken off, and only
        a scan that is under way goes on to its end first, 41 s at the most. Who is cancelled meanwhile leaves
        the rest to the background. `duration`: 3 to 7, which is 3 to 36 s.

        Raises:
            SurveyUnderWayError: there is one already.
            ClosedError: the session is not open, or was closed meanwhile.
            BrouteError: the scan could not be made.
        """
        survey = Survey(duration)
        if self.state is SessionState.CLOSED:
            raise ClosedError("The session is closed")
        if self._survey:
            raise SurveyUnderWayError("A survey is under way")
        self._survey = survey
        if self._interruption:
            self._interruption.reschedule(asyncio.get_running_loop().time())
        return await survey.result()

    async def close(self) -> None:
        """End the session with the meter and close the port, within seconds. Nothing survives it."""
        self._closing = True
        if self.state is not SessionState.CLOSED:
            self._note("session closed")
        self._abandon(ClosedError("The session was closed"))
        self.conversation.lift_bar()
        self._become(SessionState.CLOSED)
        try:
            if self._keeper:
                self._keeper.cancel()
                await asyncio.wait((self._keeper,))
            if self._holds_session and self._link:
                async with asyncio.timeout(LEAVE_LIMIT_S):
                    await self._leave(self._link)
        except (BrouteError, TimeoutError) as err:
            _LOGGER.debug("The session was not ended in order: %s", err)
        finally:
            await self._drop_link()

    @property
    def module(self) -> Module | None:
        """What the module says of itself; `None` before it was identified."""
        return self._link.module if self._link else None

    @property
    def outage(self) -> Outage | None:
        """What was tried since there has been no session; `None` while there is one, and before and after it all."""
        return None if self.state in (*WITH_SESSION, SessionState.CLOSED) else self._recovery.outage

    @property
    def journal(self) -> Sequence[JournalEntry]:
        """The last events, the oldest first."""
        return self._journal.entries

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
            if networks := await self._search.scan(link, duration):
                return networks
        return []

    # What happens to it.

    def _take(self, occurrence: Occurrence) -> None:
        """React as the table says."""
        reaction = reaction_to(occurrence, self.state)
        match reaction:
            case Reaction.NOTHING:
                pass
            case Reaction.BEGIN:
                self._begin()
            case Reaction.HOLD:
                self._hold()
            case Reaction.RESUME:
                self._note("session renewed")
                self._end_renewal()
                self._become(SessionState.JOINED)
            case Reaction.BAR if self._link:
                self._note("transmission limit reached")
                self.conversation.bar(self._link.duty_limit_trial_s)
            case Reaction.LIFT:
                self._note("transmission limit lifted")
                self.conversation.lift_bar()
            case Reaction.BREAK_OFF if self.conversation.is_joined:
                self.conversation.end(failure_of(occurrence))
            case Reaction.REJOIN:
                self._lose(occurrence, Footing.AS_IT_IS)
            case Reaction.RESET:
                self._lose(occurrence, Footing.RESET)
            case Reaction.REOPEN:
                self._lose(occurrence, Footing.REOPEN)

    def _begin(self) -> None:
        self._note("session joined")
        self.conversation.begin()
        self._begun()

    def _begun(self) -> None:
        patience = PATIENCE[min(self._recovery.relapses, len(PATIENCE) - 1)]
        self._begun_at = asyncio.get_running_loop().time()
        self._lost.clear()
        self._holds_session = True
        self.failure = None
        self.network = self._joining
        self.statistics.sessions += 1
        self.conversation.silent_attempts = SILENT_ATTEMPTS * patience
        self._become(SessionState.JOINED)

    def _hold(self) -> None:
        """Send nothing until the module, which does so by itself, has renewed the session (protocol 3.5)."""
        self._note("session expired, its renewal is awaited")
        self.conversation.await_renewal()
        self._renewal_deadline = asyncio.get_running_loop().call_later(
            RENEWAL_LIMIT_S, self._take, Lapse.RENEWAL_OVERDUE
        )
        self._become(SessionState.RENEWING)

    def _end_renewal(self) -> None:
        self.conversation.end_renewal()
        if self._renewal_deadline:
            self._renewal_deadline.cancel()
            self._renewal_deadline = None

    def _lose(self, cause: Occurrence, footing: Footing) -> None:
        """Note that the session is gone; the keeper sets it up again."""
        if self.state is SessionState.WAITING:
            self._note(f"while waiting: {words_for(cause)}")
            self._recovery.demand(footing)
            return
        _LOGGER.debug("The session is lost: %s", cause.name)
        self._note(f"session lost: {words_for(cause)}")
        self.statistics.losses[cause.name.lower()] += 1
        answered_at = self.conversation.answered_at
        if answered_at is not None and answered_at - self._begun_at >= PROOF_S:
            self._begin_outage(footing)
        else:
            self._recovery.relapse(footing, begun_s=self._begun_at, now_s=asyncio.get_running_loop().time())
        if cause is LinkEvent.ENDED:
            # By another program, but in order: the meter takes its rest all the same.
            self.left_at = asyncio.get_running_loop().time()
        self._holds_session = not isinstance(cause, LinkEvent)
        self._lost.set()
        self._abandon(failure_of(cause))
        self._become(SessionState.WAITING)

    def _begin_outage(self, footing: Footing) -> None:
        self._recovery = Recovery(footing, self._random, since_s=asyncio.get_running_loop().time())

    def _note(self, what: str) -> None:
        self._journal.note(asyncio.get_running_loop().time(), what)

    def _abandon(self, failure: BrouteError) -> None:
        """Let nothing wait for a session that is not there."""
        self.failure = failure
        self._end_renewal()
        self.conversation.end(failure)

    def _become(self, state: SessionState) -> None:
        if state is self.state:
            return
        self.state = state
        if state is SessionState.CLOSED and self._survey:
            self._survey.fail(ClosedError("The session was closed"))
        if state in (SessionState.JOINED, SessionState.WAITING, SessionState.CLOSED):
            self._settled.set()
        for listener in tuple(self._state_listeners):
            try:
                listener(state)
            except Exception:  # the session must go on whatever becomes of those who look on
                _LOGGER.exception("Somebody who was told that the session is %s has failed", state)

    def _take_drop(self, drop: Drop) -> None:
        if drop in (Drop.GARBLED, Drop.UNEXPECTED):
            self._disturbances.append(asyncio.get_running_loop().time())
        self.conversation.drop(drop)

    # Setting the session up, again and again.

    async def _keep(self) -> None:
        """Keep the session: set it up, watch it, and when it is lost, or was ended for a survey, set it up again."""
        while True:
            try:
                await self._keep_one()
                if self._survey:
                    await self._carry_out(self._survey)
            except Exception:  # whatever it was, the session must come back without anybody's help
                _LOGGER.exception("The session is kept again after a surprise")
                self._become(SessionState.WAITING)
                await asyncio.sleep(SURPRISE_PAUSE_S)

    async def _keep_one(self) -> None:
        """Set the session up and watch it, until it is lost or somebody wants a survey."""
        if self._survey:
            return
        interruption = asyncio.timeout(None)
        try:
            async with interruption:
                self._interruption = interruption
                await self._set_up()
                await self._watch()
        except TimeoutError:
            if not interruption.expired():
                raise
        finally:
            self._interruption = None

    async def _set_up(self) -> None:
        """Try until there is a session, with growing pauses."""
        rest_s = self._recovery.rests_until_s - asyncio.get_running_loop().time()
        if rest_s > 0:
            await asyncio.sleep(rest_s)
        surprised = False
        while True:
            self._lost.clear()
            self.statistics.attempts += 1
            air = self.statistics.scans + self.statistics.joins
            failure: BrouteError
            try:
                await self._attempt(self._recovery.next_attempt())
            except BrouteError as err:
                _LOGGER.debug("The session could not be set up: %s", err)
                failure = err
            except Exception as err:  # whatever it was, the session must come back without anybody's help
                level = logging.DEBUG if surprised else logging.ERROR
                _LOGGER.log(level, "The session could not be set up", exc_info=err)
                surprised = True
                failure = ModuleError("The module cannot be used, for a reason that is only in the log")
            else:
                return
            if isinstance(failure, ModuleError | NotAModuleError) and self._is_disturbed():
                failure = PortSharedError("Another program seems to use the port too")
            if isinstance(failure, PortError | NotAModuleError):
                # Somebody else may need it, or it has to be taken out.
                await self._drop_link()
            self._note(f"attempt failed: {type(failure).__name__}: {failure}")
            self._abandon(failure)
            pause_s = self._recovery.pause_s(
                failure,
                now_s=asyncio.get_running_loop().time(),
                knows_network=self.network is not None,
                used_air=self.statistics.scans + self.statistics.joins > air,
            )
            self._become(SessionState.WAITING)
            await asyncio.sleep(pause_s)

    async def _attempt(self, attempt: Attempt) -> None:
        """Set the session up, in one of the ways that there are."""
        if self._link and (attempt.footing is Footing.REOPEN or not self._link.is_open):
            await self._drop_link()
        is_new = self._link is None or not self._prepared
        if self._link is None:
            self._become(SessionState.OPENING)
        link = self._link or await self._open_link()
        if is_new and self.network and await self._take_up(link, self.network):
            return
        if is_new or attempt.footing is not Footing.AS_IT_IS:
            await self._prepare(link)
        refusal: BrouteError | None = None
        if self.network:
            try:
                await self._join(link, self.network)
            except (CredentialsRefusedError, MeterSilentError) as err:
                # That it was joined may have got lost.
                if isinstance(err, MeterSilentError) and await self._take_up(link, self.network):
                    return
                if not attempt.searches:
                    raise
                # It may have moved to another channel: the scan tells.
                _LOGGER.debug("The meter is not where it was: %s", err)
                refusal = err
            else:
                return
        networks = await self._find(link)
        if isinstance(refusal, CredentialsRefusedError):
            networks = [network for network in networks if not _is_same(network, self.network)]
            if not networks:
                raise refusal
        await self._join_one_of(link, networks)

    async def _prepare(self, link: Link) -> None:
        self._prepared = False
        await link.prepare(self._credentials)
        self._holds_session = False
        self._prepared = True
        self._note("module reset and prepared")
        self.conversation.lift_bar()

    async def _take_up(self, link: Link, network: Network) -> bool:
        """Use the session that the module may still hold, if the meter answers in it."""
        self._become(SessionState.AUTHENTICATING)
        if not await link.take_up(network):
            return False
        self._holds_session = True
        self.instances.forget()
        self._joining = network
        self.conversation.listen_to(link, network)
        self.conversation.begin()
        try:
            await ask_operation_status(self.conversation)
        except (NotJoinedError, MeterSilentError, ModuleError) as err:
            _LOGGER.debug("The module holds no session that can be used: %s", err)
            self.conversation.end(err)
            return False
        # A join that an earlier program began may have ended meanwhile, and the session with it has begun.
        if self.state is SessionState.AUTHENTICATING:
            # Nobody has learned anything by the check.
            self.conversation.hurry()
            self._note("session taken up that the module still held")
            self._begun()
        return True

    async def _find(self, link: Link) -> list[Network]:
        """Scan until the meter is heard; return the networks that answer to our pairing ID, the strongest first."""
        self._become(SessionState.SEARCHING)
        networks = await self._search.find(link)
        meter = self._meter_of(networks)
        self._recovery.end_search(meter.rssi_dbm if meter else None)
        if not meter:
            raise MeterNotFoundError("No meter with this ID was heard: it is too far away, or the ID is wrong")
        return networks

    def _meter_of(self, networks: list[Network]) -> Network | None:
        """Return the network of the meter that we know, if it is among ours, else the strongest."""
        known = (network for network in networks if self.network and network.mac == self.network.mac)
        return next(known, networks[0] if networks else None)

    async def _join_one_of(self, link: Link, networks: list[Network]) -> None:
        """Authenticate with the first meter that lets us: another household's ID may end as ours does."""
        for network in networks:
            try:
                await self._join(link, network)
            except CredentialsRefusedError, MeterSilentError:
                if network is networks[-1]:
                    raise
            else:
                return

    async def _join(self, link: Link, network: Network) -> None:
        """Authenticate; when the meter refuses, once more."""
        self._become(SessionState.AUTHENTICATING)
        await self._let_the_meter_rest()
        for attempt in range(1, JOIN_ATTEMPTS + 1):
            await self.conversation.clear_to_transmit()
            self.instances.forget()
            self._joining = network
            self.conversation.listen_to(link, network)
            self.statistics.joins += 1
            self._holds_session = True
            try:
                # That it is joined is reported first, and there may be more news before this returns.
                await link.join(network)
            except (CredentialsRefusedError, MeterSilentError) as err:
                self._note(f"join failed: {type(err).__name__}")
                # Where nobody has answered, the report of a success may be what was lost.
                self._holds_session = isinstance(err, MeterSilentError)
                if isinstance(err, MeterSilentError) or attempt == JOIN_ATTEMPTS:
                    raise
                await asyncio.sleep(JOIN_PAUSE_S)
            else:
                return

    async def _let_the_meter_rest(self) -> None:
        """Wait until the meter takes a new session after the last one."""
        if self.left_at is not None:
            since_s = asyncio.get_running_loop().time() - self.left_at
            # A remembered time may be of a clock that has started anew since.
            if 0 <= since_s < REST_S:
                await asyncio.sleep(REST_S - since_s)
            self.left_at = None

    def _is_disturbed(self) -> bool:
        """Tell whether so much was spoilt lately that another program may be at work."""
        now = asyncio.get_running_loop().time()
        return len(self._disturbances) == DISTURBANCES and now - self._disturbances[0] < DISTURBANCE_SPAN_S

    async def _open_link(self) -> Link:
        link = await identify(self._opener, self._url, self.dialect)
        if self._closing:
            await link.close()
            raise ClosedError("The session was closed while it was opened")
        link.listen(
            LinkListener(on_datagram=self.conversation.take, on_event=self._take, on_drop=self._take_drop),
        )
        self._link = link
        self._prepared = False
        self._note(f"module identified: {link.module.dialect}")
        self.dialect = link.module.dialect
        return link

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link:
            await link.close()

    async def _leave(self, link: Link) -> None:
        """End the session with the meter in order."""
        try:
            await link.leave()
        finally:
            # Even where nothing tells of its end, it may have ended.
            self.left_at = asyncio.get_running_loop().time()

    # A scan at somebody's wish.

    async def _carry_out(self, survey: Survey) -> None:
        """End what there is of a session, and survey; the outage that this makes is told as any other."""
        self._note("survey begun")
        if self.state in WITH_SESSION:
            self._begin_outage(Footing.AS_IT_IS)
        self._abandon(self.failure or NotJoinedError("The session was ended for a survey"))
        self._become(SessionState.SEARCHING)
        try:
            survey.end(await self._survey_with(await self._open_again(), survey))
        except BrouteError as err:
            self._note(f"survey failed: {type(err).__name__}: {err}")
            survey.fail(err)
            self._recovery.demand(Footing.REOPEN if isinstance(err, PortError | NotAModuleError) else Footing.RESET)
        finally:
            survey.fail(ModuleError("The module cannot be used, for a reason that is only in the log"))
            self._survey = None

    async def _open_again(self) -> Link:
        """Return the link, opened anew if it was lost."""
        if self._link and not self._link.is_open:
            await self._drop_link()
        return self._link or await self._open_link()

    async def _survey_with(self, link: Link, survey: Survey) -> list[Heard]:
        try:
            await self._leave(link)
        except ModuleError as err:
            # J11 refuses it where nothing was begun yet.
            _LOGGER.debug("The session was not ended in order: %s", err)
        # It scans then, whatever it was doing.
        await self._prepare(link)
        networks = await self._search.scan(link, survey.duration) if survey.is_wanted else []
        if meter := self._meter_of(self._search.ours_of(networks)):
            self._recovery.end_search(meter.rssi_dbm)
        return [
            Heard(channel=one.channel, rssi_dbm=one.rssi_dbm, lqi=one.lqi, is_ours=one is meter) for one in networks
        ]

    # Watching it.

    async def _watch(self) -> None:
        """Wait until the session is lost; see meanwhile that module and meter are still there."""
        watches = [
            asyncio.create_task(self.instances.ask_in_time()),
            asyncio.create_task(watch_the_meter(self.conversation)),
        ]
        if self._link and self.network:
            watches.append(
                asyncio.create_task(watch_the_module(self._link, self.network, self.conversation, self._take))
            )
        for watch in watches:
            watch.add_done_callback(self._end_watch)
        try:
            await self._lost.wait()
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    def _end_watch(self, watch: asyncio.Task[None]) -> None:
        """Set the session up again when a watch has failed: what nobody watches may be lost unseen."""
        if not watch.cancelled() and (err := watch.exception()):
            _LOGGER.error("The session is set up again, for it is not watched any more", exc_info=err)
            self._take(Trouble.MODULE_SILENT)


def _is_same(network: Network, other: Network | None) -> bool:
    return other is not None and (network.mac, network.pan_id, network.channel) == (
        other.mac,
        other.pan_id,
        other.channel,
    )


def _subscribe(listeners: list[StateListener], listener: StateListener) -> Callable[[], None]:
    listeners.append(listener)
    return lambda: listeners.remove(listener)
