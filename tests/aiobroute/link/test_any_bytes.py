"""Whatever a module writes, and however it comes: the same events, nothing kept for long, nothing forged."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.aiobroute.link.skstack.codec import (
    MAX_HEADER,
    MAX_LINE,
    MAX_PAYLOAD,
    Decoder,
    Event,
    SkEvent,
    UdpReceived,
)

from .peer import Heard, dual_stack, identified, turn
from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS

FORMS = {"unknown": None, "hex": True, "binary": False}
ENDS = st.sampled_from([b"\r\n", b"\r", b"\n"])

WORDS = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"ERXUDP ",
    b"EVENT 26 FE80::1 0",
    b"EVENT 21 FE80::1 0 00",
    b"OK",
    b"FAIL ER10",
    b"EPANDESC",
    b"  Channel:21",
    b"SKSENDTO 1 ",
    b"0012 ",
    b"\x10\x81",
]
PAYLOADS = st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=12).map(b"".join)
"""Datagrams of somebody who knows how modules write."""

HEAD = f"ERXUDP {METER_ADDRESS} {OWN_ADDRESS} 0E1A 0E1A {METER_MAC}"
FLAGS = st.sampled_from([("0", False, None), ("1", True, None), ("1 0", True, None), ("2D 1 0", True, 0x2D)])


@st.composite
def datagrams(draw: st.DrawFn, *, binary: bool) -> tuple[bytes, UdpReceived]:
    """Make a datagram as a module writes it, and as it is read."""
    payload = draw(PAYLOADS)
    flags, secured, lqi = draw(FLAGS)
    ports = draw(st.sampled_from([(0x0E1A, 0x0E1A), (0x02CC, 0x02CC), (0x1234, 0x0E1A)]))
    head = HEAD.replace("0E1A 0E1A", f"{ports[0]:04X} {ports[1]:04X}") + f" {flags} {len(payload):04X} "
    written = payload if binary else payload.hex().upper().encode()
    received = UdpReceived(
        sender=METER_ADDRESS,
        mac=METER_MAC,
        remote_port=ports[0],
        local_port=ports[1],
        secured=secured,
        lqi=lqi,
        payload=b"" if 0x02CC in ports else payload,
    )
    return head.encode() + written + b"\r\n", received


GOOD_LINES = st.sampled_from(
    [
        b"OK",
        b"OK 01",
        b"FAIL ER05",
        b"EVENT 25 FE80::1 0",
        b"EVENT 21 FE80::1 0 02",
        b"EVENT 22",
        b"EPANDESC",
        b"  Channel:21",
        b"  Pan ID:8888",
        b"  Addr:001D129012345678",
        b"  LQI:E1",
        b"  PairID:CCDDEEFF",
        b"SKJOIN FE80:0000",
        b"EVER 1.5.2",
    ]
)
PIECES = (
    st.builds(bytes.__add__, GOOD_LINES, ENDS)
    | datagrams(binary=False).map(lambda pair: pair[0])
    | datagrams(binary=True).map(lambda pair: pair[0])
    | st.builds(lambda pair, cut: pair[0][:cut], datagrams(binary=True), st.integers(0, 200))
    | st.integers(0, 0xFFFF).map(lambda size: f"{HEAD} 1 {size:04X} ".encode())
    | st.sampled_from(WORDS)
    | st.binary(max_size=30)
    | st.builds(bytes.__mul__, st.sampled_from([b"x", b"A", b"\xff", b" "]), st.integers(900, 1500))
)
STREAMS = st.lists(PIECES, max_size=10).map(b"".join)


def decoder(hex_payload: bool | None) -> Decoder:
    made = Decoder()
    made.hex_payload = hex_payload
    return made


def chunks_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(0, 10_000), max_size=20)


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
@given(STREAMS, CUTS)
def test_the_same_bytes_say_the_same_however_they_are_cut(
    hex_payload: bool | None, stream: bytes, cuts: list[int]
) -> None:
    whole = decoder(hex_payload)
    events = list(whole.feed(stream))
    for chunks in (chunks_of(stream, cuts), [stream[i : i + 1] for i in range(len(stream))]):
        piecewise = decoder(hex_payload)
        assert [event for chunk in chunks for event in piecewise.feed(chunk)] == events
        assert piecewise.pending == whole.pending


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
@given(STREAMS, CUTS)
def test_no_more_than_a_datagram_is_ever_kept(hex_payload: bool | None, stream: bytes, cuts: list[int]) -> None:
    limit = max(2 * MAX_PAYLOAD, MAX_LINE, MAX_HEADER) + 1
    fed = decoder(hex_payload)
    for chunk in chunks_of(stream * 3, cuts):
        list(fed.feed(chunk))
        assert fed.pending <= limit


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
@given(STREAMS)
def test_after_any_noise_good_lines_are_read_again_soon(hex_payload: bool | None, noise: bytes) -> None:
    """At the worst the noise ended in a header of the longest datagram: its length is taken off what follows."""
    fed = decoder(hex_payload)
    list(fed.feed(noise + b"\r\n"))
    swallowed = 0
    while list(fed.feed(b"EVENT 25 FE80::1\r\n")) != [Event(0x25)]:
        swallowed += len(b"EVENT 25 FE80::1\r\n")
        assert swallowed <= 2 * MAX_PAYLOAD + MAX_HEADER
    assert list(fed.feed(b"EVENT 29 FE80::1\r\n")) == [Event(0x29)]


@pytest.mark.parametrize("told", [False, True], ids=["form unknown", "form known"])
@pytest.mark.parametrize("binary", [False, True], ids=["hex", "binary"])
@given(st.data())
def test_a_datagram_is_read_as_it_was_written_and_forges_nothing(binary: bool, told: bool, data: st.DataObject) -> None:
    pairs = data.draw(st.lists(datagrams(binary=binary), min_size=1, max_size=4))
    fed = decoder(not binary if told else None)
    stream = b"".join(written + b"EVENT 33 FE80::1 0\r\n" for written, _ in pairs)
    expected: list[SkEvent] = [event for _, received in pairs for event in (received, Event(0x33))]
    chunks = chunks_of(stream, data.draw(CUTS))
    assert [event for chunk in chunks for event in fed.feed(chunk)] == expected


POWER = bytes.fromhex("1081000102880105FF017201E704000001F4")


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("binary", [False, True], ids=["hex", "binary"])
async def test_a_byte_that_is_lost_anywhere_neither_stops_the_driver_nor_alters_a_datagram(binary: bool) -> None:
    peer = dual_stack(b"OK 00\r" if binary else b"OK 01\r")
    line = f"{HEAD} 1 0 0012 ".encode() + (POWER if binary else POWER.hex().upper().encode()) + b"\r\n"
    async with identified(peer) as link:
        heard = Heard(link)
        for lost in range(len(line)):
            heard.datagrams.clear()
            # A datagram that lost a byte may take the next one with it, and no more.
            peer.say(line[:lost] + line[lost + 1 :] + line + line)
            await turn()
            assert heard.payloads, f"the driver stopped at byte {lost}"
            assert set(heard.payloads) == {POWER}, f"byte {lost}"


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("binary", [False, True], ids=["hex", "binary"])
async def test_a_byte_that_is_changed_anywhere_does_not_stop_the_driver(binary: bool) -> None:
    peer = dual_stack(b"OK 00\r" if binary else b"OK 01\r")
    line = f"{HEAD} 1 0 0012 ".encode() + (POWER if binary else POWER.hex().upper().encode()) + b"\r\n"
    async with identified(peer) as link:
        heard = Heard(link)
        for changed in range(len(line)):
            for byte in (b"\xff", b" ", b"\r", b"0"):
                heard.datagrams.clear()
                peer.say(line[:changed] + byte + line[changed + 1 :])
                # The length may say anything now.
                peer.say(*(line for _ in range(20)))
                await turn()
                assert heard.payloads[-1:] == [POWER], f"the driver stopped at byte {changed}"
