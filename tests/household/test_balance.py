"""What goes in goes out: the house, what it uses of the sun itself, and what is left over."""

from datetime import datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.aiobroute import JST
from custom_components.broute.household.balance import (
    STANDBY_W,
    TOLERANCE,
    TOLERANCE_KWH,
    TOLERANCE_W,
    Counted,
    DayEnergy,
    balance_of,
    sun_of,
)

MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
HALF_HOUR = timedelta(minutes=30)
WATTS = st.floats(0, 20000)


@pytest.mark.parametrize(
    ("grid", "sun", "battery", "expected"),
    [
        # grid, sun, battery -> house, self-consumption, surplus
        (500, 0, 0, (500, 0, 0)),
        (-1500, 3000, 0, (1500, 1500, 1500)),
        (500, 1000, 0, (1500, 1000, 0)),
        # The sun fills the battery and sells the rest.
        (-500, 3000, -1500, (1000, 2500, 2000)),
        # The battery helps in the evening.
        (0, 200, 800, (1000, 200, 0)),
        # The battery is filled from the grid at night: nothing of that is left over.
        (2500, 0, -2000, (500, 0, 0)),
        # ... and on a dull day: the sun is less than the house.
        (2300, 200, -2000, (500, 200, 0)),
        # The battery feeds the house so that more of the sun is sold.
        (-3000, 3000, 1000, (1000, 0, 2000)),
        # The battery feeds the grid.
        (-1500, 0, 2000, (500, 0, 0)),
        (-2500, 1000, 2000, (500, 0, 500)),
    ],
)
def test_what_becomes_of_the_power(
    *, grid: float, sun: float, battery: float, expected: tuple[float, float, float]
) -> None:
    balance = balance_of(grid, sun, battery)
    assert balance
    assert (balance.house, balance.self_consumption, balance.surplus) == expected


@given(house=WATTS, sun=WATTS, battery=st.floats(-10000, 10000))
def test_powers_are_conserved(house: float, sun: float, battery: float) -> None:
    grid = house - sun - battery
    balance = balance_of(grid, sun, battery)
    assert balance
    assert balance.house == pytest.approx(house, abs=1e-6)
    assert balance.house == pytest.approx(max(grid + sun + battery, 0), abs=1e-6)
    assert 0 <= balance.self_consumption <= sun
    assert 0 <= balance.surplus <= sun
    # What is not left over is in the house.
    assert sun - balance.surplus <= balance.house + 1e-6
    if battery <= 0:
        # What the sun gives to the battery is neither sold nor used at once, and all else is one of both.
        assert balance.self_consumption == pytest.approx(sun - max(-grid, 0), abs=1e-6)


@given(grid=st.floats(-30000, 30000), sun=WATTS, battery=st.floats(-10000, 10000))
def test_nothing_negative_is_told_and_nothing_impossible(grid: float, sun: float, battery: float) -> None:
    balance = balance_of(grid, sun, battery)
    below_zero = -(grid + sun + battery)
    may_be_off = TOLERANCE_W + TOLERANCE * (abs(grid) + sun + abs(battery))
    assert (balance is None) == (below_zero > may_be_off)
    if balance:
        assert min(balance.house, balance.self_consumption, balance.surplus) >= 0


def test_more_power_is_measured_less_exactly() -> None:
    """Of 6 kW in all, 5 % are 300 W."""
    balance = balance_of(-3000, 2750, 0)
    assert balance
    assert (balance.house, balance.self_consumption, balance.surplus) == (0, 0, 2750)
    assert balance_of(-3000, 2600, 0) is None


def test_what_an_inverter_takes_at_night_is_the_houses() -> None:
    assert sun_of([-7.0]) == 0
    assert sun_of([-7.0, 100.0]) == 100
    assert sun_of([-STANDBY_W]) == 0
    assert sun_of([-STANDBY_W - 1]) is None
    assert sun_of([100.0, None]) is None
    assert sun_of([]) == 0


def day_of(*counted: tuple[float, float, float, float, float]) -> list[Counted]:
    """Return a day of half hours, from what flowed in each: imported, exported, sun, discharged, charged."""
    day = [Counted(MIDNIGHT)]
    for flows in counted:
        last = day[-1]
        before = (last.imported, last.exported, last.sun, last.discharged, last.charged)
        day.append(Counted(last.at + HALF_HOUR, *(a + b for a, b in zip(before, flows, strict=True))))
    return day


def test_day_begins_with_nothing() -> None:
    assert DayEnergy.of(day_of()) == DayEnergy(MIDNIGHT, MIDNIGHT, 0, 0)


def test_energy_of_a_day() -> None:
    energy = DayEnergy.of(day_of((1, 0, 0, 0, 0), (0, 1, 3, 0, 1), (0.5, 0, 0.5, 1, 0)))
    assert energy
    assert energy.until == MIDNIGHT + 3 * HALF_HOUR
    assert energy.house == pytest.approx(1 + 1 + 2)
    assert energy.self_consumption == pytest.approx(2.5)


def test_what_the_battery_sells_is_not_taken_from_the_sun() -> None:
    energy = DayEnergy.of(day_of((0, 1, 3, 0, 1.5), (0, 1, 0, 1.5, 0), (0, 1, 0, 1.5, 0), (0, 0, 1, 0, 0)))
    assert energy
    assert energy.self_consumption == pytest.approx(2 + 1)


def test_steps_of_the_counters_are_nothing_that_was_kept() -> None:
    """All of the sun is sold, counted by 0.1 kWh: half hour by half hour that would be 0.05 kWh each."""
    counted = [(0.0, 0.1 if number % 2 else 0.0, 0.05, 0.0, 0.0) for number in range(48)]
    energy = DayEnergy.of(day_of(*counted))
    assert energy
    assert energy.self_consumption < 0.11


def test_more_sold_than_there_was_is_impossible() -> None:
    assert DayEnergy.of(day_of((0, 3, 1, 0, 0))) is None
    # Later in the day as well, however much was used before.
    assert DayEnergy.of(day_of((9, 0, 0, 0, 0), (0, 3, 1, 0, 0))) is None
    assert DayEnergy.of(day_of((0, 3, 1, 2.5, 0)))


def test_what_the_counters_are_off_is_no_reason() -> None:
    energy = DayEnergy.of(day_of((0, 1 + TOLERANCE_KWH, 1, 0, 0)))
    assert energy
    assert (energy.house, energy.self_consumption) == (0, 0)


FLOWS = st.tuples(*[st.floats(0, 5)] * 4)


@given(st.lists(FLOWS, max_size=48))
def test_energies_are_conserved(flows: list[tuple[float, float, float, float]]) -> None:
    """A house takes its energy from sun, battery and grid; what is too much of the sun is charged and sold."""
    counted = []
    for house, sun, discharged, charged in flows:
        grid = house - sun - discharged + charged
        counted.append((max(grid, 0.0), max(-grid, 0.0), sun, discharged, charged))
    energy = DayEnergy.of(day_of(*counted))
    assert energy
    assert energy.house == pytest.approx(sum(house for house, *_ in flows), abs=1e-6)
    assert 0 <= energy.self_consumption <= sum(sun for _, sun, *_ in flows) + 1e-6


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=48))
def test_without_a_battery_self_consumption_is_what_was_not_sold(flows: list[tuple[float, float]]) -> None:
    counted = [(max(house - sun, 0.0), max(sun - house, 0.0), sun, 0.0, 0.0) for house, sun in flows]
    energy = DayEnergy.of(day_of(*counted))
    assert energy
    assert energy.self_consumption == pytest.approx(sum(min(house, sun) for house, sun in flows), abs=1e-6)
