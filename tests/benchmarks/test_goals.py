"""What the two benchmarks make of what was measured, and their command lines. Nothing is measured here."""

from dataclasses import replace
from pathlib import Path
import subprocess
import sys

import pytest

from benchmarks import against_momonga, many_meters
from benchmarks.against_momonga import OURS, PEER, PEER_IN_HOME_ASSISTANT, Client, Found, Session, Speeds
from benchmarks.many_meters import Run
from benchmarks.wire import GET, JOIN, Exchange

TOP = Path(__file__).parents[2]
DEADLINE_S = 60.0


def session(*, requests: int = 1, added_s: float = 0.001, cpu_s: float = 0.001, idle_s: float = 0.002) -> Session:
    """Return a session with one poll at 100 s; module and meter take 1 s for each of its requests."""
    gets = [Exchange(GET, 100.0 + number, 101.0 + number) for number in range(requests)]
    end_s = 100.0 + requests * (1.0 + added_s)
    found: Found = {
        "cold": {"begun_s": 0.0, "ended_s": 20.0},
        "warm": {"begun_s": 200.0, "ended_s": 209.0},
        "polls": [{"begun_s": 100.0, "ended_s": end_s, "cpu_s": cpu_s}],
        "idle_cpu_s_per_min": idle_s,
        "added_b": 1_000_000,
    }
    warm = [Exchange(JOIN, 200.5, 206.5), Exchange(GET, 206.5, 208.0), Exchange(GET, 208.0, 208.9)]
    # One that is on its way while the poll ends is not the poll's.
    return Session(found, (*gets, Exchange(GET, 100.5, 150.0), *warm))


def speeds(*from_port: float, in_memory: float) -> list[Speeds]:
    return [{"port_frames_per_s": speed, "frames_per_s": in_memory} for speed in from_port]


# Of lines that are there already, the peer makes more.
SPEEDS = {
    OURS.module: speeds(3000.0, 2000.0, 4000.0, in_memory=5000.0),
    PEER.module: speeds(1500.0, in_memory=10_000.0),
}


def measured(*, cpu_s: float = 0.005, **peer: float) -> dict[Client, list[Session]]:
    """Return one session of each client; `peer` says what the peer needs at its best, `cpu_s` in Home Assistant."""
    best = {"added_s": 0.001, "cpu_s": 0.002, "idle_s": 0.02} | peer
    return {
        OURS: [session()],
        PEER: [session(**best)],  # type: ignore[arg-type]
        PEER_IN_HOME_ASSISTANT: [session(requests=3, cpu_s=cpu_s)],
    }


def test_what_the_client_adds_is_what_neither_module_nor_meter_took() -> None:
    four = session(requests=4, added_s=0.25)
    (poll,) = four.found["polls"]
    assert four.requests(poll) == 4
    assert four.added_s(poll) == pytest.approx(0.25)


def test_a_warm_start_is_measured_in_join_and_get() -> None:
    assert session().warm_start_ratio() == pytest.approx(9.0 / 7.5)


def test_rows_compare_with_both_ways_of_the_peer() -> None:
    rows = {row.name: row for row in against_momonga.quantities(measured(), SPEEDS)}
    assert rows[against_momonga.FIRST_WARM].row()[1:] == ["**9** s", "**20** s", "2.22 ×", "**20** s", "2.22 ×"]
    assert rows[against_momonga.POLL_REQUESTS].row()[1:] == ["**1**", "**1**", "1.00 ×", "**3**", "3.00 ×"]
    assert rows[against_momonga.CPU].ratio_to(PEER) == pytest.approx(2)
    assert rows[against_momonga.CPU].ratio_to(PEER_IN_HOME_ASSISTANT) == pytest.approx(5)
    # 1 ms and half a minute of 2 ms a minute.
    assert rows[against_momonga.CPU_IN_USE].row()[1] == "**2** ms"
    assert rows[against_momonga.FRAMES].row()[1:] == ["**3,000** (2,000 to 4,000)", "**1,500**", "2.00 ×", "", ""]
    assert rows[against_momonga.FRAMES_IN_MEMORY].row()[1:] == ["**5,000**", "**10,000**", "0.50 ×", "", ""]


def goals_met(
    sessions: dict[Client, list[Session]], warm_start_ratio: float = 1.2, *, found: dict[str, list[Speeds]] = SPEEDS
) -> list[bool]:
    return [goal.met for goal in against_momonga.goals(against_momonga.quantities(sessions, found), warm_start_ratio)]


def test_goals_are_met_one_by_one() -> None:
    assert goals_met(measured()) == [True, True, True, True, True]
    assert goals_met(measured(), 1.31) == [False, True, True, True, True]
    assert goals_met(measured() | {OURS: [session(added_s=0.0031)]}) == [True, False, True, True, False]
    assert goals_met(measured() | {OURS: [session(requests=2)]}) == [True, True, False, True, False]
    assert goals_met(measured(cpu_s=0.0049)) == [True, True, True, False, True]
    assert goals_met(measured(added_s=0.0009)) == [True, True, True, True, False]
    slow = SPEEDS | {OURS.module: speeds(1400.0, in_memory=5000.0)}
    assert goals_met(measured(), found=slow) == [True, True, True, True, False]


def run(meters: int, cpu_share: float, interval_s: int = 30) -> Run:
    return Run(
        meters=meters,
        interval_s=interval_s,
        lags_s=(0.001, 0.002, 0.003),
        cpu_share=cpu_share,
        memory_b=100_000_000 + meters * 2_000_000,
        readings_per_min=2.0,
    )


def test_a_meter_costs_what_is_more_than_without_any() -> None:
    without = run(0, 0.01)
    rows = many_meters.rows([run(10, 0.02)], without)
    assert rows[0] == ["0", "", "2", "3", "3", "1.00", "", "", ""]
    assert rows[1] == ["10", "30 s", "2", "3", "3", "2.00", "2", "60", "2.00"]


@pytest.mark.parametrize(("cpu_share", "met"), [(0.11, True), (0.16, True), (0.17, False)])
def test_a_meter_among_many_may_cost_little_more_than_among_few(cpu_share: float, met: bool) -> None:
    without = run(0, 0.01)
    # The first run is left out: among so few, the difference is that of two starts.
    runs = [run(1, 0.5), run(10, 0.02), run(100, cpu_share), run(100, 0.9, interval_s=10)]
    per_meter, read = many_meters.goals(runs, without)
    assert (per_meter.met, read.met) == (met, True)


@pytest.mark.parametrize(("readings_per_min", "met"), [(1.4, False), (1.5, True)])
def test_figures_of_meters_that_are_not_read_do_not_count(readings_per_min: float, met: bool) -> None:
    runs = [run(10, 0.02), replace(run(100, 0.11), readings_per_min=readings_per_min)]
    per_meter, read = many_meters.goals(runs, run(0, 0.01))
    assert (per_meter.met, read.met) == (True, met)


@pytest.mark.parametrize(
    "command",
    [
        ("script/benchmark",),
        (sys.executable, "-m", "benchmarks.against_momonga"),
        (sys.executable, "-m", "benchmarks.many_meters"),
        (sys.executable, "-m", "benchmarks.simulated_homes"),
        (sys.executable, "-m", "benchmarks.clients.broute"),
    ],
    ids=lambda command: command[-1],
)
def test_help_tells_the_options(command: tuple[str, ...]) -> None:
    told = subprocess.run(
        [*command, "--help"], cwd=TOP, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert told.returncode == 0, told.stderr
    assert not told.stderr
    assert "[" in told.stdout


def test_an_unknown_benchmark_is_refused_with_those_there_are() -> None:
    refused = subprocess.run(
        ["script/benchmark", "everything"],  # noqa: S607 - it is ours
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert refused.returncode == 2
    assert {"against_momonga", "many_meters"} <= set(refused.stderr.split())
