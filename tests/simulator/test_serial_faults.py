"""Faults of lines, frames and bytes between a module and its host, the same for every family."""

from collections import deque

import pytest

from simulator import ConstantLoad, SimulatedHome
from simulator.faults import Form, Message
from tests.simulator.peer import ADDRESS, Peer, joined, request, send_command

GET_POWER = "1081000105FF010288016201E700"
POWER = "1081000102880105FF017201E704000001F4"
VERSION = b"EVER 1.5.2\r\nOK\r\n"
SEEDS = range(25)


async def version(home: SimulatedHome) -> bytes:
    """Return what comes when the version is asked for with the echo off."""
    peer = await Peer.opened(home)
    peer.write(b"SKVER\r\n")
    return await peer.settle(10)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"lines_lost": 1}, b"OK\r\n"),
        ({"lines_late": deque([2.0])}, b"OK\r\nEVER 1.5.2\r\n"),
        ({"lines_duplicate": 1}, b"EVER 1.5.2\r\n" + VERSION),
        ({"lines_glued": 1}, b"EVER 1.5.2OK\r\n"),
        ({"noise_lines": deque([b"\xff"])}, b"\xff\r\n" + VERSION),
    ],
)
async def test_a_line_is_struck_once(fault: dict[str, object], said: bytes) -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.set(None, **fault)
        assert await version(home) == said
        assert home.faults.on() == {}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_cut_line_lacks_tail_and_end(seed: int) -> None:
    with SimulatedHome(echo=False, seed=seed) as home:
        home.faults.lines_cut = 1
        said = await version(home)
        assert said.endswith(b"OK\r\n")
        assert said != VERSION
        assert b"EVER 1.5.2".startswith(said[:-4])
        assert said[:-4]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_short_line_lacks_its_tail_and_keeps_its_end(seed: int) -> None:
    with SimulatedHome(echo=False, seed=seed) as home:
        home.faults.lines_short = 1
        first, second, rest = (await version(home)).split(b"\r\n")
        assert b"EVER 1.5.2".startswith(first)
        assert 0 < len(first) < len("EVER 1.5.2")
        assert (second, rest) == (b"OK", b"")


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_corrupt_line_holds_a_byte_that_no_line_holds(seed: int) -> None:
    with SimulatedHome(echo=False, seed=seed) as home:
        home.faults.lines_corrupt = 1
        line, rest = (await version(home)).split(b"\r\n", 1)
        assert rest == b"OK\r\n"
        changed = [byte for byte, was in zip(line, b"EVER 1.5.2", strict=True) if byte != was]
        assert len(changed) == 1
        assert changed[0] >= 0x80


async def payload_of(home: SimulatedHome, peer: Peer) -> bytes:
    """Ask for the power and return the datagram's line from its length on."""
    peer.write(send_command(home, bytes.fromhex(GET_POWER)))
    received = await peer.settle(3)
    return received[received.index(b" 0012 ") + 6 : -2]


@pytest.mark.parametrize("hexadecimal", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
async def test_corruption_spares_a_binary_payload(seed: int, hexadecimal: bool) -> None:
    with SimulatedHome(load=ConstantLoad(500), seed=seed, hexadecimal=hexadecimal) as home:
        peer = await joined(home)
        home.faults.struck = b"ERXUDP"
        home.faults.lines_corrupt = 1
        peer.write(send_command(home, bytes.fromhex(GET_POWER)))
        line = (await peer.settle(3)).split(b"OK\r\n")[1].removesuffix(b"\r\n")
        binary = bytes.fromhex(POWER)
        head = line if hexadecimal else line.removesuffix(binary)
        assert hexadecimal or line.endswith(binary)
        assert sum(byte >= 0x80 for byte in head) == 1


@pytest.mark.parametrize("hexadecimal", [True, False])
async def test_a_misread_payload_is_as_readable_as_the_true_one(hexadecimal: bool) -> None:
    with SimulatedHome(load=ConstantLoad(500), hexadecimal=hexadecimal) as home:
        peer = await joined(home)
        home.faults.lines_misread = 3
        true = POWER.encode() if hexadecimal else bytes.fromhex(POWER)
        for left in (2, 1, 0):
            payload = await payload_of(home, peer)
            assert sum(byte != was for byte, was in zip(payload, true, strict=True)) == 1
            assert not hexadecimal or set(payload) <= set(b"0123456789ABCDEF")
            assert home.faults.lines_misread == left
        assert await payload_of(home, peer) == true


async def test_any_byte_of_a_frame_with_checksum_may_be_corrupt() -> None:
    frame = Message(bytes.fromhex("D0F9EE5D6019000403A80000"), form=Form.CHECKED)
    struck = set()
    with SimulatedHome() as home:
        home.faults.lines_corrupt = 200
        for _ in range(200):
            ((late_s, said),) = home.faults.said(frame)
            assert late_s == 0
            places = [at for at, byte in enumerate(frame.body) if said[at] != byte]
            assert len(places) == 1
            assert len(said) == len(frame.body)
            struck |= set(places)
    assert struck == set(range(12))


async def test_a_frame_has_no_line_end_to_lose() -> None:
    with SimulatedHome() as home:
        home.faults.lines_glued = 1
        assert list(home.faults.said(Message(b"\xd0\xf9", form=Form.CHECKED))) == [(0.0, b"\xd0\xf9")]
        assert home.faults.lines_glued == 1


async def test_only_what_is_named_is_struck() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.struck = b"OK"
        home.faults.lines_lost = 2
        assert await version(home) == b"EVER 1.5.2\r\n"
        assert home.faults.lines_lost == 1


async def test_an_empty_line_cannot_be_damaged() -> None:
    with SimulatedHome(module="BP35A1", echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.lines_cut = 100
        peer.write(b"SKTABLE E\r\n")
        assert b"\r\n" in await peer.settle(1)
        assert home.faults.lines_cut < 100


@pytest.mark.parametrize(("off_by", "told"), [(3, b" 0015 "), (-8, b" 000A "), (-100, b" 0000 ")])
async def test_a_wrong_length_is_told_for_the_right_payload(off_by: int, told: bytes) -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.lengths_wrong.append(off_by)
        peer.write(send_command(home, bytes.fromhex(GET_POWER)))
        assert (await peer.settle(3)).endswith(told + POWER.encode() + b"\r\n")
        assert await payload_of(home, peer) == POWER.encode()


async def test_bytes_are_delivered_one_by_one() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.byte_by_byte = True
        peer = await Peer.opened(home)
        assert await peer.ask("SKVER") == VERSION
        assert {len(piece) for _, piece in peer.pieces} == {1}
        times = [time_s for time_s, _ in peer.pieces]
        assert times[-1] - times[0] == pytest.approx((len(VERSION) - 1) * 10 / 115_200, rel=0.01)


async def test_bytes_are_gathered_and_delivered_in_one_piece() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.gathered_s = 0.5
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\nSKVER\r\n")
        assert await peer.settle(0.4) == b""
        assert await peer.settle(0.2) == VERSION * 2
        assert len(peer.pieces) == 1
        home.faults.off()
        assert await peer.ask("SKVER") == VERSION


async def test_what_is_gathered_is_lost_with_the_port() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.gathered_s = 0.5
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\n")
        await peer.settle(0.1)
        home.module.port.unplug()
        home.module.port.plug()
        assert await (await Peer.opened(home)).settle(1) == b""


async def test_bytes_of_the_host_are_lost() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.host_bytes_lost = 9
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\nSKVER\r\n")
        assert await peer.settle(1) == b"FAIL ER04\r\n"
        assert home.faults.on() == {}


async def test_a_command_is_cut_on_its_way() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.host_writes_cut = 1
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\n")
        assert await peer.settle(1) == b""
        assert await peer.ask("SKVER", b"\n") == b"FAIL ER04\r\n"


@pytest.mark.parametrize("pattern", [b"\0", b"EVENT 25 ", b"x" * 200])
async def test_a_module_babbles_at_the_pace_of_the_line(pattern: bytes) -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.module.uart.babble(pattern, 2)
        babble = await peer.settle(5)
        assert babble == (pattern * 30_000)[: len(babble)]
        assert len(babble) == pytest.approx(23_040, abs=200)
        assert await peer.ask("SKVER") == VERSION


async def test_a_reset_ends_the_babble() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.module.uart.babble(b"\0", 100)
        await peer.settle(1)
        home.module.reset()
        assert await peer.settle(1) == b""


async def test_a_reset_loses_what_was_late() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.lines_late.append(5.0)
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r\n")
        assert await peer.settle(1) == b"OK\r\n"
        home.module.reset()
        assert await peer.settle(10) == b""


async def test_a_mute_module_neither_echoes_nor_wears_out_other_faults() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        await peer.ask("SKSREG SFE 1")
        home.faults.set(30, module_mute=True, lines_lost=1)
        assert await request(peer, home, GET_POWER, wait_s=29) == []
        assert home.faults.lines_lost == 1
        await peer.settle(2)
        assert (await peer.ask("SKINFO")).startswith(b"SKINFO\r\nEINFO ")
        assert ADDRESS.encode() not in peer.new()
