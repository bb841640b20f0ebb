"""The decoder at the edges that no capture has: limits, cuts, noise, and payloads that look like something else."""

import pytest

from custom_components.broute.aiobroute.link.base import Drop, Network
from custom_components.broute.aiobroute.link.skstack.codec import (
    MAX_LINE,
    MAX_PAYLOAD,
    Decoder,
    Event,
    Fail,
    Garbled,
    Line,
    Ok,
    PanDescription,
    SkEvent,
    UdpReceived,
)

from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS

FORMS = {"unknown": None, "hex": True, "binary": False}


def decode(stream: bytes, *, hex_payload: bool | None = None, bytewise: bool = False) -> list[SkEvent]:
    decoder = Decoder()
    decoder.hex_payload = hex_payload
    chunks = [bytes((byte,)) for byte in stream] if bytewise else [stream]
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def header(size: int, *, sender: str = METER_ADDRESS, mac: str = METER_MAC, flags: str = "1 0") -> bytes:
    return f"ERXUDP {sender} {OWN_ADDRESS} 0E1A 0E1A {mac} {flags} {size:04X} ".encode("ascii")


def datagram(payload: bytes, *, binary: bool) -> bytes:
    written = payload if binary else payload.hex().upper().encode("ascii")
    return header(len(payload)) + written + b"\r\n"


def received(payload: bytes) -> UdpReceived:
    return UdpReceived(
        sender=METER_ADDRESS,
        mac=METER_MAC,
        remote_port=3610,
        local_port=3610,
        secured=True,
        lqi=None,
        payload=payload,
    )


# Lines.


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"OK", Ok()),
        (b" OK ", Ok()),
        (b"OK 01", Ok("01")),
        (b"OK 8a", Ok("8a")),
        (b"OK 1", Line("OK 1")),
        (b"OK 001", Line("OK 001")),
        (b"OKAY", Line("OKAY")),
        (b"FAIL", Fail(None)),
        (b"FAIL ER04", Fail("ER04")),
        (b"FAIL ERxx", Line("FAIL ERxx")),
        (b"FAILED", Line("FAILED")),
        (b"EVER 1.5.2", Line("EVER 1.5.2")),
        (b"EVENT 25 FE80::1", Event(0x25)),
        (b"EVENT 25 FE80::1 0", Event(0x25)),
        (b"EVENT C0", Event(0xC0)),
        (b"EVENT c0", Event(0xC0)),
        (b"EVENT 22", Event(0x22)),
        (b"EVENT 21 FE80::1 02", Event(0x21, 2)),
        (b"EVENT 21 FE80::1 0 02", Event(0x21, 2)),
        (b"EVENT 21 FE80::1 1 00", Event(0x21, 0)),
    ],
    ids=repr,
)
def test_a_line_is_told_by_its_form(line: bytes, event: SkEvent) -> None:
    for end in (b"\r\n", b"\r", b"\n", b"\r\r\n", b"\n\n"):
        for bytewise in (False, True):
            assert decode(line + end, bytewise=bytewise) == [event]


@pytest.mark.parametrize(
    "line",
    [
        b"EVENT",
        b"EVENT ",
        b"EVENT 25",
        b"EVENT 2",
        b"EVENT 255 FE80::1",
        b"EVENT 25FE80::1",
        b"EVENT 25 meter",
        b"EVENT 21",
        b"EVENT 21 00",
        b"EVENT 21 FE80::1",
        b"EVENT 21 FE80::1 0",
        b"EVENT 21 FE80::1 0 0",
        b"EVENT 21 FE80::1 0 000",
        b"EVENTS",
        b"ERXUDP",
        b"ERXUDPX",
        b"ERXUDP ",
        b"ERXUDP FE80::1",
        header(4).replace(b" 0004", b" 004") + b"00000000",
        header(4).replace(b" 0004", b" 00004") + b"00000000",
        header(4).replace(b" 0004", b" 000G") + b"00000000",
        header(4).replace(b" 1 0 ", b" 1 0 0 0 ") + b"00000000",
        header(4).replace(b" 1 0 ", b" ") + b"00000000",
        header(4).replace(b" 1 0 ", b" 100 0 ") + b"00000000",
        header(4).replace(b"0E1A", b"E1A") + b"00000000",
        header(4).replace(METER_MAC.encode(), b"001D1290123") + b"00000000",
        header(4).replace(METER_MAC.encode(), b"001D1290123456789") + b"00000000",
        header(4).strip(),
        b"OK\x00",
        b"caf\xc3\xa9",
        b"\x00",
        b"a\tb",
        b"\xff" * 20,
        b"  Channel:21",
        b" LQI:E1",
    ],
    ids=repr,
)
def test_a_line_that_cannot_be_read_is_dropped_and_nothing_with_it(line: bytes) -> None:
    for hex_payload in (None, True):
        for bytewise in (False, True):
            events = decode(line + b"\r\nOK\r\n", hex_payload=hex_payload, bytewise=bytewise)
            assert [type(event) for event in events] == [Garbled, Ok]


def test_empty_lines_are_nothing() -> None:
    assert decode(b"\r\n\r\n\r\r\n\n   \r\n") == []


def test_an_event_is_found_within_an_echo_and_behind_noise() -> None:
    event = f"EVENT 25 {METER_ADDRESS} 0\r\n".encode()
    assert decode(b"SKSEND" + event) == [Line("SKSEND"), Event(0x25)]
    assert decode(b"SKJOIN FE80:" + event + b"0000\r\n") == [Line("SKJOIN FE80:"), Event(0x25), Line("0000")]
    assert decode(b"\xff\xfe" + event) == [Garbled("a line with bytes that are no text"), Event(0x25)]
    assert decode(b"OK" + event) == [Ok(), Event(0x25)]
    assert decode(b"S" + event) == [Line("S"), Event(0x25)]


def test_a_datagram_is_found_within_an_echo_and_behind_noise() -> None:
    line = datagram(b"\x10\x81", binary=False)
    assert decode(b"SKSENDTO 1 FE80" + line) == [Line("SKSENDTO 1 FE80"), received(b"\x10\x81")]
    assert decode(b"\xff" + line) == [Garbled("a line with bytes that are no text"), received(b"\x10\x81")]
    assert decode(b"OK" + line + b"OK\r\n") == [Ok(), received(b"\x10\x81"), Ok()]


def test_a_lone_cr_does_not_join_two_answers() -> None:
    """As ROPT answers; a reader that waits for LF takes both lines for one."""
    assert decode(b"ROPT\rOK 01\rEVENT 22\r\nOK\r") == [Line("ROPT"), Ok("01"), Event(0x22), Ok()]


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_line_may_be_long_and_no_longer(bytewise: bool) -> None:
    assert decode(b"x" * MAX_LINE + b"\r\nOK\r\n", bytewise=bytewise) == [Line("x" * MAX_LINE), Ok()]
    for surplus in (1, 2, 5000):
        stream = b"x" * (MAX_LINE + surplus) + b"\r\nOK\r\n"
        assert decode(stream, bytewise=bytewise) == [Garbled("a line that is too long", Drop.OVERLONG), Ok()]


def test_a_datagram_behind_noise_without_end_is_the_same_however_its_bytes_come() -> None:
    stream = b"x" * (MAX_LINE + 1) + datagram(b"\x10\x81", binary=False) + b"OK\r\n"
    assert decode(stream) == decode(stream, bytewise=True)


def test_what_is_too_long_is_not_kept() -> None:
    decoder = Decoder()
    assert list(decoder.feed(b"x" * 100_000)) == [Garbled("a line that is too long", Drop.OVERLONG)]
    assert decoder.pending == 0
    for _ in range(100):
        assert list(decoder.feed(b"y" * 1000)) == []
        assert decoder.pending == 0
    assert list(decoder.feed(b"\r\nOK\r\n")) == [Ok()]


def test_a_header_without_end_is_not_kept() -> None:
    decoder = Decoder()
    stream = b"ERXUDP " + b"0" * 10_000
    events = [event for byte in stream for event in decoder.feed(bytes((byte,)))]
    assert [type(event) for event in events] == [Garbled]
    assert decoder.pending == 0


def test_a_decoder_that_was_reset_begins_a_line() -> None:
    decoder = Decoder()
    for unfinished in (
        b"half a line",
        b"ERXUDP FE80",
        header(0x20) + b"00",
        b"x" * 2000,
        b"EPANDESC\r\n  Channel:21\r\n",
    ):
        list(decoder.feed(unfinished))
        decoder.reset()
        assert decoder.pending == 0
        assert list(decoder.feed(b"OK\r\n")) == [Ok()]


def test_a_decoder_that_gives_a_line_up_tells_what_was_lost_and_begins_the_next() -> None:
    decoder = Decoder()
    assert decoder.give_up() is None
    for unfinished in (b"half a line", b"ERXUDP FE80", header(0x20), header(0x20) + b"00", b"EVENT 25 FE80::1 0"):
        assert not list(decoder.feed(unfinished))
        assert decoder.unfinished
        assert decoder.give_up() == Garbled("a line without an end")
        assert (decoder.pending, decoder.unfinished) == (0, False)
        assert list(decoder.feed(b"OK\r\n")) == [Ok()]


def test_what_was_told_to_be_lost_is_not_told_again_when_it_is_given_up() -> None:
    decoder = Decoder()
    decoder.hex_payload = True
    assert [type(event) for event in decoder.feed(header(2) + b"1081FF")] == [Garbled]
    assert decoder.unfinished
    assert decoder.give_up() is None
    # It is not dropped with what was behind the other.
    assert list(decoder.feed(b"OK\r\n")) == [Ok()]


def test_a_line_that_is_given_up_takes_no_description_with_it() -> None:
    decoder = Decoder()
    list(decoder.feed(block(ROWS) + b"EVE"))
    decoder.give_up()
    assert list(decoder.feed(b"EVENT 22\r\n")) == [PanDescription(NETWORK), Event(0x22)]


def test_a_reset_keeps_what_is_known_of_the_payloads() -> None:
    decoder = Decoder()
    decoder.hex_payload = False
    decoder.reset()
    assert list(decoder.feed(datagram(b"AB", binary=True))) == [received(b"AB")]


# Datagrams.


def test_the_longest_datagram_is_that_of_the_manual() -> None:
    """Protocol 3.6."""
    assert MAX_PAYLOAD == 0x04D0


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("size", [0, 1, 2, 208, MAX_PAYLOAD])
@pytest.mark.parametrize(("hex_payload", "binary"), [(None, False), (True, False), (None, True), (False, True)])
def test_a_datagram_of_any_size_is_read(size: int, hex_payload: bool | None, binary: bool, bytewise: bool) -> None:
    payload = bytes(index & 0xFF for index in range(size))
    stream = datagram(payload, binary=binary) + b"OK\r\n"
    assert decode(stream, hex_payload=hex_payload, bytewise=bytewise) == [received(payload), Ok()]


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("bytewise", [False, True])
def test_an_empty_datagram_does_not_depend_on_what_follows(bytewise: bool, hex_payload: bool | None) -> None:
    for end in (b"\r\n", b"\r", b"\n"):
        for following in (b"OK\r\n", b"OK\r", b"OK\n"):
            events = decode(header(0) + end + following, hex_payload=hex_payload, bytewise=bytewise)
            assert events == [received(b""), Ok()], (end, following)


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
def test_a_datagram_that_says_it_is_longer_than_any_is_dropped(hex_payload: bool | None) -> None:
    for size in (MAX_PAYLOAD + 1, 0xFFFF):
        stream = header(size) + b"00" * 10 + b"\r\nOK\r\n"
        events = decode(stream, hex_payload=hex_payload)
        assert events == [Garbled("a datagram that is too long", Drop.OVERLONG), Ok()]


def test_hex_is_read_in_either_case_and_addresses_are_given_in_one() -> None:
    line = datagram(bytes.fromhex("ABCDEF"), binary=False)
    expected = [received(bytes.fromhex("ABCDEF"))]
    assert decode(line.replace(b"ABCDEF\r", b"abcdef\r")) == expected
    assert decode(line.lower().replace(b"erxudp", b"ERXUDP")) == expected


@pytest.mark.parametrize("digits", [b"108", b"10810", b"1081 ", b"108G", b"10810000", b"1081OK"], ids=repr)
def test_hex_of_another_length_than_it_says_is_dropped(digits: bytes) -> None:
    for hex_payload in (None, True):
        for bytewise in (False, True):
            events = decode(header(2) + digits + b"\r\nOK\r\n", hex_payload=hex_payload, bytewise=bytewise)
            assert [type(event) for event in events] == [Garbled, Ok]


@pytest.mark.parametrize("digits", [b"10", b""], ids=repr)
def test_hex_that_could_be_as_many_bytes_is_dropped_once_the_form_is_known(digits: bytes) -> None:
    events = decode(header(2) + digits + b"\r\nOK\r\n", hex_payload=True)
    assert events == [Garbled("a datagram shorter than it says"), Ok()]


@pytest.mark.parametrize("hex_payload", [None, False])
@pytest.mark.parametrize("surplus", [b"X", b"XY\x00", b"\xff\xff"], ids=repr)
def test_binary_that_is_longer_than_it_says_is_dropped(surplus: bytes, hex_payload: bool | None) -> None:
    for bytewise in (False, True):
        events = decode(header(2) + b"\x10\x81" + surplus + b"\r\nOK\r\n", hex_payload=hex_payload, bytewise=bytewise)
        assert [type(event) for event in events] == [Garbled, Ok]


def test_binary_that_is_twice_as_long_as_it_says_is_not_read_as_hex() -> None:
    assert [type(event) for event in decode(header(2) + b"1081\r\nOK\r\n", hex_payload=False)] == [Garbled, Ok]


@pytest.mark.parametrize("hex_payload", FORMS.values(), ids=FORMS)
def test_a_datagram_without_end_is_not_kept(hex_payload: bool | None) -> None:
    decoder = Decoder()
    decoder.hex_payload = hex_payload
    assert [type(event) for event in decoder.feed(header(2) + b"A" * 100_000)] == [Garbled]
    assert decoder.pending == 0
    assert list(decoder.feed(b"\r\nOK\r\n")) == [Ok()]


def test_a_secured_flag_of_two_digits_is_no_signal_strength() -> None:
    assert decode(header(2, flags="01") + b"1081\r\n") == [received(b"\x10\x81")]


@pytest.mark.parametrize("hex_payload", [None, False])
@pytest.mark.parametrize("lost", [0, 12, 17])
def test_binary_that_lost_a_byte_in_the_wire_is_not_filled_up_with_its_line_end(
    lost: int, hex_payload: bool | None
) -> None:
    """It would be a frame that can be read, of a power of 62477 W instead of 500 W."""
    payload = bytes.fromhex("1081000102880105FF017201E704000001F4")
    stream = header(len(payload)) + payload[:lost] + payload[lost + 1 :] + b"\r\n"
    for bytewise in (False, True):
        events = decode(stream + b"OK\r\n", hex_payload=hex_payload, bytewise=bytewise)
        assert not [event for event in events if isinstance(event, UdpReceived)]


HOSTILE = [
    b"\r\nEVENT 26 FE80::1 0\r\n",
    b"\nOK\n",
    b"\rFAIL ER10\r",
    b"EVENT 29 FE80::1\r\nEPANDESC\r\n  Channel:21\r\n",
    b"\r\n" + header(2) + b"AABB\r\n",
    header(2),
    b"ERXUDP ",
    b"\r\nERXUDP",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"0D0A",
    b"0123456789ABCDEF",
    b"ABCDEF\r",
    b"\x0d\x0a\x20" * 5,
    bytes(range(256)),
]


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("payload", HOSTILE, ids=repr)
def test_no_payload_is_anything_else_than_a_payload(payload: bytes, bytewise: bool) -> None:
    expected = [received(payload), received(payload), Event(0x25)]
    for binary, forms in ((True, (None, False)), (False, (None, True))):
        stream = datagram(payload, binary=binary) * 2 + b"EVENT 25 FE80::1 0\r\n"
        for hex_payload in forms:
            assert decode(stream, hex_payload=hex_payload, bytewise=bytewise) == expected


def test_the_payload_of_the_authentication_is_left_out_in_every_form() -> None:
    secret = b"SM00112233445566778899AABBCCDDEEFF"
    for binary in (True, False):
        for ports in (b"02CC 02CC", b"02CC 0E1A", b"0E1A 02CC", b"02cc 02cc"):
            stream = datagram(secret, binary=binary).replace(b"0E1A 0E1A", ports)
            (event,) = decode(stream)
            assert isinstance(event, UdpReceived)
            assert event.payload == b""


# Descriptions of networks.

ROWS = {
    "Channel": "21",
    "Channel Page": "09",
    "Pan ID": "8888",
    "Addr": METER_MAC,
    "LQI": "E1",
    "Side": "0",
    "PairID": "CCDDEEFF",
}
NETWORK = Network(
    channel=0x21, pan_id=0x8888, mac=bytes.fromhex(METER_MAC), rssi_dbm=-42.4, lqi=0xE1, pairing_id="CCDDEEFF"
)


def block(rows: dict[str, str], indent: str = "  ") -> bytes:
    return "".join(f"{line}\r\n" for line in ("EPANDESC", *(f"{indent}{k}:{v}" for k, v in rows.items()))).encode()


@pytest.mark.parametrize("indent", [" ", "  "])
def test_the_rows_of_a_description_come_in_any_order(indent: str) -> None:
    for rows in (ROWS, dict(reversed(ROWS.items())), dict(sorted(ROWS.items()))):
        assert decode(block(rows, indent) + b"OK\r\n") == [PanDescription(NETWORK), Ok()]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"OK", Ok()),
        (b"FAIL ER10", Fail("ER10")),
        (b"EVENT 20 FE80::1", Event(0x20)),
        (b"EVENT 22 FE80::1", Event(0x22)),
        (b"EVENT 22", Event(0x22)),
        (b"SKSCAN 2 FFFFFFFF 6", Line("SKSCAN 2 FFFFFFFF 6")),
    ],
    ids=repr,
)
def test_a_description_ends_with_the_first_line_that_is_none_of_its_rows(line: bytes, event: SkEvent) -> None:
    assert decode(block(ROWS) + line + b"\r\n") == [PanDescription(NETWORK), event]


def test_a_description_ends_where_the_next_begins() -> None:
    other = {**ROWS, "Channel": "3B"}
    (first, second, _) = decode(block(ROWS) + block(other) + b"OK\r\n")
    assert isinstance(first, PanDescription)
    assert isinstance(second, PanDescription)
    assert (first.network.channel, second.network.channel) == (0x21, 0x3B)


def test_a_description_is_not_ended_by_what_may_come_at_any_time() -> None:
    lines = block(ROWS).splitlines(keepends=True)
    between = [b"EVENT 21 FE80::1 0 00\r\n", datagram(b"\x10", binary=False), b"\r\n", b"EVENT 33 FE80::1\r\n"]
    stream = b"".join(line + between[index % len(between)] for index, line in enumerate(lines))
    events = decode(stream + b"OK\r\n")
    assert events[-2:] == [PanDescription(NETWORK), Ok()]
    assert not [event for event in events if isinstance(event, Garbled)]


@pytest.mark.parametrize("key", ["Channel", "Pan ID", "Addr", "LQI"])
@pytest.mark.parametrize("value", [None, "", "G1", "ZZ ZZ"])
def test_a_description_that_lacks_what_a_join_needs_is_dropped(key: str, value: str | None) -> None:
    rows = {k: v if k != key else value for k, v in ROWS.items()}
    kept = {k: v for k, v in rows.items() if v is not None}
    assert [type(event) for event in decode(block(kept) + b"OK\r\n")] == [Garbled, Ok]


@pytest.mark.parametrize("mac", ["001D1290123456", "001D12901234567800", "001D12901234567"])
def test_a_description_whose_address_lost_digits_is_dropped(mac: str) -> None:
    assert [type(event) for event in decode(block({**ROWS, "Addr": mac}) + b"OK\r\n")] == [Garbled, Ok]


@pytest.mark.parametrize(
    ("key", "value"), [("Channel", "20"), ("Channel", "3D"), ("Channel", "2"), ("Pan ID", "18888"), ("LQI", "1E1")]
)
def test_a_description_whose_values_no_module_can_mean_is_dropped(key: str, value: str) -> None:
    """A channel is 21 to 3C, a PAN ID has 16 bits, an LQI 8 (protocol 3.2, 3.4): a digit was lost or doubled."""
    assert [type(event) for event in decode(block({**ROWS, key: value}) + b"OK\r\n")] == [Garbled, Ok]


def test_a_description_does_without_what_only_some_modules_write() -> None:
    for missing in ("Channel Page", "Side"):
        rows = {key: value for key, value in ROWS.items() if key != missing}
        assert decode(block(rows) + b"OK\r\n") == [PanDescription(NETWORK), Ok()]
    rows = {key: value for key, value in ROWS.items() if key != "PairID"}
    (event, _) = decode(block(rows) + b"OK\r\n")
    assert isinstance(event, PanDescription)
    assert event.network.pairing_id is None


def test_a_row_that_no_description_has_is_dropped_alone() -> None:
    head, *rows = block(ROWS).splitlines(keepends=True)
    stream = head + b"  Mood:09\r\n" + b"".join(rows) + b"OK\r\n"
    assert decode(stream) == [Garbled("a row of no EPANDESC"), PanDescription(NETWORK), Ok()]
