"""The port of a module for other processes: a pseudo-terminal or a TCP socket on this machine.

Above it is a client in another process; below it the UART. What the module says while no client is there is lost, and
so is what a client sends faster than the serial line can carry.
"""

import asyncio
from contextlib import suppress
import os
from pathlib import Path
import select
import tty
from typing import override

from .uart import Uart

READ_AT_ONCE = 4096
MAX_UNREAD = 262_144
"""What a TCP client leaves unread beyond this is lost."""
LOOK_S = 0.02
"""How often a pseudo-terminal without a client is looked at."""


class PtyPort:
    """A pseudo-terminal; it stays when a client closes it and can be opened again.

    Args:
        uart: the module's line.
        link: a symbolic link to make; an existing link is replaced.

    Attributes:
        uart: the module's line; may be exchanged while the port is unplugged.
        name: what a client opens; without a link it may be another one after `plug()`.
    """

    def __init__(self, uart: Uart, link: Path | None = None) -> None:
        self.uart = uart
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._plugged = False
        self.plug()

    def plug(self) -> None:
        """Put the port back."""
        if self._plugged:
            return
        self._plugged = True
        self._master, client_end = os.openpty()
        tty.setraw(client_end)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(client_end)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.name)
            self.name = str(self._link)
        # Without this end kept open the master tells by a hang-up whether a client is there.
        os.close(client_end)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._timer = self._loop.call_soon(self._look)

    def unplug(self) -> None:
        """Take the port away: the client's terminal hangs up."""
        if not self._plugged:
            return
        self._plugged = False
        self._timer.cancel()
        self._loop.remove_reader(self._master)
        self.uart.close()
        os.close(self._master)
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the port away for good."""
        self.unplug()

    def _look(self) -> None:
        """Wait for a client."""
        _, state = (self._poll.poll(0) or [(self._master, 0)])[0]
        if state & select.POLLHUP and not state & select.POLLIN:
            self._timer = self._loop.call_later(LOOK_S, self._look)
            return
        tty.setraw(self._master)
        self.uart.open(self._to_host)
        self._loop.add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            self._loop.remove_reader(self._master)
            self.uart.close()
            self._timer = self._loop.call_later(LOOK_S, self._look)
            return
        self.uart.write(data)

    def _to_host(self, data: bytes) -> None:
        with suppress(OSError):
            os.write(self._master, data)


class TcpPort:
    """A TCP server on 127.0.0.1 that takes one client at a time; others are hung up on.

    Args:
        uart: the module's line.
        port: TCP port, 0 = any.

    Attributes:
        uart: the module's line; may be exchanged while the port is unplugged.
        name: what a client opens.
    """

    def __init__(self, uart: Uart, port: int = 0) -> None:
        self.uart = uart
        self._port = port
        self._client: _TcpClient | None = None
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self.name = ""

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _TcpClient(self), "127.0.0.1", self._port)
        # The same again after an `unplug()`.
        self._port = self._server.sockets[0].getsockname()[1]
        self.name = f"socket://127.0.0.1:{self._port}"

    def plug(self) -> None:
        """Begin to listen again, in the next turns of the loop."""
        if self._server is None and self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self.start())
            self._starting.add_done_callback(self._started)

    def unplug(self) -> None:
        """Stop listening and hang up."""
        if self._starting is not None:
            self._starting.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._client is not None:
            self._client.hang_up()

    def close(self) -> None:
        """Take the port away for good."""
        self.unplug()

    def take(self, client: _TcpClient) -> bool:
        """Let a client in; false when another is there."""
        if self._client is not None:
            return False
        self._client = client
        self.uart.open(client.to_host)
        return True

    def _started(self, starting: asyncio.Task[None]) -> None:
        self._starting = None
        if not starting.cancelled():
            starting.result()

    def leave(self, client: _TcpClient) -> None:
        """Let the client go."""
        if self._client is client:
            self._client = None
            self.uart.close()

    def write(self, data: bytes) -> None:
        """Pass bytes to the module."""
        self.uart.write(data)


class _TcpClient(asyncio.Protocol):
    """The connection of one client."""

    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport) and self._port.take(self):
            self._transport = transport
        else:
            transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._port.write(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._port.leave(self)

    def to_host(self, data: bytes) -> None:
        """Send bytes of the module."""
        if self._transport is not None and self._transport.get_write_buffer_size() < MAX_UNREAD:
            self._transport.write(data)

    def hang_up(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
