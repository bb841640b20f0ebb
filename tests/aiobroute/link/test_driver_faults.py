"""The driver: answers and events that are lost, spoilt or late on the wire, and what that costs."""

import pytest

from custom_components.broute.aiobroute.exceptions import (
    ExecutionFailedError,
    MeterSilentError,
    ModuleSilentError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
)
from custom_components.broute.aiobroute.link.base import Dialect, Drop, LinkEvent
from custom_components.broute.aiobroute.link.identify import identify
from custom_components.broute.aiobroute.link.skstack import commands
from custom_components.broute.aiobroute.link.skstack.console import COMMAND_TIMEOUT_S, SEND_TIMEOUT_S
from custom_components.broute.aiobroute.link.skstack.driver import JOIN_TIMEOUT_S, MAX_NETWORKS, SCAN_SLACK_S

from .dialogue import CREDENTIALS, NO_METER, NOT_SENT, REQUEST, SEARCHED, SENT, datagram, event, pan, seconds
from .peer import NETWORK, OK, URL, Heard, Piece, dual_stack, identified, joined, now, single_stack, turn
from .wire import METER_ADDRESS, METER_MAC, OWN_ADDRESS

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]

STRANGER = {"sender": "FE80:0000:0000:0000:021D:1290:0000:0001", "mac": "001D129000000001"}


# Answers.


@pytest.mark.parametrize("command", ["SKRESET", "SKSREG SFE", "SKSREG SA2", "SKSETPWD", "SKSETRBID"])
@pytest.mark.parametrize(
    ("answer", "drops"),
    [
        ((), []),
        ((b"\r\n",), []),
        (("O",), [Drop.GARBLED]),
        (("OL",), [Drop.GARBLED]),
        ((b"\xcf\x4b\r\n",), [Drop.GARBLED]),
        ((b"O\x00K\r\n",), [Drop.GARBLED]),
        ((b"OK",), [Drop.GARBLED]),
        (("FAIL ER",), [Drop.GARBLED]),
    ],
    ids=repr,
)
async def test_a_command_whose_answer_is_lost_or_spoilt_is_asked_again_once(
    command: str, answer: tuple[Piece, ...], drops: list[Drop]
) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers(command, *answer)
        peer.answers(command, OK)
        peer.commands.clear()
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(COMMAND_TIMEOUT_S, abs=0.1)
        assert [line for line in peer.commands if line.startswith(command.encode())][1:]
        assert len(peer.names) == len(["SKVER", command]) + 5
        assert heard.drops == drops


async def test_a_refusal_that_the_wire_made_is_not_believed() -> None:
    """A line that noise cut in two is refused twice, and the second refusal is not the answer to the repeat."""
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKSETPWD", "FAIL ER05", 0.002, "FAIL ER04")
        peer.answers("SKSETPWD", 0.01, OK)
        peer.answers_anew("SKVER", 0.005, "EVER 1.5.2", OK)
        peer.commands.clear()
        await link.prepare(CREDENTIALS)
        assert peer.names[-4:] == ["SKSETPWD", "SKVER", "SKSETPWD", "SKSETRBID"]


async def test_an_answer_that_was_late_even_for_the_question_that_settles_it_is_no_other_commands() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers_anew("SKRESET")
        peer.answers_anew("SKVER", COMMAND_TIMEOUT_S + 0.5, "EVER 1.5.2", OK)
        with pytest.raises(ModuleSilentError):
            await link.prepare(CREDENTIALS)
        # The next question gets the answer to the one before; its own comes when the reset was already asked for.
        peer.answers_anew("SKVER", 0.7, "EVER 1.5.2", 0.1, OK)
        peer.answers_anew("SKRESET", 0.5, "FAIL ER10")
        peer.commands.clear()
        with pytest.raises(ExecutionFailedError):
            await link.prepare(CREDENTIALS)
        assert peer.names == ["SKVER", "SKRESET"]
        assert heard.drops == [Drop.UNEXPECTED] * 2


async def test_an_answer_of_which_both_copies_come_at_once_is_one() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers_anew("SKINFO", *[f"EINFO {OWN_ADDRESS} 001D1290ABCDEF01 21 8888 0", OK] * 2)
        peer.answers_anew("SKSREG SA2", 0.1, "FAIL ER10")
        with pytest.raises(ExecutionFailedError):
            await link.take_up(NETWORK)
        assert heard.drops == [Drop.UNEXPECTED] * 2


async def test_an_answer_that_was_missed_costs_the_next_but_one_nothing() -> None:
    """The OK behind data of another command is not taken; once that is over, the next is."""
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKRESET", "EVER 1.5.2", OK, OK)
        assert await seconds(link.prepare(CREDENTIALS)) == pytest.approx(0, abs=0.01)


# Scans.


async def test_a_scan_whose_ok_is_lost_goes_on_and_ends_when_it_ends() -> None:
    """A second SKSCAN is answered with OK and changes nothing, as in 14."""
    peer = dual_stack()
    peer.answers("SKSCAN", 4.0, *pan("21", METER_MAC, "80"), 1.5, NO_METER)
    peer.answers("SKSCAN", OK)
    async with identified(peer) as link:
        began = now()
        assert len(await link.scan(4)) == 1
        assert now() - began == pytest.approx(5.5, abs=0.01)
        assert peer.names[-3:] == ["SKSCAN", "SKVER", "SKSCAN"]


@pytest.mark.parametrize("answer", [(1.0, NO_METER), (1.0, *pan("21", METER_MAC, "80"), 3.0, NO_METER)])
async def test_a_scan_that_shows_by_its_events_is_not_begun_again(answer: tuple[Piece, ...]) -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", *answer)
    async with identified(peer) as link:
        took = await seconds(link.scan(1))
        assert took == pytest.approx(max(COMMAND_TIMEOUT_S, sum(x for x in answer if isinstance(x, float))), abs=0.01)
        assert peer.names.count("SKSCAN") == 1
        # Its OK may still come: the next command is preceded by a question.
        peer.commands.clear()
        await link.take_up(NETWORK)
        assert peer.names[0] == "SKVER"


async def test_a_scan_that_shows_only_while_it_is_asked_for_is_not_begun_again() -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", COMMAND_TIMEOUT_S + 0.1, *pan("21", METER_MAC, "80"), 1.0, NO_METER)
    async with identified(peer) as link:
        peer.answers_anew("SKVER", 0.2, "EVER 1.5.2", OK)
        assert len(await link.scan(4)) == 1
        assert peer.names.count("SKSCAN") == 1


async def test_a_scan_whose_answers_are_all_lost_shows_by_its_events() -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", COMMAND_TIMEOUT_S + 0.5, *pan("21", METER_MAC, "80"), 2.0, NO_METER)
    peer.answers("SKSCAN")
    async with identified(peer) as link:
        assert len(await link.scan(4)) == 1


@pytest.mark.parametrize("end", [(), (NO_METER.replace("FE80", "FE\xff0").encode("latin-1"), b"\r\n")])
async def test_a_scan_whose_end_is_lost_has_found_what_was_heard(end: tuple[Piece, ...]) -> None:
    peer = dual_stack()
    peer.answers("SKSCAN", OK, 3.0, *pan("21", METER_MAC, "80"), 2.0, *end)
    async with identified(peer) as link:
        began = now()
        assert [network.mac for network in await link.scan(4)] == [NETWORK.mac]
        assert now() - began == pytest.approx(commands.scan_time_s(4) + SCAN_SLACK_S, abs=0.1)


async def test_a_scan_keeps_no_more_than_a_scan_can_hear() -> None:
    peer = dual_stack()
    surplus = 100
    peer.answers("SKSCAN", OK, *pan("21", METER_MAC, "80") * (MAX_NETWORKS + surplus), NO_METER)
    async with identified(peer) as link:
        heard = Heard(link)
        assert len(await link.scan(4)) == MAX_NETWORKS
        assert heard.drops == [Drop.OVERLONG] * surplus


# Joins.


@pytest.mark.parametrize("sign", [SEARCHED, SENT, event(0x02)])
async def test_a_join_that_shows_by_its_events_is_not_begun_again(sign: str) -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", 0.3, sign, 2.5, event(0x25))
    async with identified(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(2.8, abs=0.01)
        assert peer.names.count("SKJOIN") == 1
        peer.commands.clear()
        await link.take_up(NETWORK)
        assert peer.names[0] == "SKVER"


async def test_a_join_that_shows_only_while_it_is_asked_for_is_not_begun_again() -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", COMMAND_TIMEOUT_S + 0.1, SENT, 5.0, event(0x25))
    async with identified(peer) as link:
        peer.answers_anew("SKVER", 0.2, "EVER 1.5.2", OK)
        await link.join(NETWORK)
        assert peer.names.count("SKJOIN") == 1


async def test_a_join_of_which_nothing_shows_is_begun_again() -> None:
    peer = dual_stack()
    peer.answers("SKJOIN", 0.3, event(0x29))
    peer.answers("SKJOIN", OK, 3.0, event(0x25))
    async with identified(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(COMMAND_TIMEOUT_S + 3.0, abs=0.01)


@pytest.mark.parametrize("flags", ["1 0", "C8 1 0"])
async def test_a_join_whose_success_is_not_reported_shows_by_what_the_meter_says(flags: str) -> None:
    """After a reset the module has no key, so that nothing encrypted can be read before the join."""
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        peer.answers("SKJOIN", OK, 3.0, datagram(flags=flags))
        assert await seconds(link.join(NETWORK)) == pytest.approx(3.0, abs=0.01)
        await turn()
        assert heard.events == [LinkEvent.JOINED]
        assert len(heard.datagrams) == 1
        # Told once: what the meter says afterwards tells nothing new.
        peer.say(datagram(flags=flags))
        await turn()
        assert heard.events == [LinkEvent.JOINED]


@pytest.mark.parametrize(
    ("line", "is_prepared"),
    [(datagram(flags="0 0"), True), (datagram(**STRANGER), True), (datagram(), False)],
    ids=["unencrypted", "a stranger's", "a key of an old session"],
)
async def test_a_join_does_not_succeed_by_what_anybody_could_say(line: str, is_prepared: bool) -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        if is_prepared:
            await link.prepare(CREDENTIALS)
        peer.answers("SKJOIN", OK, 3.0, line)
        began = now()
        with pytest.raises(MeterSilentError):
            await link.join(NETWORK)
        assert now() - began == pytest.approx(JOIN_TIMEOUT_S, abs=0.1)


async def test_a_renewal_proves_nothing_by_the_key_of_the_session_before() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        await link.prepare(CREDENTIALS)
        peer.answers("SKJOIN", OK, 1.0, event(0x25))
        peer.answers("SKJOIN", OK, 1.0, datagram(), 1.0, event(0x25))
        await link.join(NETWORK)
        assert await seconds(link.join(NETWORK)) == pytest.approx(2.0, abs=0.01)


# The end of a session.


async def test_a_session_that_the_first_of_two_attempts_ended_is_left() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKTERM")
        peer.answers("SKTERM", "FAIL ER10")
        assert await seconds(link.leave()) == pytest.approx(COMMAND_TIMEOUT_S, abs=0.1)
        assert peer.names == ["SKTERM", "SKVER", "SKTERM"]


@pytest.mark.parametrize("number", [0x27, 0x28])
async def test_a_session_whose_end_is_reported_is_not_ended_again(number: int) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKTERM", 0.5, event(number))
        assert await seconds(link.leave()) == pytest.approx(COMMAND_TIMEOUT_S, abs=0.1)
        assert peer.names == ["SKTERM"]


# Transmissions.


@pytest.mark.parametrize(
    ("answer", "took_s"),
    [((SENT,), SEND_TIMEOUT_S), ((SEARCHED, 4.0, SENT), 4.0), ((SENT, "OL"), SEND_TIMEOUT_S)],
    ids=["sent", "address resolution", "spoilt"],
)
async def test_a_transmission_that_is_reported_needs_no_ok(answer: tuple[Piece, ...], took_s: float) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", *answer)
        assert await seconds(link.send(REQUEST)) == pytest.approx(took_s, abs=0.1)
        assert peer.names == ["SKSENDTO"]


async def test_a_failure_that_is_reported_needs_no_ok() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", NOT_SENT)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)


async def test_a_transmission_of_which_nothing_is_heard_is_told_and_not_repeated() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO")
        peer.answers("SKSENDTO", SENT, OK)
        began = now()
        with pytest.raises(ModuleSilentError, match="SKSENDTO"):
            await link.send(REQUEST)
        assert now() - began == pytest.approx(SEND_TIMEOUT_S, abs=0.1)
        assert peer.names == ["SKSENDTO"]
        await link.send(REQUEST)
        assert peer.names == ["SKSENDTO", "SKVER", "SKSENDTO"]


@pytest.mark.parametrize("lost", [1, 5, len(REQUEST), len(REQUEST) + 1])
async def test_data_that_were_lost_on_the_way_do_not_swallow_the_next_commands(lost: int) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        peer.answers("SKSENDTO", 0.1, SENT, OK)
        peer.loses = lost
        with pytest.raises(ModuleSilentError):
            await link.send(REQUEST)
        await link.send(REQUEST)
        assert peer.names[-2:] == ["SKVER", "SKSENDTO"]
        assert peer.commands[-1].endswith(REQUEST)


# Identifying.


@pytest.mark.parametrize(
    "spoilt",
    [
        "FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 21 FFFF",
        "FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 21 FFFF 0 0",
        "FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 21 FFF 0",
        "FE80:0000:0000:0000:021D:1291:0004:E578 001D12910004E578 21 FFFF FF",
    ],
)
async def test_information_that_was_spoilt_is_asked_for_again(spoilt: str) -> None:
    """The dialect depends on it."""
    peer = single_stack()
    peer.answers_anew("SKINFO", f"EINFO {spoilt}", OK)
    peer.answers("SKINFO", "EINFO FE80:0000:0000:0000:1234:5678:1234:5678 1234567812345678 21 FFFF FFFE", OK)
    async with identified(peer) as link:
        assert link.module.dialect is Dialect.SINGLE_STACK


async def test_the_form_of_the_payloads_does_not_depend_on_one_refusal() -> None:
    peer = dual_stack()
    peer.answers_anew("ROPT", "FAIL ER04")
    peer.answers("ROPT", b"OK 00\r")
    async with identified(peer) as link:
        assert not link.module.hex_payload


@pytest.mark.parametrize("command", ["SKVER", "SKSREG", "SKAPPVER", "SKINFO", "ROPT"])
async def test_a_module_that_misses_any_one_question_is_identified(command: str) -> None:
    peer = single_stack()
    answers: dict[str, tuple[Piece, ...]] = {
        "SKVER": ("EVER 1.2.10", OK),
        "SKSREG": (OK,),
        "SKAPPVER": ("EAPPVER rev26e", OK),
        "SKINFO": ("EINFO FE80:0000:0000:0000:1234:5678:1234:5678 1234567812345678 21 FFFF FFFE", OK),
        "ROPT": (b"OK 01\r",),
    }
    peer.answers_anew(command)
    peer.answers(command, *answers[command])
    async with identified(peer) as link:
        assert link.module.application_version == "rev26e"
        assert now() <= COMMAND_TIMEOUT_S + 0.1


@pytest.mark.parametrize("delay_s", [0.95, 1.5, 2.5])
async def test_a_module_that_is_too_slow_is_told_in_time(delay_s: float) -> None:
    peer = dual_stack()
    for command in ("SKVER", "SKSREG", "SKAPPVER", "SKINFO", "ROPT"):
        peer.answers_anew(command, delay_s, OK)
    peer.answers_anew("SKVER", delay_s, "EVER 1.5.2", OK)
    with pytest.raises(NotAModuleError):
        await identify(peer.open, URL)
    assert now() <= 5.0
    peer.silence()


async def test_a_module_that_is_busy_at_first_is_identified() -> None:
    """What comes late to one question answers the next, and its own answer is not taken for another command's."""
    peer = dual_stack()
    peer.answers_anew("SKVER", 1.5, "EVER 1.5.2", OK)
    peer.answers("SKVER", 0.7, "EVER 1.5.2", OK)
    peer.answers("SKSREG", 0.4, OK)
    async with identified(peer) as link:
        assert (link.module.version, link.module.hex_payload) == ("1.5.2", True)
        began = now()
        await link.prepare(CREDENTIALS)
        assert now() - began == pytest.approx(0.8, abs=0.01)


# Taking up a session.


async def information(channel: str, pan_id: str, *, single: bool) -> tuple[bool, list[bytes]]:
    """Return whether a session was taken up by a module that says this, and what was written for it."""
    peer = single_stack() if single else dual_stack()
    async with identified(peer) as link:
        last = "FFFE" if single else "0"
        peer.answers_anew("SKINFO", f"EINFO {OWN_ADDRESS} 001D1290ABCDEF01 {channel} {pan_id} {last}", OK)
        peer.commands.clear()
        return await link.take_up(NETWORK), peer.commands


@pytest.mark.parametrize("single", [True, False], ids=["single-stack", "dual-stack"])
async def test_a_session_is_taken_up_where_channel_and_pan_are_the_meters(single: bool) -> None:
    taken, written = await information("21", "8888", single=single)
    assert taken
    assert written == [b"SKINFO\r\n", *([] if single else [b"SKSREG SA2 1\r\n"])]


@pytest.mark.parametrize(("channel", "pan_id"), [("21", "FFFF"), ("22", "8888"), ("21", "8889")])
async def test_no_session_is_taken_up_that_cannot_be_with_this_meter(channel: str, pan_id: str) -> None:
    taken, written = await information(channel, pan_id, single=False)
    assert not taken
    assert written == [b"SKINFO\r\n"]


async def test_a_session_that_was_taken_up_is_used() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew("SKINFO", f"EINFO {OWN_ADDRESS} 001D1290ABCDEF01 21 8888 0", OK)
        peer.answers("SKSENDTO", SENT, OK)
        assert await link.take_up(NETWORK)
        await link.send(REQUEST)
        assert peer.commands[-1] == b"SKSENDTO 1 " + METER_ADDRESS.encode() + b" 0E1A 1 0 000E " + REQUEST


async def test_a_session_that_was_not_taken_up_is_not_used() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        assert not await link.take_up(NETWORK)
        with pytest.raises(NotSentError):
            await link.send(REQUEST)


async def test_a_module_that_no_longer_says_what_it_is_is_told() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers_anew("SKINFO", "EINFO 21", OK)
        with pytest.raises(NotAModuleError):
            await link.take_up(NETWORK)


# Resets by others.


ECHO = commands.send_to(Dialect.DUAL_STACK, METER_ADDRESS, 3610, REQUEST).removesuffix(REQUEST)
"""Of SKSENDTO only what is before the data (protocol 3.6)."""


@pytest.mark.parametrize(
    "pieces",
    [
        (ECHO + b"\r\n",),
        (ECHO.strip() + b"\r\n",),
        (ECHO, datagram(), b"\r\n"),
        (ECHO[:8], datagram(), ECHO[8:] + b"\r\n"),
        (ECHO[:2], event(0x33), ECHO[2:] + b"\r\n"),
        (ECHO[:30], event(0x33), ECHO[30:40], datagram(), ECHO[40:] + b"\r\n"),
        (ECHO[:8], event(0x33)),
        *((ECHO[:cut], event(0x33), ECHO[cut:] + b"\r\n") for cut in (9, 10, 11, 12, 20, 60)),
    ],
    ids=lambda pieces: f"{len(pieces)} pieces from {len(pieces[0])} bytes",
)
async def test_a_module_that_was_reset_shows_by_its_echo(pieces: tuple[Piece, ...]) -> None:
    """As in 01, events may come within an echo; none of its pieces is lost or dropped."""
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.answers("SKSENDTO", *pieces, "FAIL ER10")
        with pytest.raises(NotJoinedError):
            await link.send(REQUEST)
        assert heard.events.count(LinkEvent.RESET) == 1
        assert heard.drops == []
        assert len(heard.datagrams) == pieces.count(datagram())
        assert heard.events.count(LinkEvent.DUTY_LIMIT_LIFTED) == pieces.count(event(0x33))


async def test_a_reset_is_told_once_until_the_next_one() -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        for resets in (1, 2):
            peer.echo = True
            for _ in range(3):
                await link.take_up(NETWORK)
            assert heard.events == [LinkEvent.RESET] * resets
            # Ours switches the echo off once more.
            peer.echo = False
            await link.prepare(CREDENTIALS)
        assert heard.drops == []


async def test_our_own_reset_is_none_by_others() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers("SKRESET", 0.1, OK)
        peer.answers("SKSREG SFE", b"SKSREG SFE 0\r\n", OK)
        for _ in range(2):
            await link.prepare(CREDENTIALS)
        assert (heard.events, heard.drops) == ([], [])


async def test_our_own_reset_whose_ok_was_lost_is_none_by_others() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.answers("SKRESET")
        peer.answers("SKRESET", b"SKRESET\r\n", OK)
        peer.answers_anew("SKVER", b"SKVER\r\n", "EVER 1.5.2", OK)
        peer.answers("SKSREG SFE", b"SKSREG SFE 0\r\n", OK)
        await link.prepare(CREDENTIALS)
        assert heard.events == []


async def test_a_port_that_echoes_by_itself_is_no_reset() -> None:
    peer = dual_stack(echo=True)
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        peer.answers("SKJOIN", OK, event(0x25))
        peer.answers("SKSENDTO", SENT, OK)
        await link.join(NETWORK)
        await link.send(REQUEST)
        assert (heard.events, heard.drops) == ([LinkEvent.JOINED], [])


@pytest.mark.parametrize("noise", ["S", "SK", "SKSEND", "SKVER", "JUNK", "1"])
async def test_noise_is_no_echo(noise: str) -> None:
    peer = dual_stack()
    async with joined(peer) as link:
        heard = Heard(link)
        peer.answers("SKSENDTO", noise, SENT, OK)
        await link.send(REQUEST)
        assert heard.events == []
