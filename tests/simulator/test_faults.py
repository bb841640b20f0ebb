"""Each fault strikes as described, for as long as it is switched on, and leaves nothing behind."""

import asyncio
from datetime import datetime

import pytest

from simulator import JST, ConstantLoad, Datagram, SimulatedHome, link_local
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, Peer, answer, joined, request, send_command

GET_POWER = "1081000105FF010288016201E700"
POWER = "1081000102880105FF017201E704000001F4"


async def payloads(peer: Peer, home: SimulatedHome, wait_s: float = 3.0) -> list[tuple[str, str]]:
    """Ask for the power and return SECURED and payload of each datagram that comes."""
    words = [line.split(" ") for line in await request(peer, home, GET_POWER, wait_s) if line.startswith("ERXUDP")]
    return [(word[6], word[-1]) for word in words]


async def test_a_silent_meter_acknowledges_and_does_not_answer() -> None:
    with SimulatedHome(load=ConstantLoad(500), start=datetime(2026, 11, 21, 18, 29, tzinfo=JST)) as home:
        peer = await joined(home)
        home.faults.meter_silent = True
        assert await request(peer, home, GET_POWER, wait_s=120) == [f"EVENT 21 {ADDRESS} 0 00", "OK"]
        assert not home.meter.answers
        home.faults.meter_silent = False
        assert await answer(peer, home, GET_POWER) == POWER


async def test_a_silent_meter_does_not_announce_its_instances() -> None:
    with SimulatedHome() as home:
        home.faults.meter_silent = True
        peer = await joined(home)
        assert b"D50401028801" not in peer.received


async def test_a_duplicate_answer_comes_twice_and_once_only() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.duplicate_answers = 1
        assert await payloads(peer, home) == [("1", POWER), ("1", POWER)]
        assert await payloads(peer, home) == [("1", POWER)]
        assert home.faults.duplicate_answers == 0


async def test_a_late_answer_comes_after_the_next_one() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.late_answers.append(25.0)
        assert await payloads(peer, home, wait_s=20) == []
        lines = await request(peer, home, GET_POWER.replace("10810001", "10810002"), wait_s=10)
        tids = [line.split(" ")[-1][4:8] for line in lines if line.startswith("ERXUDP")]
        assert tids == ["0002", "0001"]


async def test_a_plain_copy_with_wrong_values_comes_before_the_answer() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.unencrypted_copies = 1
        assert await payloads(peer, home) == [("0", POWER[:-2] + "DE"), ("1", POWER)]
        ends = [time_s for time_s, piece in peer.pieces if piece.endswith(b"\r\n")]
        assert ends[-1] - ends[-2] == pytest.approx(0.05, abs=0.001)
        assert await payloads(peer, home) == [("1", POWER)]


async def test_a_mute_module_says_nothing_and_loses_what_it_would_have_said() -> None:
    with SimulatedHome() as home:
        peer = await Peer.opened(home)
        home.faults.module_mute = True
        peer.write(b"SKVER\r\n")
        assert await peer.settle(5) == b""
        home.faults.module_mute = False
        assert await peer.ask("SKVER") == b"SKVER\r\nEVER 1.5.2\r\nOK\r\n"


async def test_noise_comes_as_a_line_of_its_own() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.noise_lines.extend([b"\xff\x00\x81", b"ERXUDP"])
        assert await peer.ask("SKVER") == b"\xff\x00\x81\r\nEVER 1.5.2\r\nERXUDP\r\nOK\r\n"
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"


async def test_an_event_is_glued_into_the_echo_of_a_transmission() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        await peer.ask("SKSREG SFE 1")
        home.faults.glued_events = 1
        home.meter.fault = True
        assert await peer.settle(1) == b""
        peer.write(send_command(home, bytes.fromhex(GET_POWER)))
        lines = (await peer.settle(3)).decode().split("\r\n")
        assert lines[0].startswith("SKSENDTOERXUDP ")
        assert lines[0].endswith("7301880141")
        assert lines[1] == f" 1 {ADDRESS} 0E1A 1 0 000E "
        assert lines[3] == "OK"


async def test_a_reset_under_us_leaves_a_module_that_knows_nothing() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        peer.write(send_command(home, bytes.fromhex(GET_POWER)))
        await peer.settle(0.05)
        home.module.reset()
        assert await peer.settle(10) == b""
        assert await peer.ask("SKINFO") == (
            f"SKINFO\r\nEINFO {OWN_ADDRESS} 001D1290ABCDEF01 21 FFFF 0\r\nOK\r\n".encode()
        )
        assert (await peer.ask("SKTERM", b"10\r\n")).endswith(b"FAIL ER10\r\n")


async def test_a_reset_under_us_cuts_the_line_that_is_being_printed() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        peer.write(b"SKINFO\r\n")
        cut = await peer.settle(0.004 + (8 + 70) * 10 / 115_200)
        home.module.reset()
        assert len(cut) == 62
        assert await peer.settle(1) == b""


@pytest.mark.parametrize("error", [None, OSError("gone")])
async def test_an_unplugged_module_loses_the_port_until_it_is_plugged_in_again(error: Exception | None) -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.module.port.unplug(error)
        await asyncio.sleep(0)
        assert peer.lost == [error]
        with pytest.raises(FileNotFoundError):
            await Peer.opened(home)
        home.module.port.plug()
        again = await Peer.opened(home)
        assert await again.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"
        assert peer.received == b""


async def test_a_stray_datagram_is_printed_with_the_sender_that_it_has() -> None:
    stranger = bytes.fromhex("001D129087654321")
    stray = Datagram(
        source=link_local(stranger),
        destination=link_local(bytes.fromhex("001D1290ABCDEF01")),
        source_port=0x1234,
        destination_port=0x0E1A,
        source_mac=stranger,
        secured=False,
        lqi=0x40,
        payload=bytes.fromhex(POWER),
    )
    with SimulatedHome(module="BP35A1") as home:
        peer = await joined(home)
        home.module.radio.hear(stray)
        sender = "FE80:0000:0000:0000:021D:1290:8765:4321"
        line = f"ERXUDP {sender} {OWN_ADDRESS} 1234 0E1A 001D129087654321 0 0012 {POWER}\r\n"
        assert await peer.settle(1) == line.encode()


async def test_a_datagram_to_a_closed_port_is_not_printed() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        await peer.ask("SKUDPPORT 1 0E1B")
        assert await request(peer, home, GET_POWER) == [f"EVENT 21 {ADDRESS} 0 00", "OK"]
