"""Property maps: which EPCs an object announces, takes and gives (protocol 1.5)."""

from collections.abc import Iterable
import logging

from ..exceptions import PropertyError

_LOGGER = logging.getLogger(__name__)

_LIST_LIMIT = 16
"""From this many properties on the map is a bitmap."""


def decode_property_map(edt: bytes) -> frozenset[int]:
    """Decode either form.

    A map whose count is wrong is used as it is, and logged.

    Raises:
        PropertyError: the length fits neither form, or an EPC is below 80.
    """
    if not edt:
        raise PropertyError("The property map is empty")
    count = edt[0]
    if count < _LIST_LIMIT:
        if len(edt) != count + 1:
            raise PropertyError(f"A property map of {count} entries has {len(edt) - 1} bytes")
        if any(epc < 0x80 for epc in edt[1:]):
            raise PropertyError("The property map names a code that is no property")
        epcs = frozenset(edt[1:])
    elif len(edt) != _LIST_LIMIT + 1:
        raise PropertyError(f"A property bitmap has {len(edt) - 1} bytes")
    else:
        epcs = frozenset(
            ((bit + 8) << 4) | low for low, column in enumerate(edt[1:]) for bit in range(8) if column & (1 << bit)
        )
    if len(epcs) != count:
        _LOGGER.debug("A property map announces %d properties and names %d", count, len(epcs))
    return epcs


def encode_property_map(epcs: Iterable[int]) -> bytes:
    """Encode as a list below 16 properties, else as a bitmap."""
    ordered = sorted(set(epcs))
    if len(ordered) < _LIST_LIMIT:
        return bytes((len(ordered), *ordered))
    columns = bytearray(16)
    for epc in ordered:
        columns[epc & 0x0F] |= 1 << ((epc >> 4) - 8)
    return bytes((len(ordered),)) + bytes(columns)
