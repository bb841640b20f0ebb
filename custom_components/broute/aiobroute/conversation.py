"""ECHONET Lite with the joined meter: one request at a time, spaced, each answer matched, every notification taken.

Above: the session, which says when there is a meter to talk to, and is told what goes wrong. Below: a `Link` that sends
and delivers datagrams.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
import logging
import math
import random

from .echonet.frame import ANSWERS, CONTROLLER, NODE_PROFILE, SMART_METER, Eoj, Esv, Frame, Property
from .exceptions import (
    BrouteError,
    FrameError,
    MeterSilentError,
    ModuleError,
    ModuleSilentError,
    NotJoinedError,
    NotSentError,
)
from .link.base import Datagram, Drop, Link, Network
from .request_queue import RequestQueue
from .response_timer import RequestKind, ResponseTimer
from .statistics import Statistics

_LOGGER = logging.getLogger(__name__)

REPEATS = 2
"""How often a request that the meter leaves unanswered is repeated (protocol 5.2)."""
SILENT_ATTEMPTS = 3
"""So many attempts in a row without an answer mean that the session is lost (protocol 5.2)."""
SPOILT_REPEATS = 3
"""How often a request is repeated because its answer seems to have come and could not be read."""
SPOILT_WAIT_S = (0.5, 2.5)
"""So long the answer may still come after something that could not be read: at least, and at most."""
REPEAT_SPACING_S = 2.0
"""The same, when the next one asks again for what was spoilt or is in doubt, or follows the check of a session."""
NOT_SENT_PAUSES_S = (2.0, 3.0, 5.0)
"""After EVENT 21 with 01, which says that the air was busy or that nobody acknowledged: the meter is not silent by that
(protocol 5.2)."""
SPACING_S = 5.0
"""From one request on the air to the next (protocol 5.2)."""
ON_AIR_S = 0.5
"""A module that has nothing else to do puts a request on the air within this time."""
GATE_LIMIT_S = 70.0
"""So long a request waits for the renewal of the session or for the end of the transmission limit."""
CONFIRMATIONS = 4
"""So many notifications wait for their confirmation at once."""

_METER_OBJECTS = frozenset({SMART_METER, NODE_PROFILE})
_OUR_CLASSES = frozenset({(0x05, 0xFF), (0x0E, 0xF0)})
_SPOILT = frozenset({Drop.GARBLED, Drop.OVERLONG, Drop.MALFORMED})
"""What the awaited answer may have been."""

type NotificationListener = Callable[[Frame], None]


class Trouble(Enum):
    """What the conversation with a joined meter runs into, and only the session can mend."""

    NO_SESSION = "no_session"
    """The module refuses to send, because it has no session (FAIL ER10)."""
    MODULE_SILENT = "module_silent"
    """The module does not answer, or answers nonsense."""
    NOT_SENT = "not_sent"
    """The module gets nothing on the air, or nobody acknowledges it (EVENT 21 with 01), time after time."""
    METER_SILENT = "meter_silent"
    """The meter has left too many requests in a row unanswered."""


class Conversation:
    """The exchange of frames with one meter at a time."""

    def __init__(
        self,
        randomness: random.Random,
        statistics: Statistics,
        timer: ResponseTimer,
        on_trouble: Callable[[Trouble], None],
    ) -> None:
        self.rssi_dbm: float | None = None
        """How strongly the meter was heard last; `None` while it was not heard."""
        self.lqi: int | None = None
        """The link quality indicator of then, 0 to 255; `None` where the module does not tell."""
        self.heard_at: float | None = None
        """When the meter's last datagram came, on the event loop's clock; `None` before the first."""
        self.answered_at: float | None = None
        """When the meter's last answer in this session came, on the event loop's clock; `None` before the first."""
        self.silent_attempts = SILENT_ATTEMPTS
        """So many attempts in a row without an answer are borne."""
        self.unanswered = 0
        """How many attempts in a row the meter has left unanswered."""
        self._statistics = statistics
        self._timer = timer
        self._on_trouble = on_trouble
        self._renewed = asyncio.Event()
        self._may_transmit = asyncio.Event()
        self._bar_limit: asyncio.TimerHandle | None = None
        self._bar_is_tried = False
        self._link: Link | None = None
        self._meter: Network | None = None
        self._joined = False
        self._tid = randomness.randrange(0x10000)
        self._queue = RequestQueue(self._clear_at)
        self._sent_at = 0.0
        self._next_send_at = 0.0
        self._pending: _Pending | None = None
        self._confirmations: set[asyncio.Task[None]] = set()
        self._listeners: list[NotificationListener] = []
        self.lift_bar()

    @property
    def is_joined(self) -> bool:
        """Whether there is a meter to talk to."""
        return self._joined

    def listen_to(self, link: Link, meter: Network) -> None:
        """Take what this meter sends from now on: its first notification may come before the news that it is joined."""
        self._link = link
        self._meter = meter

    def begin(self) -> None:
        """Talk: the meter is joined."""
        self._joined = True
        self.answered_at = None
        self.unanswered = 0
        self._next_send_at = 0.0
        if self._meter:
            self.rssi_dbm, self.lqi = self._meter.rssi_dbm, self._meter.lqi
        self._renewed.set()

    def end(self, failure: BrouteError) -> None:
        """Stop talking: whoever waits gets `failure`."""
        self._joined = False
        self._meter = None
        self._link = None
        # Whoever waits at a gate, or for room, finds out behind it.
        self._renewed.set()
        self._queue.forget()
        if self._pending:
            self._pending.fail(failure)
        for task in self._confirmations:
            task.cancel()

    # The gates: two, for two independent reasons.

    def await_renewal(self) -> None:
        """Send nothing until the session has been renewed."""
        self._renewed.clear()

    def end_renewal(self) -> None:
        """Send again."""
        self._renewed.set()
        self._queue.look_again()

    def bar(self, trial_s: float) -> None:
        """Send nothing while the module is above its limit of transmission time (protocol 3.10).

        After `trial_s` without news of it a request tries whether it was lifted unheard.
        """
        self.lift_bar()
        self._may_transmit.clear()
        self._bar_limit = asyncio.get_running_loop().call_later(trial_s, self._try_the_bar)

    def lift_bar(self) -> None:
        """Send again."""
        self._bar_is_tried = False
        self._may_transmit.set()
        self._queue.look_again()
        if self._bar_limit:
            self._bar_limit.cancel()
            self._bar_limit = None

    def _try_the_bar(self) -> None:
        """Let a request through: the news that the bar was lifted may have got lost."""
        self.lift_bar()
        self._bar_is_tried = True

    async def clear_to_transmit(self) -> None:
        """Wait while the module is above its limit of transmission time."""
        await self._may_transmit.wait()

    @property
    def _gates_are_open(self) -> bool:
        return self._renewed.is_set() and self._may_transmit.is_set()

    def _may_send(self) -> bool:
        """Tell whether what waits for its turn at the module may be sent: asked when the turn has come."""
        return self._joined and self._gates_are_open

    def _clear_at(self) -> float:
        """Return from when on a request can be sent: at once where it fails at once, without a session."""
        if not self._joined:
            return -math.inf
        return self._next_send_at if self._gates_are_open else math.inf

    def on_notification(self, listener: NotificationListener) -> Callable[[], None]:
        """Call `listener` with each INF and INFC of the meter; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Requests.

    def expect_request(self, at: float) -> None:
        """Keep free the time of a request that will come then: none in the background shall be in its way."""
        self._queue.expect(at)

    async def request(
        self,
        esv: Esv,
        properties: Iterable[Property],
        *,
        to: Eoj = SMART_METER,
        repeats: int = REPEATS,
        counts: bool = True,
        background: bool = False,
    ) -> Frame:
        """Send a request and return the meter's answer, which may be an SNA.

        One request is under way at a time, and they are spaced. A request that stays unanswered is repeated, each time
        with a new TID; to a meter that has not answered the last ones it is sent once. An answer to any of the attempts
        is taken. `counts`: whether its silence tells of the session. `background`: it has time, and others go before
        it, also from one of its attempts to the next (see `RequestQueue`).

        Raises:
            NotJoinedError: there is no session now.
            MeterSilentError: the meter left the request and its repeats unanswered.
            NotSentError: the module could not send it.
            ModuleError: the module does not answer.
        """
        pending = _Pending(esv, tuple(properties), to)
        if not background:
            async with self._queue.turn():
                return await self._ask(pending, attempts=1 if self.unanswered else 1 + repeats, counts=counts)
        repeats = 0 if self.unanswered else repeats
        while True:
            async with self._queue.turn(background=True):
                try:
                    return await self._ask(pending, attempts=1, counts=counts)
                except MeterSilentError:
                    if not repeats or not self._joined:
                        raise
            repeats -= 1

    async def _ask(self, pending: _Pending, attempts: int, *, counts: bool) -> Frame:
        self._pending = pending
        try:
            return await self._attempt(pending, attempts, counts=counts)
        finally:
            self._pending = None

    async def _attempt(self, pending: _Pending, attempts: int, *, counts: bool) -> Frame:
        spoilt_repeats = SPOILT_REPEATS
        while attempts:
            await self._send(pending)
            if frame := await self._await_answer(pending):
                self.answered_at = asyncio.get_running_loop().time()
                self.unanswered = 0
                self._statistics.answers += 1
                return frame
            if pending.spoilt and spoilt_repeats:
                self._statistics.spoilt += 1
                self.hurry()
                spoilt_repeats -= 1
                continue
            _LOGGER.debug("The meter did not answer a request of %d properties", len(pending.epcs))
            self._statistics.unanswered += 1
            attempts -= 1
            self.unanswered += counts
            if self.unanswered >= self.silent_attempts:
                self._on_trouble(Trouble.METER_SILENT)
                break
        raise MeterSilentError("The meter does not answer")

    def hurry(self) -> None:
        """Send the next request sooner than usual: after this one, nobody knows more than before."""
        self._next_send_at = min(self._next_send_at, self._sent_at + REPEAT_SPACING_S)
        self._queue.look_again()

    async def _await_answer(self, pending: _Pending) -> Frame | None:
        """Wait for the answer; `None` when the time for it is over, or when it seems to have been spoilt."""
        try:
            async with asyncio.timeout(self._timer.limit_s(pending.kind)) as pending.limit:
                await pending.settled.wait()
        except TimeoutError:
            return None
        finally:
            pending.limit = None
        if pending.failure:
            raise pending.failure
        return pending.answer

    async def _send(self, pending: _Pending) -> None:
        """Put a request on the air; when the module could not, again after a pause."""
        module_was_silent = False
        pauses_s = iter(NOT_SENT_PAUSES_S)
        gives_up_at = asyncio.get_running_loop().time() + GATE_LIMIT_S
        while True:
            link = await self._clear_to_send(gives_up_at)
            self._tid = (self._tid + 1) & 0xFFFF
            try:
                if not await link.send(pending.frame(self._tid), self._may_send):
                    # A gate has closed while others had their turn at the module.
                    self._next_send_at = 0.0
                    continue
            except NotSentError:
                _LOGGER.debug("The module could not put a datagram on the air")
                self._statistics.not_sent += 1
                if self._bar_is_tried:
                    self.bar(link.duty_limit_trial_s)
                    continue
                pause_s = next(pauses_s, None)
                # It may have been sent all the same, and only the acknowledgement lost.
                if await pending.is_settled_within(NOT_SENT_PAUSES_S[-1] if pause_s is None else pause_s):
                    return
                if pause_s is None:
                    self._on_trouble(Trouble.NOT_SENT)
                    raise
                self._next_send_at = 0.0
            except NotJoinedError:
                self._on_trouble(Trouble.NO_SESSION)
                raise
            except ModuleError as err:
                if module_was_silent or not isinstance(err, ModuleSilentError):
                    self._on_trouble(Trouble.MODULE_SILENT)
                    raise
                module_was_silent = True
                self._next_send_at = 0.0
            else:
                self._space(asyncio.get_running_loop().time() - ON_AIR_S)
                self._bar_is_tried = False
                self._statistics.requests += 1
                return

    async def _clear_to_send(self, gives_up_at: float) -> Link:
        """Wait for the spacing, the renewal and the duty limit; return the link that may be used."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_send_at or not self._gates_are_open:
            try:
                async with asyncio.timeout_at(gives_up_at):
                    await asyncio.sleep(self._next_send_at - loop.time())
                    while not self._gates_are_open:
                        await self._renewed.wait()
                        await self._may_transmit.wait()
            except TimeoutError:
                raise NotSentError("The module may not transmit now") from None
        if self._link is None or not self._joined:
            raise NotJoinedError("There is no session with the meter now")
        self._space(loop.time())
        return self._link

    def _space(self, sent_at: float) -> None:
        """Let the next request wait, from `sent_at` on: a module that was busy may have begun with this one late."""
        self._sent_at = max(self._sent_at, sent_at)
        self._next_send_at = self._sent_at + SPACING_S

    # What comes from the link.

    def take(self, datagram: Datagram) -> None:
        """Take a datagram: an answer, a notification, or something to be dropped."""
        if drop := self._objection_to(datagram):
            self.drop(drop)
            return
        try:
            frame = Frame.from_bytes(datagram.payload)
        except FrameError as err:
            _LOGGER.debug("Dropped a datagram: %s", err)
            self.drop(Drop.MALFORMED)
            return
        self.heard_at = asyncio.get_running_loop().time()
        if datagram.rssi_dbm is not None:
            self.rssi_dbm, self.lqi = datagram.rssi_dbm, datagram.lqi
        if frame.surplus:
            _LOGGER.debug("A frame is followed by %d bytes that do not belong to it", frame.surplus)
        _LOGGER.debug("← %s", frame)
        if self._pending and (answer_s := self._pending.take(frame)) is not None:
            self._timer.learn(self._pending.kind, answer_s)
        elif frame.esv in (Esv.INF, Esv.INFC) and frame.seoj in _METER_OBJECTS and _is_for_us(frame):
            self._take_notification(frame)
        else:
            self.drop(Drop.UNMATCHED)

    def drop(self, drop: Drop) -> None:
        """Count what was received and cannot be used; it may have been the answer that is waited for."""
        _LOGGER.debug("Dropped what was received: %s", drop)
        self._statistics.drops[drop] += 1
        if drop in _SPOILT and self._pending:
            self._pending.expect_no_more_than(self._timer.slowest_s.get(self._pending.kind, 0.0))

    def _objection_to(self, datagram: Datagram) -> Drop | None:
        if self._meter is None or datagram.mac != self._meter.mac:
            return Drop.STRANGER
        return None if datagram.encrypted else Drop.UNENCRYPTED

    def _take_notification(self, frame: Frame) -> None:
        self._statistics.notifications += 1
        # Where nothing may be sent now, the meter repeats it.
        if frame.esv is Esv.INFC and self._link and self._gates_are_open and len(self._confirmations) < CONFIRMATIONS:
            task = asyncio.create_task(self._confirm(self._link, frame))
            self._confirmations.add(task)
            task.add_done_callback(self._confirmations.discard)
        for listener in tuple(self._listeners):
            try:
                listener(frame)
            except Exception:  # the port must go on whatever becomes of those who look on
                _LOGGER.exception("Somebody who was told of a notification has failed")

    async def _confirm(self, link: Link, notification: Frame) -> None:
        """Answer an INFC (protocol 1.3); the meter repeats it when the answer is lost."""
        answer = Frame(
            tid=notification.tid,
            seoj=CONTROLLER if notification.deoj.instance == 0 else notification.deoj,
            deoj=notification.seoj,
            esv=Esv.INFC_RES,
            properties=tuple(Property(epc) for epc in notification.epcs),
        )
        try:
            await link.send(answer.to_bytes(), self._may_send)
        except BrouteError as err:
            _LOGGER.debug("A notification was not confirmed: %s", err)


class _Pending:
    """The request that is under way, in all its attempts."""

    def __init__(self, esv: Esv, properties: tuple[Property, ...], to: Eoj) -> None:
        self.epcs = sorted(prop.epc for prop in properties)
        self.kind = RequestKind.of(self.epcs)
        self.settled = asyncio.Event()
        self.answer: Frame | None = None
        self.failure: BrouteError | None = None
        self.limit: asyncio.Timeout | None = None
        """While the answer is waited for."""
        self.spoilt = False
        self._esv = esv
        self._properties = properties
        self._to = to
        self._sent_at: dict[int, float] = {}

    def frame(self, tid: int) -> bytes:
        """Return the request as its next attempt."""
        self._sent_at[tid] = asyncio.get_running_loop().time()
        self.spoilt = False
        frame = Frame(tid=tid, seoj=CONTROLLER, deoj=self._to, esv=self._esv, properties=self._properties)
        _LOGGER.debug("→ %s", frame)
        return frame.to_bytes()

    def take(self, frame: Frame) -> float | None:
        """Take a frame if it answers this request; return after how many seconds, else `None`.

        TID, both objects, the service and the EPCs must fit. The TID alone is not enough: meters use small TIDs of
        their own (protocol 1.2). An SNA may come without any property at all.
        """
        refuses_all = not frame.properties and frame.esv is not Esv.INF
        if (
            self.answer is not None
            or frame.tid not in self._sent_at
            or frame.seoj != self._to
            or frame.esv not in ANSWERS[self._esv]
            or (frame.deoj != CONTROLLER and frame.esv is not Esv.INF)
            or (sorted(frame.epcs) != self.epcs and not refuses_all)
        ):
            return None
        self.answer = frame
        self.settled.set()
        return asyncio.get_running_loop().time() - self._sent_at[frame.tid]

    async def is_settled_within(self, seconds: float) -> bool:
        """Wait so long for the answer or the failure; tell whether there is one."""
        try:
            async with asyncio.timeout(seconds):
                await self.settled.wait()
        except TimeoutError:
            return False
        return True

    def fail(self, failure: BrouteError) -> None:
        """Let the request fail, unless it was answered."""
        if not self.settled.is_set():
            self.failure = failure
            self.settled.set()

    def expect_no_more_than(self, usual_s: float) -> None:
        """Wait for the answer no longer than it usually takes: it seems to have come, and to have been spoilt."""
        if self.limit is None or self.spoilt:
            return
        self.spoilt = True
        loop = asyncio.get_running_loop()
        shortest_s, longest_s = SPOILT_WAIT_S
        sent_at = next(reversed(self._sent_at.values()))
        end = loop.time() + min(max(sent_at + usual_s - loop.time(), shortest_s), longest_s)
        when = self.limit.when()
        if when is not None and end < when:
            self.limit.reschedule(end)


def _is_for_us(notification: Frame) -> bool:
    return (notification.deoj.class_group, notification.deoj.class_code) in _OUR_CLASSES
