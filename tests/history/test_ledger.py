"""What is kept of a meter's past: exchanges, and clocks that were wrong."""

from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.broute.history.ledger import Identity, Ledger
from custom_components.broute.history.planner import Exchange, Span

NOW = datetime(2026, 11, 21, 9, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
METER = Identity("001d129012345678", "AB12C34567", "0.1 1 6")


def test_the_first_meter_is_no_exchange() -> None:
    ledger = Ledger()
    assert not ledger.meet(METER, NOW)
    assert not ledger.meet(METER, NOW + HOUR)
    ledger.settle_exchange(NOW)
    assert ledger.past.exchange is None


@pytest.mark.parametrize(
    "other",
    [
        Identity("001d129012345679", "AB12C34567", "0.1 1 6"),
        Identity("001d129012345678", "AB12C34568", "0.1 1 6"),
        Identity("001d129012345678", "AB12C34567", "0.01 1 6"),
    ],
)
def test_another_meter_or_another_scale_is_an_exchange(other: Identity) -> None:
    ledger = Ledger()
    ledger.meet(METER, NOW)
    assert ledger.meet(other, NOW + DAY)
    assert ledger.past.exchange == Exchange(NOW, NOW + DAY)
    assert not ledger.meet(other, NOW + 2 * DAY)
    ledger.settle_exchange(NOW + HOUR)
    assert ledger.past.exchange == Exchange(NOW, NOW + DAY, NOW + HOUR)


def test_serial_number_that_is_not_told_is_no_other_one() -> None:
    ledger = Ledger()
    ledger.meet(METER, NOW)
    assert not ledger.meet(Identity(METER.mac, None, METER.scale), NOW + HOUR)
    # And it is not forgotten by that.
    assert ledger.meet(Identity(METER.mac, "other", METER.scale), NOW + DAY)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_clock_that_is_little_off_is_right(minutes: int) -> None:
    ledger = Ledger()
    ledger.check_clock(timedelta(minutes=minutes), NOW, ran_on=None)
    assert not ledger.clock_is_wrong
    assert ledger.past.doubtful == ()


def look(ledger: Ledger, *looks: tuple[timedelta, timedelta, bool | None]) -> None:
    """Look at the clock: after some time it is so far off, and has run on since the last look or not."""
    for lapse, offset, ran_on in looks:
        ledger.check_clock(offset, NOW + lapse, ran_on=ran_on)


RIGHT = timedelta(0)


def test_what_a_wrong_clock_may_have_stamped_is_doubtful() -> None:
    ledger = Ledger()
    look(ledger, (RIGHT, RIGHT, None), (2 * HOUR, -3 * DAY, False))
    assert ledger.clock_is_wrong
    look(ledger, (4 * HOUR, -3 * DAY + HOUR, False), (6 * HOUR, timedelta(seconds=20), False))
    past = ledger.past
    # By the true time, and by its own.
    assert past.is_doubtful(NOW + HOUR)
    assert past.is_doubtful(NOW + 5 * HOUR)
    assert past.is_doubtful(NOW - 3 * DAY)
    assert past.is_doubtful(NOW - 3 * DAY + 6 * HOUR)
    assert not past.is_doubtful(NOW)
    assert not past.is_doubtful(NOW + 6 * HOUR)
    assert not past.is_doubtful(NOW - DAY)
    assert not past.is_doubtful(NOW - 3 * DAY - HOUR)


def test_what_a_fast_clock_has_stamped_stays_doubtful_until_its_time_is_over() -> None:
    ledger = Ledger()
    look(ledger, (RIGHT, RIGHT, None), (HOUR, DAY, False), (2 * HOUR, RIGHT, False))
    assert ledger.past.is_doubtful(NOW + DAY + HOUR)
    assert not ledger.past.is_doubtful(NOW + DAY + 3 * HOUR)
    assert not ledger.past.is_doubtful(NOW + 3 * HOUR)


@pytest.mark.parametrize("ran_on", [False, None])
def test_of_a_clock_that_was_never_seen_right_all_is_doubtful(*, ran_on: bool | None) -> None:
    ledger = Ledger()
    look(ledger, (RIGHT, HOUR, None), (HOUR, RIGHT, ran_on))
    assert ledger.past.doubtful[0] == Span(None, NOW + HOUR)
    assert ledger.past.is_doubtful(NOW - 40 * DAY)


@pytest.mark.parametrize("first", [[], [(-HOUR, RIGHT, None)]])
def test_nothing_is_doubtful_when_only_our_own_clock_was_set(first: list[Any]) -> None:
    ledger = Ledger()
    look(ledger, *first, (RIGHT, DAY, None), (HOUR, DAY, True), (2 * HOUR, RIGHT, True))
    assert not ledger.clock_is_wrong
    assert ledger.past.doubtful == ()


def test_clock_that_was_set_while_our_own_was_wrong_as_well_is_doubtful() -> None:
    ledger = Ledger()
    look(ledger, (RIGHT, DAY, None), (HOUR, HOUR, False))
    ledger = Ledger.from_dict(ledger.as_dict())
    look(ledger, (HOUR, HOUR, None), (2 * HOUR, RIGHT, True))
    assert ledger.past.is_doubtful(NOW)
    # The next time it may be our own again.
    look(ledger, (3 * HOUR, HOUR, None), (4 * HOUR, RIGHT, True))
    assert len(ledger.past.doubtful) == 1


def test_what_no_log_can_hold_any_more_is_forgotten() -> None:
    ledger = Ledger()
    for day in (0, 200):
        at = day * DAY
        look(ledger, (at, RIGHT, None), (at + HOUR, HOUR, False), (at + 2 * HOUR, RIGHT, False))
    assert not ledger.past.is_doubtful(NOW + HOUR)
    assert ledger.past.is_doubtful(NOW + 200 * DAY + HOUR)


def full() -> Ledger:
    ledger = Ledger()
    ledger.meet(METER, NOW)
    ledger.meet(Identity("001d129012345679", None, "1 1 6"), NOW + HOUR)
    ledger.settle_exchange(NOW)
    look(ledger, (RIGHT, RIGHT, None), (RIGHT, 2 * HOUR, False), (HOUR, RIGHT, False), (HOUR, -HOUR, False))
    ledger.lost["import"] = NOW.date()
    return ledger


@pytest.mark.parametrize("ledger", [Ledger(), full()])
def test_it_can_be_stored(ledger: Ledger) -> None:
    assert Ledger.from_dict(json.loads(json.dumps(ledger.as_dict()))) == ledger


@pytest.mark.parametrize(
    "damage",
    [
        {"seen_at": "yesterday"},
        {"seen_at": "2026-11-21T09:24:00"},
        {"identity": ["mac"]},
        {"exchange": ["2026-11-21T09:24:00+00:00", None, None]},
        {"doubtful": [None]},
        {"offsets": ["1", "2"]},
        {"lost": {"import": "long ago"}},
    ],
)
def test_what_is_damaged_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Ledger.from_dict(full().as_dict() | damage)
    with pytest.raises(KeyError):
        Ledger.from_dict({})


def test_secrets_are_not_shown() -> None:
    assert METER.mac not in repr(full())
    assert "AB12C34567" not in repr(METER)
