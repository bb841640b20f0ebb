"""Whose request is next: live ones first, and those in the background in the end."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise, product

import pytest

from custom_components.broute.aiobroute import MeterSilentError, NotJoinedError, SmartMeter
from custom_components.broute.aiobroute.conversation import SPACING_S
from custom_components.broute.aiobroute.request_queue import BACKGROUND_WAIT_S, RequestQueue
from simulator import SimulatedHome

from .stage import days_ago, joined, requests

pytestmark = pytest.mark.looptime(noop_cycles=0)

POLL = (0xE7, 0xE8, 0xE0, 0xE3)
DAY = [(0xE5,), (0xE2,), (0xE4,)]
LOG = {0xE2, 0xE4, 0xE5}


class Line:
    """A queue with requests that take 1 s and are spaced by 5 s, and who was let through when."""

    def __init__(self) -> None:
        self.clear_at = 0.0
        self.queue = RequestQueue(lambda: self.clear_at)
        self.served: list[tuple[str, float]] = []

    async def request(self, name: str, *, background: bool = False) -> None:
        """Wait for the turn and for the spacing, and be answered."""
        loop = asyncio.get_running_loop()
        async with self.queue.turn(background=background):
            await asyncio.sleep(self.clear_at - loop.time())
            self.served.append((name, loop.time()))
            self.clear_at = loop.time() + 5
            await asyncio.sleep(1)

    @property
    def order(self) -> str:
        """The names of those that were let through."""
        return "".join(name for name, _ in self.served)


async def test_what_comes_while_one_in_the_background_waits_goes_before_it() -> None:
    line = Line()
    async with asyncio.TaskGroup() as group:
        group.create_task(line.request("a"))
        await asyncio.sleep(0.1)
        group.create_task(line.request("z", background=True))
        await asyncio.sleep(2)
        group.create_task(line.request("b"))
        await asyncio.sleep(5)
        group.create_task(line.request("c"))
    assert line.served == [("a", 0), ("b", 5), ("c", 10), ("z", 15)]


async def test_time_of_one_that_is_expected_is_kept_free() -> None:
    line = Line()
    line.queue.expect(12)
    async with asyncio.TaskGroup() as group:
        for name in "wxyz":
            group.create_task(line.request(name, background=True))
        await asyncio.sleep(12.5)
        await line.request("a")
        line.queue.expect(30)
    assert line.served == [("w", 0), ("x", 5), ("a", 12.5), ("y", 17.5), ("z", 22.5)]


async def test_one_that_is_expected_and_does_not_come_is_not_waited_for_long() -> None:
    line = Line()
    line.queue.expect(4)
    await line.request("z", background=True)
    assert line.served == [("z", 6)]


async def test_readings_keep_their_interval_while_the_log_is_read() -> None:
    async with joined() as (meter, home):
        meter.read_interval_s = 30.0
        log = asyncio.create_task(_read_days(meter, home, 12))
        while not log.done():
            await meter.read()
            await asyncio.sleep(30)
        await log
        times = [answer.at for answer in home.meter.answers if set(answer.epcs) == set(POLL)]
        pauses_s = [(later - earlier).total_seconds() for earlier, later in pairwise(times[2:])]
        assert len(pauses_s) >= 4
        # The answer itself takes about a second.
        assert max(pauses_s) < 33


async def _read_days(meter: SmartMeter, home: SimulatedHome, days: int) -> None:
    for day in range(days):
        await meter.history(days_ago(home, day))


async def test_those_in_the_background_go_in_the_order_of_their_arrival() -> None:
    line = Line()
    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(line.request(name, background=True))
        await asyncio.sleep(7)
        group.create_task(line.request("L"))
    assert line.served == [("a", 0), ("b", 5), ("L", 10), ("c", 15), ("d", 20)]


async def test_there_is_hardly_room_between_readings_every_5_s() -> None:
    async with joined() as (meter, home):
        meter.read_interval_s = 5.0
        await meter.read()
        await meter.describe()
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        before = meter.statistics.requests
        loop = asyncio.get_running_loop()
        start, reads = loop.time(), 0
        while loop.time() - start < 300:
            await asyncio.sleep(5)
            await meter.read()
            reads += 1
        # About one a minute, so that the log is read in the end.
        assert 3 <= meter.statistics.requests - before - reads <= 6
        log.cancel()


async def test_one_in_the_background_is_let_through_in_the_end() -> None:
    line = Line()

    async def again_and_again() -> None:
        while True:
            await line.request("l")

    live = asyncio.create_task(again_and_again())
    await asyncio.sleep(30.5)
    for name in "yz":
        asked_at = asyncio.get_running_loop().time()
        await line.request(name, background=True)
        served_at = dict(line.served)[name]
        # Behind the one that waits already.
        assert BACKGROUND_WAIT_S < served_at - asked_at < BACKGROUND_WAIT_S + 10
    live.cancel()
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(item for item in line.served if item[0] == "l")]
    assert max(gaps) == 10


async def test_none_in_the_background_waits_for_what_will_not_come_for_ever() -> None:
    line = Line()
    line.clear_at = 1000.0
    waiting = asyncio.create_task(line.request("z", background=True))
    await asyncio.sleep(20)
    line.clear_at = 20.0
    line.queue.look_again()
    await waiting
    assert line.served == [("z", 20)]


def cancelled_at() -> Iterator[tuple[float, str]]:
    return product((0.0, 0.5, 1.0, 3.0, 5.0, 5.5, 6.0, 10.0, 11.0, 15.5), ("b", "y", "z", "by", "yz", "byz"))


@pytest.mark.parametrize(("at_s", "names"), cancelled_at())
async def test_whoever_gives_up_leaves_the_way_free(at_s: float, names: str) -> None:
    line = Line()
    tasks = {name: asyncio.create_task(line.request(name, background=name in "yz")) for name in "abcyz"}
    await asyncio.sleep(at_s)
    for name in names:
        tasks[name].cancel()
    await asyncio.wait(tasks.values())
    kept = [name for name in "abcyz" if not tasks[name].cancelled()]
    assert [name for name in line.order if name in kept] == kept
    assert set("ac") <= set(kept)
    await line.request("e", background=True)
    await line.request("f")
    assert line.order.endswith("ef")


# With a meter.


async def test_a_live_reading_goes_between_the_requests_of_a_day() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        await meter.history(days_ago(home, 0))
        home.meter.answers.clear()
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        await asyncio.sleep(SPACING_S + 2)
        await meter.read()
        await log
        assert requests(home) == [DAY[0], POLL, *DAY[1:]]


async def test_a_poll_every_5_s_starves_neither_itself_nor_the_log() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        loop = asyncio.get_running_loop()
        read_at = [loop.time()]

        async def poll() -> None:
            while True:
                due = loop.time() + 5
                assert (await meter.read()).power_w is not None
                read_at.append(loop.time())
                await asyncio.sleep(due - loop.time())

        polls = asyncio.create_task(poll())
        began_at = loop.time()
        days = [await meter.history(days_ago(home, days_back)) for days_back in (0, 1)]
        polls.cancel()
        assert days[1][0].import_kwh == home.truth(days[1][0].at).import_kwh
        asked = [answer for answer in home.meter.answers if LOG & set(answer.epcs)]
        assert len(asked) == 2 * len(DAY)
        # Two for the clock before them.
        assert loop.time() - began_at < (2 + len(asked)) * (BACKGROUND_WAIT_S + 3 * SPACING_S)
        assert max(later - earlier for earlier, later in pairwise(read_at)) < 3 * SPACING_S


async def test_a_request_of_the_log_that_stays_unanswered_lets_others_by() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        await meter.history(days_ago(home, 0))
        await asyncio.sleep(SPACING_S)
        home.meter.answers.clear()
        home.faults.set(datagrams_lost=1)
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        await asyncio.sleep(2)
        assert (await meter.read()).power_w is not None
        assert (await log)[0].import_kwh is not None
        assert requests(home) == [DAY[0], POLL, *DAY]


async def test_the_log_of_a_silent_meter_is_given_up() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.meter_silent = True
        with pytest.raises(MeterSilentError):
            await meter.history(days_ago(home, 1))


async def test_a_log_that_waits_for_room_is_told_of_the_end_of_the_session_at_once() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        meter.read_interval_s = 5.0
        await meter.read()
        log = asyncio.create_task(meter.history(days_ago(home, 1)))
        await asyncio.sleep(SPACING_S + 1)
        assert not log.done()
        home.meter.paa.end_session()
        with pytest.raises(NotJoinedError):
            async with asyncio.timeout(SPACING_S + 1):
                await log
