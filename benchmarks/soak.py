"""Months of reading on virtual time with a fault every few minutes, for all families of modules and several seeds.

Each run is a process of its own. Prints a table in Markdown, and ends with 1 if a client was stuck or wrong, or if
anything of it grew. `tests/aiobroute/recovery/test_soak.py` does the same for a few hours.
"""

import argparse
import asyncio
from collections.abc import Sequence
import json
import logging
import os
import resource
import sys
import time
from typing import Any

import looptime

from tests.aiobroute.recovery.scenarios import FAMILIES
from tests.aiobroute.recovery.soak import Report, soak

from .figures import machine, table

DAYS = 90.0
SEEDS = (1, 2)
GROWTH_LIMIT = 0.1
"""So much more of tasks and of Python's objects may there be in the last quarter than in the first: both go up and down
with what is under way."""


def main() -> int:
    """Run all, or one."""
    options = _parser().parse_args()
    if options.days < 2:
        sys.exit("Two days at the least: what grows is looked at after the first")
    if options.only:
        family, seed = options.only
        sys.stdout.write(json.dumps(_run(family, int(seed), options.days)))
        return 0
    runs = [(family, seed) for seed in options.seeds for family in FAMILIES]
    results = asyncio.run(_run_all(runs, options.days, options.jobs))
    head = f"{options.days:g} simulated days each; {machine()}"
    sys.stdout.write(f"{head}\n\n{table(HEADINGS, [_row(result) for result in results])}\n")
    return 0 if all(_is_well(result) for result in results) else 1


def _run(family: str, seed: int, days: float) -> dict[str, Any]:
    logging.getLogger("custom_components.broute").setLevel(logging.ERROR)
    loop = looptime.new_event_loop(start=0, noop_cycles=0)
    asyncio.set_event_loop(loop)
    report: Report = loop.run_until_complete(soak(family, seed, days))
    loop.close()
    return {
        "family": family,
        "seed": seed,
        "readings": report.readings,
        "wrong": report.wrong,
        "incomplete": report.incomplete,
        "faults": report.faults.total(),
        "longest_gap_s": report.longest_gap_s,
        "recovered_s": report.recovered_s,
        "tasks": report.tasks,
        "objects": report.objects,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu_s": time.process_time(),
    }


async def _run_all(runs: Sequence[tuple[str, int]], days: float, jobs: int) -> list[dict[str, Any]]:
    free = asyncio.Semaphore(jobs)

    async def run(family: str, seed: int) -> dict[str, Any]:
        async with free:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.soak", "--days", str(days), "--only", family, str(seed)),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            if process.returncode:
                raise SystemExit(f"{family}, seed {seed}: see above")
            result: dict[str, Any] = json.loads(output)
            sys.stderr.write(f"{family}, seed {seed}: done\n")
            return result

    return list(await asyncio.gather(*(run(*each) for each in runs)))


HEADINGS = (
    *("family", "seed", "faults", "readings", "wrong", "without a value", "longest gap", "read again after the last"),
    *("tasks", "growth of objects", "memory", "processor time"),
)


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    return (
        result["family"],
        str(result["seed"]),
        f"{result['faults']:,}",
        f"{result['readings']:,}",
        str(result["wrong"]),
        str(result["incomplete"]),
        f"{result['longest_gap_s'] / 60:.0f} min",
        f"{result['recovered_s']:.0f} s",
        f"{min(result['tasks'])}-{max(result['tasks'])}",
        f"{_growth(result['objects']):+.1%}",
        f"{result['memory_mib']:.0f} MiB",
        f"{result['cpu_s']:.0f} s",
    )


def _growth(samples: Sequence[int]) -> float:
    """Return by which share there is more in the last quarter than in the first."""
    quarter = max(len(samples) // 4, 1)
    first, last = (sum(part) / len(part) for part in (samples[:quarter], samples[-quarter:]))
    return last / first - 1


def _is_well(result: dict[str, Any]) -> bool:
    return not result["wrong"] and max(_growth(result["objects"]), _growth(result["tasks"])) < GROWTH_LIMIT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/benchmark soak", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--days", type=float, default=DAYS, help="simulated days of each run (default: %(default)g)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="what chooses faults and load")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at the same time")
    parser.add_argument("--only", nargs=2, metavar=("FAMILY", "SEED"), help="one run, its result as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
