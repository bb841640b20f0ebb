"""ERXUDP in its layouts: hexadecimal and binary payload, with and without SIDE and RSSI."""

import pytest

from simulator import ConstantLoad, SimulatedHome
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, joined, send_command

GET_POWER = bytes.fromhex("1081000105FF010288016201E700")
ADDRESSES = f"{ADDRESS} {OWN_ADDRESS} 0E1A 0E1A 001D129012345678"


async def received(home: SimulatedHome) -> bytes:
    """Ask for the power and return what follows OK."""
    peer = await joined(home)
    peer.write(send_command(home, GET_POWER))
    return (await peer.settle(3)).split(b"OK\r\n", 1)[1]


@pytest.mark.parametrize(("module", "middle"), [("BP35A1", "1"), ("BP35C2", "1 0"), ("RL7023-DSS", "1 0")])
async def test_hexadecimal_payload(module: str, middle: str) -> None:
    with SimulatedHome(module=module, load=ConstantLoad(500)) as home:
        line = f"ERXUDP {ADDRESSES} {middle} 0012 1081000102880105FF017201E704000001F4\r\n"
        assert await received(home) == line.encode()


@pytest.mark.parametrize("power_w", [0x0D0A, 0x0A0D0A20, 0x20202020, -1])
async def test_binary_payload_holds_any_byte(power_w: int) -> None:
    with SimulatedHome(load=ConstantLoad(power_w), hexadecimal=False) as home:
        payload = bytes.fromhex("1081000102880105FF017201E704") + power_w.to_bytes(4, signed=True)
        assert await received(home) == f"ERXUDP {ADDRESSES} 1 0 0012 ".encode() + payload + b"\r\n"


async def test_a_module_without_options_prints_hexadecimal_whatever_is_asked() -> None:
    with SimulatedHome(module="RL7023-IPS", load=ConstantLoad(500), hexadecimal=False) as home:
        assert (await received(home)).endswith(b" 1 0012 1081000102880105FF017201E704000001F4\r\n")


@pytest.mark.parametrize(("module", "middle"), [("BP35A1", b" 1 0012 "), ("BP35C2", b" E1 1 0 0012 ")])
async def test_sa2_adds_the_rssi_on_dual_stack_only(module: str, middle: bytes) -> None:
    with SimulatedHome(module=module, load=ConstantLoad(500)) as home:
        peer = await joined(home)
        assert await peer.ask("SKSREG SA2 1") == b"OK\r\n"
        peer.write(send_command(home, GET_POWER))
        assert b"001D129012345678" + middle + b"1081" in await peer.settle(3)
