"""The port of a module in memory: an asyncio transport for tests on virtual time.

Above it is the client under test; below it the UART, which gives each byte its time.
"""

import asyncio
from collections.abc import Callable
import errno
from typing import override

from .uart import Uart


class Port:
    """The socket that the module is plugged into; one client can have it open.

    Args:
        uart: the module's line.
        name: what the messages call it.
    """

    def __init__(self, uart: Uart, name: str) -> None:
        self._uart = uart
        self._name = name
        self._transport: MemoryTransport | None = None
        self.plugged = True

    async def open(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the port and call the protocol's `connection_made`.

        Args:
            url: only for the message when it fails.
            protocol_factory: makes the protocol that gets the bytes.

        Raises:
            FileNotFoundError: while the module is unplugged.
            OSError: EBUSY while another has it open.
        """
        if not self.plugged:
            raise FileNotFoundError(errno.ENOENT, "could not open port", url)
        if self._transport is not None:
            raise OSError(errno.EBUSY, "the port is open already", url)
        protocol = protocol_factory()
        self._transport = MemoryTransport(self._uart, protocol, self._closed, self._name)
        protocol.connection_made(self._transport)
        return self._transport

    def unplug(self, error: Exception | None = None) -> None:
        """Take the port away: the client's connection is lost with `error`, `None` being a plain end of file."""
        self.plugged = False
        if self._transport is not None:
            self._transport.lose(error)

    def plug(self) -> None:
        """Put the port back."""
        self.plugged = True

    def _closed(self) -> None:
        self._transport = None


class MemoryTransport(asyncio.Transport):
    """The open port. `close()` frees it at once; `connection_lost(None)` follows in the next turn of the loop."""

    def __init__(self, uart: Uart, protocol: asyncio.BaseProtocol, closed: Callable[[], object], name: str) -> None:
        super().__init__({"name": name})
        self._uart = uart
        self._protocol = protocol
        self._closed = closed
        self._closing = False
        self._paused = False
        self._held = bytearray()
        uart.open(self._receive)

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._uart.write(bytes(data))

    @override
    def get_write_buffer_size(self) -> int:
        return self._uart.backlog

    @override
    def can_write_eof(self) -> bool:
        return False

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def close(self) -> None:
        self.lose(None)

    @override
    def abort(self) -> None:
        self.lose(None)

    @override
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    @override
    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    @override
    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    @override
    def pause_reading(self) -> None:
        self._paused = True

    @override
    def resume_reading(self) -> None:
        self._paused = False
        held, self._held = bytes(self._held), bytearray()
        if held:
            self._receive(held)

    def lose(self, error: Exception | None) -> None:
        """Close the port and tell the protocol why."""
        if self._closing:
            return
        self._closing = True
        self._uart.close()
        self._closed()
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    def _receive(self, data: bytes) -> None:
        if self._closing:
            return
        if self._paused:
            self._held += data
        elif isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)
