"""The warning against the breaker: in which cases it comes before, and in which it cannot.

The cases are those of `docs/breaker.md`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
import pytest

from custom_components.broute.const import CONF_CONTRACT
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, ScriptedLoad

from .breaker import LAST_ALLOWED, METERS_LIMIT, QUICK, Breaker, trips_at
from .world import Ports, sensor_id, set_up, until, value

BREAKER = {"limit": "main_breaker", "amperes": 40}
AMPERES = {"limit": "amperes", "amperes": 40}
PHASES_S = range(0, 30, 3)
"""By so much later in the interval of the readings it begins: each case is tried with all of them."""
CALM_S = 600.0


@dataclass(frozen=True)
class Case:
    """What a house takes, in shares of the limit, and whether the warning comes before the breaker.

    Attributes:
        before: for long.
        then: one after the other, each with the seconds that it lasts.
        breaker: what trips.
        contract: the options.
        warned: whether the warning comes before that at any phase.
    """

    before: float
    then: Sequence[tuple[float, float]]
    breaker: Breaker
    contract: Mapping[str, Any] = field(default_factory=lambda: BREAKER)
    warned: bool = True


CASES = {
    "a tenth too much": Case(0.3, [(1.1, 200)], QUICK),
    "a quarter too much": Case(0.3, [(1.25, 120)], QUICK),
    "four tenths too much": Case(0.3, [(1.4, 80)], QUICK),
    "half too much, much used before": Case(0.75, [(1.5, 80)], QUICK),
    "twice as much, slow breaker": Case(0.3, [(2.0, 300)], LAST_ALLOWED),
    "meter's limit, approached": Case(0.75, [(0.95, 30), (1.1, 60)], METERS_LIMIT, AMPERES | {"over_percent": 90}),
    # In these it cannot.
    "seven tenths too much": Case(0.3, [(1.7, 80)], QUICK, warned=False),
    "twice as much, much used before": Case(0.75, [(2.0, 80)], QUICK, warned=False),
    "meter's limit, all at once": Case(0.75, [(1.1, 60)], METERS_LIMIT, AMPERES, warned=False),
}


@pytest.mark.parametrize("name", CASES)
async def test_warning_against_the_breaker(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, name: str
) -> None:
    case = CASES[name]
    load = ScriptedLoad(0)
    home = ports.plug_in(load=load)
    hass.config_entries.async_update_entry(entry, options={CONF_CONTRACT: dict(case.contract)})
    await set_up(hass, entry)
    warnings: list[datetime] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if event.data["entity_id"] == sensor_id(hass, "over_contract") and new and new.state == "on":
            warnings.append(home.clock.now())

    hass.bus.async_listen(EVENT_STATE_CHANGED, take)

    def take_share(share: float) -> None:
        # Sixty percent of the power are in R, whose limit is meant where each line counts.
        used_w = 100 * case.contract["amperes"] * share
        load.step(home.clock.now(), round(used_w if case.breaker is METERS_LIMIT else used_w / 0.6))

    margins_s = []
    for phase_s in PHASES_S:
        warnings.clear()
        take_share(case.before)
        await asyncio.sleep(CALM_S)
        assert value(hass, "over_contract") == "off"
        # From a reading on.
        answers = len(home.meter.answers)
        await until(lambda known=answers: len(home.meter.answers) > known)  # type: ignore[misc]
        await asyncio.sleep(phase_s)
        start = home.clock.now()
        for share, lasts_s in case.then:
            take_share(share)
            await asyncio.sleep(lasts_s)
        end = home.clock.now()
        tripped_at = trips_at(
            case.breaker,
            case.contract["amperes"],
            load,
            start - timedelta(seconds=1),
            end,
        )
        assert tripped_at is not None
        assert len(warnings) == 1
        margins_s.append((tripped_at - warnings[0]).total_seconds())
    assert (min(margins_s) > 0) == case.warned


@pytest.mark.parametrize(
    ("breaker", "before", "share", "trips_s"),
    [
        (QUICK, 0.0, 2.0, 20.0),
        (LAST_ALLOWED, 0.0, 2.0, 240.0),
        (QUICK, 0.0, 1.05, None),
        (QUICK, 0.75, 2.0, 10.6),
        (METERS_LIMIT, 0.0, 1.01, 5.0),
        (METERS_LIMIT, 0.0, 1.0, None),
    ],
)
def test_breakers_are_as_fast_as_the_documents_say(
    breaker: Breaker, before: float, share: float, trips_s: float | None
) -> None:
    start = datetime(2026, 11, 21, tzinfo=JST)
    load = ScriptedLoad(round(10_000 * before), r_permille=1000)
    load.step(start + timedelta(seconds=1), round(10_000 * share))
    tripped_at = trips_at(breaker, 100, load, start, start + timedelta(hours=1))
    if trips_s is None:
        assert tripped_at is None
        return
    assert tripped_at is not None
    assert (tripped_at - start).total_seconds() == pytest.approx(trips_s + 1, rel=0.02, abs=0.3)
