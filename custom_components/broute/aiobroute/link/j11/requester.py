"""Requests and their answers: one at a time, and no answer is taken for another's (protocol 4.1, 4.4, 4.5).

Above: the driver, which gets everything that is no answer. Below: the codec and the port.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import logging

from ...exceptions import (
    BrouteError,
    CommandNotSupportedError,
    CommandRefusedError,
    ExecutionFailedError,
    InvalidArgumentError,
    ModuleSilentError,
    PortError,
    SerialInputError,
    WrongArgumentCountError,
)
from ..base import Drop
from ..port import Port
from ..turns import fail, settle
from .codec import (
    OK,
    Answer,
    ChannelScanned,
    ChecksumRefused,
    Command,
    ConnectionChanged,
    Decoder,
    Garbled,
    J11Event,
    NotReceived,
    PanaEnded,
    Started,
    Transmission,
    UdpReceived,
    UnknownCommand,
)
from .commands import Request

_LOGGER = logging.getLogger(__name__)

FRAME_GAP_S = 1.0
"""A frame that is not continued for so long has no end; the module gives up one of ours after the same time."""
BUSY_PAUSE_S = 1.0
"""Before a module that was busy is asked again."""

UNKNOWN_COMMAND = 0x03
HEADER_SPOILT = 0xF0
BUSY = 0x3D
SPOILT = frozenset({HEADER_SPOILT, 0xF1, 0xF2, 0xF3, 0x13})
"""The request did not come as it was sent: checksums, lengths, or it had no end."""

_REFUSALS: dict[int, type[CommandRefusedError]] = {
    UNKNOWN_COMMAND: CommandNotSupportedError,
    0x04: InvalidArgumentError,
    0x06: InvalidArgumentError,
    0x11: WrongArgumentCountError,
    **dict.fromkeys(SPOILT, SerialInputError),
}

type Report = ChannelScanned | ConnectionChanged | NotReceived | PanaEnded | Started | UdpReceived
"""What a module says by itself."""


@dataclass(slots=True)
class _Pending:
    """A request that waits for its answer."""

    request: Request
    answer: asyncio.Future[Answer]


class Requester:
    """The module's side of the wire.

    `on_report` gets what the module says by itself, `on_drop` what cannot be used of it, `on_lost` the news that the
    port is gone. Requests are made one after the other; whoever uses this sees to that.
    """

    def __init__(
        self,
        port: Port,
        on_report: Callable[[Report], None],
        on_drop: Callable[[Drop], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._port = port
        self._on_report = on_report
        self._on_drop = on_drop
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._pending: _Pending | None = None
        self._frame_deadline: asyncio.TimerHandle | None = None
        port.receive = self._receive
        port.lost = self._lost

    @property
    def is_open(self) -> bool:
        """Whether the port can still be used."""
        return self._port.is_open

    async def close(self) -> None:
        """Close the port."""
        self._forget_frame_deadline()
        await self._port.close()

    def order(self, request: Request) -> None:
        """Write a request that is not answered."""
        self._port.write(request.frame)
        _LOGGER.debug("→ %s", request.command.name)

    async def try_once(self, request: Request, wait_s: float) -> Answer | None:
        """Make a request and return its answer, whatever it says; `None` if there is none in time."""
        pending = self._pending = _Pending(request, asyncio.get_running_loop().create_future())
        try:
            self.order(request)
            async with asyncio.timeout(wait_s):
                answer = await pending.answer
        except TimeoutError:
            return None
        finally:
            self._pending = None
        _LOGGER.debug("← %s: result %02X", request.command.name, answer.result)
        return answer

    async def ask(self, request: Request, *accepted: int, again_when_silent: bool = True) -> Answer:
        """Make a request and return its answer, the result of which is a success or one of `accepted`.

        What was spoilt on the wire, or came while the module was busy, is asked again once, and so is what stays
        unanswered unless the answer may only be late.

        Raises:
            CommandRefusedError: another result; the subclasses tell the reason.
            ModuleSilentError: there was no answer in time.
        """
        answer = await self.try_once(request, request.wait_s)
        if answer is None:
            if again_when_silent:
                answer = await self.try_once(request, request.wait_s)
        elif answer.result in SPOILT:
            answer = await self.try_once(request, request.wait_s)
        elif answer.result == BUSY:
            await asyncio.sleep(BUSY_PAUSE_S)
            answer = await self.try_once(request, request.wait_s)
        if answer is None:
            raise ModuleSilentError(f"The module did not answer {request.command.name}")
        if answer.result != OK and answer.result not in accepted:
            refusal = _REFUSALS.get(answer.result, ExecutionFailedError)
            raise refusal(f"The module refused {request.command.name} with result {answer.result:02X}")
        return answer

    def break_off(self, err: BrouteError) -> None:
        """End the request that waits: its answer will not come."""
        if self._pending:
            fail(self._pending.answer, err)

    def _receive(self, data: bytes) -> None:
        self._forget_frame_deadline()
        for event in self._decoder.feed(data):
            self._take(event)
        if self._decoder.pending:
            self._frame_deadline = asyncio.get_running_loop().call_later(FRAME_GAP_S, self._give_up_frame)

    def _give_up_frame(self) -> None:
        """Wait no longer for the end of a frame: it was lost, and what comes next is another one."""
        self._frame_deadline = None
        self._decoder.give_up()
        _LOGGER.debug("Dropped from the module: a frame without its end")
        self._on_drop(Drop.GARBLED)

    def _forget_frame_deadline(self) -> None:
        if self._frame_deadline:
            self._frame_deadline.cancel()
            self._frame_deadline = None

    def _take(self, event: J11Event) -> None:
        match event:
            case Answer():
                self._take_answer(event)
            case UnknownCommand():
                self._take_failure(UNKNOWN_COMMAND)
            case ChecksumRefused():
                self._take_failure(HEADER_SPOILT)
            case Garbled(reason, drop):
                _LOGGER.debug("Dropped from the module: %s", reason)
                self._on_drop(drop)
            case _:
                self._on_report(event)

    def _take_answer(self, answer: Answer) -> None:
        pending = self._pending
        if pending and answer.command == pending.request.command and _fits(pending.request, answer):
            settle(pending.answer, answer)
        else:
            _LOGGER.debug("Dropped an answer that nothing waits for")
            self._on_drop(Drop.UNEXPECTED)

    def _take_failure(self, result: int) -> None:
        """Take the answer to a request that the module could not name."""
        if self._pending:
            settle(self._pending.answer, Answer(self._pending.request.command, result))
        else:
            self._on_drop(Drop.UNEXPECTED)

    def _lost(self) -> None:
        self._forget_frame_deadline()
        self.break_off(PortError("The port was lost"))
        self._on_lost()


def _fits(request: Request, answer: Answer) -> bool:
    """Tell whether the answer to a transmission is that to this one: it holds the first bytes of what was sent."""
    if request.command is not Command.SEND or not isinstance(answer.value, Transmission):
        return True
    return request.data[_BEFORE_PAYLOAD:].startswith(answer.value.head)


_BEFORE_PAYLOAD = 22
"""Address, ports and size, bytes."""
