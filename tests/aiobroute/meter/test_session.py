"""The session: found, joined, kept, lost and found again, closed."""

import asyncio
from collections.abc import Callable
import random
from typing import override

import pytest

from custom_components.broute.aiobroute import (
    ClosedError,
    Credentials,
    CredentialsRefusedError,
    Memory,
    MeterNotFoundError,
    NotAModuleError,
    NotJoinedError,
    PortBusyError,
    PortError,
    PortMissingError,
    PortSharedError,
    SessionState,
    SmartMeter,
)
from custom_components.broute.aiobroute.echonet.frame import SMART_METER
from custom_components.broute.aiobroute.link.skstack.commands import scan_time_s
from custom_components.broute.aiobroute.session import Session
from simulator import ID, PASSWORD, Pan, SimulatedHome, SkstackModule, link_local
from simulator.happenings import Happenings
from simulator.skstack.products import PRODUCTS

from .stage import CREDENTIALS, client, joined, last_answer

pytestmark = pytest.mark.looptime(noop_cycles=0)

SCANS_S = sum(scan_time_s(duration) for duration in (5, 6, 7))


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("module", PRODUCTS)
@pytest.mark.parametrize("hexadecimal", [True, False], ids=["hex", "binary"])
@pytest.mark.parametrize("echo", [True, False], ids=["echo", "no echo"])
async def test_each_module_is_joined_without_a_write_to_its_flash(module: str, hexadecimal: bool, echo: bool) -> None:
    async with joined(module=module, hexadecimal=hexadecimal, echo=echo) as (meter, home):
        for _ in range(3):
            reading = await meter.read()
            assert reading.power_w == last_answer(home).truth.power_w
        assert isinstance(home.module, SkstackModule)
        assert home.module.flash_writes == 0


async def test_the_states_tell_what_happens() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        states: list[SessionState] = []
        unsubscribe = meter.on_state(states.append)
        async with meter:
            await meter.joined()
            unsubscribe()
        assert states == ["opening", "searching", "authenticating", "joined"]
        assert meter.state is SessionState.CLOSED


async def test_a_scan_that_hears_nothing_is_followed_by_a_longer_one() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 2
        async with client(home) as meter:
            await meter.joined()
            assert now() > SCANS_S * 0.9


async def test_a_meter_that_is_not_heard_is_reported_and_found_later() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 3
        async with client(home) as meter:
            with pytest.raises(MeterNotFoundError):
                await meter.joined()
            assert now() < SCANS_S + 10
            assert isinstance(meter.failure, MeterNotFoundError)
            await asyncio.sleep(60)
            assert meter.state is SessionState.JOINED
            assert meter.failure is None


async def test_nothing_is_scanned_above_the_limit_of_transmission_time() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 1
        async with client(home) as meter:
            await asyncio.sleep(5)
            Happenings(home).duty_limit(60)
            await asyncio.sleep(55)
            assert meter.statistics.scans == 1
            await asyncio.sleep(10)
            assert meter.statistics.scans == 2


async def test_a_wrong_id_hears_no_meter() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=Credentials.parse("F" * 32, PASSWORD)) as meter:
            with pytest.raises(MeterNotFoundError):
                await meter.joined()


async def test_a_wrong_password_is_told_apart_from_a_meter_that_is_not_there() -> None:
    with SimulatedHome() as home:
        async with client(home, credentials=Credentials.parse(ID, "F" * 12)) as meter:
            with pytest.raises(CredentialsRefusedError):
                await meter.joined()


async def test_a_join_that_fails_once_is_tried_again() -> None:
    with SimulatedHome() as home:
        home.faults.refused_joins = 1
        async with client(home) as meter:
            await meter.joined()


async def test_the_attempts_become_rarer() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 10**6
        async with client(home) as meter:
            await asyncio.sleep(24 * 3600)
            attempts = (10**6 - home.faults.scan_misses) / 3
            assert attempts < 24 * 3600 / 300
            assert meter.state is not SessionState.JOINED


async def test_the_strongest_network_with_our_pairing_id_is_joined() -> None:
    with SimulatedHome(pan=Pan(channel=59, lqi=0x60)) as home:
        stranger = Pan(channel=34, pan_id=0x1111, mac=bytes.fromhex("00112233445566AA"), lqi=0xF0)
        stranger.pairing_id = "FFFFFFFF"
        weaker = Pan(channel=40, pan_id=0x2222, mac=bytes.fromhex("00112233445566BB"), lqi=0x20)
        weaker.pairing_id = ID[-8:]
        home.air.pans += [stranger, weaker]
        async with client(home) as meter:
            await meter.joined()
            assert meter.network is not None
            assert meter.network.channel == 59


async def test_a_remembered_network_is_joined_without_a_scan() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            network = meter.network
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        states: list[SessionState] = []
        meter = client(home, memory=Memory(network=network))
        meter.on_state(states.append)
        async with meter:
            await meter.joined()
        assert "searching" not in states


async def _no_port(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    raise FileNotFoundError


async def test_a_join_that_ends_while_the_module_is_checked_begins_one_session() -> None:
    """An earlier program has begun it, and died."""
    with SimulatedHome() as home:
        home.meter.paa.join_time_s = 6.0
        async with client(home) as meter:
            await meter.joined()
            network = meter.network
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(network=network)) as dead:
            await asyncio.sleep(2)
            dead._session._opener = _no_port
            home.module.port.unplug()
            home.module.port.plug()
            await asyncio.sleep(0)
        async with client(home, memory=Memory(network=network)) as meter:
            # It goes before the check, which comes 5 s later because of that.
            with pytest.raises(NotJoinedError):
                await meter.read()
            await asyncio.sleep(20)
            assert meter.state is SessionState.JOINED
            assert meter.statistics.sessions == 1
            assert meter.statistics.joins == 0


async def test_a_meter_that_moved_is_searched() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            network = meter.network
        home.meter.pan.channel = 0x3C
        home.meter.pan.pan_id = 0x4321
        await asyncio.sleep(home.meter.paa.rejoin_pause_s)
        async with client(home, memory=Memory(network=network)) as meter:
            await meter.joined()
            assert meter.network is not None
            assert meter.network.channel == 0x3C
            assert (await meter.read()).power_w is not None


async def test_the_addresses_are_not_shown() -> None:
    async with joined() as (meter, home):
        assert home.meter.pan.mac.hex().upper() not in repr(meter.network).upper()
        assert str(home.meter.pan.pan_id) not in repr(meter.network)
        assert ID not in repr(CREDENTIALS)
        assert PASSWORD not in repr(CREDENTIALS)


async def test_the_instance_list_is_taken_when_it_comes() -> None:
    with SimulatedHome() as home:
        session = Session("memory://", CREDENTIALS, opener=home.open_port)
        await session.open()
        await session.joined()
        await asyncio.sleep(10)
        assert session.instances.known == frozenset({SMART_METER})
        await session.close()


async def test_the_instance_list_is_asked_for_when_it_does_not_come() -> None:
    with SimulatedHome() as home:
        session = Session("memory://", CREDENTIALS, opener=home.open_port)
        await session.open()
        await session.joined()
        home.faults.meter_silent = True
        await asyncio.sleep(15)
        home.faults.meter_silent = False
        await asyncio.sleep(10)
        assert session.instances.known == frozenset({SMART_METER})
        assert [answer.esv for answer in home.meter.answers if answer.epcs == (0xD5,)][-1] == 0x73
        await session.close()


async def test_a_scan_that_hears_nothing_at_any_duration_gives_nothing() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 3
        session = Session("memory://", CREDENTIALS, opener=home.open_port)
        assert await session.scan() == []
        assert now() > SCANS_S * 0.9
        await session.close()


async def test_a_session_that_is_set_up_makes_its_own_scans() -> None:
    with SimulatedHome() as home:
        session = Session("memory://", CREDENTIALS, opener=home.open_port)
        await session.open()
        with pytest.raises(ClosedError):
            await session.scan()
        await session.joined()
        await session.close()


def ended_by_the_meter(home: SimulatedHome) -> None:
    home.meter.paa.end_session()


def port_unplugged(home: SimulatedHome) -> None:
    home.module.port.unplug()
    asyncio.get_running_loop().call_later(5, home.module.port.plug)


def module_restarted(home: SimulatedHome) -> None:
    home.module.restart()


def session_forgotten(home: SimulatedHome) -> None:
    home.meter.paa.forget_session()


@pytest.mark.parametrize("lose", [ended_by_the_meter, port_unplugged, module_restarted, session_forgotten])
@pytest.mark.parametrize("module", ["BP35A1", "BP35C2"])
async def test_a_lost_session_is_noticed_reported_and_set_up_again(
    module: str, lose: Callable[[SimulatedHome], None]
) -> None:
    async with joined(module=module) as (meter, home):
        await meter.read()
        states: list[SessionState] = []
        meter.on_state(states.append)
        lose(home)
        deadline = now() + 900
        while not ("joined" in states and meter.state is SessionState.JOINED):
            assert now() < deadline
            try:
                await meter.read()
            except Exception:  # noqa: BLE001 - what a poll says meanwhile is not the question
                await asyncio.sleep(10)
        assert "waiting" in states
        reading = await meter.read()
        assert reading.power_w == last_answer(home).truth.power_w


async def test_a_renewal_is_waited_for_and_no_reading_is_lost() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        states: list[SessionState] = []
        meter.on_state(states.append)
        await asyncio.sleep(home.meter.paa.session_lifetime_s * 0.8 - now())
        for _ in range(20):
            reading = await meter.read()
            assert reading.power_w == last_answer(home).truth.power_w
        assert states == []


async def test_a_session_that_is_not_renewed_is_set_up_again() -> None:
    async with joined() as (meter, home):
        states: list[SessionState] = []
        meter.on_state(states.append)
        home.module.expired(bytes.fromhex("FE80000000000000021D129012345678"))
        await asyncio.sleep(59)
        assert states == ["renewing"]
        await asyncio.sleep(60)
        assert states == ["renewing", "waiting", "authenticating", "joined"]


async def test_a_port_that_is_not_there_or_taken_is_told_at_once() -> None:
    with SimulatedHome() as home:
        home.module.port.unplug()
        with pytest.raises(PortMissingError):
            await client(home).open()
        home.module.port.plug()
        async with client(home):
            with pytest.raises(PortBusyError):
                await client(home).open()
        assert now() < 5


async def test_a_silent_port_is_no_module_and_is_free_again() -> None:
    with SimulatedHome() as home:
        home.faults.module_mute = True
        with pytest.raises(NotAModuleError):
            await client(home).open()
        assert now() <= 5
        home.faults.module_mute = False
        async with client(home) as meter:
            await meter.joined()


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.3, 3.0, 9.5, 12.0, 15.0, 18.0, 30.0])
async def test_close_takes_seconds_whatever_is_going_on_and_nothing_survives_it(delay: float) -> None:
    with SimulatedHome() as home:
        tasks = asyncio.all_tasks()
        meter = client(home)
        await meter.open()
        reader = asyncio.create_task(read_for_ever(meter))
        await asyncio.sleep(delay)
        started = now()
        await meter.close()
        assert now() - started < 8
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == tasks
        assert home.meter.paa.session is None or delay < 17.4
        async with client(home):
            pass


async def read_for_ever(meter: SmartMeter) -> None:
    await meter.joined()
    while True:
        await meter.read()


async def test_close_ends_the_session_with_the_meter() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            assert home.meter.paa.session is not None
        assert home.meter.paa.session is None


async def test_close_after_a_loss_has_nothing_to_end() -> None:
    async with joined() as (meter, home):
        home.meter.paa.end_session()
        await asyncio.sleep(1)
        closed_at = now()
        await meter.close()
        assert now() - closed_at < 0.5
        assert "SKTERM" not in home.module.commands


async def test_a_surprise_below_does_not_end_the_session_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async with joined() as (meter, home):

        async def surprise(*_: object) -> asyncio.Transport:
            return asyncio.Transport()  # which can do nothing

        opener, meter._session._opener = meter._session._opener, surprise  # type: ignore[assignment]
        home.module.port.unplug()
        home.module.port.plug()
        await asyncio.sleep(30)
        assert meter.state == "waiting"
        assert "NotImplementedError" in caplog.text
        meter._session._opener = opener
        await asyncio.sleep(120)
        assert meter.state == "joined"


class OnceTooLate(random.Random):
    """Fails at the first pause."""

    has_failed = False

    @override
    def uniform(self, a: float, b: float) -> float:
        if not self.has_failed:
            self.has_failed = True
            raise TimeoutError
        return super().uniform(a, b)


async def test_a_surprise_is_told_and_paused_after_whatever_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that looks as the end of a time that somebody has set."""
    with SimulatedHome() as home:
        home.faults.scan_misses = 3
        meter = SmartMeter("memory://", CREDENTIALS, opener=home.open_port, randomness=OnceTooLate(1))
        async with meter:
            await asyncio.sleep(SCANS_S + 5)
            assert "after a surprise" in caplog.text
            assert meter.state == "waiting"
            # Nor does it hold up who wants something else.
            assert len(await meter.survey(3)) == 1
            await asyncio.sleep(60)
            assert meter.state == "joined"


@pytest.mark.parametrize("turns", range(1, 12))
async def test_closing_that_is_cancelled_leaves_nothing_that_holds_the_port(turns: int) -> None:
    with SimulatedHome() as home:
        tasks = asyncio.all_tasks()
        meter = client(home)
        await meter.open()
        await meter.joined()
        closing = asyncio.create_task(meter.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait((closing,))
        await asyncio.sleep(20)
        assert meter.state is SessionState.CLOSED
        assert asyncio.all_tasks() == tasks
        async with client(home):
            pass


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02])
async def test_closing_while_it_is_opened_closes(delay: float) -> None:
    with SimulatedHome() as home:
        meter = client(home)
        opening = asyncio.create_task(meter.open())
        await asyncio.sleep(delay)
        await meter.close()
        with pytest.raises(ClosedError):
            await opening
        await asyncio.sleep(60)
        assert meter.state is SessionState.CLOSED
        async with client(home):
            pass


async def test_a_session_is_opened_once() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        opening = asyncio.create_task(meter.open())
        await asyncio.sleep(0)
        with pytest.raises(ClosedError):
            await meter.open()
        await opening
        await meter.close()


async def test_a_session_that_ends_with_the_news_of_its_beginning_is_set_up_again() -> None:
    with SimulatedHome() as home:
        states: list[SessionState] = []
        meter = client(home)
        meter.on_state(states.append)
        address = link_local(home.meter.pan.mac)
        joined_ = home.module.joined

        def joined_and_ended(peer: bytes) -> None:
            home.module.joined = joined_  # type: ignore[method-assign]
            joined_(peer)
            home.module.ended_by_peer(address)

        home.module.joined = joined_and_ended  # type: ignore[assignment,method-assign]
        async with meter:
            await asyncio.sleep(120)
            assert states.count(SessionState.JOINED) == 2
            assert meter.state is SessionState.JOINED


async def test_a_lost_port_is_the_reason_that_is_told() -> None:
    async with joined() as (meter, home):
        failures: list[object] = []
        meter.on_state(lambda state: failures.append(meter.failure) if state is SessionState.WAITING else None)
        home.module.port.unplug()
        await asyncio.sleep(1)
        assert failures
        assert all(isinstance(failure, PortError) for failure in failures)


async def test_a_port_that_another_program_reads_from_too_is_named_and_used_again_when_it_is_alone() -> None:
    async with joined() as (meter, home):
        await meter.read()
        failures: list[object] = []
        meter.on_state(lambda state: failures.append(meter.failure) if state is SessionState.WAITING else None)
        # The other one takes the ends of the lines.
        home.faults.set(120, lines_cut=10**6)
        await asyncio.sleep(120)
        assert any(isinstance(failure, PortSharedError) for failure in failures)
        await asyncio.sleep(60)
        assert meter.state is SessionState.JOINED
        assert (await meter.read()).power_w == last_answer(home).truth.power_w


async def test_a_session_that_the_module_still_holds_is_used_after_one_request() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            memory = meter.memory
            # The program dies: nobody ends the session, and the port is free.
            home.module.port.unplug()
            home.module.port.plug()
            meter._session._opener = _no_opener  # type: ignore[assignment]
            commands = list(home.module.commands)
            began_at = now()
            async with client(home, memory=memory) as heir:
                await heir.joined()
                assert now() - began_at < 3
                assert "SKJOIN" not in list(home.module.commands)[len(commands) :]
                assert (await heir.read()).power_w == last_answer(home).truth.power_w


async def _no_opener(*_: object) -> None:
    raise FileNotFoundError


async def test_a_held_session_in_which_the_meter_does_not_answer_is_not_used() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            memory = meter.memory
            home.module.port.unplug()
            home.module.port.plug()
            meter._session._opener = _no_opener  # type: ignore[assignment]
            home.meter.paa.forget_session()
            began_at = now()
            async with client(home, memory=memory) as heir:
                await heir.joined()
                assert now() - began_at < 40
                assert (await heir.read()).power_w == last_answer(home).truth.power_w


async def test_a_start_soon_after_the_end_lets_the_meter_rest() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
        ended_at = now()
        async with client(home, memory=meter.memory) as meter:
            await meter.joined()
            assert 10 <= now() - ended_at < 25
            assert meter.statistics.joins == 1


async def test_a_silent_meter_is_asked_seldom_and_is_back_soon_after_it_speaks() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.faults.meter_silent = True
        await asyncio.sleep(4 * 3600)
        # Every 20 s, and a new session now and then.
        assert meter.statistics.requests < 4 * 3600 / 20 * 1.1
        assert meter.statistics.joins < 30
        home.faults.meter_silent = False
        spoke_at = now()
        while meter.statistics.answers < 2:
            await asyncio.sleep(1)
            assert now() - spoke_at < 60
        assert meter.state is SessionState.JOINED


async def test_a_meter_that_nobody_asks_is_watched() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.meter.paa.forget_session()
        await asyncio.sleep(420)
        assert meter.statistics.losses == {"meter_silent": 1}
        assert meter.state is SessionState.JOINED


async def test_a_module_that_is_reset_while_nobody_asks_is_noticed_within_seconds() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        await asyncio.sleep(10)
        home.module.reset()
        await asyncio.sleep(9)
        assert meter.statistics.losses == {"reset": 1}


async def test_a_meter_that_hung_and_started_anew_is_joined_again_within_minutes() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.faults.meter_silent = True
        await asyncio.sleep(3000)
        home.faults.meter_silent = False
        home.meter.reboot(10)
        started_at, answers = now(), meter.statistics.answers
        while meter.statistics.answers == answers:
            await asyncio.sleep(1)
            assert now() - started_at < 700


async def test_a_meter_that_does_not_tell_its_instances_keeps_its_session() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        node = home.meter.object
        home.meter.notices._announce_instances = lambda: None  # type: ignore[method-assign]
        home.meter._target = lambda eoj: node if eoj == node.eoj else None  # type: ignore[method-assign,assignment]
        async with meter:
            await meter.joined()
            for _ in range(20):
                await asyncio.sleep(30)
                await meter.read()
            assert meter.statistics.sessions == 1


async def test_an_answer_is_taken_though_its_request_was_told_as_not_sent() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.faults.acknowledgements_lost = 4
        began_at, requests_before = now(), meter.statistics.requests
        assert (await meter.read()).power_w == last_answer(home).truth.power_w
        assert now() - began_at < 8
        assert meter.statistics.requests - requests_before <= 1
        assert meter.statistics.sessions == 1


async def test_a_module_that_fails_in_the_middle_of_each_join_does_not_join_without_end() -> None:
    with SimulatedHome(module="BP35C0-J11") as home:
        async with client(home) as meter:
            await meter.joined()
            home.meter.paa.end_session()
            joins = meter.statistics.joins
            loop = asyncio.get_running_loop()

            def brown_out(state: SessionState) -> None:
                if state is SessionState.AUTHENTICATING:
                    loop.call_later(4, home.module.reset)

            meter.on_state(brown_out)
            await asyncio.sleep(3600)
            assert meter.statistics.joins - joins < 40


async def test_somebody_who_looks_on_and_fails_does_not_end_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async with joined() as (meter, home):

        def fail(state: SessionState) -> None:
            raise RuntimeError(state)

        meter.on_state(fail)
        home.meter.paa.end_session()
        await asyncio.sleep(30)
        assert meter.state is SessionState.JOINED
        assert "RuntimeError" in caplog.text


async def test_a_join_whose_end_was_not_heard_is_found_out_before_anything_is_searched() -> None:
    async with joined() as (meter, home):
        await meter.read()
        scans = meter.statistics.scans
        home.faults.set(struck=b"EVENT 25", lines_lost=1)
        home.meter.paa.end_session()
        await asyncio.sleep(75)
        assert meter.state is SessionState.JOINED
        assert meter.statistics.scans == scans


async def test_a_known_meter_that_refuses_is_not_asked_again_because_a_search_finds_it() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            home.meter.paa.password = "F" * 12
            home.meter.paa.end_session()
            joins = meter.statistics.joins
            await asyncio.sleep(300)
            assert meter.statistics.joins - joins <= 10


async def test_a_closed_session_is_not_started() -> None:
    with SimulatedHome() as home:
        meter = client(home)
        await meter.close()
        with pytest.raises(ClosedError):
            meter.start()
