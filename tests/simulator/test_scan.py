"""SKSCAN: what is heard, when, and how it is told."""

import asyncio
from itertools import pairwise

import pytest

from simulator import Pan, SimulatedHome
from tests.simulator.peer import OWN_ADDRESS, Peer

SCAN_END = f"EVENT 22 {OWN_ADDRESS} 0\r\n".encode()
IDENTITY = "SKSETRBID 00112233445566778899AABBCCDDEEFF"


async def scanned(home: SimulatedHome, command: str) -> tuple[list[str], float]:
    """Return the lines of a scan on dual stack and how long it took in s."""
    peer = await Peer.opened(home)
    await peer.ask("SKSREG SFE 0")
    await peer.ask(f"SKSETRBID {home.meter.paa.identity}")
    start_s = asyncio.get_running_loop().time()
    lines = (await peer.ask(command, SCAN_END)).decode().splitlines()
    return lines, asyncio.get_running_loop().time() - start_s


@pytest.mark.parametrize(
    ("command", "channels", "duration"),
    [("SKSCAN 2 FFFFFFFF 4 0", 28, 4), ("SKSCAN 2 FFFFFFFF 6 0", 28, 6), ("SKSCAN 2 7 8 0", 3, 8)],
)
async def test_a_scan_takes_the_time_of_the_formula(command: str, channels: int, duration: int) -> None:
    with SimulatedHome() as home:
        home.air.pans.clear()
        lines, lapse_s = await scanned(home, command)
        assert lines == ["OK", f"EVENT 22 {OWN_ADDRESS} 0"]
        assert lapse_s - 0.0096 * (2**duration + 1) * channels == pytest.approx(0.55, abs=0.05)


async def test_a_pan_is_heard_when_its_channel_is_reached_and_described_within_650_ms() -> None:
    with SimulatedHome(pan=Pan(channel=0x3B, lqi=0xB2)) as home:
        peer = await Peer.opened(home)
        await peer.ask("SKSREG SFE 0")
        await peer.ask(IDENTITY)
        start_s = asyncio.get_running_loop().time()
        await peer.ask("SKSCAN 2 FFFFFFFF 6 0")
        await peer.until(f"EVENT 20 {OWN_ADDRESS} 0\r\n".encode())
        heard_s = asyncio.get_running_loop().time() - start_s
        assert 26 * 0.624 < heard_s < 27 * 0.624 + 0.01
        block = await peer.until(b"PairID:CCDDEEFF\r\n")
        assert asyncio.get_running_loop().time() - start_s - heard_s < 0.67
        assert b"Channel:3B\r\n" in block
        assert b"LQI:B2\r\n" in block


async def test_only_the_pan_with_the_pairing_id_answers() -> None:
    with SimulatedHome() as home:
        home.air.pans.append(Pan(pan_id=0x1234, mac=bytes(7) + b"\x01", pairing_id="01AD1234"))
        lines, _ = await scanned(home, "SKSCAN 2 FFFFFFFF 6 0")
        assert [line for line in lines if "Pan ID" in line] == ["  Pan ID:8888"]


async def test_the_pairing_id_is_the_end_of_the_meters_id() -> None:
    with SimulatedHome(id="00112233445566778899AABB01AD1234") as home:
        lines, _ = await scanned(home, "SKSCAN 2 FFFFFFFF 6 0")
        assert "  PairID:01AD1234" in lines


async def test_two_pans_with_the_same_pairing_id_are_described_one_after_the_other() -> None:
    with SimulatedHome() as home:
        home.air.pans.append(Pan(pan_id=0x1234, mac=bytes(7) + b"\x01", lqi=0x2D))
        lines, _ = await scanned(home, "SKSCAN 2 FFFFFFFF 6 0")
        assert [line for line in lines if not line.startswith("  ")] == [
            "OK",
            f"EVENT 20 {OWN_ADDRESS} 0",
            "EPANDESC",
            f"EVENT 20 {OWN_ADDRESS} 0",
            "EPANDESC",
            f"EVENT 22 {OWN_ADDRESS} 0",
        ]
        assert [line for line in lines if "LQI" in line] == ["  LQI:E1", "  LQI:2D"]


async def test_a_scan_without_pairing_id_hears_everybody_and_names_no_pairing_id() -> None:
    with SimulatedHome() as home:
        home.air.pans.append(Pan(channel=0x30, mac=bytes(7) + b"\x01", pairing_id="01AD1234"))
        lines, _ = await scanned(home, "SKSCAN 3 FFFFFFFF 6 0")
        assert lines.count("EPANDESC") == 2
        assert not any("PairID" in line for line in lines)


@pytest.mark.parametrize("pan", [Pan(powered=False), Pan(channel=0x22), Pan(heard_from_duration=7)])
async def test_a_pan_is_missed_without_power_off_the_mask_or_in_a_scan_too_short(pan: Pan) -> None:
    with SimulatedHome(pan=pan) as home:
        lines, _ = await scanned(home, "SKSCAN 2 1 6 0")
        assert lines == ["OK", f"EVENT 22 {OWN_ADDRESS} 0"]


async def test_a_second_scan_during_the_first_is_answered_and_changes_nothing() -> None:
    with SimulatedHome() as home:
        home.air.pans.clear()
        peer = await Peer.opened(home)
        await peer.ask("SKSREG SFE 0")
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        await peer.ask("SKSCAN 2 FFFFFFFF 4 0")
        await peer.settle(4.67)
        assert await peer.ask("SKSCAN 2 FFFFFFFF 5 0") == b"OK\r\n"
        await peer.until(SCAN_END)
        assert loop.time() - start_s == pytest.approx(5.12, abs=0.05)
        assert await peer.settle(30) == b""
        await peer.ask("SKSCAN 2 FFFFFFFF 6 0", SCAN_END)


async def test_missed_scans_hear_nothing_and_the_next_one_does() -> None:
    with SimulatedHome(echo=False) as home:
        home.faults.scan_misses = 2
        peer = await Peer.opened(home)
        await peer.ask(IDENTITY)
        found = [b"EPANDESC" in await peer.ask("SKSCAN 2 FFFFFFFF 4 0", SCAN_END) for _ in range(3)]
        assert found == [False, False, True]


async def test_the_order_of_channels_is_the_order_of_the_beacons() -> None:
    with SimulatedHome() as home:
        home.air.pans[:0] = [Pan(channel=channel, mac=bytes(7) + bytes((channel,))) for channel in (0x3C, 0x2A, 0x30)]
        lines, _ = await scanned(home, "SKSCAN 2 FFFFFFFF 6 0")
        channels = [line.split(":")[1] for line in lines if line.startswith("  Channel:")]
        assert all(first < second for first, second in pairwise(channels))
        assert len(channels) == 4


@pytest.mark.parametrize(("pairing_id", "rows"), [("01AD1234", ["  PairID:01AD1234"]), ("", [])])
async def test_a_stranger_that_answers_anybody_tells_its_own_pairing_id_or_none(
    pairing_id: str, rows: list[str]
) -> None:
    with SimulatedHome() as home:
        home.add_neighbour(Pan(channel=0x30, mac=bytes(7) + b"\x01", pairing_id=pairing_id, answers_anybody=True))
        lines, _ = await scanned(home, "SKSCAN 2 FFFFFFFF 6 0")
        assert lines.count("EPANDESC") == 2
        assert [line for line in lines if "PairID" in line] == ["  PairID:CCDDEEFF", *rows]
