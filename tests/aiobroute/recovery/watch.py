"""A client that reads as Home Assistant does, and a witness that compares each reading with the truth."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
import random
from typing import override

from custom_components.broute.aiobroute import BrouteError, Reading, SessionState, SmartMeter
from simulator import Answer, HouseLoad, SimulatedHome
from simulator.load import EPOCH, Flow
from tests.aiobroute.meter.stage import CREDENTIALS

INTERVAL_S = 30.0
"""The integration's default."""
READINGS_KEPT = 1000

FIELDS = {
    "power_w": (0xE7,),
    "current_r_a": (0xE8,),
    "current_t_a": (0xE8,),
    "import_kwh": (0xE0,),
    "export_kwh": (0xE3,),
}


class TellingLoad(HouseLoad):
    """A household whose power is another one every 0.1 s, and not the same again for 99.7 s.

    That of `HouseLoad` is constant within a minute: an answer could not be told from the one before it.
    """

    @override
    def flow(self, at: datetime) -> Flow:
        """Return the flow at an instant."""
        flow = super().flow(at)
        return replace(flow, power_w=flow.power_w + (at - EPOCH) // timedelta(milliseconds=100) % 997)


class Witness:
    """Compares readings with `answers`: those of all meters that a home has had."""

    def __init__(self, answers: deque[Answer]) -> None:
        self._answers = answers

    def is_true(self, reading: Reading, since: datetime) -> bool:
        """Tell whether each value was true when a meter sent an answer with it, `since` somebody asked for the reading.

        So the answer to an earlier request is none, and that to an earlier attempt of the same request is one.
        """
        return all(
            (value := getattr(reading, field)) is None or self._was_sent(field, value, epcs, since)
            for field, epcs in FIELDS.items()
        )

    def _was_sent(self, field: str, value: object, epcs: tuple[int, ...], since: datetime) -> bool:
        for answer in reversed(self._answers):
            if answer.at < since:
                return False
            if set(epcs) <= set(answer.epcs) and _truth(answer, field) == value:
                return True
        return False


def _truth(answer: Answer, field: str) -> object:
    value: object = getattr(answer.truth, field)
    return value


class Reader:
    """Polls a meter every 30 s, and at once when it is joined; keeps when it could be read, and what was wrong."""

    def __init__(self, home: SimulatedHome) -> None:
        self.meter = SmartMeter("memory://", CREDENTIALS, opener=home.open_port, randomness=random.Random(1))
        self.read_at: deque[float] = deque(maxlen=READINGS_KEPT)
        self.readings = 0
        self.longest_gap_s = 0.0
        self.wrong: list[Reading] = []
        self.incomplete: list[Reading] = []
        # Of a meter that is replaced while it is read, too.
        answers: deque[Answer] = deque(maxlen=READINGS_KEPT)
        home.meter.on_answer = answers.append
        self._home = home
        self._witness = Witness(answers)
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Join the meter, learn what it is, and begin to poll."""
        self.meter.on_state(self._take_state)
        await self.meter.open()
        await self.meter.joined()
        await self.meter.read()
        await self.meter.describe()
        self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Stop."""
        if self._polling:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self.meter.close()

    def wake(self) -> None:
        """Poll now."""
        self._wake.set()

    async def read_since(self, instant: float, limit_s: float) -> float:
        """Wait for the first whole reading that ends after an instant of the loop's clock; return when it did."""
        async with asyncio.timeout(limit_s):
            while not self.read_at or self.read_at[-1] < instant:
                self._news.clear()
                await self._news.wait()
        return next(at for at in self.read_at if at >= instant)

    def _note(self, now: float) -> None:
        if self.read_at:
            self.longest_gap_s = max(self.longest_gap_s, now - self.read_at[-1])
        self.readings += 1
        self.read_at.append(now)

    def _take_state(self, state: SessionState) -> None:
        if state is SessionState.JOINED:
            self.wake()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            asked_at = self._home.clock.now()
            try:
                reading = await self.meter.read()
            except BrouteError:
                continue
            if not self._witness.is_true(reading, since=asked_at):
                self.wrong.append(reading)
            elif reading.errors or reading.power_w is None or reading.import_kwh is None:
                self.incomplete.append(reading)
            else:
                self._note(loop.time())
                self._news.set()
