"""Target: the payload of a datagram, against the simulator's reading of the same bytes."""

from collections.abc import Iterator

from custom_components.broute.aiobroute.echonet.frame import Eoj, Esv, Frame, Property
from custom_components.broute.aiobroute.exceptions import FrameError
from simulator import echonet as reference
from tests.captures import read

CAPTURES = (1, 4, 10, 12, 13, 14)
WORKED = (
    "1081000105FF010288016201E700",
    "1081000102880105FF017202E704000001F4E80400320014",
    "1081000505FF010288016E01E5010102E200E400",
    "1081000502880105FF015E00020000",
)


def check(data: bytes) -> None:
    """Break when a frame is not what the bytes say, or an error is not `FrameError`."""
    try:
        frame = Frame.from_bytes(data)
    except FrameError:
        assert not _is_frame(data)
        return
    whole = data[: len(data) - frame.surplus]
    assert frame.to_bytes() == whole
    assert Frame.from_bytes(whole) == frame
    assert Frame.from_bytes(whole).surplus == 0
    other = reference.Frame.from_bytes(data)
    assert (other.tid, other.seoj, other.deoj, other.esv) == (
        frame.tid,
        _number(frame.seoj),
        _number(frame.deoj),
        frame.esv,
    )
    for ours, theirs in ((frame.properties, other.properties), (frame.to_get, other.gets)):
        assert [(prop.epc, prop.edt) for prop in ours] == [(prop.epc, prop.edt) for prop in theirs]
    for prop in (*frame.properties, *frame.to_get):
        _hide(prop, str(frame))


def _is_frame(data: bytes) -> bool:
    """Tell whether the simulator takes it for a frame of a service that there is."""
    try:
        return reference.Frame.from_bytes(data).esv in set(Esv)
    except reference.FrameError:
        return False


def _number(eoj: Eoj) -> int:
    return int.from_bytes(eoj.to_bytes())


def _hide(prop: Property, shown: str) -> None:
    """Break when the data of a serial number are shown."""
    if prop.epc in {0x83, 0x8D, 0xC0} and prop.edt:
        data = f"{prop.epc:02X}={prop.edt.hex().upper()}"
        assert data not in shown
        assert data not in str(prop)
        assert repr(prop.edt) not in repr(prop)


def seeds() -> Iterator[bytes]:
    """Yield the frames of the captures, and of services that no capture has."""
    for number in CAPTURES:
        for step in read(number):
            if step.data is not None:
                yield step.data
            elif step.text.startswith("ERXUDP ") and (payload := step.text.split(" ")[-1]).startswith("1081"):
                yield bytes.fromhex(payload)
    yield from map(bytes.fromhex, WORKED)
