"""Any properties of the meter as they came, decoded where they are known: for whoever helps with a strange meter.

Above: `SmartMeter`. Below: the properties.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .echonet import smart_meter
from .echonet.frame import Property
from .exceptions import PropertyError
from .properties import Answers, PropertyReader

MAX_RAW_PROPERTIES = 32
"""That is 6 requests to most meters, and one more for each history."""
EPCS = range(0x80, 0x100)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawProperty:
    """A property as the meter gave it.

    `edt`: its data; `None`: the meter does not give it. `name`: as the specification has it; `None`: the property is
    not known here. `value`: the data decoded; `None`: they mean "no data", or `error` says why they could not be.
    `is_private`: data and value may tell whose meter it is, and are not to be shown.
    """

    epc: int
    edt: bytes | None = field(repr=False)
    name: str | None
    value: object = field(repr=False)
    error: str | None
    is_private: bool


async def read_raw(properties: PropertyReader, epcs: Iterable[int]) -> list[RawProperty]:
    """Read properties in the background, the histories one by one, as they are large; return them as they were asked.

    Raises:
        ValueError: a code is that of no property, or there are none or more than `MAX_RAW_PROPERTIES`.
        BrouteError: the meter was not asked, or did not answer.
    """
    wanted = list(dict.fromkeys(epcs))
    if not 0 < len(wanted) <= MAX_RAW_PROPERTIES:
        raise ValueError(f"1 to {MAX_RAW_PROPERTIES} properties are read at once, not {len(wanted)}")
    if strange := [epc for epc in wanted if epc not in EPCS]:
        raise ValueError(f"The code of a property is {EPCS[0]:02X} to {EPCS[-1]:02X}, not {strange[0]:02X}")
    small = [epc for epc in wanted if epc not in smart_meter.HISTORIES]
    answers = await properties.get(small, background=True)
    for epc in wanted:
        if epc in smart_meter.HISTORIES:
            answers |= await properties.get([epc], background=True)
    return [_raw(epc, answers) for epc in wanted]


def _raw(epc: int, answers: Answers) -> RawProperty:
    edt = answers.edt(epc)
    codec = smart_meter.PROPERTIES.get(epc)
    value: object = None
    error: str | None = None
    if codec:
        try:
            value = codec.decode(edt)
        except PropertyError as err:
            error = str(err)
    elif not edt:
        error = f"{epc:02X}: the meter does not give it"
    return RawProperty(
        epc=epc,
        edt=edt or None,
        name=codec.name if codec else None,
        value=value,
        error=error,
        is_private=Property(epc, edt).is_private,
    )
