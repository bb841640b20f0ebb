"""When the meter is read faster, and until when."""

from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.household.boost import (
    DEFAULT_BOOST_PERCENT,
    DURATION_S,
    HOLD_S,
    INTERVAL_S,
    KEEP_PERCENT,
    Boost,
)

SHORTEST_S, LONGEST_S = DURATION_S
FULL = Decimal(100)


def test_it_is_off_at_first() -> None:
    assert not Boost().is_on(0)
    assert Boost().interval_s(0, 30) == 30


def test_it_is_asked_for_and_ends_by_itself() -> None:
    boost = Boost().ask(100, 60)
    assert boost.is_on(100)
    assert boost.is_asked(159.9)
    assert not boost.is_asked(160)
    assert not boost.is_on(160)


@pytest.mark.parametrize(("asked_s", "lasts_s"), [(0, SHORTEST_S), (60, 60), (1e9, LONGEST_S)])
def test_it_lasts_neither_less_nor_longer_than_it_may(asked_s: float, lasts_s: float) -> None:
    assert Boost().ask(100, asked_s).ends_at_s(100) == 100 + lasts_s


def test_it_can_be_asked_for_anew_and_ended() -> None:
    boost = Boost().ask(0, 600).ask(10, 20)
    assert boost.ends_at_s(10) == 30
    assert not boost.end().is_on(10)


@pytest.mark.parametrize(("usual_s", "interval_s"), [(3600, INTERVAL_S), (30, INTERVAL_S), (5, 5), (3, 3)])
def test_it_makes_nothing_slower(usual_s: float, interval_s: float) -> None:
    assert Boost().ask(0, 60).interval_s(0, usual_s) == interval_s


def test_it_begins_by_itself_and_ends_when_it_is_needed_no_more() -> None:
    boost = Boost().see(0, Decimal(70), 70)
    assert boost.ends_at_s(0) == HOLD_S
    assert not boost.is_asked(0)
    assert boost.see(10, Decimal(65), 70).ends_at_s(10) == 10 + HOLD_S
    assert boost.see(10, Decimal("64.9"), 70) == boost


def test_it_does_not_begin_below_where_it_goes_on() -> None:
    assert not Boost().see(0, Decimal(65), 70).is_on(0)
    over = Boost().see(0, Decimal(70), 70)
    assert over.see(HOLD_S, Decimal(65), 70) == over


def test_it_never_begins_by_itself_where_nobody_wants_it() -> None:
    assert Boost().see(0, FULL, 0) == Boost()


def test_reading_without_currents_changes_nothing() -> None:
    boost = Boost().see(0, FULL, DEFAULT_BOOST_PERCENT)
    assert boost.see(10, None, DEFAULT_BOOST_PERCENT) == boost


def test_one_end_comes_after_the_other() -> None:
    boost = Boost().ask(0, 60).see(0, FULL, DEFAULT_BOOST_PERCENT)
    assert boost.ends_at_s(0) == 60
    assert boost.ends_at_s(60) == HOLD_S
    assert boost.ends_at_s(HOLD_S) is None


def test_what_is_needed_goes_on_when_it_is_asked_for_no_longer() -> None:
    boost = Boost().ask(0, 60).see(0, FULL, DEFAULT_BOOST_PERCENT).end()
    assert boost.is_on(0)
    assert not boost.is_asked(0)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 500),
            st.one_of(st.just("end"), st.floats(0, 7200), st.integers(0, 200).map(Decimal), st.none()),
        ),
        max_size=40,
    ),
    st.integers(0, 100),
)
def test_it_is_on_for_a_reason_and_always_comes_to_its_end(
    steps: list[tuple[float, str | float | Decimal | None]], boost_percent: int
) -> None:
    at_s, boost, asked_s, last_needed_s = 0.0, Boost(), None, None
    for pause_s, step in steps:
        at_s += pause_s
        match step:
            case "end":
                boost, asked_s = boost.end(), None
            case float():
                boost, asked_s = boost.ask(at_s, step), at_s
            case _:
                assert not isinstance(step, str)
                boost = boost.see(at_s, step, boost_percent)
                if step is not None and boost_percent and step >= boost_percent - KEEP_PERCENT:
                    last_needed_s = at_s
        assert not boost.is_on(at_s + max(LONGEST_S, HOLD_S))
        assert (boost.ends_at_s(at_s) is None) == (not boost.is_on(at_s))
        if boost.is_on(at_s):
            was_asked = asked_s is not None and at_s - asked_s < LONGEST_S
            was_needed = last_needed_s is not None and at_s - last_needed_s < HOLD_S
            assert was_asked or was_needed
        if isinstance(step, Decimal) and 0 < boost_percent <= step:
            assert boost.is_on(at_s)
