"""What servers do to a connection, other than serving, and what their clients are told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import os
import socket
import struct

import pytest

from custom_components.broute.aiobroute import PortBusyError, PortError, PortMissingError
from custom_components.broute.aiobroute.link.identify import identify
from custom_components.broute.aiobroute.link.port import Port, open_with_serialx
from development.child_process import LOCALHOST, free_port

LOSS_LIMIT_S = 10.0

MUCH = 32 << 20
"""More than is on its way in the kernels of both sides: these take some megabytes."""
DONT_BINARY = bytes((255, 254, 0))


class Client(asyncio.Protocol):
    """The server's side of a connection, which does nothing with it but what it is told in the beginning."""

    def __init__(self, begin: Callable[[asyncio.Transport], object]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._begin(transport)


@asynccontextmanager
async def listening(begin: Callable[[asyncio.Transport], object]) -> AsyncIterator[str]:
    """Run a server; yield its address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(begin), LOCALHOST, 0)
    async with server:
        yield f"{LOCALHOST}:{server.sockets[0].getsockname()[1]}"
        server.abort_clients()


def close(transport: asyncio.Transport) -> None:
    """Hang up in order."""
    transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Hang up as a program does that is killed with bytes unread."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def opened(url: str) -> tuple[Port, asyncio.Event]:
    """Open a port; the event comes with its loss."""
    port = await Port.open(open_with_serialx, url)
    lost = asyncio.Event()
    port.lost = lost.set
    return port, lost


@pytest.mark.parametrize("host", [LOCALHOST, "localhost"])
async def test_a_server_that_does_not_listen_is_a_missing_port(scheme: str, host: str) -> None:
    with pytest.raises(PortMissingError, match="Nothing answers"):
        await identify(open_with_serialx, f"{scheme}://{host}:{free_port()}")


@pytest.mark.parametrize("hang_up", [close, reset])
async def test_a_server_that_hangs_up_at_once_has_given_the_port_to_another(
    scheme: str, hang_up: Callable[[asyncio.Transport], object]
) -> None:
    async with listening(hang_up) as address:
        with pytest.raises(PortBusyError, match="another program") as raised:
            await identify(open_with_serialx, f"{scheme}://{address}")
    assert address not in str(raised.value)


async def test_a_server_that_refuses_rfc_2217_is_told_to_do_so() -> None:
    async with listening(lambda transport: transport.write(DONT_BINARY)) as address:
        with pytest.raises(PortError, match="does not speak RFC 2217"):
            await identify(open_with_serialx, f"rfc2217://{address}")


async def test_a_connection_that_is_reset_is_lost_at_once_and_the_cause_is_kept() -> None:
    connections: asyncio.Queue[asyncio.Transport] = asyncio.Queue()
    async with listening(connections.put_nowait) as address:
        port, lost = await opened(f"socket://{address}")
        reset(await connections.get())
        async with asyncio.timeout(LOSS_LIMIT_S):
            await lost.wait()
        assert not port.is_open
        with pytest.raises(PortError, match="lost") as raised:
            port.write(b"SKVER\r\n")
        assert isinstance(raised.value.__cause__, ConnectionResetError)
        await port.close()


async def test_a_server_that_takes_no_bytes_is_given_up_before_they_pile_up() -> None:
    async with listening(lambda transport: transport.pause_reading()) as address:
        port, lost = await opened(f"socket://{address}")
        await write_until_refused(port)
        async with asyncio.timeout(LOSS_LIMIT_S):
            await lost.wait()
        await port.close()


async def test_a_serial_port_that_takes_no_bytes_is_given_up_before_they_pile_up() -> None:
    module, terminal = os.openpty()
    try:
        port, lost = await opened(os.ttyname(terminal))
        assert await write_until_refused(port) < 128 << 10
        async with asyncio.timeout(LOSS_LIMIT_S):
            await lost.wait()
        await port.close()
    finally:
        os.close(module)
        os.close(terminal)


async def test_a_serial_port_that_takes_bytes_again_stays() -> None:
    module, terminal = os.openpty()
    loop = asyncio.get_running_loop()
    try:
        port, lost = await opened(os.ttyname(terminal))
        much = bytes(100 << 10)
        port.write(much)
        received = bytearray()
        complete = asyncio.Event()

        def read() -> None:
            received.extend(os.read(module, 4096))
            if received.endswith(b"end"):
                complete.set()
            elif len(received) == len(much):
                port.write(b"end")

        loop.add_reader(module, read)
        async with asyncio.timeout(LOSS_LIMIT_S):
            await complete.wait()
        assert bytes(received) == much + b"end"
        assert not lost.is_set()
        await port.close()
    finally:
        loop.remove_reader(module)
        os.close(module)
        os.close(terminal)


async def write_until_refused(port: Port) -> int:
    """Write until the port takes no more, and return how many bytes it took."""
    piece = bytes(4096)
    written = 0

    async def write() -> None:
        nonlocal written
        while written < MUCH:
            port.write(piece)
            written += len(piece)
            await asyncio.sleep(0)

    with pytest.raises(PortError, match="takes no more"):
        await write()
    return written
