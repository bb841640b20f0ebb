"""The driver: callers that go away, a port that is lost, and the end."""

import asyncio
from collections.abc import Callable
import gc
import logging
from typing import Any

import pytest

from custom_components.broute.aiobroute.exceptions import PortError
from custom_components.broute.aiobroute.link.base import Link, LinkEvent
from tests.aiobroute.link.peer import Heard, now, turn

from .module import (
    CREDENTIALS,
    END_PANA,
    END_ROUTE_B,
    GET_POWER,
    INITIALIZE,
    JOINED,
    NETWORK,
    SCAN,
    SEND,
    SENT,
    START_PANA,
    J11Peer,
    beacon,
    joined,
    response,
)

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
    "take up": lambda link: link.take_up(NETWORK),
    "scan": lambda link: link.scan(4),
    "join": lambda link: link.join(NETWORK),
    "send": lambda link: link.send(GET_POWER),
    "leave": lambda link: link.leave(),
}


def slow_peer() -> J11Peer:
    peer = J11Peer()
    peer.answers(INITIALIZE, 0.7, response(INITIALIZE))
    peer.answers(SCAN, 0.5, beacon(4), 2.0, response(SCAN))
    peer.answers_anew(START_PANA, 0.5, response(START_PANA), 2.0, JOINED)
    peer.answers_anew(SEND, 2.5, SENT)
    peer.answers(END_PANA, 0.7, response(END_PANA))
    peer.answers(END_ROUTE_B, 1.0, response(END_ROUTE_B))
    peer.answers_anew("0001", 0.3, response("0001", 1, "03 03 01"))
    peer.answers("005E", 0.8, response("005E", 1, "BCDE"))
    return peer


@pytest.mark.parametrize("after_s", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
async def test_a_caller_that_goes_away_leaves_a_driver_that_can_be_used(verb: Verb, after_s: float) -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        caller = asyncio.create_task(verb(link))
        await asyncio.sleep(after_s)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        # Each request is answered with its own answer, though the cancelled one's are still to come.
        assert len(await link.scan(4)) == 1
        await link.join(NETWORK)
        await link.send(GET_POWER)


async def test_requests_of_several_callers_are_carried_out_one_after_the_other() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        began = now()
        await asyncio.gather(link.send(GET_POWER), link.send(GET_POWER))
        assert now() - began == pytest.approx(5.0, abs=0.01)
        assert peer.requests == [SEND, SEND]


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("after_s", [0.0, 0.2, 1.0])
async def test_closing_ends_whatever_is_under_way(
    verb: Verb, after_s: float, problems: Callable[[], list[str]]
) -> None:
    peer = slow_peer()
    async with joined(peer) as link:
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


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
async def test_a_closed_link_takes_no_request(verb: Verb) -> None:
    peer = J11Peer()
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
        heard = Heard(link)
        caller = asyncio.create_task(verb(link))
        await asyncio.sleep(after_s)
        peer.unplug()
        began = now()
        with pytest.raises(PortError, match="lost"):
            await caller
        assert now() == began
        await turn()
        assert heard.events == [LinkEvent.LOST]
        assert not link.is_open
        del caller
        assert problems() == []


async def test_a_port_that_is_lost_during_the_authentication_ends_it() -> None:
    peer = slow_peer()
    async with joined(peer) as link:
        peer.answers_anew(START_PANA, response(START_PANA))
        caller = asyncio.create_task(link.join(NETWORK))
        await asyncio.sleep(30)
        peer.unplug()
        began = now()
        with pytest.raises(PortError, match="lost"):
            await caller
        assert now() == began


async def test_a_port_that_is_lost_before_anyone_listens_is_told_by_the_next_request() -> None:
    peer = J11Peer()
    async with joined(peer) as link:
        peer.unplug()
        await turn()
        with pytest.raises(PortError):
            await link.send(GET_POWER)
