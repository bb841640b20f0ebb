"""Openers of others, and what becomes of their errors: an error of the port, whose cause is kept and not told."""

import asyncio
from collections.abc import Callable
import errno
import socket
from typing import Any, override

import pytest
import serialx

from custom_components.broute.aiobroute.exceptions import PortBusyError, PortError, PortMissingError
from custom_components.broute.aiobroute.link.port import Port

from .peer import OK, URL, Peer, PeerTransport, turn

HOST = "the-users-host.example"


class NotLoadedError(Exception):
    """What a program may raise in which a serial port is something else than for us."""


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(
    ("scheme", "cause", "error", "message"),
    [
        ("esphome-hass", NotLoadedError(HOST), PortError, "cannot be opened"),
        ("esphome-hass", OSError(errno.EBUSY, HOST), PortBusyError, "in use"),
        ("esphome-hass", ValueError(HOST), PortMissingError, "no path and no URL"),
        # Its device hung up: that it gave the port to somebody else it says.
        ("esphome-hass", OSError(errno.EIO, HOST), PortError, "cannot be opened"),
        ("esphome-hass", TimeoutError(HOST), PortError, "in time"),
        ("socket", TimeoutError(), PortError, "in time"),
        ("socket", TimeoutError(errno.ETIMEDOUT, HOST), PortError, "in time"),
        ("socket", socket.gaierror(socket.EAI_NONAME, HOST), PortMissingError, "no host"),
        ("SOCKET", OSError(f"Multiple exceptions: [Errno 111] {HOST}"), PortMissingError, "Nothing answers"),
        ("tcp", OSError(errno.EHOSTDOWN, HOST), PortMissingError, "Nothing answers"),
        ("socket", OSError(errno.EADDRNOTAVAIL, HOST), PortMissingError, "Nothing answers"),
        ("socket", serialx.SerialException(HOST), PortError, "cannot be opened"),
        ("rfc2217", OSError(errno.EIO, HOST), PortBusyError, "hung up"),
        ("rfc2217", ConnectionResetError(errno.ECONNRESET, HOST), PortBusyError, "hung up"),
        ("rfc2217", serialx.SerialException(HOST), PortError, "RFC 2217"),
        ("rfc2217", KeyError(HOST), PortError, "cannot be opened"),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
async def test_what_an_opener_raises_is_an_error_of_the_port(
    scheme: str, cause: Exception, error: type[PortError], message: str
) -> None:
    async def opener(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        raise cause

    with pytest.raises(PortError, match=message) as raised:
        await Port.open(opener, f"{scheme}://{HOST}:4000")
    assert type(raised.value) is error
    assert raised.value.__cause__ is cause
    assert HOST not in str(raised.value)


@pytest.mark.looptime(noop_cycles=0)
async def test_opening_can_be_cancelled() -> None:
    task = asyncio.create_task(Port.open(Peer(opens_after_s=60.0).open, URL))
    await turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class BrokenTransport(PeerTransport):
    """A connection that has broken without a word, and says so when it is used."""

    @override
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        raise NotLoadedError(HOST)

    @override
    def abort(self) -> None:
        self.lose(None)


@pytest.mark.looptime(noop_cycles=0)
async def test_a_port_that_breaks_when_it_is_written_to_is_lost() -> None:
    async def opener(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        return BrokenTransport(protocol_factory(), Peer().say, stuck=False)

    port = await Port.open(opener, URL)
    losses: list[None] = []
    port.lost = lambda: losses.append(None)
    with pytest.raises(PortError, match="lost") as raised:
        port.write(OK.encode())
    assert isinstance(raised.value.__cause__, NotLoadedError)
    assert HOST not in str(raised.value)
    assert losses == []  # not while the caller is still writing
    await turn()
    assert losses == [None]
    assert not port.is_open
