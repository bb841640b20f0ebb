"""Property maps, both forms."""

import logging

import pytest

from custom_components.broute.aiobroute.echonet.property_map import decode_property_map, encode_property_map
from custom_components.broute.aiobroute.exceptions import PropertyError

CAPTURED = "1941414160404000624300414040430202"
CAPTURED_EPCS = bytes.fromhex("80 81 82 88 8A 8D 97 98 9D 9E 9F D3 D7 E0 E1 E2 E3 E4 E5 E7 E8 EA EB EC ED")
OKINAWA = "1541414140404000624300414000020202"
OKINAWA_EPCS = bytes.fromhex("80 81 82 88 8A 97 98 9D 9E 9F D7 E0 E1 E2 E3 E4 E5 E7 E8 EA EB")

MAPS = {
    "a captured bitmap": (CAPTURED, CAPTURED_EPCS),
    "the list of Okinawa Electric": (OKINAWA, OKINAWA_EPCS),
    "a captured announcement map": ("03808188", bytes.fromhex("808188")),
    "a captured set map": ("0381E5ED", bytes.fromhex("81E5ED")),
    "no property": ("00", b""),
    "one": ("01E7", b"\xe7"),
    "the longest list": ("0F" + bytes(range(0x80, 0x8F)).hex(), bytes(range(0x80, 0x8F))),
    "the shortest bitmap": ("10" + "01" * 16, bytes(range(0x80, 0x90))),
    "a bitmap of one column": ("10FFFF" + "00" * 14, bytes(range(0x80, 0x100, 0x10)) + bytes(range(0x81, 0x100, 0x10))),
    "every property": ("80" + "FF" * 16, bytes(range(0x80, 0x100))),
}


@pytest.mark.parametrize(("edt", "epcs"), MAPS.values(), ids=MAPS)
def test_a_map_names_its_properties_and_is_written_again_as_it_was(
    edt: str, epcs: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert decode_property_map(bytes.fromhex(edt)) == set(epcs)
    assert encode_property_map(epcs) == bytes.fromhex(edt)
    assert not caplog.records


def test_each_bit_of_a_bitmap_is_the_property_of_its_column_and_nibble() -> None:
    """Bit j of byte i is EPC ((j + 8) << 4) | i."""
    for epc in range(0x80, 0x100):
        edt = bytearray(17)
        edt[0] = 16
        edt[1 + (epc & 0x0F)] = 1 << ((epc >> 4) - 8)
        assert decode_property_map(bytes(edt)) == {epc}


@pytest.mark.parametrize("count", [16, 24, 26, 255])
def test_a_bitmap_whose_count_is_wrong_is_used_and_logged(count: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    edt = bytes((count,)) + bytes.fromhex(CAPTURED)[1:]
    assert decode_property_map(edt) == set(CAPTURED_EPCS)
    (record,) = caplog.records
    assert record.args == (count, 25)


def test_a_list_that_names_a_property_twice_is_used_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Protocol 1.5: the number of properties must be the count; a mismatch is logged."""
    caplog.set_level(logging.DEBUG)
    assert decode_property_map(bytes.fromhex("03808088")) == {0x80, 0x88}
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "edt",
    ["", "01", "0380", "038081", "0380818283", "0F80", "10", "10" + "01" * 15, "10" + "01" * 17, "0180" + "00" * 15],
)
def test_a_map_whose_length_fits_neither_form_is_an_error(edt: str) -> None:
    with pytest.raises(PropertyError):
        decode_property_map(bytes.fromhex(edt))


@pytest.mark.parametrize("code", [0x00, 0x7F])
def test_a_list_that_names_a_code_below_80_is_an_error(code: int) -> None:
    for epcs in ((0x80, code), (code, 0x80)):
        with pytest.raises(PropertyError, match="no property"):
            decode_property_map(bytes((2, *epcs)))
    assert decode_property_map(bytes((2, 0x80, 0xFF))) == {0x80, 0xFF}


def test_a_map_is_written_in_order_and_without_repetition() -> None:
    assert encode_property_map([0xE7, 0x80, 0xE7]) == bytes.fromhex("0280E7")


def test_sixteen_properties_are_a_bitmap_and_fifteen_a_list() -> None:
    assert len(encode_property_map(range(0xE0, 0xEF))) == 16
    assert encode_property_map(range(0xE0, 0xEF))[1:] == bytes(range(0xE0, 0xEF))
    assert encode_property_map(range(0xE0, 0xF0)) == b"\x10" + b"\x40" * 16
