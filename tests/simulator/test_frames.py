"""The simulator's own codec of ECHONET Lite frames."""

from hypothesis import given, strategies as st
import pytest

from simulator.echonet import Frame, FrameError, Property, property_map

GET = bytes.fromhex("10811A2B05FF010288016202E700E800")
SET_GET = bytes.fromhex("1081000605FF010288016E01E5010101E200")

properties = st.lists(st.builds(Property, st.integers(0x80, 0xFF), st.binary(max_size=255)), max_size=6).map(tuple)


def test_a_frame_is_read_field_by_field() -> None:
    assert Frame.from_bytes(GET) == Frame(0x1A2B, 0x05FF01, 0x028801, 0x62, (Property(0xE7), Property(0xE8)))
    assert Frame.from_bytes(SET_GET).gets == (Property(0xE2),)
    assert Frame.from_bytes(SET_GET).epcs == (0xE5, 0xE2)


@pytest.mark.parametrize("whole", [GET, SET_GET])
def test_a_frame_that_runs_short_anywhere_is_refused(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(FrameError):
            Frame.from_bytes(whole[:length])


def test_a_frame_of_another_format_is_refused() -> None:
    with pytest.raises(FrameError):
        Frame.from_bytes(b"\x10\x82" + GET[2:])


def test_surplus_bytes_are_left_alone() -> None:
    assert Frame.from_bytes(GET + b"\0\0") == Frame.from_bytes(GET)


@given(st.sampled_from((0x62, 0x72, 0x73)), properties)
def test_what_is_written_is_read_back(esv: int, written: tuple[Property, ...]) -> None:
    frame = Frame(1, 0x028801, 0x05FF01, esv, written)
    assert Frame.from_bytes(frame.to_bytes()) == frame


@given(st.sets(st.integers(0x80, 0xFF)))
def test_a_property_map_is_a_list_below_16_properties_and_a_bitmap_from_there(epcs: set[int]) -> None:
    encoded = property_map(epcs)
    assert encoded[0] == len(epcs)
    if len(epcs) < 16:
        assert list(encoded[1:]) == sorted(epcs)
    else:
        bits = {(bit + 8) << 4 | column for column in range(16) for bit in range(8) if encoded[1 + column] >> bit & 1}
        assert bits == epcs
        assert len(encoded) == 17
