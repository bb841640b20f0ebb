"""Opening a serial port by URL: a path, `socket://`, `rfc2217://` or whatever else serialx knows.

Above: `identify()` and the drivers. Below: serialx, or what a caller passes in its place.
"""

import asyncio
from collections.abc import Callable
import errno
import logging
import socket
from typing import Protocol, Self, override

import serialx
from serialx.platforms.serial_rfc2217 import RFC2217SerialTransport
from serialx.platforms.serial_rfc2217.types import Rfc2217Command, SetLinestateMaskCmd, SetModemstateMaskCmd

from ..exceptions import PortBusyError, PortError, PortMissingError

BAUD_RATE = 115_200
"""8N1, no flow control, as all supported modules come (protocol 3.1, 4.1)."""

CLOSE_LIMIT_S = 2.0

KEEP_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPALIVE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 25_000,
}
"""What is asked of a TCP connection, in seconds and the last in milliseconds, where the platform has the option.

A server that is gone without a word is noticed after 25 s of silence, or 25 s after bytes that it does not confirm.
When these are sent at the very end of that silence, it takes both: 50 s, which is within the 60 s that the session
allows.
`TCP_KEEPALIVE` is what macOS calls `TCP_KEEPIDLE`.
"""

HUNG_UP = "The server hung up: it has given the port to another program, or has no module"

type _Reason = tuple[type[PortError], str]

_NO_SUCH_PORT: _Reason = (PortMissingError, "There is no such port")
_NO_SUCH_SERVER: _Reason = (PortMissingError, "Nothing answers at this address")
_IN_USE: _Reason = (PortBusyError, "The port is in use by another program")
_UNTOLD: _Reason = (PortError, "The port cannot be opened")

_REASONS_BY_NUMBER: dict[int, _Reason] = {
    **dict.fromkeys((errno.ENOENT, errno.ENODEV, errno.ENXIO), _NO_SUCH_PORT),
    **dict.fromkeys((errno.ECONNREFUSED, errno.EADDRNOTAVAIL), _NO_SUCH_SERVER),
    **dict.fromkeys((errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN), _NO_SUCH_SERVER),
    **dict.fromkeys((errno.EBUSY, errno.EAGAIN), _IN_USE),
}
_REASONS_BY_CLASS: dict[type[Exception], _Reason] = {
    ValueError: (PortMissingError, "This is no path and no URL of a port"),
    PermissionError: (PortError, "This user may not open the port"),
    TimeoutError: (PortError, "The port did not open in time"),
    socket.gaierror: (PortMissingError, "There is no host of this name"),
}
_TCP_SCHEMES = frozenset({"socket", "tcp", "rfc2217"})

_LOGGER = logging.getLogger(__name__)

# serialx logs every byte, the ID and the password among them, wherever everything is logged at debug level.
_SERIALX_LOGGER = logging.getLogger("serialx")
if _SERIALX_LOGGER.level == logging.NOTSET:
    _SERIALX_LOGGER.setLevel(logging.INFO)


class PortOpener(Protocol):
    """Open the port that a URL names and connect it to a new protocol object."""

    async def __call__(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Return the connected transport.

        Any `Exception` says that this was not possible: openers that others register raise errors of their own, as
        Home Assistant's does for `esphome-hass://` until its integration ESPHome is loaded.
        """


async def open_with_serialx(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    """Open a port with serialx, for this process alone."""
    loop = asyncio.get_running_loop()
    transport: asyncio.Transport
    if _scheme(url) == "rfc2217":
        transport, _ = await serialx.create_serial_connection(
            loop, protocol_factory, url, baudrate=BAUD_RATE, transport_cls=_Rfc2217Transport
        )
    else:
        transport, _ = await serialx.create_serial_connection(loop, protocol_factory, url, baudrate=BAUD_RATE)
    return transport


class _Rfc2217Transport(RFC2217SerialTransport):
    """A connection without news of the modem lines, which are of no use here.

    serialx asks for them and waits for the answer; ser2net gives none to this (4.3, as in Debian), and would never be
    open.
    """

    @override
    async def _send_and_wait(self, cmd: Rfc2217Command) -> Rfc2217Command:
        if isinstance(cmd, SetModemstateMaskCmd | SetLinestateMaskCmd):
            return cmd
        return await super()._send_and_wait(cmd)


class Port(asyncio.Protocol):
    """An open port: bytes to whoever receives them, and the news of its loss."""

    def __init__(self, url: str) -> None:
        self.receive: Callable[[bytes], None] = _ignore_bytes
        self.lost: Callable[[], None] = _ignore_loss
        self._scheme = _scheme(url)
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._loss: Exception | None = None
        self._is_full = False

    @classmethod
    async def open(cls, opener: PortOpener, url: str) -> Self:
        """Open the port at a URL.

        Raises:
            PortMissingError: there is no such port, or nothing answers at its address.
            PortBusyError: another program holds it.
            PortError: anything else; the cause is chained.
        """
        port = cls(url)
        try:
            port._transport = await opener(url, lambda: port)
        except Exception as err:
            # Not what the error says of itself, which may be an address or a key.
            _LOGGER.debug("The port was not opened: %s", type(err).__name__)
            raise port._explain(err) from err
        return port

    @property
    def is_open(self) -> bool:
        """Whether bytes can still come and go."""
        return self._transport is not None and not self._closed.is_set() and not self._transport.is_closing()

    @property
    def was_hung_up_on(self) -> bool:
        """Whether a server ended the connection: soon after it was opened, as one does whose port is in use."""
        return self._scheme in _TCP_SCHEMES and self._closed.is_set() and _is_end(self._loss)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            PortError: the port is gone; or it does not take what is sent, and is given up for lost.
        """
        if self._transport is None or not self.is_open:
            raise PortError("The port was lost") from self._loss
        if self._is_full:
            self._give_up(self._transport)
            raise PortError("The port was lost: it takes no more bytes")
        try:
            self._transport.write(data)
        except Exception as err:
            self._give_up(self._transport)
            raise PortError("The port was lost") from err

    async def close(self) -> None:
        """Close the port and wait until it is free for the next program, `CLOSE_LIMIT_S` at the most."""
        self.receive, self.lost = _ignore_bytes, _ignore_loss
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have a dead connection noticed (called by the transport)."""
        # serialx tells its connection's socket no other way.
        connection = getattr(transport, "_tcp_transport", transport)
        if connected := connection.get_extra_info("socket"):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in KEEP_ALIVE.items():
                if option := getattr(socket, name, None):
                    connected.setsockopt(socket.IPPROTO_TCP, option, value)

    @override
    def data_received(self, data: bytes) -> None:
        """Pass on what came (called by the transport)."""
        self.receive(data)

    @override
    def pause_writing(self) -> None:
        """Take no more bytes, because those before were not taken (called by the transport)."""
        self._is_full = True

    @override
    def resume_writing(self) -> None:
        """Take bytes again (called by the transport)."""
        self._is_full = False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the port is gone (called by the transport)."""
        self._loss = exc
        self._closed.set()
        _LOGGER.debug("The port is gone: %s", type(exc).__name__ if exc else "closed")
        self.lost()

    def _give_up(self, transport: asyncio.Transport) -> None:
        """Have the loss told, but not to a caller that is in the middle of writing."""
        asyncio.get_running_loop().call_soon(transport.abort)

    def _explain(self, err: Exception) -> PortError:
        """Say in our own terms why the port cannot be opened."""
        reason = _REASONS_BY_NUMBER.get(err.errno or 0) if isinstance(err, OSError) else None
        if reason is None:
            by_class = (reason for kind, reason in _REASONS_BY_CLASS.items() if isinstance(err, kind))
            reason = next(by_class, None) or self._explain_connection(err)
        kind, message = reason
        return kind(message)

    def _explain_connection(self, err: Exception) -> _Reason:
        if self._scheme not in _TCP_SCHEMES:
            return _UNTOLD
        if isinstance(err, OSError) and err.errno is None:
            # So asyncio sums up that a host has several addresses, and why it could not connect to each of them.
            return _NO_SUCH_SERVER
        if _is_end(err):
            return PortBusyError, HUNG_UP
        if self._scheme == "rfc2217" and isinstance(err, serialx.SerialException):
            return PortError, "The server does not speak RFC 2217"
        return _UNTOLD


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator else ""


def _is_end(err: Exception | None) -> bool:
    """Tell whether an error, or its absence, says that the other side ended the connection."""
    return err is None or isinstance(err, ConnectionError) or (isinstance(err, OSError) and err.errno == errno.EIO)


def _ignore_bytes(data: bytes) -> None:
    """Drop bytes that nobody waits for."""


def _ignore_loss() -> None:
    """Drop the news of the loss of a port that nobody uses."""
