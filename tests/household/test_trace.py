"""What a source's value was at an instant: never one of later, and never an old one."""

from hypothesis import given, strategies as st

from custom_components.broute.household.trace import KEPT_S, Trace

MAX_AGE_S = 60.0


def trace_of(*reports: tuple[float, float | None]) -> Trace:
    trace = Trace()
    for at_s, watts in reports:
        trace.take(at_s, watts)
    return trace


def test_value_is_the_one_of_then() -> None:
    trace = trace_of((0, 100), (30, 200), (60, 300))
    assert trace.at(30, MAX_AGE_S) == 200
    assert trace.at(59.9, MAX_AGE_S) == 200
    assert trace.at(-1, MAX_AGE_S) is None


def test_nothing_was_reported() -> None:
    assert trace_of().at(0, MAX_AGE_S) is None


def test_value_counts_for_a_time() -> None:
    trace = trace_of((0, 100))
    assert trace.at(MAX_AGE_S, MAX_AGE_S) == 100
    assert trace.at(MAX_AGE_S + 0.1, MAX_AGE_S) is None


def test_whoever_says_that_it_does_not_know_is_believed() -> None:
    trace = trace_of((0, 100), (10, None))
    assert trace.at(9, MAX_AGE_S) == 100
    assert trace.at(11, MAX_AGE_S) is None
    assert trace.at(11, MAX_AGE_S, may_rest=True) is None


def test_whoever_rests_reports_nothing() -> None:
    for watts in (0.0, -8.0):
        trace = trace_of((0, watts))
        assert trace.at(40000, MAX_AGE_S, may_rest=True) == watts
        assert trace.at(40000, MAX_AGE_S) is None
    assert trace_of((0, 1.0)).at(40000, MAX_AGE_S, may_rest=True) is None


def test_no_more_is_kept_than_is_asked_for() -> None:
    trace = Trace()
    for at_s in range(10000):
        trace.take(at_s, at_s)
    assert len(trace._reports) <= KEPT_S + 1
    assert trace.at(9999 - KEPT_S, MAX_AGE_S) == 9999 - KEPT_S


REPORTS = st.lists(st.tuples(st.floats(0, 1000), st.none() | st.floats(-10000, 10000)), min_size=1, max_size=30).map(
    lambda reports: sorted(reports, key=lambda report: report[0])
)


@given(REPORTS, st.floats(0, KEPT_S), st.floats(1, 500))
def test_never_older_than_the_limit_and_never_of_later(
    reports: list[tuple[float, float | None]], ago_s: float, max_age_s: float
) -> None:
    at_s = reports[-1][0] - ago_s
    value = trace_of(*reports).at(at_s, max_age_s)
    before = [report for report in reports if report[0] <= at_s]
    expected = before[-1][1] if before and at_s - before[-1][0] <= max_age_s else None
    assert value == expected
