"""Whatever bytes come: a value or an error of ours, and what was encoded is decoded to the same."""

from datetime import datetime

from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.broute.aiobroute.echonet import node_profile, smart_meter
from custom_components.broute.aiobroute.echonet.frame import Eoj, Esv, Frame, Property
from custom_components.broute.aiobroute.echonet.property_map import decode_property_map, encode_property_map
from custom_components.broute.aiobroute.echonet.smart_meter import (
    IntervalChoice,
    encode_day,
    encode_interval_choice,
)
from custom_components.broute.aiobroute.echonet.values import JST
from custom_components.broute.aiobroute.exceptions import FrameError, PropertyError

BYTES = st.integers(0, 0xFF)
EOJS = st.builds(Eoj, BYTES, BYTES, BYTES)
PROPERTIES = st.lists(st.builds(Property, BYTES, st.binary(max_size=24) | st.binary(max_size=255)), max_size=8).map(
    tuple
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Make any frame that can be written."""
    esv = draw(st.sampled_from(Esv))
    return Frame(
        tid=draw(st.integers(0, 0xFFFF)),
        seoj=draw(EOJS),
        deoj=draw(EOJS),
        esv=esv,
        properties=draw(PROPERTIES),
        to_get=draw(PROPERTIES) if esv.has_two_lists else (),
    )


@given(frames(), st.binary(max_size=20))
def test_a_frame_is_decoded_as_it_was_encoded_whatever_follows(frame: Frame, surplus: bytes) -> None:
    decoded = Frame.from_bytes(frame.to_bytes() + surplus)
    assert decoded == frame
    assert decoded.surplus == len(surplus)


@given(frames(), st.data())
def test_a_frame_that_was_cut_is_none(frame: Frame, data: st.DataObject) -> None:
    encoded = frame.to_bytes()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(FrameError):
        Frame.from_bytes(encoded[:cut])


@given(st.binary(max_size=300) | st.binary(max_size=300).map(b"\x10\x81".__add__))
def test_any_bytes_are_a_frame_or_an_error_of_ours(data: bytes) -> None:
    try:
        frame = Frame.from_bytes(data)
    except FrameError:
        return
    assert frame.to_bytes() == data[: len(data) - frame.surplus]


@given(frames(), st.integers(0, 40), BYTES)
def test_a_damaged_frame_is_a_frame_or_an_error_of_ours(frame: Frame, position: int, byte: int) -> None:
    data = bytearray(frame.to_bytes())
    data[position % len(data)] = byte
    try:
        decoded = Frame.from_bytes(bytes(data))
    except FrameError:
        return
    assert decoded.to_bytes() == bytes(data)[: len(data) - decoded.surplus]


SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 11, 12, 15, 16, 17, 23, 103, 194]) | st.integers(0, 255)
"""The lengths that properties have, above all."""
MEANINGFUL = st.sampled_from([0x00, 0x01, 0x02, 0x1E, 0x30, 0x41, 0x7F, 0x80, 0xFE, 0xFF]) | BYTES
DATA = SIZES.flatmap(lambda size: st.lists(MEANINGFUL, min_size=size, max_size=size).map(bytes))

CODECS = (*smart_meter.PROPERTIES.values(), *node_profile.PROPERTIES)


@settings(max_examples=300)
@given(DATA)
@example(b"")
@example(b"\x00" * 255)
@example(b"\xff" * 255)
def test_any_data_of_any_property_are_a_value_or_an_error_of_ours(edt: bytes) -> None:
    for codec in CODECS:
        try:
            value = codec.decode(edt)
        except PropertyError as err:
            message = str(err)
            # The data may tell where somebody lives, and an error may be logged.
            assert len(edt) < 6 or edt.hex().upper() not in message
        else:
            assert value == codec.decode(edt)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_property_map_or_an_error_of_ours(edt: bytes) -> None:
    try:
        epcs = decode_property_map(edt)
    except PropertyError:
        return
    assert all(0x80 <= epc <= 0xFF for epc in epcs)


@given(st.sets(st.integers(0x80, 0xFF)))
@example(set(range(0x80, 0x8F)))
@example(set(range(0x80, 0x90)))
def test_a_property_map_is_decoded_as_it_was_encoded(epcs: set[int]) -> None:
    edt = encode_property_map(epcs)
    assert len(edt) == (len(epcs) + 1 if len(epcs) < 16 else 17)
    assert edt[0] == len(epcs)
    assert decode_property_map(edt) == epcs


@given(st.integers(0, 99))
def test_a_day_is_decoded_as_it_was_encoded(days_back: int) -> None:
    assert smart_meter.HISTORY_DAY.decode(encode_day(days_back)) == days_back


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.integers(1, 10))  # noqa: DTZ001 - the zone is added
def test_an_interval_is_decoded_as_it_was_encoded_to_the_minute(moment: datetime, count: int) -> None:
    at = moment.replace(tzinfo=JST)
    whole = at.replace(second=0, microsecond=0)
    assert smart_meter.ONE_MINUTE_CHOICE.decode(encode_interval_choice(at, count)) == IntervalChoice(whole, count)
