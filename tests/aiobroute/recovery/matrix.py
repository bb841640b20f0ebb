"""One fault, and how long it takes: for the tests, and for the table that `benchmarks/recovery.py` prints."""

import asyncio

from simulator import SimulatedHome

from .scenarios import ANSWER_S, FAMILIES, JOIN_S, Scenario, Stage
from .watch import INTERVAL_S, Reader, TellingLoad

LASTING = {"struck", "byte_by_byte", "gathered_s", "beacon_loss"}
"""The switches that are not used up by what they do."""


async def recovery_s(family: str, scenario: Scenario) -> float:
    """Let a fault strike while a meter is read, and return how long after its end the next reading came."""
    loop = asyncio.get_running_loop()
    with SimulatedHome(load=TellingLoad(), **FAMILIES[family]) as home:
        home.meter.paa.join_time_s = JOIN_S
        home.meter.answer_s = (ANSWER_S, ANSWER_S)
        reader = Reader(home)
        await reader.open()
        # The client knows its meter, and nothing is under way or was sent a moment ago.
        await reader.read_since(loop.time() + 5 * INTERVAL_S, 10 * INTERVAL_S)
        await asyncio.sleep(INTERVAL_S / 2)
        scenario.strike(Stage.of(home, family))
        switched = repr(home.faults.on())
        reader.wake()
        over_at = loop.time() + scenario.lasts_s
        try:
            read_at = await reader.read_since(over_at, scenario.lasts_s + scenario.within_s + 600)
            assert repr(home.faults.on()) != switched or not home.faults.on().keys() - LASTING, "it did not strike"
            # And it stays so.
            home.faults.off()
            await reader.read_since(loop.time() + 2 * INTERVAL_S, 10 * INTERVAL_S)
        finally:
            await reader.close()
        assert reader.wrong == []
        assert reader.meter.statistics.answers > 5
    return read_at - over_at
