"""How long an answer is waited for."""

import pytest

from custom_components.broute.aiobroute.response_timer import RequestKind, ResponseTimer


@pytest.mark.parametrize(
    ("epcs", "kind"),
    [
        ((0xE7,), RequestKind.ONE),
        ((0xE5,), RequestKind.ONE),
        ((0xE7, 0xE8), RequestKind.SEVERAL),
        ((0xE2,), RequestKind.HISTORY),
        ((0xE4,), RequestKind.HISTORY),
        ((0xEC,), RequestKind.HISTORY),
        ((0xEE,), RequestKind.HISTORY),
        ((0xE7, 0xE2), RequestKind.HISTORY),
    ],
)
def test_requests_are_of_three_kinds(epcs: tuple[int, ...], kind: RequestKind) -> None:
    assert RequestKind.of(epcs) is kind


def test_an_unknown_meter_gets_the_times_of_the_specification() -> None:
    assert {kind: ResponseTimer().limit_s(kind) for kind in RequestKind} == {
        RequestKind.ONE: 20,
        RequestKind.SEVERAL: 60,
        RequestKind.HISTORY: 60,
    }


@pytest.mark.parametrize(
    ("answer_s", "one", "several"), [(0.3, 8, 8), (2, 8, 8), (3, 12, 12), (6, 20, 24), (14, 20, 56), (40, 20, 60)]
)
def test_four_times_the_slowest_answer_within_limits(answer_s: float, one: float, several: float) -> None:
    timer = ResponseTimer()
    for kind in RequestKind:
        timer.learn(kind, answer_s)
        timer.learn(kind, answer_s / 2)
    assert timer.limit_s(RequestKind.ONE) == one
    assert timer.limit_s(RequestKind.SEVERAL) == several
    assert timer.limit_s(RequestKind.HISTORY) == several


def test_the_kinds_are_learned_apart() -> None:
    timer = ResponseTimer()
    timer.learn(RequestKind.ONE, 0.5)
    assert timer.limit_s(RequestKind.ONE) == 8
    assert timer.limit_s(RequestKind.SEVERAL) == 60


def test_a_single_slow_answer_among_many_is_not_usual() -> None:
    timer = ResponseTimer()
    for answer_s in (1.0, 15.0, *[1.0] * 20):
        timer.learn(RequestKind.SEVERAL, answer_s)
    assert timer.limit_s(RequestKind.SEVERAL) == 8
    timer.learn(RequestKind.SEVERAL, 12.0)
    assert timer.limit_s(RequestKind.SEVERAL) == 48


def test_old_answers_are_forgotten() -> None:
    timer = ResponseTimer()
    for answer_s in (*[15.0] * 9, *[1.0] * 31):
        timer.learn(RequestKind.SEVERAL, answer_s)
    assert timer.limit_s(RequestKind.SEVERAL) == 8


def test_what_was_learned_can_be_remembered() -> None:
    timer = ResponseTimer()
    timer.learn(RequestKind.SEVERAL, 3.0)
    assert timer.slowest_s == {RequestKind.SEVERAL: 3.0}
    again = ResponseTimer(timer.slowest_s)
    assert again.limit_s(RequestKind.SEVERAL) == 12
    assert again.limit_s(RequestKind.ONE) == 20
