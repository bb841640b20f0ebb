"""The demand against the truth in a week of restarts and lost readings: the energy exact, the forecast near.

What is measured here stands in docs/energy.md; `pytest -s` shows it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from itertools import takewhile
import logging
from random import Random
from statistics import median
import sys

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.household.demand import Demand
from custom_components.broute.household.demand_watch import DemandWatch
from simulator import JST, HouseLoad, Registers, SimulatedHome

from ..world import Ports

START = datetime(2026, 11, 16, 5, 24, tzinfo=JST)
IMPORT = 0xE0
READ_WITHIN = timedelta(seconds=120)
CLOCK_WITHIN = timedelta(seconds=-61)
MINUTES = (1, 5, 10, 15, 20, 25)
"""Into a half hour, after which a forecast is judged."""
BOUNDS_KW = {5: (0.1, 0.6, 3.0), 15: (0.15, 0.4, 2.0), 25: (0.1, 0.25, 0.8)}
"""By how much half of the forecasts, nine of ten, and all of them may be off, by the minutes: with room for chance."""


@dataclass
class Watcher:
    """Holds whatever is told of the demand against the truth.

    Attributes:
        told: how many half hours have a known energy at some time.
        known: how many times the energy was told to be known.
        wrong: what must not be.
        errors_kw: for some minutes into a half hour by how much the forecasts were off then.
    """

    hass: HomeAssistant
    home: SimulatedHome
    told: set[datetime] = field(default_factory=set)
    known: int = 0
    wrong: list[str] = field(default_factory=list)
    errors_kw: dict[int, list[float]] = field(default_factory=lambda: {minute: [] for minute in MINUTES})
    _judged: set[tuple[datetime, int]] = field(default_factory=set)

    def look(self, watch: DemandWatch) -> None:
        """Look at what is known now."""
        if (demand := watch.demand) is None:
            return
        if demand.energy_kwh is not None:
            self.known += 1
            self._judge_energy(demand)
        if demand.forecast_kw is not None:
            self._judge_forecast(demand)

    def _judge_energy(self, demand: Demand) -> None:
        now = self.home.clock.now()
        if demand.until == demand.start:
            # It has just begun, as exactly as the meter's clock is known, and nothing was read in it yet.
            is_right = demand.energy_kwh == 0 and CLOCK_WITHIN < now - demand.start < READ_WITHIN
        else:
            self.told.add(demand.start)
            first = self.home.truth(demand.start).import_kwh
            # The time is by the meter's clock, as far as it is known; and which of the answers came is not noted.
            recent = takewhile(lambda answer: answer.at > demand.until - READ_WITHIN, reversed(self.home.meter.answers))
            shown = {answer.truth.import_kwh for answer in recent if IMPORT in answer.epcs}
            is_right = first is not None and demand.energy_kwh in {each - first for each in shown if each is not None}
        if not is_right:
            self.wrong.append(f"{now}: {demand}")

    def _judge_forecast(self, demand: Demand) -> None:
        minute = (demand.until - demand.start) // timedelta(minutes=1)
        if minute not in self.errors_kw or (demand.start, minute) in self._judged:
            return
        assert demand.forecast_kw is not None
        self._judged.add((demand.start, minute))
        self.errors_kw[minute].append(float(demand.forecast_kw) - float(self._true_kw(demand.start)))

    def _true_kw(self, start: datetime) -> Fraction:
        # It is known in advance what the house will do.
        load = self.home.meter.registers.load
        end = start + timedelta(minutes=30)
        return Fraction(load.energy(end).import_uj - load.energy(start).import_uj, 3_600_000_000_000) * 2

    def sizes_kw(self, minute: int) -> list[float]:
        """Return by how much the forecasts of a minute were off, the smallest first."""
        return sorted(abs(error) for error in self.errors_kw[minute])

    def table(self) -> str:
        """Return the errors as they stand in the documentation."""
        lines = ["| minutes into the half hour | forecasts | half of them within | nine of ten within | all within |"]
        for minute in MINUTES:
            sizes = self.sizes_kw(minute)
            figures = (median(sizes), sizes[len(sizes) * 9 // 10], sizes[-1])
            lines.append(f"| {minute} | {len(sizes)} | " + " | ".join(f"{figure:.2f} kW" for figure in figures) + " |")
        return "\n".join(lines)


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on."""
    return 2


async def live(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, watcher: Watcher, days: int) -> None:
    """Let days pass, with a restart, or some minutes or hours without the radio, every few hours."""
    chance = Random("a week")
    end = START + timedelta(days=days)
    while (now := home.clock.now()) < end:
        if entry.state is not ConfigEntryState.LOADED:
            assert await hass.config_entries.async_setup(entry.entry_id)
            watch = entry.runtime_data.demand
            watch.async_add_listener(partial(watcher.look, watch))
        await asyncio.sleep(min(chance.uniform(600, 4 * 3600), (end - now).total_seconds()))
        match chance.choice(("restart", "some lost", "all lost", "nothing")):
            case "restart":
                assert await hass.config_entries.async_unload(entry.entry_id)
                await asyncio.sleep(chance.uniform(10, 5400))
            case "some lost":
                home.faults.set(for_s=1800, datagram_loss=0.3)
            case "all lost":
                home.faults.set(for_s=chance.uniform(60, 3600), meter_silent=True)


@pytest.fixture(params=[(0x01, 7), (0x03, 2)], ids=["0.1 kWh", "1 Wh"])
async def home(
    request: pytest.FixtureRequest, ports: Ports, wall_clock: Callable[[SimulatedHome], None]
) -> SimulatedHome:
    """Return a home with the sun on its roof, whose meter counts by one of the units."""
    # Each line on the wire is a record, which costs more than what it tells of.
    logging.getLogger().setLevel(logging.INFO)
    unit, _ = request.param
    home = ports.plug_in(registers=Registers(load=HouseLoad(5), unit=unit, digits=8), start=START)
    wall_clock(home)
    return home


@pytest.fixture
def days(request: pytest.FixtureRequest, home: SimulatedHome) -> int:
    """Return for how long it is looked at."""
    count: int = request.node.callspec.params["home"][1]
    return count


async def test_demand_is_right_in_days_of_restarts_and_lost_readings(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, days: int
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 60})
    watcher = Watcher(hass, home)
    await live(hass, home, entry, watcher, days)
    sys.stdout.write(f"\n{watcher.table()}\n")
    assert watcher.wrong == []
    assert len(watcher.told) > 48 * days * 0.75
    for minute, (half, nine_tenths, most) in BOUNDS_KW.items():
        sizes = watcher.sizes_kw(minute)
        assert median(sizes) <= half
        assert sizes[len(sizes) * 9 // 10] <= nine_tenths
        assert sizes[-1] <= most
