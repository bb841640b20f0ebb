"""What is tried after a loss, in which order, and after which pauses."""

from collections.abc import Iterable
import random
from typing import override

import pytest

from custom_components.broute.aiobroute.exceptions import (
    BrouteError,
    CredentialsRefusedError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    ModuleSilentError,
    NotAModuleError,
    PortBusyError,
    PortError,
    PortMissingError,
    PortSharedError,
)
from custom_components.broute.aiobroute.recovery import JITTER, Attempt, Footing, Outage, Recovery


class NoJitter(random.Random):
    """Chooses the shortest of everything."""

    @override
    def uniform(self, a: float, b: float) -> float:
        return a


class MostJitter(random.Random):
    """Chooses the longest of everything."""

    @override
    def uniform(self, a: float, b: float) -> float:
        return b


def pauses(failures: Iterable[BrouteError], *, now_s: float = 0, knows_network: bool = True) -> list[float]:
    """Return the pauses after attempts that failed like this."""
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    return [recovery.pause_s(failure, now_s=now_s, knows_network=knows_network) for failure in failures]


@pytest.mark.parametrize("footing", Footing)
def test_the_first_attempt_begins_with_what_the_loss_demands(footing: Footing) -> None:
    recovery = Recovery(footing, NoJitter(), since_s=0)
    assert recovery.next_attempt() == Attempt(footing, searches=True)
    assert recovery.next_attempt() == Attempt(Footing.RESET, searches=True)


def test_a_demand_is_met_once_and_never_lessened() -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    for _ in range(3):
        recovery.next_attempt()
    recovery.demand(Footing.REOPEN)
    recovery.demand(Footing.RESET)
    assert recovery.next_attempt().footing is Footing.REOPEN
    assert recovery.next_attempt().footing is Footing.AS_IT_IS


@pytest.mark.parametrize(
    "failure", [PortError(), PortMissingError(), PortBusyError(), PortSharedError(), NotAModuleError()]
)
def test_a_port_that_failed_is_opened_again_by_every_next_attempt(failure: BrouteError) -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    for _ in range(20):
        recovery.next_attempt()
        assert recovery.pause_s(failure, now_s=0, knows_network=True) <= 5
        assert recovery.next_attempt().footing is Footing.REOPEN
        recovery.pause_s(failure, now_s=0, knows_network=True)


@pytest.mark.parametrize("failure", [ModuleError(), ModuleSilentError()])
def test_a_module_that_failed_is_reset_and_then_opened_again(failure: BrouteError) -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    for _ in range(4):
        recovery.next_attempt()
    recovery.pause_s(failure, now_s=0, knows_network=True)
    assert recovery.next_attempt().footing is Footing.RESET
    recovery.pause_s(failure, now_s=0, knows_network=True)
    assert recovery.next_attempt().footing is Footing.REOPEN


def test_what_concerned_the_module_is_forgotten_when_the_meter_is_the_matter() -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    for failure in (ModuleError(), MeterSilentError(), ModuleError()):
        recovery.next_attempt()
        recovery.pause_s(failure, now_s=0, knows_network=True)
    assert recovery.next_attempt().footing is Footing.RESET
    assert pauses([ModuleError(), MeterSilentError(), ModuleError()]) == [0.5, 5, 0.5]


def test_a_meter_that_was_never_found_is_not_searched_without_end() -> None:
    assert pauses([MeterNotFoundError()] * 8, knows_network=False) == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_meter_that_refuses_is_left_alone_more_and_more() -> None:
    assert sum(pauses([CredentialsRefusedError()] * 12)) > 12 * 150


@pytest.mark.parametrize(
    "failure", [PortMissingError(), PortBusyError(), CredentialsRefusedError(), MeterSilentError(), ModuleError()]
)
def test_pauses_are_lengthened_by_chance_and_not_by_much(failure: BrouteError) -> None:
    shortest = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0).pause_s(failure, now_s=0, knows_network=True)
    longest = Recovery(Footing.AS_IT_IS, MostJitter(), since_s=0).pause_s(failure, now_s=0, knows_network=True)
    assert longest == pytest.approx(shortest * (1 + JITTER))
    chosen = {
        Recovery(Footing.AS_IT_IS, random.Random(seed), since_s=0).pause_s(failure, now_s=0, knows_network=True)
        for seed in range(9)
    }
    assert len(chosen) == 9


def outage_after(*events: BrouteError | float | None) -> Outage:
    """Return what is known after attempts that failed like this, and searches that heard the meter so."""
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=7.0)
    for event in events:
        if isinstance(event, BrouteError):
            recovery.pause_s(event, now_s=8.0, knows_network=True)
        else:
            recovery.end_search(event)
    return recovery.outage


def test_an_outage_counts_its_attempts_from_its_beginning() -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=7.0)
    assert recovery.outage == Outage(since_s=7.0)
    recovery.next_attempt()
    recovery.next_attempt()
    assert recovery.outage == Outage(since_s=7.0, attempts=2)


def test_searches_in_vain_are_counted_until_the_meter_is_heard() -> None:
    vain = (None, MeterNotFoundError())
    assert outage_after(*vain, *vain) == Outage(since_s=7.0, searches_in_vain=2)
    assert outage_after(*vain, *vain, -80.0) == Outage(since_s=7.0, heard_dbm=-80.0)
    assert outage_after(-80.0, *vain) == Outage(since_s=7.0, searches_in_vain=1)


def test_a_meter_that_refuses_without_a_search_was_heard_but_not_how_strongly() -> None:
    refused = CredentialsRefusedError()
    assert outage_after(None, MeterNotFoundError(), refused) == Outage(since_s=7.0, refusals=1)
    assert outage_after(-80.0, refused, refused) == Outage(since_s=7.0, refusals=2, heard_dbm=-80.0)


@pytest.mark.parametrize("other", [MeterSilentError(), MeterNotFoundError()])
def test_refusals_are_counted_in_a_row(other: BrouteError) -> None:
    refused = CredentialsRefusedError()
    assert outage_after(refused, refused, other).refusals == 0
    assert outage_after(refused, refused, other, refused).refusals == 1


@pytest.mark.parametrize("other", [PortMissingError(), PortSharedError(), ModuleSilentError(), NotAModuleError()])
def test_what_fails_before_the_meter_is_reached_says_nothing_of_refusals(other: BrouteError) -> None:
    refused = CredentialsRefusedError()
    assert outage_after(refused, refused, other, refused).refusals == 3


def test_a_session_that_did_not_prove_itself_ends_no_outage() -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    assert recovery.rests_until_s == 0
    for _ in range(20):
        recovery.next_attempt()
    rests, made = [], []
    for begun_s in range(1000, 10_000, 1000):
        recovery.relapse(Footing.AS_IT_IS, begun_s=begun_s, now_s=begun_s + 0.5)
        assert recovery.outage == Outage(since_s=begun_s + 0.5)
        rests.append(recovery.rests_until_s - begun_s)
        made.append(recovery.next_attempt().footing)
    assert rests == [1, 5, 10, 20, 40, 80, 160, 300, 300]
    assert made == [Footing.RESET, Footing.REOPEN, *7 * [Footing.AS_IT_IS]]
    assert recovery.relapses == 9


def test_a_relapse_goes_on_where_the_attempts_for_its_session_have_stopped() -> None:
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    recovery.next_attempt()
    recovery.relapse(Footing.AS_IT_IS, begun_s=0, now_s=1)
    assert recovery.next_attempt().footing is Footing.RESET
    assert recovery.next_attempt().footing is Footing.REOPEN
    recovery.relapse(Footing.RESET, begun_s=2, now_s=3)
    assert recovery.next_attempt() == Attempt(Footing.RESET, searches=False)
    assert recovery.next_attempt() == Attempt(Footing.AS_IT_IS, searches=False)


def test_the_pause_after_a_relapse_is_lengthened_by_chance() -> None:
    recovery = Recovery(Footing.AS_IT_IS, MostJitter(), since_s=0)
    recovery.relapse(Footing.AS_IT_IS, begun_s=100, now_s=101)
    assert recovery.rests_until_s == pytest.approx(100 + 1 + JITTER)
