"""The rules of the planner one by one, on one direction and a few hours."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.broute.history.planner import (
    DAY,
    HALF_HOUR,
    HOUR,
    Counting,
    Exchange,
    Extent,
    Gap,
    Log,
    Past,
    Plan,
    Reason,
    Row,
    Span,
    day_of,
    midnight,
    plan,
)
from simulator import JST

TODAY = date(2026, 11, 21)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
COUNTING = Counting(count_kwh=Decimal("0.1"), round_kwh=Decimal(100_000))


def hourly(*kwh: float | None, start: datetime = MIDNIGHT, step: timedelta = HOUR) -> dict[datetime, Decimal]:
    """Return counters at the hours from midnight on; `None` is one that is not known."""
    return {start + step * number: Decimal(str(each)) for number, each in enumerate(kwh) if each is not None}


def planned(
    counters: Mapping[datetime, Decimal],
    rows: Sequence[Row] = (),
    *,
    since: datetime = MIDNIGHT,
    now: datetime = MIDNIGHT + 10 * HOUR,
    read: Sequence[date] = (TODAY,),
    past: Past = Past(),  # noqa: B008 - frozen
    extent: Extent | None = None,
) -> Plan:
    """Plan one direction; today was read, unless something else is said.

    What is wanted since a time that has a row is wanted once more.
    """
    log = Log(counters={"import": {**nothing_else(read, now), **counters}})
    extent = extent or (Extent.AGAIN if rows and since <= rows[-1].end else Extent.BEHIND)
    return plan({"import": rows}, log, extent, start=since, now=now, counting=COUNTING, past=past)


def nothing_else(days: Iterable[date], now: datetime) -> dict[datetime, Decimal | None]:
    """Return what is known of days when they were read until now, and nothing was there."""
    half_hours = (midnight(day) + HALF_HOUR * number for day in days for number in range(48))
    return {at: None for at in half_hours if at <= now}


def changes(plan: Plan, before: float = 0) -> dict[int, float]:
    """Return the energy of each row by its hour of the day."""
    found = {}
    last = Decimal(str(before))
    for row in plan.rows.get("import", ()):
        found[row.start.astimezone(JST).hour] = float(row.sum - last)
        last = row.sum
    return found


def row(hour: int, state: float, total: float) -> Row:
    return Row((MIDNIGHT + hour * HOUR).astimezone(UTC), Decimal(str(state)), Decimal(str(total)))


def gap(start: float, end: float, reason: Reason, energy: float | None) -> Gap:
    return Gap(
        (MIDNIGHT + start * HOUR).astimezone(UTC),
        (MIDNIGHT + end * HOUR).astimezone(UTC),
        reason,
        None if energy is None else Decimal(str(energy)),
    )


def test_the_first_counter_only_begins() -> None:
    plan = planned(hourly(50, 50.5, 51.5))
    assert plan.rows["import"] == [row(0, 50.5, 0.5), row(1, 51.5, 1.5)]
    assert plan.gaps["import"] == []


def test_log_that_begins_within_an_hour_has_a_part_of_it() -> None:
    plan = planned(hourly(10, 10.5, 11, start=MIDNIGHT + HALF_HOUR, step=HALF_HOUR))
    assert changes(plan) == {0: 0.5}
    assert plan.gaps["import"] == [gap(0, 1, Reason.NOT_KEPT, None)]


def test_it_goes_on_from_the_last_row() -> None:
    plan = planned(hourly(50, 50.5, 51.5), [row(0, 50.5, 7.5)], since=MIDNIGHT + 2 * HOUR)
    assert plan.rows["import"] == [row(1, 51.5, 8.5)]


def test_counter_goes_over_its_last_digit() -> None:
    assert changes(planned(hourly(99_999.5, 99_999.9, 0.3))) == {0: 0.4, 1: 0.4}


def test_energy_of_hours_that_are_not_known_stands_in_the_last_of_them() -> None:
    plan = planned(hourly(10, 11, None, None, 14, 15))
    assert changes(plan) == {0: 1, 3: 3, 4: 1}
    assert plan.gaps["import"] == [gap(1, 4, Reason.NOT_KEPT, 3)]


def test_half_hour_is_part_of_its_hour() -> None:
    counters = hourly(10, 10.2, None, None, 11.5, 12, 12.4, step=HALF_HOUR)
    plan = planned(counters)
    assert changes(plan) == {1: 1.5, 2: 0.9}
    assert plan.gaps["import"] == [gap(0, 2, Reason.NOT_KEPT, 1.5)]


def test_counter_that_falls_begins_anew() -> None:
    plan = planned(hourly(500, 501, 0.5, 1.5))
    assert changes(plan) == {0: 1, 1: 0, 2: 1}
    assert plan.gaps["import"] == [gap(1, 2, Reason.BEGAN_ANEW, None)]


def test_counter_that_rises_by_more_than_a_supply_delivers_begins_anew() -> None:
    plan = planned(hourly(500, 501, 700, 701))
    assert changes(plan) == {0: 1, 1: 0, 2: 1}
    assert plan.gaps["import"] == [gap(1, 2, Reason.BEGAN_ANEW, None)]


@pytest.mark.parametrize("spoilt", [0.5, 400, 490, 600, 99_999])
def test_counters_that_go_on_behind_a_wrong_one_leave_it_out(spoilt: float) -> None:
    plan = planned(hourly(500, 501, spoilt, 503, 504))
    assert changes(plan) == {0: 1, 2: 2, 3: 1}
    assert plan.gaps["import"] == [gap(1, 3, Reason.NOT_KEPT, 2)]


@pytest.mark.parametrize("counters", [hourly(500, 501, 0.5, 503), hourly(500, 501, 0.5, 1.5), hourly(500, 501, 0.5)])
def test_counters_that_cannot_follow_each_other_are_told(counters: Mapping[datetime, Decimal]) -> None:
    assert planned(counters).contradictions == {MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR}
    assert planned(hourly(500, 501, 502)).contradictions == set()


def test_fall_is_not_believed_before_the_next_counter() -> None:
    assert changes(planned(hourly(500, 501, 0.5))) == {0: 1}
    assert changes(planned(hourly(500, 501, 0.5, 0.6))) == {0: 1, 1: 0, 2: 0.1}
    assert changes(planned(hourly(500, 501, 0.5, 502))) == {0: 1, 2: 1}


def test_wrong_counter_in_a_row_that_is_there_is_left_out() -> None:
    rows = [row(0, 501, 1), row(1, 490, 1), row(2, 503, 14)]
    plan = planned(hourly(500, 501, None, 503), rows)
    assert plan.rows["import"] == [row(2, 503, 3)]


def test_energy_of_a_gap_in_which_a_counter_may_have_gone_round_is_not_known() -> None:
    start = MIDNIGHT - 80 * DAY
    rows = [Row((start - HOUR).astimezone(UTC), Decimal(100), Decimal(100))]
    plan = planned(hourly(200, 201), rows, past=Past(lost={"import": TODAY - DAY}))
    assert changes(plan, before=100) == {23: 0, 0: 1}
    assert plan.gaps["import"][0].reason is Reason.BEGAN_ANEW


def test_counter_does_not_go_through_a_large_part_of_a_round_behind_our_back() -> None:
    """In ten days a supply could deliver that much, but a counter that shows less has rather begun anew."""
    start = MIDNIGHT - 10 * DAY
    rows = [Row((start - HOUR).astimezone(UTC), Decimal(95_000), Decimal(100))]
    plan = planned(hourly(7_000, 7_001), rows, past=Past(lost={"import": TODAY - DAY}))
    assert changes(plan, before=100) == {23: 0, 0: 1}
    assert plan.gaps["import"][0].reason is Reason.BEGAN_ANEW


def test_energy_of_a_gap_in_which_a_counter_has_begun_anew_is_not_known() -> None:
    plan = planned(hourly(10, None, 11, None, None, 13, 0.5, 1, 1.5, step=HALF_HOUR))
    assert changes(plan) == {0: 1, 2: 2, 3: 1}
    assert plan.gaps["import"] == [gap(1, 3, Reason.BEGAN_ANEW, None)]


def test_hours_wait_for_those_before_them() -> None:
    plan = planned(hourly(10, 11, None, 13), read=())
    assert changes(plan) == {0: 1}
    assert plan.day == TODAY


def test_hour_that_is_known_waits_for_nothing() -> None:
    plan = planned(
        hourly(11, start=MIDNIGHT + HOUR), [row(-1, 10, 5)], since=MIDNIGHT + HOUR, now=MIDNIGHT + HOUR, read=()
    )
    assert changes(plan, before=5) == {0: 1}
    assert plan.day is None


def test_older_days_come_before_rows_that_are_there() -> None:
    rows = [row(0, 11, 1), row(1, 12, 2)]
    plan = planned(
        hourly(8, 9, 10, 11, 12, start=MIDNIGHT - 2 * HOUR), rows, since=MIDNIGHT - 2 * HOUR, now=MIDNIGHT + 2 * HOUR
    )
    assert changes(plan) == {22: 1, 23: 1, 0: 1, 1: 1}


def test_first_row_stays_what_it_is_when_the_log_has_lost_its_beginning() -> None:
    rows = [row(0, 11, 1), row(1, 12, 2)]
    assert (
        planned(hourly(10.9, 11, None, 12, step=HALF_HOUR, start=MIDNIGHT + HALF_HOUR), rows).rows.get("import", [])
        == []
    )


def test_rows_that_are_right_are_not_written_again() -> None:
    rows = planned(hourly(10, 11, 12)).rows["import"]
    assert planned(hourly(10, 11, 12), rows).rows.get("import", []) == []


def test_row_that_the_log_knows_better_is_put_right() -> None:
    rows = [row(0, 11, 1), row(3, 14, 4)]
    plan = planned(hourly(10, 11, 12, 13, 14), rows)
    assert changes(plan) == {1: 2, 2: 1}
    assert row(3, 14, 4) not in plan.rows["import"]


# A clock that was wrong.


def test_nothing_that_a_wrong_clock_may_have_stamped_counts() -> None:
    past = Past(doubtful=(Span(MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR),))
    plan = planned(hourly(10, 11, 77, 13, 14), past=past)
    assert changes(plan) == {0: 1, 2: 2, 3: 1}
    assert plan.gaps["import"] == [gap(1, 3, Reason.CLOCK_WRONG, 2)]


def test_what_came_in_its_time_counts_whatever_the_log_may_hold() -> None:
    past = Past(doubtful=(Span(MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR),))
    log = Log(
        counters={"import": nothing_else([TODAY], MIDNIGHT + 3 * HOUR) | hourly(10, 11, 12, 13)},
        fresh={MIDNIGHT + 2 * HOUR},
    )
    found = plan(
        {"import": ()}, log, Extent.BEHIND, start=MIDNIGHT, now=MIDNIGHT + 3 * HOUR, counting=COUNTING, past=past
    )
    assert changes(found) == {0: 1, 1: 1, 2: 1}


def test_doubtful_hours_are_not_asked_for() -> None:
    past = Past(doubtful=(Span(MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR),))
    plan = planned(hourly(10, 11, None, 13), past=past, read=(), now=MIDNIGHT + 3 * HOUR)
    assert plan.day is None
    assert changes(plan) == {0: 1, 2: 2}


def test_hours_before_the_first_counter_that_a_wrong_clock_has_stamped_are_told() -> None:
    past = Past(doubtful=(Span(None, MIDNIGHT + 3.2 * HOUR),))
    plan = planned(hourly(10, 11, 12, 13, 14, 15), past=past)
    assert changes(plan) == {4: 1}
    assert plan.gaps["import"] == [gap(0, 4, Reason.CLOCK_WRONG, None)]
    # And no more once there are rows.
    plan = planned(hourly(14, 15, start=MIDNIGHT + 4 * HOUR), [row(4, 15, 1)], since=MIDNIGHT + 6 * HOUR, past=past)
    assert plan.gaps["import"] == []


# A meter that was exchanged.


def test_log_of_the_new_meter_counts_from_the_hole_in_it_on() -> None:
    exchange = Exchange(MIDNIGHT + HOUR, MIDNIGHT + 8 * HOUR)
    half_hours = hourly(7, 7.5, 8, 8.5, 9, 9.5, 10, start=MIDNIGHT + 5 * HOUR, step=HALF_HOUR)
    elsewhere = hourly(1, 2, 3, start=MIDNIGHT + 2 * HOUR)
    plan = planned(
        half_hours | elsewhere,
        [row(0, 501, 9)],
        since=MIDNIGHT + 2 * HOUR,
        now=MIDNIGHT + 8 * HOUR,
        past=Past(exchange),
    )
    assert plan.begins == MIDNIGHT + 5 * HOUR
    assert changes(plan, before=9) == {4: 0, 5: 1, 6: 1, 7: 1}
    assert plan.gaps["import"] == [gap(1, 5, Reason.EXCHANGED, None)]


def test_log_of_the_new_meter_without_a_hole_counts_from_when_it_was_seen() -> None:
    exchange = Exchange(MIDNIGHT + HOUR, MIDNIGHT + 4 * HOUR)
    half_hours = hourly(*range(1, 13), start=MIDNIGHT, step=HALF_HOUR)
    plan = planned(
        half_hours, [row(0, 501, 9)], since=MIDNIGHT + 2 * HOUR, now=MIDNIGHT + 5.5 * HOUR, past=Past(exchange)
    )
    assert plan.begins == MIDNIGHT + 4 * HOUR
    assert changes(plan, before=9) == {3: 0, 4: 2}


@pytest.mark.parametrize("seen_at", [MIDNIGHT - 5 * HOUR, None])
def test_exchange_is_not_before_what_the_rows_tell_of_the_old_meter(seen_at: datetime | None) -> None:
    """What is kept of it may be older than they are, or nothing."""
    exchange = Exchange(seen_at, MIDNIGHT + 3 * HOUR)
    half_hours = hourly(*range(1, 13), start=MIDNIGHT - 2 * HOUR, step=HALF_HOUR)
    plan = planned(
        half_hours, [row(0, 501, 9)], since=MIDNIGHT + 2 * HOUR, now=MIDNIGHT + 3.5 * HOUR, past=Past(exchange)
    )
    assert plan.begins == MIDNIGHT + 3 * HOUR


@pytest.mark.parametrize(("half_hours", "day"), [((None, 8.2), TODAY), ((7.9, 8.2), None)])
def test_first_half_hour_of_a_new_meter_is_asked_for_once_more_when_it_was_forgotten(
    half_hours: Sequence[float | None], day: date | None
) -> None:
    exchange = Exchange(MIDNIGHT + HOUR, MIDNIGHT + 1.4 * HOUR, MIDNIGHT + 1.5 * HOUR)
    counters = hourly(*half_hours, start=MIDNIGHT + 1.5 * HOUR, step=HALF_HOUR)
    plan = planned(
        counters, [row(0, 501, 9)], since=MIDNIGHT + 2 * HOUR, now=MIDNIGHT + 2 * HOUR, read=(), past=Past(exchange)
    )
    assert plan.day == day
    assert changes(plan, before=9) == ({} if day else {1: 0.3})


def test_nothing_of_before_is_asked_for_when_it_is_known_when_a_new_meter_began() -> None:
    exchange = Exchange(MIDNIGHT - 3 * DAY, MIDNIGHT + 1.4 * HOUR, MIDNIGHT + HOUR)
    plan = planned({}, [], since=MIDNIGHT - 3 * DAY, now=MIDNIGHT + 2 * HOUR, read=[TODAY - DAY], past=Past(exchange))
    assert plan.day is None
    told = hourly(7, start=MIDNIGHT + 1.5 * HOUR)
    plan = planned(told, since=MIDNIGHT - 3 * DAY, now=MIDNIGHT + 2 * HOUR, read=(), past=Past(exchange))
    assert plan.day == TODAY


def test_nothing_is_written_before_the_new_log_is_known_as_a_whole() -> None:
    exchange = Exchange(MIDNIGHT - 2 * DAY, MIDNIGHT + 4 * HOUR)
    half_hours = hourly(*range(1, 9), start=MIDNIGHT, step=HALF_HOUR)
    plan = planned(half_hours, since=MIDNIGHT - 3 * DAY, now=MIDNIGHT + 4 * HOUR, past=Past(exchange))
    assert plan.rows.get("import", []) == []
    assert plan.begins is None
    assert plan.day is not None


def test_counter_before_it_was_seen_may_be_of_elsewhere_until_the_log_behind_it_is_read() -> None:
    """A meter that was hung up within a half hour tells the counter of the last one, where it hung before."""
    exchange = Exchange(MIDNIGHT + 1.2 * HOUR, MIDNIGHT + 2.4 * HOUR)
    told = hourly(700, start=MIDNIGHT + 2 * HOUR)
    plan = planned(told, [row(0, 501, 9)], since=MIDNIGHT + 2 * HOUR, now=exchange.before, read=(), past=Past(exchange))
    assert plan.rows.get("import", []) == []
    assert plan.begins is None
    assert plan.day == TODAY

    elsewhere = hourly(*range(695, 701), start=MIDNIGHT - HALF_HOUR, step=HALF_HOUR)
    here = hourly(700.2, 700.8, start=MIDNIGHT + 2.5 * HOUR, step=HALF_HOUR)
    plan = planned(
        elsewhere | here,
        [row(0, 501, 9)],
        since=MIDNIGHT + 2 * HOUR,
        now=MIDNIGHT + 3 * HOUR,
        past=Past(exchange),
    )
    assert plan.begins == MIDNIGHT + 2.5 * HOUR
    assert plan.rows["import"][-1].sum == Decimal("9.6")


# Which days are asked for.


def ask(kept_days: int, depth_days: int = 44) -> list[int]:
    """Return which days back a meter that keeps so many is asked for."""
    now = MIDNIGHT + 10 * HOUR
    read: list[date] = []
    # The meter has told the last half hour by itself.
    counters = hourly(10, start=now)
    asked = []
    while (day := planned(counters, since=midnight(TODAY - DAY * depth_days), now=now, read=read).day) is not None:
        asked.append((TODAY - day).days)
        read.append(day)
        if asked[-1] <= kept_days:
            counters |= hourly(*range(24), start=midnight(day))
            counters = {at: counter for at, counter in counters.items() if at <= now}
    return asked


def test_days_are_asked_for_from_the_oldest_on() -> None:
    assert ask(44) == list(range(44, -1, -1))


@pytest.mark.parametrize("kept_days", range(44))
def test_beginning_of_a_shorter_log_is_found_soon(kept_days: int) -> None:
    asked = ask(kept_days)
    assert sorted(day for day in asked if day <= kept_days) == list(range(kept_days + 1))
    assert sum(day > kept_days for day in asked) <= 6


def test_day_without_data_in_the_middle_hides_none_behind_it() -> None:
    now = MIDNIGHT + 10 * HOUR
    days = [TODAY - DAY * back for back in (4, 3, 2)]
    counters = {**hourly(*range(24), start=midnight(days[0])), **hourly(*range(30, 54), start=midnight(days[2]))}
    plan = planned(counters, since=midnight(days[0]), now=now, read=days)
    assert plan.day == TODAY - DAY
    assert day_of(plan.rows["import"][-1].end) == days[2]


def test_day_that_was_read_before_it_was_over_is_asked_for_again() -> None:
    plan = planned(hourly(10, 11), read=(), now=MIDNIGHT + 3 * HOUR)
    assert plan.day == TODAY


def test_direction_that_has_never_told_anything_is_asked_for_when_a_day_is_over() -> None:
    now = MIDNIGHT + 10 * HOUR
    yesterday = TODAY - DAY
    assert planned({}, since=midnight(yesterday), now=now, read=()).day == yesterday
    plan = planned({}, since=midnight(yesterday), now=now, read=[yesterday])
    assert plan.day is None
    assert plan.lost == {"import": yesterday}
    assert planned({}, since=midnight(yesterday), now=now, read=(), past=Past(lost=plan.lost)).day is None
    # Until it tells something by itself.
    told = hourly(1, start=now)
    assert planned(told, since=midnight(yesterday), now=now, read=(), past=Past(lost=plan.lost)).day == TODAY


def test_direction_without_data_does_not_hold_up_the_other() -> None:
    now = MIDNIGHT + 2 * HOUR
    log = Log(counters={"import": hourly(10, 11, 12), "export": {}})
    past = Past(lost={"export": TODAY - DAY})
    rows = {"import": (), "export": ()}
    found = plan(rows, log, Extent.BEHIND, start=MIDNIGHT, now=now, counting=COUNTING, past=past)
    assert found.day is None
    assert changes(found) == {0: 1, 1: 1}


def test_where_the_log_begins_is_kept() -> None:
    oldest = TODAY - DAY * 9
    begins = midnight(TODAY - DAY * 2)
    counters = hourly(*range(60), start=begins)
    plan = planned(counters, since=midnight(oldest), read=[oldest, TODAY - DAY * 4, TODAY - DAY * 3, TODAY])
    assert plan.day is None
    assert plan.lost == {"import": TODAY - DAY * 3}
    # Not if it goes back as far as it was asked for: of what is before that nothing is known.
    assert planned(counters, since=begins).lost == {}


ROWS = [row(5, 20, 1), row(6, 21, 2), row(9, 30, 11)]


@pytest.mark.parametrize(
    ("extent", "day", "end"), [(Extent.BEFORE, TODAY, 6), (Extent.BEFORE, None, 5), (Extent.AGAIN, TODAY, 5)]
)
def test_what_lies_between_rows_is_asked_for_only_when_it_is_wanted_again(
    extent: Extent, day: date | None, end: int
) -> None:
    """The counter with which the first row began is not that of a row."""
    counters = hourly(*[None] * end, 19, start=MIDNIGHT)
    plan = planned(counters, ROWS, since=MIDNIGHT + 5 * HOUR, read=(), extent=extent)
    assert plan.day == day
    assert plan.rows == {}


def test_nothing_is_written_before_the_first_rows_until_all_of_it_is_known() -> None:
    counters = hourly(10, 11, 12)
    assert not planned(counters, ROWS, read=(), extent=Extent.BEFORE).rows
    plan = planned(counters | hourly(13, 15, 19, start=MIDNIGHT + 3 * HOUR), ROWS, extent=Extent.BEFORE)
    assert changes(plan) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 4, 5: 1, 6: 1, 9: 9}
    assert plan.day is None


def test_rows_that_have_nothing_before_them_stay_as_they_are() -> None:
    """Even if they would be others by what is known now."""
    better = hourly(25, start=MIDNIGHT + 8 * HOUR)
    assert not planned(better, ROWS, extent=Extent.BEFORE).rows
    assert planned(better, ROWS, extent=Extent.AGAIN).rows["import"]


def test_what_follows_the_last_row_is_wanted_however_little_was_at_first() -> None:
    last = [Row((MIDNIGHT - 5 * DAY).astimezone(UTC), Decimal(10), Decimal(1))]
    assert planned({}, last, since=MIDNIGHT - DAY, read=(), extent=Extent.BEHIND).day == TODAY - 5 * DAY
    # But nothing of which no meter tells.
    last = [Row((MIDNIGHT - 200 * DAY).astimezone(UTC), Decimal(10), Decimal(1))]
    assert planned({}, last, since=MIDNIGHT - DAY, read=(), extent=Extent.BEHIND).day == TODAY - 99 * DAY


# Days that the meter did not tell.


def doubting(counters: dict[datetime, Decimal], read: Sequence[date], doubted: Sequence[date]) -> date | None:
    """Return the day that is asked for of the last ten, some of which were asked for in vain."""
    now = MIDNIGHT + 10 * HOUR
    known = nothing_else(read, now) | counters
    log = Log(counters={"import": known}, doubted={*doubted})
    start = midnight(TODAY - DAY * 10)
    return plan({"import": ()}, log, Extent.BEHIND, start=start, now=now, counting=COUNTING, past=Past()).day


def test_doubted_day_waits_for_all_others() -> None:
    days = [TODAY - DAY * back for back in range(10, -1, -1)]
    counters = {at: Decimal(1) for day in days[:2] for at in hourly(*range(24), start=midnight(day))}
    asked = []
    read = days[:2]
    while (day := doubting(counters, read, [days[2]])) not in {days[2], None}:
        assert day
        asked.append(day)
        read.append(day)
        counters |= {at: Decimal(1) for at in hourly(*range(24), start=midnight(day))}
    assert asked == days[3:]
    assert day == days[2]


def test_of_doubted_days_the_newest_is_asked_for_first() -> None:
    told = hourly(*range(54), start=midnight(TODAY - DAY * 2))
    doubted = [TODAY - DAY * 10, TODAY - DAY * 5, TODAY - DAY * 3]
    read = [TODAY - DAY * 2, TODAY - DAY, TODAY]
    assert doubting(told, read, doubted) == doubted[-1]
    # It is certain now that the log does not go back to it.
    assert doubting(told, [*doubted[-1:], *read], doubted[:-1]) is None


def test_beginning_of_a_log_is_searched_for_as_if_doubted_days_had_none() -> None:
    told = hourly(*range(24), start=midnight(TODAY - DAY * 2))
    assert doubting(told, [], [TODAY - DAY * 10]) == TODAY - DAY * 6
