"""Months with outages of Home Assistant, module, radio and mains on virtual time, and what the log's rows show after.

Home Assistant and its recorder are real, with an SQLite file; the meter is simulated, and its registers are the truth
that every hour is compared with. Each run is a process of its own. Prints a table in Markdown, and ends with 1 if an
hour was wrong. `tests/integration/log/long/test_soak.py` is what is run, and does the same for a few days.
"""

import argparse
import asyncio
from collections.abc import Sequence
import json
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

import pytest

from .figures import machine, table

DAYS = 60.0
SEEDS = (1, 2, 3)
TEST = Path("tests/integration/log/long/test_soak.py")
NOT_PASSED = 1
"""pytest's exit code where the comparison failed; any other one than 0 means that there was none."""


def main() -> int:
    """Run all, or one."""
    options = _parser().parse_args()
    if options.only:
        seed, file = options.only
        return _run(int(seed), options.days, Path(file))
    results = asyncio.run(_run_all(options.seeds, options.days, options.jobs))
    head = f"{options.days:g} simulated days each; {machine()}"
    sys.stdout.write(f"{head}\n\n{table(HEADINGS, [_row(result) for result in results])}\n")
    for result in results:
        for sentence in result["wrong"]:
            sys.stderr.write(f"seed {result['seed']}: {sentence}\n")
    return 1 if any(result["wrong"] for result in results) else 0


class _Collector:
    """Takes what the test records of its run."""

    def __init__(self) -> None:
        self.report: dict[str, Any] | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take it from pytest."""
        if report.when == "call":
            self.report = dict(report.user_properties).get("report")  # type: ignore[assignment]


def _run(seed: int, days: float, file: Path) -> int:
    collector = _Collector()
    code = pytest.main(
        [str(TEST), "-q", "--no-header", f"--soak-seed={seed}", f"--soak-days={days}"], plugins=[collector]
    )
    if collector.report is None:
        return int(code) or NOT_PASSED
    file.write_text(json.dumps(collector.report | {"seed": seed}), encoding="ascii")
    return 0


async def _run_all(seeds: Sequence[int], days: float, jobs: int) -> list[dict[str, Any]]:
    free = asyncio.Semaphore(jobs)

    async def run(seed: int, file: Path) -> dict[str, Any]:
        async with free:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.log_soak", "--days", str(days), "--only", str(seed), str(file)),
                stdout=sys.stderr,
            )
            if await process.wait():
                raise SystemExit(f"seed {seed}: see above")
            result: dict[str, Any] = json.loads(await asyncio.to_thread(file.read_text, encoding="ascii"))
            return result

    with tempfile.TemporaryDirectory() as folder:
        return list(await asyncio.gather(*(run(seed, Path(folder) / f"{seed}.json") for seed in seeds)))


HEADINGS = (
    *("seed", "outages", "time away", "hours there", "hours exact", "hours told as gaps", "wrong"),
    *("requests to the meter", "for its log", "processor time"),
)


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(result["seed"]),
        ", ".join(f"{count} × {what}" for what, count in sorted(result["outages"].items())),
        f"{result['away_s'] / 86_400:.1f} days",
        f"{result['rows']:,}",
        f"{result['exact']:,}",
        f"{result['told']:,}",
        str(len(result["wrong"])),
        f"{result['answers']:,}",
        f"{result['log_answers']:,}",
        f"{result['cpu_s']:.0f} s",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/benchmark log_soak", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--days", type=float, default=DAYS, help="simulated days of each run (default: %(default)g)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="what chooses the outages")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at the same time")
    parser.add_argument("--only", nargs=2, metavar=("SEED", "FILE"), help="one run, its result into a file of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
