"""The driver: callers that go away, a port that is lost, and the end."""

import asyncio
from collections.abc import Callable
import gc
import logging
from typing import Any

import pytest

from custom_components.broute.aiobroute.exceptions import (
    PortError,
)
from custom_components.broute.aiobroute.link.base import Link, LinkEvent, Network

from .dialogue import CREDENTIALS, NO_METER, REQUEST, SENT, event, pan
from .peer import NETWORK, OK, Heard, Peer, dual_stack, identified, joined, now, turn
from .wire import METER_MAC

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]


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


async def test_a_caller_that_goes_away_before_its_turn_is_not_carried_out() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        first = asyncio.create_task(link.send(REQUEST))
        second = asyncio.create_task(link.send(REQUEST))
        await asyncio.sleep(0.1)
        second.cancel()
        await first
        await link.send(REQUEST)
        assert peer.names.count("SKSENDTO") == 2
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
        began, written = now(), len(peer.commands)
        await link.close()
        assert [type(result) for result in await asyncio.gather(*callers, return_exceptions=True)] == [PortError] * 2
        # The one that waited for its turn does not begin now.
        assert (now(), len(peer.commands)) == (began, written)
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
    network = Network(channel=0x21, pan_id=0xB5FB, mac=NETWORK.mac, rssi_dbm=-42.4, lqi=0xE1, pairing_id="CCDDEEFF")
    assert repr(network) == "Network(channel=33, rssi_dbm=-42.4, lqi=225)"
