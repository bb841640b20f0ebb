"""What is believed of a meter: every plausible course, and nothing that stands alone."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
import logging

from hypothesis import assume, given, strategies as st
import pytest

from custom_components.broute.aiobroute import Scale
from custom_components.broute.aiobroute.echonet.smart_meter import UNITS, Currents
from custom_components.broute.aiobroute.plausibility import (
    BY_NATURE,
    Doubt,
    Measured,
    Observation,
    Plausibility,
    could_follow,
)
from simulator import ConstantLoad, HouseLoad, Registers
from simulator.home import START
from simulator.load import Load

IMPORT, EXPORT, POWER, CURRENTS = 0xE0, 0xE3, 0xE7, 0xE8
TENTHS = Scale(unit_kwh=Decimal("0.1"), coefficient=1, effective_digits=6)
SCALES = st.builds(
    Scale,
    unit_kwh=st.sampled_from(list(UNITS.values())),
    coefficient=st.sampled_from((1, 1, 20, 7200)),
    effective_digits=st.integers(3, 8),
)


def counted(counter: int, at_s: float) -> Measured:
    return Measured(counters={IMPORT: Observation(counter, at_s, at_s + 1)})


def instant(power_w: int | None, r_a: str | None, t_a: str | None = None) -> Measured:
    return Measured(
        power_w=power_w,
        currents=Currents(None if r_a is None else Decimal(r_a), None if t_a is None else Decimal(t_a)),
    )


def known(counter: int, at_s: float) -> Plausibility:
    """Return what believes a counter."""
    plausibility = Plausibility()
    plausibility.believed[IMPORT] = Observation(counter, at_s, at_s + 1)
    return plausibility


@st.composite
def courses(draw: st.DrawFn) -> tuple[Scale, list[tuple[float, int]]]:
    """Make polls of a house that takes at most 10 kW, and what its counter shows, over its last digit if need be."""
    scale = draw(SCALES)
    size = 10**scale.effective_digits
    worth = scale.unit_kwh * scale.coefficient
    # Few digits of small units would be gone through within a poll.
    assume(worth * size >= 400)
    at_s, energy = 0.0, Decimal(draw(st.integers(size - 20, size + 20) | st.integers(0, size))) * worth
    course = []
    for pause_s, power_kw in draw(st.lists(st.tuples(st.integers(5, 3600), st.integers(0, 10)), min_size=2)):
        at_s += pause_s
        energy += Decimal(power_kw * pause_s) / 3600
        course.append((at_s, int(energy / worth) % size))
    return scale, course


@given(courses())
def test_a_plausible_course_is_never_held_back(course: tuple[Scale, list[tuple[float, int]]]) -> None:
    scale, polls = course
    plausibility = known(polls[0][1], polls[0][0])
    for at_s, counter in polls[1:]:
        assert plausibility.judge(counted(counter, at_s), scale) == {}
    assert not plausibility.held_back


@given(courses(), st.data())
def test_a_wrong_counter_never_comes_out_and_the_right_one_does(
    course: tuple[Scale, list[tuple[float, int]]], data: st.DataObject
) -> None:
    """What is beyond what could be delivered is no value, wherever it stands, and nothing that follows is lost."""
    scale, polls = course
    spoilt = data.draw(st.integers(1, len(polls) - 1))
    wrong = data.draw(st.integers(0, 10**scale.effective_digits - 1))
    plausibility = known(polls[0][1], polls[0][0])
    for poll, (at_s, counter) in enumerate(polls[1:], 1):
        said = wrong if poll == spoilt else counter
        first, second = counted(said, at_s), counted(counter, at_s + 5)
        last = plausibility.believed[IMPORT]
        if poll == spoilt:
            assume(not could_follow(first.counters[IMPORT], last, scale))
        doubts = plausibility.judge(first, scale)
        assert set(doubts) == ({IMPORT} if poll == spoilt else set())
        if doubts:
            settled, not_confirmed = plausibility.settle(first, second, doubts, scale)
            assert settled.counters == second.counters
            assert not not_confirmed
        assert plausibility.believed[IMPORT].counter == counter
    assert plausibility.held_back.total() == plausibility.dropped.total() == 1


@given(SCALES, st.integers(0, 999), st.integers(0, 999))
def test_a_first_counter_is_believed_when_it_comes_twice(scale: Scale, one: int, other: int) -> None:
    plausibility = Plausibility()
    first, second = counted(one, 0), counted(other, 5)
    doubts = plausibility.judge(first, scale)
    assert doubts == {IMPORT: Doubt.FIRST}
    settled, not_confirmed = plausibility.settle(first, second, doubts, scale)
    goes_on = could_follow(second.counters[IMPORT], first.counters[IMPORT], scale)
    assert settled.counters == (second.counters if goes_on else {})
    assert not_confirmed == (set() if goes_on else {IMPORT})
    assert plausibility.believed == settled.counters


@pytest.mark.parametrize(
    ("earlier", "seconds", "later", "follows"),
    [
        (1000, 29, 1000, True),
        (1000, 29, 1005, True),  # 60 kW for 30 s are 0.5 kWh, and one count for the rounding
        (1000, 29, 1006, True),
        (1000, 29, 1007, False),
        (1000, 29, 999, False),
        (999_998, 29, 1, True),
        (999_990, 29, 1, False),
        (1000, 86400, 1201, True),
        (1000, 86400, 1202, False),
        (1000, float("inf"), 1201, True),
        (1000, float("inf"), 1202, False),
        (1000, float("inf"), 999, False),
        (1000, -100, 1001, True),
    ],
)
def test_what_a_supply_can_deliver_is_the_limit_of_a_rise(
    earlier: int, seconds: float, later: int, follows: bool
) -> None:
    seen = Observation(earlier, 100 - seconds, 100 - seconds)
    assert could_follow(Observation(later, 100, 101), seen, TENTHS) is follows


def test_the_rise_of_a_short_counter_is_less_than_a_tenth_of_it() -> None:
    scale = Scale(unit_kwh=Decimal("0.1"), coefficient=1, effective_digits=2)
    hour_ago = Observation(50, 0, 0)
    assert could_follow(Observation(61, 3600, 3600), hour_ago, scale)
    assert not could_follow(Observation(62, 3600, 3600), hour_ago, scale)


@pytest.mark.parametrize("now", [0, 500])
def test_a_fall_that_is_confirmed_is_a_new_counter_and_is_told_once(now: int, caplog: pytest.LogCaptureFixture) -> None:
    plausibility = known(5000, 0)
    first, second = counted(now, 30), counted(now + 1, 35)
    doubts = plausibility.judge(first, TENTHS)
    assert doubts == {IMPORT: Doubt.FALL}
    settled, _ = plausibility.settle(first, second, doubts, TENTHS)
    assert settled.counters[IMPORT].counter == now + 1
    assert plausibility.judge(counted(now + 1, 60), TENTHS) == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert not plausibility.dropped


def test_a_jump_that_is_confirmed_is_what_the_meter_says(caplog: pytest.LogCaptureFixture) -> None:
    plausibility = known(5000, 0)
    first, second = counted(9000, 30), counted(9000, 35)
    doubts = plausibility.judge(first, TENTHS)
    assert doubts == {IMPORT: Doubt.JUMP}
    settled, not_confirmed = plausibility.settle(first, second, doubts, TENTHS)
    assert settled.counters[IMPORT].counter == 9000
    assert not not_confirmed
    assert not caplog.records


def test_two_answers_that_fit_nothing_leave_what_was_believed() -> None:
    plausibility = known(5000, 0)
    first, second = counted(9000, 30), counted(100, 35)
    doubts = plausibility.judge(first, TENTHS)
    settled, not_confirmed = plausibility.settle(first, second, doubts, TENTHS)
    assert settled.counters == {}
    assert not_confirmed == {IMPORT}
    assert plausibility.judge(counted(5001, 60), TENTHS) == {}
    assert plausibility.dropped == {Doubt.JUMP: 1}


def test_a_counter_in_doubt_does_not_hold_back_the_other_one() -> None:
    plausibility = known(5000, 0)
    plausibility.believed[EXPORT] = Observation(70, 0, 0)
    first = Measured(counters={IMPORT: Observation(4000, 30, 31), EXPORT: Observation(71, 30, 31)})
    doubts = plausibility.judge(first, TENTHS)
    assert set(doubts) == {IMPORT}
    settled, not_confirmed = plausibility.settle(first, None, doubts, TENTHS)
    assert settled.counters == {EXPORT: Observation(71, 30, 31)}
    assert not_confirmed == {IMPORT}


def test_nothing_is_said_of_counters_without_a_scale() -> None:
    assert Plausibility().judge(counted(5000, 0), None) == {}


@pytest.mark.parametrize("pause_s", [10, 30, 3600])
@pytest.mark.parametrize("load", [HouseLoad(1), HouseLoad(2, solar_peak_w=9000), ConstantLoad(-20_000)])
def test_a_simulated_house_is_never_held_back(load: Load, pause_s: int) -> None:
    registers = Registers(load=load, unit=0x02, digits=6)
    scale = Scale(unit_kwh=Decimal("0.01"), coefficient=1, effective_digits=6)
    polls = 20_000 if pause_s < 3600 else 24 * 30
    plausibility = Plausibility()
    for poll in range(polls):
        at_s = float(poll * pause_s)
        at = START + timedelta(seconds=at_s)
        counts = {IMPORT: registers.import_count(at), EXPORT: registers.export_count(at)}
        counters = {epc: Observation(count, at_s, at_s) for epc, count in counts.items() if count is not None}
        if poll == 0:
            plausibility.believed.update(counters)
        flow = load.flow(at)
        r_da, t_da = flow.currents_da(two_wire=False)
        currents = Currents(Decimal(r_da) / 10, Decimal(t_da or 0) / 10)
        measured = Measured(power_w=flow.power_w, currents=currents, counters=counters)
        assert plausibility.judge(measured, scale) == {}


# Power and currents.


@given(
    st.integers(-58_000, 58_000),
    st.integers(0, 100),
    st.sampled_from((95, 100, 107)),
    st.sampled_from((1, 10)),
    st.booleans(),
)
def test_a_plausible_power_is_never_held_back(
    power_w: int, share: int, volts: int, step_da: int, two_wire: bool
) -> None:
    """At any voltage of the supply, split over the lines in any way, cut off to steps of 0.1 A or of 1 A."""
    share = 100 if two_wire else share
    r_da, t_da = (int(power_w * part / volts / 10 / step_da) * step_da for part in (share, 100 - share))
    assume(max(abs(r_da), abs(t_da)) <= 3000)
    t_a = None if two_wire else Decimal(t_da) / 10
    measured = Measured(power_w=power_w, currents=Currents(Decimal(r_da) / 10, t_a))
    assert Plausibility().judge(measured, None) == {}


@given(st.integers(), st.integers(0, 300), st.integers(0, 300))
def test_a_power_that_the_currents_do_not_carry_is_no_value(power_w: int, r_a: int, t_a: int) -> None:
    assume(abs(power_w) > 115 * (r_a + t_a + 2))
    plausibility = Plausibility()
    first, second = instant(power_w, str(r_a), str(t_a)), instant(100 * (r_a + t_a), str(r_a), str(t_a))
    assume(abs(second.power_w or 0) <= 60_000)
    doubts = plausibility.judge(first, None)
    assert set(doubts) == {POWER, CURRENTS}
    assert plausibility.settle(first, second, doubts, None) == (second, set())
    assert plausibility.dropped.total() == plausibility.held_back.total() == 1


@pytest.mark.parametrize(
    ("first", "doubt"),
    [
        (instant(60_001, "300", "300"), Doubt.POWER_RANGE),
        (instant(-60_001, None), Doubt.POWER_RANGE),
        (instant(632, "387", "5"), Doubt.CURRENT_RANGE),
        (instant(632, "3", "-409.6"), Doubt.CURRENT_RANGE),
        (instant(632, "-300.1", "5"), Doubt.CURRENT_RANGE),
        (instant(632, "3"), Doubt.LINES),
        (instant(2680, "3", "5"), Doubt.POWER_FAR_ABOVE_CURRENTS),
        (instant(-1500, "-3", "-5"), Doubt.POWER_ABOVE_CURRENTS),
        (instant(632, "54.2", "5"), Doubt.POWER_BELOW_CURRENTS),
        (instant(632, "-3", "-51"), Doubt.POWER_BELOW_CURRENTS),
    ],
)
def test_what_no_supply_does_is_held_back_and_believed_when_it_is_repeated(first: Measured, doubt: Doubt) -> None:
    def meter() -> Plausibility:
        plausibility = Plausibility()
        assert plausibility.judge(instant(632, "3", "5"), None) == {}
        return plausibility

    plausibility = meter()
    doubts = plausibility.judge(first, None)
    assert doubts == {POWER: doubt, CURRENTS: doubt}
    assert plausibility.settle(first, first, doubts, None) == (first, set())
    assert not plausibility.dropped

    plausibility = meter()
    right = instant(640, "3", "5")
    assert plausibility.settle(first, right, plausibility.judge(first, None), None) == (right, set())

    plausibility = meter()
    assert plausibility.settle(first, None, plausibility.judge(first, None), None) == (
        Measured(),
        {POWER, CURRENTS},
    )


def test_two_values_beyond_the_supply_that_differ_are_none() -> None:
    for first, second in (
        (instant(70_000, None), instant(150_000, None)),
        (instant(632, "387", "5"), instant(632, "3000", "5")),
        (instant(632, "3", "400"), instant(632, "900", "5")),
        (instant(632, "387", "5"), instant(632, "387")),
    ):
        plausibility = Plausibility()
        _, not_confirmed = plausibility.settle(first, second, plausibility.judge(first, None), None)
        assert not_confirmed == {POWER, CURRENTS}


def test_a_supply_that_is_otherwise_by_nature_is_not_asked_twice_for_ever() -> None:
    plausibility = Plausibility()
    three_phases = instant(3400, "10", "10")
    for _ in range(BY_NATURE):
        doubts = plausibility.judge(three_phases, None)
        assert set(doubts.values()) == {Doubt.POWER_ABOVE_CURRENTS}
        plausibility.settle(three_phases, three_phases, doubts, None)
    assert plausibility.judge(three_phases, None) == {}
    # What not even three phases do still counts, and another meter is none of this nature.
    assert plausibility.judge(instant(6000, "10", "10"), None)
    plausibility.forget()
    assert plausibility.judge(three_phases, None)


def test_a_spoilt_value_says_nothing_of_the_nature_of_a_supply() -> None:
    plausibility = Plausibility()
    wrong, right = instant(3400, "10", "10"), instant(2000, "10", "10")
    for _ in range(2 * BY_NATURE):
        doubts = plausibility.judge(wrong, None)
        assert plausibility.settle(wrong, right, doubts, None) == (right, set())


def test_power_and_currents_of_different_instants_are_not_held_against_each_other() -> None:
    apart = Measured(power_w=5000, currents=Currents(Decimal(1), Decimal(1)), simultaneous=False)
    assert Plausibility().judge(apart, None) == {}


def test_no_data_is_believed() -> None:
    plausibility = Plausibility()
    for measured in (instant(None, None), Measured(), instant(500, None), instant(None, "3")):
        assert plausibility.judge(measured, None) == {}


CAPTURED = [
    *(instant(power_w, r_a, t_a) for power_w, r_a, t_a in ((632, "3.0", "5.0"), (792, "5.3", "2.8"))),
    # Capture 14 asks for one at a time, 20 s apart.
    *(
        instant(power_w, r_a, t_a)
        for power_w, r_a, t_a in (
            (1192, "9.8", "3.4"),
            (1264, "9.5", "3.4"),
            (1256, "9.5", "4.0"),
            (1352, "9.8", "4.4"),
            (1328, "7.0", "3.9"),
            (1060, "7.0", "3.9"),
            (1048, "7.0", "3.8"),
            (1016, "6.6", "3.8"),
            (1024, "7.2", "3.7"),
        )
    ),
]


def test_the_captured_values_are_plausible() -> None:
    plausibility = Plausibility()
    for measured in CAPTURED:
        assert plausibility.judge(measured, None) == {}
    # Capture 10: 48 half hours of a counter.
    day = (0x0A95, 0x0A97, 0x0A9A, 0x0A9C, 0x0AA0, 0x0AA4, 0x0AC6, 0x0ACE, 0x0AD5, 0x0ADD, 0x0AEC, 0x0AF5)
    for slot, (earlier, later) in enumerate(pairwise(day)):
        then = Observation(earlier, 1800.0 * slot, 1800.0 * slot)
        assert could_follow(Observation(later, then.after_s + 1800, then.after_s + 1800), then, TENTHS)
