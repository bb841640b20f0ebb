"""The worked examples of the protocol reference, chapter 6: what is written, what is read, and what it means."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pytest

from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.echonet import smart_meter
from custom_components.broute.aiobroute.echonet.frame import CONTROLLER, PORT, SMART_METER, Esv, Frame, Property
from custom_components.broute.aiobroute.echonet.smart_meter import Currents, DayHistory, FixedTimeCounter
from custom_components.broute.aiobroute.echonet.super_class import StandardVersion
from custom_components.broute.aiobroute.echonet.values import JST
from custom_components.broute.aiobroute.link.base import Dialect, Network
from custom_components.broute.aiobroute.link.skstack import commands
from custom_components.broute.aiobroute.link.skstack.codec import (
    Decoder,
    Event,
    Line,
    Ok,
    PanDescription,
    SkEvent,
    UdpReceived,
)

METER = "FE80:0000:0000:0000:021D:1290:1234:5678"
OWN = "FE80:0000:0000:0000:021D:1290:ABCD:EF01"
MAC = "001D129012345678"
CREDENTIALS = Credentials.parse("00112233445566778899AABBCCDDEEFF", "0123456789AB")
AT = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
READINGS = range(123000, 123000 + 48 * 3, 3)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request and its answer, as frames in hexadecimal; `values` by EPC."""

    esv: Esv
    asked: tuple[Property, ...]
    request: str
    answer: str
    values: dict[int, object]


def asked(*epcs: int) -> tuple[Property, ...]:
    return tuple(Property(epc) for epc in epcs)


EXCHANGES = (
    Exchange(
        esv=Esv.GET,
        asked=asked(0x82, 0x9D, 0x9E, 0x9F),
        request="1081000105FF01028801620482009D009E009F00",
        answer="1081000102880105FF0172048204000046009D04038081889E040381E5ED9F111941414160404000624300414040430202",
        values={
            0x82: StandardVersion("F", 0),
            0x9D: {0x80, 0x81, 0x88},
            0x9E: {0x81, 0xE5, 0xED},
            0x9F: set(bytes.fromhex("80818288 8A8D9798 9D9E9F D3D7 E0E1E2E3E4E5E7E8EAEBECED")),
        },
    ),
    Exchange(
        esv=Esv.GET,
        asked=asked(0xD3, 0xD7, 0xE1),
        request="1081000205FF010288016203D300D700E100",
        answer="1081000202880105FF017203D30400000001D70106E10101",
        values={0xD3: 1, 0xD7: 6, 0xE1: Decimal("0.1")},
    ),
    Exchange(
        esv=Esv.GET,
        asked=asked(0xE7, 0xE8),
        request="1081000305FF010288016202E700E800",
        answer="1081000302880105FF017202E704000001F4E804001E0014",
        values={0xE7: 500, 0xE8: Currents(Decimal("3.0"), Decimal("2.0"))},
    ),
    Exchange(
        esv=Esv.SET_C,
        asked=(Property(0xE5, smart_meter.encode_day(1)),),
        request="1081000405FF010288016101E50101",
        answer="1081000402880105FF017101E500",
        values={},
    ),
    Exchange(
        esv=Esv.GET,
        asked=asked(0xE2),
        request="1081000505FF010288016201E200",
        answer="1081000502880105FF017201E2C20001" + "".join(f"{reading:08X}" for reading in READINGS),
        values={0xE2: DayHistory(1, tuple(READINGS))},
    ),
)
NOTICE = "1081000102880105FF017302EA0B07EA0B15121E000001E240EB0B07EA0B15121E0000000041"
INSTANCE_LIST = "108100000EF0010EF0017301D50401028801"
DIALECTS = {"single stack (6.1)": (Dialect.SINGLE_STACK, ""), "dual stack (6.2)": (Dialect.DUAL_STACK, " 0")}


def erxudp(payload: str, flags: str, *, destination: str = OWN, port: str = "0E1A") -> str:
    return f"ERXUDP {METER} {destination} {port} {port} {MAC} {flags} {len(payload) // 2:04X} {payload}"


def received(payload: str, *, port: int = PORT, secured: bool = True, lqi: int | None = None) -> UdpReceived:
    return UdpReceived(
        sender=METER,
        mac=MAC,
        remote_port=port,
        local_port=port,
        secured=secured,
        lqi=lqi,
        payload=bytes.fromhex(payload),
    )


def values_of(payload: str) -> dict[int, object]:
    frame = Frame.from_bytes(bytes.fromhex(payload))
    return {prop.epc: smart_meter.PROPERTIES[prop.epc].decode(prop.edt) for prop in frame.properties if prop.edt}


@pytest.mark.parametrize(("dialect", "side"), DIALECTS.values(), ids=DIALECTS)
def test_a_worked_session_is_read_line_by_line(dialect: Dialect, side: str) -> None:
    pana = "00000028C0000002123456781122334400060000000400000000000500030000000400000000000C"
    row = ["  Side:0"] if dialect is Dialect.DUAL_STACK else []
    information = f"EINFO {OWN} 001D1290ABCDEF01 21 FFFF FFFE"
    network = Network(
        channel=0x21, pan_id=0x8888, mac=bytes.fromhex(MAC), rssi_dbm=-42.4, lqi=0xE1, pairing_id="CCDDEEFF"
    )
    session: list[tuple[list[str], list[SkEvent]]] = [
        (["SKRESET", "OK"], [Line("SKRESET"), Ok()]),
        (["SKSREG SFE 0", "OK"], [Line("SKSREG SFE 0"), Ok()]),
        ([information, "OK"], [Line(information), Ok()]),
        ([f"EVENT 20 {OWN}{side}"], [Event(0x20)]),
        (["EPANDESC", "  Channel:21", "  Channel Page:09", "  Pan ID:8888", f"  Addr:{MAC}", "  LQI:E1"], []),
        ([*row, "  PairID:CCDDEEFF", f"EVENT 22 {OWN}{side}"], [PanDescription(network), Event(0x22)]),
        ([METER], [Line(METER)]),
        ([f"EVENT 21 {METER}{side} 02", f"EVENT 02 {METER}{side}"], [Event(0x21, 2), Event(0x02)]),
        ([erxudp(pana, f"0{side}", port="02CC")], [received("", port=716, secured=False)]),
        ([f"EVENT 21 {METER}{side} 00", f"EVENT 25 {METER}{side}"], [Event(0x21, 0), Event(0x25)]),
        (
            [erxudp(INSTANCE_LIST, f"1{side}", destination="FF02:0000:0000:0000:0000:0000:0000:0001")],
            [received(INSTANCE_LIST)],
        ),
        (
            [erxudp(answer, f"1{side}") for answer in (*(exchange.answer for exchange in EXCHANGES), NOTICE)],
            [received(answer) for answer in (*(exchange.answer for exchange in EXCHANGES), NOTICE)],
        ),
        (["OK", f"EVENT 27 {METER}{side}"], [Ok(), Event(0x27)]),
    ]
    decoder = Decoder()
    for lines, events in session:
        assert list(decoder.feed("".join(f"{line}\r\n" for line in lines).encode())) == events


@pytest.mark.parametrize(("dialect", "side"), DIALECTS.values(), ids=DIALECTS)
def test_the_requests_of_a_worked_session_are_byte_exact(dialect: Dialect, side: str) -> None:
    for tid, exchange in enumerate(EXCHANGES, 1):
        frame = Frame(tid=tid, seoj=CONTROLLER, deoj=SMART_METER, esv=exchange.esv, properties=exchange.asked)
        data = bytes.fromhex(exchange.request)
        assert frame.to_bytes() == data
        header = f"SKSENDTO 1 {METER} 0E1A 1{side} {len(data):04X} ".encode()
        address = commands.link_local_address(bytes.fromhex(MAC))
        assert commands.send_to(dialect, address, PORT, frame.to_bytes()) == header + data
    assert commands.active_scan(dialect, 6) == f"SKSCAN 2 FFFFFFFF 6{side}\r\n".encode()


def test_the_settings_of_a_worked_session_are_byte_exact() -> None:
    assert [
        commands.RESET,
        commands.ECHO_OFF,
        commands.STACK_VERSION,
        commands.INFORMATION,
        commands.PAYLOAD_FORM,
        commands.set_password(CREDENTIALS),
        commands.set_route_b_id(CREDENTIALS),
        commands.write_register("S2", "21"),
        commands.write_register("S3", "8888"),
        commands.join(METER),
        commands.TERMINATE,
    ] == [
        b"SKRESET\r\n",
        b"SKSREG SFE 0\r\n",
        b"SKVER\r\n",
        b"SKINFO\r\n",
        b"ROPT\r",
        b"SKSETPWD C 0123456789AB\r\n",
        b"SKSETRBID 00112233445566778899AABBCCDDEEFF\r\n",
        b"SKSREG S2 21\r\n",
        b"SKSREG S3 8888\r\n",
        f"SKJOIN {METER}\r\n".encode(),
        b"SKTERM\r\n",
    ]
    assert CREDENTIALS.pairing_id == "CCDDEEFF"


def test_the_answers_of_a_worked_session_mean_what_the_reference_says() -> None:
    for exchange in EXCHANGES:
        assert values_of(exchange.answer) == exchange.values
    assert values_of(NOTICE) == {0xEA: FixedTimeCounter(AT, 123456), 0xEB: FixedTimeCounter(AT, 65)}
    # The meter's own TID is that of our first request: only the service and the properties tell them apart.
    notice, request = (Frame.from_bytes(bytes.fromhex(data)) for data in (NOTICE, EXCHANGES[0].request))
    assert notice.tid == request.tid


def test_the_same_answer_in_binary_is_the_same_datagram() -> None:
    """6.1.1."""
    payload = "1081000102880105FF017201E704000001F4"
    header, _ = erxudp(payload, "1").rsplit(" ", 1)
    decoder = Decoder()
    decoder.hex_payload = False
    assert list(decoder.feed(header.encode() + b" " + bytes.fromhex(payload) + b"\r\n")) == [received(payload)]


def test_signal_strength_comes_with_datagrams_once_sa2_is_set() -> None:
    """6.2."""
    payload = "1081000102880105FF017201E704000001F4"
    assert list(Decoder().feed(erxudp(payload, "DD 1 0").encode() + b"\r\n")) == [received(payload, lqi=0xDD)]
