"""The driver: every request answered, refused, answered late or not at all, and what the module says by itself."""

import asyncio
import logging
import re

import pytest

from custom_components.broute.aiobroute.exceptions import (
    BrouteError,
    CommandNotSupportedError,
    CommandRefusedError,
    CredentialsRefusedError,
    ExecutionFailedError,
    InvalidArgumentError,
    MeterSilentError,
    ModuleError,
    ModuleSilentError,
    NotJoinedError,
    NotSentError,
    SerialInputError,
    WrongArgumentCountError,
)
from custom_components.broute.aiobroute.link.base import Dialect, Drop, LinkEvent, Module, Network
from custom_components.broute.aiobroute.link.j11 import commands
from custom_components.broute.aiobroute.link.j11.commands import ANSWER_WAIT_S
from custom_components.broute.aiobroute.link.j11.driver import JOIN_LIMIT_S, MAX_BEACONS, START_LIMIT_S
from custom_components.broute.aiobroute.link.j11.requester import BUSY_PAUSE_S, FRAME_GAP_S
from tests.aiobroute.link.dialogue import seconds
from tests.aiobroute.link.peer import Heard, Piece, now, turn
from tests.captures import frames, notes

from .module import (
    AUTHENTICATED,
    CONNECTED,
    CREDENTIALS,
    END_PANA,
    END_ROUTE_B,
    GET_POWER,
    IDLE,
    INITIALIZE,
    JOINED,
    METER_ADDRESS,
    METER_MAC,
    NETWORK,
    OPEN_PORT,
    PAN_ID,
    POWER,
    REFUSED,
    RESET,
    SCAN,
    SEND,
    SENT,
    SET_CREDENTIALS,
    START_PANA,
    START_ROUTE_B,
    STARTED,
    STATUS,
    UNANSWERED,
    VERSION,
    J11Peer,
    beacon,
    change,
    datagram,
    frame,
    identified,
    joined,
    nobody,
    prepared,
    response,
)

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]

STRANGER = bytes.fromhex("0050C2FFFE000001")


# The whole session of the maker's note.


async def test_20_is_found_joined_and_read() -> None:
    said = {step.label: step.data for step in frames(20)}
    peer = J11Peer()
    peer.answers_anew(RESET, 0.5, said["F2"])
    peer.answers(INITIALIZE, said["F4"])
    peer.answers(SET_CREDENTIALS, said["F6"])
    peer.answers(SCAN, 2.0, said["F8a"], 2.0, said["F8b"], 2.0, said["F9"])
    peer.answers_anew(START_ROUTE_B, 1.0, said["F13"])
    peer.answers(OPEN_PORT, said["F15"])
    peer.answers_anew(START_PANA, said["F17"], 4.0, said["F18"], said["F19"])
    peer.answers_anew(SEND, 0.9, said["F21"], said["F22"])
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        (network,) = await link.scan(6)
        assert network == NETWORK
        assert await seconds(link.join(network)) == pytest.approx(5.0, abs=0.01)
        payload = said["F20"][-16:]
        await link.send(payload)
        await turn()
        assert heard.events == [LinkEvent.JOINED]
        assert heard.drops == []
        assert [(found.mac, found.encrypted, found.rssi_dbm) for found in heard.datagrams] == [
            (METER_MAC, True, -34.0),
            (METER_MAC, True, -53.0),
        ]
        assert heard.payloads == [said["F19"][39:], said["F22"][39:]]
    asked = [step.data for step in frames(20) if step.side == "host"]
    assert [command for command in peer.commands if command[4:6] != bytes.fromhex(STATUS)] == asked


SEEN = [match.groups() for line in notes(23) if (match := re.match(r"(\d{4}) result ([0-9A-F]{2}) :", line))]


async def test_the_results_of_23_have_their_reactions() -> None:
    assert SEEN == [("2005", "0A"), ("2053", "0E")]
    peer = J11Peer()
    async with prepared(peer) as link:
        peer.answers(OPEN_PORT, response(OPEN_PORT, 0x0A))
        await link.join(NETWORK)
        peer.answers_anew(START_ROUTE_B, response(START_ROUTE_B, 0x0E))
        with pytest.raises(MeterSilentError):
            await link.join(NETWORK)


# Identifying and preparing.


async def test_a_module_tells_its_version() -> None:
    """The numbers are those of capture 22."""
    async with identified(J11Peer()) as link:
        assert link.module == Module(
            dialect=Dialect.J11, version="1.3.158A", application_version="0400", hex_payload=False
        )
        assert link.is_open


async def test_a_module_is_prepared_from_a_reset() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(0.5, abs=0.01)
        assert heard.events == []
    assert peer.requests == [RESET, INITIALIZE, SET_CREDENTIALS]
    assert peer.commands[1][12:] == bytes.fromhex("05 00 04 00")


async def test_a_reset_that_was_lost_on_the_wire_is_ordered_again() -> None:
    peer = J11Peer()
    peer.answers_anew(RESET)
    peer.answers(RESET, 0.5, STARTED)
    async with identified(peer) as link:
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(START_LIMIT_S + 0.5, abs=0.01)
    assert peer.requests[:2] == [RESET, RESET]


async def test_a_module_that_does_not_start_again_is_told() -> None:
    peer = J11Peer()
    peer.answers_anew(RESET)
    async with identified(peer) as link:
        began = now()
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        assert now() - began == pytest.approx(2 * START_LIMIT_S, abs=0.01)


async def test_credentials_whose_first_answer_was_lost_are_set() -> None:
    peer = J11Peer()
    peer.answers(SET_CREDENTIALS)
    peer.answers(SET_CREDENTIALS, response(SET_CREDENTIALS, 0x58))
    async with identified(peer) as link:
        await link.prepare(CREDENTIALS)
    assert peer.requests.count(SET_CREDENTIALS) == 2


# Answers.


REFUSALS = [
    (0x03, CommandNotSupportedError),
    (0x04, InvalidArgumentError),
    (0x06, InvalidArgumentError),
    (0x11, WrongArgumentCountError),
    (0x10, ExecutionFailedError),
    (0x14, ExecutionFailedError),
    (0x59, ExecutionFailedError),
]


@pytest.mark.parametrize(("result", "error"), REFUSALS)
async def test_a_refusal_is_an_error_of_its_reason_and_is_not_asked_again(
    result: int, error: type[CommandRefusedError]
) -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, response(INITIALIZE, result))
    async with identified(peer) as link:
        with pytest.raises(CommandRefusedError, match=f"INITIALIZE with result {result:02X}") as raised:
            await link.prepare(CREDENTIALS)
        assert type(raised.value) is error
    assert peer.requests == [RESET, INITIALIZE]


async def test_a_command_that_the_module_does_not_know_is_told_as_such() -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, frame(0xFFFF))
    async with identified(peer) as link:
        with pytest.raises(CommandNotSupportedError):
            await link.prepare(CREDENTIALS)


SPOILT = [
    *(response(INITIALIZE, result) for result in (0xF0, 0xF1, 0xF2, 0xF3, 0x13)),
    frame(0x2FFF, "F0"),
    frame(0x2FFF, "F1"),
]


@pytest.mark.parametrize("answer", SPOILT, ids=lambda answer: answer[4:6].hex() + answer[12:].hex())
async def test_a_request_that_was_spoilt_on_the_wire_is_made_again_once(answer: bytes) -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, answer)
    peer.answers(INITIALIZE, response(INITIALIZE))
    async with identified(peer) as link:
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(0.5, abs=0.01)
        assert peer.requests == [RESET, INITIALIZE, INITIALIZE, SET_CREDENTIALS]
        peer.answers_anew(INITIALIZE, answer)
        peer.commands.clear()
        with pytest.raises(SerialInputError):
            await link.prepare(CREDENTIALS)
        assert peer.requests == [RESET, INITIALIZE, INITIALIZE]


async def test_a_module_that_was_busy_is_asked_again_a_second_later() -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, response(INITIALIZE, 0x3D))
    peer.answers(INITIALIZE, response(INITIALIZE))
    async with identified(peer) as link:
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(0.5 + BUSY_PAUSE_S, abs=0.01)
        peer.answers_anew(INITIALIZE, response(INITIALIZE, 0x3D))
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)


async def test_a_request_that_stays_unanswered_is_made_again_once() -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE)
    peer.answers(INITIALIZE, response(INITIALIZE))
    async with identified(peer) as link:
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(0.5 + ANSWER_WAIT_S, abs=0.01)
        assert ANSWER_WAIT_S < 3
        peer.answers_anew(INITIALIZE)
        began = now()
        with pytest.raises(ModuleSilentError, match="INITIALIZE"):
            await link.prepare(CREDENTIALS)
        assert now() - began == pytest.approx(0.5 + 2 * ANSWER_WAIT_S, abs=0.01)


async def test_the_answer_to_an_earlier_request_is_not_that_to_this_one() -> None:
    peer = J11Peer()
    peer.answers(SET_CREDENTIALS, response(INITIALIZE), response(SET_CREDENTIALS, 0x59))
    async with identified(peer) as link:
        heard = Heard(link)
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)
        assert heard.drops == [Drop.UNEXPECTED]


async def test_a_second_answer_to_the_same_request_is_dropped() -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, response(INITIALIZE) + response(INITIALIZE, 0x04))
    async with identified(peer) as link:
        await link.prepare(CREDENTIALS)


async def test_what_nothing_waits_for_is_dropped_and_counted() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(response(INITIALIZE), frame(0xFFFF), frame(0x2FFF, "F0"), frame(0x60D1, "00"), datagram())
        await turn()
        assert heard.drops == [Drop.UNEXPECTED] * 4
        # What comes in the same piece is not lost with it.
        assert heard.payloads == [POWER]


@pytest.mark.parametrize("spoilt", [b"\0" * 5000, datagram()[:-1] + b"\xff", b"EVENT 25 FE80::1\r\n"])
async def test_noise_is_dropped_and_counted_and_the_answer_behind_it_is_read(spoilt: bytes) -> None:
    peer = J11Peer()
    peer.answers(INITIALIZE, spoilt, response(INITIALIZE))
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        assert heard.drops == [Drop.GARBLED]
        assert heard.datagrams == []


async def test_a_frame_that_no_module_can_mean_is_counted_as_overlong() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(frame(0x6018, bytes(1400)))
        await turn()
        assert heard.drops == [Drop.OVERLONG]


async def test_a_frame_without_its_end_does_not_swallow_what_comes_a_second_later() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(datagram()[:-3], FRAME_GAP_S + 0.1, datagram())
        # It is told before anything else comes: it may have been an answer that is waited for.
        await asyncio.sleep(FRAME_GAP_S + 0.05)
        assert (heard.payloads, heard.drops) == ([], [Drop.GARBLED])
        await asyncio.sleep(0.1)
        assert (heard.payloads, heard.drops) == ([POWER], [Drop.GARBLED])


async def test_a_frame_may_come_in_pieces() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        whole = datagram()
        pause = FRAME_GAP_S - 0.1
        peer.say(whole[:5], pause, whole[5:20], pause, whole[20:40], pause, whole[40:])
        await asyncio.sleep(3 * pause + 0.1)
        assert (heard.payloads, heard.drops) == ([POWER], [])


async def test_a_pause_between_two_frames_is_no_fault() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(datagram(), 60.0, datagram())
        await asyncio.sleep(61)
        assert (heard.payloads, heard.drops) == ([POWER, POWER], [])


# Scanning.


async def test_a_scan_gives_every_meter_that_answered_to_the_pairing_id() -> None:
    peer = J11Peer()
    second = bytes.fromhex("001D129012345678")
    peer.answers(SCAN, nobody(4), 1.0, beacon(5), 1.0, beacon(17, second, 0x8888, 0x98), 0.5, response(SCAN))
    async with prepared(peer) as link:
        assert await link.scan(7) == [
            Network(channel=35, pan_id=0xBCDE, mac=METER_MAC, rssi_dbm=-34.0, pairing_id="CCDDEEFF"),
            Network(channel=59, pan_id=0x8888, mac=second, rssi_dbm=-104.0, pairing_id="CCDDEEFF"),
        ]
    assert peer.commands[-1][12:] == bytes.fromhex("07 0003FFF0 01") + b"CCDDEEFF"


async def test_a_scan_that_hears_nobody_is_empty_and_keeps_nothing_of_the_one_before() -> None:
    peer = J11Peer()
    peer.answers(SCAN, beacon(5), response(SCAN))
    peer.answers(SCAN, nobody(5), response(SCAN))
    async with prepared(peer) as link:
        assert len(await link.scan(4)) == 1
        peer.say(beacon(6))
        await turn()
        assert await link.scan(4) == []


async def test_a_scan_keeps_no_more_than_a_few_hundred_meters() -> None:
    peer = J11Peer()
    peer.answers(SCAN, *(beacon(5) for _ in range(MAX_BEACONS + 10)), response(SCAN))
    async with prepared(peer) as link:
        assert len(await link.scan(4)) == MAX_BEACONS


@pytest.mark.parametrize("duration", [1, 6, 8])
async def test_a_scan_without_an_end_is_given_up_after_its_time_and_not_begun_again(duration: int) -> None:
    peer = J11Peer()
    peer.answers(SCAN, nobody(4))
    async with prepared(peer) as link:
        began = now()
        with pytest.raises(ModuleSilentError, match="SCAN"):
            await link.scan(duration)
        assert now() - began == pytest.approx(commands.scan_time_s(duration) + commands.SCAN_SLACK_S, abs=0.01)
    assert peer.requests.count(SCAN) == 1


async def test_a_module_that_was_not_told_whom_to_scan_for_does_not_scan() -> None:
    peer = J11Peer()
    async with identified(peer) as link:
        with pytest.raises(ModuleError):
            await link.scan(6)
    assert not peer.requests


async def test_a_scan_ends_what_an_earlier_join_left() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(STATUS, response(STATUS, 1, "03 02 01"))
        await link.scan(4)
    assert peer.requests == [STATUS, END_ROUTE_B, SCAN]


# Joining.


async def test_a_join_takes_the_channel_that_was_heard() -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        heard = Heard(link)
        assert await seconds(link.join(NETWORK)) == pytest.approx(0.5, abs=0.01)
        assert heard.events == [LinkEvent.JOINED]
    assert peer.requests == [STATUS, INITIALIZE, START_ROUTE_B, OPEN_PORT, START_PANA]
    assert peer.commands[1][12:] == bytes.fromhex("05 00 0C 00")
    assert peer.commands[3][12:] == bytes.fromhex("0E1A")


@pytest.mark.parametrize("route_b", ["02", "03"])
async def test_a_join_ends_what_was_joined_before(route_b: str) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(STATUS, response(STATUS, 1, f"03 {route_b} 01"))
        await link.join(NETWORK)
    assert peer.requests == [STATUS, END_ROUTE_B, INITIALIZE, START_ROUTE_B, OPEN_PORT, START_PANA]


FAILURES: list[tuple[str, tuple[Piece, ...], type[BrouteError], float]] = [
    (START_ROUTE_B, (2.5, response(START_ROUTE_B, 0x0E)), MeterSilentError, 2.5),
    (START_ROUTE_B, (response(START_ROUTE_B, 0x10),), ExecutionFailedError, 0),
    (START_ROUTE_B, (response(START_ROUTE_B, 1, f"0C BCDF {METER_MAC.hex()} DE"),), MeterSilentError, 0),
    (START_ROUTE_B, (response(START_ROUTE_B, 1, f"0C BCDE {STRANGER.hex()} DE"),), MeterSilentError, 0),
    (OPEN_PORT, (response(OPEN_PORT, 0x12),), ExecutionFailedError, 0),
    (START_PANA, (response(START_PANA, 0x51),), ExecutionFailedError, 0),
    (START_PANA, (response(START_PANA), 12.0, REFUSED), CredentialsRefusedError, 12.0),
    (START_PANA, (response(START_PANA), 40.0, UNANSWERED), MeterSilentError, 40.0),
    (START_PANA, (response(START_PANA),), MeterSilentError, JOIN_LIMIT_S),
    (START_PANA, (), ModuleSilentError, 2 * ANSWER_WAIT_S),
]


@pytest.mark.parametrize(("request_", "answer", "error", "after_s"), FAILURES)
async def test_a_join_that_fails_says_why_and_leaves_a_module_that_can_join(
    request_: str, answer: tuple[Piece, ...], error: type[BrouteError], after_s: float
) -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        peer.answers_anew(request_, *answer)
        began = now()
        with pytest.raises(BrouteError) as raised:
            await link.join(NETWORK)
        assert type(raised.value) is error
        assert now() - began == pytest.approx(after_s, abs=0.01)
        assert peer.requests[-1] == END_ROUTE_B
        peer.answers_anew(START_ROUTE_B, CONNECTED)
        peer.answers_anew(OPEN_PORT, response(OPEN_PORT))
        peer.answers_anew(START_PANA, response(START_PANA), JOINED)
        await link.join(NETWORK)


async def test_a_failed_authentication_is_an_event_too() -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        heard = Heard(link)
        peer.answers_anew(START_PANA, response(START_PANA), 1.0, REFUSED)
        with pytest.raises(CredentialsRefusedError):
            await link.join(NETWORK)
        assert heard.events == [LinkEvent.JOIN_FAILED]


async def test_the_limit_of_a_join_is_practical() -> None:
    """Protocol 4.5: 60 to 120 s."""
    assert 60 <= JOIN_LIMIT_S <= 120


@pytest.mark.parametrize("channel", [34, 60])
async def test_a_channel_that_the_module_does_not_have_is_not_joined(channel: int) -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        with pytest.raises(MeterSilentError):
            await link.join(Network(channel=channel, pan_id=1, mac=METER_MAC, rssi_dbm=-40.0, pairing_id=None))
    assert not peer.requests


async def test_an_authentication_that_ends_before_it_was_answered_has_ended() -> None:
    peer = J11Peer()
    peer.answers_anew(START_PANA, JOINED, 0.2, response(START_PANA))
    async with prepared(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(0.2, abs=0.01)


async def test_an_authentication_that_is_reported_twice_has_ended_as_it_did_first() -> None:
    peer = J11Peer()
    peer.answers_anew(START_PANA, response(START_PANA) + JOINED + REFUSED)
    async with prepared(peer) as link:
        await link.join(NETWORK)


@pytest.mark.parametrize("result", [0x52, 0x35])
async def test_an_authentication_whose_first_answer_was_lost_goes_on(result: int) -> None:
    peer = J11Peer()
    peer.answers_anew(START_PANA, 1.0, JOINED)
    peer.answers(START_PANA, response(START_PANA, result))
    async with prepared(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(ANSWER_WAIT_S, abs=0.01)


async def test_a_connection_whose_answer_was_lost_is_made_anew() -> None:
    """What it told, the meter and its network, must be known."""
    peer = J11Peer()
    peer.answers_anew(START_ROUTE_B)
    peer.answers(START_ROUTE_B, response(START_ROUTE_B, 0x34))
    peer.answers(START_ROUTE_B, CONNECTED)
    async with prepared(peer) as link:
        await link.join(NETWORK)
    assert peer.requests[2:6] == [START_ROUTE_B, START_ROUTE_B, END_ROUTE_B, START_ROUTE_B]


# Taking up.


@pytest.mark.parametrize(
    ("status", "pan_id", "held"),
    [
        (AUTHENTICATED, response(PAN_ID, 1, "BCDE"), True),
        (AUTHENTICATED, response(PAN_ID, 1, "BCDF"), False),
        (AUTHENTICATED, response(PAN_ID, 0x10), False),
        (IDLE, response(PAN_ID, 1, "BCDE"), False),
        (response(STATUS, 1, "03 02 01"), response(PAN_ID, 1, "BCDE"), False),
        (response(STATUS, 1, "02 03 01"), response(PAN_ID, 1, "BCDE"), False),
        (response(STATUS, 0x14), response(PAN_ID, 1, "BCDE"), False),
    ],
    ids=["held", "another network", "no network", "idle", "not authenticated", "not started", "no status"],
)
async def test_a_session_is_taken_up_if_the_module_holds_one_with_the_meter(
    status: bytes, pan_id: bytes, *, held: bool
) -> None:
    peer = J11Peer()
    peer.answers_anew(STATUS, status)
    peer.answers(PAN_ID, pan_id)
    peer.answers(OPEN_PORT, response(OPEN_PORT, 0x0A))
    async with identified(peer) as link:
        heard = Heard(link)
        assert await link.take_up(NETWORK) is held
        if held:
            await link.send(GET_POWER)
        else:
            with pytest.raises(NotJoinedError):
                await link.send(GET_POWER)
        peer.say(change(4))
        await turn()
        assert heard.events == ([LinkEvent.ENDED_BY_METER] if held else [])


async def test_a_session_that_is_taken_up_hears_the_meter() -> None:
    peer = J11Peer()
    peer.answers_anew(STATUS, AUTHENTICATED)
    peer.answers(PAN_ID, response(PAN_ID, 1, "BCDE"))
    async with identified(peer) as link:
        assert await link.take_up(NETWORK)
        assert peer.requests == [STATUS, PAN_ID, OPEN_PORT]
        assert peer.commands[-1][12:] == bytes.fromhex("0E1A")
        # Asked again, only to see whether all is as it was.
        peer.commands.clear()
        assert await link.take_up(NETWORK)
    assert peer.requests == [STATUS, PAN_ID]


# Sending.


async def test_a_datagram_is_sent_encrypted_to_the_joined_meter() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        await link.send(GET_POWER)
    (command,) = peer.commands
    assert command[12:] == METER_ADDRESS + bytes.fromhex("0E1A 0E1A 000E") + GET_POWER


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        ("02", "limit of transmission time"),
        ("03", "air is busy"),
        ("05", "did not acknowledge"),
        ("08", "reason 8"),
        ("0F", "queued"),
        ("1F", "queued"),
        ("12", "limit of transmission time"),
    ],
)
async def test_a_datagram_that_is_not_sent_is_told_with_its_reason(detail: str, why: str) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND, response(SEND, 1, detail + "1081000105"))
        with pytest.raises(NotSentError, match=why):
            await link.send(GET_POWER)
        peer.answers_anew(SEND, SENT)
        await link.send(GET_POWER)


async def test_nothing_is_sent_that_may_not_be_sent_any_more_when_its_turn_has_come() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        assert not await link.send(GET_POWER, lambda: False)
        assert peer.commands == []
        assert await link.send(GET_POWER)


async def test_only_the_low_digit_of_the_detail_says_whether_it_was_sent() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND, response(SEND, 1, "20 1081000105"))
        await link.send(GET_POWER)


@pytest.mark.parametrize("result", [0x02, 0x06, 0x0B, 0x0F, 0x10, 0x37, 0x53])
async def test_a_module_without_a_session_says_so(result: int) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND, response(SEND, result))
        with pytest.raises(NotJoinedError):
            await link.send(GET_POWER)
    assert peer.requests == [SEND]


@pytest.mark.parametrize("result", [0x04, 0x11, 0x13, 0x3D, 0xF0, 0xF1])
async def test_a_transmission_that_was_refused_or_spoilt_is_left_to_the_caller(result: int) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND, response(SEND, result))
        with pytest.raises(NotSentError, match=f"{result:02X}"):
            await link.send(GET_POWER)
    assert peer.requests == [SEND]


async def test_a_transmission_whose_end_is_not_told_is_left_to_the_meters_answer() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND)
        assert await seconds(link.send(GET_POWER)) == pytest.approx(8.0, abs=0.01)
    assert peer.requests == [SEND, VERSION]


async def test_a_module_that_falls_silent_while_it_sends_is_told() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.answers_anew(SEND)
        peer.answers_anew(VERSION)
        with pytest.raises(ModuleSilentError):
            await link.send(GET_POWER)


async def test_the_end_of_an_earlier_transmission_is_not_that_of_this_one() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        heard = Heard(link)
        late = response(SEND, 1, "00 1081000005")
        peer.answers_anew(SEND, late, 0.5, response(SEND, 1, "03 1081000105"))
        with pytest.raises(NotSentError):
            await link.send(GET_POWER)
        assert heard.drops == [Drop.UNEXPECTED]


async def test_nothing_is_sent_before_a_join() -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        with pytest.raises(NotJoinedError):
            await link.send(GET_POWER)
    assert not peer.requests


@pytest.mark.parametrize("end", [change(3), change(4), REFUSED, STARTED])
async def test_nothing_is_sent_unencrypted_when_the_session_has_ended(end: bytes) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.say(end)
        await turn()
        with pytest.raises(NotJoinedError):
            await link.send(GET_POWER)
        assert not peer.requests
        await link.prepare(CREDENTIALS)
        await link.join(NETWORK)
        await link.send(GET_POWER)


async def test_nothing_is_sent_when_the_session_was_left() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        await link.leave()
        with pytest.raises(NotJoinedError):
            await link.send(GET_POWER)


# Leaving.


async def test_a_session_is_left_in_order() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.answers(END_PANA, change(4), response(END_PANA))
        peer.answers(END_ROUTE_B, change(3), response(END_ROUTE_B))
        await link.leave()
        assert heard.events == []
    assert peer.requests == [END_PANA, END_ROUTE_B]


@pytest.mark.parametrize("result", [0x0F, 0x10, 0x37])
async def test_a_session_that_is_none_is_left_without_complaint(result: int) -> None:
    peer = J11Peer()
    peer.answers(END_PANA, response(END_PANA, result))
    peer.answers(END_ROUTE_B, response(END_ROUTE_B, result))
    async with prepared(peer) as link:
        await link.leave()
    assert peer.requests == [END_PANA, END_ROUTE_B]


# What the module says by itself.


@pytest.mark.parametrize(
    ("said", "events"),
    [
        (JOINED, [LinkEvent.JOINED]),
        (REFUSED, [LinkEvent.JOIN_FAILED]),
        (UNANSWERED, [LinkEvent.JOIN_FAILED]),
        (change(1), []),
        (change(2), []),
        (change(3), [LinkEvent.ENDED_BY_METER]),
        (change(4), [LinkEvent.ENDED_BY_METER]),
        (change(4) + change(3), [LinkEvent.ENDED_BY_METER]),
        (change(3, STRANGER) + change(4, STRANGER), []),
        (REFUSED + change(4), [LinkEvent.JOIN_FAILED]),
        (STARTED, [LinkEvent.RESET]),
        (STARTED + change(3), [LinkEvent.RESET]),
    ],
)
async def test_what_happens_to_the_session_is_told(said: bytes, events: list[LinkEvent]) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.say(said)
        await turn()
        assert heard.events == events
        assert heard.drops == []


@pytest.mark.parametrize("said", [change(3), change(4)])
async def test_without_a_session_none_can_end(said: bytes) -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        heard = Heard(link)
        peer.say(said)
        await turn()
        assert heard.events == []
        await link.join(NETWORK)
        await link.prepare(CREDENTIALS)
        heard.events.clear()
        peer.say(said)
        await turn()
        assert heard.events == []


@pytest.mark.parametrize("busy_with", [START_ROUTE_B, START_PANA])
async def test_a_module_that_starts_anew_while_it_joins_is_told_at_once(busy_with: str) -> None:
    peer = J11Peer()
    async with prepared(peer) as link:
        heard = Heard(link)
        first = (response(START_PANA),) if busy_with == START_PANA else ()
        peer.answers_anew(busy_with, *first, 1.0, STARTED)
        peer.answers(END_ROUTE_B, response(END_ROUTE_B, 0x10))
        began = now()
        with pytest.raises(ModuleError, match="started anew"):
            await link.join(NETWORK)
        assert now() - began == pytest.approx(1.0, abs=0.01)
        assert heard.events == [LinkEvent.RESET]


async def test_datagrams_are_delivered_with_what_the_module_says_of_them() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.say(datagram(), datagram(encryption=1, rssi=0x9C))
        await turn()
        assert [(found.mac, found.encrypted, found.rssi_dbm, found.payload) for found in heard.datagrams] == [
            (METER_MAC, True, -53.0, POWER),
            (METER_MAC, False, -100.0, POWER),
        ]


@pytest.mark.parametrize(
    ("said", "drops"),
    [
        (datagram(ports="0E1A 0E1B"), [Drop.WRONG_PORT]),
        (datagram(ports="0E1B 0E1A"), [Drop.WRONG_PORT]),
        (datagram(ports="02CC 02CC"), []),
        (datagram(ports="02CC 0E1A"), [Drop.WRONG_PORT]),
        (datagram(sender=bytes.fromhex("FD800000000000000250C2FFFEDC2822")), [Drop.STRANGER]),
        (datagram(sender=bytes.fromhex("FE800000000000010250C2FFFEDC2822")), [Drop.STRANGER]),
        (frame(0x6038, "01" + METER_ADDRESS.hex()), [Drop.MALFORMED]),
        (frame(0x6018, "00"), [Drop.GARBLED]),
    ],
)
async def test_what_is_not_used_is_counted(said: bytes, drops: list[Drop]) -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.say(said)
        await turn()
        assert (heard.datagrams, heard.drops) == ([], drops)


async def test_neither_credentials_nor_addresses_nor_payloads_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer = J11Peer()
    peer.answers(SCAN, beacon(12), response(SCAN))
    async with prepared(peer) as link:
        Heard(link)
        await link.scan(6)
        await link.join(NETWORK)
        await link.send(GET_POWER)
        peer.say(datagram(), datagram(sender=bytes(16)), change(3), b"x" + METER_MAC, frame(0x6038, "01" * 9))
        await turn()
        peer.answers_anew(SET_CREDENTIALS, response(SET_CREDENTIALS, 4))
        with pytest.raises(InvalidArgumentError) as raised:
            await link.prepare(CREDENTIALS)
    assert "SET_CREDENTIALS" in caplog.text
    shown = (caplog.text + str(raised.value)).upper()
    for secret in (METER_MAC, METER_ADDRESS, POWER, GET_POWER):
        assert secret.hex().upper() not in shown
        assert repr(secret)[2:-1].upper() not in shown
    for text in (CREDENTIALS.password, CREDENTIALS.route_b_id, CREDENTIALS.pairing_id):
        assert text not in shown
