"""What the benchmark of the first import makes of what was measured. Nothing is measured here."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
import json
from pathlib import Path
import subprocess
import sys

from benchmarks import first_import
from benchmarks.first_import import Answer, Run
from development.meter_in_home_assistant import DIRECTIONS, JST, Bar, Bars

TOP = Path(__file__).parents[2]
DEADLINE_S = 60.0
ADDED_AT = datetime(2026, 11, 21, 18, 24, tzinfo=JST)
HOUR = timedelta(hours=1)
POLL = frozenset({"E7", "E8", "E0", "E3"})


def after(seconds: float) -> datetime:
    return ADDED_AT + timedelta(seconds=seconds)


def bars(hours: int = 44 * 24) -> Bars:
    begin = datetime(2026, 10, 8, tzinfo=JST)
    energy = Decimal("0.1")
    hourly = [
        Bar(begin + HOUR * number, begin + HOUR * (number + 1), energy, energy * number, energy * number)
        for number in range(hours)
    ]
    return {"hour": hourly, "day": [], "month": []}


def run(*, import_s: float = 100.0, pause_s: float = 36.0) -> Run:
    log = [Answer(after(at_s), frozenset(epcs)) for at_s, epcs in ((5, {"E5"}), (10, {"E2"}), (15, {"E4"}))]
    polls = [Answer(after(at_s), POLL) for at_s in (1, 31, 31 + pause_s, 200, 230)]
    return Run(
        joined_s=20.0,
        added_at=ADDED_AT,
        complete_at=after(import_s),
        # The first one was answered before the meter was added.
        answers=(Answer(after(-5), POLL), *log, *polls),
        shown=dict.fromkeys(DIRECTIONS, bars()),
        true=dict.fromkeys(DIRECTIONS, bars()),
    )


def goals_met(measured: Run) -> list[bool]:
    return [goal.met for goal in first_import.goals(measured)]


def test_requests_are_told_apart() -> None:
    rows = dict(first_import.rows(run()))
    assert rows["requests to the meter for its log"] == "3"
    assert rows["all other requests to the meter meanwhile, readings among them"] == "3"
    assert rows["pause between two readings meanwhile"] == "**33** s (30 to 36)"
    assert rows["pause between two readings afterwards"] == "**30** s"


def test_goals_are_met_one_by_one() -> None:
    assert goals_met(run()) == [True, True, True, True]
    assert goals_met(replace(run(), complete_at=after(901), answers=run().answers[:-2])) == [False, True, True, True]
    assert goals_met(run(pause_s=40.1)) == [True, False, True, True]


def test_an_hour_that_is_wrong_or_missing_is_counted() -> None:
    right = run()
    first, *others = right.true["import"]["hour"]
    other = replace(first, change=first.change + Decimal("0.1"))
    wrong = {**right.shown, "import": {**right.shown["import"], "hour": [other, *others]}}
    assert goals_met(replace(right, shown=wrong)) == [True, True, False, True]
    missing = {**right.shown, "import": {**right.shown["import"], "hour": others}}
    assert goals_met(replace(right, shown=missing)) == [True, True, False, False]


def test_announcements_are_no_answers() -> None:
    noted: list[dict[str, object]] = [
        {"at": ADDED_AT.isoformat(), "tid": "0001", "esv": esv, "epcs": ["EA"], "truth": {}}
        for esv in ("72", "73", "74", "52")
    ]
    assert first_import.answers("\n".join(map(json.dumps, noted))) == (Answer(ADDED_AT, frozenset({"EA"})),) * 2


def test_help_tells_the_options() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_import", "--help"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert told.returncode == 0, told.stderr
    assert "--watch" in told.stdout
