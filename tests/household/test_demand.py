"""The demand of a half hour from readings: exact or unknown, whatever was read and whatever was lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.broute.history.planner import Counting
from custom_components.broute.household.demand import Demand, Seen, TargetWatch, demand_of, half_hour_of
from simulator import JST, ConstantLoad, HouseLoad, Registers

START = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
COUNTING = Counting(count_kwh=Decimal("0.1"), round_kwh=Decimal(100_000))
FINE = Counting(count_kwh=Decimal("0.001"), round_kwh=Decimal(1000))

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The curve of a house is made when it is asked for first."""

lapses = st.lists(st.integers(-600, 1799), min_size=1, max_size=60, unique=True).map(sorted)


def registers(seed: int, unit: int, shown_at_start: int) -> Registers:
    """Return registers of a house that show so much at the start, which may be shortly before their last digit."""
    fresh = Registers(load=HouseLoad(seed), unit=unit, digits=5)
    counted = fresh.import_count(START)
    assert counted is not None
    return replace(fresh, initial_import=shown_at_start - counted % 100_000)


def counting_of(registers: Registers) -> Counting:
    worth = registers.kwh_per_count
    return Counting(count_kwh=worth, round_kwh=worth * 10**registers.digits)


def read(registers: Registers, lapses_s: Sequence[int], lost: frozenset[int] = frozenset()) -> list[Seen]:
    """Read the registers so many seconds after the start; in some readings the counter is lost."""
    seen = []
    for number, lapse_s in enumerate(lapses_s):
        at = START + timedelta(seconds=lapse_s)
        counter = None if number in lost else registers.kwh(registers.import_count(at))
        seen.append(Seen(at, at, counter, registers.load.flow(at).power_w))
    return seen


def energy_kwh(registers: Registers, until: datetime) -> Decimal:
    """Return by how much the register has risen since the start."""
    first, last = registers.import_count(START), registers.import_count(until)
    assert first is not None
    assert last is not None
    size: int = 10**registers.digits
    return (last - first) % size * registers.kwh_per_count


@unhurried
@given(
    st.builds(
        registers,
        st.integers(0, 3),
        st.sampled_from((1, 2, 3)),
        st.one_of(st.integers(0, 99_999), st.integers(99_950, 99_999)),
    ),
    lapses,
    st.frozensets(st.integers(0, 60), max_size=10),
    st.booleans(),
)
def test_energy_so_far_is_what_the_register_has_counted_or_unknown(
    meter: Registers, lapses_s: list[int], lost: frozenset[int], is_told: bool
) -> None:
    seen = read(meter, lapses_s, lost)
    told = meter.kwh(meter.import_count(START)) if is_told else None
    demand = demand_of(START, seen, told, counting_of(meter))
    counted = [one for one in seen if one.import_kwh is not None and one.at >= START]
    assert demand.start == START
    assert demand.until == (counted[-1].at if counted else START)
    if is_told and counted:
        assert demand.energy_kwh is not None
    if demand.energy_kwh is not None:
        assert demand.energy_kwh == energy_kwh(meter, demand.until)
    if demand.mean_kw is not None:
        exact = energy_kwh(meter, demand.until) / (Decimal((demand.until - START).total_seconds()) / 3600)
        assert abs(demand.mean_kw - exact) <= Decimal("0.001")


@unhurried
@given(st.integers(0, 8000), st.sampled_from((1, 2, 3)), lapses)
def test_forecast_of_a_constant_power_is_right_to_a_count(power_w: int, unit: int, lapses_s: list[int]) -> None:
    meter = Registers(load=ConstantLoad(power_w), unit=unit, digits=8)
    demand = demand_of(START, read(meter, lapses_s), meter.kwh(meter.import_count(START)), counting_of(meter))
    if demand.forecast_kw is not None:
        # The counter shows whole counts, at the beginning and now; and a count in half an hour is two in an hour.
        assert abs(demand.forecast_kw - Decimal(power_w) / 1000) <= 2 * meter.kwh_per_count + Decimal("0.001")


def seen(lapse_s: float, import_kwh: str | None, power_w: int | None = 1000) -> Seen:
    at = START + timedelta(seconds=lapse_s)
    return Seen(at, at, None if import_kwh is None else Decimal(import_kwh), power_w)


def demand(*readings: Seen, told: str | None = None, counting: Counting = COUNTING) -> Demand:
    return demand_of(START, readings, None if told is None else Decimal(told), counting)


@pytest.mark.parametrize(
    ("at", "start"),
    [
        (datetime(2026, 11, 21, 18, 29, 59, 999_999, tzinfo=JST), datetime(2026, 11, 21, 18, 0, tzinfo=JST)),
        (datetime(2026, 11, 21, 18, 30, tzinfo=JST), datetime(2026, 11, 21, 18, 30, tzinfo=JST)),
        (datetime(2026, 11, 22, 0, 0, 1, tzinfo=JST), datetime(2026, 11, 22, tzinfo=JST)),
    ],
)
def test_half_hours_begin_at_0_and_30(at: datetime, start: datetime) -> None:
    assert half_hour_of(at) == start


def test_it_begins_with_nothing() -> None:
    begun = demand(seen(-30, "50.3"))
    assert begun.energy_kwh == 0
    assert begun.mean_kw is None
    assert begun.forecast_kw == 1
    assert begun.until == START


def test_reading_of_long_ago_says_nothing_of_the_beginning() -> None:
    begun = demand(seen(-301, "50.3"))
    assert begun.energy_kwh is None
    assert begun.forecast_kw is None


def test_nothing_is_known_without_a_reading_before_or_a_told_counter() -> None:
    assert demand(seen(20, "50.3")).energy_kwh is None
    assert demand(seen(20, "50.3")).forecast_kw is None
    assert demand(seen(20, "50.3"), told="50.2").energy_kwh == Decimal("0.1")


def test_counter_that_has_not_moved_over_the_beginning_was_that_there() -> None:
    known = demand(seen(-20, "50.3"), seen(10, "50.3"), seen(900, "50.7"))
    assert known.energy_kwh == Decimal("0.4")
    assert known.mean_kw == Decimal("1.6")


def test_counter_that_has_moved_over_the_beginning_is_only_good_for_a_forecast() -> None:
    unknown = demand(seen(-20, "50.3"), seen(10, "50.4"), seen(900, "50.8"))
    assert unknown.energy_kwh is None
    assert unknown.mean_kw is None
    # 0.45 kWh, and a quarter of an hour at 1 kW.
    assert unknown.forecast_kw == Decimal("1.4")


def test_readings_far_apart_say_nothing_of_the_counter_between_them() -> None:
    assert demand(seen(-200, "50.3"), seen(101, "50.3")).energy_kwh is None
    assert demand(seen(-200, "50.3"), seen(100, "50.3")).energy_kwh == 0


def test_reading_that_was_asked_for_before_and_answered_after_the_beginning_is_of_neither_side() -> None:
    before, between = seen(-30, "50.3"), replace(seen(5, "50.4"), asked=START - timedelta(seconds=1))
    assert demand(before, between, told="50.4").until == START
    assert demand(before, between, seen(35, "50.4")).energy_kwh is None
    assert demand(before, replace(between, import_kwh=Decimal("50.3")), seen(35, "50.3")).energy_kwh == 0


def test_counter_that_cannot_follow_is_not_compared() -> None:
    begun_anew = demand(seen(600, "0.2"), told="50.3")
    assert begun_anew.energy_kwh is None
    assert begun_anew.forecast_kw is None


def test_counter_goes_over_its_last_digit() -> None:
    assert demand(seen(600, "0.1"), told="99999.9").energy_kwh == Decimal("0.2")


def test_mean_is_told_when_a_count_is_no_more_than_a_kilowatt() -> None:
    assert demand(seen(359, "50.3"), told="50.2").mean_kw is None
    assert demand(seen(360, "50.3"), told="50.2").mean_kw == 1
    assert demand(seen(36, "50.302"), told="50.292", counting=FINE).mean_kw == 1


def test_rest_is_expected_as_the_last_five_minutes() -> None:
    known = demand(
        seen(100, "50", 9000), seen(300, "50", 2000), seen(450, "50", None), seen(599, "50", 4000), told="50"
    )
    assert (known.power_w, known.readings) == (3000, 2)
    assert known.forecast_kw == pytest.approx(Decimal(3) * (1800 - 599) / 1800, abs=Decimal("0.001"))


def test_export_takes_nothing_back() -> None:
    assert demand(seen(600, "50.2", -3000), told="50").forecast_kw == Decimal("0.4")


def test_no_forecast_without_power() -> None:
    known = demand(seen(600, "50.2", None), told="50")
    assert known.energy_kwh == Decimal("0.2")
    assert known.forecast_kw is None
    assert (known.power_w, known.readings) == (None, 0)


# The target.


def forecast(minute: float, kw: str | None, energy_kwh: str | None = "0") -> Demand:
    return Demand(
        start=START,
        until=START + timedelta(minutes=minute),
        energy_kwh=None if energy_kwh is None else Decimal(energy_kwh),
        mean_kw=None,
        forecast_kw=None if kw is None else Decimal(kw),
        power_w=None,
        readings=0,
    )


def followed(*demands: Demand | None) -> list[bool | None]:
    """Return what is told of a target of 3 kW, after each of these."""
    watch = TargetWatch(Decimal(3))
    told = []
    for each in demands:
        watch.take(each)
        told.append(watch.is_exceeded)
    return told


def test_target_is_exceeded_when_forecasts_have_said_so_for_two_minutes() -> None:
    assert followed(forecast(0, "3.1"), forecast(1.9, "3.1"), forecast(2, "3.1")) == [False, False, True]


def test_one_forecast_that_says_otherwise_begins_it_anew() -> None:
    told = followed(forecast(0, "3.1"), forecast(1, "3"), forecast(2, "3.1"), forecast(3.9, "4"), forecast(4, "3.1"))
    assert told == [False, False, False, False, True]


def test_target_is_kept_again_when_forecasts_are_well_below_it_for_two_minutes() -> None:
    exceeded = [forecast(0, "3.1"), forecast(2, "3.1")]
    below = [forecast(3, "2.84"), forecast(4, "2.85"), forecast(5, "2.84"), forecast(6.9, "2.84"), forecast(7, "2.84")]
    assert followed(*exceeded, *below)[2:] == [True, True, True, True, False]


def test_what_was_taken_already_needs_no_forecast() -> None:
    assert followed(forecast(20, "2", "1.5"), forecast(20.5, "2", "1.6")) == [False, True]


UNKNOWN = [None, forecast(3, None)]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_target_is_unknown_without_a_forecast_and_then_as_it_was(unknown: Demand | None) -> None:
    above, below = "3.1", "2.8"
    told = followed(forecast(0, above), forecast(2, above), unknown, forecast(4, above), forecast(6, below))
    assert told == [False, True, None, True, True]
    told = followed(unknown, forecast(4, above), unknown, forecast(6, above))
    assert told == [None, False, None, False]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_two_minutes_begin_anew_after_a_time_without_a_forecast(unknown: Demand | None) -> None:
    exceeded = [forecast(0, "3.1"), forecast(2, "3.1")]
    told = followed(*exceeded, forecast(2.5, "2.8"), unknown, forecast(4, "2.8"), forecast(6, "2.8"))
    assert told[2:] == [True, None, True, False]


@given(st.lists(st.tuples(st.integers(1, 120), st.integers(200, 400)), max_size=60))
def test_target_changes_no_more_often_than_every_two_minutes(forecasts: list[tuple[int, int]]) -> None:
    watch = TargetWatch(Decimal(3))
    at = changed_at = timedelta(0)
    was: bool | None = False
    for lapse_s, hundredths in forecasts:
        at += timedelta(seconds=lapse_s)
        watch.take(forecast(at / timedelta(minutes=1), str(Decimal(hundredths) / 100)))
        if watch.is_exceeded != was:
            assert at - changed_at >= timedelta(minutes=2)
            was, changed_at = watch.is_exceeded, at
