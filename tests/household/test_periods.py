"""Days and billing periods from the rows of a log and the counters behind them: exact, or unknown."""

from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.broute.history.planner import DAY, Counting, Exchange, Row, midnight
from custom_components.broute.household.periods import Account, Energy, billing_start, day_start
from simulator import JST
from tests.history.world import DIRECTIONS, House

SECOND = timedelta(seconds=1)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
COUNTING = Counting(count_kwh=Decimal("0.1"), round_kwh=Decimal(100_000))


def row(hour: float, state: str, total: str) -> Row:
    """Return a row that ends so many hours after midnight."""
    return Row((MIDNIGHT + timedelta(hours=hour - 1)).astimezone(UTC), Decimal(state), Decimal(total))


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def energy(
    rows: Sequence[Row],
    start: float,
    end: float | None = None,
    counters: Sequence[tuple[float, str]] = (),
    exchange: Exchange | None = None,
) -> Energy | None:
    account = Account(rows, COUNTING, exchange).with_counters([(at(hour), Decimal(kwh)) for hour, kwh in counters])
    return account.energy(at(start), None if end is None else at(end)) if account else None


def kwh(found: Energy | None) -> float | None:
    return None if found is None or found.energy_kwh is None else float(found.energy_kwh)


# When a time begins.


@pytest.mark.parametrize(
    ("now", "reading_day", "begins"),
    [
        (datetime(2026, 11, 21, 23, 59, 59, tzinfo=JST), 22, date(2026, 10, 22)),
        (datetime(2026, 11, 22, 0, 0, tzinfo=JST), 22, date(2026, 11, 22)),
        (datetime(2026, 1, 5, tzinfo=JST), 10, date(2025, 12, 10)),
        (datetime(2026, 3, 1, tzinfo=JST), 31, date(2026, 2, 28)),
        (datetime(2028, 3, 1, tzinfo=JST), 31, date(2028, 2, 29)),
        (datetime(2028, 2, 28, tzinfo=JST), 29, date(2028, 1, 29)),
        (datetime(2028, 2, 29, tzinfo=JST), 29, date(2028, 2, 29)),
        (datetime(2026, 4, 30, tzinfo=JST), 31, date(2026, 4, 30)),
        (datetime(2026, 12, 31, tzinfo=JST), 31, date(2026, 12, 31)),
    ],
)
def test_billing_period_begins_with_the_meter_reading_day(now: datetime, reading_day: int, begins: date) -> None:
    assert billing_start(now, reading_day) == midnight(begins)


instants = st.integers(0, 20 * 366 * 86_400).map(lambda lapse_s: datetime(2020, 1, 1, tzinfo=UTC) + lapse_s * SECOND)


@given(instants, st.integers(1, 31))
def test_every_instant_lies_in_one_billing_period(now: datetime, reading_day: int) -> None:
    begins = billing_start(now, reading_day)
    assert begins <= now
    assert begins.astimezone(JST).hour == 0
    # It begins anew with the first midnight at which another begins, 28 to 31 days later.
    days = (begins + DAY * number for number in range(1, 40))
    ends = next(day for day in days if billing_start(day, reading_day) != begins)
    assert billing_start(ends, reading_day) == ends
    assert now < ends
    assert 28 <= (ends - begins).days <= 31
    day = begins.astimezone(JST).date()
    last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - DAY
    assert day.day == min(reading_day, last.day)
    assert last.day != 29 or isleap(day.year)


@given(instants)
def test_a_day_begins_at_the_meters_midnight(now: datetime) -> None:
    start = day_start(now)
    assert start <= now < start + DAY
    assert (start.astimezone(JST).hour, start.astimezone(JST).minute) == (0, 0)


# What was counted in it.

ROWS = [row(-1, "49.5", "9.5"), row(0, "50", "10"), row(1, "50.5", "10.5"), row(2, "51.5", "11.5")]


def test_energy_is_the_difference_of_two_rows_and_what_the_counter_goes_on_by() -> None:
    assert kwh(energy(ROWS, 0)) == 1.5
    assert kwh(energy(ROWS, 0, 1)) == 0.5
    assert kwh(energy(ROWS, 0, counters=[(2.5, "51.7"), (2.6, "51.8")])) == 1.8
    found = energy(ROWS, 0, counters=[(2.6, "51.8")])
    assert found
    assert (found.start, found.until) == (at(0), at(2.6))


def test_time_without_a_counter_at_its_beginning_or_its_end_is_unknown() -> None:
    assert energy(ROWS, -2) is None
    assert energy(ROWS, 0.5) is None
    assert energy(ROWS, 0, 3) is None
    assert energy(ROWS, 0, 1.5) is None
    assert energy([], 0) is None


def test_half_hour_at_midnight_begins_a_day_as_well() -> None:
    rows = [row(-1, "49.5", "9.5")]
    assert kwh(energy(rows, 0, counters=[(0, "50"), (0.2, "50.1")])) == 0.1
    assert kwh(energy([], 0, counters=[(0, "50"), (0.2, "50.1")])) == 0.1


def test_day_begins_with_nothing() -> None:
    rows = [row(-1, "49.5", "9.5")]
    assert kwh(energy(rows, 0, counters=[(-0.01, "49.9")])) == 0
    assert energy(rows, 0, counters=[(-0.1, "49.9")]) is None


def test_counter_that_has_not_moved_was_the_same_in_between() -> None:
    rows = [row(-1, "49.5", "9.5")]
    assert kwh(energy(rows, 0, counters=[(-0.5, "49.9"), (0.5, "49.9"), (0.6, "50.2")])) == 0.3
    assert energy(rows, 0, counters=[(-0.5, "49.9"), (0.5, "50"), (0.6, "50.2")]) is None


def test_counter_goes_over_its_last_digit() -> None:
    rows = [row(0, "99999.9", "10"), row(1, "0.4", "10.5")]
    assert kwh(energy(rows, 0, counters=[(1.5, "0.6")])) == 0.7
    assert kwh(energy(rows[:1], 0, counters=[(0.5, "0.1")])) == 0.2


def test_hours_that_have_no_row_are_in_the_next_one() -> None:
    rows = [row(0, "50", "10"), row(9, "54", "14")]
    assert kwh(energy(rows, 0)) == 4


def test_other_counter_that_begins_in_it_leaves_it_unknown() -> None:
    rows = [row(0, "50", "10"), row(1, "50.5", "10.5"), row(2, "0.2", "10.7"), row(3, "1.2", "11.7")]
    found = energy(rows, 0, counters=[(3.5, "1.7")])
    assert found
    assert found.energy_kwh is None
    assert found.counted_kwh == Decimal("2.2")
    assert found.not_counted == ((at(1), at(2)),)
    # What was before it, and what is after it, is known.
    assert kwh(energy(rows, 0, 1)) == 0.5
    assert kwh(energy(rows, 2, 3)) == 1


def test_hole_has_no_beginning_in_it_though_nothing_was_counted() -> None:
    rows = [row(-1, "50", "10"), row(1, "0.2", "10"), row(2, "1.2", "11")]
    assert energy(rows, 0) is None


def test_other_counter_cannot_follow_the_last_row() -> None:
    exchange = Exchange(None, at(2.2), None)
    counters = [(2.4, "52")]
    assert energy(ROWS, 0, counters=counters, exchange=exchange) is None
    assert energy(ROWS, 0, counters=counters, exchange=Exchange(None, at(2.2), at(2.5))) is None
    assert kwh(energy(ROWS, 0, counters=counters, exchange=Exchange(None, at(-40), at(-39)))) == 2
    assert energy(ROWS, 0, counters=[(2.4, "0.1")]) is None


def test_counters_from_before_the_last_row_tell_nothing_new() -> None:
    assert kwh(energy(ROWS, 0, counters=[(1.5, "50.7"), (2, "51.5"), (2.5, "52")])) == 2


# Any past of a house.

registers = st.builds(
    lambda unit, normal, reverse: {
        "unit": unit,
        "digits": 5 + unit,
        "initial_import": normal * 10 ** (3 + unit),
        "initial_export": 10 ** (5 + unit) - reverse,
    },
    st.sampled_from((1, 2)),
    st.integers(0, 80),
    st.integers(1, 5000),
)
events = st.one_of(
    st.tuples(st.just("there"), st.integers(1, 30)),
    st.tuples(st.just("away"), st.integers(1, 7 * 48)),
    st.tuples(st.just("without mains"), st.integers(1, 6)),
    st.tuples(st.just("exchanged"), registers),
)


def live(house: House, past: Sequence[tuple[str, Any]]) -> None:
    """Let all that happen."""
    house.be_there()
    for number, (event, detail) in enumerate(past):
        if event == "exchanged":
            # Not by chance one that shows the same.
            house.hang({**detail, "initial_import": detail["initial_import"] + 77 * (number + 1)})
            continue
        for _ in range(detail):
            house.step(powered=event != "without mains")
            if event == "there":
                house.be_there()
        house.be_there()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 3), registers, st.lists(events, max_size=4), st.integers(1, 47))
def test_days_of_any_past_are_right_or_unknown(
    seed: int, first: dict[str, int], past: list[tuple[str, Any]], rest: int
) -> None:
    house = House(seed, depth_days=4, kept_days=9, registers=first)
    live(house, [*past, ("there", 48 + rest)])
    known = 0
    for direction in DIRECTIONS:
        rows = list(house.rows[direction].values())
        count = house.meter.log[house.now][DIRECTIONS.index(direction)]
        counter = count * house.meter.registers.kwh_per_count
        account = Account(rows, house.meter.counting, house.ledger.exchange).with_counters([(house.now, counter)])
        assert account
        starts = [day_start(house.now) - DAY * back for back in range(8)]
        for start, end in product(starts, (None, *starts)):
            found = account.energy(start, end) if end is None or end > start else None
            if found and found.energy_kwh is not None:
                known += 1
                assert found.energy_kwh == house.energy_kwh(direction, start, found.until), (start, end)
    # The last day was there as a whole.
    assert known >= 2 * len(DIRECTIONS)
