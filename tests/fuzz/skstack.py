"""Target: what a module with SKSTACK-IP writes."""

from collections.abc import Iterator
from itertools import batched

from custom_components.broute.aiobroute.link.skstack.codec import (
    MAX_HEADER,
    MAX_LINE,
    MAX_PAYLOAD,
    PANA_PORT,
    Decoder,
    Event,
    SkEvent,
    UdpReceived,
)
from tests.captures import read

from .streams import HEAD_SIZE, joined, pieces, split

FORMS = (None, True, False)
"""How payloads are written: not known, in hexadecimal, in binary."""
MOST_PENDING = max(2 * MAX_PAYLOAD, MAX_LINE, MAX_HEADER) + 1
GOOD = b"EVENT 25 FE80::1 0\r\n"
MOST_SWALLOWED = 2 * MAX_PAYLOAD + MAX_HEADER
"""At the worst the noise ended in the head of the longest datagram."""

CAPTURES = (1, 2, 4, 5, 6, 10, 12, 13, 14, 18)
LINES_A_SEED = 12
BINARY = bytes.fromhex("1081000102880105FF017201E704000001F4")
HEAD = b"ERXUDP FE80::1 FE80::2 0E1A 0E1A 001D129012345678 "
WORKED = (
    HEAD + b"1 0012 " + BINARY + b"\r\n",
    HEAD + b"1 0 0012 " + BINARY + b"\r\n",
    HEAD + b"E1 1 0 0012 " + BINARY.hex().encode() + b"\r\n",
    HEAD + b"1 04D0 ",
    b"SKSENDTO 1 FE80::1 0E1A 1 0 000E ERXUDP FE80::1 \r\n",
    b"OK 01\rEVENT 21 FE80::1 0 02\r\nFAIL ER10\r\n",
    b"EPANDESC\r\n  Channel:21\r\n  Pan ID:8888\r\n  Addr:001D129012345678\r\n  LQI:E1\r\n  PairID:CCDDEEFF\r\nOK\r\n",
)


def check(data: bytes) -> None:
    """Break when the decoder says otherwise for other pieces, keeps too much, or does not find back."""
    if len(data) < HEAD_SIZE:
        return
    choice, size, stream = split(data)
    whole, piecewise = Decoder(), Decoder()
    whole.hex_payload = piecewise.hex_payload = FORMS[choice % len(FORMS)]
    events = list(whole.feed(stream))
    assert whole.pending <= MOST_PENDING
    said: list[SkEvent] = []
    for piece in pieces(stream, size):
        said += piecewise.feed(piece)
        assert piecewise.pending <= MOST_PENDING
    assert said == events
    assert piecewise.pending == whole.pending
    for event in events:
        if isinstance(event, UdpReceived):
            assert len(event.payload) <= MAX_PAYLOAD
            assert not (event.payload and PANA_PORT in (event.remote_port, event.local_port))
            assert event.mac not in repr(event)
    _find_back(whole)


def _find_back(decoder: Decoder) -> None:
    """Break when good lines are not read after the end of the line that was under way."""
    list(decoder.feed(b"\r\n"))
    swallowed = 0
    while list(decoder.feed(GOOD)) != [Event(0x25)]:
        swallowed += len(GOOD)
        assert swallowed <= MOST_SWALLOWED
    assert list(decoder.feed(GOOD)) == [Event(0x25)]
    assert decoder.pending == 0


def seeds() -> Iterator[bytes]:
    """Yield pieces of the captures, and lines that no capture has."""
    for number in CAPTURES:
        lines = [
            step.text.encode() + (b"\r" if step.lone_cr else b"\r\n") for step in read(number) if step.side == "module"
        ]
        for some in batched(lines, LINES_A_SEED, strict=False):
            yield joined(b"".join(some), size=7)
    for choice in range(len(FORMS)):
        for line in WORKED:
            yield joined(line, choice=choice)
            yield joined(line, choice=choice, size=200, times=5)
