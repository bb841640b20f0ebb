"""The clock and its timers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from simulator import JST, Clock
from simulator.clock import Timers

START = datetime(2026, 11, 21, 18, 24, tzinfo=JST)


@pytest.mark.parametrize("start", [START, START.replace(tzinfo=None), START.astimezone(UTC)])
async def test_the_wall_clock_shows_jst_and_goes_at_its_own_rate_whatever_the_speed(start: datetime) -> None:
    clock = Clock(start, speed=10)
    await asyncio.sleep(60)
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.now().utcoffset() == timedelta(hours=9)
    assert clock.lapse_s == pytest.approx(600)


async def test_timers_fire_once_and_are_then_forgotten() -> None:
    clock = Clock(START, speed=10)
    timers = Timers(clock)
    fired: list[tuple[str, float]] = []

    def fire(name: str) -> None:
        fired.append((name, round(asyncio.get_running_loop().time() - begin_s, 3)))

    begin_s = asyncio.get_running_loop().time()
    timers.after(20, fire, "after")
    timers.due(clock.lapse_s + 10, fire, "due")
    timers.at(START + timedelta(seconds=5), fire, "at")
    await asyncio.sleep(10)
    assert fired == [("due", 1), ("after", 2), ("at", 5)]
    assert not timers._pending


async def test_cancelled_timers_do_not_fire() -> None:
    timers = Timers(Clock(START))
    fired: list[int] = []
    timers.after(1, fired.append, 1)
    timers.cancel()
    timers.after(2, fired.append, 2)
    await asyncio.sleep(3)
    assert fired == [2]
    timers.cancel()
    assert not timers._pending
