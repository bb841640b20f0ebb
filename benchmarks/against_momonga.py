"""The client against momonga 0.7.0, on one simulated module and meter at their real speed, in one run.

Prints tables in Markdown, and ends with 1 if a goal is not met.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from typing import Any, TypedDict, cast

from development.child_process import ChildProcess
from development.config import CHECKOUT

from .figures import Figure, Goal, goals_table, machine, ratio, table
from .wire import GET, JOIN, Exchange, exchanges

REJOIN_PAUSE_S = 11.0
"""The simulated meter refuses for 10 s whoever has just left."""
POLL_PAUSE_S = 6.0
"""So that no client has to rest before a request: the interface specification wants 5 s from one to the next."""
USUAL_PAUSE_S = 30.0
"""What Home Assistant rests between two polls unless told otherwise."""
CLIENT_LIMIT_S = 600.0
CODEC_RUNS = 5
STOP_LIMIT_S = 10.0

WARM_START_LIMIT = 1.3
ADDED_MS_LIMIT = 3.0
CPU_RATIO_LIMIT = 5.0
WORSE_BELOW = 0.95
"""What differs by less than 5 % is the same: the medians of two times the same client differ by so much."""


class Span(TypedDict):
    """When something began and ended, by the monotonic clock, s."""

    begun_s: float
    ended_s: float


class Poll(Span):
    """A full poll, with the processor's time that the client spent on it, s."""

    cpu_s: float


class Found(TypedDict, total=False):
    """What a client says of one session; `warm` only where it can start so."""

    cold: Span
    warm: Span
    polls: list[Poll]
    added_b: int
    idle_cpu_s_per_min: float


class Speeds(TypedDict):
    """How fast a client decodes, frames a second of the processor's time: from its port, and a line that is there."""

    port_frames_per_s: float
    frames_per_s: float


@dataclass(frozen=True, slots=True)
class Session:
    """What a client has found in one session, and what passed on the wire meanwhile."""

    found: Found
    wire: tuple[Exchange, ...]

    def during(self, span: Span) -> list[Exchange]:
        """Return what passed on the wire in this time."""
        return [
            exchange
            for exchange in self.wire
            if span["begun_s"] <= exchange.asked_at_s and exchange.answered_at_s <= span["ended_s"]
        ]

    def requests(self, poll: Poll) -> int:
        """Count the requests that the meter was sent for a poll."""
        return sum(exchange.what == GET for exchange in self.during(poll))

    def added_s(self, poll: Poll) -> float:
        """Return what the client added to each request of a poll: all that was neither the module nor the meter."""
        requests = [exchange for exchange in self.during(poll) if exchange.what == GET]
        return (_duration_s(poll) - sum(exchange.duration_s for exchange in requests)) / len(requests)

    def warm_start_ratio(self) -> float:
        """Return the warm start as a multiple of what the simulated radio needs: its join, and one Get."""
        warm = self.found["warm"]
        exchanged = self.during(warm)
        radio_s = sum(next(done.duration_s for done in exchanged if done.what == what) for what in (JOIN, GET))
        return _duration_s(warm) / radio_s


def _duration_s(span: Span) -> float:
    return span["ended_s"] - span["begun_s"]


@dataclass(frozen=True, slots=True)
class Client:
    """One column of the table.

    Attributes:
        title: its head.
        module: the program below `benchmarks.clients`.
        options: what it is told besides.
    """

    title: str
    module: str
    options: tuple[str, ...] = ()


OURS = Client("broute", "broute")
PEER = Client("momonga, at its best", "momonga")
PEER_IN_HOME_ASSISTANT = Client("momonga, as in Home Assistant", "momonga", ("--in-home-assistant",))
CLIENTS = (OURS, PEER, PEER_IN_HOME_ASSISTANT)


async def _output_of(*command: str) -> dict[str, Any]:
    """Run a program of this folder to its end, and return the JSON that it prints.

    Raises:
        RuntimeError: it failed; the reason is on standard error.
        TimeoutError: it takes longer than any client should.
    """
    process = await _start(*command)
    try:
        async with asyncio.timeout(CLIENT_LIMIT_S):
            output = await process.stdout.read()
            code = await process.wait()
    finally:
        await process.stop(STOP_LIMIT_S)
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {code}")
    found: dict[str, Any] = json.loads(output)
    return found


async def _start(*command: str) -> ChildProcess:
    return await ChildProcess.start(
        sys.executable, "-m", *command, folder=CHECKOUT, environment=os.environ, stdout=asyncio.subprocess.PIPE
    )


async def _sessions(runs: int, polls: int) -> dict[Client, list[Session]]:
    """Let the clients take turns on one simulated home."""
    sessions: dict[Client, list[Session]] = {client: [] for client in CLIENTS}
    with TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        homes = await _start("benchmarks.simulated_homes", folder, "--fixed-times", "--notes", str(notes))
        try:
            (home,) = json.loads(await homes.stdout.readline())
            for run in range(1, runs + 1):
                for client in CLIENTS:
                    _say(f"run {run} of {runs}: {client.title}")
                    found = await _output_of(
                        *(f"benchmarks.clients.{client.module}", *client.options),
                        *("session", home["port"], home["id"], home["password"]),
                        *("--polls", str(polls), "--pause", str(POLL_PAUSE_S)),
                    )
                    wire = tuple(exchanges(notes.read_text(encoding="utf-8").splitlines()))
                    sessions[client].append(Session(cast(Found, found), wire))
                    await asyncio.sleep(REJOIN_PAUSE_S)
        finally:
            await homes.stop(STOP_LIMIT_S)
    return sessions


async def _codec_speeds() -> dict[str, list[Speeds]]:
    """Let both codecs take turns."""
    speeds: dict[str, list[Speeds]] = {OURS.module: [], PEER.module: []}
    for run in range(1, CODEC_RUNS + 1):
        _say(f"codecs, run {run} of {CODEC_RUNS}")
        for module, found in speeds.items():
            found.append(cast(Speeds, await _output_of(f"benchmarks.clients.{module}", "codec")))
    return speeds


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the table: a figure for each client, in their order; `None`: it has no such thing."""

    name: str
    figures: Sequence[Figure | None]
    more_is_better: bool = False

    def ratio_to(self, client: Client) -> float | None:
        """Return how many times better ours is than another client."""
        ours, theirs = self.figures[0], self.figures[CLIENTS.index(client)]
        return None if ours is None or theirs is None else ratio(ours, theirs, more_is_better=self.more_is_better)

    def row(self) -> list[str]:
        """Return the row as text: each client's figure, and behind those of the peer its ratio to ours."""
        cells = [self.name, str(self.figures[0])]
        for client, figure in zip(CLIENTS[1:], self.figures[1:], strict=True):
            found = self.ratio_to(client)
            cells += ["" if figure is None else str(figure), "" if found is None else f"{found:.2f} ×"]
        return cells


FIRST_COLD = "port open to first reading, cold"
FIRST_WARM = "port open to first reading, network remembered"
POLL_TIME = "full poll, time"
POLL_REQUESTS = "full poll, requests to the meter"
ADDED = "added by the client to a request"
CPU = "processor time of a full poll"
IDLE_CPU = "processor time of a minute without polls"
CPU_IN_USE = "processor time of a poll every 30 s, with the rest between"
FRAMES = "frames decoded a second, out of the port"
FRAMES_IN_MEMORY = "of lines that are there already"
MEMORY = "memory added"


def quantities(sessions: dict[Client, list[Session]], speeds: dict[str, list[Speeds]]) -> list[Quantity]:
    """Make the rows of what was measured."""

    def of_sessions(name: str, unit: str, factor: float, key: str) -> Quantity:
        return Quantity(name, [Figure.of(_samples(sessions[client], key), unit, factor=factor) for client in CLIENTS])

    cold = of_sessions(FIRST_COLD, "s", 1, "cold")
    # A peer that remembers nothing starts cold every time.
    warm = Quantity(FIRST_WARM, [Figure.of(_samples(sessions[OURS], "warm"), "s"), *cold.figures[1:]])
    from_port = [[found["port_frames_per_s"] for found in speeds[client.module]] for client in (OURS, PEER)]
    in_memory = [[found["frames_per_s"] for found in speeds[client.module]] for client in (OURS, PEER)]
    return [
        cold,
        warm,
        of_sessions(POLL_TIME, "s", 1, "poll"),
        of_sessions(POLL_REQUESTS, "", 1, "requests"),
        of_sessions(ADDED, "ms", 1e3, "added"),
        of_sessions(CPU, "ms", 1e3, "cpu"),
        of_sessions(IDLE_CPU, "ms", 1e3, "idle"),
        of_sessions(CPU_IN_USE, "ms", 1e3, "in use"),
        Quantity(FRAMES, [*(Figure.of(found, "") for found in from_port), None], more_is_better=True),
        Quantity(FRAMES_IN_MEMORY, [*(Figure.of(found, "") for found in in_memory), None], more_is_better=True),
        of_sessions(MEMORY, "MB", 1e-6, "memory"),
    ]


def _samples(sessions: Sequence[Session], key: str) -> list[float]:
    """Return one quantity of all sessions: s, bytes, or a number."""
    found: list[float] = []
    for session in sessions:
        polls = session.found["polls"]
        match key:
            case "cold":
                found.append(_duration_s(session.found["cold"]))
            case "warm":
                found.append(_duration_s(session.found["warm"]))
            case "poll":
                found += [_duration_s(poll) for poll in polls]
            case "requests":
                found += [session.requests(poll) for poll in polls]
            case "added":
                found += [session.added_s(poll) for poll in polls]
            case "cpu":
                found += [poll["cpu_s"] for poll in polls]
            case "idle":
                found.append(session.found["idle_cpu_s_per_min"])
            case "in use":
                idle_s = session.found["idle_cpu_s_per_min"] * USUAL_PAUSE_S / 60
                found += [poll["cpu_s"] + idle_s for poll in polls]
            case "memory":
                found.append(session.found["added_b"])
            case _:
                raise ValueError(key)
    return found


def goals(rows: Sequence[Quantity], warm_start_ratio: float) -> list[Goal]:
    """Return the goals.

    Processor time is compared with the peer as Home Assistant uses it, all else with the peer at its best. How fast
    lines are decoded that are there already is no goal: no client of a port has them.
    """
    by_name = {row.name: row for row in rows}

    def ours(name: str) -> float:
        figure = by_name[name].figures[0]
        if figure is None:
            raise ValueError(name)
        return figure.median

    def ratio_of(name: str, peer: Client = PEER) -> float:
        found = by_name[name].ratio_to(peer)
        if found is None:
            raise ValueError(name)
        return found

    worst = min(by_name.keys() - {FRAMES_IN_MEMORY}, key=ratio_of)
    return [
        Goal(f"{FIRST_WARM}, to join + one Get", warm_start_ratio, WARM_START_LIMIT, unit="×"),
        Goal(ADDED, ours(ADDED), ADDED_MS_LIMIT, unit="ms"),
        Goal(POLL_REQUESTS, ours(POLL_REQUESTS), 1),
        Goal(
            f"{CPU}, times less than the peer in Home Assistant",
            ratio_of(CPU, PEER_IN_HOME_ASSISTANT),
            CPU_RATIO_LIMIT,
            at_least=True,
            unit="×",
        ),
        Goal(
            f"nothing worse than the peer; the worst is: {worst}", ratio_of(worst), WORSE_BELOW, at_least=True, unit="×"
        ),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/benchmark against_momonga", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="sessions of each client (default: %(default)s)")
    parser.add_argument("--polls", type=int, default=5, help="polls in each session (default: %(default)s)")
    return parser


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args()
    measured_on = machine()
    speeds = asyncio.run(_codec_speeds())
    sessions = asyncio.run(_sessions(options.runs, options.polls))
    rows = quantities(sessions, speeds)
    warm_start = Figure.of((session.warm_start_ratio() for session in sessions[OURS]), "").median
    found = goals(rows, warm_start)
    head = ["median (smallest to largest)", OURS.title]
    for client in CLIENTS[1:]:
        head += [client.title, "ratio"]
    parts = (
        table(head, [row.row() for row in rows]),
        goals_table(found),
        f"Sessions of each client: {options.runs}, with {options.polls} polls each. {measured_on}.",
    )
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0 if all(goal.met for goal in found) else 1


if __name__ == "__main__":
    sys.exit(main())
