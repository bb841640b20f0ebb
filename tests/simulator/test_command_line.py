"""The command line of an SKSTACK module: what ends a command, is echoed, refused, or swallowed."""

import asyncio

import pytest

from simulator import ConstantLoad, SimulatedHome
from simulator.skstack.reader import CommandReader
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, Peer, joined, send_command, skstack

GET_POWER = bytes.fromhex("1081000105FF010288016201E700")


async def first_answer(home: SimulatedHome, command: str) -> bytes:
    """Return the first line that answers a command with the echo off."""
    peer = await Peer.opened(home)
    await peer.ask("SKSREG SFE 0")
    peer.write(command.encode() + b"\r\n")
    return (await peer.settle(0.1)).split(b"\r")[0]


@pytest.mark.parametrize(
    ("module", "command", "answer"),
    [
        ("BP35A1", "SKNOTHING", b"FAIL ER04"),
        ("BP35A1", "skver", b"FAIL ER04"),
        ("BP35A1", "SKVER 1", b"FAIL ER05"),
        ("BP35A1", "SKSETPWD C", b"FAIL ER05"),
        ("BP35A1", "SKSETPWD D 0123456789AB", b"FAIL ER06"),
        ("BP35A1", "SKSETPWD c 0123456789ab", b"OK"),
        ("BP35A1", "SKSETRBID 00112233445566778899AABBCCDDEEF", b"FAIL ER06"),
        ("BP35A1", "SKSCAN 2 FFFFFFFF 6 0", b"FAIL ER05"),
        ("BP35C2", "SKSCAN 2 FFFFFFFF 6", b"FAIL ER05"),
        ("BP35C2", "SKSCAN 2 FFFFFFFF 6 0 ", b"OK"),
        ("BP35C2", "SKSCAN 2 FFFFFFFF F 0", b"FAIL ER06"),
        ("BP35C2", "SKSCAN 2 FFFFFFFF 6 2", b"FAIL ER06"),
        ("BP35C2", "SKSCAN 2 0 6 0", b"FAIL ER06"),
        ("BP35C2", f"SKJOIN {ADDRESS}", b"FAIL ER10"),
        ("BP35C2", f"SKJOIN {ADDRESS.lower()}", b"FAIL ER06"),
        ("BP35C2", "SKJOIN FE80::21D:1290:1234:5678", b"FAIL ER06"),
        ("BP35C2", "SKREJOIN", b"FAIL ER10"),
        ("BP35C2", "SKTERM", b"FAIL ER10"),
        ("BP35C2", "SKLOAD", b"FAIL ER10"),
        ("BP35C2", "SKSREG S2 3D", b"FAIL ER06"),
        ("BP35C2", "SKSREG S2 20", b"FAIL ER06"),
        ("BP35C2", "SKSREG SFB 1", b"FAIL ER06"),
        ("BP35C2", "SKSREG SZZ", b"FAIL ER06"),
        ("BP35C2", "SKLL64 001D12901234567", b"FAIL ER06"),
        ("BP35C2", "SKAPPVER", b"EAPPVER rev26e"),
        ("RL7023-DSS", "SKAPPVER", b"FAIL ER04"),
        ("RL7023-IPS", "ROPT", b"FAIL ER04"),
        ("RL7023-DSS", "WOPT 01", b"FAIL ER04"),
        ("BP35C2", "SKTABLE 2", b"ENEIGHBOR"),
        ("BP35C2", "SKTABLE Z", b"FAIL ER06"),
        ("BP35C2", f"SKPING {ADDRESS}", b"FAIL ER05"),
        ("BP35A1", f"SKPING {ADDRESS}", b"OK"),
        ("BP35C2", "SKUDPPORT 7 0E1A", b"FAIL ER06"),
        ("BP35C2", "SKSCAN 2 FFFFFFFF 6 1", b"FAIL ER10"),
        ("BP35C2", "SKSCAN 0 FFFFFFFF 6 0", b"FAIL ER06"),
        ("BP35C2", "SKSREG S0A 123456789", b"FAIL ER06"),
        ("BP35C2", "SKSREG S17 2", b"FAIL ER06"),
        ("BP35C2", "SKLL64 001D1290ABCDEFGH", b"FAIL ER06"),
        ("BP35C2", f"SKADDNBR {ADDRESS} 1", b"FAIL ER06"),
        ("RS-WSUHA-P", "WUART 80", b"OK"),
        ("RS-WSUHA-P", "WUART 800", b"FAIL ER06"),
        ("RS-WSUHA-P", "WUART ZZ", b"FAIL ER06"),
        ("BP35C2", "X" * 1000, b"FAIL ER09"),
    ],
)
async def test_a_command_is_refused_with_the_code_of_the_manual(module: str, command: str, answer: bytes) -> None:
    with SimulatedHome(module=module) as home:
        assert await first_answer(home, command) == answer


async def test_the_echo_returns_each_byte_until_it_is_switched_off() -> None:
    with SimulatedHome() as home:
        peer = await Peer.opened(home)
        peer.write(b"SKV")
        assert await peer.settle(0.1) == b"SKV"
        assert await peer.ask(b"ER\r\n") == b"ER\r\nEVER 1.5.2\r\nOK\r\n"
        assert await peer.ask("SKSREG SFE 0") == b"SKSREG SFE 0\r\nOK\r\n"
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"
        await peer.ask("SKRESET")
        assert await peer.ask("SKVER") == b"SKVER\r\nEVER 1.5.2\r\nOK\r\n"


async def test_the_echo_of_a_transmission_is_its_header_and_an_end_of_line() -> None:
    with SimulatedHome(load=ConstantLoad(228)) as home:
        peer = await joined(home)
        await peer.ask("SKSREG SFE 1")
        peer.write(send_command(home, GET_POWER))
        lines = (await peer.settle(3)).split(b"\r\n")
        assert lines[:3] == [
            f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 000E ".encode(),
            f"EVENT 21 {ADDRESS} 0 00".encode(),
            b"OK",
        ]
        assert lines[3].endswith(b" 0012 1081000102880105FF017201E704000000E4")


async def test_vendor_commands_end_with_a_lone_carriage_return_both_ways() -> None:
    with SimulatedHome(module="RS-WSUHA-P", hexadecimal=False, echo=False) as home:
        peer = await Peer.opened(home)
        assert await peer.ask(b"ROPT\r", b"\r") == b"OK 00\r"
        assert await peer.ask(b"RUART\r", b"\r") == b"OK 80\r"
        assert skstack(home).flash_writes == 0
        assert await peer.ask(b"WOPT 01\r", b"\r") == b"OK\r"
        assert await peer.ask(b"ROPT\r\n", b"\r") == b"OK 01\r"
        assert skstack(home).flash_writes == 1
        assert await peer.ask(b"WOPT 02\r", b"\n") == b"FAIL ER06\r\n"
        assert skstack(home).flash_writes == 1
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


async def test_a_missing_vendor_command_is_refused_after_its_carriage_return() -> None:
    with SimulatedHome(module="RL7023-IPS", hexadecimal=False, echo=False) as home:
        peer = await Peer.opened(home)
        assert await peer.ask(b"ROPT\r", b"\n") == b"FAIL ER04\r\n"
        assert skstack(home).hexadecimal


async def test_a_lone_carriage_return_or_line_feed_does_not_end_a_command() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(b"SKVER\r")
        assert await peer.settle(1) == b""
        assert await peer.ask(b"\n") == b"EVER 1.5.2\r\nOK\r\n"
        peer.write(b"SKVER\n")
        assert await peer.settle(1) == b""


async def test_an_empty_command_is_ignored() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(b"\r\n\r\n")
        assert await peer.settle(1) == b""
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


async def test_registers_are_read_back_with_all_their_digits() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        await peer.ask("SKSREG S3 9f")
        assert await peer.ask("SKSREG S03") == b"ESREG 009F\r\nOK\r\n"
        assert await peer.ask("SKSREG S16") == b"ESREG 00000384\r\nOK\r\n"
        assert await peer.ask("SKSREG S0A") == b"ESREG CCDDEEFF\r\nOK\r\n"
        await peer.ask("SKSETRBID 00112233445566778899AABB12345678")
        assert await peer.ask("SKSREG SA") == b"ESREG 12345678\r\nOK\r\n"
        await peer.ask("SKSREG S0A ABC")
        assert await peer.ask("SKSREG S0A") == b"ESREG ABC     \r\nOK\r\n"


async def test_saved_registers_come_back_after_a_reset_only_with_auto_load() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        await peer.ask("SKSREG S2 31")
        await peer.ask("SKSAVE")
        await peer.ask("SKRESET")
        assert (await peer.ask("SKSREG S2")).endswith(b"ESREG 21\r\nOK\r\n")
        await peer.ask("SKLOAD")
        assert (await peer.ask("SKSREG S2")).endswith(b"ESREG 31\r\nOK\r\n")
        assert b"001D1290ABCDEF01 31 FFFF 0\r\n" in await peer.ask("SKINFO")
        await peer.ask("SKSREG SFF 1")
        await peer.ask("SKSAVE")
        await peer.ask("SKRESET")
        assert (await peer.ask("SKSREG S2")).endswith(b"ESREG 31\r\nOK\r\n")
        await peer.ask("SKERASE")
        assert skstack(home).flash_writes == 3
        assert (await peer.ask("SKLOAD", b"\n"))[:7] == b"SKLOAD\r"


async def test_tables_name_the_ports_and_the_neighbours() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        await peer.ask("SKUDPPORT 3 0E1B")
        assert (
            await peer.ask("SKTABLE E")
            == b"EPORT\r\n3610\r\n716\r\n3611\r\n0\r\n0\r\n0\r\n\r\n3610\r\n0\r\n0\r\n0\r\nOK\r\n"
        )
        assert await peer.ask("SKTABLE 1") == f"EADDR\r\n{OWN_ADDRESS}\r\nOK\r\n".encode()
        await peer.ask(f"SKADDNBR {ADDRESS} 001D129012345678")
        assert await peer.ask("SKTABLE 2") == f"ENEIGHBOR\r\n{ADDRESS} 001D129012345678 FFFF\r\nOK\r\n".encode()


async def test_a_transmission_takes_exactly_its_bytes_whatever_they_are() -> None:
    awkward = bytes.fromhex("1081 0D0A 05FF01 028801 62 01 E7 00".replace(" ", ""))
    with SimulatedHome(load=ConstantLoad(1)) as home:
        peer = await joined(home)
        peer.write(send_command(home, awkward) + b"SKVER\r\n")
        lines = (await peer.settle(3)).split(b"\r\n")
        assert lines[1:4] == [b"OK", b"EVER 1.5.2", b"OK"]
        assert lines[4].endswith(b"10810D0A02880105FF017201E70400000001")


async def test_a_short_transmission_swallows_the_commands_after_it() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        peer.write(send_command(home, GET_POWER)[:-7])
        assert await peer.settle(30) == b""
        peer.write(b"SKVER\r\n")
        assert b"EVER" not in await peer.settle(3)
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


@pytest.mark.parametrize(
    ("module", "header", "answer"),
    [
        ("BP35A1", f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 000E ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS} E1A 1 0 000E ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 E ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 04D1 ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS} 0E1A 3 0 000E ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS.lower()} 0E1A 1 0 000E ", b"FAIL ER06"),
        ("BP35C2", f"SKSENDTO 3 {ADDRESS} 0E1A 1 0 000E ", b"FAIL ER10"),
        ("BP35C2", f"SKSENDTO 1 {ADDRESS} 0E1A 1 000E\r\n", b"FAIL ER05"),
    ],
)
async def test_a_wrong_header_of_a_transmission_is_refused_at_once(module: str, header: str, answer: bytes) -> None:
    with SimulatedHome(module=module) as home:
        peer = await joined(home)
        peer.write(header.encode())
        assert await peer.settle(1) == answer + b"\r\n"


async def test_without_a_session_an_encrypted_transmission_is_not_executed() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(send_command(home, GET_POWER))
        assert await peer.settle(3) == b"FAIL ER10\r\n"


async def test_commands_wait_for_the_answer_to_the_one_before() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        peer = await joined(home)
        peer.write(send_command(home, GET_POWER) + b"SKVER\r\nSKINFO\r\n")
        names = [line.split(b" ")[0] for line in (await peer.settle(0.5)).split(b"\r\n")[:6]]
        assert names == [b"EVENT", b"OK", b"EVER", b"OK", b"EINFO", b"OK"]


async def test_event_21_can_come_after_the_ok() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        peer = await joined(home)
        skstack(home).event21_after_ok = True
        peer.write(send_command(home, GET_POWER))
        assert (await peer.settle(3)).startswith(b"OK\r\nEVENT 21 ")


async def test_garbage_is_bounded_and_forgotten_at_the_end_of_its_line() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(bytes(range(256)) * 400)
        await peer.settle(20)
        peer.write(b"\r\n")
        await peer.settle(1)
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


def test_a_line_without_end_takes_no_more_room() -> None:
    reader = CommandReader(send_words=7)
    for _ in range(100):
        reader.feed(b"x" * 1000)
        assert reader.take() == (b"x" * 1000, None)
    assert len(reader._line) <= 257
    reader.feed(b"\r\n")
    _, command = reader.take()
    assert command is not None
    assert command.broken


async def test_a_command_is_answered_after_a_few_milliseconds_and_the_time_of_its_bytes() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        start_s = asyncio.get_running_loop().time()
        await peer.ask("SKVER")
        lapse_s = asyncio.get_running_loop().time() - start_s
        assert lapse_s == pytest.approx(0.004 + (7 + 16) * 10 / 115_200, abs=0.0005)


async def test_speed_divides_the_delays() -> None:
    with SimulatedHome(echo=False, speed=10) as home:
        peer = await Peer.opened(home)
        start_s = asyncio.get_running_loop().time()
        await peer.ask("SKSCAN 2 FFFFFFFF 6 0", f"EVENT 22 {OWN_ADDRESS} 0\r\n".encode())
        assert asyncio.get_running_loop().time() - start_s == pytest.approx(1.8, abs=0.1)


async def test_what_overruns_the_line_is_lost() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(b"\n" * 65_535 + b"SKVER\r\n")
        assert await peer.settle(10) == b""
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


async def test_a_command_waits_in_a_buffer_that_is_bounded() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        peer = await joined(home)
        home.meter.pan.powered = False
        peer.write(send_command(home, GET_POWER) + b"\n" * 4091 + b"SKVER\r\n")
        assert b"EVER" not in await peer.settle(3)
