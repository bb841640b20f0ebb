"""The driver: datagrams sent and received, and what the module reports by itself."""

import pytest

from custom_components.broute.aiobroute.exceptions import BrouteError, NotJoinedError, NotSentError
from custom_components.broute.aiobroute.link.base import LinkEvent
from custom_components.broute.aiobroute.link.skstack.driver import SENT_TIMEOUT_S

from .dialogue import CREDENTIALS, NOT_SENT, POWER, REQUEST, SEARCHED, SENT, datagram, event, seconds
from .peer import NETWORK, OK, Heard, Piece, dual_stack, identified, joined, turn
from .wire import METER_ADDRESS, METER_MAC

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]


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


async def test_a_transmission_whose_end_is_reported_twice_has_ended_as_it_did_first() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", SENT, NOT_SENT, OK, OK, "FAIL ER10")
        assert await seconds(link.send(REQUEST)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("cut", [f"EVENT 21 {METER_ADDRESS} 0 0", f"EVENT 21 {METER_ADDRESS} 0", "EVENT 21"])
async def test_a_result_that_was_cut_is_no_success(cut: str) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", OK, cut, 2.5, NOT_SENT)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)


async def test_a_transmission_without_a_result_is_left_to_the_meters_answer() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", OK)
        assert await seconds(link.send(REQUEST)) == pytest.approx(SENT_TIMEOUT_S, abs=0.1)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ("FAIL ER10", NotJoinedError),
        ("FAIL ER05", NotSentError),
        ("FAIL ER06", NotSentError),
        ("FAIL ER09", NotSentError),
        ("FAIL", NotSentError),
    ],
)
async def test_a_transmission_that_the_module_refuses_is_not_tried_again(
    refusal: str, error: type[BrouteError]
) -> None:
    """ER10: there is no session (protocol 3.6). Anything else was spoilt on the way, data included."""
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", refusal)
        peer.answers("SKSENDTO", SENT, OK)
        with pytest.raises(error):
            await link.send(REQUEST)
        assert peer.names == ["SKSENDTO"]
        # The data may have been taken for commands, each with a refusal of its own.
        peer.say("FAIL ER04")
        await link.send(REQUEST)
        assert peer.names == ["SKSENDTO", "SKVER", "SKSENDTO"]


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


@pytest.mark.parametrize(
    ("line", "encrypted", "signal"),
    [
        (datagram(), True, (None, None)),
        (datagram(flags="1"), True, (None, None)),
        (datagram(flags="DD 1 0"), True, (-43.5, 0xDD)),
        (datagram(flags="00 1 0"), True, (-104.3, 0x00)),
        (datagram(flags="0 0"), False, (None, None)),
        (datagram(flags="DD 0 0"), False, (-43.5, 0xDD)),
    ],
    ids=["dual", "single", "with LQI", "with the least LQI", "plain", "plain with LQI"],
)
async def test_a_datagram_is_delivered_as_it_was_heard(
    line: str, encrypted: bool, signal: tuple[float | None, int | None]
) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(line)
        await turn()
        (received,) = heard.datagrams
        assert received.mac == NETWORK.mac
        assert (received.encrypted, (received.rssi_dbm, received.lqi)) == (encrypted, signal)
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
