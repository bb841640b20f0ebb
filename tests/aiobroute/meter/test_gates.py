"""Nothing is sent through a closed gate, whoever has waited for the module meanwhile."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

import pytest

from custom_components.broute.aiobroute import BrouteError, SessionState
from custom_components.broute.aiobroute.conversation import GATE_LIMIT_S
from simulator import SimulatedHome
from simulator.happenings import Happenings

from .stage import joined, last_answer, until

pytestmark = pytest.mark.looptime(noop_cycles=0)


def now() -> float:
    return asyncio.get_running_loop().time()


def session_expires(home: SimulatedHome) -> None:
    home.faults.late_renewals = deque([20.0])
    home.meter.paa.join_time_s = 20.0
    Happenings(home).session_expired()


def limit_is_reached(home: SimulatedHome) -> None:
    Happenings(home).duty_limit(30)


async def module_is_busy(home: SimulatedHome) -> int:
    """Wait until the module does not answer a question; return how many commands it was given before that."""
    home.faults.commands_ignored = {"SKINFO": 1}
    await until(lambda: not home.faults.commands_ignored["SKINFO"], every_s=0.01)
    return len(home.module.commands)


@pytest.mark.parametrize("close", [session_expires, limit_is_reached])
@pytest.mark.parametrize("module", ["BP35A1", "BP35C2"])
async def test_a_request_that_waits_for_the_module_is_not_sent_when_the_gate_has_closed_meanwhile(
    module: str, close: Callable[[SimulatedHome], None]
) -> None:
    async with joined(module=module) as (meter, home):
        await meter.read()
        await meter.describe()
        await asyncio.sleep(60)
        await module_is_busy(home)
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(0.2)
        said = len(home.module.commands)
        close(home)
        await asyncio.sleep(15)
        assert "SKSENDTO" not in list(home.module.commands)[said:]
        assert "SKRESET" not in list(home.module.commands)[said:]
        assert (await reading).power_w == last_answer(home).truth.power_w
        assert meter.statistics.sessions == 1
        assert meter.statistics.losses == {}


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2"])
async def test_a_confirmation_that_waits_for_the_module_is_not_sent_when_the_gate_has_closed_meanwhile(
    module: str,
) -> None:
    async with joined(module=module) as (meter, home):
        await meter.read()
        await meter.describe()
        await asyncio.sleep(60)
        await module_is_busy(home)
        said = len(home.module.commands)
        home.meter.notices.confirmed = True
        home.meter.notices.announce(0x88)
        await asyncio.sleep(0.3)
        session_expires(home)
        await asyncio.sleep(15)
        assert "SKSENDTO" not in list(home.module.commands)[said:]
        assert meter.state is SessionState.RENEWING


async def test_a_request_that_waits_for_the_module_fails_when_the_session_is_lost_meanwhile() -> None:
    async with joined() as (meter, home):
        await meter.read()
        await meter.describe()
        await asyncio.sleep(60)
        await module_is_busy(home)
        reading = asyncio.create_task(meter.read())
        await asyncio.sleep(0.2)
        said, began_at = len(home.module.commands), now()
        home.meter.paa.end_session()
        with pytest.raises(BrouteError):
            await reading
        assert now() - began_at < GATE_LIMIT_S / 10
        assert "SKSENDTO" not in list(home.module.commands)[said:]


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2", "BP35C0-J11"])
async def test_the_transmission_limit_costs_no_session_and_its_end_is_noticed(module: str) -> None:
    async with joined(module=module) as (meter, home):
        await meter.read()
        await meter.describe()
        await asyncio.sleep(60)
        home.module.commands.clear()
        Happenings(home).duty_limit(600)
        over_at = now() + 600
        tries = 0
        while True:
            tries += 1
            try:
                await meter.read()
            except BrouteError:
                await asyncio.sleep(1)
            else:
                break
        said = Counter(home.module.commands)
        assert over_at < now() < over_at + 15
        assert tries > 5  # nobody waits for long
        assert said["SKSENDTO"] < 600 / 120 + 3
        assert said["0008"] < 600 / 9
        assert meter.statistics.sessions == 1
        assert [entry.times for entry in meter.journal if "limit reached" in entry.what] == [1]
        assert [entry.times for entry in meter.journal if "limit lifted" in entry.what] == [1]
