"""The home that the clients are compared on."""

import asyncio

import pytest

from benchmarks.simulated_homes import fix_times
from custom_components.broute.aiobroute import Credentials, SmartMeter
from simulator import ID, PASSWORD, SimulatedHome

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("fixed", [True, False])
async def test_fixed_times_make_all_polls_take_the_same(fixed: bool) -> None:
    loop = asyncio.get_running_loop()
    with SimulatedHome() as home:
        if fixed:
            fix_times(home)
        async with SmartMeter("memory://", Credentials.parse(ID, PASSWORD), opener=home.open_port) as meter:
            await meter.joined()
            await meter.describe()
            # A counter that is read for the first time is asked for twice.
            await meter.read()
            durations_s = []
            for _ in range(4):
                await asyncio.sleep(6)
                begun_s = loop.time()
                await meter.read()
                durations_s.append(loop.time() - begun_s)
    assert (max(durations_s) - min(durations_s) < 0.001) is fixed
