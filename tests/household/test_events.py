"""What is told of what changes: each change once, and nothing that is not known."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.broute.household.events import Circumstances, Event, changes

FIRST, SECOND = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
PAIRS = {
    "link_lost": [Event.LINK_LOST, Event.LINK_RESTORED],
    "meter_fault": [Event.METER_FAULT, Event.METER_FAULT_OVER],
    "clock_wrong": [Event.CLOCK_WRONG, Event.CLOCK_RIGHT],
    "contract_exceeded": [Event.CONTRACT_EXCEEDED, Event.CONTRACT_KEPT],
    "demand_exceeded": [Event.DEMAND_EXCEEDED, Event.DEMAND_KEPT],
}


def only(name: str, *, value: bool | None) -> Circumstances:
    """Return circumstances of which nothing else is known."""
    told: Any = {name: value}
    return Circumstances(**told)


def told(*course: Circumstances, known: Circumstances = Circumstances()) -> list[Event]:  # noqa: B008 - frozen
    """Return all that is told while things take their course."""
    all_events = []
    for now in course:
        events, known = changes(known, now)
        all_events += events
    return all_events


@pytest.mark.parametrize("name", PAIRS)
def test_beginning_and_end_are_told_once_each(name: str) -> None:
    course = [only(name, value=value) for value in (False, True, True, None, True, False, None, False)]
    assert told(*course) == PAIRS[name]


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_wrong_from_the_start_is_told_and_what_is_right_is_not(name: str) -> None:
    assert told(only(name, value=None), only(name, value=True)) == PAIRS[name][:1]
    assert told(only(name, value=None), only(name, value=False)) == []


def test_what_was_known_before_is_told_when_it_is_over() -> None:
    known = Circumstances(clock_wrong=True)
    assert told(Circumstances(clock_wrong=True), Circumstances(clock_wrong=False), known=known) == [Event.CLOCK_RIGHT]


def test_each_replacement_is_told() -> None:
    course = [Circumstances(replaced_at=at) for at in (None, FIRST, FIRST, None, SECOND, SECOND)]
    assert told(*course) == [Event.METER_REPLACED] * 2
    assert told(*course, known=Circumstances(replaced_at=FIRST)) == [Event.METER_REPLACED]


def test_several_things_at_once() -> None:
    assert told(Circumstances(meter_fault=True, clock_wrong=True)) == [Event.METER_FAULT, Event.CLOCK_WRONG]


@given(
    st.lists(
        st.builds(
            Circumstances,
            **dict.fromkeys(PAIRS, st.sampled_from([True, False, None])),
            replaced_at=st.sampled_from([None, FIRST, SECOND]),
        ),
        max_size=30,
    )
)
def test_beginning_and_end_take_turns_and_the_last_one_says_how_it_is(course: list[Circumstances]) -> None:
    events = told(*course)
    for name, pair in PAIRS.items():
        of_pair = [event for event in events if event in pair]
        assert of_pair == [pair[number % 2] for number in range(len(of_pair))]
        known = [getattr(now, name) for now in course if getattr(now, name) is not None]
        assert (of_pair[-1:] == pair[:1]) == (known[-1:] == [True])
