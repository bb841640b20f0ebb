"""Every property of the meter and of the node profile: what its data mean, and what they cannot be.

The tables are those of the protocol reference, 1.6 and 2.1 to 2.5.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from custom_components.broute.aiobroute.echonet import node_profile, smart_meter
from custom_components.broute.aiobroute.echonet.frame import Eoj
from custom_components.broute.aiobroute.echonet.smart_meter import (
    Counters,
    Currents,
    DayHistory,
    FixedTimeCounter,
    IntervalChoice,
    IntervalHistory,
    OneMinuteCounters,
    RouteBIdentification,
    encode_day,
    encode_interval_choice,
)
from custom_components.broute.aiobroute.echonet.super_class import (
    IdentificationNumber,
    InstallationLocation,
    OperatingTime,
    Place,
    StandardVersion,
)
from custom_components.broute.aiobroute.echonet.values import JST, PropertyCodec
from custom_components.broute.aiobroute.exceptions import (
    BrouteError,
    PropertyError,
    PropertyRefusedError,
    ValueOverflowError,
    ValueUnderflowError,
)

METER = smart_meter.PROPERTIES
NODE = {codec.epc: codec for codec in node_profile.PROPERTIES}

OVER = ValueOverflowError
UNDER = ValueUnderflowError
WRONG = PropertyError
NO_DATA = None


def jst(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=JST)  # type: ignore[arg-type,misc]


COUNTER: dict[str, int | type[PropertyError] | None] = {
    "00000000": 0,
    "00000001": 1,
    "05F5E0FF": 99_999_999,
    "05F5E100": WRONG,
    "7FFFFFFF": WRONG,
    "FFFFFFFD": WRONG,
    "FFFFFFFE": NO_DATA,
    "FFFFFFFF": OVER,
}
"""A counter: 0 to 99999999."""


def with_each_counter(head: str, make: Callable[[int | None], object]) -> list[tuple[str, object]]:
    return [(head + data, make(value) if isinstance(value, int | None) else value) for data, value in COUNTER.items()]


def fixed_time(counter: int | None) -> FixedTimeCounter:
    return FixedTimeCounter(jst(2026, 5, 20, 14, 0, 0), counter)


WRONG_DATE_TIMES = [
    "07EA0514180000",
    "07EA05140E3C00",
    "07EA05140E003C",
    "07EA0D140E0000",
    "07EA00140E0000",
    "07EA021E0E0000",
    "07EA05000E0000",
    "000005140E0000",
    "000101010E0000",
    "07CF0C1F173B00",
    "083401010E0000",
    "270F0C1F173B00",
    "FFFF05140E0000",
    "FFFFFFFFFFFF00",
    "07EAFFFFFFFFFF",
]
"""Hour 24, minute 60, second 60, month 13, month 0, 30 February, day 0, years that no meter can mean,
and two that are FF in part."""

DATES: list[tuple[str, object]] = [
    ("07EA0514", date(2026, 5, 20)),
    ("07E8021D", date(2024, 2, 29)),
    ("07D00101", date(2000, 1, 1)),
    ("08330C1F", date(2099, 12, 31)),
    ("00010101", WRONG),
    ("07CF0C1F", WRONG),
    ("08340101", WRONG),
    ("270F0C1F", WRONG),
    ("07EA021D", WRONG),
    ("07EA0D01", WRONG),
    ("07EA0001", WRONG),
    ("07EA0100", WRONG),
    ("00000101", WRONG),
    ("27100101", WRONG),
    ("FFFFFFFF", WRONG),
]

TEXTS: list[tuple[str, object]] = [
    ("414231324333343536370000", "AB12C34567"),
    ("303030303030303030303030", "000000000000"),
    ("414220202020202020202020", "AB"),
    ("41204200202020202020" + "0000", "A B"),
    ("00" * 12, ""),
    ("414200420000000000000000", WRONG),
    ("41420A000000000000000000", WRONG),
    ("41FF00000000000000000000", WRONG),
    ("E38182000000000000000000", WRONG),
]

MAPS: list[tuple[str, object]] = [
    ("03808188", {0x80, 0x81, 0x88}),
    ("00", frozenset()),
    ("10" + "01" * 16, set(range(0x80, 0x90))),
    ("02E7", WRONG),
    ("017F", WRONG),
]

IDENTIFICATION: list[tuple[str, object]] = [
    ("FEAB0016" + "0102030405060708090A0B0C0D", IdentificationNumber(0xAB0016, bytes(range(1, 14)))),
    ("FF000016" + "00" * 13, WRONG),
    ("00" * 17, WRONG),
]

FAULT: list[tuple[str, object]] = [("41", True), ("42", False), ("40", WRONG), ("43", WRONG), ("00", WRONG)]


def history(day: int | None, first: int | None) -> DayHistory:
    return DayHistory(day, (first,) + (0,) * 47)


DAY_HISTORY: list[tuple[str, object]] = [
    ("0000" + "00000000" * 48, history(0, 0)),
    ("0063" + "FFFFFFFE" + "00000000" * 47, history(99, None)),
    ("000B" + "0000F766" + "00000000" * 47, history(11, 63334)),
    ("00FF" + "FFFFFFFE" * 48, DayHistory(None, (None,) * 48)),
    ("0001" + "05F5E0FF" * 48, DayHistory(1, (99_999_999,) * 48)),
    ("0064" + "00000000" * 48, WRONG),
    ("0100" + "00000000" * 48, WRONG),
    ("FFFF" + "00000000" * 48, WRONG),
    ("00FE" + "00000000" * 48, WRONG),
    ("0000" + "00000000" * 47 + "05F5E100", WRONG),
    ("0000" + "00000000" * 47 + "FFFFFFFF", OVER),
]


def interval_choices(last: int) -> list[tuple[str, object]]:
    return [
        ("07EA0B15121E02", IntervalChoice(jst(2026, 11, 21, 18, 30), 2)),
        ("07EA0B15120001", IntervalChoice(jst(2026, 11, 21, 18, 0), 1)),
        (f"07EA0B151200{last:02X}", IntervalChoice(jst(2026, 11, 21, 18, 0), last)),
        ("FFFFFFFFFFFF01", IntervalChoice(None, 1)),
        ("07EA0B15121E00", WRONG),
        (f"07EA0B15121E{last + 1:02X}", WRONG),
        ("07EA0B15121EFF", WRONG),
        ("07EA0B15181E01", WRONG),
        ("07EA0B15123C01", WRONG),
        ("07EA0D15121E01", WRONG),
        ("07EAFFFFFFFF01", WRONG),
    ]


PAIR = "0001E24000000041"
PAIR_COUNTERS = Counters(123456, 65)


def interval_histories(last: int) -> list[tuple[str, object]]:
    at = jst(2026, 11, 21, 18, 30)
    return [
        (
            "07EA0B15121E02" + PAIR + "0001E23A00000041",
            IntervalHistory(at, (PAIR_COUNTERS, Counters(123450, 65))),
        ),
        (f"07EA0B15121E{last:02X}" + PAIR * last, IntervalHistory(at, (PAIR_COUNTERS,) * last)),
        ("FFFFFFFFFFFF01FFFFFFFEFFFFFFFE", IntervalHistory(None, (Counters(None, None),))),
        ("07EA0B15121E01" + "FFFFFFFE00000000", IntervalHistory(at, (Counters(None, 0),))),
        ("07EA0B15121E01" + "0000000005F5E0FF", IntervalHistory(at, (Counters(0, 99_999_999),))),
        ("07EA0B15121E01" + "05F5E10000000000", WRONG),
        ("07EA0B15121E01" + "0000000005F5E100", WRONG),
        ("07EA0B15121E01" + "00000000FFFFFFFF", OVER),
        ("07EA0B15121E00", WRONG),
        (f"07EA0B15121E{last + 1:02X}" + PAIR * (last + 1), WRONG),
        ("07EA0B15121E02" + PAIR, WRONG),
        ("07EA0B15121E01" + PAIR * 2, WRONG),
        ("07EA0B15121E01" + PAIR + "00", WRONG),
        ("07EA0B15121E01" + PAIR[:-2], WRONG),
        ("07EA0B15181E01" + PAIR, WRONG),
    ]


NOT_AT_A_HALF_HOUR: list[tuple[str, object]] = [("07EA0B15120101", WRONG), ("07EA0B15123B01", WRONG)]

METER_TABLE: dict[int, list[tuple[str, object]]] = {
    0x80: [("30", True), ("31", False), ("32", WRONG), ("00", WRONG), ("FF", WRONG)],
    0x81: [
        ("61", InstallationLocation(Place.GARDEN, 1, b"\x61")),
        ("08", InstallationLocation(Place.LIVING_ROOM, 0, b"\x08")),
        ("7F", InstallationLocation(Place.OTHER, 7, b"\x7f")),
        ("00", InstallationLocation(None, None, b"\x00")),
        ("07", InstallationLocation(None, None, b"\x07")),
        ("80", InstallationLocation(None, None, b"\x80")),
        ("FF", InstallationLocation(None, None, b"\xff")),
        ("01" + "11" * 16, InstallationLocation(None, None, b"\x01" + b"\x11" * 16)),
        ("61" + "11" * 16, WRONG),
    ],
    0x82: [
        ("00004600", StandardVersion("F", 0)),
        ("00005201", StandardVersion("R", 1)),
        ("00003000", WRONG),
        ("0000FF00", WRONG),
        ("00000000", WRONG),
    ],
    0x83: IDENTIFICATION,
    0x84: [("0000", 0), ("FFFD", 65533), ("FFFE", NO_DATA), ("FFFF", OVER)],
    0x85: [
        ("00000000", Decimal(0)),
        ("00000001", Decimal("0.001")),
        ("3B9AC9FF", Decimal("999999.999")),
        ("3B9ACA00", WRONG),
        ("FFFFFFFE", NO_DATA),
        ("FFFFFFFF", OVER),
    ],
    0x86: [("00", b"\x00"), ("FF" * 255, b"\xff" * 255)],
    0x87: [("00", 0), ("64", 100), ("65", WRONG), ("FF", WRONG)],
    0x88: FAULT,
    0x89: [("0000", 0), ("03FF", 0x3FF), ("FFFF", 0xFFFF)],
    0x8A: [("000000", 0), ("000016", 0x16), ("FFFFFF", 0xFFFFFF)],
    0x8B: [("000102", b"\x00\x01\x02")],
    0x8C: TEXTS,
    0x8D: TEXTS,
    0x8E: DATES,
    0x8F: [("41", True), ("42", False), ("40", WRONG)],
    0x93: [
        ("41", "not public"),
        ("42", "public"),
        ("61", "public, line normal"),
        ("62", "public, line faulty"),
        ("43", WRONG),
    ],
    0x97: [
        ("0E1A", time(14, 26, tzinfo=JST)),
        ("0000", time(0, 0, tzinfo=JST)),
        ("173B", time(23, 59, tzinfo=JST)),
        ("1800", WRONG),
        ("003C", WRONG),
        ("FFFF", WRONG),
    ],
    0x98: DATES,
    0x99: [("0000", 0), ("FFFF", 0xFFFF)],
    0x9A: [
        ("4100000000", OperatingTime(0, "s")),
        ("4200000001", OperatingTime(1, "min")),
        ("4300000100", OperatingTime(256, "h")),
        ("44FFFFFFFF", OperatingTime(0xFFFFFFFF, "d")),
        ("4000000000", WRONG),
        ("4500000000", WRONG),
    ],
    0x9D: MAPS,
    0x9E: MAPS,
    0x9F: MAPS,
    0xC0: [
        ("00AB0016" + "0102030405060708090A0B0C", RouteBIdentification(0xAB0016, bytes(range(1, 13)))),
        ("FE000016" + "00" * 12, WRONG),
        ("01000016" + "00" * 12, WRONG),
    ],
    0xD0: [
        (
            "07EA0B15122300" + "0001E24400000041",
            OneMinuteCounters(jst(2026, 11, 21, 18, 35, 0), Counters(123460, 65)),
        ),
        ("FF" * 7 + "FFFFFFFE" * 2, OneMinuteCounters(None, Counters(None, None))),
        *with_each_counter(
            "07EA0B1512230000000001",
            lambda counter: OneMinuteCounters(jst(2026, 11, 21, 18, 35, 0), Counters(1, counter)),
        ),
        *((head + "00000000" * 2, WRONG) for head in WRONG_DATE_TIMES),
        ("07EA0B15122300" + "FFFFFFFF" + "00000000", OVER),
        ("07EA0B15122300" + "05F5E100" + "00000000", WRONG),
    ],
    0xD3: [("00000000", 0), ("00000001", 1), ("000F423F", 999_999), ("000F4240", WRONG), ("FFFFFFFF", WRONG)],
    0xD7: [("00", WRONG), ("01", 1), ("06", 6), ("08", 8), ("09", WRONG), ("FF", WRONG)],
    0xE0: [("0000FE73", 65139), *with_each_counter("", lambda counter: counter)],
    0xE1: [
        ("00", Decimal(1)),
        ("01", Decimal("0.1")),
        ("02", Decimal("0.01")),
        ("03", Decimal("0.001")),
        ("04", Decimal("0.0001")),
        ("0A", Decimal(10)),
        ("0B", Decimal(100)),
        ("0C", Decimal(1000)),
        ("0D", Decimal(10000)),
        *((f"{unknown:02X}", WRONG) for unknown in (0x05, 0x09, 0x0E, 0x10, 0xFF)),
    ],
    0xE2: DAY_HISTORY,
    0xE3: with_each_counter("", lambda counter: counter),
    0xE4: DAY_HISTORY,
    0xE5: [("00", 0), ("01", 1), ("63", 99), ("FF", NO_DATA), ("64", WRONG), ("FE", WRONG)],
    0xE7: [
        ("00000278", 632),
        ("FFFFFB50", -1200),
        ("00000000", 0),
        ("FFFFFFFF", -1),
        ("FFFFFFFE", -2),
        ("7FFFFFFD", 2_147_483_645),
        ("80000001", -2_147_483_647),
        ("7FFFFFFE", NO_DATA),
        ("7FFFFFFF", OVER),
        ("80000000", UNDER),
    ],
    0xE8: [
        ("001E0032", Currents(Decimal("3.0"), Decimal("5.0"))),
        ("FFAFFFD9", Currents(Decimal("-8.1"), Decimal("-3.9"))),
        ("00287FFE", Currents(Decimal("4.0"), None)),
        ("7FFE0028", Currents(None, Decimal("4.0"))),
        ("7FFE7FFE", Currents(None, None)),
        ("7FFD8001", Currents(Decimal("3276.5"), Decimal("-3276.7"))),
        ("7FFF0000", OVER),
        ("00007FFF", OVER),
        ("80000000", UNDER),
        ("00008000", UNDER),
    ],
    0xEA: [
        ("07EA05140E00000000FE68", FixedTimeCounter(jst(2026, 5, 20, 14, 0, 0), 65128)),
        ("07E20A020E1E00000373AF", FixedTimeCounter(jst(2018, 10, 2, 14, 30, 0), 226223)),
        ("07EA0514173B3B00000001", FixedTimeCounter(jst(2026, 5, 20, 23, 59, 59), 1)),
        ("FF" * 7 + "FFFFFFFE", FixedTimeCounter(None, None)),
        *with_each_counter("07EA05140E0000", fixed_time),
        *((head + "00000001", WRONG) for head in WRONG_DATE_TIMES),
    ],
    0xEB: [
        ("07EA0518161E0000000016", FixedTimeCounter(jst(2026, 5, 24, 22, 30, 0), 22)),
        *with_each_counter("07EA05140E0000", fixed_time),
        *((head + "00000001", WRONG) for head in WRONG_DATE_TIMES),
    ],
    0xEC: [
        *interval_histories(12),
        *((data + PAIR, error) for data, error in NOT_AT_A_HALF_HOUR),
    ],
    0xED: [*interval_choices(12), *NOT_AT_A_HALF_HOUR],
    0xEE: [
        *interval_histories(10),
        ("07EA0B15123B01" + PAIR, IntervalHistory(jst(2026, 11, 21, 18, 59), (PAIR_COUNTERS,))),
    ],
    0xEF: [*interval_choices(10), ("07EA0B15123B01", IntervalChoice(jst(2026, 11, 21, 18, 59), 1))],
}

ONE_OBJECT = (Eoj(0x02, 0x88, 0x01),)

INSTANCES: list[tuple[str, object]] = [
    ("01028801", ONE_OBJECT),
    ("00", ()),
    ("0205FF01028801", (Eoj(0x05, 0xFF, 0x01), *ONE_OBJECT)),
    ("54" + "028801" * 84, ONE_OBJECT * 84),
    ("01", WRONG),
    ("010288", WRONG),
    ("0102880100", WRONG),
    ("02028801", WRONG),
    ("00028801", WRONG),
    ("FF028801", WRONG),
]

NODE_TABLE: dict[int, list[tuple[str, object]]] = {
    0x80: [("30", True), ("31", False), ("00", WRONG), ("32", WRONG)],
    0x82: [
        ("010D0100", "1.13"),
        ("010A0100", "1.10"),
        ("010E0300", "1.14"),
        ("010C0200", "1.12"),
        ("010A0000", WRONG),
        ("010A0400", WRONG),
    ],
    0x83: IDENTIFICATION,
    0x88: FAULT,
    0x89: [("0000", 0), ("03E8", 1000)],
    0x8A: [("000016", 0x16)],
    0x8B: [("000102", b"\x00\x01\x02")],
    0x8C: TEXTS,
    0x8D: TEXTS,
    0x8E: DATES,
    0x9D: MAPS,
    0x9E: MAPS,
    0x9F: MAPS,
    0xBF: [("8001", b"\x80\x01")],
    0xD3: [("000000", 0), ("000001", 1), ("FFFFFF", 0xFFFFFF)],
    0xD4: [("0000", 0), ("0002", 2), ("FFFF", 0xFFFF)],
    0xD5: INSTANCES,
    0xD6: INSTANCES,
    0xD7: [
        ("010288", ((0x02, 0x88),)),
        ("00", ()),
        ("0205FF0288", ((0x05, 0xFF), (0x02, 0x88))),
        ("08" + "0288" * 8, ((0x02, 0x88),) * 8),
        ("09" + "0288" * 9, WRONG),
        ("01", WRONG),
        ("0102", WRONG),
        ("01028800", WRONG),
        ("020288", WRONG),
    ],
}

LISTS = frozenset(range(1, 17)) | {17}
"""Every length that one of the two forms of a property map has."""

METER_SIZES: dict[int, frozenset[int]] = {
    **dict.fromkeys((0x80, 0x87, 0x88, 0x8F, 0x93, 0xD7, 0xE1, 0xE5), frozenset({1})),
    **dict.fromkeys((0x84, 0x89, 0x97, 0x99), frozenset({2})),
    **dict.fromkeys((0x8A, 0x8B), frozenset({3})),
    **dict.fromkeys((0x82, 0x85, 0x8E, 0x98, 0xD3, 0xE0, 0xE3, 0xE7, 0xE8), frozenset({4})),
    **dict.fromkeys((0xED, 0xEF), frozenset({7})),
    **dict.fromkeys((0xEA, 0xEB), frozenset({11})),
    **dict.fromkeys((0x8C, 0x8D), frozenset({12})),
    **dict.fromkeys((0xE2, 0xE4), frozenset({194})),
    **dict.fromkeys((0x9D, 0x9E, 0x9F), LISTS),
    0x81: frozenset({1, 17}),
    0x83: frozenset({17}),
    0x86: frozenset(range(1, 256)),
    0x9A: frozenset({5}),
    0xC0: frozenset({16}),
    0xD0: frozenset({15}),
    0xEC: frozenset(range(15, 104, 8)),
    0xEE: frozenset(range(15, 88, 8)),
}
NODE_SIZES: dict[int, frozenset[int]] = {
    **{epc: METER_SIZES[epc] for epc in (0x80, 0x82, 0x83, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x9D, 0x9E, 0x9F)},
    0xBF: frozenset({2}),
    0xD3: frozenset({3}),
    0xD4: frozenset({2}),
    0xD5: frozenset(range(1, 254, 3)),
    0xD6: frozenset(range(1, 254, 3)),
    0xD7: frozenset(range(1, 18, 2)),
}


def check(codec: PropertyCodec[Any], data: str, expected: object) -> None:
    edt = bytes.fromhex(data)
    if isinstance(expected, type):
        with pytest.raises(PropertyError) as raised:
            codec.decode(edt)
        assert type(raised.value) is expected, data
        assert str(codec) in str(raised.value)
    else:
        value = codec.decode(edt)
        assert value == expected, data
        # True is equal to 1, and 3.0 to Decimal(3): both would be another property.
        assert type(value) is type(expected) or isinstance(value, frozenset), data


@pytest.mark.parametrize("epc", METER_TABLE, ids=lambda epc: f"{epc:02X}")
def test_data_of_the_meter_mean_what_the_tables_say(epc: int) -> None:
    for data, expected in METER_TABLE[epc]:
        check(METER[epc], data, expected)


@pytest.mark.parametrize("epc", NODE_TABLE, ids=lambda epc: f"{epc:02X}")
def test_data_of_the_node_profile_mean_what_the_tables_say(epc: int) -> None:
    for data, expected in NODE_TABLE[epc]:
        check(NODE[epc], data, expected)


@pytest.mark.parametrize(("codecs", "sizes"), [(METER, METER_SIZES), (NODE, NODE_SIZES)], ids=["meter", "node profile"])
def test_data_of_any_other_length_are_an_error(
    codecs: dict[int, PropertyCodec[Any]], sizes: dict[int, frozenset[int]]
) -> None:
    for epc, codec in codecs.items():
        for size in set(range(1, 256)) - sizes[epc]:
            for byte in (0x00, 0x01, 0x30, 0x41, 0xFE, 0xFF):
                with pytest.raises(PropertyError) as raised:
                    codec.decode(bytes((byte,)) * size)
                assert type(raised.value) is PropertyError, f"{codec}: {size} x {byte:02X}"


@pytest.mark.parametrize("codecs", [METER, NODE], ids=["meter", "node profile"])
def test_no_data_at_all_are_a_refusal(codecs: dict[int, PropertyCodec[Any]]) -> None:
    """As Get_SNA names what it cannot give."""
    for codec in codecs.values():
        with pytest.raises(PropertyRefusedError) as raised:
            codec.decode(b"")
        assert str(codec) in str(raised.value)


def test_the_tables_here_are_whole() -> None:
    assert set(METER_TABLE) == set(METER) == set(METER_SIZES)
    assert set(NODE_TABLE) == set(NODE) == set(NODE_SIZES)
    assert len(NODE) == len(node_profile.PROPERTIES)
    # Protocol 2.1 and 2.2.
    assert set(METER) == {
        *range(0x80, 0x90),
        *(0x93, 0x97, 0x98, 0x99, 0x9A, 0x9D, 0x9E, 0x9F),
        *(0xC0, 0xD0, 0xD3, 0xD7),
        *(epc for epc in range(0xE0, 0xF0) if epc not in {0xE6, 0xE9}),
    }
    assert all(codec.epc == epc for epc, codec in METER.items())


def test_the_errors_of_a_property_are_of_one_family_and_ours() -> None:
    for error in (PropertyRefusedError, ValueOverflowError, ValueUnderflowError):
        assert issubclass(error, PropertyError)
    assert issubclass(PropertyError, BrouteError)


def test_every_place_has_its_code() -> None:
    """Protocol 2.1.1."""
    places = (
        *("living_room", "dining_room", "kitchen", "bathroom", "toilet", "washroom", "passage", "room", "stairway"),
        *("front_door", "storeroom", "garden", "garage", "balcony", "other"),
    )
    for code, place in enumerate(places, 1):
        for number in range(8):
            location = METER[0x81].decode(bytes((code << 3 | number,)))
            assert location == InstallationLocation(Place(place), number, bytes((code << 3 | number,)))


def test_a_release_is_written_as_the_specification_does() -> None:
    assert str(StandardVersion("F", 0)) == "F"
    assert str(StandardVersion("R", 1)) == "R.1"


def test_what_tells_a_household_apart_is_not_shown() -> None:
    shown = repr(
        [
            METER[0x81].decode(b"\x01" + b"\x35" * 16),
            METER[0x83].decode(b"\xfe\x00\x00\x16" + b"\x35" * 13),
            METER[0xC0].decode(b"\x00\x00\x00\x16" + b"\x35" * 12),
        ]
    )
    assert "55" not in shown
    assert "53" not in shown


def test_energies_and_currents_are_exact() -> None:
    for count in range(0, 32766, 111):
        currents = METER[0xE8].decode(count.to_bytes(2) * 2)
        assert isinstance(currents, Currents)
        assert currents.r_a is not None
        assert str(currents.r_a) == f"{count // 10}.{count % 10}"
    assert str(METER[0x85].decode(bytes.fromhex("00000BB9"))) == "3.001"


def test_the_meters_clock_is_nine_hours_ahead_of_utc() -> None:
    value = METER[0xEA].decode(bytes.fromhex("07EA05140000000000FE68"))
    assert isinstance(value, FixedTimeCounter)
    assert value.at is not None
    assert value.at.astimezone(UTC) == datetime(2026, 5, 19, 15, tzinfo=UTC)
    assert value.at.utcoffset() == timedelta(hours=9)


# Encoding.


def test_a_day_of_history_is_chosen_by_its_distance() -> None:
    assert encode_day(0) == b"\x00"
    assert encode_day(1) == b"\x01"
    assert encode_day(99) == b"\x63"
    for days_back in (-1, 100, 255, 256):
        with pytest.raises(ValueError, match="99"):
            encode_day(days_back)


def test_an_interval_is_chosen_by_the_meters_clock() -> None:
    at = jst(2026, 11, 21, 18, 30)
    for same in (at, at.astimezone(UTC), at.astimezone(timezone(timedelta(hours=-5)))):
        assert encode_interval_choice(same, 2) == bytes.fromhex("07EA0B15121E02")
    assert METER[0xED].decode(encode_interval_choice(at, 12)) == IntervalChoice(at, 12)
    assert METER[0xEF].decode(encode_interval_choice(at, 10)) == IntervalChoice(at, 10)
