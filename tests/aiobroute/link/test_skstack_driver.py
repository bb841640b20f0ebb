"""The driver: every command answered, refused, answered late or not at all; every event at the wrong moment."""

import asyncio
from collections.abc import Callable
import gc
import logging
from typing import Any

import pytest

from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.exceptions import (
    CommandNotSupportedError,
    CommandRefusedError,
    CredentialsRefusedError,
    ExecutionFailedError,
    InvalidArgumentError,
    MeterSilentError,
    ModuleSilentError,
    NotSentError,
    PortError,
    SerialInputError,
    WrongArgumentCountError,
)
from custom_components.broute.aiobroute.link.base import Dialect, Link, LinkEvent, Network
from custom_components.broute.aiobroute.link.skstack import commands
from custom_components.broute.aiobroute.link.skstack.console import COMMAND_TIMEOUT_S
from custom_components.broute.aiobroute.link.skstack.driver import (
    JOIN_TIMEOUT_S,
    LEAVE_TIMEOUT_S,
    SCAN_SLACK_S,
    SENT_TIMEOUT_S,
)
from tests.captures import times

from .peer import NETWORK, OK, Heard, Peer, Piece, dual_stack, identified, joined, now, single_stack, turn
from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS, capture, command_bytes, from_host, module_lines

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime, pytest.mark.filterwarnings("error")]

CREDENTIALS = Credentials.parse("00112233445566778899AABBCCDDEEFF", "0123456789AB")
REQUEST = bytes.fromhex("1081000105FF010288016201E700")
POWER = "1081000102880105FF017201E704000001F4"
SENT = f"EVENT 21 {METER_ADDRESS} 0 00"
NOT_SENT = f"EVENT 21 {METER_ADDRESS} 0 01"
SEARCHED = f"EVENT 21 {METER_ADDRESS} 0 02"
NO_METER = f"EVENT 22 {OWN_ADDRESS} 0"


def datagram(payload: str = POWER, *, sender: str = METER_ADDRESS, mac: str = METER_MAC, flags: str = "1 0") -> str:
    size = len(payload) // 2
    return f"ERXUDP {sender} {OWN_ADDRESS} 0E1A 0E1A {mac} {flags} {size:04X} {payload}"


def event(number: int) -> str:
    return f"EVENT {number:02X} {METER_ADDRESS} 0"


async def seconds(work: Any) -> float:
    """Return how long it took."""
    began = now()
    await work
    return now() - began


# Whole sessions of the captures.


def follow(peer: Peer, number: int, *commands_: str) -> None:
    """Answer as the module of a capture did, at its pace where the capture has times."""
    steps = capture(number)
    for start, step in enumerate(steps):
        if step.side != "host" or not step.text.startswith(commands_):
            continue
        pieces: list[Piece] = []
        before = step.at
        for later in steps[start + 1 :]:
            if later.side == "host":
                break
            if later.at and before:
                pieces.append((later.at - before).total_seconds())
                before = later.at
            pieces.extend(module_lines([later]))
        peer.answers(step.text.split(" ")[0], *pieces)


async def test_01_is_found_joined_and_read() -> None:
    peer = dual_stack(echo=True)
    follow(peer, 1, "SKSCAN", "SKJOIN", "SKSENDTO")
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        (network,) = await link.scan(6)
        assert (network.channel, network.pan_id, network.lqi) == (0x31, 0xB5FB, 0xDD)
        assert network.mac == bytes.fromhex("C0F945004058B5FB")
        assert network.pairing_id == "12345678"
        await link.join(network)
        await turn()
        assert heard.payloads == [bytes.fromhex("108100000EF0010EF0017301D50401028801")]
        request = next(step.data for step in capture(1) if step.data)
        assert request
        await link.send(request)
        await turn()
        # The notice of the half hour came before the transmission was reported, the answer behind it.
        assert heard.payloads[1:] == [
            bytes.fromhex("1081000102880105FF017302EA0B07E70C13001E000000458EEB0B07E70C13001E0000000015"),
            bytes.fromhex("1081525302880105FF017201E704000000E4"),
        ]
        assert heard.events == [LinkEvent.JOINED]
    written = {command for command in peer.commands if not command.startswith((b"SKSCAN", b"SKSREG"))}
    assert written >= {
        command_bytes(step) for step in from_host(capture(1)) if step.text.startswith(("SKJOIN", "SKSENDTO"))
    }


async def test_14_is_scanned_three_times_joined_and_polled_for_eleven_minutes() -> None:
    peer = single_stack()
    steps = capture(14)
    # The first scan took so long; its end came while the host had already begun the second.
    peer.answers("SKSCAN", OK, 5.322, f"EVENT 22 {OWN_ADDRESS}")
    peer.answers("SKSCAN", OK, 9.0, f"EVENT 22 {OWN_ADDRESS}")
    follow(peer, 14, "SKSCAN 2 FFFFFFFF 6", "SKJOIN", "SKSENDTO")
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        assert await link.scan(4) == []
        assert await link.scan(5) == []
        (network,) = await link.scan(6)
        assert (network.channel, network.lqi, network.rssi_dbm) == (0x3B, 0xB2, -55.3)
        assert await seconds(link.join(network)) == pytest.approx(3.339, abs=0.01)
        requests = [step.data for step in steps if step.data]
        for request in requests:
            await link.send(request)
            await asyncio.sleep(20)
        assert b"".join(command for command in peer.commands if command.startswith(b"SKSENDTO")) == b"".join(
            command_bytes(step) for step in steps if step.text.startswith("SKSENDTO")
        )
    answers = [step.text.split(" ")[-1] for step in steps if step.text.startswith("ERXUDP")]
    assert [payload.hex().upper() for payload in heard.payloads] == answers
    assert len(requests) == 34
    assert all(datagram.encrypted and datagram.rssi_dbm is None for datagram in heard.datagrams)


async def test_05_hears_nothing_at_duration_4_and_something_at_5() -> None:
    peer = dual_stack(echo=True)
    follow(peer, 5, "SKSCAN 2 FFFFFFFF 4")
    rows = (
        "  Channel:39",
        "  Channel Page:09",
        "  Pan ID:8CF5",
        f"  Addr:{METER_MAC}",
        "  LQI:80",
        "  PairID:CCDDEEFF",
    )
    peer.answers("SKSCAN", OK, 8.0, f"EVENT 20 {OWN_ADDRESS} 0", "EPANDESC", *rows, 0.5, NO_METER)
    async with identified(peer) as link:
        assert await link.scan(4) == []
        assert [network.channel for network in await link.scan(5)] == [0x39]
    # Without the blank behind the last argument that the author of 05 wrote.
    assert peer.commands[-2:] == [b"SKSCAN 2 FFFFFFFF 4 0\r\n", b"SKSCAN 2 FFFFFFFF 5 0\r\n"]


async def test_the_times_of_08_are_within_our_limits() -> None:
    at = {what: when for when, what in times(8)}
    peer = dual_stack()
    peer.answers("SKJOIN", OK, (at["EVENT 25"] - at["SKJOIN"]).total_seconds(), event(0x25))
    async with identified(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(9.594)


# Commands.


@pytest.mark.parametrize(
    ("peer", "dialect", "registers"),
    [
        (single_stack, Dialect.SINGLE_STACK, []),
        # Signal strength; the same register may be the transmit power of a single-stack module.
        (dual_stack, Dialect.DUAL_STACK, [b"SKSREG SA2 1\r\n"]),
    ],
)
async def test_a_module_is_prepared_from_a_reset(
    peer: Callable[[], Peer], dialect: Dialect, registers: list[bytes]
) -> None:
    module = peer()
    async with identified(module) as link:
        assert link.module.dialect is dialect
        module.commands.clear()
        await link.prepare(CREDENTIALS)
    assert module.commands == [
        b"SKRESET\r\n",
        b"SKSREG SFE 0\r\n",
        *registers,
        b"SKSETPWD C 0123456789AB\r\n",
        b"SKSETRBID 00112233445566778899AABBCCDDEEFF\r\n",
    ]


@pytest.mark.parametrize(
    ("peer", "side"), [(single_stack, b""), (dual_stack, b" 0")], ids=["single-stack", "dual-stack"]
)
async def test_the_dialects_differ_in_the_side_of_scan_and_send(peer: Callable[[], Peer], side: bytes) -> None:
    module = peer()
    async with joined(module) as link:
        module.answers("SKSCAN", OK, NO_METER)
        module.answers("SKSENDTO", SENT, OK)
        await link.scan(6)
        await link.send(REQUEST)
    assert module.commands == [
        b"SKSCAN 2 FFFFFFFF 6" + side + b"\r\n",
        b"SKSENDTO 1 " + METER_ADDRESS.encode() + b" 0E1A 1" + side + b" 000E " + REQUEST,
    ]


async def test_a_join_writes_the_channel_and_the_pan_id_that_were_heard() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.commands.clear()
        peer.answers("SKJOIN", OK, event(0x25))
        await link.join(NETWORK)
    assert peer.commands == [
        b"SKSREG S2 21\r\n",
        b"SKSREG S3 8888\r\n",
        b"SKJOIN " + METER_ADDRESS.encode() + b"\r\n",
    ]


@pytest.mark.parametrize("peer", [single_stack, dual_stack])
@pytest.mark.parametrize("payload_form", [b"OK 00\r", b"OK 01\r", b"FAIL ER04\r\n"], ids=["binary", "hex", "no ROPT"])
async def test_nothing_is_ever_written_to_the_flash(peer: Callable[[], Peer], payload_form: bytes) -> None:
    module = peer()
    module.answers_anew("ROPT", payload_form)
    module.answers("SKSCAN", OK, NO_METER)
    module.answers("SKSENDTO", SENT, OK)
    module.answers("SKTERM", OK, event(0x27))
    async with identified(module) as link:
        await link.prepare(CREDENTIALS)
        await link.scan(5)
        module.answers("SKJOIN", OK, event(0x25))
        await link.join(NETWORK)
        await link.send(REQUEST)
        await link.leave()
        await link.prepare(CREDENTIALS)
    assert set(module.names) == {
        *("SKVER", "SKAPPVER", "SKINFO", "ROPT", "SKSREG", "SKRESET", "SKSETPWD", "SKSETRBID"),
        *("SKSCAN", "SKJOIN", "SKSENDTO", "SKTERM"),
    }
    # Auto load would need SKSAVE, and the echo register is no flash.
    registers = {command.split()[1] for command in module.commands if command.startswith(b"SKSREG")}
    assert registers <= {b"SFE", b"SA2", b"S2", b"S3"}


REFUSALS = [
    ("FAIL ER04", CommandNotSupportedError),
    ("FAIL ER05", WrongArgumentCountError),
    ("FAIL ER06", InvalidArgumentError),
    ("FAIL ER09", SerialInputError),
    ("FAIL ER10", ExecutionFailedError),
    ("FAIL ER99", CommandRefusedError),
    ("FAIL ER01", CommandRefusedError),
    ("FAIL", CommandRefusedError),
]


@pytest.mark.parametrize(("line", "error"), REFUSALS, ids=[line for line, _ in REFUSALS])
async def test_a_refusal_is_an_error_of_its_reason(line: str, error: type[CommandRefusedError]) -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", line)
    peer.answers("SKSCAN", OK, NO_METER)
    async with identified(peer) as link:
        with pytest.raises(CommandRefusedError) as raised:
            await link.scan(6)
        assert type(raised.value) is error
        assert now() < COMMAND_TIMEOUT_S
        # The next command is not in doubt.
        peer.commands.clear()
        await link.scan(6)
        assert peer.names == ["SKSCAN"]


@pytest.mark.parametrize("refused", ["SKRESET", "SKSREG", "SKSETPWD", "SKSETRBID"])
async def test_a_module_that_refuses_its_preparation_is_told(refused: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew(refused, "FAIL ER06")
        with pytest.raises(InvalidArgumentError):
            await link.prepare(CREDENTIALS)


@pytest.mark.parametrize("silent", ["SKRESET", "SKSETPWD"])
async def test_a_module_that_does_not_answer_is_told_after_the_time_for_a_command(silent: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers(silent)
        began = now()
        with pytest.raises(ModuleSilentError, match=silent):
            await link.prepare(CREDENTIALS)
        assert now() - began == pytest.approx(COMMAND_TIMEOUT_S, abs=0.1)


async def test_credentials_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer = dual_stack(echo=True)
    peer.answers("SKSETPWD", "FAIL ER06")
    async with identified(peer) as link:
        with pytest.raises(InvalidArgumentError) as raised:
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        await link.prepare(CREDENTIALS)
    assert "SKSETPWD" in caplog.text
    for secret in (CREDENTIALS.password, CREDENTIALS.route_b_id, CREDENTIALS.pairing_id):
        assert secret not in caplog.text
        assert secret not in str(raised.value)


async def test_neither_addresses_nor_payloads_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer = dual_stack()
    async with joined(peer) as link:
        Heard(link)
        peer.answers("SKSENDTO", datagram(sender="FE80:0000:0000:0000:021D:1290:0000:0001"), SENT, OK, datagram())
        await link.send(REQUEST)
        peer.say("ERXUDP FE80:0000:0000:0000:021D:1290:1234:5678 garbled", f"EVENT 21 {METER_ADDRESS}", "JUNK 5678")
        await turn()
    for secret in ("1234", "5678", POWER, REQUEST.hex()):
        assert secret not in caplog.text


# Scans.


def pan(channel: str, mac: str, lqi: str, pairing_id: str | None = "CCDDEEFF") -> list[str]:
    rows = [f"  Channel:{channel}", "  Channel Page:09", "  Pan ID:8888", f"  Addr:{mac}", f"  LQI:{lqi}", "  Side:0"]
    if pairing_id is not None:
        rows.append(f"  PairID:{pairing_id}")
    return [f"EVENT 20 {OWN_ADDRESS} 0", "EPANDESC", *rows]


async def test_all_networks_that_answer_a_scan_are_given() -> None:
    peer = dual_stack()
    first, second = pan("21", METER_MAC, "80"), pan("3B", "0123456789ABCDEF", "E1", None)
    peer.answers("SKSCAN", OK, 1.0, *first, 0.7, *second, 0.6, NO_METER)
    async with identified(peer) as link:
        assert [(found.channel, found.mac.hex(), found.lqi, found.pairing_id) for found in await link.scan(6)] == [
            (0x21, METER_MAC.lower(), 0x80, "CCDDEEFF"),
            (0x3B, "0123456789abcdef", 0xE1, None),
        ]


async def test_a_beacon_without_its_description_is_no_network() -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", OK, 1.0, f"EVENT 20 {OWN_ADDRESS} 0", 0.5, NO_METER)
    async with identified(peer) as link:
        assert await link.scan(6) == []


async def test_events_and_datagrams_within_a_description_do_not_end_it() -> None:
    peer = dual_stack()
    head, *rows = pan("21", METER_MAC, "80")
    peer.answers("SKSCAN", OK, head, *rows[:3], datagram(), event(0x33), *rows[3:], NO_METER)
    async with identified(peer) as link:
        heard = Heard(link)
        assert [network.mac.hex().upper() for network in await link.scan(6)] == [METER_MAC]
        assert len(heard.datagrams) == 1


@pytest.mark.parametrize("duration", [1, 5, 6, 7, 8])
async def test_a_scan_without_an_end_is_given_up_after_its_time_and_the_slack(duration: int) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        began = now()
        with pytest.raises(ModuleSilentError, match="scan"):
            await link.scan(duration)
        assert now() - began == pytest.approx(commands.scan_time_s(duration) + SCAN_SLACK_S, abs=0.1)


async def test_networks_of_a_scan_that_was_given_up_are_not_those_of_the_next() -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", OK, 1.0, *pan("21", METER_MAC, "80"))
    peer.answers("SKSCAN", OK, NO_METER)
    async with identified(peer) as link:
        with pytest.raises(ModuleSilentError):
            await link.scan(4)
        peer.say(*pan("22", METER_MAC, "80"), NO_METER)
        await turn()
        assert await link.scan(4) == []


async def test_the_end_of_a_scan_that_nobody_waits_for_is_ignored() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(*pan("22", METER_MAC, "80"), NO_METER)
        await turn()
        assert not heard.events


# Joins.


async def test_a_failed_authentication_is_a_refusal() -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", OK, SEARCHED, event(0x02), 42.0, event(0x24))
    async with identified(peer) as link:
        heard = Heard(link)
        with pytest.raises(CredentialsRefusedError):
            await link.join(NETWORK)
        assert heard.events == [LinkEvent.JOIN_FAILED]


async def test_an_authentication_without_an_end_is_given_up_in_time() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        began = now()
        with pytest.raises(MeterSilentError):
            await link.join(NETWORK)
        assert now() - began == pytest.approx(JOIN_TIMEOUT_S, abs=0.1)
        # protocol 3.5: about 40 s until the module gives up by itself.
        assert JOIN_TIMEOUT_S >= 60


async def test_a_join_that_succeeds_before_its_ok_has_succeeded() -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", event(0x25), 0.2, OK)
    async with identified(peer) as link:
        await link.join(NETWORK)
        assert now() < 1


@pytest.mark.parametrize("number", [0x27, 0x28, 0x29, 0x32, 0x33])
async def test_only_the_end_of_the_authentication_ends_a_join(number: int) -> None:
    """27, 28: a late answer to the SKTERM before; 29: the lifetime of the old session; 32, 33: the duty limit."""
    peer = dual_stack()
    peer.answers("SKJOIN", OK, 0.5, event(number), 2.0, event(0x25))
    async with identified(peer) as link:
        heard = Heard(link)
        await link.join(NETWORK)
        assert now() >= 2.5
        assert heard.events[-1] is LinkEvent.JOINED
        assert len(heard.events) == 2


@pytest.mark.parametrize("register", ["SKSREG S2", "SKSREG S3"])
async def test_a_network_that_the_module_does_not_take_is_not_joined(register: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers(register, "FAIL ER06")
        with pytest.raises(InvalidArgumentError):
            await link.join(NETWORK)
        assert "SKJOIN" not in peer.names


async def test_a_refused_join_is_an_error_of_the_module() -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", "FAIL ER10")
    async with identified(peer) as link:
        with pytest.raises(ExecutionFailedError):
            await link.join(NETWORK)


# Sends.


@pytest.mark.parametrize(
    "answer",
    [
        (SENT, OK),
        (OK, SENT),
        (SENT, 0.3, OK),
        (OK, 0.3, SENT),
        (b"\r\nOK\r\n", SENT),
        (SEARCHED, OK, SENT),
        (OK, SEARCHED, 3.0, SENT),
        (SEARCHED, SENT, OK),
        (datagram(), SENT, datagram(), OK, datagram()),
        (f"EVENT 21 {METER_ADDRESS} 00", OK),
    ],
    ids=[
        "before OK",
        "after OK",
        "long before OK",
        "long after OK",
        "as in the manual",
        "address resolution before OK",
        "address resolution after OK",
        "address resolution and end before OK",
        "between datagrams",
        "without the side",
    ],
)
async def test_a_datagram_is_sent_when_the_module_says_so(answer: tuple[Piece, ...]) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.answers("SKSENDTO", *answer)
        took = await seconds(link.send(REQUEST))
        assert took == pytest.approx(sum(piece for piece in answer if isinstance(piece, float)), abs=0.01)
        await turn()
        assert len(heard.datagrams) == answer.count(datagram())


@pytest.mark.parametrize(
    "answer",
    [(NOT_SENT, OK), (OK, NOT_SENT), (SEARCHED, OK, 2.0, NOT_SENT)],
    ids=["before OK", "after OK", "after the address resolution"],
)
async def test_a_datagram_that_does_not_go_on_the_air_is_told_as_such(answer: tuple[Piece, ...]) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", *answer)
        peer.answers("SKSENDTO", SENT, OK)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)
        await link.send(REQUEST)


async def test_the_end_of_one_transmission_is_not_that_of_the_next() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.say(NOT_SENT)
        await turn()
        peer.answers("SKSENDTO", OK, 0.2, SENT)
        await link.send(REQUEST)


@pytest.mark.parametrize("cut", [f"EVENT 21 {METER_ADDRESS} 0 0", f"EVENT 21 {METER_ADDRESS} 0", "EVENT 21"])
async def test_a_result_that_was_cut_is_no_success(cut: str) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", OK, cut, 4.0, NOT_SENT)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)


async def test_a_transmission_without_a_result_is_left_to_the_meters_answer() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", OK)
        assert await seconds(link.send(REQUEST)) == pytest.approx(SENT_TIMEOUT_S, abs=0.1)


async def test_a_transmission_that_the_module_refuses_is_an_error_of_its_reason() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", "FAIL ER10")
        with pytest.raises(ExecutionFailedError):
            await link.send(REQUEST)


async def test_nothing_is_sent_before_a_join() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.commands.clear()
        with pytest.raises(NotSentError):
            await link.send(REQUEST)
        assert not peer.commands


async def test_nothing_is_sent_after_a_reset() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        await link.prepare(CREDENTIALS)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)


async def test_an_echo_that_is_cut_by_a_datagram_is_survived() -> None:
    """As in 01: the echo of SKSENDTO stops, a datagram begins on the same line, the rest of the echo follows."""
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        echo = b"SKSENDTO 1 " + METER_ADDRESS.encode() + b" 0E1A 1 0 000E "
        for cut in (8, 11, 30, len(echo)):
            peer.answers_anew("SKSENDTO", echo[:cut], datagram(), echo[cut:] + b"\r\n", SENT, OK)
            await link.send(REQUEST)
            peer.answers_anew("SKSENDTO", echo[:cut], SENT, echo[cut:] + b"\r\n", OK)
            await link.send(REQUEST)
        assert heard.payloads == [bytes.fromhex(POWER)] * 4


async def test_bytes_of_the_request_that_look_like_line_ends_are_sent_as_they_are() -> None:
    peer = dual_stack()
    payload = b"\r\nOK\r\nSKRESET\r\n\x00\xff"
    async with joined(peer) as link:
        peer.answers("SKSENDTO", SENT, OK)
        await link.send(payload)
    assert peer.commands[-1].endswith(b" 0011 " + payload)


# Datagrams and events.


@pytest.mark.parametrize(
    ("line", "encrypted", "rssi_dbm"),
    [
        (datagram(), True, None),
        (datagram(flags="1"), True, None),
        (datagram(flags="DD 1 0"), True, -43.5),
        (datagram(flags="00 1 0"), True, -104.3),
        (datagram(flags="0 0"), False, None),
        (datagram(flags="DD 0 0"), False, -43.5),
    ],
    ids=["dual", "single", "with LQI", "with the least LQI", "plain", "plain with LQI"],
)
async def test_a_datagram_is_delivered_as_it_was_heard(line: str, encrypted: bool, rssi_dbm: float | None) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(line)
        await turn()
        (received,) = heard.datagrams
        assert received.mac == NETWORK.mac
        assert (received.source_port, received.destination_port) == (3610, 3610)
        assert (received.encrypted, received.rssi_dbm) == (encrypted, rssi_dbm)
        assert received.payload == bytes.fromhex(POWER)


@pytest.mark.parametrize(
    "line",
    [
        datagram().replace("0E1A 0E1A", "02CC 02CC"),
        datagram().replace("0E1A 0E1A", "02CC 0E1A"),
        datagram().replace("0E1A 0E1A", "0E1A 0E1B"),
        datagram().replace("0E1A 0E1A", "0E1B 0E1A"),
        datagram(sender="FE80:0000:0000:0000:021D:1290:1234:5679"),
        datagram(sender="2001:0DB8:0000:0000:021D:1290:1234:5678"),
        datagram(mac="001D129012345679"),
        datagram(mac="AABBCCDDEEFF"),
        datagram() + "00",
        datagram()[:-1],
        datagram()[:-2],
    ],
    ids=[
        "authentication",
        "from another port",
        "to another port",
        "from and to other ports",
        "another address",
        "not link-local",
        "another MAC",
        "a short MAC",
        "longer than it says",
        "one digit lost",
        "one byte lost",
    ],
)
async def test_a_datagram_that_is_not_what_it_should_be_is_dropped(line: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(line, datagram())
        await turn()
        assert heard.payloads == [bytes.fromhex(POWER)]


@pytest.mark.parametrize("digits", [12, 13, 14, 15])
async def test_a_mac_that_lost_digits_in_the_wire_does_not_stop_the_driver(digits: int) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(datagram(mac=METER_MAC[:digits]), datagram())
        await turn()
        assert heard.payloads == [bytes.fromhex(POWER)]
        assert link.is_open


EVENTS = {
    0x24: LinkEvent.JOIN_FAILED,
    0x25: LinkEvent.JOINED,
    0x26: LinkEvent.ENDED_BY_METER,
    0x27: LinkEvent.ENDED,
    0x28: LinkEvent.ENDED,
    0x29: LinkEvent.EXPIRED,
    0x32: LinkEvent.DUTY_LIMIT_REACHED,
    0x33: LinkEvent.DUTY_LIMIT_LIFTED,
}


@pytest.mark.parametrize("side", ["", " 0"], ids=["single", "dual"])
async def test_events_are_told_at_any_time_and_unknown_ones_are_not(side: str) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        for number in range(0x100):
            peer.say(f"EVENT {number:02X} {METER_ADDRESS}{side}" + (" 00" if number == 0x21 else ""))
            await turn()
        assert heard.events == [EVENTS[number] for number in sorted(EVENTS)]


async def test_events_between_a_command_and_its_ok_are_told() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.answers("SKSENDTO", event(0x29), SENT, event(0x25), OK)
        await link.send(REQUEST)
        assert heard.events == [LinkEvent.EXPIRED, LinkEvent.JOINED]


async def test_events_and_datagrams_before_anyone_listens_are_lost_without_harm() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.say(event(0x26), datagram())
        await turn()
        heard = Heard(link)
        peer.say(event(0x29))
        await turn()
        assert (heard.events, heard.datagrams) == ([LinkEvent.EXPIRED], [])


# Leaving.


@pytest.mark.parametrize("answer", [(OK, 0.5, event(0x27)), (OK, 0.5, event(0x28)), ("FAIL ER10", 0.5)])
async def test_a_session_is_left_in_order_or_was_none(answer: tuple[Piece, ...]) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKTERM", *answer)
        took = await seconds(link.leave())
        assert took == pytest.approx(0.5 if answer[0] == OK else 0, abs=0.01)
    assert peer.commands == [b"SKTERM\r\n"]


async def test_a_session_whose_end_is_not_reported_is_left_in_time() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        assert await seconds(link.leave()) == pytest.approx(LEAVE_TIMEOUT_S, abs=0.1)


@pytest.mark.parametrize("number", [0x25, 0x29, 0x32, 0x33])
async def test_only_the_end_of_the_session_ends_its_leaving(number: int) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKTERM", OK, 0.5, event(number), 1.0, event(0x27))
        assert await seconds(link.leave()) == pytest.approx(1.5, abs=0.01)


# Answers that come late.


async def test_a_late_ok_is_not_the_answer_to_the_next_command() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKSETPWD")
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        # The late OK comes when the next command has already been written, which is then refused.
        peer.answers_anew("SKVER", OK, 0.1, "EVER 1.5.2", OK)
        peer.answers_anew("SKRESET", 0.1, "FAIL ER10")
        peer.say(0.05, OK)
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)


async def test_a_late_refusal_is_not_the_answer_to_the_next_command() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKSETPWD")
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.answers_anew("SKSETPWD", OK)
        peer.answers_anew("SKVER", "FAIL ER06", 0.1, "EVER 1.5.2", OK)
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert peer.names[-1] == "SKSETRBID"


async def test_a_module_in_doubt_is_asked_something_that_cannot_be_mistaken() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKRESET")
        peer.answers("SKRESET", OK)
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert peer.names[:3] == ["SKVER", "SKRESET", "SKSREG"]
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert "SKVER" not in peer.names


async def test_a_module_that_stays_silent_is_told_each_time() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew("SK")
        for name in ("SKVER", "SKAPPVER", "SKINFO"):
            peer.answers_anew(name)
        for _ in range(3):
            began = now()
            with pytest.raises(ModuleSilentError):
                await link.prepare(CREDENTIALS)
            assert now() - began == pytest.approx(COMMAND_TIMEOUT_S, abs=0.1)


async def test_an_ok_with_a_value_is_not_the_answer_to_a_command_of_the_stack() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKRESET", b"OK 01\r", 0.1, "FAIL ER10")
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)


async def test_an_answer_that_nothing_waits_for_is_ignored() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.say(OK, "FAIL ER10", "EVER 9.9.9", b"OK 01\r")
        await turn()
        await link.prepare(CREDENTIALS)
        assert link.module.version == "1.5.2"


# Callers that go away, and the end.


@pytest.fixture
def problems(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Give what is logged as an error from now on, also by clearing away what is no longer used."""
    gc.collect()
    caplog.clear()

    def collect() -> list[str]:
        gc.collect()
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]

    return collect


type Verb = Callable[[Link], Any]

VERBS: dict[str, Verb] = {
    "prepare": lambda link: link.prepare(CREDENTIALS),
    "scan": lambda link: link.scan(4),
    "join": lambda link: link.join(NETWORK),
    "send": lambda link: link.send(REQUEST),
    "leave": lambda link: link.leave(),
}


def slow_peer() -> Peer:
    peer = dual_stack()
    peer.answers("SKRESET", 0.5, OK)
    peer.answers("SKSETPWD", 0.7, OK)
    peer.answers("SKSCAN", 0.5, OK, 2.0, *pan("21", METER_MAC, "80"), NO_METER)
    peer.answers("SKSENDTO", 0.5, OK, 2.0, SENT)
    peer.answers("SKTERM", 0.5, OK, 2.0, event(0x27))
    return peer


@pytest.mark.parametrize("after_s", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
async def test_a_caller_that_goes_away_leaves_a_driver_that_can_be_used(verb: Verb, after_s: float) -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        peer.answers_anew("SKJOIN", 0.5, OK, 2.0, event(0x25))
        caller = asyncio.create_task(verb(link))
        await asyncio.sleep(after_s)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        # Each command is answered with its own answer, though the cancelled one's are still to come.
        assert len(await link.scan(4)) == 1
        await link.join(NETWORK)
        await link.send(REQUEST)


async def test_a_caller_that_waits_for_its_turn_and_goes_away_is_not_carried_out_twice() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        first = asyncio.create_task(link.send(REQUEST))
        second = asyncio.create_task(link.send(REQUEST))
        await asyncio.sleep(0.1)
        second.cancel()
        await first
        await link.send(REQUEST)
        assert peer.names.count("SKSENDTO") <= 3
        assert second.cancelled()


async def test_commands_of_several_callers_are_carried_out_one_after_the_other() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        began = now()
        await asyncio.gather(link.scan(4), link.send(REQUEST), link.send(REQUEST))
        assert now() - began == pytest.approx(7.5, abs=0.1)
        assert peer.names == ["SKSCAN", "SKSENDTO", "SKSENDTO"]


async def test_a_failure_that_its_caller_does_not_wait_for_is_not_reported_as_a_fault_of_the_program(
    problems: Callable[[], list[str]],
) -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", OK, 2.0, event(0x24))
    async with identified(peer) as link:
        caller = asyncio.create_task(link.join(NETWORK))
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.sleep(5)
        del caller
        assert problems() == []


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("after_s", [0.0, 0.2, 1.0])
async def test_closing_ends_whatever_is_under_way(
    verb: Verb, after_s: float, problems: Callable[[], list[str]]
) -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        peer.answers_anew("SKJOIN", 0.5, OK, 2.0, event(0x25))
        heard = Heard(link)
        callers = [asyncio.create_task(verb(link)) for _ in range(2)]
        await asyncio.sleep(after_s)
        began = now()
        await link.close()
        assert [type(result) for result in await asyncio.gather(*callers, return_exceptions=True)] == [PortError] * 2
        assert now() == began
        assert not link.is_open
        await turn()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        del callers
        await asyncio.sleep(60)
        assert (heard.events, heard.datagrams) == ([], [])
        assert problems() == []


async def test_a_caller_that_is_cancelled_while_the_link_closes_is_cancelled() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        caller = asyncio.create_task(link.send(REQUEST))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(link.close())
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await closing


async def test_a_closing_that_is_cancelled_has_closed_the_port() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        caller = asyncio.create_task(link.send(REQUEST))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(link.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, caller, return_exceptions=True)
        assert not link.is_open
        assert peer.transport
        assert peer.transport.is_closing()


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
async def test_a_closed_link_takes_no_command(verb: Verb) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        await link.close()
        with pytest.raises(PortError):
            await verb(link)
        assert not peer.commands
        # Closing once more does no harm.
        await link.close()


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("after_s", [0.2, 1.0])
async def test_a_port_that_is_lost_ends_whatever_is_under_way(
    verb: Verb, after_s: float, problems: Callable[[], list[str]]
) -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        peer.answers_anew("SKJOIN", 0.5, OK, 2.0, event(0x25))
        heard = Heard(link)
        caller = asyncio.create_task(verb(link))
        await asyncio.sleep(after_s)
        if caller.done():
            await caller
        peer.unplug()
        began = now()
        if not caller.done():
            with pytest.raises(PortError, match="lost"):
                await caller
        assert now() == began
        await turn()
        assert heard.events == [LinkEvent.LOST]
        assert not link.is_open
        del caller
        assert problems() == []


async def test_a_port_that_is_lost_before_anyone_listens_is_told_by_the_next_command() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.unplug()
        await turn()
        with pytest.raises(PortError):
            await link.prepare(CREDENTIALS)


async def test_the_meters_network_is_not_shown() -> None:
    network = Network(channel=0x21, pan_id=0xB5FB, mac=NETWORK.mac, lqi=0xE1, pairing_id="CCDDEEFF")
    assert repr(network) == "Network(channel=33, lqi=225)"
