"""Simulated homes in one process of their own, so that what they cost is nobody else's: real times, pseudo-terminals.

Prints one line of JSON when all ports can be opened, then runs until it is terminated.
"""

import argparse
import asyncio
from contextlib import ExitStack
import json
from pathlib import Path
import signal
import sys
from typing import TextIO

from simulator import PASSWORD, HouseLoad, SimulatedHome
from simulator.meter import ANSWER_S
from simulator.radio import JOIN_S, SEND_S
from simulator.serve import PtyPort

from .wire import Note, WatchedLine

MEAN_JOIN_S = sum(JOIN_S) / 2
MEAN_ANSWER_S = sum(ANSWER_S) / 2
MEAN_SEND_S = sum(SEND_S) / 2


def route_b_id(number: int) -> str:
    """Return the ID of a home."""
    return f"{number:032X}"


def fix_times(home: SimulatedHome) -> None:
    """Let every join, transmission and answer take the mean of what was captured."""
    home.meter.paa.join_time_s = MEAN_JOIN_S
    home.meter.answer_s = (MEAN_ANSWER_S, MEAN_ANSWER_S)
    home.module.radio.send_s = (MEAN_SEND_S, MEAN_SEND_S)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_homes", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the links to the pseudo-terminals are made")
    parser.add_argument("--homes", type=int, default=1, help="how many (default: %(default)s)")
    parser.add_argument(
        "--fixed-times",
        action="store_true",
        help=f"every join takes {MEAN_JOIN_S:.2f} s, every transmission {MEAN_SEND_S:.2f} s and every answer "
        f"{MEAN_ANSWER_S:.2f} s, the middle of what was captured, instead of a time at random",
    )
    parser.add_argument("--notes", type=Path, metavar="FILE", help="append what passes on their lines")
    return parser


async def _serve(options: argparse.Namespace, notes: TextIO | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def write(note: Note) -> None:
        if notes is not None:
            notes.write(note.to_json() + "\n")

    # One for all: a curve is worked out when it is first asked for, which would keep all homes waiting.
    load = HouseLoad(seed=0)
    with ExitStack() as stack:
        ready: list[dict[str, str]] = []
        for count in range(options.homes):
            home = stack.enter_context(SimulatedHome(id=route_b_id(count), seed=count, load=load))
            home.truth()
            if options.fixed_times:
                fix_times(home)
            line = home.module.uart if notes is None else WatchedLine(home.module.uart, write)
            port = PtyPort(line, options.folder / f"meter{count}")
            stack.callback(port.close)
            ready.append({"port": port.name, "id": route_b_id(count), "password": PASSWORD})
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Run until terminated."""
    options = _parser().parse_args()
    if options.notes is None:
        asyncio.run(_serve(options, None))
        return
    with options.notes.open("a", encoding="utf-8", buffering=1) as notes:
        asyncio.run(_serve(options, notes))


if __name__ == "__main__":
    main()
