"""The serial line of a J11 module: what is a request, what is skipped, and what is wrong with a frame."""

import asyncio

import pytest

from simulator import ConstantLoad, SimulatedHome
from tests.simulator.j11 import (
    DUAL_ON_4,
    GET_POWER,
    MODULE,
    OWN_ADDRESS,
    PAIRING_ID,
    J11Peer,
    joined,
    request,
    transmission,
)

VERSION = (0x206B, "01040001030000158A")
SCAN = "080003FFF001" + PAIRING_ID


def spoilt(frame: bytes, at: int) -> bytes:
    """Return the frame with one byte changed."""
    return frame[:at] + bytes((frame[at] ^ 0x01,)) + frame[at + 1 :]


def with_length(code: int, length: int) -> bytes:
    """Return the header of a request that announces a message length."""
    head = bytes.fromhex("D0EA83FC") + code.to_bytes(2) + length.to_bytes(2)
    return head + (sum(head) & 0xFFFF).to_bytes(2)


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        (spoilt(request(0x006B), 5), (0x2FFF, "F0")),
        (spoilt(request(0x006B), 9), (0x2FFF, "F0")),
        (spoilt(request(0x0005, "0E1A"), 11), (0x2005, "F1")),
        (spoilt(request(0x0005, "0E1A"), 13), (0x2005, "F1")),
        (with_length(0x0005, 3), (0x2005, "F2")),
        (with_length(0x0008, 1354), (0x2008, "F3")),
        (request(0x0123), (0xFFFF, "03")),
        (request(0x00DB), (0xFFFF, "03")),
        (request(0x006B, "00"), (0x206B, "11")),
        (request(0x006B), VERSION),
    ],
)
@pytest.mark.parametrize("products", ["BP35C0-J11", "RS-WSUHA-J11"])
async def test_a_frame_is_answered_as_it_deserves_and_so_is_the_next(
    products: str, written: bytes, answer: tuple[int, str]
) -> None:
    with SimulatedHome(module=products) as home:
        peer = await J11Peer.opened(home)
        peer.write(written)
        assert await peer.listened(0.1) == [answer]
        peer.write(request(0x006B))
        assert await peer.listened(0.1) == [VERSION]


async def test_the_longest_frame_is_taken() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        frame = request(0x0008, "00" * (1361 - 12))
        assert len(frame) == 1361
        peer.write(frame)
        assert await peer.listened(1) == [(0x2008, "11")]


@pytest.mark.parametrize(
    "text",
    [
        b"SKVER\r\n",
        b"SKSREG SFE 0\r\n",
        b"ROPT\r",
        b"\r\n\r\n",
        b"SKSCAN 2 FFFFFFFF 6 0\r\n",
        bytes(4000),
        b"\xd0\xea\x83",
    ],
)
async def test_what_is_no_frame_is_skipped_without_a_word(text: bytes) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        peer.write(text)
        assert await peer.settle(5) == b""
        assert not home.module.commands
        peer.write(text + request(0x006B))
        assert await peer.listened(1) == [VERSION]


async def test_a_header_that_is_wrong_does_not_hide_the_request_behind_it() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        peer.write(bytes.fromhex("D0EA83FC") + request(0x006B))
        assert sorted(await peer.listened(1)) == [VERSION, (0x2FFF, "F0")]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [(36, [(0x2008, "13")]), (10, [(0x2008, "13")]), (9, [(0x2FFF, "13")]), (4, [(0x2FFF, "13")]), (3, [])],
)
async def test_the_rest_of_a_request_is_waited_for_one_second(sent: int, answer: list[tuple[int, str]]) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        peer.write(request(0x0008, transmission("00" * 3))[:sent])
        assert await peer.listened(1.02) == []
        assert await peer.listened(0.1) == answer
        peer.write(request(0x006B))
        assert await peer.listened(0.1) == [VERSION]


async def test_a_request_that_comes_in_pieces_is_one_request() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        *first, last = request(0x005F, DUAL_ON_4)
        for byte in first:
            peer.write(bytes((byte,)))
            assert await peer.listened(0.9) == []
        peer.write(bytes((last,)))
        assert await peer.listened(0.1) == [(0x205F, "01")]


async def test_a_response_comes_after_26_ms() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x006B)
        assert asyncio.get_running_loop().time() == pytest.approx(0.026, abs=0.0005)


async def test_a_command_while_another_is_carried_out_is_refused_and_harms_nothing() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        peer.write(request(0x0051, SCAN))
        await peer.listened(5)
        assert await peer.response(0x006B) == "3D"
        assert await peer.response(0x0051, SCAN) == "3D"
        codes = [code for code, _ in await peer.listened(60)]
        assert codes.count(0x2051) == 1
        assert codes[-1] == 0x2051
        assert await peer.response(0x006B) == VERSION[1]


async def test_requests_written_at_once_are_two_of_which_one_is_refused() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        peer.write(request(0x0009) + request(0x006B))
        assert sorted(await peer.listened(1)) == [(0x2009, "01" + OWN_ADDRESS), (0x206B, "3D")]


async def test_a_reset_is_taken_at_any_time_and_has_no_response() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        peer.write(request(0x0051, SCAN))
        await peer.listened(1)
        peer.write(request(0x00D9))
        assert await peer.listened(60) == [(0x6019, "")]
        assert await peer.response(0x0001) == "01020101"


async def test_what_is_written_while_the_module_starts_up_is_lost() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        peer.write(request(0x00D9))
        await peer.listened(0.1)
        peer.write(request(0x006B) + request(0x005F, DUAL_ON_4)[:-1])
        assert await peer.listened(3) == [(0x6019, "")]
        assert await peer.response(0x006B) == VERSION[1]


async def test_notifications_come_between_a_request_and_its_response() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(5)) as home:
        peer = await joined(home)
        home.meter.answer_s = (0.001, 0.001)
        await peer.response(0x0008, transmission(GET_POWER))
        peer.write(request(0x0008, transmission(GET_POWER)))
        assert next(code for code, _ in await peer.listened(0.4)) == 0x6018
