"""The port in memory: one client at a time, the time of each byte, and a module that outlives the client."""

import asyncio
import errno

import pytest

from simulator import ConstantLoad, SimulatedHome
from tests.simulator.peer import Peer, answer, joined


async def test_a_second_client_finds_the_port_busy() -> None:
    with SimulatedHome() as home:
        await Peer.opened(home)
        with pytest.raises(OSError, match="open already") as refused:
            await Peer.opened(home)
        assert refused.value.errno == errno.EBUSY


async def test_the_port_can_be_opened_again_and_the_session_is_still_there() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        assert peer.transport is not None
        peer.transport.close()
        assert peer.transport.is_closing()
        peer.transport.write(b"SKRESET\r\n")
        await asyncio.sleep(0)
        assert peer.lost == [None]
        await asyncio.sleep(3600)
        again = await Peer.opened(home)
        assert await again.settle(1) == b""
        assert (await answer(again, home, "1081000105FF010288016201E700")).endswith("000001F4")


async def test_what_is_said_while_the_port_is_closed_is_lost() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\n")
        await asyncio.sleep(0.0045 + 7 * 10 / 115_200)
        assert peer.transport is not None
        peer.transport.close()
        again = await Peer.opened(home)
        assert await again.settle(1) == b""


async def test_bytes_come_in_pieces_at_the_pace_of_the_line() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        del peer.pieces[:]
        home.faults.noise_lines.append(b"x" * 198)
        await peer.ask("SKVER")
        times, pieces = zip(*peer.pieces, strict=True)
        assert [len(piece) for piece in pieces][:4] == [62, 62, 62, 14]
        assert [round((later - times[0]) * 11_520) for later in times[:4]] == [0, 62, 124, 138]


async def test_a_paused_reader_gets_everything_when_it_resumes() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        assert peer.transport is not None
        peer.transport.pause_reading()
        peer.write(b"SKVER\r\n")
        assert await peer.settle(1) == b""
        assert not peer.transport.is_reading()
        peer.transport.resume_reading()
        assert peer.new() == b"EVER 1.5.2\r\nOK\r\n"


async def test_a_protocol_can_be_exchanged() -> None:
    with SimulatedHome(echo=False) as home:
        first, second = await Peer.opened(home), Peer()
        assert first.transport is not None
        first.transport.set_protocol(second)
        first.write(b"SKVER\r\n")
        await first.settle(1)
        assert first.received == b""
        assert second.received == b"EVER 1.5.2\r\nOK\r\n"


async def test_the_transport_tells_its_state() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        assert peer.transport is not None
        assert peer.transport.get_protocol() is peer
        assert peer.transport.get_extra_info("name") == "BP35C2"
        assert not peer.transport.can_write_eof()
        peer.write(b"SKVER\r\n")
        assert peer.transport.get_write_buffer_size() == 7
        await peer.settle(1)
        assert peer.transport.get_write_buffer_size() == 0
        peer.transport.abort()
        peer.transport.close()
        await asyncio.sleep(0)
        assert peer.lost == [None]


async def test_closing_the_home_leaves_no_timer_behind() -> None:
    loop = asyncio.get_running_loop()
    with SimulatedHome() as home:
        peer = await joined(home)
        peer.write(b"SKSCAN 2 FFFFFFFF 6 0\r\n")
        await peer.settle(1)
        home.meter.fault = True
    assert peer.lost == []
    await asyncio.sleep(0)
    assert peer.lost == [None]
    scheduled = getattr(loop, "_scheduled")  # noqa: B009 - asyncio offers no other way to see them
    assert not [handle for handle in scheduled if not handle.cancelled()]
