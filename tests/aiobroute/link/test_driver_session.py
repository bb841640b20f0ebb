"""The driver: scans, joins and leaving, with every event at the wrong moment."""

from collections.abc import Callable
from typing import Any

import pytest

from custom_components.broute.aiobroute.exceptions import (
    BrouteError,
    CredentialsRefusedError,
    ExecutionFailedError,
    InvalidArgumentError,
    MeterSilentError,
    ModuleSilentError,
)
from custom_components.broute.aiobroute.link.base import Link, LinkEvent
from custom_components.broute.aiobroute.link.skstack import commands
from custom_components.broute.aiobroute.link.skstack.driver import (
    JOIN_TIMEOUT_S,
    LEAVE_TIMEOUT_S,
    SCAN_SLACK_S,
)

from .dialogue import NO_METER, SEARCHED, datagram, event, pan, seconds
from .peer import NETWORK, OK, Heard, Piece, dual_stack, identified, joined, now, turn
from .wire import METER_MAC, OWN_ADDRESS

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]


async def test_all_networks_that_answer_a_scan_are_given() -> None:
    peer = dual_stack()
    first, second = pan("21", METER_MAC, "80"), pan("3B", "0123456789ABCDEF", "E1", None)
    peer.answers("SKSCAN", OK, 1.0, *first, 0.7, *second, 0.6, NO_METER)
    async with identified(peer) as link:
        assert [(found.channel, found.mac.hex(), found.rssi_dbm, found.pairing_id) for found in await link.scan(6)] == [
            (0x21, METER_MAC.lower(), -69.1, "CCDDEEFF"),
            (0x3B, "0123456789abcdef", -42.4, None),
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


async def test_a_module_that_falls_silent_in_a_join_is_told_before_the_join_could_end() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKJOIN", OK)
        peer.answers_anew("SKINFO")
        start = now()
        with pytest.raises(ModuleSilentError):
            await link.join(NETWORK)
        assert now() - start < JOIN_TIMEOUT_S / 2


async def test_a_module_that_ends_a_join_instead_of_an_answer_has_joined() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        peer.answers("SKJOIN", OK)
        peer.answers_anew("SKINFO", 0.5, event(0x25))
        await link.join(NETWORK)


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
        assert [network.channel for network in await link.scan(4)] == [0x21]
        peer.say(*pan("22", METER_MAC, "80"), NO_METER)
        await turn()
        assert await link.scan(4) == []


async def test_the_end_of_a_scan_that_nobody_waits_for_is_ignored() -> None:
    peer = dual_stack()
    async with identified(peer) as link:
        heard = Heard(link)
        peer.say(*pan("22", METER_MAC, "80"), NO_METER, event(0x29))
        await turn()
        # What comes in the same piece is not lost with it.
        assert heard.events == [LinkEvent.EXPIRED]


@pytest.mark.parametrize(
    ("command", "end", "verb"),
    [
        ("SKSCAN", NO_METER, lambda link: link.scan(4)),
        ("SKJOIN", event(0x25), lambda link: link.join(NETWORK)),
        ("SKTERM", event(0x27), lambda link: link.leave()),
    ],
    ids=["scan", "join", "leave"],
)
async def test_an_end_that_is_reported_twice_is_one_end(command: str, end: str, verb: Callable[[Link], Any]) -> None:
    peer = dual_stack()
    peer.answers(command, end, end, OK, OK, "FAIL ER10")
    async with identified(peer) as link:
        assert await seconds(verb(link)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("after_s", "error"), [(3.0, CredentialsRefusedError), (42.0, MeterSilentError)])
async def test_a_failed_authentication_is_a_refusal_unless_nobody_answered(
    after_s: float, error: type[BrouteError]
) -> None:
    """The module repeats itself for about 40 s before it tells that (protocol 3.5)."""
    peer = dual_stack()
    peer.answers("SKJOIN", OK, SEARCHED, event(0x02), after_s, event(0x24))
    async with identified(peer) as link:
        heard = Heard(link)
        with pytest.raises(error):
            await link.join(NETWORK)
        assert now() == pytest.approx(after_s, abs=0.01)
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
