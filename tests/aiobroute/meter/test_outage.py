"""What a client tells of an outage: how long, what was tried, and how the meter was heard."""

import asyncio

import pytest

from custom_components.broute.aiobroute import Credentials, Outage, SessionState, SmartMeter
from simulator import ID, PASSWORD, Pan, SimulatedHome

from .stage import client, joined

pytestmark = pytest.mark.looptime(noop_cycles=0)

STRONG = 0xE1
STRONG_DBM = -42.4
WEAK = 0x20
WEAK_DBM = -95.5


def now() -> float:
    return asyncio.get_running_loop().time()


def outage(meter: SmartMeter) -> Outage:
    """Return the outage that there must be."""
    assert meter.outage is not None
    return meter.outage


async def attempted(meter: SmartMeter, attempts: int) -> Outage:
    """Wait until so many attempts have failed."""
    failed = asyncio.Event()

    def look(state: SessionState) -> None:
        if state is SessionState.WAITING and outage(meter).attempts >= attempts:
            failed.set()

    unsubscribe = meter.on_state(look)
    async with asyncio.timeout(3600):
        await failed.wait()
    unsubscribe()
    return outage(meter)


async def test_there_is_an_outage_from_the_start_to_the_first_session() -> None:
    with SimulatedHome() as home:
        await asyncio.sleep(5)
        meter = client(home)
        assert meter.outage is None
        home.module.port.unplug()
        meter.start()
        assert outage(meter) == Outage(since_s=5.0)
        await asyncio.sleep(30)
        assert outage(meter).since_s == 5.0
        assert outage(meter).attempts > 10
        home.module.port.plug()
        await asyncio.sleep(60)
        assert meter.state is SessionState.JOINED
        assert meter.outage is None
        await meter.close()
        assert meter.outage is None


async def test_an_outage_begins_anew_with_each_loss() -> None:
    async with joined() as (meter, home):
        await asyncio.sleep(100)
        lost_at = now()
        home.meter.paa.end_session()
        await asyncio.sleep(1)
        assert outage(meter).since_s == pytest.approx(lost_at, abs=0.5)
        assert outage(meter).attempts == 1
        await asyncio.sleep(60)
        assert meter.outage is None


async def test_a_renewal_is_no_outage() -> None:
    async with joined() as (meter, home):
        home.faults.endless_joins = 1
        home.module.radio.expire_session()
        await asyncio.sleep(30)
        assert meter.state is SessionState.RENEWING
        assert meter.outage is None


async def test_those_who_are_told_that_an_attempt_has_failed_find_it_counted() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=Credentials.parse(ID, "F" * 12)) as meter:
            seen: list[Outage | None] = []
            meter.on_state(lambda state: seen.append(meter.outage) if state is SessionState.WAITING else None)
            await attempted(meter, 2)
    assert [outage and outage.refusals for outage in seen] == [1, 2]


async def test_a_meter_that_is_not_heard_is_counted_by_whole_searches() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=Credentials.parse("F" * 32, PASSWORD)) as meter:
            await asyncio.sleep(40)
            assert outage(meter).searches_in_vain == 0, "the longest scan is still to come"
            assert (await attempted(meter, 1)).searches_in_vain == 1
            told = await attempted(meter, 3)
    assert (told.searches_in_vain, told.refusals, told.heard_dbm) == (3, 0, None)


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2", "BP35C0-J11"])
async def test_a_wrong_password_is_told_with_how_well_the_meter_is_heard(module: str) -> None:
    with SimulatedHome(module=module, pan=Pan(lqi=STRONG)) as home:
        async with client(home, credentials=Credentials.parse(ID, "F" * 12)) as meter:
            told = await attempted(meter, 3)
    assert (told.refusals, told.searches_in_vain) == (3, 0)
    assert told.heard_dbm == pytest.approx(STRONG_DBM, abs=0.5)


async def test_a_known_meter_that_refuses_is_heard_by_the_search_and_that_is_kept() -> None:
    with SimulatedHome(pan=Pan(lqi=WEAK)) as home:
        async with client(home) as meter:
            await meter.joined()
            home.meter.paa.password = "F" * 12
            home.meter.paa.end_session()
            await asyncio.sleep(1)
            assert outage(meter).heard_dbm is None
            told = await attempted(meter, 1)
            assert (told.refusals, told.heard_dbm) == (1, WEAK_DBM)
            scans = meter.statistics.scans
            told = await attempted(meter, 5)
            assert (told.refusals, told.heard_dbm) == (5, WEAK_DBM)
            assert meter.statistics.scans == scans + 1, "only the first attempts search"


async def test_a_meter_that_is_heard_and_does_not_answer_refuses_nothing() -> None:
    with SimulatedHome(pan=Pan(lqi=WEAK)) as home:
        home.faults.endless_joins = 10
        async with client(home) as meter:
            told = await attempted(meter, 2)
    assert (told.refusals, told.searches_in_vain, told.heard_dbm) == (0, 0, WEAK_DBM)


async def test_it_is_told_how_the_known_meter_was_heard_and_not_a_louder_one_with_the_same_end_of_its_id() -> None:
    async with joined(pan=Pan(lqi=WEAK)) as (meter, home):
        home.add_neighbour(Pan(channel=0x29, pan_id=0x4321, lqi=STRONG, mac=bytes(8), pairing_id=ID[-8:]))
        home.meter.paa.password = "F" * 12
        home.meter.paa.end_session()
        assert (await attempted(meter, 1)).heard_dbm == WEAK_DBM
