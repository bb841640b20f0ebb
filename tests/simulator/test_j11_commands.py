"""The commands of J11: what each answers, and with which result it is refused in which state."""

import asyncio

import pytest

from simulator import ConstantLoad, Pan, SimulatedHome
from tests.simulator.j11 import (
    CREDENTIALS,
    DUAL_ON_4,
    GET_POWER,
    METER,
    METER_MAC,
    MODULE,
    OWN_ADDRESS,
    OWN_MAC,
    PAIRING_ID,
    PORT,
    J11Peer,
    channel_of,
    j11,
    joined,
    prepared,
    request,
    started,
    transmission,
)

SCAN_ALL = "060003FFF001" + PAIRING_ID
STRANGER = "FE800000000000000000000000000001"


@pytest.mark.parametrize(
    ("code", "data", "result"),
    [
        (0x0001, "", "01020101"),
        (0x0009, "", "01" + OWN_ADDRESS),
        (0x000E, "", "01" + OWN_MAC),
        (0x006B, "", "01040001030000158A"),
        (0x005F, DUAL_ON_4, "01"),
        (0x005F, "01001102", "01"),
        (0x005F, "04000400", "04"),
        (0x005F, "05020400", "04"),
        (0x005F, "05000300", "04"),
        (0x005F, "05001200", "04"),
        (0x005F, "05000403", "04"),
        (0x005F, "050004", "11"),
        (0x0005, PORT, "14"),
        (0x0006, PORT, "0B"),
        (0x0008, transmission("00"), "14"),
        (0x0051, SCAN_ALL, "14"),
        (0x0053, "", "14"),
        (0x0053, "00", "11"),
        (0x0054, CREDENTIALS, "14"),
        (0x0056, "", "14"),
        (0x0057, "", "14"),
        (0x0058, "", "14"),
        (0x005E, "", "14"),
        (0x00D1, METER, "14"),
        (0x00D1, METER[:-2], "11"),
        (0x00D2, "", "14"),
    ],
)
async def test_a_module_that_has_just_started(code: int, data: str, result: str) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        assert await peer.response(code, data) == result


@pytest.mark.parametrize(
    ("code", "data", "result"),
    [
        (0x0001, "", "01030101"),
        (0x0053, "", "51"),
        (0x0005, PORT, "10"),
        (0x0008, transmission("00"), "10"),
        (0x0056, "", "10"),
        (0x0057, "", "10"),
        (0x0058, "", "10"),
        (0x005E, "", "10"),
        (0x00D1, METER, "10"),
        (0x00D2, "", "10"),
        (0x0054, CREDENTIALS, "01"),
        (0x0054, CREDENTIALS[:-2], "11"),
        (0x0054, CREDENTIALS[:-2] + "2D", "04"),
        (0x0054, CREDENTIALS[:-2] + "FF", "04"),
        (0x0051, "000003FFF001" + PAIRING_ID, "04"),
        (0x0051, "0F0003FFF001" + PAIRING_ID, "04"),
        (0x0051, "060000000001" + PAIRING_ID, "04"),
        (0x0051, "060007FFF001" + PAIRING_ID, "04"),
        (0x0051, "060000000801" + PAIRING_ID, "04"),
        (0x0051, "060003FFF002", "04"),
        (0x0051, "060003FFF001", "11"),
        (0x0051, "060003FFF000" + PAIRING_ID, "11"),
        (0x0051, "060003FFF0", "11"),
        (0x0051, "", "11"),
    ],
)
async def test_a_module_in_dual_mode(code: int, data: str, result: str) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        assert await peer.response(code, data) == result


async def test_other_modes_have_a_scan_and_no_b_route() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, "03000400")
        assert await peer.response(0x0054, CREDENTIALS) == "14"
        assert await peer.response(0x0053) == "14"
        assert await peer.response(0x0051, SCAN_ALL) == "01"


@pytest.mark.parametrize(
    ("code", "data", "result"),
    [
        (0x0001, "", "01030201"),
        (0x0051, SCAN_ALL, "34"),
        (0x0053, "", "34"),
        (0x0054, CREDENTIALS, "34"),
        (0x005F, DUAL_ON_4, "34"),
        (0x0057, "", "37"),
        (0x00D2, "", "37"),
        (0x005E, "", "018888"),
        (0x0058, "", "01"),
        (0x0056, "", "01"),
        (0x0005, PORT, "0A"),
        (0x0005, "0000", "04"),
        (0x0005, "02CC", "04"),
        (0x0005, "4D4C", "04"),
        (0x0005, "7CC5", "04"),
        (0x0005, "0E", "11"),
        (0x0006, PORT, "01"),
        (0x0006, "0E1B", "0B"),
        (0x0006, "02CC", "04"),
        (0x0006, "", "11"),
        (0x0008, transmission("0011223344556677"), "01000011223344"),
        (0x0008, transmission("00"), "010000"),
        (0x0008, transmission("00", STRANGER), "02"),
        (0x0008, transmission("00", "2001" + "00" * 14), "06"),
        (0x0008, transmission("00", ports="0E1B0E1A"), "0B"),
        (0x0008, transmission("00", ports="0E1A0000"), "04"),
        (0x0008, transmission(""), "04"),
        (0x0008, transmission("00" * 1233), "04"),
        (0x0008, transmission("00" * 1232), "01000000000000"),
        (0x0008, transmission("00") + "00", "11"),
        (0x0008, METER, "11"),
        (0x00D1, STRANGER, "02"),
        (0x00D1, METER, "01"),
    ],
)
async def test_a_module_that_runs_the_b_route(code: int, data: str, result: str) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        assert await peer.response(code, data) == result


@pytest.mark.parametrize(
    ("code", "data", "result"),
    [
        (0x0001, "", "01030301"),
        (0x0051, SCAN_ALL, "35"),
        (0x0053, "", "35"),
        (0x0054, CREDENTIALS, "35"),
        (0x005F, DUAL_ON_4, "35"),
        (0x0056, "", "35"),
        (0x0057, "", "01"),
        (0x0058, "", "01"),
        (0x00D2, "", "01"),
    ],
)
async def test_a_module_with_a_session(code: int, data: str, result: str) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        assert await peer.response(code, data) == result


@pytest.mark.parametrize(
    ("code", "result"), [(0x0056, "52"), (0x00D2, "52"), (0x0053, "34"), (0x0001, "01030201"), (0x0057, "01")]
)
async def test_a_module_that_authenticates(code: int, result: str) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        await peer.response(0x0056)
        await peer.listened(1)
        assert await peer.response(code) == result


async def test_credentials_are_set_once_and_lower_case_counts_as_upper_case() -> None:
    with SimulatedHome(module=MODULE, id="00112233445566778899AABBCCDDEEFF", password="ABCDEFGHIJKL") as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        lower = b"00112233445566778899aabbccddeeffabcdefghijkl".hex()
        assert await peer.response(0x0054, lower) == "01"
        assert await peer.response(0x0054, CREDENTIALS) == "58"
        assert (await peer.response(0x0053))[:2] == "01"
        await peer.response(0x0056)
        assert (await peer.heard(0x6028))[:2] == "01"


async def test_ten_ports_can_be_open_and_all_close_with_the_b_route() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        assert [await peer.response(0x0005, f"{port:04X}") for port in range(1, 11)] == ["01"] * 9 + ["12"]
        assert await peer.response(0x0006, "0001") == "01"
        assert await peer.response(0x0005, "000A") == "01"
        await peer.response(0x0058)
        assert (await peer.response(0x0053))[:2] == "01"
        assert await peer.response(0x0005, PORT) == "01"


async def test_a_scan_tells_each_channel_when_it_is_done_with_it() -> None:
    with SimulatedHome(module=MODULE, pan=Pan(channel=59, lqi=0xB2)) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        peer.write(request(0x0051, SCAN_ALL))
        for number, channel in enumerate(range(4, 17), start=1):
            assert await peer.heard(0x4051) == f"01{channel:02X}"
            assert loop.time() - start_s == pytest.approx(number * 0.00964 * 64, abs=0.05)
        assert await peer.heard(0x4051) == f"001101{METER_MAC}8888C9"
        assert await peer.heard(0x2051) == "01"
        assert loop.time() - start_s == pytest.approx(14 * 0.00964 * 64, abs=0.05)


@pytest.mark.parametrize(
    ("duration", "mask", "channels"), [(1, "00003000", 2), (8, "00000010", 1), (14, "00020000", 1)]
)
async def test_a_scan_takes_the_time_of_the_formula(duration: int, mask: str, channels: int) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        start_s = asyncio.get_running_loop().time()
        peer.write(request(0x0051, f"{duration:02X}{mask}00"))
        assert await peer.heard(0x2051, within_s=200) == "01"
        lapse_s = asyncio.get_running_loop().time() - start_s
        assert lapse_s == pytest.approx(channels * 0.00964 * 2**duration, abs=0.05)
        assert [code for code, _ in peer.said].count(0x4051) == channels


async def test_a_scan_hears_whom_it_asks_for() -> None:
    with SimulatedHome(module=MODULE) as home:
        home.air.pans.append(Pan(pan_id=0x1234, mac=bytes(7) + b"\x01", pairing_id="01AD1234", lqi=0x2D))
        home.air.pans.append(Pan(pan_id=0x5678, mac=bytes(7) + b"\x02", heard_from_duration=7))
        home.air.pans.append(Pan(channel=34, pan_id=0x9ABC, mac=bytes(7) + b"\x03"))
        ours, other = f"{METER_MAC}8888D6", "00000000000000011234A4"
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        for scan, heard in (
            ("060000001001" + PAIRING_ID, "000401" + ours),
            ("060000001001" + b"01AD1234".hex(), "000401" + other),
            ("060000001001" + b"XXXXXXXX".hex(), "0104"),
            ("060000001000", "000402" + ours + other),
            ("070000001001" + PAIRING_ID, "000402" + ours + "00000000000000025678D6"),
        ):
            peer.write(request(0x0051, scan))
            assert await peer.heard(0x4051) == heard
            assert await peer.heard(0x2051) == "01"


async def test_missed_scans_hear_nothing_and_the_next_one_does() -> None:
    with SimulatedHome(module=MODULE) as home:
        home.faults.scan_misses = 1
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        for heard in ("0104", f"000401{METER_MAC}8888D6"):
            peer.write(request(0x0051, "060000001001" + PAIRING_ID))
            assert await peer.heard(0x4051) == heard
            assert await peer.heard(0x2051) == "01"


async def test_a_start_takes_the_strongest_of_those_with_the_pairing_id() -> None:
    with SimulatedHome(module=MODULE, pan=Pan(channel=47, lqi=0x80)) as home:
        weaker, other = bytes(7) + b"\x01", bytes(7) + b"\x02"
        home.air.pans[:0] = [
            Pan(channel=47, mac=weaker, lqi=0x7F),
            Pan(channel=47, mac=other, lqi=0xFF, pairing_id="01AD1234"),
        ]
        peer = await prepared(home)
        start_s = asyncio.get_running_loop().time()
        assert await peer.response(0x0053) == f"01{channel_of(home)}8888{METER_MAC}BB"
        assert asyncio.get_running_loop().time() - start_s == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("pan", [Pan(powered=False), Pan(channel=35), Pan(heard_from_duration=9)])
async def test_a_start_finds_nobody(pan: Pan) -> None:
    with SimulatedHome(module=MODULE, pan=pan) as home:
        peer = await J11Peer.opened(home)
        await peer.response(0x005F, DUAL_ON_4)
        await peer.response(0x0054, CREDENTIALS)
        assert await peer.response(0x0053) == "0E"
        assert await peer.response(0x0001) == "01030101"
        assert await peer.response(0x0053) == "0E"


async def test_a_ping_is_answered_or_given_up_and_only_one_is_under_way() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        assert await peer.response(0x00D1, METER) == "01"
        assert await peer.heard(0x60D1) == "01" + METER
        home.meter.pan.powered = False
        assert await peer.response(0x00D1, METER) == "01"
        assert await peer.response(0x00D1, METER) == "3C"
        assert await peer.heard(0x60D1) == "02" + METER
        assert await peer.response(0x00D1, METER) == "01"


async def test_what_became_of_a_transmission_is_told_in_detail() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(5)) as home:
        peer = await joined(home)
        home.module.radio.duty_limited = True
        assert (await peer.response(0x0008, transmission(GET_POWER)))[:4] == "0102"
        home.module.radio.duty_limited = False
        home.faults.failed_sends = 1
        assert (await peer.response(0x0008, transmission(GET_POWER)))[:4] == "0103"
        home.faults.acknowledgements_lost = 1
        assert (await peer.response(0x0008, transmission(GET_POWER)))[:4] == "0105"
        assert (await peer.heard(0x6018))[-8:] == "00000005"
        home.module.radio.neighbours.clear()
        assert (await peer.response(0x0008, transmission(GET_POWER)))[:4] == "010F"
        assert (await peer.heard(0x6018))[-8:] == "00000005"
        assert await peer.response(0x0008, transmission(GET_POWER)) == "0100" + GET_POWER[:10]
        assert {code for code, _ in peer.said[-2:]} <= {0x2008, 0x6018}


async def test_a_transmission_to_all_nodes_is_one_too() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        everybody = "FF020000000000000000000000000001"
        assert await peer.response(0x0008, transmission("1081", everybody)) == "01001081"


async def test_a_module_named_by_its_code_notes_what_it_was_told() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await prepared(home)
        await peer.response(0x0056)
        peer.write(request(0x00D9))
        await peer.listened(1)
        assert list(j11(home).commands) == ["005F", "0054", "0056", "00D9"]
