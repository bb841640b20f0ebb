"""The driver: what cannot be used is dropped with its reason, at once, and takes nothing with it."""

import asyncio
import gc
import tracemalloc

import pytest

from custom_components.broute.aiobroute.link.base import Drop, LinkEvent
from custom_components.broute.aiobroute.link.skstack.codec import MAX_LINE, MAX_PAYLOAD
from custom_components.broute.aiobroute.link.skstack.console import LINE_TIMEOUT_S

from .dialogue import CREDENTIALS, POWER, datagram, event
from .peer import OK, Heard, Peer, Piece, dual_stack, identified, now, turn
from .wire import CRLF, METER_ADDRESS

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]

PAYLOAD = bytes.fromhex(POWER)


def module(*, binary: bool) -> Peer:
    return dual_stack(b"OK 00\r" if binary else b"OK 01\r")


def written(*, binary: bool, size: int = len(PAYLOAD), header: str = "ERXUDP") -> bytes:
    """Return a datagram that says to have so many bytes, without its line end."""
    head = datagram().removesuffix(POWER).replace(" 0012 ", f" {size:04X} ").replace("ERXUDP", header)
    return head.encode() + (PAYLOAD if binary else POWER.encode())


@pytest.mark.parametrize(
    ("line", "drop"),
    [
        ("JUNK", Drop.GARBLED),
        (b"\xff\xfe\r\n", Drop.GARBLED),
        (b"\x00\r\n", Drop.GARBLED),
        (b"EV\x00ENT 25 FE80::1 0\r\n", Drop.GARBLED),
        (b"EVENT 2\xb5 FE80::1 0\r\n", Drop.GARBLED),
        ("EVENT 25", Drop.GARBLED),
        (f"EVENT 21 {METER_ADDRESS} 0", Drop.GARBLED),
        ("  Channel:21", Drop.GARBLED),
        (event(0x25)[1:], Drop.GARBLED),
        (datagram()[1:], Drop.GARBLED),
        (datagram().replace("0E1A 0E1A", "0E1A0E1A"), Drop.GARBLED),
        (datagram()[:-1], Drop.GARBLED),
        (datagram()[:40], Drop.GARBLED),
        (datagram() + "0", Drop.GARBLED),
        (datagram().replace(" 0012 ", " 0011 "), Drop.GARBLED),
        (datagram().replace(" 0012 ", " 0013 "), Drop.GARBLED),
        (datagram().replace(" 0012 ", " 04D0 "), Drop.GARBLED),
        (datagram()[:-3].encode() + b"\xb0F4\r\n", Drop.GARBLED),
        (datagram()[:-3].encode() + b"\x001F4\r\n", Drop.GARBLED),
        (datagram() + datagram(), Drop.GARBLED),
        (datagram().replace(" 0012 ", " 04D1 "), Drop.OVERLONG),
        (datagram().replace(" 0012 ", " FFFF "), Drop.OVERLONG),
        ("x" * (MAX_LINE + 1), Drop.OVERLONG),
        (OK, Drop.UNEXPECTED),
        (b"OK 01\r", Drop.UNEXPECTED),
        ("FAIL ER04", Drop.UNEXPECTED),
        ("FAIL", Drop.UNEXPECTED),
        ("EVER 1.5.2", Drop.UNEXPECTED),
        ("EINFO", Drop.GARBLED),
        ("EINFO FE80", Drop.UNEXPECTED),
        ("ESREG 0", Drop.UNEXPECTED),
        ("EAPPVER rev26e", Drop.UNEXPECTED),
        (datagram().replace("0E1A 0E1A", "0E1A 0E1B"), Drop.WRONG_PORT),
        (datagram().replace("0E1A 0E1A", "0E1B 0E1A"), Drop.WRONG_PORT),
        (datagram().replace("0E1A 0E1A", "0E1B 0E1B"), Drop.WRONG_PORT),
        (datagram().replace("0E1A 0E1A", "02CC 0E1A"), Drop.WRONG_PORT),
        (datagram().replace("0E1A 0E1A", "0E1A 02CC"), Drop.WRONG_PORT),
        (datagram(sender="FE80:0000:0000:0000:021D:1290:1234:5679"), Drop.STRANGER),
        (datagram(mac="001D129012345679"), Drop.STRANGER),
        (datagram(mac="AABBCCDDEEFF"), Drop.STRANGER),
    ],
    ids=lambda value: repr(value)[-40:],
)
async def test_what_cannot_be_used_is_dropped_with_its_reason(line: Piece, drop: Drop) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        began = now()
        peer.say(line)
        await turn()
        # At once, and not only when the next line comes.
        assert (heard.drops, heard.datagrams, heard.events, now()) == ([drop], [], [], began)
        peer.say(event(0x29), datagram())
        await turn()
        assert heard.drops == [drop]
        assert heard.events == [LinkEvent.EXPIRED]
        assert heard.payloads == [PAYLOAD]


@pytest.mark.parametrize(
    "line",
    [
        datagram().replace("0E1A 0E1A", "02CC 02CC"),
        datagram(flags="0 0").replace("0E1A 0E1A", "02cc 02cc"),
        datagram(),
        event(0x25),
        event(0x40),
        "",
        b"\r\n\r\r\n\n",
        "   ",
    ],
    ids=lambda value: repr(value)[-40:],
)
async def test_what_belongs_to_the_way_of_a_module_is_no_drop(line: Piece) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(line)
        await asyncio.sleep(2 * LINE_TIMEOUT_S)
        assert heard.drops == []


async def test_a_whole_preparation_with_its_echo_drops_nothing() -> None:
    peer = dual_stack(echo=True)
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        assert heard.drops == []


# Binary payloads: their length alone tells where they end.


@pytest.mark.parametrize("size", [0, 1, len(PAYLOAD) - 2, len(PAYLOAD) - 1, len(PAYLOAD) + 1])
async def test_a_binary_datagram_that_ends_elsewhere_than_it_says_is_dropped_at_once(size: int) -> None:
    peer = module(binary=True)
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(written(binary=True, size=size) + CRLF)
        await turn()
        assert (heard.drops, heard.datagrams) == ([Drop.GARBLED], [])
        peer.say(written(binary=True) + CRLF)
        await turn()
        assert heard.payloads == [PAYLOAD]


@pytest.mark.parametrize("size", [len(PAYLOAD) + 2, len(PAYLOAD) + 3, 100, MAX_PAYLOAD])
async def test_a_binary_datagram_that_waits_for_more_than_comes_is_dropped_after_the_time_of_a_line(size: int) -> None:
    peer = module(binary=True)
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(written(binary=True, size=size) + CRLF)
        await asyncio.sleep(LINE_TIMEOUT_S - 0.01)
        assert heard.drops == []
        await asyncio.sleep(0.02)
        assert heard.drops == [Drop.GARBLED]
        # Nothing of what follows is taken for its rest.
        peer.say(written(binary=True) + CRLF)
        await turn()
        assert heard.payloads == [PAYLOAD]


# Lines without an end.


@pytest.mark.parametrize("binary", [False, True], ids=["hex", "binary"])
@pytest.mark.parametrize("cut", [1, 6, 7, 30, 100, -10, -1])
async def test_a_datagram_that_stops_is_dropped_after_the_time_of_a_line(cut: int, binary: bool) -> None:
    peer = module(binary=binary)
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(written(binary=binary)[:cut])
        await asyncio.sleep(LINE_TIMEOUT_S - 0.01)
        assert heard.drops == []
        await asyncio.sleep(0.02)
        assert heard.drops == [Drop.GARBLED]
        peer.say(written(binary=binary) + CRLF, event(0x29))
        await turn()
        assert (heard.payloads, heard.events, heard.drops) == ([PAYLOAD], [LinkEvent.EXPIRED], [Drop.GARBLED])


@pytest.mark.parametrize("piece", [b"OK", b"EVENT 25 FE80::1 0", b"\x00", b"x"])
async def test_a_line_that_stops_is_dropped_after_the_time_of_a_line(piece: bytes) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(piece)
        await asyncio.sleep(LINE_TIMEOUT_S + 0.01)
        assert (heard.drops, heard.events) == ([Drop.GARBLED], [])
        await asyncio.sleep(10 * LINE_TIMEOUT_S)
        assert heard.drops == [Drop.GARBLED]


async def test_a_line_that_comes_in_drops_has_no_more_time_than_another() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        began = now()
        while not heard.drops:
            peer.say(b"x")
            await asyncio.sleep(0.1)
            assert now() - began <= LINE_TIMEOUT_S + 0.2
        assert heard.drops == [Drop.GARBLED]


async def test_a_port_that_stutters_loses_nothing() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        lines = [written(binary=False) + CRLF, event(0x33).encode() + CRLF] * 4
        stream = b"".join(lines)
        # No line takes more than two pieces, though there is always one that is not finished.
        step = max(map(len, lines))
        for start in range(0, len(stream), step):
            peer.say(stream[start : start + step])
            await asyncio.sleep(LINE_TIMEOUT_S - 0.1)
        assert (heard.payloads, len(heard.events), heard.drops) == ([PAYLOAD] * 4, 4, [])


async def test_what_was_told_to_be_dropped_takes_nothing_later_with_it() -> None:
    """The end of the line was lost: what comes after a while is another line."""
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(datagram().encode() + b"00")
        await turn()
        assert heard.drops == [Drop.GARBLED]
        await asyncio.sleep(LINE_TIMEOUT_S + 0.01)
        peer.say(event(0x29))
        await turn()
        assert (heard.drops, heard.events) == ([Drop.GARBLED], [LinkEvent.EXPIRED])


async def test_half_a_line_does_not_spoil_the_answer_to_a_repeat() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers("SKRESET", 0.1, b"O")
        peer.answers("SKRESET", OK)
        await link.prepare(CREDENTIALS)
        assert heard.drops == [Drop.GARBLED]


@pytest.mark.parametrize("loses_port", [True, False], ids=["lost", "closed"])
async def test_a_line_that_stops_with_its_port_leaves_no_timer(loses_port: bool) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(b"ERXUDP ")
        await turn()
        if loses_port:
            peer.unplug()
        else:
            await link.close()
        await asyncio.sleep(2 * LINE_TIMEOUT_S)
        assert heard.drops == []


# Floods.

MEGABYTES = 10


@pytest.mark.parametrize("piece", [65_536, MEGABYTES * 1_000_000], ids=["in pieces", "at once"])
@pytest.mark.parametrize(
    ("unit", "drop"),
    [
        (b"\x00", Drop.OVERLONG),
        (b"x", Drop.OVERLONG),
        (b"EVENT ", Drop.OVERLONG),
        (b"ERXUDP ", Drop.GARBLED),
        (datagram().encode(), Drop.GARBLED),
        (datagram().removesuffix(POWER).encode(), Drop.GARBLED),
    ],
    ids=["NUL", "letters", "events without end", "names", "datagrams without end", "headers"],
)
async def test_a_line_without_end_is_dropped_once_and_not_kept(unit: bytes, drop: Drop, piece: int) -> None:
    """Work that grew with the square of it would not end."""
    peer = dual_stack()
    stream = unit * (MEGABYTES * 1_000_000 // len(unit))
    async with identified(peer) as link:
        heard = Heard(link)
        assert peer.transport
        for start in range(0, len(stream), piece):
            peer.transport.receive(stream[start : start + piece])
        assert heard.drops == [drop]
        peer.say(b"\r\n", event(0x29))
        await turn()
        assert heard.events == [LinkEvent.EXPIRED]


@pytest.mark.parametrize(
    "line",
    [b"\x00\r\n", b"\n", event(0x40).encode() + CRLF, datagram().encode() + CRLF, b"EPANDESC\r\n  Channel:21\r\n"],
    ids=["NUL", "ends", "events", "datagrams", "descriptions"],
)
async def test_lines_without_end_are_taken_and_not_kept(line: bytes) -> None:
    peer = dual_stack()
    chunk = line * (16_384 // len(line))
    async with identified(peer) as link:
        heard = Heard(link)
        assert peer.transport
        peer.transport.receive(chunk)
        # What other tests have left is not collected while it is counted.
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(8):
                heard.datagrams.clear()
                heard.drops.clear()
                peer.transport.receive(chunk)
            heard.datagrams.clear()
            heard.drops.clear()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < len(chunk)
        peer.say(event(0x29))
        await turn()
        assert heard.events == [LinkEvent.EXPIRED]
