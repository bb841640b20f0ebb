"""What is kept of how well the meter was heard and answered."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.household.link_record import HOURS, Hour, LinkRecord

START = datetime(2026, 11, 21, 9, tzinfo=UTC)


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


def test_hours_are_counted_apart() -> None:
    record = LinkRecord()
    record = record.see(minutes(1), -60.0, requests=2, answers=2)
    record = record.see(minutes(59), -70.0, requests=4, answers=3)
    record = record.see(minutes(61), None, requests=5, answers=3)
    assert record.hours == (
        Hour(
            start=START,
            requests=4,
            answers=3,
            signals_dbm=-130.0,
            heard=2,
            weakest_dbm=-70.0,
            strongest_dbm=-60.0,
        ),
        Hour(start=minutes(60), requests=1),
    )
    assert [hour.mean_dbm for hour in record.hours] == [-65.0, None]


def test_the_oldest_is_forgotten() -> None:
    record = LinkRecord()
    for number in range(HOURS + 3):
        record = record.see(minutes(60 * number), -60.0, requests=number, answers=number)
    assert len(record.hours) == HOURS
    assert record.hours[0].start == minutes(180)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.none() | st.floats(-110, -20), st.integers(0, 20), st.integers(0, 20)),
        max_size=60,
    )
)
def test_nothing_is_lost_of_the_hours_that_are_kept(
    steps: list[tuple[int, float | None, int, int]],
) -> None:
    record, at, requests, answers = LinkRecord(), START, 0, 0
    kept: dict[datetime, list[tuple[float | None, int, int]]] = {}
    for pause_min, signal_dbm, more_requests, more_answers in steps:
        at += timedelta(minutes=pause_min)
        requests, answers = requests + more_requests, answers + more_answers
        record = record.see(at, signal_dbm, requests=requests, answers=answers)
        kept.setdefault(at.replace(minute=0), []).append((signal_dbm, more_requests, more_answers))
    assert [hour.start for hour in record.hours] == list(kept)[-HOURS:]
    for hour in record.hours:
        seen = kept[hour.start]
        signals = [signal for signal, _, _ in seen if signal is not None]
        assert hour.requests == sum(count for _, count, _ in seen)
        assert hour.answers == sum(count for _, _, count in seen)
        assert (hour.weakest_dbm, hour.strongest_dbm) == (min(signals, default=None), max(signals, default=None))
        assert hour.mean_dbm == (pytest.approx(sum(signals) / len(signals)) if signals else None)
