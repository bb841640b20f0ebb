"""The node profile object, 0EF001: what a node says of itself (protocol 1.6)."""

from ..exceptions import PropertyError
from . import super_class
from .frame import Eoj
from .values import PropertyCodec, check_length, code, raw, unsigned

MAX_INSTANCES = 84
MAX_CLASSES = 8


def _decode_version(edt: bytes) -> str:
    check_length(edt, 4)
    if not edt[2] & 0x03:
        raise PropertyError("no message format is announced")
    return f"{edt[0]}.{edt[1]}"


def _decode_eojs(edt: bytes) -> tuple[Eoj, ...]:
    """Decode a count and as many EOJs."""
    check_length(edt, 1 + 3 * unsigned(1, 0, MAX_INSTANCES)(edt[:1]))
    return tuple(Eoj.from_bytes(edt[start : start + 3]) for start in range(1, len(edt), 3))


def _decode_classes(edt: bytes) -> tuple[tuple[int, int], ...]:
    """Decode a count and as many pairs of class group and class code."""
    check_length(edt, 1 + 2 * unsigned(1, 0, MAX_CLASSES)(edt[:1]))
    return tuple((edt[start], edt[start + 1]) for start in range(1, len(edt), 2))


VERSION = PropertyCodec(0x82, "ECHONET Lite version", _decode_version)
UNIQUE_IDENTIFIER = PropertyCodec(0xBF, "unique identifier", raw(2))
INSTANCE_COUNT = PropertyCodec(0xD3, "number of instances", unsigned(3, 0, 0xFFFFFF))
CLASS_COUNT = PropertyCodec(0xD4, "number of classes", unsigned(2, 0, 0xFFFF))
INSTANCE_LIST_NOTIFICATION = PropertyCodec(0xD5, "instance list notification", _decode_eojs)
INSTANCE_LIST = PropertyCodec(0xD6, "self-node instance list", _decode_eojs)
CLASS_LIST = PropertyCodec(0xD7, "self-node class list", _decode_classes)

PROPERTIES: tuple[PropertyCodec[object], ...] = (
    PropertyCodec(0x80, "operating status", code({0x30: True, 0x31: False})),
    VERSION,
    super_class.IDENTIFICATION_NUMBER,
    super_class.FAULT_STATUS,
    super_class.FAULT_DESCRIPTION,
    super_class.MANUFACTURER_CODE,
    super_class.BUSINESS_FACILITY_CODE,
    super_class.PRODUCT_CODE,
    super_class.SERIAL_NUMBER,
    super_class.PRODUCTION_DATE,
    super_class.ANNOUNCEMENT_MAP,
    super_class.SET_MAP,
    super_class.GET_MAP,
    UNIQUE_IDENTIFIER,
    INSTANCE_COUNT,
    CLASS_COUNT,
    INSTANCE_LIST_NOTIFICATION,
    INSTANCE_LIST,
    CLASS_LIST,
)
