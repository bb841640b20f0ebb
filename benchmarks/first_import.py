"""The first start with a meter that has weeks behind it: how soon all of its log is in Home Assistant's statistics.

Prints a table in Markdown, and ends with 1 if that takes too long, if a value is not the meter's, or if the readings
have to wait for the log.
"""

import argparse
import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
import json
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from development.child_process import free_port
from development.config import write_config
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DIRECTIONS,
    JST,
    PERIODS,
    Bars,
    add_meter,
    log_until,
    midnight,
    shown_bars,
    true_bars,
)
from development.simulated_meter import SimulatedMeter

from .figures import Figure, Goal, goals_table, machine, rounded, table

DAYS = 44
"""What is asked for unless the user chooses otherwise, and what the utilities promise."""
INTERVAL_S = 30.0
"""How often a meter is read unless the user chooses otherwise."""
IMPORT_GOAL_S = 15 * 60.0
PAUSE_GOAL_S = INTERVAL_S + 10.0
"""A reading that is due may find a request of the log under way: that one is answered, and 5 s after it was sent the
next is allowed."""
IMPORT_LIMIT_S = 25 * 60.0
"""The log-in of a Home Assistant lasts half an hour."""

NOTICES = frozenset({"73", "74"})
"""ESV of what the meter says unasked."""
LOG_EPCS = frozenset({"E2", "E4", "E5", "EC", "ED"})
POWER_EPC = "E7"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the meter has answered to a request: when, and the properties in it."""

    at: datetime
    epcs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was measured.

    Attributes:
        joined_s: from the form that was filled in to the entry, s.
        added_at: when the entry was added.
        complete_at: when all of the log was in the statistics.
        answers: all that the meter has answered, to the end.
        shown: what Home Assistant shows of each direction.
        true: what it should show.
    """

    joined_s: float
    added_at: datetime
    complete_at: datetime
    answers: tuple[Answer, ...]
    shown: dict[str, Bars]
    true: dict[str, Bars]

    @property
    def import_s(self) -> float:
        """From the entry to the last row, s."""
        return (self.complete_at - self.added_at).total_seconds()

    @property
    def meanwhile(self) -> list[Answer]:
        """The answers while the log was imported."""
        return [answer for answer in self.answers if self.added_at <= answer.at <= self.complete_at]

    @property
    def log_requests(self) -> int:
        """How many of these were for the log."""
        return sum(answer.epcs <= LOG_EPCS for answer in self.meanwhile)

    @property
    def pauses_s(self) -> Figure:
        """From one reading to the next while the log was imported, s."""
        return _pauses_s(self.meanwhile)

    @property
    def pauses_after_s(self) -> Figure:
        """The same when it was there, s."""
        return _pauses_s([answer for answer in self.answers if answer.at > self.complete_at])

    @property
    def hours(self) -> int:
        """How many hours of both directions there are."""
        return sum(len(bars["hour"]) for bars in self.shown.values())

    @property
    def wrong(self) -> int:
        """How many hours, days and months are not as they should be, or are missing."""
        return sum(
            len(set(self.shown[direction][period]) ^ set(self.true[direction][period]))
            for direction in DIRECTIONS
            for period in PERIODS
        )


def _pauses_s(answers: list[Answer]) -> Figure:
    polls = [answer.at for answer in answers if POWER_EPC in answer.epcs]
    return Figure.of([(later - earlier).total_seconds() for earlier, later in pairwise(polls)], unit="s")


def answers(truth_log: str) -> tuple[Answer, ...]:
    """Return what the meter has answered, by the simulator's log of the truth; its announcements are none."""
    noted = [json.loads(line) for line in truth_log.splitlines()]
    return tuple(
        Answer(datetime.fromisoformat(one["at"]), frozenset(one["epcs"])) for one in noted if one["esv"] not in NOTICES
    )


async def _measure(folder: Path, watch_s: float) -> Run:
    """Add a meter to a new Home Assistant, and wait until it has all of the log."""
    truth_log = folder / "truth.jsonl"
    config = folder / "config"
    port = free_port()
    write_config(config, port)
    options = ("--control", "0", "--history-days", str(DAYS), "--truth-log", str(truth_log))
    async with (
        SimulatedMeter(folder / "meter", *options) as meter,
        HomeAssistant(Path(sys.executable).with_name("hass"), config, port) as home_assistant,
    ):
        begun_at = datetime.now(JST)
        await add_meter(home_assistant, meter)
        added_at = datetime.now(JST)
        _say(f"The meter is there after {(added_at - begun_at).total_seconds():.0f} s")
        await log_until(home_assistant, IMPORT_LIMIT_S)
        complete_at = datetime.now(JST)
        _say(f"Its log is there {(complete_at - added_at).total_seconds():.0f} s later")
        await asyncio.sleep(watch_s)
        shown = await shown_bars(home_assistant)
        true = await true_bars(meter, shown, midnight(added_at) - timedelta(days=DAYS))
        for complaint in home_assistant.complaints():
            _say(complaint)
    return Run(
        joined_s=(added_at - begun_at).total_seconds(),
        added_at=added_at,
        complete_at=complete_at,
        answers=answers(truth_log.read_text(encoding="utf-8")),
        shown=shown,
        true=true,
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def rows(run: Run) -> list[tuple[str, str]]:
    """Return what was measured, line by line."""
    minutes = run.import_s / 60
    return [
        ("form filled in to entry (search, join, first reading)", f"{rounded(run.joined_s)} s"),
        (
            f"entry to {DAYS} days of both directions in the statistics",
            f"**{rounded(run.import_s)}** s ({minutes:.1f} min)",
        ),
        ("hours written, both directions", f"{run.hours:,}"),
        ("requests to the meter for its log", f"{run.log_requests}"),
        ("all other requests to the meter meanwhile, readings among them", f"{len(run.meanwhile) - run.log_requests}"),
        ("pause between two readings meanwhile", f"{run.pauses_s}"),
        ("pause between two readings afterwards", f"{run.pauses_after_s}"),
    ]


def goals(run: Run) -> list[Goal]:
    """Return what must be kept."""
    return [
        Goal(f"{DAYS} days of both directions", run.import_s, IMPORT_GOAL_S, unit="s"),
        Goal("longest pause between two readings meanwhile", max(run.pauses_s.samples), PAUSE_GOAL_S, unit="s"),
        Goal("hours, days and months that are not as the meter's registers say", run.wrong, 0),
        Goal("hours of both directions", run.hours, len(DIRECTIONS) * DAYS * 24, at_least=True),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/benchmark first_import", description=__doc__)
    parser.add_argument(
        "--watch", type=float, default=180.0, metavar="S", help="readings afterwards (default: %(default)s)"
    )
    return parser


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args()
    measured_on = machine()
    with TemporaryDirectory() as folder:
        run = asyncio.run(_measure(Path(folder), options.watch))
    found = goals(run)
    parts = [table(("first start", "measured"), rows(run)), goals_table(found), f"{measured_on}."]
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0 if all(goal.met for goal in found) else 1


if __name__ == "__main__":
    sys.exit(main())
