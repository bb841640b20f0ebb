"""ECHONET Lite with the joined meter: one request at a time, spaced, each answer matched, every notification taken.

Above: the session, which says when there is a meter to talk to, and is told when it must be joined again. Below:
a `Link` that sends and delivers datagrams.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
import logging
import random

from .echonet.frame import ANSWERS, CONTROLLER, NODE_PROFILE, PORT, SMART_METER, Eoj, Esv, Frame, Property
from .exceptions import BrouteError, FrameError, MeterSilentError, ModuleError, NotJoinedError, NotSentError
from .link.base import Datagram, Drop, Link, Network

_LOGGER = logging.getLogger(__name__)

RESPONSE_TIMER_1_S = 20.0
"""For the answer to a request of one property (AIF 2.4.2)."""
RESPONSE_TIMER_2_S = 60.0
"""For the answer to several properties, or to one of the histories (AIF 2.4.2)."""
REPEATS = 2
"""How often a request that the meter leaves unanswered is repeated (protocol 5.2)."""
NOT_SENT_REPEATS = 3
"""EVENT 21 with 01 says that the air was busy: it is not the meter that is silent (protocol 5.2)."""
SPACING_S = 5.0
"""From the start of a request to the start of the next (protocol 5.2)."""
GATE_LIMIT_S = 70.0
"""So long a request waits for the renewal of the session or for the end of the transmission limit."""
SILENT_REQUESTS = 3
"""So many requests in a row without an answer mean that the session is lost (protocol 5.2)."""

_HISTORIES = frozenset({0xE2, 0xE4, 0xEC, 0xEE})
_METER_OBJECTS = frozenset({SMART_METER, NODE_PROFILE})
_OUR_CLASSES = frozenset({(0x05, 0xFF), (0x0E, 0xF0)})

type NotificationListener = Callable[[Frame], None]


class Conversation:
    """The exchange of frames with one meter at a time.

    `on_trouble` is called, with the reason, when the meter must be joined again: it has left too many requests in a row
    unanswered, or the module does not send.
    """

    def __init__(self, randomness: random.Random, on_trouble: Callable[[str], None]) -> None:
        self.rssi_dbm: float | None = None
        """How strongly the meter was heard last; `None` while it was not heard."""
        self.drops: Counter[Drop] = Counter()
        """How often something that was received was not used, and why."""
        self.renewed = asyncio.Event()
        """Not set from the end of the session's lifetime until the module has renewed it: nothing is sent."""
        self._barred = False
        self._may_transmit = asyncio.Event()
        """Not set while the module may not transmit (protocol 3.10): nothing is sent."""
        self._on_trouble = on_trouble
        self._link: Link | None = None
        self._meter: Network | None = None
        self._joined = False
        self._tid = randomness.randrange(0x10000)
        self._one_request = asyncio.Lock()
        self._next_send_at = 0.0
        self._pending: _Pending | None = None
        self._silent_requests = 0
        self._confirmations: set[asyncio.Task[None]] = set()
        self._listeners: list[NotificationListener] = []

    def listen_to(self, link: Link, meter: Network) -> None:
        """Take what this meter sends from now on: its first notification may come before the news that it is joined."""
        self._link = link
        self._meter = meter

    def begin(self) -> None:
        """Talk: the meter is joined."""
        self._joined = True
        self._silent_requests = 0
        self.rssi_dbm = self._meter.rssi_dbm if self._meter else None
        self.renewed.set()
        self.bar_transmission(barred=self._barred)

    def bar_transmission(self, *, barred: bool) -> None:
        """Send nothing while the module is above its limit of transmission time."""
        self._barred = barred
        if barred:
            self._may_transmit.clear()
        else:
            self._may_transmit.set()

    def end(self, failure: BrouteError) -> None:
        """Stop talking: whoever waits gets `failure`."""
        self._joined = False
        self._meter = None
        self._link = None
        # Whoever waits at a gate finds out behind it.
        self.renewed.set()
        self._may_transmit.set()
        if self._pending and not self._pending.answer.done():
            self._pending.answer.set_exception(failure)
            self._pending.answer.exception()  # a request that is still being sent does not look at it
        for task in self._confirmations:
            task.cancel()

    def on_notification(self, listener: NotificationListener) -> Callable[[], None]:
        """Call `listener` with each INF and INFC of the meter; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

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
                if answer := await self._ask(esv, asked, to):
                    self._silent_requests = 0
                    return answer
                _LOGGER.debug("The meter did not answer a request of %d properties", len(asked))
        self._silent_requests += 1
        if self._silent_requests >= SILENT_REQUESTS:
            self._on_trouble("the meter stopped answering")
        raise MeterSilentError("The meter does not answer")

    async def _ask(self, esv: Esv, properties: tuple[Property, ...], to: Eoj) -> Frame | None:
        self._tid = (self._tid + 1) & 0xFFFF
        frame = Frame(tid=self._tid, seoj=CONTROLLER, deoj=to, esv=esv, properties=properties)
        pending = self._pending = _Pending(frame)
        try:
            await self._send(frame.to_bytes())
            async with asyncio.timeout(_response_timer_s(properties)):
                return await pending.answer
        except TimeoutError:
            return None
        finally:
            self._pending = None

    async def _send(self, payload: bytes) -> None:
        """Put a request on the air; when the air is busy, again after the spacing."""
        for _ in range(1 + NOT_SENT_REPEATS):
            link = await self._clear_to_send()
            try:
                await link.send(payload)
            except NotSentError:
                _LOGGER.debug("The module could not put a datagram on the air")
            except ModuleError:
                self._on_trouble("the module does not send")
                raise
            else:
                return
        self._on_trouble("the module puts nothing on the air")
        raise NotSentError("The module cannot put anything on the air")

    async def _clear_to_send(self) -> Link:
        """Wait for the spacing, the renewal and the duty limit; return the link that may be used."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(GATE_LIMIT_S):
                await asyncio.sleep(self._next_send_at - loop.time())
                while not self._gates_are_open:
                    await self.renewed.wait()
                    await self._may_transmit.wait()
        except TimeoutError:
            raise NotSentError("The module may not transmit now, by its limit of transmission time") from None
        if self._link is None or not self._joined:
            raise NotJoinedError("There is no session with the meter now")
        self._next_send_at = loop.time() + SPACING_S
        return self._link

    @property
    def _gates_are_open(self) -> bool:
        return self.renewed.is_set() and self._may_transmit.is_set()

    # What comes from the link.

    def take(self, datagram: Datagram) -> None:
        """Take a datagram: an answer, a notification, or something to be dropped."""
        if drop := self._objection_to(datagram):
            self.drop(drop)
            return
        if datagram.rssi_dbm is not None:
            self.rssi_dbm = datagram.rssi_dbm
        try:
            frame = Frame.from_bytes(datagram.payload)
        except FrameError as err:
            _LOGGER.debug("Dropped a datagram: %s", err)
            self.drop(Drop.MALFORMED)
            return
        if frame.surplus:
            _LOGGER.debug("A frame is followed by %d bytes that do not belong to it", frame.surplus)
        if self._pending and self._pending.is_answered_by(frame):
            if not self._pending.answer.done():
                self._pending.answer.set_result(frame)
        elif frame.esv in (Esv.INF, Esv.INFC) and frame.seoj in _METER_OBJECTS and _is_for_us(frame):
            self._take_notification(frame)
        else:
            self.drop(Drop.UNMATCHED)

    def drop(self, drop: Drop) -> None:
        """Count what was received and cannot be used."""
        _LOGGER.debug("Dropped what was received: %s", drop)
        self.drops[drop] += 1

    def _objection_to(self, datagram: Datagram) -> Drop | None:
        if datagram.source_port != PORT or datagram.destination_port != PORT:
            return Drop.WRONG_PORT
        if self._meter is None or datagram.mac != self._meter.mac:
            return Drop.STRANGER
        return None if datagram.encrypted else Drop.UNENCRYPTED

    def _take_notification(self, frame: Frame) -> None:
        # Where nothing may be sent now, the meter repeats it.
        if frame.esv is Esv.INFC and self._link and self._gates_are_open:
            task = asyncio.create_task(self._confirm(self._link, frame))
            self._confirmations.add(task)
            task.add_done_callback(self._confirmations.discard)
        for listener in tuple(self._listeners):
            listener(frame)

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
            await link.send(answer.to_bytes())
        except BrouteError as err:
            _LOGGER.debug("A notification was not confirmed: %s", err)


class _Pending:
    """The request that is under way."""

    def __init__(self, request: Frame) -> None:
        self.answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._request = request
        self._epcs = sorted(request.epcs)

    def is_answered_by(self, frame: Frame) -> bool:
        """Tell whether a frame answers this request: TID, both objects, the service and the EPCs must fit.

        The TID alone is not enough: meters use small TIDs of their own (protocol 1.2). An SNA may come without any
        property at all.
        """
        refuses_all = not frame.properties and frame.esv is not Esv.INF
        return (
            frame.tid == self._request.tid
            and frame.seoj == self._request.deoj
            and frame.esv in ANSWERS[self._request.esv]
            and (frame.deoj == self._request.seoj or frame.esv is Esv.INF)
            and (sorted(frame.epcs) == self._epcs or refuses_all)
        )


def _is_for_us(notification: Frame) -> bool:
    return (notification.deoj.class_group, notification.deoj.class_code) in _OUR_CLASSES


def _response_timer_s(properties: tuple[Property, ...]) -> float:
    several = len(properties) > 1 or any(prop.epc in _HISTORIES for prop in properties)
    return RESPONSE_TIMER_2_S if several else RESPONSE_TIMER_1_S
