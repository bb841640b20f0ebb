"""What the planner makes of any past: an hour is true or told not to be, and no energy is lost, doubled or invented."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from custom_components.broute.history.planner import HALF_HOUR, HOUR, Reason

from .world import DIRECTIONS, House, utc

DEPTH_DAYS = 4


def _registers(unit: int, coefficient: int, normal: int, reverse: int) -> dict[str, int]:
    # A round is 100 MWh whatever the unit; the counter of the reverse direction soon goes over its last digit.
    size: int = 10 ** (5 + unit)
    return {
        "unit": unit,
        "coefficient": coefficient,
        "digits": 5 + unit,
        "initial_import": size * normal // 100,
        "initial_export": size - reverse,
    }


registers = st.builds(
    _registers, st.sampled_from((1, 2, 3)), st.sampled_from((1, 1, 3)), st.integers(0, 80), st.integers(1, 5000)
)
SPANS = {
    "there": 60,
    "there without notices": 60,
    "there without the log": 60,
    "away": 5 * 48,
    "without mains": 10,
    "clock wrong": 20,
}
"""How many half hours it takes at the most."""
spans = st.one_of(*(st.tuples(st.just(what), st.integers(1, most)) for what, most in SPANS.items()))
events = st.one_of(
    spans,
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("killed"), st.integers(0, 3)),
    st.tuples(st.just("clock wrong by"), st.sampled_from((-48 * 40, -60, -3, -1, 1, 3, 60))),
    st.tuples(st.just("exchanged"), registers),
    st.tuples(st.just("exchanged by one with a past"), st.tuples(registers, st.integers(1, 300), st.integers(1, 60))),
    st.tuples(st.just("began anew"), st.just(0)),
    st.tuples(st.just("more is wanted"), st.integers(1, DEPTH_DAYS)),
)


def live(house: House, past: Sequence[tuple[str, Any]]) -> None:
    """Let all that happen, and then everything be well."""
    house.be_there()
    wrong_by = -60
    for event, detail in past:
        match event:
            case "clock wrong by":
                wrong_by = detail
            case "clock wrong":
                house.offset = HALF_HOUR * wrong_by
                spend(house, "there", detail)
                house.offset = timedelta(0)
            case _ if event in SPANS:
                spend(house, event, detail)
            case _:
                happen(house, event, detail)
    spend(house, "there", 3)


def spend(house: House, how: str, half_hours: int) -> None:
    for _ in range(half_hours):
        house.step(powered=how != "without mains")
        if how.startswith("there"):
            house.be_there(notice=how != "there without notices", radio=how != "there without the log")


def happen(house: House, event: str, detail: Any) -> None:
    match event:
        case "restart":
            house.restart()
        case "killed":
            house.step()
            house.be_there(killed_after=detail)
        case "exchanged":
            house.hang(detail)
        case "exchanged by one with a past":
            made, earlier_life, hole = detail
            house.hang(made, earlier_life_slots=earlier_life, hole_slots=hole)
        case "began anew":
            house.restart_counter()
        case "more is wanted":
            house.want(detail)


def assert_is_true(house: House) -> None:
    """Compare what is shown with the registers, and where that is not to be, with what the house took."""
    for direction in DIRECTIONS:
        changes = dict(house.changes(direction))
        first, last = min(changes), max(changes)
        told: list[datetime] = []
        for hour in hours(first, house.now - HOUR):
            if house.is_gap(direction, hour):
                assert not house.must_be_exact(hour), (direction, hour)
                told.append(hour)
                continue
            assert changes[hour] == house.energy_kwh(direction, hour, hour + HOUR), (direction, hour)
            assert_energy_is_true(house, direction, told, changes)
            told = []
        assert_energy_is_true(house, direction, told, changes)
        assert last == utc(house.now.replace(minute=0)) - HOUR


def assert_energy_is_true(
    house: House, direction: str, told: list[datetime], changes: Mapping[datetime, Decimal]
) -> None:
    """Of hours in a row that are told not to be right by themselves, the energy of all of them together is right."""
    if not told:
        return
    shown = [changes[hour] for hour in told if hour in changes]
    assert all(change >= 0 for change in shown)
    start, end = told[0], told[-1] + HOUR
    energy = house.energy_kwh(direction, start, end)
    reasons = {gap.reason for gap in house.gaps[direction] if gap.start < end and gap.end > start}
    if energy is not None and start > min(changes) and reasons <= {Reason.NOT_KEPT, Reason.CLOCK_WRONG}:
        assert sum(shown) == energy, (direction, start, end)
    else:
        counted_off = sum(meter.counting.count_kwh for meter in house.meters)
        assert sum(shown) <= house.consumption_kwh(direction, start, end) + counted_off


def hours(start: datetime, end: datetime) -> list[datetime]:
    return [start + HOUR * number for number in range(int((end - start) / HOUR) + 1)]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 3),
    registers,
    st.integers(1, DEPTH_DAYS),
    st.integers(1, DEPTH_DAYS + 1),
    st.lists(events, max_size=12),
)
def test_every_hour_is_true_or_told_not_to_be(
    seed: int, made: Mapping[str, int], depth_days: int, kept_days: int, past: Sequence[tuple[str, Any]]
) -> None:
    house = House(seed, depth_days=depth_days, kept_days=kept_days, registers=made)
    live(house, past)
    assert_is_true(house)
    # Half hours that nobody needed before may tell more of an hour in which the counter began anew.
    house.read_all_again()
    assert_is_true(house)
    assert not house.read_all_again()
