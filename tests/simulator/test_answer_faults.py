"""What happens to the meter's answers before they reach the air."""

from collections import deque

import pytest

from simulator import ConstantLoad, SimulatedHome
from tests.simulator.peer import ADDRESS, OWN_ADDRESS, Peer, joined, request

GET_POWER = "1081000105FF010288016201E700"
POWER = "1081000102880105FF017201E704000001F4"
WRONG = POWER[:-2] + "DE"
NEIGHBOUR = "FE80:0000:0000:0000:021D:1290:8765:4321"


async def datagrams(peer: Peer, home: SimulatedHome, frame: str = GET_POWER) -> list[str]:
    """Send a request and return the datagrams that come, without the word and the receiver."""
    lines = await request(peer, home, frame)
    return [line.removeprefix("ERXUDP ").replace(f" {OWN_ADDRESS}", "") for line in lines if line.startswith("ERXUDP")]


@pytest.mark.parametrize(
    ("fault", "copy"),
    [
        ("unencrypted_copies", f"{ADDRESS} 0E1A 0E1A 001D129012345678 0 0 0012 {WRONG}"),
        ("neighbour_copies", f"{NEIGHBOUR} 0E1A 0E1A 001D129087654321 1 0 0012 {WRONG}"),
        ("source_port_copies", f"{ADDRESS} 0E1B 0E1A 001D129012345678 1 0 0012 {WRONG}"),
        ("destination_port_copies", f"{ADDRESS} 0E1A 02CC 001D129012345678 1 0 0012 {WRONG}"),
    ],
)
async def test_a_forged_copy_with_wrong_values_precedes_the_answer(fault: str, copy: str) -> None:
    answer = f"{ADDRESS} 0E1A 0E1A 001D129012345678 1 0 0012 {POWER}"
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.set(**{fault: 1})
        assert await datagrams(peer, home) == [copy, answer]
        assert await datagrams(peer, home) == [answer]


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ("foreign_tids", POWER.replace("10810001", "10818001")),
        ("foreign_epcs", POWER.replace("E704", "E804")),
    ],
)
async def test_an_answer_belongs_to_no_request(fault: str, changed: str) -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.set(**{fault: 1})
        payloads = [(await datagrams(peer, home))[0].split(" ")[-1] for _ in range(2)]
        assert payloads == [changed, POWER]


async def test_a_request_gets_the_answer_to_the_one_before() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.repeated_answers = 1
        assert (await datagrams(peer, home))[0].endswith(POWER)
        second = GET_POWER.replace("10810001", "10810002")
        assert (await datagrams(peer, home, second))[0].endswith(POWER)
        assert (await datagrams(peer, home, second))[0].endswith(POWER.replace("10810001", "10810002"))


async def test_a_short_answer_lacks_its_tail() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.short_answers = 10
        lengths = set()
        for _ in range(10):
            (datagram,) = await datagrams(peer, home)
            payload = datagram.split(" ")[-1]
            assert POWER.startswith(payload)
            lengths.add(len(payload) // 2)
        assert len(lengths) > 3
        assert 0 < min(lengths) <= max(lengths) < len(POWER) // 2
        assert (await datagrams(peer, home))[0].endswith(POWER)


async def test_an_answer_carries_a_value_in_place_of_the_true_one() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.replaced_values["E7"] = deque(["7FFFFFFF", "80000000"])
        payloads = [(await datagrams(peer, home))[0].split(" ")[-1] for _ in range(3)]
        assert payloads == [POWER[:-8] + "7FFFFFFF", POWER[:-8] + "80000000", POWER]
        assert home.meter.answers[-3].truth.power_w == 500
