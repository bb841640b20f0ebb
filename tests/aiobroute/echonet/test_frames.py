"""The frame, format 1: every service, both lists, and whatever ends too early."""

import pytest

from custom_components.broute.aiobroute.echonet.frame import (
    ANSWERS,
    CONTROLLER,
    NODE_PROFILE,
    PORT,
    SMART_METER,
    Eoj,
    Esv,
    Frame,
    Property,
)
from custom_components.broute.aiobroute.exceptions import BrouteError, FrameError

GET = "1081000105FF010288016201E700"
SET_GET = "1081000605FF010288016E01E5010101E200"

SERVICES = {
    0x60: "SET_I",
    0x61: "SET_C",
    0x62: "GET",
    0x63: "INF_REQ",
    0x6E: "SET_GET",
    0x71: "SET_RES",
    0x72: "GET_RES",
    0x73: "INF",
    0x74: "INFC",
    0x7A: "INFC_RES",
    0x7E: "SET_GET_RES",
    0x50: "SET_I_SNA",
    0x51: "SET_C_SNA",
    0x52: "GET_SNA",
    0x53: "INF_SNA",
    0x5E: "SET_GET_SNA",
}
TWO_LISTS = {0x6E, 0x7E, 0x5E}


def frame_of(code: int) -> bytes:
    """Return a frame of a service: a property with data and one without, and a second list where there is one."""
    second = "01 E2 02 0001" if code in TWO_LISTS else ""
    return bytes.fromhex(f"1081 1234 028801 05FF01 {code:02X} 02 E5 01 0B 9F 00 {second}")


def test_an_unknown_service_is_none() -> None:
    for code in set(range(0x100)) - set(SERVICES):
        with pytest.raises(FrameError, match=f"{code:02X}"):
            Frame.from_bytes(frame_of(code))


@pytest.mark.parametrize("code", SERVICES, ids=SERVICES.get)
def test_a_service_is_read_and_written_as_it_is(code: int) -> None:
    data = frame_of(code)
    frame = Frame.from_bytes(data)
    assert frame == Frame(
        tid=0x1234,
        seoj=Eoj(0x02, 0x88, 0x01),
        deoj=Eoj(0x05, 0xFF, 0x01),
        esv=Esv[SERVICES[code]],
        properties=(Property(0xE5, b"\x0b"), Property(0x9F)),
        to_get=(Property(0xE2, b"\x00\x01"),) if code in TWO_LISTS else (),
    )
    assert frame.esv.has_two_lists is (code in TWO_LISTS)
    assert frame.surplus == 0
    assert frame.to_bytes() == data


@pytest.mark.parametrize("code", SERVICES, ids=SERVICES.get)
def test_a_frame_that_ends_anywhere_too_early_is_none(code: int) -> None:
    data = frame_of(code)
    for length in range(len(data)):
        with pytest.raises(FrameError):
            Frame.from_bytes(data[:length])


@pytest.mark.parametrize("head", ["1082", "0081", "1181", "8110", "0000"])
def test_another_format_is_no_frame(head: str) -> None:
    with pytest.raises(FrameError, match="format 1"):
        Frame.from_bytes(bytes.fromhex(head + GET[4:]))


def test_an_error_of_a_frame_is_one_of_ours() -> None:
    assert issubclass(FrameError, BrouteError)


@pytest.mark.parametrize("data", [GET, SET_GET], ids=["one list", "two lists"])
def test_what_follows_a_frame_is_counted_and_no_part_of_it(data: str) -> None:
    frame = Frame.from_bytes(bytes.fromhex(data))
    for surplus in (1, 2, 10):
        longer = Frame.from_bytes(bytes.fromhex(data) + b"\x00" * surplus)
        assert longer.surplus == surplus
        assert longer == frame
        assert longer.to_bytes() == bytes.fromhex(data)


def test_a_property_that_claims_more_data_than_there_are_is_no_property() -> None:
    with pytest.raises(FrameError, match="E7"):
        Frame.from_bytes(bytes.fromhex("1081000102880105FF017201E704000001"))


def test_a_count_without_its_property_is_no_frame() -> None:
    with pytest.raises(FrameError, match="before a property"):
        Frame.from_bytes(bytes.fromhex("1081000102880105FF017202E70400000001"))
    with pytest.raises(FrameError, match="before a property"):
        Frame.from_bytes(bytes.fromhex("1081000102880105FF017201E7"))


def test_an_answer_without_properties_can_be_read() -> None:
    """Seen as ESV 52 with OPC 0."""
    frame = Frame.from_bytes(bytes.fromhex("1081000102880105FF015200"))
    assert (frame.esv, frame.properties, frame.surplus) == (Esv.GET_SNA, (), 0)


def test_a_second_list_that_is_missing_is_no_empty_list() -> None:
    one_list = bytes.fromhex("1081000605FF010288016E01E50101")
    with pytest.raises(FrameError, match="before a list"):
        Frame.from_bytes(one_list)
    assert Frame.from_bytes(one_list + b"\x00").to_get == ()


def test_the_longest_lists_and_data_are_written_and_no_longer_ones() -> None:
    def frame(count: int, size: int, esv: Esv = Esv.GET_RES) -> Frame:
        properties = (Property(0xE2, bytes(size)),) * count
        second = properties if esv.has_two_lists else ()
        return Frame(tid=1, seoj=SMART_METER, deoj=CONTROLLER, esv=esv, properties=properties, to_get=second)

    for esv in (Esv.GET_RES, Esv.SET_GET_RES):
        assert Frame.from_bytes(frame(255, 255, esv).to_bytes()) == frame(255, 255, esv)
        with pytest.raises(FrameError, match="255"):
            frame(256, 0, esv).to_bytes()
        with pytest.raises(FrameError, match="E2"):
            frame(1, 256, esv).to_bytes()


def test_a_second_list_where_there_is_none_is_not_left_out_in_silence() -> None:
    with pytest.raises(FrameError, match="one list"):
        Frame(tid=1, seoj=CONTROLLER, deoj=SMART_METER, esv=Esv.GET, properties=(), to_get=(Property(0xE2),)).to_bytes()


def test_a_frame_that_is_made_has_no_surplus() -> None:
    assert Frame(tid=1, seoj=CONTROLLER, deoj=SMART_METER, esv=Esv.GET, properties=()).surplus == 0


def test_the_epcs_of_a_frame_keep_their_order() -> None:
    frame = Frame.from_bytes(bytes.fromhex("1081000105FF010288016203E8009F00E700"))
    assert frame.epcs == (0xE8, 0x9F, 0xE7)


def test_the_objects_of_route_b_are_those_of_the_standard() -> None:
    assert CONTROLLER.to_bytes() == bytes.fromhex("05FF01")
    assert SMART_METER.to_bytes() == bytes.fromhex("028801")
    assert NODE_PROFILE.to_bytes() == bytes.fromhex("0EF001")
    assert PORT == 0x0E1A


def test_a_service_is_answered_by_those_of_the_standard() -> None:
    assert {int(request): {int(answer) for answer in found} for request, found in ANSWERS.items()} == {
        0x60: {0x50},
        0x61: {0x71, 0x51},
        0x62: {0x72, 0x52},
        0x63: {0x73, 0x53},
        0x6E: {0x7E, 0x5E},
        0x74: {0x7A},
    }


# Frames of the protocol reference, byte for byte.

WORKED = {
    "INFC of EA (1.3)": (
        "1081000902880105FF017401EA0B07EA0B15121E000001E240",
        (9, SMART_METER, CONTROLLER, Esv.INFC, ((0xEA, "07EA0B15121E000001E240"),)),
    ),
    "INFC_Res (1.3)": (
        "1081000905FF010288017A01EA00",
        (9, CONTROLLER, SMART_METER, Esv.INFC_RES, ((0xEA, ""),)),
    ),
    "Get_SNA of 83 (1.2)": (
        "1081000102880105FF0152018300",
        (1, SMART_METER, CONTROLLER, Esv.GET_SNA, ((0x83, ""),)),
    ),
    "announcement of a controller (1.6)": (
        "108100010EF0010EF0017301D5040105FF01",
        (1, NODE_PROFILE, NODE_PROFILE, Esv.INF, ((0xD5, "0105FF01"),)),
    ),
    "INF_REQ of the instance list (1.6)": (
        "1081000705FF010EF0016301D500",
        (7, CONTROLLER, NODE_PROFILE, Esv.INF_REQ, ((0xD5, ""),)),
    ),
    "Get of the maps (6.1)": (
        "1081000105FF01028801620482009D009E009F00",
        (1, CONTROLLER, SMART_METER, Esv.GET, ((0x82, ""), (0x9D, ""), (0x9E, ""), (0x9F, ""))),
    ),
    "Get of the constants (6.1)": (
        "1081000205FF010288016203D300D700E100",
        (2, CONTROLLER, SMART_METER, Esv.GET, ((0xD3, ""), (0xD7, ""), (0xE1, ""))),
    ),
    "Get of power and currents (6.1)": (
        "1081000305FF010288016202E700E800",
        (3, CONTROLLER, SMART_METER, Esv.GET, ((0xE7, ""), (0xE8, ""))),
    ),
    "SetC of the day (6.1)": (
        "1081000405FF010288016101E50101",
        (4, CONTROLLER, SMART_METER, Esv.SET_C, ((0xE5, "01"),)),
    ),
    "Set_Res of the day (6.1)": (
        "1081000402880105FF017101E500",
        (4, SMART_METER, CONTROLLER, Esv.SET_RES, ((0xE5, ""),)),
    ),
    "Get of EA and EB (4.6, F20)": (
        "1081000605FF010288016202EA00EB00",
        (6, CONTROLLER, SMART_METER, Esv.GET, ((0xEA, ""), (0xEB, ""))),
    ),
}


@pytest.mark.parametrize(("data", "fields"), WORKED.values(), ids=WORKED)
def test_a_worked_frame_is_byte_exact_both_ways(
    data: str, fields: tuple[int, Eoj, Eoj, Esv, tuple[tuple[int, str], ...]]
) -> None:
    tid, seoj, deoj, esv, properties = fields
    frame = Frame(
        tid=tid,
        seoj=seoj,
        deoj=deoj,
        esv=esv,
        properties=tuple(Property(epc, bytes.fromhex(edt)) for epc, edt in properties),
    )
    assert frame.to_bytes() == bytes.fromhex(data)
    assert Frame.from_bytes(bytes.fromhex(data)) == frame


def test_the_worked_set_get_has_two_lists() -> None:
    frame = Frame.from_bytes(bytes.fromhex(SET_GET))
    assert frame == Frame(
        tid=6,
        seoj=CONTROLLER,
        deoj=SMART_METER,
        esv=Esv.SET_GET,
        properties=(Property(0xE5, b"\x01"),),
        to_get=(Property(0xE2),),
    )
    assert frame.epcs == (0xE5,)
    assert frame.to_bytes().hex().upper() == SET_GET
