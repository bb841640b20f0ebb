"""Target: the data of each property that a meter or its node profile has."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum

from custom_components.broute.aiobroute.echonet import node_profile, smart_meter
from custom_components.broute.aiobroute.echonet.frame import Frame
from custom_components.broute.aiobroute.echonet.property_map import decode_property_map, encode_property_map
from custom_components.broute.aiobroute.echonet.values import YEARS
from custom_components.broute.aiobroute.exceptions import FrameError, PropertyError

from . import frame

CODECS = (*smart_meter.PROPERTIES.values(), *node_profile.PROPERTIES)
MAPS = frozenset({0x9D, 0x9E, 0x9F})
MAX_PDC = 255


def check(data: bytes) -> None:
    """Break when a value is none that the property can have, or an error is not `PropertyError`."""
    if not data:
        return
    codec, edt = CODECS[data[0] % len(CODECS)], data[1 : 1 + MAX_PDC]
    try:
        value = codec.decode(edt)
    except PropertyError:
        return
    assert edt
    assert codec.decode(edt) == value
    _judge(value)
    if codec.epc in MAPS:
        epcs = decode_property_map(edt)
        assert epcs <= set(range(0x80, 0x100))
        assert decode_property_map(encode_property_map(epcs)) == epcs


def _judge(value: object) -> None:
    """Break when a value, or a part of it, is of no type that a property has, or cannot be used."""
    if is_dataclass(value):
        repr(value)
        for entry in fields(value):
            _judge(getattr(value, entry.name))
    elif isinstance(value, tuple | frozenset):
        for entry in value:
            _judge(entry)
    elif isinstance(value, Decimal):
        assert value.is_finite()
    elif isinstance(value, datetime | time):
        assert value.utcoffset() == timedelta(hours=9)
        assert not isinstance(value, datetime) or value.year in YEARS
    elif isinstance(value, str) and not isinstance(value, Enum):
        assert value.isprintable()
        assert value.isascii()
    else:
        assert value is None or isinstance(value, int | date | bytes | Enum)
        assert not isinstance(value, date) or value.year in YEARS


def seeds() -> Iterator[bytes]:
    """Yield what meters were seen to answer, and an example of the other properties."""
    for payload in frame.seeds():
        try:
            properties = Frame.from_bytes(payload).properties
        except FrameError:
            continue
        for prop in properties:
            for number, codec in enumerate(CODECS):
                if codec.epc == prop.epc:
                    yield bytes((number,)) + prop.edt
    at = bytes.fromhex("07EA0B15122D00")
    for number in range(len(CODECS)):
        for edt in (b"\x01", at[:4], at[3:5], at + bytes(4), at + bytes(8), at[:6] + b"\x01" + bytes(8), b"A" * 12):
            yield bytes((number,)) + edt
