"""Sessions that begin well and come to nothing: what helps is tried, and neither the meter nor the air is worn out."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator

import pytest

from custom_components.broute.aiobroute import BrouteError, SmartMeter
from simulator import SimulatedHome
from simulator.faults import Message
from tests.aiobroute.meter.stage import client

from .scenarios import FAMILIES, SEND, SEND_J11
from .watch import INTERVAL_S

pytestmark = pytest.mark.looptime(noop_cycles=0)

RESET_COMMANDS = ("SKRESET", "00D9")
HOUR_S = 3600.0


def now() -> float:
    return asyncio.get_running_loop().time()


async def first_reading_s(meter: SmartMeter, limit_s: float) -> float:
    """Poll until the meter is read, and return how long that took."""
    began_at = now()
    while now() < began_at + limit_s:
        try:
            await meter.read()
        except BrouteError:
            await asyncio.sleep(INTERVAL_S)
        else:
            return now() - began_at
    pytest.fail("the meter is not read any more")


async def poll(meter: SmartMeter, seconds: float) -> int:
    """Poll for so long, and return how many readings there were."""
    readings = 0
    until = now() + seconds
    while now() < until:
        try:
            await meter.read()
            readings += 1
        except BrouteError:
            pass
        await asyncio.sleep(INTERVAL_S)
    return readings


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_module_that_delivers_nothing_until_it_is_reset_is_reset(family: str) -> None:
    with SimulatedHome(**FAMILIES[family]) as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            await asyncio.sleep(60)
            home.faults.datagram_loss = 1.0
            restart = home.module.restart

            def restarted() -> None:
                home.faults.datagram_loss = 0.0
                restart()

            home.module.restart = restarted  # type: ignore[method-assign]
            assert await first_reading_s(meter, HOUR_S) < 600


@pytest.mark.parametrize("hexadecimal", [True, False], ids=["hex", "binary"])
async def test_a_payload_form_that_was_misread_is_asked_for_again(hexadecimal: bool) -> None:
    with SimulatedHome(module="BP35C2", hexadecimal=hexadecimal) as home:
        said = home.faults.said
        misread: list[bytes] = []

        def misreading(message: Message) -> Iterator[tuple[float, bytes]]:
            for late_s, data in said(message):
                if data.startswith(b"OK 0") and not misread:
                    misread.append(data)
                    yield late_s, data[:4] + bytes((data[4] ^ 1,)) + data[5:]
                else:
                    yield late_s, data

        home.faults.said = misreading  # type: ignore[method-assign]
        async with client(home) as meter:
            assert await first_reading_s(meter, HOUR_S) < 900
            assert misread


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_module_that_refuses_to_send_is_reset_and_joins_seldom(family: str) -> None:
    with SimulatedHome(**FAMILIES[family]) as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            await asyncio.sleep(60)
            sessions = meter.statistics.sessions
            home.module.commands.clear()
            command, code = (SEND_J11, 0x04) if family == "J11" else (SEND, 5)
            home.faults.commands_refused = {command: deque([code] * 10**6)}
            assert await poll(meter, 6 * HOUR_S) == 0
            said = Counter(home.module.commands)
            assert 5 < sum(said[name] for name in RESET_COMMANDS) < 20
            assert meter.statistics.sessions - sessions < 6 * 12 + 10
            home.faults.off()
            assert await first_reading_s(meter, HOUR_S) < 400


@pytest.mark.parametrize("after_s", [0.1, 3.0])
@pytest.mark.parametrize("family", FAMILIES)
async def test_sessions_that_end_soon_are_begun_more_and_more_seldom(family: str, after_s: float) -> None:
    with SimulatedHome(**FAMILIES[family]) as home:
        async with client(home) as meter:
            await meter.joined()
            await poll(meter, 120)
            joined_at: list[float] = []

            def end_soon(state: str) -> None:
                if state == "joined":
                    joined_at.append(now())
                    asyncio.get_running_loop().call_later(after_s, home.meter.paa.end_session)

            unsubscribe = meter.on_state(end_soon)
            ended_at = now()
            home.meter.paa.end_session()
            await poll(meter, 3 * HOUR_S)
            assert joined_at[0] - ended_at < 14  # the first loss is mended at once
            assert joined_at[1] - joined_at[0] < 20
            assert len(joined_at) < 3 * 12 + 10
            assert joined_at[-1] - joined_at[-2] > 300
            # Once the sessions last again, the next loss is mended at once.
            unsubscribe()
            await poll(meter, 600)
            ended_at = now()
            home.meter.paa.end_session()
            assert await first_reading_s(meter, HOUR_S) < 60
            await asyncio.sleep(max(0.0, ended_at + 60 - now()))
            assert meter.state == "joined"


async def test_a_session_that_fell_silent_is_ended_in_order_when_it_is_closed() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            await poll(meter, 120)
            home.faults.meter_silent = True
            while meter.state != "waiting":
                try:
                    await meter.read()
                except BrouteError:
                    await asyncio.sleep(0)
            assert home.meter.paa.session is not None
        assert home.meter.paa.session is None
