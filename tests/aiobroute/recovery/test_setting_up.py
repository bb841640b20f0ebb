"""Faults that strike while a session is being set up: while it is searched for, joined, or a held one is checked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from custom_components.broute.aiobroute import BrouteError, SessionState, SmartMeter
from custom_components.broute.aiobroute.session import REST_S
from simulator import J11Module, SimulatedHome
from simulator.happenings import Happenings
from tests.aiobroute.meter.stage import client, die, until

from .scenarios import ANSWER_S, FAMILIES, JOIN_S, PORT_S, REFUSED_S, RESTED_S, TOLD_S

pytestmark = pytest.mark.looptime(noop_cycles=0)

SCAN_S = 14.0
"""The first scan, and what it may take beyond the formula: nothing may be asked of a module meanwhile."""


def now() -> float:
    return asyncio.get_running_loop().time()


def at_home(family: str) -> SimulatedHome:
    home = SimulatedHome(**FAMILIES[family])
    home.meter.paa.join_time_s = JOIN_S
    home.meter.answer_s = (ANSWER_S, ANSWER_S)
    return home


@asynccontextmanager
async def known(home: SimulatedHome) -> AsyncIterator[SmartMeter]:
    """Give a client that knows its meter and has read it for a while."""
    async with client(home) as meter:
        await meter.joined()
        await meter.read()
        await meter.describe()
        await asyncio.sleep(90)
        await meter.read()
        yield meter


async def becomes(meter: SmartMeter, state: SessionState) -> None:
    await until(lambda: meter.state is state, every_s=0.01)


async def in_the_middle_of_a_join(meter: SmartMeter) -> None:
    joins = meter.statistics.joins
    await until(lambda: meter.statistics.joins > joins, 24 * 3600, 0.5)
    await asyncio.sleep(1)


async def read_again(meter: SmartMeter) -> float:
    """Return when the meter is read, asked again at once."""
    async with asyncio.timeout(600):
        while True:
            try:
                await meter.joined()
                await meter.read()
            except BrouteError:
                await asyncio.sleep(0.1)
            else:
                return now()


@pytest.mark.parametrize("into_s", [0.5, 2.0, 4.5])
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_module_that_is_reset_in_the_middle_of_a_join_is_noticed(family: str, into_s: float) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            scans = meter.statistics.scans
            home.meter.paa.end_session()
            await becomes(meter, SessionState.AUTHENTICATING)
            await asyncio.sleep(into_s)
            home.module.reset()
            struck_at = now()
            assert await read_again(meter) - struck_at < TOLD_S
            assert meter.statistics.scans == scans


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_module_that_is_reset_in_the_middle_of_a_scan_is_noticed_at_its_end(family: str) -> None:
    with at_home(family) as home:
        async with client(home) as meter:
            await becomes(meter, SessionState.SEARCHING)
            await asyncio.sleep(3)
            home.module.reset()
            struck_at = now()
            await becomes(meter, SessionState.JOINED)
            assert now() - struck_at < SCAN_S + SCAN_S + TOLD_S / 2
            assert meter.statistics.scans == 2


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_port_that_is_lost_in_the_middle_of_a_join_is_opened_again(family: str) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            home.meter.paa.end_session()
            await becomes(meter, SessionState.AUTHENTICATING)
            await asyncio.sleep(2)
            Happenings(home).port_unplugged(1)
            back_at = now() + 1
            assert await read_again(meter) - back_at < PORT_S


def ended_by_meter(home: SimulatedHome) -> float:
    Happenings(home).session_ended_by_meter()
    return TOLD_S


def ended_by_another_program(home: SimulatedHome) -> float:
    Happenings(home).session_ended_by_module()
    # J11 does not tell such an end from one by the meter, and learns of the meter's rest by a refusal.
    return REFUSED_S if isinstance(home.module, J11Module) else RESTED_S


def expired(home: SimulatedHome) -> float:
    Happenings(home).session_expired()
    return TOLD_S


def module_reset(home: SimulatedHome) -> float:
    Happenings(home).module_reset()
    return TOLD_S


def port_unplugged(home: SimulatedHome) -> float:
    Happenings(home).port_unplugged(1.0)
    return 1.0 + PORT_S


def way_cut(home: SimulatedHome) -> float:
    Happenings(home).port_unplugged(1.0, keeps_power=True)
    return 1.0 + PORT_S


@pytest.mark.parametrize(
    "strike", [ended_by_meter, ended_by_another_program, expired, module_reset, port_unplugged, way_cut]
)
@pytest.mark.parametrize("family", FAMILIES)
async def test_the_check_of_a_held_session_ends_with_the_session(
    family: str, strike: Callable[[SimulatedHome], float]
) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            memory = meter.memory
            die(meter, home)
            async with client(home, memory=memory) as heir:
                await becomes(heir, SessionState.AUTHENTICATING)
                await asyncio.sleep(0.6)  # the answer to the check is still to come
                struck_at = now()
                within_s = strike(home)
                assert await read_again(heir) - struck_at < within_s


@pytest.mark.parametrize("into_s", [0.02, 1.0, 3.0])
@pytest.mark.parametrize("family", FAMILIES)
async def test_closing_in_the_middle_of_a_join_leaves_no_session_to_the_meter(family: str, into_s: float) -> None:
    with at_home(family) as home:
        async with client(home) as meter:
            await becomes(meter, SessionState.AUTHENTICATING)
            await asyncio.sleep(into_s)
            began_at = now()
            await meter.close()
            assert now() - began_at < 5
            await asyncio.sleep(60)
            assert home.meter.paa.session is None
            assert meter.memory.left_at is not None


@pytest.mark.parametrize("family", FAMILIES)
async def test_closing_while_a_held_session_is_checked_ends_it(family: str) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            memory = meter.memory
            die(meter, home)
            async with client(home, memory=memory) as heir:
                await becomes(heir, SessionState.AUTHENTICATING)
                await asyncio.sleep(0.6)
                assert home.meter.paa.session is not None
            assert home.meter.paa.session is None


@pytest.mark.parametrize("family", ["single stack", "dual stack"])
async def test_a_meter_is_left_to_rest_whoever_has_ended_the_session(family: str) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            joins = meter.statistics.joins
            Happenings(home).session_ended_by_module()
            struck_at = now()
            assert await read_again(meter) - struck_at < REST_S + JOIN_S + ANSWER_S + 1
            assert meter.statistics.joins == joins + 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_port_that_is_lost_now_and_then_in_a_long_outage_is_opened_as_soon_as_it_is_back(family: str) -> None:
    with at_home(family) as home:
        async with known(home) as meter:
            home.meter.pan.powered = False
            home.meter.paa.end_session()
            for _ in range(10):
                await asyncio.sleep(3600)
                await in_the_middle_of_a_join(meter)
                Happenings(home).port_unplugged(2)
                await asyncio.sleep(2)
                back_at = now()
                await until(lambda: meter.module is not None, 24 * 3600, 0.1)
                assert now() - back_at < 5
