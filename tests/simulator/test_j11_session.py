"""The session of a J11 module: PANA, what comes from the meter, renewal, loss, and the faults of every family."""

import asyncio
from collections import deque
from collections.abc import Callable

import pytest

from simulator import ConstantLoad, Datagram, SimulatedHome, link_local
from simulator.happenings import Happenings
from tests.simulator.j11 import (
    CREDENTIALS,
    DUAL_ON_4,
    GET_POWER,
    METER,
    METER_MAC,
    MODULE,
    OWN_ADDRESS,
    PORT,
    J11Peer,
    first_frame,
    joined,
    prepared,
    request,
    started,
    transmission,
)
from tests.simulator.peer import Peer

POWER = "1081000102880105FF017201E704000001F4"
LINK = METER_MAC + "D6"
"""The meter as 601A tells of it, with its RSSI."""


def received(payload: str, *, kind: str = "00", encryption: str = "02") -> tuple[int, str]:
    """Return 6018 of the meter."""
    return 0x6018, f"{METER}{PORT}{PORT}8888{kind}{encryption}D6{len(payload) // 2:04X}{payload}"


async def authenticate(peer: J11Peer) -> str:
    """Ask for authentication and return its outcome."""
    assert await peer.response(0x0056) == "01"
    return await peer.heard(0x6028, within_s=400)


async def test_a_join_takes_the_time_of_the_captures_and_the_instance_list_follows() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        start_s = asyncio.get_running_loop().time()
        assert await authenticate(peer) == "01" + METER_MAC
        assert 3.3 < asyncio.get_running_loop().time() - start_s < 9.7
        assert await peer.listened(8) == [received("108100000EF0010EF0017301D50401028801", kind="01")]


async def test_a_request_is_answered_and_acknowledged_before() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(500)) as home:
        peer = await joined(home)
        peer.write(request(0x0008, transmission(GET_POWER)))
        assert await peer.listened(3) == [(0x2008, "0100" + GET_POWER[:10]), received(POWER)]


async def test_without_a_session_nothing_is_answered() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        peer.write(request(0x0008, transmission(GET_POWER)))
        assert await peer.listened(30) == [(0x2008, "0100" + GET_POWER[:10])]


async def test_only_open_ports_hear() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        await peer.response(0x0008, transmission(GET_POWER))
        await peer.response(0x0006, PORT)
        assert await peer.listened(5) == []


async def test_a_datagram_of_a_stranger_in_clear_is_told_as_it_is() -> None:
    stranger = bytes.fromhex("001D129087654321")
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.module.radio.hear(
            Datagram(
                source=link_local(stranger),
                destination=bytes.fromhex(OWN_ADDRESS),
                source_port=0x1234,
                destination_port=0x0E1A,
                source_mac=stranger,
                secured=False,
                lqi=0x40,
                payload=b"\x00",
            )
        )
        told = "FE80000000000000021D12908765432112340E1A88880001A9000100"
        assert await peer.listened(1) == [(0x6018, told)]


async def test_an_unencrypted_copy_is_told_as_such() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.unencrypted_copies = 1
        await peer.response(0x0008, transmission(GET_POWER))
        assert await peer.listened(3) == [received(POWER[:-2] + "DE", encryption="01"), received(POWER)]


async def test_a_meter_that_refuses_is_told_from_one_that_says_nothing() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        home.faults.refused_joins = 1
        assert await authenticate(peer) == "02" + METER_MAC
        home.meter.pan.powered = False
        start_s = asyncio.get_running_loop().time()
        assert await authenticate(peer) == "03" + METER_MAC
        assert asyncio.get_running_loop().time() - start_s == pytest.approx(311, abs=1)
        home.meter.pan.powered = True
        assert await authenticate(peer) == "01" + METER_MAC


async def test_an_authentication_that_is_given_up_has_no_outcome() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        await peer.response(0x0056)
        await peer.listened(3)
        assert await peer.response(0x0057) == "01"
        assert await peer.listened(400) == []
        home.meter.pan.powered = False
        assert await authenticate(peer) == "03" + METER_MAC


@pytest.mark.parametrize("codes", [(0x0057,), (0x0058,), (0x0057, 0x0058)])
async def test_a_session_is_ended_without_a_notification_and_the_meter_learns_of_it(codes: tuple[int, ...]) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        assert [await peer.response(code) for code in codes] == ["01"] * len(codes)
        assert home.meter.paa.session is None
        assert await peer.listened(30) == []
        assert await peer.response(0x0001) == f"0103{'01' if 0x0058 in codes else '02'}01"


async def test_a_join_within_10_s_of_the_end_is_refused() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        await peer.response(0x0057)
        assert await authenticate(peer) == "02" + METER_MAC
        await peer.listened(10)
        assert await authenticate(peer) == "01" + METER_MAC


async def test_a_renewal_that_succeeds_is_not_told() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.meter.paa.session_lifetime_s = 1000
        assert {code for code, _ in await peer.listened(69_120 + 5000)} == {0x6018}
        assert home.meter.paa.session is not None
        await peer.response(0x0008, transmission(GET_POWER))
        assert (await peer.heard(0x6018)).endswith(POWER)


async def test_a_renewal_on_request_is_told() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        assert await peer.response(0x00D2) == "01"
        assert await peer.response(0x00D2) == "52"
        assert await peer.heard(0x6028) == "01" + METER_MAC


@pytest.mark.parametrize(("refused", "outcome", "after_s"), [(True, "02", 10), (False, "03", 180)])
async def test_a_renewal_that_fails_is_told_and_ends_the_session(refused: bool, outcome: str, after_s: float) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.meter.notices.end()
        if refused:
            home.faults.refused_renewals = 1
        else:
            home.meter.paa.forget_session()
        start_s = asyncio.get_running_loop().time()
        assert await peer.heard(0x6028, within_s=86_400) == outcome + METER_MAC
        lapse_s = asyncio.get_running_loop().time() - start_s
        assert lapse_s == pytest.approx(69_120 + after_s, abs=20)
        assert await peer.response(0x0001) == "01030201"


async def test_a_session_that_the_meter_ends_is_told() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.meter.paa.end_session()
        assert await peer.listened(1) == [(0x601A, "04" + LINK)]
        assert await peer.response(0x0001) == "01030201"
        assert await authenticate(peer) == "01" + METER_MAC


@pytest.mark.parametrize("lose", [Happenings.session_ended_by_module, Happenings.session_expired])
async def test_a_session_that_the_module_loses_by_itself_is_told(lose: Callable[[Happenings], None]) -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        lose(Happenings(home))
        assert await peer.listened(400) == [(0x601A, "04" + LINK)]
        assert await peer.response(0x0001) == "01030201"


async def test_a_session_that_nobody_renews_expires() -> None:
    with SimulatedHome(module=MODULE) as home:
        home.meter.paa.session_lifetime_s = 300
        peer = await joined(home)
        home.meter.paa.forget_session()
        start_s = asyncio.get_running_loop().time()
        assert await peer.heard(0x601A, within_s=400) == "04" + LINK
        assert asyncio.get_running_loop().time() - start_s == pytest.approx(297, abs=5)
        assert await peer.listened(400) == []
        assert await peer.response(0x0001) == "01030201"


async def test_a_coordinator_that_acknowledges_nothing_is_lost() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.meter.pan.powered = False
        results = [(await peer.response(0x0008, transmission(GET_POWER)))[:4] for _ in range(3)]
        assert results == ["0105"] * 3
        assert await peer.heard(0x601A) == "03" + LINK
        assert await peer.response(0x0001) == "01030101"
        assert await peer.response(0x0008, transmission(GET_POWER)) == "10"
        home.meter.pan.powered = True
        assert (await peer.response(0x0053))[:2] == "01"
        assert await authenticate(peer) == "01" + METER_MAC


async def test_a_coordinator_that_is_heard_is_not_lost() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.faults.acknowledgements_lost = 5
        for _ in range(5):
            assert (await peer.response(0x0008, transmission(GET_POWER)))[:4] == "0105"
            await peer.heard(0x6018)
        assert await peer.response(0x0001) == "01030301"


async def test_a_connection_without_a_session_is_dropped_after_80_minutes() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        assert await peer.listened(4799) == []
        assert await peer.listened(2) == [(0x601A, "03" + LINK)]
        assert await peer.response(0x0001) == "01030101"


async def test_the_80_minutes_begin_anew_with_each_connection_and_each_end_of_a_session() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await started(home)
        await peer.listened(4000)
        await peer.response(0x0058)
        await peer.response(0x0053)
        assert await peer.listened(4000) == []
        assert await authenticate(peer) == "01" + METER_MAC
        home.meter.paa.end_session()
        assert await peer.listened(4799) == [(0x601A, "04" + LINK)]
        assert await peer.listened(2) == [(0x601A, "03" + LINK)]


async def test_a_connection_with_a_session_lasts() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        home.meter.notices.end()
        assert await peer.listened(10_000) == []
        assert await peer.response(0x0001) == "01030301"


async def test_a_loss_of_power_is_told_and_forgets_everything() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        peer.write(request(0x0008, transmission(GET_POWER)))
        await peer.listened(0.05)
        home.module.reset()
        assert await peer.listened(0.4) == []
        assert await peer.listened(60) == [(0x6019, "")]
        assert await peer.response(0x0001) == "01020101"
        assert await peer.response(0x005F, DUAL_ON_4) == "01"
        assert await peer.response(0x0053) == "51"
        assert await peer.response(0x0054, CREDENTIALS) == "01"


async def test_a_restart_without_a_word_leaves_a_module_that_takes_commands() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        peer.write(request(0x0008, transmission(GET_POWER)))
        await peer.listened(0.05)
        home.module.restart()
        assert await peer.listened(60) == []
        assert await peer.response(0x0001) == "01020101"


async def test_a_mute_module_loses_what_it_would_have_said() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        home.faults.module_mute = True
        peer.write(request(0x005F, DUAL_ON_4))
        assert await peer.settle(5) == b""
        home.faults.module_mute = False
        assert await peer.response(0x0001) == "01030101"


async def test_a_command_can_be_ignored_refused_or_carried_out_without_a_response() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await J11Peer.opened(home)
        home.faults.commands_ignored = {"005F": 1}
        peer.write(request(0x005F, DUAL_ON_4))
        assert await peer.listened(5) == []
        assert await peer.response(0x0001) == "01020101"
        home.faults.confirmations_lost = {"005F": 1}
        peer.write(request(0x005F, DUAL_ON_4))
        assert await peer.listened(5) == []
        assert await peer.response(0x0001) == "01030101"
        home.faults.commands_refused["005F"] = deque([0x34])
        assert await peer.response(0x005F, DUAL_ON_4) == "34"
        assert await peer.response(0x005F, DUAL_ON_4) == "01"


async def test_a_scan_without_a_response_tells_its_channels() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await prepared(home)
        home.faults.confirmations_lost = {"0051": 1}
        peer.write(request(0x0051, "060003FFF000"))
        assert [code for code, _ in await peer.listened(60)] == [0x4051] * 14
        assert await peer.response(0x0001) == "01030101"


@pytest.mark.parametrize("fault", ["lines_misread", "lines_corrupt"])
async def test_a_damaged_frame_is_recognised_by_its_checksums(fault: str) -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(500)) as home:
        joined_ = await joined(home)
        assert joined_.transport is not None
        joined_.transport.close()
        peer = await Peer.opened(home)
        for damaged in (True, False):
            peer.write(request(0x0008, transmission(GET_POWER)))
            response = await peer.settle(0.4)
            assert first_frame(response) == (0x2008, "0100" + GET_POWER[:10])
            home.faults.set(**{fault: int(damaged)})
            frame = await peer.settle(2)
            if not damaged:
                assert first_frame(frame) == received(POWER)
                continue
            assert len(frame) == 12 + 27 + len(POWER) // 2
            with pytest.raises(AssertionError):
                first_frame(frame)


async def test_a_size_can_be_wrong_in_a_frame_that_is_right() -> None:
    with SimulatedHome(module=MODULE, load=ConstantLoad(500)) as home:
        peer = await joined(home)
        home.faults.lengths_wrong.append(3)
        await peer.response(0x0008, transmission(GET_POWER))
        assert await peer.heard(0x6018) == received(POWER)[1].replace("D60012", "D60015")
