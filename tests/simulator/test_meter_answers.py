"""What the meter answers: the captured bytes, the layouts of the histories, and the refusals."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from simulator import (
    JST,
    MODELS,
    NORMAL_ONLY,
    OKINAWA,
    RELEASE_F,
    RELEASE_R,
    TWO_WIRE,
    ConstantLoad,
    MeterModel,
    OverLimit,
    Registers,
    ScriptedLoad,
    SimulatedHome,
)
from tests.simulator.peer import answer, joined, request, send_command

TO_METER = "05FF01028801"
TO_PROFILE = "05FF010EF001"
MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)


def get(*epcs: int, tid: int = 1, to: str = TO_METER) -> str:
    """Return a Get in hexadecimal."""
    return f"1081{tid:04X}{to}62{len(epcs):02X}" + "".join(f"{epc:02X}00" for epc in epcs)


def set_c(epc: int, edt: str, service: str = "61") -> str:
    """Return a SetC, or SetI, of one property in hexadecimal."""
    return f"10810002{TO_METER}{service}01{epc:02X}{len(edt) // 2:02X}{edt}"


async def edts(home: SimulatedHome, *frames: str) -> list[str]:
    """Join, send frames, and return of each answer what follows ESV, OPC and EPC: PDC and EDT of one property."""
    peer = await joined(home)
    return [(await answer(peer, home, frame))[26:] for frame in frames]


# The captured Release F meter, 2026-05-20 14:26; 8D is the reference's example, the real one is nobody's business.
CAPTURED = {
    0x80: "7201800130",
    0x81: "7201810161",
    0x82: "7201820400004600",
    0x83: "52018300",
    0x88: "7201880142",
    0x8A: "72018A03000016",
    0x8D: "72018D0C414231324333343536370000",
    0x97: "720197020E1A",
    0x98: "7201980407EA0514",
    0x9C: "52019C00",
    0x9D: "72019D0403808188",
    0x9E: "72019E040381E5ED",
    0x9F: "72019F111941414160404000624300414040430202",
    0xD3: "7201D30400000001",
    0xD7: "7201D70106",
    0xE0: "7201E0040000FE73",
    0xE7: "7201E70400000278",
    0xEA: "7201EA0B07EA05140E00000000FE68",
}


async def test_the_captured_meter_answers_byte_for_byte() -> None:
    fixed = datetime(2026, 5, 20, 14, tzinfo=JST)
    load = ScriptedLoad(2600)
    load.step(fixed + timedelta(minutes=26), 632)
    registers = Registers(load=load, initial_import=0xFE68, installed_at=fixed)
    with SimulatedHome(module="BP35A1", registers=registers, start=fixed + timedelta(minutes=26)) as home:
        peer = await joined(home)
        for epc, captured in CAPTURED.items():
            assert await answer(peer, home, get(epc)) == "1081000102880105FF01" + captured


@pytest.mark.parametrize(
    ("model", "readable", "settable"),
    [
        (RELEASE_F, "1941414160404000624300414040430202", "0381E5ED"),
        (OKINAWA, "1541414140404000624300414000020202", "0281E5"),
        (TWO_WIRE, "1941414160404000624300414040430202", "0381E5ED"),
        (NORMAL_ONLY, "1441414120004000624300410000030202", "0281E5"),
    ],
)
async def test_the_property_maps_are_those_of_the_model(model: MeterModel, readable: str, settable: str) -> None:
    coefficient = 1 if 0xD3 in model.readable else None
    with SimulatedHome(model=model, registers=Registers(load=ConstantLoad(0), coefficient=coefficient)) as home:
        assert [edt[2:] for edt in await edts(home, get(0x9F), get(0x9E))] == [readable, settable]


async def test_the_second_generation_has_its_own_properties() -> None:
    registers = Registers(load=ConstantLoad(600), installed_at=MIDNIGHT, initial_export=65)
    with SimulatedHome(model=RELEASE_R, registers=registers, start=MIDNIGHT + timedelta(hours=1)) as home:
        version, identification, minute = await edts(home, get(0x82), get(0xC0), get(0xD0))
        assert version == "0400005200"
        assert identification == "1000000016" + "00000000" + "001D129012345678"
        assert minute == "0F07EA0B15010000" + "00000006" + "00000041"


async def test_history_3_goes_back_by_minutes() -> None:
    registers = Registers(load=ConstantLoad(60_000), installed_at=MIDNIGHT)
    with SimulatedHome(model=RELEASE_R, registers=registers, start=MIDNIGHT + timedelta(hours=1)) as home:
        before, wrong, right, after = await edts(
            home, get(0xEE), set_c(0xEF, "07EA0B1500020B"), set_c(0xEF, "07EA0B15000203"), get(0xEE)
        )
        assert before == "0FFFFFFFFFFFFF01FFFFFFFEFFFFFFFE"
        assert wrong == "0707EA0B1500020B"
        assert right == "00"
        assert after == "1F07EA0B15000203" + "0000001400000000" + "0000000A00000000" + "0000000000000000"


async def test_a_two_wire_supply_has_no_t_current() -> None:
    with SimulatedHome(model=TWO_WIRE, load=ConstantLoad(400)) as home:
        assert await edts(home, get(0xE8)) == ["0400287FFE"]


async def test_export_is_negative_in_power_and_in_both_currents() -> None:
    with SimulatedHome(load=ConstantLoad(-1200, r_permille=675)) as home:
        assert await edts(home, get(0xE7), get(0xE8)) == ["04FFFFFB50", "04FFAFFFD9"]


async def test_without_a_value_the_meter_says_no_data() -> None:
    with SimulatedHome(load=ConstantLoad(400)) as home:
        home.meter.object.no_data |= {0xE0, 0xE3, 0xE7, 0xE8, 0xEA, 0xEB}
        fixed = "0B07EA0B15120000FFFFFFFE"
        assert await edts(home, *(get(epc) for epc in (0xE0, 0xE3, 0xE7, 0xE8, 0xEA, 0xEB))) == [
            "04FFFFFFFE",
            "04FFFFFFFE",
            "047FFFFFFE",
            "047FFE7FFE",
            fixed,
            fixed,
        ]


async def test_history_1_has_the_day_and_48_counts_of_the_day_that_was_set() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT - timedelta(days=2), initial_export=7)
    with SimulatedHome(registers=registers) as home:
        default, asked, day, normal, reverse = await edts(
            home, get(0xE2), set_c(0xE5, "01"), get(0xE5), get(0xE2), get(0xE4)
        )
        assert default == "C200FF" + "FFFFFFFE" * 48
        assert asked == "00"
        assert day == "0101"
        assert normal == "C20001" + "".join(f"{240 + 5 * slot:08X}" for slot in range(48))
        assert reverse == "C20001" + "00000007" * 48


async def test_future_slots_of_today_and_days_not_kept_are_empty() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT - timedelta(hours=12), history_days=3)
    start = MIDNIGHT + timedelta(hours=18, minutes=24)
    with SimulatedHome(registers=registers, start=start) as home:
        frames = [frame for day in (0, 1, 3, 4) for frame in (set_c(0xE5, f"{day:02X}"), get(0xE2))]
        today, yesterday, third, fourth = (await edts(home, *frames))[1::2]
        assert today == "C20000" + "".join(f"{120 + 5 * slot:08X}" for slot in range(37)) + "FFFFFFFE" * 11
        assert yesterday == "C20001" + "FFFFFFFE" * 24 + "".join(f"{5 * slot:08X}" for slot in range(24))
        assert third == "C20003" + "FFFFFFFE" * 48
        assert fourth == "C20004" + "FFFFFFFE" * 48


async def test_a_day_beyond_the_depth_of_the_history_is_empty_and_the_last_one_is_not() -> None:
    with SimulatedHome(registers=Registers(load=ConstantLoad(1000), history_days=44)) as home:
        frames = [frame for day in (44, 45) for frame in (set_c(0xE5, f"{day:02X}"), get(0xE2))]
        last, beyond = (await edts(home, *frames))[1::2]
        assert "FFFFFFFE" not in last
        assert beyond == "C2002D" + "FFFFFFFE" * 48


async def test_history_2_goes_back_by_half_hours_newest_first() -> None:
    load = ScriptedLoad(1200)
    load.step(MIDNIGHT + timedelta(hours=18), -200)
    start = MIDNIGHT + timedelta(hours=18, minutes=40)
    registers = Registers(load=load, installed_at=MIDNIGHT, initial_import=1000, initial_export=65)
    with SimulatedHome(registers=registers, start=start) as home:
        before, asked, repeated, after = await edts(
            home, get(0xEC), set_c(0xED, "07EA0B15121E02"), get(0xED), get(0xEC)
        )
        assert before == "0FFFFFFFFFFFFF01FFFFFFFEFFFFFFFE"
        assert asked == "00"
        assert repeated == "0707EA0B15121E02"
        assert after == "1707EA0B15121E02" + f"{1216:08X}{66:08X}" + f"{1216:08X}{65:08X}"


@pytest.mark.parametrize(
    ("epc", "edt"),
    [
        (0xE5, "64"),
        (0xE5, "0101"),
        (0xED, "07EA0B15121F02"),
        (0xED, "07EA0B15121E0D"),
        (0xED, "07EA0B15121E00"),
        (0xED, "07EA0D15121E02"),
        (0xED, "0001010105000C"),
        (0x97, "0E1A"),
        (0x81, "6161"),
    ],
)
async def test_a_value_that_cannot_be_set_comes_back_as_it_was_sent(epc: int, edt: str) -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        assert await answer(peer, home, set_c(epc, edt)) == f"1081000202880105FF015101{epc:02X}{len(edt) // 2:02X}{edt}"


async def test_set_without_answer_is_silent_when_it_succeeds_and_refused_by_50() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        silent = await request(peer, home, "108112340EF0010288016001E50102")
        assert not any(line.startswith("ERXUDP") for line in silent)
        assert await answer(peer, home, "108112340EF0010288016201E500") == "108112340288010EF0017201E50102"
        assert await answer(peer, home, set_c(0xE5, "64", "60")) == "1081000202880105FF015001E50164"


async def test_the_location_can_be_set_and_the_change_is_announced() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        payloads = [line.split(" ")[-1] for line in await request(peer, home, set_c(0x81, "48")) if "ERXUDP" in line]
        assert payloads == ["1081000202880105FF0171018100", "1081000102880105FF017301810148"]


async def test_set_and_get_in_one_sets_first() -> None:
    with SimulatedHome(registers=Registers(load=ConstantLoad(0))) as home:
        peer = await joined(home)
        right = await answer(peer, home, f"10810006{TO_METER}6E01E5010101E200")
        assert right == "1081000602880105FF017E01E50001E2C2" + "0001" + "00000000" * 48
        wrong = await answer(peer, home, f"10810007{TO_METER}6E01E5016402E5008300")
        assert wrong == "1081000702880105FF015E01E5016402E501018300"


async def test_a_partly_readable_request_is_answered_in_its_order_with_empty_places() -> None:
    with SimulatedHome(load=ConstantLoad(792)) as home:
        peer = await joined(home)
        assert await answer(peer, home, get(0xE7, 0xE9, 0x80)) == "1081000102880105FF015203E70400000318E900800130"


async def test_an_absent_coefficient_is_refused_as_captured_and_absent_from_the_map() -> None:
    with SimulatedHome(registers=Registers(load=ConstantLoad(0), coefficient=None)) as home:
        refused, readable = await edts(home, get(0xD3), get(0x9F))
        assert refused == "00"
        assert readable[2:4] == "18"
        assert bytes.fromhex(readable[4:])[3] == 0x40


async def test_a_coefficient_needs_a_model_that_has_it() -> None:
    registers = Registers(load=ConstantLoad(0), coefficient=40)
    with pytest.raises(ValueError, match="okinawa"):
        SimulatedHome(model=OKINAWA, registers=registers)


@pytest.mark.parametrize(
    ("over_limit", "payloads"),
    [
        (OverLimit.PARTIAL, ["1081000102880105FF015203800130" + "880142" + "8200"]),
        (OverLimit.REFUSE, ["1081000102880105FF015203800088008200"]),
        (OverLimit.SILENT, []),
    ],
)
async def test_too_many_properties_are_answered_in_part_refused_or_ignored(
    over_limit: OverLimit, payloads: list[str]
) -> None:
    with SimulatedHome() as home:
        home.faults.property_limit = 2
        home.faults.over_limit = over_limit
        peer = await joined(home)
        lines = await request(peer, home, get(0x80, 0x88, 0x82))
        assert [line.split(" ")[-1] for line in lines if line.startswith("ERXUDP")] == payloads
        assert (await answer(peer, home, get(0x80, 0x88)))[20:22] == "72"


async def test_six_properties_are_what_a_meter_takes() -> None:
    six = (0x80, 0x81, 0x82, 0x88, 0x8A, 0xD7)
    with SimulatedHome() as home:
        peer = await joined(home)
        assert (await answer(peer, home, get(*six)))[20:24] == "7206"
        assert (await answer(peer, home, get(*six, 0xE1))).endswith("D70106E100")
        home.meter.model = replace(RELEASE_F, max_opc=7)
        assert (await answer(peer, home, get(*six, 0xE1))).endswith("E10101")


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (get(0xD6, to=TO_PROFILE), "7201D60401028801"),
        (get(0xD3, 0xD4, 0xD7, to=TO_PROFILE), "7203D303000001D4020002D703010288"),
        (get(0x82, to=TO_PROFILE), "72018204010A0100"),
        (get(0x9F, to=TO_PROFILE), "72019F0C0B8082838A9D9E9FD3D4D6D7"),
        (get(0x80, to="05FF010EF000"), "7201800130"),
        (get(0x83, 0x8A, to=TO_PROFILE), "72028311FE0000160000000000001D1290123456788A03000016"),
        (f"10810001{TO_PROFILE}6301D500", "7301D50401028801"),
        (f"10810001{TO_PROFILE}6301D900", "5301D900"),
        (f"10810001{TO_PROFILE}6101800130", "510180" + "0130"),
    ],
)
async def test_the_node_profile_answers(frame: str, payload: str) -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        assert await answer(peer, home, frame) == "108100010EF00105FF01" + payload


@pytest.mark.parametrize(
    "frame",
    [
        "1081000105FF0101300162018000",
        "1082000105FF0102880162018000",
        "1081000105FF01028801620280",
        "1081000105FF0102880172018000",
        "1081000105FF0102880165018000",
        "10810001",
        "1081000105FF010288016E01E50101",
    ],
)
async def test_what_is_not_for_the_meter_or_no_frame_is_ignored(frame: str) -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        lines = await request(peer, home, frame)
        assert not any(line.startswith("ERXUDP") for line in lines)


async def test_a_plain_request_is_ignored() -> None:
    with SimulatedHome() as home:
        peer = await joined(home)
        peer.write(send_command(home, bytes.fromhex(get(0x80)), security=0))
        assert (await peer.settle(3)).count(b"\r\n") == 2


async def test_one_request_is_worked_on_at_a_time() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        home.meter.answer_s = (1.0, 1.0)
        peer = await joined(home)
        await request(peer, home, get(0xE7, tid=1), wait_s=0.5)
        await request(peer, home, get(0xE7, tid=2), wait_s=3)
        first, second = [answer for answer in home.meter.answers if answer.tid in (1, 2)]
        assert (second.at - first.at).total_seconds() == pytest.approx(1.0, abs=0.001)


async def test_more_than_four_requests_at_once_are_lost() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        home.meter.answer_s = (20.0, 20.0)
        peer = await joined(home)
        for tid in range(1, 7):
            await request(peer, home, get(0xE7, tid=tid), wait_s=1)
        await peer.settle(200)
        assert [answer.tid for answer in home.meter.answers if answer.esv == 0x72] == [1, 2, 3, 4]
        assert (await request(peer, home, get(0xE7, tid=7), wait_s=30))[-1].startswith("ERXUDP")


async def test_an_answer_takes_the_time_of_the_captures() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        peer = await joined(home)
        for _ in range(20):
            sent = home.clock.now()
            await request(peer, home, get(0xE7))
            lapse_s = (home.meter.answers[-1].at - sent).total_seconds()
            assert 0.3 + 0.11 <= lapse_s <= 1.3 + 0.36


async def test_a_long_answer_takes_its_time_on_the_air_and_on_the_line() -> None:
    with SimulatedHome(load=ConstantLoad(0)) as home:
        peer = await joined(home)
        start = home.clock.now() - timedelta(seconds=asyncio.get_running_loop().time())
        lines = await request(peer, home, get(0xE2))
        arrived = start + timedelta(seconds=peer.pieces[-1][0])
        lapse_s = (arrived - home.meter.answers[-1].at).total_seconds()
        assert lapse_s == pytest.approx(0.03 + 208 * 8 / 100_000 + (len(lines[-1]) + 2) * 10 / 115_200, abs=0.0001)


async def test_the_meters_clock_may_be_wrong_and_its_history_goes_by_it() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT - timedelta(days=1))
    start, offset = MIDNIGHT + timedelta(minutes=5), timedelta(minutes=-10)
    with SimulatedHome(registers=registers, start=start, clock_offset=offset) as home:
        time, date, fixed, _, day = await edts(home, get(0x97), get(0x98), get(0xEA), set_c(0xE5, "00"), get(0xE2))
        assert time == "021737"
        assert date == "0407EA0B14"
        assert fixed == "0B07EA0B14171E00" + f"{236:08X}"
        assert day[6:14] == f"{1:08X}"


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_reads_every_property_of_its_map(name: str) -> None:
    model = MODELS[name]
    coefficient = 1 if 0xD3 in model.readable else None
    with SimulatedHome(model=model, registers=Registers(load=ConstantLoad(500), coefficient=coefficient)) as home:
        peer = await joined(home)
        for epc in sorted(model.readable):
            assert (await answer(peer, home, get(epc)))[20:22] == "72"


async def test_the_fault_status_is_shown() -> None:
    with SimulatedHome() as home:
        home.meter.fault = True
        home.meter.operating = False
        assert await edts(home, get(0x88), get(0x80)) == ["0141", "0131"]


async def test_answers_of_a_meter_that_was_taken_off_the_wall_are_not_kept() -> None:
    with SimulatedHome() as home:
        assert await edts(home, get(0xE7))
        first = home.meter
        assert first.answers
        home.replace_meter()
        assert home.past_meters == [first]
        assert not first.answers
