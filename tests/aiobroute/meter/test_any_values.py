"""Whatever a meter says, in an answer or by itself: a value or an error of ours, and the port stays open."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
import logging

from hypothesis import HealthCheck, example, given, settings, strategies as st
import looptime
import pytest

from custom_components.broute.aiobroute import BrouteError, CountersAt, SmartMeter
from custom_components.broute.aiobroute.echonet import smart_meter
from custom_components.broute.aiobroute.echonet.frame import Frame
from custom_components.broute.aiobroute.exceptions import PropertyError
from simulator import RELEASE_R, SimulatedHome

from .stage import client, joined

ENDS_OF_THE_CALENDAR = (("00010101", "0000"), ("270F0C1F", "173B"))


def say_always(home: SimulatedHome, **values: str) -> None:
    """Let the meter give other values from now on, by EPC, in hexadecimal."""
    home.faults.replaced_values = {epc.removeprefix("x"): deque([edt] * 200) for epc, edt in values.items()}


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize(("date", "time"), ENDS_OF_THE_CALENDAR)
async def test_a_clock_at_an_end_of_the_calendar_is_none(date: str, time: str) -> None:
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        half_hours: list[CountersAt] = []
        meter.on_half_hour(half_hours.append)
        say_always(home, x98=date, x97=time)
        for ask in (meter.read_clock, lambda: meter.history((home.clock.now() - timedelta(days=1)).date())):
            with pytest.raises(PropertyError, match="year"):
                await ask()
        await asyncio.sleep(1800)
        assert len(half_hours) == 1
        assert (await meter.read()).power_w is not None
        assert meter.statistics.losses == {}
        assert problems == []


@pytest.mark.looptime(noop_cycles=0)
async def test_somebody_who_is_told_of_a_notice_and_fails_does_not_end_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await meter.read()
        told: list[Frame] = []

        def fail(half_hour: CountersAt) -> None:
            raise RuntimeError(half_hour)

        meter.on_half_hour(fail)
        meter._session.conversation.on_notification(told.append)
        home.meter.notices.confirmed = True
        home.meter.notices.announce(0xEA, 0xEB)
        await asyncio.sleep(10)
        assert "RuntimeError" in caplog.text
        assert len(told) == 1
        assert len(home.meter.notices.confirmations) == 1
        assert (await meter.read()).power_w is not None
        assert meter.statistics.losses == {}


DATES = st.sampled_from(["00010101", "07D00101", "07EA0B15", "08330C1F", "270F0C1F", "FFFFFFFF"]).map(bytes.fromhex)
TIMES = st.sampled_from(["0000", "121E", "173B", "1800", "FFFF"]).map(bytes.fromhex)
COUNTERS = st.sampled_from([0, 1, 999_999, 1_000_000, 99_999_999, 0x7FFFFFFE, 0xFFFFFFFE, 0xFFFFFFFF]).map(
    lambda counter: counter.to_bytes(4)
)
BYTES = st.sampled_from([0x00, 0x01, 0x06, 0x0D, 0x7F, 0x80, 0xFF]).map(lambda byte: bytes((byte,)))
PARTS = DATES | TIMES | COUNTERS | BYTES | st.binary(max_size=4)


ONE_COUNTER = st.tuples(DATES, TIMES, BYTES, COUNTERS).map(b"".join)
RIGHT: dict[int, st.SearchStrategy[bytes]] = {
    **dict.fromkeys((0x8E, 0x98), DATES),
    0x97: TIMES,
    **dict.fromkeys((0xEA, 0xEB), ONE_COUNTER),
    0xD0: st.tuples(ONE_COUNTER, COUNTERS).map(b"".join),
    **dict.fromkeys((0xD3, 0xE0, 0xE3, 0xE7, 0xE8), COUNTERS),
    **dict.fromkeys((0xD7, 0xE1, 0x80, 0x81, 0x88), BYTES),
}
"""Data that have the right form at least."""
SAID = st.lists(
    st.sampled_from(sorted(smart_meter.PROPERTIES)).flatmap(
        lambda epc: st.tuples(st.just(epc), RIGHT.get(epc, st.nothing()) | st.lists(PARTS, max_size=50).map(b"".join))
    ),
    min_size=1,
    max_size=6,
).map(dict)


@settings(suppress_health_check=list(HealthCheck))
@given(SAID)
@example({0x98: bytes.fromhex("00010101"), 0x97: bytes(2)})
@example({0x98: bytes.fromhex("270F0C1F"), 0x97: bytes.fromhex("173B")})
@example({0xEA: bytes.fromhex("00010101000000") + bytes(4)})
@example({0xD0: bytes.fromhex("270F0C1F173B00") + bytes(8)})
def test_whatever_a_meter_says_is_a_value_or_an_error_of_ours(said: dict[int, bytes]) -> None:
    problems: list[str] = []
    errors = logging.Handler(logging.ERROR)
    errors.emit = lambda record: problems.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(errors)
    loop = looptime.new_event_loop(start=0, noop_cycles=0)
    loop.set_exception_handler(lambda _, context: problems.append(str(context)))
    try:
        loop.run_until_complete(_hear(said))
    finally:
        loop.close()
        logging.getLogger().removeHandler(errors)
    assert problems == []


def in_utc(half_hour: CountersAt) -> None:
    """Do with a time what Home Assistant does."""
    half_hour.at.astimezone(UTC)


async def _hear(said: dict[int, bytes]) -> None:
    """Ask a meter that says this for all that it has, and hear its notices."""
    with SimulatedHome(model=RELEASE_R) as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            await meter.describe()
            meter.on_half_hour(in_utc)
            it = home.meter.object
            read, notify = it.read, it.notify
            it.read = lambda epc: said.get(epc, read(epc))  # type: ignore[method-assign]
            it.notify = lambda epc: said.get(epc, notify(epc))  # type: ignore[method-assign]
            for ask in _questions(meter, home):
                home.meter.notices.announce(0xEA, 0xEB, 0x80, 0x81, 0x88)
                try:
                    await ask()
                except BrouteError:
                    continue
            await meter.read_properties(said)
            assert meter.statistics.losses == {}


def _questions(meter: SmartMeter, home: SimulatedHome) -> list[Callable[[], Awaitable[object]]]:
    return [
        meter.read_clock,
        meter.read,
        meter.read_half_hour,
        meter.read_status,
        meter.describe,
        meter.read,
        lambda: meter.history((home.clock.now() - timedelta(days=1)).date()),
    ]
