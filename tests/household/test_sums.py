"""What was counted up to an instant, from rows that may have gaps."""

from datetime import UTC, datetime, timedelta

from custom_components.broute.household.sums import Sums

START = datetime(2026, 11, 21, 15, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_row_that_ends_there_tells_it() -> None:
    sums = Sums([(at(5), 1.0), (at(10), 1.5)])
    assert sums.at(at(5)) == 1.0
    assert sums.at(at(10)) == 1.5


def test_row_that_is_missing_tells_nothing() -> None:
    sums = Sums([(at(5), 1.0), (at(20), 1.5)])
    assert sums.at(at(0)) is None
    assert sums.at(at(10)) is None
    assert sums.at(at(25)) is None
    assert Sums([]).at(at(0)) is None
    assert Sums([(at(5), 1.0)]).at(at(0)) is None


def test_counter_that_has_not_moved_was_the_same_in_between() -> None:
    sums = Sums([(at(5), 1.0), (at(600), 1.0), (at(605), 1.2)])
    assert sums.at(at(300)) == 1.0
    assert sums.at(at(0)) is None
