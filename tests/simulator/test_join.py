"""PANA: how a session begins, is refused, renewed and ended, and what the host is told."""

import asyncio

import pytest

from simulator import ConstantLoad, Pan, SimulatedHome
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, Peer, answer, joined, request

GET_POWER = "1081000105FF010288016201E700"


def event(number: int) -> bytes:
    """Return an event of the meter on dual stack."""
    return f"EVENT {number:02X} {ADDRESS} 0\r\n".encode()


async def prepared(home: SimulatedHome, *, identity: str | None = None, password: str | None = None) -> Peer:
    """Open the port and set everything that a join needs."""
    peer = await Peer.opened(home)
    await peer.ask("SKSREG SFE 0")
    await peer.ask(f"SKSETPWD C {password or home.meter.paa.password}")
    await peer.ask(f"SKSETRBID {identity or home.meter.paa.identity}")
    await peer.ask("SKSREG S2 21")
    await peer.ask("SKSREG S3 8888")
    return peer


async def join(peer: Peer, within_s: float = 60) -> str:
    """Join and return the number of the event that ends it."""
    await peer.ask(f"SKJOIN {ADDRESS}")
    async with asyncio.timeout(within_s):
        told = b""
        while True:
            told += await peer.settle(0.1)
            for number in ("24", "25"):
                if f"EVENT {number} {ADDRESS}".encode() in told:
                    return number


async def test_a_join_takes_the_time_of_the_captures() -> None:
    with SimulatedHome() as home:
        peer = await prepared(home)
        start_s = asyncio.get_running_loop().time()
        await peer.ask(f"SKJOIN {ADDRESS}", event(0x25))
        assert 3.3 < asyncio.get_running_loop().time() - start_s < 9.7


@pytest.mark.parametrize(
    "wrong",
    [{"password": "0123456789AC"}, {"identity": "10112233445566778899AABBCCDDEEFF"}],
)
async def test_wrong_credentials_are_refused_after_the_meter_has_been_talked_to(wrong: dict[str, str]) -> None:
    with SimulatedHome() as home:
        peer = await prepared(home, **wrong)
        start_s = asyncio.get_running_loop().time()
        lines = (await peer.ask(f"SKJOIN {ADDRESS}", event(0x24))).decode().splitlines()
        assert sum(line.startswith("ERXUDP") for line in lines) == 3
        assert asyncio.get_running_loop().time() - start_s > 3
        assert home.meter.paa.session is None


@pytest.mark.parametrize("register", ["SKSREG S2 22", "SKSREG S3 8889"])
async def test_nobody_answers_on_another_channel_or_pan(register: str) -> None:
    with SimulatedHome() as home:
        peer = await prepared(home)
        await peer.ask(register)
        start_s = asyncio.get_running_loop().time()
        lines = (await peer.ask(f"SKJOIN {ADDRESS}", event(0x24))).decode().splitlines()
        assert lines == ["OK", f"EVENT 21 {ADDRESS} 0 02", f"EVENT 24 {ADDRESS} 0"]
        assert asyncio.get_running_loop().time() - start_s == pytest.approx(40, abs=1)


async def test_a_stranger_does_not_answer_a_join() -> None:
    with SimulatedHome() as home:
        stranger = Pan(mac=bytes.fromhex("001D129012345679"))
        home.air.pans.append(stranger)
        peer = await prepared(home)
        other = ADDRESS[:-1] + "9"
        lines = (await peer.ask(f"SKJOIN {other}", f"EVENT 24 {other} 0\r\n".encode())).decode().splitlines()
        assert not any(line.startswith("ERXUDP") for line in lines)


async def test_a_known_neighbour_needs_no_address_resolution() -> None:
    with SimulatedHome() as home:
        peer = await prepared(home)
        await peer.ask(f"SKADDNBR {ADDRESS} 001D129012345678")
        lines = (await peer.ask(f"SKJOIN {ADDRESS}", event(0x25))).decode().splitlines()
        assert lines[1].startswith("ERXUDP")


async def test_the_meter_refuses_as_often_as_told() -> None:
    with SimulatedHome() as home:
        home.faults.refused_joins = 1
        peer = await prepared(home)
        assert [await join(peer), await join(peer)] == ["24", "25"]


async def test_the_instance_list_follows_5_to_7_s_after_success_and_not_after_a_renewal() -> None:
    with SimulatedHome() as home:
        peer = await prepared(home)
        await peer.ask(f"SKJOIN {ADDRESS}", event(0x25))
        start_s = asyncio.get_running_loop().time()
        await peer.until(b"108100000EF0010EF0017301D50401028801\r\n")
        assert 5 < asyncio.get_running_loop().time() - start_s < 7.1
        await peer.ask("SKREJOIN", event(0x25))
        assert await peer.settle(10) == b""


async def test_the_session_is_renewed_at_80_percent_of_its_lifetime() -> None:
    with SimulatedHome(load=ConstantLoad(42)) as home:
        peer = await joined(home)
        start = home.clock.now()
        home.meter.notices.end()
        lines = (await peer.until(event(0x25), within_s=86_400)).decode().splitlines()
        assert lines[0] == f"EVENT 21 {ADDRESS} 0 00"
        assert [line.split(" ")[8] for line in lines if line.startswith("ERXUDP")] == ["0068", "0054", "0058"]
        assert (home.clock.now() - start).total_seconds() == pytest.approx(69_120, abs=20)
        assert (await answer(peer, home, GET_POWER)).endswith("E7040000002A")


async def test_what_is_sent_during_a_renewal_is_lost() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        await peer.ask("SKREJOIN")
        lines = await request(peer, home, GET_POWER, wait_s=12)
        assert f"EVENT 21 {ADDRESS} 0 00" in lines
        assert not any(" 0E1A 0E1A " in line for line in lines)


async def test_without_renewal_the_meter_ends_the_session() -> None:
    with SimulatedHome() as home:
        home.meter.paa.session_lifetime_s = 300
        peer = await joined(home)
        await peer.ask("SKSREG S17 0")
        assert await peer.until(event(0x26), within_s=300) == event(0x26)
        assert home.meter.paa.session is None
        assert (await peer.ask("SKTERM", b"\n")) == b"FAIL ER10\r\n"


async def test_a_session_that_nobody_ends_expires_and_the_module_joins_again() -> None:
    with SimulatedHome() as home:
        home.meter.paa.session_lifetime_s = 300
        peer = await joined(home)
        home.meter.paa.forget_session()
        lines = (await peer.until(event(0x25), within_s=400)).decode().splitlines()
        assert lines[0] == f"EVENT 29 {ADDRESS} 0"
        assert home.meter.paa.session is not None


async def test_the_meter_ends_the_session() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.paa.end_session()
        assert await peer.settle(1) == event(0x26)
        assert await join(peer) == "25"


async def test_a_session_forgotten_silently_is_heard_and_not_answered() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.paa.forget_session()
        assert await request(peer, home, GET_POWER) == [f"EVENT 21 {ADDRESS} 0 00", "OK"]
        assert await peer.ask("SKREJOIN", event(0x24)) == b"OK\r\n" + event(0x24)
        assert await join(peer) == "25"


async def test_an_answer_still_due_is_lost_with_its_session() -> None:
    with SimulatedHome(load=ConstantLoad(42)) as home:
        peer = await joined(home)
        home.meter.answer_s = (20.0, 20.0)
        for _ in range(4):
            await request(peer, home, GET_POWER, wait_s=1)
        home.meter.paa.forget_session()
        home.meter.answer_s = (0.3, 0.3)
        assert await join(peer) == "25"
        assert (await answer(peer, home, GET_POWER)).endswith("E7040000002A")
        assert b"E7040000002A" not in await peer.settle(100)


async def test_termination_is_confirmed_and_a_join_within_10_s_refused() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        assert await peer.ask("SKTERM", event(0x27)) == b"OK\r\n" + event(0x27)
        assert home.meter.paa.session is None
        assert await join(peer) == "24"
        await peer.settle(10)
        assert await join(peer) == "25"


async def test_a_meter_that_forgot_the_session_does_not_answer_its_termination() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.paa.forget_session()
        assert await peer.ask("SKTERM", event(0x28)) == b"OK\r\n" + event(0x28)


async def test_termination_without_an_answer_ends_the_session_all_the_same() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.pan.powered = False
        assert await peer.ask("SKTERM", event(0x28)) == b"OK\r\n" + event(0x28)
        assert home.module.radio.session is None


async def test_a_meter_without_power_does_not_acknowledge() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.pan.powered = False
        assert await request(peer, home, GET_POWER) == [f"EVENT 21 {ADDRESS} 0 01", "OK"]


async def test_an_unknown_neighbour_is_resolved_first_and_the_datagram_follows() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.module.radio.neighbours.clear()
        lines = await request(peer, home, GET_POWER, wait_s=4)
        assert lines[:4] == [
            f"EVENT 21 {ADDRESS} 0 02",
            "OK",
            f"EVENT 02 {ADDRESS} 0",
            f"EVENT 21 {ADDRESS} 0 00",
        ]
        assert lines[4].startswith("ERXUDP")
        home.module.radio.neighbours.clear()
        home.meter.pan.powered = False
        lines = await request(peer, home, GET_POWER, wait_s=4)
        assert lines == [f"EVENT 21 {ADDRESS} 0 02", "OK", f"EVENT 21 {ADDRESS} 0 01"]


async def test_a_reset_of_the_module_drops_its_session_and_it_may_join_again_at_once() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        await peer.ask("SKRESET")
        assert home.module.radio.session is None
        assert await peer.ask("SKTERM", b"\n") == b"SKTERM\r\n"
        assert (await peer.settle(0.1)) == b"FAIL ER10\r\n"
        for command in ("SKSREG SFE 0", "SKSETPWD C 0123456789AB", f"SKSETRBID {home.meter.paa.identity}"):
            await peer.ask(command)
        await peer.ask("SKSREG S3 8888")
        assert await join(peer) == "25"


async def test_a_second_controller_is_refused_while_the_first_has_the_session() -> None:
    with SimulatedHome() as home:
        await joined(home)
        assert not home.meter.paa.admits(bytes(8), home.meter.paa.identity, home.meter.paa.password)
        home.meter.paa.forget_session()
        assert home.meter.paa.admits(bytes(8), home.meter.paa.identity, home.meter.paa.password)


async def test_the_duty_limit_is_told_and_bars_every_transmission_until_it_is_lifted() -> None:
    with SimulatedHome(load=ConstantLoad(42)) as home:
        peer = await joined(home)
        home.module.radio.duty_limited = True
        assert await peer.settle(0.1) == f"EVENT 32 {OWN_ADDRESS} 0\r\n".encode()
        assert await peer.ask("SKSREG SFB") == b"ESREG 1\r\nOK\r\n"
        assert await request(peer, home, GET_POWER) == [f"EVENT 21 {ADDRESS} 0 01", "OK"]
        home.module.radio.duty_limited = False
        assert await peer.settle(0.1) == f"EVENT 33 {OWN_ADDRESS} 0\r\n".encode()
        assert (await answer(peer, home, GET_POWER)).endswith("E7040000002A")


async def test_time_on_the_air_is_counted_and_can_be_cleared() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        await request(peer, home, GET_POWER)
        await peer.ask("SKSREG S17 1")
        assert await peer.ask("SKSREG SFD") == b"ESREG 00000002\r\nOK\r\n"
        await peer.ask("SKSREG SFD 0")
        assert await peer.ask("SKSREG SFD") == b"ESREG 00000000\r\nOK\r\n"


async def test_a_ping_is_answered_by_a_meter_that_can_be_reached() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        assert await peer.ask(f"SKPING 0 {ADDRESS}", b"\r\nEPONG " + ADDRESS.encode() + b"\r\n")
        home.meter.pan.powered = False
        assert await peer.ask(f"SKPING 0 {ADDRESS}") == b"OK\r\n"
        assert await peer.settle(5) == b""


async def test_a_datagram_to_all_nodes_reaches_the_meter() -> None:
    with SimulatedHome(load=ConstantLoad(42)) as home:
        peer = await joined(home)
        frame = bytes.fromhex(GET_POWER)
        peer.write(b"SKSENDTO 1 FF02:0000:0000:0000:0000:0000:0000:0001 0E1A 1 0 000E " + frame)
        lines = (await peer.settle(3)).decode().splitlines()
        assert lines[0] == "EVENT 21 FF02:0000:0000:0000:0000:0000:0000:0001 0 00"
        assert lines[2].endswith("E7040000002A")


async def test_nothing_is_sent_or_joined_during_a_scan() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        await peer.ask("SKSCAN 3 FFFFFFFE 6 0")
        assert await request(peer, home, GET_POWER, wait_s=1) == [f"EVENT 21 {ADDRESS} 0 01", "OK"]
        assert await peer.ask(f"SKJOIN {ADDRESS}", b"\n") == b"FAIL ER10\r\n"


async def test_a_renewal_with_credentials_that_no_longer_hold_is_refused() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        home.meter.paa.password = "ABCDEFGHIJKL"
        lines = (await peer.ask("SKREJOIN", event(0x24))).decode().splitlines()
        assert sum(line.startswith("ERXUDP") for line in lines) == 2
        assert home.module.radio.session is None
