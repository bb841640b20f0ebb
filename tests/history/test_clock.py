"""How far a meter's clock is off, from looks that each leave a minute open."""

from datetime import datetime, timedelta
import random

from hypothesis import given, strategies as st

from custom_components.broute.history.clock import ClockOffset
from simulator import JST

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=JST)


def look(at: datetime, off_s: float) -> ClockOffset:
    """Look at a clock that shows whole minutes."""
    shown = (at + timedelta(seconds=off_s)).replace(second=0, microsecond=0)
    return ClockOffset(shown - at, shown + timedelta(minutes=1) - at, at)


@given(st.floats(-4000, 4000), st.lists(st.integers(0, 7200), max_size=30), st.randoms(use_true_random=False))
def test_the_truth_is_always_within(off_s: float, pauses_s: list[int], chance: random.Random) -> None:
    at, seen = NOON, look(NOON, off_s)
    for pause_s in pauses_s:
        at += timedelta(seconds=pause_s)
        # A clock that gains or loses less than a second an hour.
        off_s += chance.uniform(-pause_s, pause_s) / 3600
        seen = look(at, off_s).narrowed_by(seen)
        assert seen.low <= timedelta(seconds=off_s) <= seen.high
        assert seen.high - seen.low <= timedelta(minutes=1)


def test_several_looks_leave_little_open() -> None:
    seen = look(NOON, 17.0)
    for number in range(12):
        at = NOON + timedelta(hours=number, seconds=number * 37)
        seen = look(at, 17.0).narrowed_by(seen)
    assert abs(seen.middle - timedelta(seconds=17)) < timedelta(seconds=10)


def test_clock_that_was_set_is_seen_anew() -> None:
    before = look(NOON, 0.0)
    after = look(NOON + timedelta(hours=1), 1800.0)
    assert after.narrowed_by(before) == after
