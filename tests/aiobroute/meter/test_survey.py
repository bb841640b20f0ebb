"""A scan at somebody's wish, in the midst of whatever the session does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from custom_components.broute.aiobroute import (
    BrouteError,
    ClosedError,
    Credentials,
    Heard,
    MeterNotFoundError,
    ModuleError,
    NotJoinedError,
    PortMissingError,
    SessionState,
    SmartMeter,
    SurveyUnderWayError,
)
from custom_components.broute.aiobroute.link.skstack.commands import scan_time_s
from simulator import ID, PASSWORD, Pan, SimulatedHome
from simulator.happenings import Happenings

from .stage import client, joined, last_answer

pytestmark = pytest.mark.looptime(noop_cycles=0)

STRONG = 0xE1
WEAK = 0x20
METER = Heard(channel=0x21, rssi_dbm=-42.4, lqi=STRONG, is_ours=True)
LEFT_AND_RESET_S = 3.0
JOINED_AGAIN_S = 40.0
UNHEARD = Credentials.parse("F" * 32, PASSWORD)


def now() -> float:
    return asyncio.get_running_loop().time()


def commands(home: SimulatedHome, name: str) -> list[str]:
    """Return the commands of this name that the module was given."""
    return [command for command in home.module.commands if command.startswith(name)]


async def assert_usable(meter: SmartMeter, home: SimulatedHome) -> None:
    """Break unless there is a session soon, and the truth is read in it."""
    await asyncio.sleep(JOINED_AGAIN_S)
    assert meter.state is SessionState.JOINED
    assert (await meter.read()).power_w == last_answer(home).truth.power_w


@pytest.mark.parametrize(
    ("module", "lqi", "rssi_dbm"), [("BP35A1", STRONG, -42.4), ("BP35C2", STRONG, -42.4), ("BP35C0-J11", None, -42.0)]
)
async def test_the_meter_is_heard_and_the_session_is_back_by_itself(
    module: str, lqi: int | None, rssi_dbm: float
) -> None:
    async with joined(module=module) as (meter, home):
        states: list[SessionState] = []
        meter.on_state(states.append)
        joins = meter.statistics.joins
        assert await meter.survey(5) == [Heard(channel=0x21, rssi_dbm=rssi_dbm, lqi=lqi, is_ours=True)]
        assert home.meter.paa.session is None
        await assert_usable(meter, home)
        assert states == ["searching", "authenticating", "joined"]
        assert meter.statistics.joins == joins + 1
        assert meter.statistics.losses == {}


async def test_the_session_is_ended_in_order_and_the_meter_gets_its_rest() -> None:
    async with joined() as (meter, home):
        home.meter.paa.join_time_s = 5.0
        left_at = now()
        await meter.survey(3)
        assert commands(home, "SKTERM")
        assert now() - left_at < scan_time_s(3) + LEFT_AND_RESET_S
        await meter.joined()
        assert 10 < now() - left_at - 5 < 12


@pytest.mark.parametrize("duration", [3, 4, 5, 6, 7])
async def test_the_scan_is_made_once_and_with_the_duration_that_was_wanted(duration: int) -> None:
    async with joined() as (meter, _):
        scans, began_at = meter.statistics.scans, now()
        await meter.survey(duration)
        assert meter.statistics.scans == scans + 1
        assert scan_time_s(duration) * 0.9 < now() - began_at < scan_time_s(duration) + LEFT_AND_RESET_S


@pytest.mark.parametrize("duration", [2, 8, 0, -1])
async def test_no_other_duration_is_taken(duration: int) -> None:
    async with joined() as (meter, _):
        with pytest.raises(ValueError, match="3 to 7"):
            await meter.survey(duration)
        assert meter.state is SessionState.JOINED


async def test_all_that_is_heard_is_told_the_strongest_first_and_ours_is_the_meter_that_was_joined() -> None:
    async with joined(pan=Pan(lqi=WEAK)) as (meter, home):
        home.add_neighbour(Pan(channel=0x29, pan_id=0x4321, lqi=STRONG, mac=bytes(8), pairing_id=ID[-8:]))
        stranger = Pan(channel=0x2B, pan_id=0x1111, lqi=0x80, mac=bytes(7) + b"\x01", pairing_id="01234567")
        stranger.answers_anybody = True
        home.add_neighbour(stranger)
        assert await meter.survey(5) == [
            Heard(channel=0x29, rssi_dbm=-42.4, lqi=STRONG, is_ours=False),
            Heard(channel=0x2B, rssi_dbm=-69.1, lqi=0x80, is_ours=False),
            Heard(channel=0x21, rssi_dbm=-95.5, lqi=WEAK, is_ours=True),
        ]


async def test_ours_is_what_would_be_joined_where_nothing_is_known() -> None:
    with SimulatedHome(pan=Pan(lqi=WEAK)) as home:
        stranger = Pan(channel=0x29, pan_id=0x4321, lqi=STRONG, mac=bytes(8), pairing_id="01234567")
        stranger.answers_anybody = True
        home.add_neighbour(stranger)
        async with client(home, credentials=Credentials.parse(ID, "F" * 12)) as meter:
            heard = await meter.survey(5)
        assert [one.is_ours for one in heard] == [False, True]


async def test_nobody_is_told_of_an_address() -> None:
    async with joined() as (meter, home):
        shown = repr(await meter.survey(5)).upper()
        assert home.meter.pan.mac.hex().upper() not in shown
        assert str(home.meter.pan.pan_id) not in shown
        assert ID[-8:] not in shown


async def test_nothing_is_read_meanwhile_and_why_is_told() -> None:
    async with joined() as (meter, _):
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(0.1)
        survey = asyncio.create_task(meter.survey(6))
        await asyncio.sleep(0.1)
        with pytest.raises(NotJoinedError, match="survey"):
            await reading
        with pytest.raises(NotJoinedError):
            await meter.read()
        assert not survey.done()
        assert isinstance(meter.failure, NotJoinedError)
        await survey


async def test_a_survey_is_told_as_an_outage_and_in_the_journal() -> None:
    async with joined(pan=Pan(lqi=WEAK)) as (meter, home):
        await asyncio.sleep(100)
        began_at = now()
        await meter.survey(5)
        assert meter.outage is not None
        assert (meter.outage.since_s, meter.outage.heard_dbm) == (began_at, -95.5)
        assert [entry.what for entry in meter.journal][-3:] == [
            "survey begun",
            "module reset and prepared",
            "scan of duration 5: 1 heard, ours at -96 dBm",
        ]
        await assert_usable(meter, home)
        assert meter.outage is None


async def test_a_survey_in_an_outage_goes_on_with_it_and_breaks_off_the_pause() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=UNHEARD) as meter:
            await asyncio.sleep(900)
            assert meter.state is SessionState.WAITING
            before = meter.outage
            assert before is not None
            began_at = now()
            assert await meter.survey(3) == []
            assert now() - began_at < scan_time_s(3) + LEFT_AND_RESET_S
            assert isinstance(meter.failure, MeterNotFoundError)
            assert meter.outage is not None
            assert (meter.outage.since_s, meter.outage.attempts) == (before.since_s, before.attempts + 1)


async def test_a_meter_that_is_heard_again_ends_the_count_of_searches_in_vain() -> None:
    with SimulatedHome() as home:
        home.meter.pan.powered = False
        async with client(home) as meter:
            await asyncio.sleep(100)
            home.meter.pan.powered = True
            assert await meter.survey(5) == [METER]
            assert meter.outage is not None
            assert (meter.outage.searches_in_vain, meter.outage.heard_dbm) == (0, -42.4)
            await assert_usable(meter, home)


# In the midst of whatever the session does.


def nothing(_: SimulatedHome) -> None:
    """Let all be well."""


def unanswered_joins(home: SimulatedHome) -> None:
    home.faults.endless_joins = 1


def refused_joins(home: SimulatedHome) -> None:
    home.faults.refused_joins = 4


def nobody(home: SimulatedHome) -> None:
    home.faults.scan_misses = 3


@pytest.mark.parametrize("module", ["BP35A1", "BP35C0-J11"])
@pytest.mark.parametrize("state", [nothing, unanswered_joins, refused_joins, nobody])
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.3, 3.0, 9.5, 12.0, 20.0, 45.0])
async def test_it_breaks_into_whatever_is_going_on(
    module: str, state: Callable[[SimulatedHome], None], delay: float
) -> None:
    with SimulatedHome(module=module) as home:
        state(home)
        meter = client(home)
        meter.start()
        try:
            await asyncio.sleep(delay)
            home.faults.scan_misses = 0
            began_at = now()
            (heard,) = await meter.survey(4)
            assert heard.is_ours
            assert now() - began_at < 65 + scan_time_s(4) + LEFT_AND_RESET_S
            home.faults.off()
            await assert_usable(meter, home)
        finally:
            await meter.close()


async def test_a_search_is_not_carried_to_its_end_before_a_survey() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=UNHEARD) as meter:
            await asyncio.sleep(2)
            await meter.survey(3)
            assert len(commands(home, "SKSCAN")) == 2


async def test_a_renewal_is_broken_off() -> None:
    async with joined() as (meter, home):
        home.faults.endless_joins = 1
        home.module.radio.expire_session()
        await asyncio.sleep(10)
        assert meter.state is SessionState.RENEWING
        assert await meter.survey(4) == [METER]
        await assert_usable(meter, home)


async def test_a_survey_goes_on_below_the_limit_of_transmission_time() -> None:
    """A module that was reset counts anew."""
    async with joined() as (meter, home):
        Happenings(home).duty_limit(60)
        await asyncio.sleep(1)
        assert await meter.survey(4) == [METER]


async def test_a_survey_that_was_wanted_while_the_port_is_opened_comes_first() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        opening = asyncio.create_task(meter.open())
        await asyncio.sleep(0)
        assert await meter.survey(4) == [METER]
        await opening
        assert len(commands(home, "SKSCAN")) == 1
        await assert_usable(meter, home)
        await meter.close()


# What goes wrong.


async def test_a_survey_without_a_port_says_so_and_the_port_is_looked_for_as_before() -> None:
    async with joined() as (meter, home):
        home.module.port.unplug()
        await asyncio.sleep(10)
        with pytest.raises(PortMissingError):
            await meter.survey(5)
        home.module.port.plug()
        await assert_usable(meter, home)


async def test_a_port_that_is_lost_in_the_midst_of_it_is_told_and_opened_again() -> None:
    async with joined() as (meter, home):
        survey = asyncio.create_task(meter.survey(7))
        await asyncio.sleep(10)
        home.module.port.unplug()
        with pytest.raises(BrouteError):
            await survey
        assert any(entry.what.startswith("survey failed: PortError") for entry in meter.journal)
        home.module.port.plug()
        await assert_usable(meter, home)


async def test_a_port_that_was_lost_a_moment_ago_is_opened_again_for_it() -> None:
    async with joined() as (meter, home):
        home.module.port.unplug()
        home.module.port.plug()
        assert await meter.survey(4) == [METER]
        assert [entry.what for entry in meter.journal].count("module identified: dual-stack") == 2
        await assert_usable(meter, home)


async def test_a_module_that_does_not_scan_is_told_and_reset() -> None:
    async with joined() as (meter, home):
        home.faults.commands_ignored = {"SKSCAN": 2}
        with pytest.raises(ModuleError):
            await meter.survey(5)
        resets = len(commands(home, "SKRESET"))
        await assert_usable(meter, home)
        assert len(commands(home, "SKRESET")) == resets + 1


async def test_a_surprise_below_does_not_let_anybody_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async with joined() as (meter, home):
        link = meter._session._link

        async def surprise(_: int) -> None:
            raise RuntimeError("surprise")

        link.scan = surprise  # type: ignore[union-attr,method-assign]
        with pytest.raises(ModuleError):
            await meter.survey(5)
        assert "RuntimeError" in caplog.text
        del link.scan  # type: ignore[union-attr]
        await asyncio.sleep(10)
        await assert_usable(meter, home)


async def test_one_survey_is_made_at_a_time() -> None:
    async with joined() as (meter, _):
        first = asyncio.create_task(meter.survey(4))
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(SurveyUnderWayError):
                await meter.survey(4)
            await asyncio.sleep(2)
        assert await first == [METER]
        assert await meter.survey(4) == [METER]


async def test_who_is_not_open_surveys_nothing() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        with pytest.raises(ClosedError):
            await meter.survey(5)
        async with meter:
            await meter.joined()
        with pytest.raises(ClosedError):
            await meter.survey(5)


async def test_a_port_that_cannot_be_opened_lets_nobody_wait() -> None:
    with SimulatedHome() as home:
        home.faults.module_mute = True
        meter = client(home)
        opening = asyncio.create_task(meter.open())
        await asyncio.sleep(0)
        with pytest.raises(ClosedError):
            await meter.survey(5)
        with pytest.raises(BrouteError):
            await opening


DELAYS = [0.0, 0.001, 0.1, 0.3, 0.5, 0.8, 1.5, 3.0, 5.0, 9.0, 10.0, 11.5, 14.0, 20.0]


@pytest.mark.parametrize("module", ["BP35A1", "BP35C0-J11"])
@pytest.mark.parametrize("delay", DELAYS)
async def test_who_is_cancelled_leaves_the_session_usable_and_can_survey_again(module: str, delay: float) -> None:
    async with joined(module=module) as (meter, home):
        survey = asyncio.create_task(meter.survey(5))
        await asyncio.sleep(delay)
        survey.cancel()
        with suppress(asyncio.CancelledError):
            await survey
        await assert_usable(meter, home)
        (heard,) = await meter.survey(5)
        assert heard.is_ours
        await assert_usable(meter, home)


async def test_nobody_scans_for_somebody_who_waits_no_more() -> None:
    async with joined() as (meter, home):
        scans = meter.statistics.scans
        survey = asyncio.create_task(meter.survey(7))
        await asyncio.sleep(0)
        survey.cancel()
        await assert_usable(meter, home)
        assert meter.statistics.scans == scans


async def test_a_close_while_the_module_scans_has_no_session_to_end() -> None:
    async with joined() as (meter, home):
        survey = asyncio.create_task(meter.survey(6))
        await asyncio.sleep(5)
        began_at = now()
        await meter.close()
        assert now() - began_at < 0.5
        assert len(commands(home, "SKTERM")) == 1
        with pytest.raises(ClosedError):
            await survey


@pytest.mark.parametrize("module", ["BP35A1", "BP35C0-J11"])
@pytest.mark.parametrize("delay", DELAYS)
async def test_a_close_in_the_midst_of_it_takes_seconds_and_nothing_survives(module: str, delay: float) -> None:
    with SimulatedHome(module=module) as home:
        tasks = asyncio.all_tasks()
        meter = client(home)
        await meter.open()
        await meter.joined()
        survey = asyncio.create_task(meter.survey(5))
        await asyncio.sleep(delay)
        is_over = survey.done()
        began_at = now()
        await meter.close()
        assert now() - began_at < 8
        with suppress(ClosedError):
            await survey
        assert is_over or survey.exception() is not None
        assert asyncio.all_tasks() == tasks
        assert home.meter.paa.session is None
        # A J11 module answers to nobody while it scans.
        await asyncio.sleep(scan_time_s(5))
        async with client(home):
            pass
