"""What the session does so that nothing small becomes large: for each a fault that shows it."""

import asyncio
from collections.abc import Callable
from typing import Any, override

import pytest

from custom_components.broute.aiobroute import SessionState, SmartMeter
from custom_components.broute.aiobroute.echonet import super_class
from custom_components.broute.aiobroute.instances import INSTANCE_LIST_WAIT_S
from custom_components.broute.aiobroute.link.base import Network
from custom_components.broute.aiobroute.link.skstack.driver import DUTY_LIMIT_TRIAL_S
from custom_components.broute.aiobroute.recovery import PROOF_S
from custom_components.broute.aiobroute.session import LEAVE_LIMIT_S
from custom_components.broute.aiobroute.watch import MODULE_CHECK_S
from simulator import Pan, SimulatedHome

from .stage import CREDENTIALS, client, die, joined, until

pytestmark = pytest.mark.looptime(noop_cycles=0)


def now() -> float:
    return asyncio.get_running_loop().time()


def told(home: SimulatedHome, command: str) -> int:
    """Return how often the module got a command."""
    return list(home.module.commands).count(command)


# The limit of transmission time.


async def test_nothing_is_scanned_above_the_limit_of_transmission_time() -> None:
    with SimulatedHome() as home:
        home.faults.scan_misses = 1
        async with client(home) as meter:
            await until(lambda: told(home, "SKSCAN"), 10)
            home.module.radio.duty_limited = True
            await asyncio.sleep(60)
            assert told(home, "SKSCAN") == 1
            home.module.radio.duty_limited = False
            await meter.joined()
            assert told(home, "SKSCAN") == 2


async def test_nothing_is_joined_above_the_limit_of_transmission_time() -> None:
    async with joined() as (meter, home):
        # A session that has not proved itself is followed by a reset of the module, which ends the limit.
        await asyncio.sleep(PROOF_S)
        await meter.read()
        home.module.radio.duty_limited = True
        await asyncio.sleep(0.1)
        joins = told(home, "SKJOIN")
        home.meter.paa.end_session()
        await asyncio.sleep(60)
        assert told(home, "SKJOIN") == joins
        home.module.radio.duty_limited = False
        await until(lambda: meter.state is SessionState.JOINED, 30)


async def test_the_limit_of_transmission_time_ends_with_a_reset_of_the_module() -> None:
    async with joined() as (meter, home):
        home.module.radio.duty_limited = True
        await asyncio.sleep(0.1)
        home.faults.set(struck=b"EVENT 33", lines_lost=1)
        home.module.radio.duty_limited = False
        home.module.reset()
        await until(lambda: meter.statistics.losses, 20)
        await until(lambda: meter.state is SessionState.JOINED, DUTY_LIMIT_TRIAL_S / 2)


async def test_nothing_is_left_of_the_limit_of_transmission_time_when_it_is_closed() -> None:
    loop: Any = asyncio.get_running_loop()

    def timers() -> set[asyncio.TimerHandle]:
        return {handle for handle in loop._scheduled if not handle.cancelled()}

    with SimulatedHome() as home:
        before = timers()
        async with client(home) as meter:
            await meter.joined()
            home.module.radio.duty_limited = True
            await asyncio.sleep(0.1)
        await asyncio.sleep(0)
        assert timers() == before


# The module.


async def test_a_module_that_is_silent_while_nobody_asks_is_noticed_and_reset() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        home.faults.module_mute = True
        await asyncio.sleep(2 * MODULE_CHECK_S)
        home.faults.module_mute = False
        assert meter.statistics.losses == {"module_silent": 1}
        await until(lambda: meter.state is SessionState.JOINED, 60)


class Deaf(asyncio.Protocol):
    """Hears nothing of the loss of its port, as with a driver that hangs."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._protocol.connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)


async def test_a_port_that_is_lost_without_a_word_is_noticed_while_nobody_asks() -> None:
    with SimulatedHome() as home:

        async def open_deaf(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
            return await home.open_port(url, lambda: Deaf(protocol_factory()))

        async with SmartMeter("memory://", CREDENTIALS, opener=open_deaf) as meter:
            await meter.joined()
            await meter.describe()
            home.module.port.unplug()
            await asyncio.sleep(2 * MODULE_CHECK_S)
            assert meter.statistics.losses == {"lost": 1}


async def test_a_session_that_is_not_watched_any_more_is_set_up_again(caplog: pytest.LogCaptureFixture) -> None:
    async with joined() as (meter, _):
        await meter.describe()
        link = meter._session._link
        assert link

        async def surprise(network: Network) -> bool:
            del link.take_up
            raise RuntimeError("surprise")

        link.take_up = surprise  # type: ignore[method-assign]
        await asyncio.sleep(2 * MODULE_CHECK_S)
        assert meter.statistics.losses == {"module_silent": 1}
        assert "surprise" in caplog.text
        await until(lambda: meter.statistics.sessions == 2, 60)


async def test_what_happens_to_a_module_while_the_session_waits_is_met_by_the_next_attempt() -> None:
    with SimulatedHome(module="BP35C0-J11") as home:
        home.faults.scan_misses = 10**6
        async with client(home) as meter:
            # From then on the module is taken as it is.
            await until(lambda: meter.outage and meter.outage.attempts == 4, 3600)
            await until(lambda: meter.state is SessionState.WAITING, 120)
            home.faults.scan_misses = 0
            home.module.reset()
            attempts = meter.statistics.attempts
            await until(lambda: meter.statistics.attempts > attempts, 600)
            await until(lambda: meter.state is SessionState.JOINED, 120)
            assert meter.statistics.attempts == attempts + 1


# The meter.


async def test_a_session_that_is_taken_up_is_read_soon_after_its_check() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            await meter.read()
            memory = meter.memory
            die(meter, home)
            home.meter.answer_s = (0.3, 0.3)
            began_at = now()
            async with client(home, memory=memory) as heir:
                await heir.joined()
                assert (await heir.get(super_class.FAULT_STATUS)).value(super_class.FAULT_STATUS) is False
                assert now() - began_at < 4


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2"])
async def test_a_louder_meter_with_another_pairing_id_is_not_asked_to_let_us_in(module: str) -> None:
    """J11 tells no pairing ID: whoever answers to ours is taken for ours."""
    with SimulatedHome(module=module, pan=Pan(channel=35, lqi=0x60)) as home:
        stranger = home.add_neighbour(
            Pan(channel=37, pan_id=0x1111, mac=bytes.fromhex("00112233445566AA"), lqi=0xF0, pairing_id="00000000")
        )
        stranger.pan.answers_anybody = True
        async with client(home) as meter:
            await meter.joined()
            assert meter.statistics.joins == 1
            assert meter.network
            assert meter.network.channel == 35


async def test_a_meter_that_does_not_take_the_question_for_its_instances_is_not_taken_for_silent() -> None:
    with SimulatedHome() as home:
        node = home.meter.object
        home.meter.notices._announce_instances = lambda: None  # type: ignore[method-assign]
        home.meter._target = lambda eoj: node if eoj == node.eoj else None  # type: ignore[method-assign,assignment]
        async with client(home) as meter:
            await meter.joined()
            await meter.describe()
            await asyncio.sleep(INSTANCE_LIST_WAIT_S)
            await until(lambda: meter.statistics.unanswered, 90)
            # Another one is repeated, as ever.
            home.faults.requests_lost = 1
            answers = await meter.get(super_class.FAULT_STATUS)
            assert answers.value(super_class.FAULT_STATUS) is False


# The port.


async def test_a_module_that_does_not_end_the_session_does_not_hold_up_the_end() -> None:
    async with joined() as (meter, home):
        await meter.describe()
        sent = told(home, "SKSENDTO")
        reading = asyncio.create_task(meter.read())
        home.faults.module_mute = True
        await until(lambda: told(home, "SKSENDTO") > sent, 10)
        began_at = now()
        await meter.close()
        assert now() - began_at <= LEAVE_LIMIT_S + 0.5
        await asyncio.wait((reading,))


async def test_a_port_that_is_shared_is_free_for_the_other_program_between_the_attempts() -> None:
    async with joined() as (meter, home):
        await meter.read()
        home.faults.set(120, lines_cut=10**6)
        await until(lambda: "PortSharedError" in meter.journal[-1].what, 120)
        await asyncio.sleep(0.1)
        other = await home.open_port("memory://", asyncio.Protocol)
        other.close()
        await until(lambda: meter.state is SessionState.JOINED, 300)
