"""Frames, as the captures and the manual have them, and whatever else may come."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.aiobroute.link.base import Drop
from custom_components.broute.aiobroute.link.j11 import commands
from custom_components.broute.aiobroute.link.j11.codec import (
    MAX_FRAME,
    Answer,
    Beacon,
    BlockState,
    Change,
    ChannelScanned,
    ChecksumRefused,
    Command,
    ConnectionChanged,
    Decoder,
    Garbled,
    J11Event,
    NotReceived,
    PanaEnded,
    PanaResult,
    Started,
    Status,
    Transmission,
    UdpReceived,
    UnknownCommand,
    Version,
)
from tests.captures import frames

from .module import CREDENTIALS, METER_ADDRESS, METER_MAC, STARTED, datagram, frame, nobody, response


def decode(stream: bytes, *, bytewise: bool = False) -> list[J11Event]:
    decoder = Decoder()
    chunks = [bytes((byte,)) for byte in stream] if bytewise else [stream]
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def received(payload: str, rssi_dbm: int, sender: bytes = METER_ADDRESS) -> UdpReceived:
    return UdpReceived(
        sender=sender,
        source_port=3610,
        destination_port=3610,
        encrypted=True,
        rssi_dbm=rssi_dbm,
        payload=bytes.fromhex(payload),
    )


UNREADABLE = Garbled("a frame of a form that no module means")
UNASKED = Garbled("a notification of something that was not asked for", Drop.UNEXPECTED)
SPOILT = Garbled("a frame whose data were spoilt")
NOISE = Garbled("bytes that are no frame")

COUNTED = bytes(range(8))
"""The MAC that the author of capture 22 made up."""

SAID: dict[int, list[J11Event]] = {
    20: [
        Started(),
        Answer(Command.INITIALIZE, 1),
        Answer(Command.SET_CREDENTIALS, 1),
        ChannelScanned(()),
        ChannelScanned((Beacon(12, 0xBCDE, METER_MAC, -34),)),
        Answer(Command.SCAN, 1),
        Answer(Command.START_ROUTE_B, 1, Beacon(12, 0xBCDE, METER_MAC, -34)),
        Answer(Command.OPEN_UDP_PORT, 1),
        Answer(Command.START_PANA, 1),
        PanaEnded(PanaResult.SUCCEEDED),
        received("1081000102880105FF017301EA0B07DF081F151E0000000DAC", -34),
        Answer(Command.SEND, 1, Transmission(0, bytes.fromhex("1081000605"))),
        received("1081000602880105FF017202EA0B07E20A020E1E00000373AFEB0B07E20A020E1E0000016A72", -53),
    ],
    22: [
        Answer(Command.STATUS, 1, Status(started=False, route_b=BlockState.INACTIVE)),
        Answer(Command.INITIALIZE, 1),
        Answer(0x0101, 1),
        Answer(0x010A, 1),
        Answer(Command.OPEN_UDP_PORT, 1),
        Answer(0x0006, 1),
        Answer(Command.SEND, 2),
        Answer(Command.SEND, 1, Transmission(0x12, bytes.fromhex("ABCDEF"))),
        Answer(Command.SCAN, 1),
        ChannelScanned(()),
        ChannelScanned(
            (Beacon(12, 0xABCD, COUNTED, -34), Beacon(12, 0x1234, bytes.fromhex("0010203040506070"), -104)),
        ),
        Answer(Command.VERSION, 1, Version(0x0400, 1, 3, 0x158A)),
        UdpReceived(
            sender=bytes.fromhex("FE80000102030405060708090A0B0C0D"),
            source_port=0xABCD,
            destination_port=0x1234,
            encrypted=True,
            rssi_dbm=-34,
            payload=bytes.fromhex("98765432"),
        ),
        Started(),
        ConnectionChanged(Change.MAC_UP, COUNTED),
        PanaEnded(PanaResult.SUCCEEDED),
        Answer(0x0059, 1),
        Answer(Command.PAN_ID, 1, 0x0203),
        Answer(Command.SET_CREDENTIALS, 1),
        Answer(Command.START_ROUTE_B, 2),
        Answer(Command.START_ROUTE_B, 1, Beacon(8, 0xABCD, COUNTED, -34)),
        Answer(Command.START_PANA, 1),
        Answer(Command.END_PANA, 1),
        Answer(Command.END_ROUTE_B, 1),
        Answer(0x00D2, 1),
    ],
}


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("number", SAID)
def test_every_frame_of_a_capture_says_what_its_author_says(number: int, bytewise: bool) -> None:
    stream = b"".join(step.data for step in frames(number) if step.side == "module")
    assert decode(stream, bytewise=bytewise) == SAID[number]


def test_our_requests_are_those_of_the_makers_session() -> None:
    wanted = {step.label: step.data for step in frames(20) if step.side == "host"}
    payload = bytes.fromhex("1081000605FF010288016202EA00EB00")
    assert {
        "F1": commands.RESET.frame,
        "F3": commands.initialize().frame,
        "F5": commands.set_credentials(CREDENTIALS).frame,
        "F7": commands.active_scan(6, CREDENTIALS.pairing_id).frame,
        "F10": commands.initialize(12).frame,
        "F12": commands.START_ROUTE_B.frame,
        "F14": commands.open_port(3610).frame,
        "F16": commands.START_PANA.frame,
        "F20": commands.send_to(METER_ADDRESS, 3610, payload).frame,
    } == wanted


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (commands.STATUS, 0x0001),
        (commands.END_PANA, 0x0057),
        (commands.END_ROUTE_B, 0x0058),
        (commands.PAN_ID, 0x005E),
        (commands.VERSION, 0x006B),
    ],
)
def test_the_other_requests_have_no_data(request_: commands.Request, code: int) -> None:
    assert request_.frame == frame(code, unique_code=bytes.fromhex("D0EA83FC"))


def test_channels_are_counted_in_two_ways() -> None:
    """922.5 MHz is channel 33 and J11's 4; J11 has every second one of the others (protocol 4.2)."""
    assert [commands.own_channel(channel) for channel in (33, 35, 49, 59)] == [4, 5, 12, 17]
    assert [commands.own_channel(channel) for channel in (31, 34, 60, 61)] == [None] * 4
    assert all(commands.own_channel(commands.skstack_channel(channel)) == channel for channel in range(4, 18))


def test_a_request_shows_nothing_of_its_data() -> None:
    text = repr(commands.set_credentials(CREDENTIALS)) + repr(commands.active_scan(6, CREDENTIALS.pairing_id))
    assert CREDENTIALS.password not in text
    assert CREDENTIALS.pairing_id not in text


def test_what_is_received_shows_no_address_and_no_payload() -> None:
    shown = repr(decode(datagram() + frame(0x601A, b"\x03" + METER_MAC + b"\xde")) + SAID[20])
    for secret in (METER_MAC, METER_ADDRESS, b"\x10\x81", b"\xbc\xde"):
        assert repr(secret)[2:-1] not in shown
    assert str(0xBCDE) not in shown


@pytest.mark.parametrize(
    ("written", "event"),
    [
        (frame(0xFFFF), UnknownCommand()),
        (frame(0xFFFF, "03"), UnknownCommand()),
        (frame(0x2FFF, "F0"), ChecksumRefused()),
        (frame(0x2FFF, "F1"), ChecksumRefused()),
        (frame(0x2008, "F1"), Answer(Command.SEND, 0xF1)),
        (frame(0x6038, "01 FE80"), NotReceived(1)),
        (response("0001", 1, "03 03 01"), Answer(Command.STATUS, 1, Status(True, BlockState.AUTHENTICATED))),  # noqa: FBT003
        (frame(0x6028, "02" + METER_MAC.hex()), PanaEnded(PanaResult.FAILED)),
        (frame(0x6028, "03" + METER_MAC.hex()), PanaEnded(PanaResult.UNANSWERED)),
        (frame(0x60D1, "00"), UNASKED),
        (frame(0x4052, "00"), UNASKED),
    ],
)
def test_the_other_frames_of_the_manual_are_read(written: bytes, event: J11Event) -> None:
    assert decode(written) == [event]


@pytest.mark.parametrize("encryption", [(1, False), (2, True)])
def test_a_datagram_says_whether_it_was_encrypted(encryption: tuple[int, bool]) -> None:
    number, encrypted = encryption
    (event,) = decode(datagram(encryption=number))
    assert isinstance(event, UdpReceived)
    assert event.encrypted is encrypted


@pytest.mark.parametrize("ports", ["02CC 02CC", "02CC 0E1A", "0E1A 02CC"])
def test_the_payload_of_the_authentication_goes_no_further(ports: str) -> None:
    (event,) = decode(datagram(b"SM00112233445566778899AABBCCDDEEFF", ports=ports))
    assert isinstance(event, UdpReceived)
    assert event.payload == b""


@pytest.mark.parametrize(
    "written",
    [
        frame(0x2005),
        frame(0x2001, "01"),
        frame(0x2001, "01 03 04 01"),
        frame(0x2001, "01 03 03 01 00"),
        frame(0x2008, "01"),
        frame(0x2053, "01"),
        frame(0x2053, f"01 12 BCDE {METER_MAC.hex()} DE"),
        frame(0x2053, f"01 03 BCDE {METER_MAC.hex()} DE"),
        frame(0x2053, f"01 0C BCDE {METER_MAC.hex()}"),
        frame(0x205E, "01 BC"),
        frame(0x206B, "01 0400 01 03 000015"),
        frame(0x4051),
        frame(0x4051, "01"),
        frame(0x4051, "02 04"),
        frame(0x4051, "00 04"),
        frame(0x4051, "00 04 01"),
        frame(0x4051, f"00 12 01 {METER_MAC.hex()} BCDE DE"),
        frame(0x4051, f"00 0C 02 {METER_MAC.hex()} BCDE DE"),
        frame(0x4051, f"01 0C 01 {METER_MAC.hex()} BCDE DE"),
        frame(0x6018, METER_ADDRESS),
        frame(0x6018, METER_ADDRESS.hex() + "0E1A 0E1A BCDE 00 02 DE 0003 1081"),
        frame(0x6018, METER_ADDRESS.hex() + "0E1A 0E1A BCDE 00 02 DE 0001 1081"),
        datagram(encryption=0),
        datagram(encryption=3),
        frame(0x6019, "00"),
        frame(0x601A, "05" + METER_MAC.hex() + "DE"),
        frame(0x601A, "03" + METER_MAC.hex()),
        frame(0x601A),
        frame(0x6028, "00" + METER_MAC.hex()),
        frame(0x6028, "04" + METER_MAC.hex()),
        frame(0x6028, "01"),
        frame(0x6028),
        frame(0x6038),
    ],
)
def test_a_frame_that_no_module_means_is_dropped_alone(written: bytes) -> None:
    assert decode(written + STARTED) == [UNREADABLE, Started()]


# What is no frame.


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(
    "noise",
    [
        b"\0" * 100_000,
        b"\xff",
        b"\r\nSKVER\r\nEVER 1.5.2\r\nOK\r\n",
        b"\xd0",
        b"\xd0\xf9\xee",
        b"\xd0\xf9\xee\x5d",
        b"\xd0\xd0\xf9\xd0\xf9\xee",
        STARTED[:9],
        commands.VERSION.frame,
        frame(0x6019)[:8] + b"\0\0\0\0",
    ],
    ids=["NULs", "one byte", "text", "D0", "D0F9EE", "the code", "parts of the code", "cut", "an echo", "bad checksum"],
)
def test_noise_before_a_frame_is_dropped_and_told_once(noise: bytes, bytewise: bool) -> None:
    assert decode(noise + STARTED + nobody(4), bytewise=bytewise) == [NOISE, Started(), ChannelScanned(())]


def test_noise_between_frames_is_told_each_time() -> None:
    assert decode(b"x" + STARTED + b"y" + STARTED) == [NOISE, Started(), NOISE, Started()]


@pytest.mark.parametrize("length", [0, 3, MAX_FRAME - 7, 0xFFFF])
def test_a_frame_of_no_possible_length_is_not_waited_for(length: int) -> None:
    head = bytes.fromhex("D0F9EE5D6018") + length.to_bytes(2)
    event, *rest = decode(head + (sum(head) & 0xFFFF).to_bytes(2) + STARTED)
    assert isinstance(event, Garbled)
    assert event.drop is (Drop.OVERLONG if length > 3 else Drop.GARBLED)
    assert rest == [Started()]


def test_the_largest_frame_is_read() -> None:
    payload = bytes(MAX_FRAME - 39)
    written = datagram(payload)
    assert len(written) == MAX_FRAME
    (event,) = decode(written)
    assert isinstance(event, UdpReceived)
    assert event.payload == payload


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
def test_behind_a_spoilt_answer_the_next_frame_is_found_though_a_byte_was_lost(bytewise: bool) -> None:
    whole = response("0053", 1, f"0C BCDE {METER_MAC.hex()} DE")
    for lost in range(len(whole)):
        events = decode(whole[:lost] + whole[lost + 1 :] + STARTED, bytewise=bytewise)
        assert events[-1] == Started(), lost
        assert len(events) == 2, lost


FORGED = frame(0x6028, "01" + METER_MAC.hex()) + STARTED + datagram()


def test_what_a_payload_holds_is_no_frame() -> None:
    written = datagram(FORGED)
    assert [type(event) for event in decode(written + STARTED)] == [UdpReceived, Started]
    # Nor when a byte of it was changed on its way.
    for changed in range(12, len(written)):
        spoilt = written[:changed] + bytes((written[changed] ^ 0x01,)) + written[changed + 1 :]
        assert decode(spoilt + STARTED) == [SPOILT, Started()], changed


def test_what_is_given_up_leaves_nothing_behind() -> None:
    decoder = Decoder()
    assert list(decoder.feed(datagram()[:-1])) == []
    assert decoder.pending
    decoder.give_up()
    assert not decoder.pending
    assert list(decoder.feed(POWER_END + STARTED)) == [Started()]


POWER_END = b"\xf4"

PIECES = (
    st.sampled_from([step.data for number in SAID for step in frames(number)])
    | st.binary(max_size=40).map(datagram)
    | st.builds(lambda written, cut: written[:cut], st.sampled_from([datagram(FORGED), STARTED]), st.integers(0, 150))
    | st.sampled_from([b"\xd0", b"\xd0\xf9", b"\xd0\xf9\xee\x5d", b"\0" * 2000, FORGED])
    | st.binary(max_size=30)
    | st.builds(frame, st.integers(0, 0xFFFF), st.binary(max_size=40))
    | st.builds(
        lambda written, place: written[: place % len(written)] + b"\x55" + written[place % len(written) + 1 :],
        st.binary(max_size=40).map(datagram),
        st.integers(0, 200),
    )
    | st.integers(0, 0xFFFF).map(
        lambda length: frame(0x6018)[:6] + length.to_bytes(2) + (0x314 + 0x78 + sum(length.to_bytes(2))).to_bytes(2)
    )
)
STREAMS = st.lists(PIECES, max_size=10).map(b"".join)
CUTS = st.lists(st.integers(0, 10_000), max_size=20)


@given(STREAMS, CUTS)
def test_the_same_bytes_say_the_same_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    whole, piecewise = Decoder(), Decoder()
    events = list(whole.feed(stream))
    places = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    assert [event for start, end in pairwise(places) for event in piecewise.feed(stream[start:end])] == events
    assert piecewise.pending == whole.pending < MAX_FRAME
    assert decode(stream, bytewise=True) == events


@given(STREAMS)
def test_after_any_noise_frames_are_read_again_soon(noise: bytes) -> None:
    """At the worst the noise ended in the header of the longest frame: its length is taken off what follows."""
    decoder = Decoder()
    list(decoder.feed(noise))
    swallowed = 0
    while list(decoder.feed(STARTED))[-1:] != [Started()]:
        swallowed += len(STARTED)
        assert swallowed <= MAX_FRAME + len(STARTED)
    assert list(decoder.feed(nobody(4))) == [ChannelScanned(())]


@given(st.lists(st.lists(st.just(FORGED) | st.binary(max_size=8), max_size=6).map(b"".join), min_size=1, max_size=4))
def test_a_datagram_is_read_as_it_was_written_and_forges_nothing(payloads: list[bytes]) -> None:
    events = decode(b"".join(datagram(payload) + nobody(5) for payload in payloads))
    assert [event.payload for event in events if isinstance(event, UdpReceived)] == payloads
    assert events[1::2] == [ChannelScanned(())] * len(payloads)


def test_the_times_to_wait_are_those_of_the_manual() -> None:
    """Protocol 4.5: a second more than 35.8 s for a scan of duration 8, 2.6 s for 0053, 7.0 s for 0008."""
    assert commands.scan_time_s(6) == pytest.approx(14 * 0.61696)
    assert commands.active_scan(8, "CCDDEEFF").wait_s >= 35.8 + 1
    assert commands.START_ROUTE_B.wait_s == pytest.approx(2.6 + 1)
    assert commands.send_to(METER_ADDRESS, 3610, b"").wait_s == pytest.approx(7 + 1)
