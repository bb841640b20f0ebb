"""Opening a serial port by URL: a path, `socket://`, `rfc2217://` or whatever else serialx knows.

Above: `identify()` and the drivers. Below: serialx, or what a caller passes in its place.
"""

import asyncio
from collections.abc import Callable
import errno
import logging
from typing import Protocol, Self

import serialx

from ..exceptions import PortBusyError, PortError, PortMissingError

BAUD_RATE = 115_200
"""8N1, no flow control, as all supported modules come (protocol 3.1, 4.1)."""

CLOSE_LIMIT_S = 2.0

_MISSING = frozenset(
    {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
)
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN})


# serialx logs every byte, the ID and the password among them, wherever everything is logged at debug level.
_SERIALX_LOGGER = logging.getLogger("serialx")
if _SERIALX_LOGGER.level == logging.NOTSET:
    _SERIALX_LOGGER.setLevel(logging.INFO)


class PortOpener(Protocol):
    """Open the port that a URL names and connect it to a new protocol object."""

    async def __call__(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Return the connected transport; raise `OSError` or `serialx.SerialException`."""


async def open_with_serialx(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    """Open a port with serialx, for this process alone."""
    transport, _ = await serialx.create_serial_connection(
        asyncio.get_running_loop(), protocol_factory, url, baudrate=BAUD_RATE
    )
    return transport


class Port(asyncio.Protocol):
    """An open port: bytes to whoever receives them, and the news of its loss."""

    def __init__(self) -> None:
        self.receive: Callable[[bytes], None] = _ignore_bytes
        self.lost: Callable[[], None] = _ignore_loss
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()

    @classmethod
    async def open(cls, opener: PortOpener, url: str) -> Self:
        """Open the port at a URL.

        Raises:
            PortMissingError: there is no such port.
            PortBusyError: another program holds it.
            PortError: anything else; the cause is chained.
        """
        port = cls()
        try:
            port._transport = await opener(url, lambda: port)
        except (OSError, ValueError, serialx.SerialException) as err:
            raise _explain(err) from err
        return port

    @property
    def is_open(self) -> bool:
        """Whether bytes can still come and go."""
        return self._transport is not None and not self._closed.is_set() and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send bytes; raise `PortError` when the port is gone."""
        if self._transport is None or not self.is_open:
            raise PortError("The port was lost")
        self._transport.write(data)

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

    def data_received(self, data: bytes) -> None:
        """Pass on what came (called by the transport)."""
        self.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the port is gone (called by the transport)."""
        self._closed.set()
        self.lost()


def _ignore_bytes(data: bytes) -> None:
    """Drop bytes that nobody waits for."""


def _ignore_loss() -> None:
    """Drop the news of the loss of a port that nobody uses."""


def _explain(err: Exception) -> PortError:
    """Say in our own terms why a port cannot be opened."""
    number = err.errno if isinstance(err, OSError) else None
    if number in _MISSING:
        return PortMissingError("There is no such port")
    if number in _BUSY:
        return PortBusyError("The port is in use by another program")
    if isinstance(err, ValueError):
        return PortMissingError("This is no path and no URL of a port")
    if isinstance(err, PermissionError):
        return PortError("This user may not open the port")
    return PortError("The port cannot be opened")
