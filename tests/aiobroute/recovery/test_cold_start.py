"""How soon a meter that is not known is read for the first time: scan and join, and 5 s where that can be reached."""

import asyncio

import pytest

from custom_components.broute.aiobroute import SessionState
from simulator import MODELS, SimulatedHome
from tests.aiobroute.meter.stage import client

from .scenarios import ANSWER_S, FAMILIES, JOIN_S

pytestmark = pytest.mark.looptime(noop_cycles=0)

GOAL_S = 5.0
CONNECT_S = 2.6
"""J11 looks for the meter on its channel before it authenticates (protocol 4.5)."""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_meter_is_read_soon_after_it_was_found_and_joined(family: str, model: str) -> None:
    with SimulatedHome(model=MODELS[model], **FAMILIES[family]) as home:
        home.meter.paa.join_time_s = JOIN_S
        home.meter.answer_s = (ANSWER_S, ANSWER_S)
        meter = client(home)
        loop = asyncio.get_running_loop()
        became_at: dict[SessionState, float] = {}
        meter.on_state(lambda state: became_at.update({state: became_at.get(state, loop.time())}))
        began_at = loop.time()
        async with meter:
            await meter.joined()
            reading = await meter.read()
            took_s = loop.time() - began_at
            assert reading.import_kwh is not None
        scan_s = became_at[SessionState.AUTHENTICATING] - became_at[SessionState.SEARCHING]
        allowed_s = GOAL_S + (CONNECT_S if family == "J11" else 0)
        assert took_s - scan_s - JOIN_S < allowed_s
