"""Target: what a module with ROHM's J11 firmware writes."""

from collections.abc import Iterator

from custom_components.broute.aiobroute.link.j11.codec import (
    HEADER_SIZE,
    MAX_FRAME,
    PANA_PORT,
    Decoder,
    J11Event,
    Started,
    UdpReceived,
    checksum,
)
from tests.captures import frames

from .streams import HEAD_SIZE, joined, pieces, split

MEND = 0x01
"""Choice: the checksums of all whole frames are put right, for a fuzzer hardly ever guesses one."""
CODE = bytes.fromhex("D0F9EE5D")
GOOD = bytes.fromhex("D0F9EE5D6019000403910000")
CAPTURES = (20, 22)


def check(data: bytes) -> None:
    """Break when the decoder says otherwise for other pieces, keeps too much, or does not find back."""
    if len(data) < HEAD_SIZE:
        return
    choice, size, stream = split(data)
    if choice & MEND:
        stream = _mended(stream)
    whole, piecewise = Decoder(), Decoder()
    events = list(whole.feed(stream))
    assert whole.pending < MAX_FRAME
    said: list[J11Event] = []
    for piece in pieces(stream, size):
        said += piecewise.feed(piece)
        assert piecewise.pending < MAX_FRAME
    assert said == events
    assert piecewise.pending == whole.pending
    for event in events:
        if isinstance(event, UdpReceived):
            assert len(event.payload) <= MAX_FRAME - HEADER_SIZE
            assert not (event.payload and PANA_PORT in (event.source_port, event.destination_port))
            assert repr(event.sender) not in repr(event)
    _find_back(whole)
    _give_up(piecewise)


def _find_back(decoder: Decoder) -> None:
    """Break when good frames are not read once the longest frame that the noise began is over."""
    swallowed = 0
    while list(decoder.feed(GOOD))[-1:] != [Started()]:
        swallowed += len(GOOD)
        assert swallowed <= MAX_FRAME + HEADER_SIZE
    assert list(decoder.feed(GOOD)) == [Started()]
    assert decoder.pending == 0


def _give_up(decoder: Decoder) -> None:
    """Break when a good frame is not read at once after what was unfinished is given up."""
    decoder.give_up()
    assert list(decoder.feed(GOOD)) == [Started()]


def _mended(stream: bytes) -> bytes:
    """Return the stream with right checksums wherever a frame seems to be."""
    mended = bytearray(stream)
    start = mended.find(CODE)
    while start >= 0 and start + HEADER_SIZE <= len(mended):
        mended[start + 8 : start + 10] = checksum(bytes(mended[start : start + 8]))
        end = start + 8 + int.from_bytes(mended[start + 6 : start + 8])
        if start + HEADER_SIZE <= end <= len(mended):
            mended[start + 10 : start + 12] = checksum(bytes(mended[start + HEADER_SIZE : end]))
        start = mended.find(CODE, max(end, start + len(CODE)))
    return bytes(mended)


def seeds() -> Iterator[bytes]:
    """Yield the frames of the captures, one by one and together."""
    for number in CAPTURES:
        said = [frame.data for frame in frames(number) if frame.side == "module"]
        for frame in said:
            yield joined(frame, choice=MEND)
        yield joined(b"".join(said), size=5)
    yield joined(GOOD[:7] + GOOD + b"noise" + GOOD[:-1], size=3, times=4)
    yield joined(CODE + bytes.fromhex("6018054D"), choice=MEND, size=9)
