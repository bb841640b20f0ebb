"""Commands and their answers: one at a time, and no answer is taken for another's (protocol 3.1, 3.9).

Above: the driver, which gets everything that is no answer. Below: the codec and the port.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
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

type Report = Event | PanDescription | UdpReceived
"""What a module says by itself."""

_REFUSALS: dict[str | None, type[CommandRefusedError]] = {
    "ER04": CommandNotSupportedError,
    "ER05": WrongArgumentCountError,
    "ER06": InvalidArgumentError,
    "ER09": SerialInputError,
    "ER10": ExecutionFailedError,
}


@dataclass(slots=True)
class _Exchange:
    """A command that waits for its answer.

    `data_prefix`: the line that must come before OK counts, by which a late OK to an earlier command is told apart.
    """

    command: str
    answer: asyncio.Future[Ok]
    data_prefix: str | None = None
    wants_value: bool = False
    takes_refusal: bool = True
    data: str | None = None


class Console:
    """The command line of a module.

    `on_report` gets what the module says by itself, `on_drop` what cannot be used of it, `on_lost` the news that the
    port is gone. Commands are given one after the other; whoever uses this sees to that.
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
        self._exchange: _Exchange | None = None
        self._in_doubt = False
        port.receive = self._receive
        port.lost = self._lost

    @property
    def is_open(self) -> bool:
        """Whether the port can still be used."""
        return self._port.is_open

    async def close(self) -> None:
        """Close the port."""
        await self._port.close()

    def begin(self) -> None:
        """Finish whatever an earlier program left unfinished, on both sides."""
        self._decoder.reset()
        self._port.write(commands.CRLF)

    async def payload_form(self) -> bool:
        """Ask whether the module writes payloads in hex, and read them so from now on."""
        try:
            ok = await self._ask(commands.PAYLOAD_FORM, _exchange(commands.PAYLOAD_FORM, wants_value=True))
            hex_payload = bool(int(ok.value or "", 16) & 0x01)
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

    async def command(self, command: bytes, data_prefix: str | None = None) -> str | None:
        """Send a command and wait for OK; return the rest of the line that begins with `data_prefix`.

        What stays unanswered, or is refused for its form, is asked again once: it may have been spoilt on the wire.
        """
        try:
            return await self._command(command, data_prefix)
        except ExecutionFailedError:
            raise
        except ModuleSilentError, CommandRefusedError:
            self._port.write(commands.CRLF)
            return await self._command(command, data_prefix)

    async def send(self, command: bytes) -> None:
        """Send SKSENDTO with its data, once, and wait for OK."""
        try:
            await self._command(command, None, SEND_TIMEOUT_S)
        except ModuleSilentError, CommandRefusedError:
            # The module may be waiting for the rest of the data, or take the data for commands.
            self._in_doubt = True
            self._port.write(commands.CRLF)
            raise

    async def _command(
        self, command: bytes, data_prefix: str | None, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str | None:
        if self._in_doubt:
            # An answer was missed. It may still come, and must not pass for the answer to this command.
            await self.version()
        exchange = _exchange(command, data_prefix=data_prefix)
        await self._ask(command, exchange, timeout_s)
        return exchange.data

    async def _ask(self, command: bytes, exchange: _Exchange, timeout_s: float = COMMAND_TIMEOUT_S) -> Ok:
        name = command.split(maxsplit=1)[0].decode("ascii")
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
        return ok

    def _receive(self, data: bytes) -> None:
        for event in self._decoder.feed(data):
            self._take(event)

    def _take(self, event: SkEvent) -> None:
        exchange = self._exchange
        match event:
            case Ok():
                self._take_ok(event)
            case Fail(code):
                if exchange is None:
                    self._on_drop(Drop.UNEXPECTED)
                elif exchange.takes_refusal:
                    refusal = _REFUSALS.get(code, CommandRefusedError)
                    fail(exchange.answer, refusal(f"The module refused a command with {code or 'FAIL'}"))
            case Line(text):
                if exchange and exchange.data_prefix and text.startswith(exchange.data_prefix):
                    exchange.data = text.removeprefix(exchange.data_prefix).strip()
                elif not exchange or not exchange.command.startswith(text.rstrip()):
                    self._on_drop(Drop.GARBLED)
            case Garbled(reason, drop):
                _LOGGER.debug("Dropped from the module: %s", reason)
                self._on_drop(drop)
            case _:
                self._on_report(event)

    def _take_ok(self, ok: Ok) -> None:
        exchange = self._exchange
        if exchange is None or (ok.value is not None) != exchange.wants_value:
            _LOGGER.debug("Dropped an OK that nothing waits for")
            self._on_drop(Drop.UNEXPECTED)
        elif exchange.data_prefix is None or exchange.data is not None:
            settle(exchange.answer, ok)

    def _lost(self) -> None:
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
