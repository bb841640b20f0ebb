"""Medians, ratios, goals and tables: what the benchmarks make of what they have measured."""

import pytest

from benchmarks.figures import Figure, Goal, goals_table, percentile, ratio, rounded, table


def test_a_figure_is_its_median_with_its_spread() -> None:
    figure = Figure.of([0.003, 0.001, 0.0025], "ms", factor=1e3)
    assert figure.median == pytest.approx(2.5)
    assert str(figure) == "**2.5** ms (1 to 3)"


def test_a_spread_that_does_not_show_is_left_out() -> None:
    assert str(Figure.of([1.0, 1.0001], "s")) == "**1** s"
    assert str(Figure.of([4], "")) == "**4**"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (99.96, "100"), (123456.7, "123,457")]
)
def test_a_figure_has_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_a_ratio_is_above_1_where_ours_is_better() -> None:
    ours, theirs = Figure.of([2, 2, 50], "s"), Figure.of([6], "s")
    assert ratio(ours, theirs) == 3
    assert ratio(ours, theirs, more_is_better=True) == pytest.approx(1 / 3)


def test_a_percentile_is_the_sample_that_so_many_do_not_exceed() -> None:
    samples = [float(number) for number in range(200, 0, -1)]
    assert [percentile(samples, percent) for percent in (0, 50, 99, 100)] == [1, 100, 198, 200]
    assert percentile([7.0], 99) == 7


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(2.9, False, True), (3, False, True), (3.1, False, False), (2.9, True, False), (3, True, True), (3.1, True, True)],
)
def test_a_goal_is_met_up_to_its_limit_or_from_it_on(value: float, at_least: bool, met: bool) -> None:
    assert Goal("speed", value, 3, at_least=at_least).met is met


def test_goals_say_what_was_wanted_and_what_came_of_it() -> None:
    goals = [Goal("delay", 0.7, 3, unit="ms"), Goal("speed", 2.5, 5, at_least=True, unit="×")]
    assert goals_table(goals).splitlines() == [
        "| goal | limit | measured |  |",
        "| --- | ---: | ---: | ---: |",
        "| delay | at most 3 ms | 0.7 ms | met |",
        "| speed | at least 5 × | 2.5 × | **not met** |",
    ]


def test_a_table_is_markdown() -> None:
    assert table(("a", "b"), [("x", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
