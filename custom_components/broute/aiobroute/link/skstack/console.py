"""Commands and their answers: one at a time, and no answer is taken for another's (protocol 3.1, 3.9).

Above: the driver, which gets everything that is no answer. Below: the codec and the port.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import logging

from ...exceptions import (
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
from . import commands
from .codec import Decoder, Event, Fail, Garbled, Line, Ok, PanDescription, SkEvent, UdpReceived

_LOGGER = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 2.0
"""An answer takes milliseconds; SKRESET was seen to take most of a second."""
SEND_TIMEOUT_S = 3.0
"""SKSENDTO is answered when the datagram is on the air, or is not."""
LINE_TIMEOUT_S = 2.0
"""From the first byte of a line to its last: the longest takes 0.2 s, but ports behind a network stutter."""

type Report = Event | PanDescription | UdpReceived
"""What a module says by itself."""

_REFUSALS: dict[str | None, type[CommandRefusedError]] = {
    "ER04": CommandNotSupportedError,
    "ER05": WrongArgumentCountError,
    "ER06": InvalidArgumentError,
    "ER09": SerialInputError,
    "ER10": ExecutionFailedError,
}

_DATA = ("EVER ", "EAPPVER ", "EINFO ", "ESREG ")
"""Lines that belong to an answer: the OK behind them does too."""


@dataclass(slots=True)
class _Exchange:
    """A command that waits for its answer.

    `data_prefix`: the line that must come before OK counts, by which a late OK to an earlier command is told apart.
    `echoed`: how much of the command came back so far.
    """

    command: str = field(repr=False)
    answer: asyncio.Future[Ok]
    data_prefix: str | None = None
    wants_value: bool = False
    takes_refusal: bool = True
    data: str | None = field(default=None, repr=False)
    echoed: int = 0

    def takes_echo(self, text: str) -> bool:
        """Take a line if it is the next piece of the echo, which an event may have cut in two."""
        rest = self.command[self.echoed :].lstrip(" ")
        if not rest.startswith(text):
            return False
        self.echoed = len(self.command) - len(rest) + len(text)
        return True

    @property
    def is_echoed(self) -> bool:
        """Whether enough of the command came back to be no chance: its name."""
        return self.echoed >= len(self.command.split(maxsplit=1)[0])


def _never() -> bool:
    return False


class Console:
    """The command line of a module.

    `on_report` gets what the module says by itself, `on_drop` what cannot be used of it, `on_reset` the news that the
    module must have been reset by somebody else, `on_lost` that the port is gone. Commands are given one after the
    other; whoever uses this sees to that.

    A module that was reset says nothing of it, but its echo is on again: a command that comes back after one that did
    not tells of it. That holds on ports, too, that echo by themselves.
    """

    def __init__(
        self,
        port: Port,
        on_report: Callable[[Report], None],
        on_drop: Callable[[Drop], None],
        on_reset: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._port = port
        self._on_report = on_report
        self._on_drop = on_drop
        self._on_reset = on_reset
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._exchange: _Exchange | None = None
        self._in_doubt = False
        self._another_ok = False
        self._echo_is_off = False
        self._line_deadline: asyncio.TimerHandle | None = None
        port.receive = self._receive
        port.lost = self._lost

    @property
    def is_open(self) -> bool:
        """Whether the port can still be used."""
        return self._port.is_open

    async def close(self) -> None:
        """Close the port."""
        self._forget_deadline()
        await self._port.close()

    def begin(self) -> None:
        """Finish whatever is unfinished, on both sides: what an earlier program left, or what was spoilt."""
        self.give_up_line()
        self._decoder.reset()
        self._port.write(commands.CRLF)

    def give_up_line(self) -> None:
        """Wait no longer for the end of a line: it was lost, or a datagram says that it is longer than it is."""
        self._forget_deadline()
        if lost := self._decoder.give_up():
            self._take(lost)

    async def payload_form(self) -> bool:
        """Ask whether the module writes payloads in hex, and read them so from now on."""
        try:
            value = await self.command(commands.PAYLOAD_FORM, wants_value=True)
            hex_payload = bool(int(value or "", 16) & 0x01)
        except CommandRefusedError:
            hex_payload = True  # RL7023 has no such command and always writes hex (protocol 3.3)
        self._decoder.hex_payload = hex_payload
        return hex_payload

    async def version(self, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Ask once for the version of the stack, which no module refuses to tell."""
        # A refusal belongs to junk before the command.
        exchange = _exchange(commands.STACK_VERSION, data_prefix="EVER ", takes_refusal=False)
        await self._ask(commands.STACK_VERSION, exchange, timeout_s)
        return exchange.data or ""

    async def command(
        self,
        command: bytes,
        data_prefix: str | None = None,
        *,
        wants_value: bool = False,
        has_begun: Callable[[], bool] = _never,
    ) -> str | None:
        """Send a command and wait for OK; return its value, or the rest of the line that begins with `data_prefix`.

        What stays unanswered, or is refused for its form, may have been spoilt on the wire and is asked again once. It
        may have been carried out all the same, so that must do no harm:

        - Registers, credentials, SKRESET and questions can be repeated at will.
        - SKSCAN while a scan runs is answered with OK and changes nothing: the first goes on to its EVENT 22 (seen in
          capture 14).
        - SKJOIN would begin the authentication anew in the midst of it, so it is not repeated once `has_begun` tells
          that there are events of it.
        - SKTERM that is refused with ER10 the second time was carried out the first time.

        `has_begun`: whether what the module says by itself shows that it carries out the command; then the missing OK
        does not matter.

        Raises:
            ModuleSilentError: it was not answered, within 3 x `COMMAND_TIMEOUT_S`.
            CommandRefusedError: the subclasses tell the reason. ER10 is told at once.
        """
        try:
            return await self._command(command, data_prefix, wants_value=wants_value)
        except ExecutionFailedError:
            raise
        except ModuleSilentError, CommandRefusedError:
            if has_begun():
                return None
        self.begin()
        try:
            # After a refusal, too: the line may have been cut in two, and the other half be refused as well.
            await self.version()
            if has_begun():
                return None
            return await self._command(command, data_prefix, wants_value=wants_value)
        except ModuleSilentError:
            if has_begun():
                return None
            raise

    async def send(self, command: bytes, has_begun: Callable[[], bool]) -> None:
        """Send SKSENDTO with its data, once, and wait for OK, or for what shows that it is not needed.

        Raises:
            ModuleSilentError: it was not answered.
            CommandRefusedError: the subclasses tell the reason.
        """
        try:
            await self._command(command, None, timeout_s=SEND_TIMEOUT_S)
        except ModuleSilentError:
            if has_begun():
                return
            # If bytes were lost, the module takes whatever comes for the rest of the data: no more than this.
            self._port.write(b" " * len(command))
            self.begin()
            raise
        except CommandRefusedError:
            # The data may have been taken for commands.
            self._in_doubt = True
            self.begin()
            raise

    async def _command(
        self,
        command: bytes,
        data_prefix: str | None,
        *,
        wants_value: bool = False,
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> str | None:
        if self._in_doubt:
            # An answer was missed. It may still come, and must not pass for the answer to this command.
            await self.version()
        exchange = _exchange(command, data_prefix=data_prefix, wants_value=wants_value)
        ok = await self._ask(command, exchange, timeout_s)
        return ok.value if wants_value else exchange.data

    async def _ask(self, command: bytes, exchange: _Exchange, timeout_s: float = COMMAND_TIMEOUT_S) -> Ok:
        name = command.split(maxsplit=1)[0].decode("ascii")
        if command == commands.RESET:
            self._echo_is_off = False
        self._exchange = exchange
        self._in_doubt = True
        try:
            self._port.write(command)
            _LOGGER.debug("→ %s", name)
            async with asyncio.timeout(timeout_s):
                ok = await exchange.answer
        except TimeoutError:
            raise ModuleSilentError(f"The module did not answer {name}") from None
        except CommandRefusedError:
            self._in_doubt = False
            raise
        finally:
            self._exchange = None
        self._in_doubt = False
        self._echo_is_off = exchange.echoed == 0 and command != commands.RESET
        return ok

    # What comes from the module.

    def finish_description(self) -> None:
        """Take a description of a network as complete, though the line did not come by which it ends."""
        for event in self._decoder.finish_description():
            self._take(event)

    def _receive(self, data: bytes) -> None:
        was_read = False
        for event in self._decoder.feed(data):
            was_read = True
            self._take(event)
        if was_read or not self._decoder.unfinished:
            self._forget_deadline()
        if self._decoder.unfinished and self._line_deadline is None:
            self._line_deadline = asyncio.get_running_loop().call_later(LINE_TIMEOUT_S, self.give_up_line)

    def _forget_deadline(self) -> None:
        if self._line_deadline:
            self._line_deadline.cancel()
            self._line_deadline = None

    def _take(self, event: SkEvent) -> None:
        # One that has its answer waits no more, even where its caller did not go on yet.
        exchange = self._exchange if self._exchange and not self._exchange.answer.done() else None
        match event:
            case Ok():
                self._take_ok(event, exchange)
            case Fail(code):
                if exchange is None:
                    self._on_drop(Drop.UNEXPECTED)
                elif exchange.takes_refusal:
                    refusal = _REFUSALS.get(code, CommandRefusedError)
                    fail(exchange.answer, refusal(f"The module refused a command with {code or 'FAIL'}"))
            case Line(text):
                self._take_line(text, exchange)
            case Garbled(reason, drop):
                _LOGGER.debug("Dropped from the module: %s", reason)
                self._on_drop(drop)
            case _:
                self._on_report(event)

    def _take_ok(self, ok: Ok, exchange: _Exchange | None) -> None:
        if self._another_ok or exchange is None or (ok.value is not None) != exchange.wants_value:
            _LOGGER.debug("Dropped an OK that nothing waits for")
            self._another_ok = False
            self._on_drop(Drop.UNEXPECTED)
        elif exchange.data_prefix is None or exchange.data is not None:
            settle(exchange.answer, ok)

    def _take_line(self, text: str, exchange: _Exchange | None) -> None:
        if exchange and exchange.data_prefix and text.startswith(exchange.data_prefix):
            exchange.data = text.removeprefix(exchange.data_prefix).strip()
            self._another_ok = False
        elif exchange and exchange.takes_echo(text):
            if self._echo_is_off and exchange.is_echoed:
                self._echo_is_off = False
                self._on_reset()
        elif text.startswith(_DATA):
            # Of another command: of one that was given up, SKVER itself not excepted, or of another program's.
            self._another_ok = True
            self._on_drop(Drop.UNEXPECTED)
        else:
            self._on_drop(Drop.GARBLED)

    def _lost(self) -> None:
        self._forget_deadline()
        if self._exchange:
            fail(self._exchange.answer, PortError("The port was lost"))
        self._on_lost()


def _exchange(
    command: bytes, *, data_prefix: str | None = None, wants_value: bool = False, takes_refusal: bool = True
) -> _Exchange:
    return _Exchange(
        command.decode("latin-1"),
        asyncio.get_running_loop().create_future(),
        data_prefix=data_prefix,
        wants_value=wants_value,
        takes_refusal=takes_refusal,
    )
