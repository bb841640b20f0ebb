"""Commands that are not answered, not confirmed, or refused."""

from collections import deque

import pytest

from simulator import ConstantLoad, SimulatedHome
from simulator.faults import Fate
from tests.simulator.peer import ADDRESS, Peer, answer, joined, send_command, skstack

GET_POWER = bytes.fromhex("1081000105FF010288016201E700")


@pytest.mark.parametrize("name", ["SKSREG", "*"])
async def test_an_ignored_command_is_neither_carried_out_nor_answered(name: str) -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.commands_ignored = {name: 1}
        peer.write(b"SKSREG S2 30\r\n")
        assert await peer.settle(10) == b""
        assert await peer.ask("SKSREG S2") == b"ESREG 21\r\nOK\r\n"


async def test_other_commands_are_answered() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.commands_ignored = {"SKINFO": 1}
        assert await peer.ask("SKVER") == b"EVER 1.5.2\r\nOK\r\n"
        assert home.faults.commands_ignored == {"SKINFO": 1}


async def test_a_command_is_carried_out_without_its_confirmation() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.confirmations_lost = {"SKSREG": 1, "ROPT": 1, "SKVER": 1}
        peer.write(b"SKSREG S2 30\r\nROPT\rSKVER\r\n")
        assert await peer.settle(1) == b"EVER 1.5.2\r\n"
        assert await peer.ask("SKSREG S2") == b"ESREG 30\r\nOK\r\n"
        assert await peer.ask(b"ROPT\r", b"\r") == b"OK 01\r"


@pytest.mark.parametrize("after_ok", [True, False])
async def test_a_transmission_without_its_ok_is_answered_by_the_meter(after_ok: bool) -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        skstack(home).event21_after_ok = after_ok
        home.faults.confirmations_lost = {"SKSENDTO": 1}
        peer.write(send_command(home, GET_POWER))
        lines = (await peer.settle(3)).decode().splitlines()
        assert lines[0] == f"EVENT 21 {ADDRESS} 0 00"
        assert lines[1].endswith("E704000001F4")
        assert len(lines) == 2


async def test_an_ignored_transmission_takes_its_data_along() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.commands_ignored = {"SKSENDTO": 1}
        peer.write(send_command(home, GET_POWER))
        assert await peer.settle(5) == b""
        assert not home.meter.answers
        assert (await answer(peer, home, GET_POWER.hex())).endswith("E704000001F4")


async def test_commands_are_refused_with_the_given_codes() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.commands_refused = {"SKSENDTO": deque([10, 9])}
        for refusal in (b"FAIL ER10\r\n", b"FAIL ER09\r\n"):
            peer.write(send_command(home, GET_POWER))
            assert await peer.settle(5) == refusal
        assert not home.meter.answers
        assert await answer(peer, home, GET_POWER.hex())


async def test_a_refused_command_is_not_carried_out() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        home.faults.commands_refused = {"*": deque([4])}
        assert await peer.ask("SKSREG S2 30", b"\n") == b"FAIL ER04\r\n"
        assert await peer.ask("SKSREG S2") == b"ESREG 21\r\nOK\r\n"


async def test_a_name_comes_before_any() -> None:
    with SimulatedHome() as home:
        home.faults.commands_refused = {"*": deque([1]), "0008": deque([2])}
        assert home.faults.command("0008") == Fate(carried_out=False, confirmed=False, refusal=2)
        assert home.faults.command("0008") == Fate(carried_out=False, confirmed=False, refusal=1)
        assert home.faults.command("0008") == Fate(carried_out=True, confirmed=True)
