"""What is noted on a module's line: each command of a client, and what ends it."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.wire import GET, JOIN, SCAN, Exchange, Note, WatchedLine, exchanges
from custom_components.broute.aiobroute import Credentials, SmartMeter
from simulator import ID, PASSWORD, SimulatedHome
from simulator.ports import MemoryTransport

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def test_the_commands_of_a_client_are_paired_with_their_ends() -> None:
    notes: list[Note] = []
    with SimulatedHome() as home:

        async def opener(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
            protocol = protocol_factory()
            line = WatchedLine(home.module.uart, notes.append)
            transport = MemoryTransport(line, protocol, lambda: None, "watched")
            protocol.connection_made(transport)
            return transport

        async with SmartMeter("memory://", Credentials.parse(ID, PASSWORD), opener=opener) as meter:
            await meter.joined()
            await meter.describe()
            await meter.read()
        asked = sum(answer.esv in {0x52, 0x72} for answer in home.meter.answers)

    found = list(exchanges(note.to_json() for note in notes))
    assert Counter(exchange.what for exchange in found) == {SCAN: 1, JOIN: 1, GET: asked}
    assert asked > 1
    assert [exchange.what for exchange in found][:3] == [SCAN, JOIN, GET]
    assert all(exchange.duration_s > 0 for exchange in found)


def test_a_repeat_counts_from_the_last_time_it_was_asked() -> None:
    notes = [
        Note(1.0, "Get 0001", answered=False),
        Note(5.0, "Get 0001", answered=False),
        Note(7.0, "Get 0001", answered=True),
    ]
    assert list(exchanges(note.to_json() for note in notes)) == [Exchange(GET, 5.0, 7.0)]


def test_what_has_no_beginning_or_no_end_is_left_out() -> None:
    notes = [Note(1.0, "Get 0001", answered=True), Note(2.0, "Get 0002", answered=False)]
    assert not list(exchanges(note.to_json() for note in notes))
