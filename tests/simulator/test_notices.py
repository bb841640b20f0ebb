"""What the meter announces of its own accord."""

from datetime import datetime, timedelta

import pytest

from simulator import JST, NORMAL_ONLY, ConstantLoad, Registers, SimulatedHome
from tests.simulator.peer import Peer, joined, request

START = datetime(2026, 11, 21, 18, 24, tzinfo=JST)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)


async def announced(peer: Peer, lapse_s: float) -> list[str]:
    """Return the payloads that come within a time."""
    lines = (await peer.settle(lapse_s)).decode().splitlines()
    return [line.split(" ")[-1] for line in lines if line.startswith("ERXUDP")]


def registers() -> Registers:
    """Return registers that show 18.2 kWh at 18:30 and 18.7 kWh at 19:00, and an odd 6.5 kWh of export."""
    return Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT, initial_import=0, initial_export=65)


async def test_both_counts_come_within_5_minutes_after_each_half_hour() -> None:
    with SimulatedHome(registers=registers(), start=START) as home:
        peer = await joined(home)
        assert await announced(peer, 340) == []
        assert await announced(peer, 80) == [
            "1081000102880105FF017302EA0B07EA0B15121E00000000B9EB0B07EA0B15121E0000000041"
        ]
        assert await announced(peer, 1800) == [
            "1081000202880105FF017302EA0B07EA0B1513000000" + "0000BEEB0B07EA0B1513000000000041"
        ]
        second = home.meter.answers[-1]
        assert (second.esv, second.epcs) == (0x73, (0xEA, 0xEB))
        assert timedelta(seconds=20) < second.at - second.truth.fixed_time < timedelta(seconds=60)


async def test_a_notice_still_due_when_the_controller_joins_is_sent() -> None:
    with SimulatedHome(registers=registers(), start=MIDNIGHT + timedelta(hours=18, minutes=30)) as home:
        home.meter.notices.notice_s = (100.0, 100.0)
        peer = await joined(home)
        assert len(await announced(peer, 100)) == 1


async def test_a_meter_without_reverse_metering_announces_one_count() -> None:
    with SimulatedHome(model=NORMAL_ONLY, registers=registers(), start=START) as home:
        peer = await joined(home)
        assert await announced(peer, 420) == ["1081000102880105FF017301EA0B07EA0B15121E00000000B9"]


async def test_midnight_belongs_to_the_new_day() -> None:
    with SimulatedHome(registers=registers(), start=MIDNIGHT + timedelta(hours=23, minutes=58)) as home:
        peer = await joined(home)
        assert [payload[24:50] for payload in await announced(peer, 180)] == ["EA0B07EA0B16000000" + "000000F0"]


async def test_nothing_is_announced_without_a_session() -> None:
    with SimulatedHome(registers=registers(), start=START) as home:
        peer = await joined(home)
        await peer.ask("SKTERM")
        await announced(peer, 1)
        home.meter.clock_offset = timedelta(minutes=1)
        assert await announced(peer, 3600) == []
        assert not home.meter.answers


async def test_a_notice_that_wants_confirmation_is_repeated_once_without_it() -> None:
    with SimulatedHome(registers=registers(), start=START) as home:
        home.meter.notices.confirmed = True
        peer = await joined(home)
        payloads = await announced(peer, 500)
        assert len(payloads) == 2
        assert payloads[0] == payloads[1]
        assert payloads[0][20:22] == "74"
        assert not home.meter.notices.confirmations


async def test_a_confirmed_notice_is_not_repeated_and_the_confirmation_kept() -> None:
    with SimulatedHome(registers=registers(), start=START) as home:
        home.meter.notices.confirmed = True
        peer = await joined(home)
        await peer.until(b"0000000041\r\n", within_s=420)
        await request(peer, home, "1081000505FF010288016201E700")
        await request(peer, home, "1081000105FF010288017A02EA00EB00")
        assert await announced(peer, 60) == []
        assert [(frame.tid, frame.epcs) for frame in home.meter.notices.confirmations] == [(1, (0xEA, 0xEB))]


@pytest.mark.parametrize(
    ("attribute", "value", "payload"),
    [("fault", True, "7301880141"), ("operating", False, "7301800131"), ("location", b"\x29", "7301810129")],
)
async def test_a_change_of_status_is_announced(attribute: str, value: object, payload: str) -> None:
    with SimulatedHome() as home:
        setattr(home.meter, attribute, value)
        peer = await joined(home)
        setattr(home.meter, attribute, value)
        assert getattr(home.meter, attribute) == value
        assert await announced(peer, 1) == ["1081000102880105FF01" + payload]


async def test_announcements_of_one_instant_arrive_in_their_order() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        for _ in range(12):
            home.meter.fault = not home.meter.fault
        tids = [int(payload[4:8], 16) for payload in await announced(peer, 2)]
        assert tids == list(range(1, 13))


async def test_notices_follow_the_meters_clock() -> None:
    with SimulatedHome(registers=registers(), start=START) as home:
        peer = await joined(home)
        home.meter.notices.notice_s = (300.0, 300.0)
        home.meter.clock_offset = timedelta(minutes=10)
        assert [payload[24:42] for payload in await announced(peer, 60)] == ["EA0B07EA0B15121E00"]
