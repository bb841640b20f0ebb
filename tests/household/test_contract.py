"""How currents count against the limit of a supply, and when it is exceeded."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.household.contract import (
    CLEAR_BELOW_PERCENT,
    CLEAR_S,
    CONFIRM_S,
    Contract,
    Counting,
    Excess,
    Wires,
    fault_in,
)

AMPERES = {"limit": "amperes", "amperes": 40}
BREAKER = {"limit": "main_breaker", "amperes": 60}

currents = st.integers(-32767, 32765).map(lambda tenths: Decimal(tenths) / 10)
contracts = st.builds(
    Contract,
    st.integers(10, 490).map(Decimal),
    st.just(Wires.THREE),
    st.sampled_from([Counting.SUM, Counting.PER_LINE]),
)


def contract(**options: Any) -> Contract:
    made = Contract.of(options)
    assert made is not None
    return made


def amperes(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@pytest.mark.parametrize("options", [{}, {"limit": "none"}, {"limit": "none", "amperes": 40, "over_percent": 90}])
def test_nothing_limits_the_supply(options: dict[str, Any]) -> None:
    assert Contract.of(options) is None


@pytest.mark.parametrize(
    ("options", "limit_a", "counting"),
    [
        (AMPERES, 40, Counting.SUM),
        (AMPERES | {"counting": "per_line"}, 40, Counting.PER_LINE),
        (BREAKER, 60, Counting.PER_LINE),
        (BREAKER | {"counting": "sum"}, 60, Counting.SUM),
        # Chugoku Electric's own example: a main breaker of 60 A in a supply with three wires is 12 kVA.
        ({"limit": "capacity", "kva": 12}, 60, Counting.PER_LINE),
        ({"limit": "capacity", "kva": 12, "counting": "sum"}, 120, Counting.SUM),
        ({"limit": "capacity", "kva": 6, "wires": "two"}, 60, Counting.PER_LINE),
    ],
)
def test_limit_and_how_it_counts(options: dict[str, Any], limit_a: int, counting: Counting) -> None:
    made = contract(**options)
    assert (made.limit_a, made.counting) == (Decimal(limit_a), counting)


@pytest.mark.parametrize(
    ("options", "r_a", "t_a", "used_a"),
    [
        (AMPERES, 12.5, 7.5, 20),
        # What one line gives back is no room for the other.
        (AMPERES, -10.0, 30.0, 30),
        (AMPERES, -10.0, -5.0, 0),
        (BREAKER, 12.5, 7.5, 12.5),
        (BREAKER, 12.5, 17.5, 17.5),
        # A breaker trips by a current in either direction.
        (BREAKER, -40.0, 5.0, 40),
        (AMPERES | {"wires": "two"}, 12.5, None, 12.5),
        (BREAKER | {"wires": "two"}, -12.5, 0.0, 12.5),
        # A line that should not be there.
        (AMPERES | {"wires": "two"}, 12.5, 0.1, None),
        (AMPERES, 12.5, None, None),
        (AMPERES, None, 12.5, None),
        (BREAKER, None, None, None),
        (AMPERES | {"wires": "two"}, None, None, None),
    ],
)
def test_currents_that_count(options: dict[str, Any], r_a: float | None, t_a: float | None, used_a: float) -> None:
    assert contract(**options).used_a(amperes(r_a), amperes(t_a)) == amperes(used_a)


def test_usage_and_headroom() -> None:
    made = contract(**AMPERES)
    assert made.usage_percent(Decimal("12.3"), Decimal("5.1")) == Decimal("43.5")
    assert made.headroom_a(Decimal("12.3"), Decimal("5.1")) == Decimal("22.6")
    assert made.headroom_a(Decimal(40), Decimal("5.5")) == Decimal("-5.5")
    # What is below the limit by the least that a meter tells is not rounded up to it.
    assert contract(limit="main_breaker", amperes=200).usage_percent(Decimal("199.9"), Decimal(0)) == Decimal("99.9")
    assert made.usage_percent(None, Decimal(5)) is None
    assert made.headroom_a(None, Decimal(5)) is None


@given(contracts, currents, currents)
def test_usage_and_headroom_say_the_same(made: Contract, r_a: Decimal, t_a: Decimal) -> None:
    usage, headroom = made.usage_percent(r_a, t_a), made.headroom_a(r_a, t_a)
    assert usage is not None
    assert headroom is not None
    assert usage >= 0
    assert abs(made.limit_a * (100 - usage) / 100 - headroom) <= made.limit_a * Decimal("0.001")


@given(contracts, currents, currents)
def test_both_lines_count_alike(made: Contract, r_a: Decimal, t_a: Decimal) -> None:
    assert made.used_a(r_a, t_a) == made.used_a(t_a, r_a)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"limit": "none"}, None),
        ({"limit": "amperes"}, "amperes_missing"),
        ({"limit": "main_breaker"}, "amperes_missing"),
        ({"limit": "capacity"}, "kva_missing"),
        ({"limit": "capacity", "amperes": 40}, "kva_missing"),
        ({"limit": "amperes", "amperes": 10}, None),
        ({"limit": "amperes", "amperes": 60}, None),
        ({"limit": "amperes", "amperes": 61}, "amperes_of_no_contract"),
        ({"limit": "main_breaker", "amperes": 100}, None),
        ({"limit": "capacity", "kva": 10}, None),
    ],
)
def test_faults_in_what_is_typed(options: dict[str, Any], fault: str | None) -> None:
    assert fault_in(options) == fault


def seen(readings: Sequence[tuple[float, float | None]], over_percent: int = 100) -> list[bool | None]:
    """Return what is so after each of the readings: its time, and the usage in %."""
    excess, told = Excess(), []
    for at_s, usage_percent in readings:
        excess = excess.see(at_s, amperes(usage_percent), over_percent)
        told.append(excess.is_over)
    return told


def test_one_reading_alone_exceeds_nothing() -> None:
    assert seen([(0, 50), (30, 130), (35, 50), (65, 130), (70, 50)]) == [False] * 5


def test_two_readings_in_a_row_exceed_the_limit() -> None:
    assert seen([(0, 50), (30, 100), (35, 100)]) == [False, False, True]


def test_two_readings_that_are_almost_one_do_not() -> None:
    assert seen([(0, 50), (30, 100), (32, 100), (34, 100)]) == [False, False, False, True]


def test_it_is_kept_again_when_it_was_for_a_minute() -> None:
    assert seen([(0, 110), (5, 110), (10, 94), (40, 94), (69, 94), (70, 94)]) == [None, True, True, True, True, False]


def test_just_below_is_not_kept_again() -> None:
    assert seen([(0, 110), (5, 110), (10, 95), (400, 99), (800, 95)]) == [None, True, True, True, True]


def test_minute_begins_anew_when_it_was_too_much_once_more() -> None:
    assert seen([(0, 110), (5, 110), (10, 50), (60, 97), (65, 50), (124, 50), (125, 50)])[-3:] == [True, True, False]


def test_reading_without_currents_changes_nothing() -> None:
    assert seen([(0, None), (5, 110), (10, None), (15, 110), (20, None)]) == [None, None, None, True, True]


def test_limit_that_warns_early() -> None:
    assert seen([(0, 50), (5, 90), (10, 90), (15, 84), (80, 84)], 90) == [False, False, True, True, False]


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 200)), max_size=60), st.integers(50, 150))
def test_change_rests_on_all_readings_of_the_time_that_it_takes(
    steps: list[tuple[int, int]], over_percent: int
) -> None:
    at_s, since_s, excess = 0, None, Excess()
    for pause_s, usage in steps:
        at_s += pause_s
        before, excess = excess.is_over, excess.see(at_s, Decimal(usage), over_percent)
        is_opposite = usage < over_percent - CLEAR_BELOW_PERCENT if before else usage >= over_percent
        since_s = None if not is_opposite else at_s if since_s is None else since_s
        is_due = since_s is not None and at_s - since_s >= (CLEAR_S if before else CONFIRM_S)
        assert excess.is_over is (not before if is_due else None if before is None and is_opposite else bool(before))
        since_s = None if is_due else since_s
