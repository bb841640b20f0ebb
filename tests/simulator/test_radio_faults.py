"""What goes wrong on the air and in the authentication."""

import asyncio
from collections import deque

import pytest

from simulator import Pan, SimulatedHome
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, Peer, answer, joined, request

GET_POWER = "1081000105FF010288016201E700"
SENT = f"EVENT 21 {ADDRESS} 0 00"
FAILED = f"EVENT 21 {ADDRESS} 0 01"
SCAN_END = f"EVENT 22 {OWN_ADDRESS} 0\r\n".encode()
RENEWAL_S = 0.8 * 86_400


def events(lines: bytes) -> list[str]:
    """Return the numbers of the events about a session."""
    words = [line.split(" ") for line in lines.decode().splitlines()]
    return [word[1] for word in words if word[0] == "EVENT" and word[1] in {"24", "25", "26", "27", "28", "29"}]


async def test_the_air_is_busy_for_the_next_transmissions() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.failed_sends = 1
        assert await request(peer, home, GET_POWER) == [FAILED, "OK"]
        assert not home.meter.answers
        assert await answer(peer, home, GET_POWER)


async def test_an_acknowledgement_is_lost_and_the_answer_comes() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.acknowledgements_lost = 1
        lines = await request(peer, home, GET_POWER)
        assert lines[:2] == [FAILED, "OK"]
        assert lines[2].startswith("ERXUDP")
        assert (await request(peer, home, GET_POWER))[0] == SENT


@pytest.mark.parametrize("fault", [{"requests_lost": 1}, {"request_loss": 1.0}])
async def test_a_request_is_lost_behind_the_meters_radio(fault: dict[str, float]) -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.set(**fault)
        assert await request(peer, home, GET_POWER) == [SENT, "OK"]
        assert not home.meter.answers
        home.faults.request_loss = 0.0
        assert await answer(peer, home, GET_POWER)


@pytest.mark.parametrize("fault", [{"datagrams_lost": 1}, {"datagram_loss": 1.0}])
async def test_an_answer_is_lost_on_the_air(fault: dict[str, float]) -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.set(**fault)
        assert await request(peer, home, GET_POWER) == [SENT, "OK"]
        assert len(home.meter.answers) == 1
        home.faults.datagram_loss = 0.0
        assert await answer(peer, home, GET_POWER)


async def test_some_of_many_are_lost() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.datagram_loss = 0.5
        answered = [len(await request(peer, home, GET_POWER)) == 3 for _ in range(40)]
        assert 8 < sum(answered) < 32


async def test_a_scan_misses_the_pan_with_a_probability() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        await peer.ask(f"SKSETRBID {home.meter.paa.identity}")
        home.faults.beacon_loss = 0.5
        found = [b"EPANDESC" in await peer.ask("SKSCAN 2 FFFFFFFF 4 0", SCAN_END) for _ in range(20)]
        assert 3 < sum(found) < 17


async def test_a_refused_join_leaves_the_next_renewal_alone() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.refused_joins = 1
        assert events(await peer.settle(RENEWAL_S + 60)) == ["25"]
        await peer.ask("SKTERM", f"EVENT 27 {ADDRESS} 0\r\n".encode())
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        await peer.ask(f"SKJOIN {ADDRESS}", f"EVENT 24 {ADDRESS} 0\r\n".encode())
        await peer.ask(f"SKJOIN {ADDRESS}", f"EVENT 25 {ADDRESS} 0\r\n".encode())


async def test_a_join_never_ends() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.endless_joins = 1
        await peer.ask(f"SKJOIN {ADDRESS}")
        assert events(await peer.settle(3600)) == []
        await peer.ask(f"SKJOIN {ADDRESS}", f"EVENT 25 {ADDRESS} 0\r\n".encode())


async def test_a_refused_renewal_ends_the_session() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.refused_renewals = 1
        assert events(await peer.settle(RENEWAL_S + 60)) == ["24"]


async def test_a_renewal_takes_long() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.late_renewals = deque([900.0])
        assert events(await peer.settle(RENEWAL_S + 800)) == []
        assert events(await peer.settle(200)) == ["25"]
        assert await answer(peer, home, GET_POWER)


async def test_a_renewal_never_ends_until_the_session_does() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.faults.endless_renewals = 1
        assert events(await peer.settle(86_000)) == []
        assert await request(peer, home, GET_POWER) == [SENT, "OK"]
        assert events(await peer.settle(600)) == ["26"]


async def test_a_join_fails_when_the_meter_leaves_the_air_meanwhile() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        await peer.ask(f"SKJOIN {ADDRESS}")
        await peer.settle(1)
        home.meter.pan.powered = False
        assert events(await peer.settle(100)) == ["24"]
        assert home.module.radio.session is None


@pytest.mark.parametrize("channels", [(0x22, 0x21), (0x21, 0x3C)])
async def test_a_louder_neighbour_is_heard_before_or_after_us(channels: tuple[int, int]) -> None:
    ours, theirs = channels
    with SimulatedHome(echo=False, pan=Pan(channel=ours)) as home:
        neighbour = home.add_neighbour(
            Pan(channel=theirs, pan_id=0x1234, mac=bytes.fromhex("001D129087654321"), lqi=0xF0)
        )
        home.add_neighbour(
            Pan(channel=0x30, pan_id=0x2345, mac=bytes.fromhex("001D129087654322"), pairing_id="01AD1234")
        )
        peer = await Peer.opened(home)
        await peer.ask(f"SKSETRBID {home.meter.paa.identity}")
        lines = (await peer.ask("SKSCAN 2 FFFFFFFF 6 0", SCAN_END)).decode().splitlines()
        pans = [line.split(":")[1] for line in lines if "Pan ID" in line]
        assert pans == (["8888", "1234"] if theirs > ours else ["1234", "8888"])
        await peer.ask(f"SKSETPWD C {home.meter.paa.password}")
        await peer.ask(f"SKSREG S2 {theirs:X}")
        await peer.ask("SKSREG S3 1234")
        their_address = "FE80:0000:0000:0000:021D:1290:8765:4321"
        await peer.ask(f"SKJOIN {their_address}", f"EVENT 24 {their_address} 0\r\n".encode())
        assert neighbour.paa.session is None
