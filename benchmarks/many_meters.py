"""Several simulated meters in one real Home Assistant: how late its event loop gets, and what a meter costs.

Prints a table in Markdown, and ends with 1 if a meter costs more among many than among few.
"""

import argparse
from array import array
import asyncio
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

from development.child_process import ChildProcess, free_port
from development.config import CHECKOUT, write_config
from development.home_assistant import HomeAssistant

from .event_loop_lag import FILE as SAMPLES
from .figures import Goal, goals_table, machine, percentile, rounded, table
from .memory import own_memory_b
from .wire import GET

METERS = (1, 10, 100)
INTERVALS_S = (30, 10)
"""How often a meter is read: as it comes, and as often as can be chosen."""
DOMAIN = "broute"
SAMPLER = "event_loop_lag"
FIRST_READINGS_LIMIT_S = 180.0
SETTLE_S = 40.0
"""After the last meter's first reading: it is described, and Home Assistant has started, before anything is counted."""
STOP_LIMIT_S = 10.0
PER_METER_LIMIT = 1.5
"""So many times what a meter costs among fewer may it cost among the most."""
READ_SHARE = 0.75
"""So many of the readings that the interval promises must be there, or the figures are those of something else: a pause
begins when a reading has ended, and the time that is watched cuts one off."""

# What comes with every Home Assistant and takes part whenever a state changes; no more log than usual, and none about
# libraries that have no part in a meter.
CONFIGURATION = """\
energy:
event_loop_lag:
history:
logbook:
recorder:
usb:
logger:
  default: warning
  logs:
    aiohttp_fast_zlib: error
    homeassistant.components.camera.img_util: critical
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was measured while a Home Assistant read so many meters.

    Attributes:
        meters: how many.
        interval_s: how often each was to be read.
        lags_s: how late the event loop was, s.
        cpu_share: processor's time a second.
        memory_b: what the process had for itself at the end, bytes.
        readings_per_min: answers of one meter.
    """

    meters: int
    interval_s: int
    lags_s: tuple[float, ...]
    cpu_share: float
    memory_b: int
    readings_per_min: float

    def cpu_ms_per_min(self, without: Run) -> float:
        """Return what one meter costs more than `without` any, ms of the processor a minute."""
        return (self.cpu_share - without.cpu_share) * 60e3 / self.meters

    def memory_mb(self, without: Run) -> float:
        """Return what one meter takes more than `without` any, MB."""
        return (self.memory_b - without.memory_b) / self.meters / 1e6


async def _measure(folder: Path, meters: int, interval_s: int, window_s: float) -> Run:
    """Start simulated homes and a Home Assistant that knows them, wait for all readings, and watch it for a while."""
    notes = folder / "notes"
    homes = await ChildProcess.start(
        *(sys.executable, "-m", "benchmarks.simulated_homes", folder, "--homes", str(meters), "--notes", notes),
        folder=CHECKOUT,
        environment=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        ports = json.loads(await homes.stdout.readline())
        config = folder / "config"
        port = free_port()
        _write(config, port, ports, interval_s)
        async with HomeAssistant(Path(sys.executable).with_name("hass"), config, port) as home_assistant:
            await _first_readings(home_assistant, meters)
            await asyncio.sleep(SETTLE_S)
            begin_s = time.monotonic()
            await asyncio.sleep(window_s)
            end_s = time.monotonic()
            memory_b = own_memory_b(home_assistant.process.pid)
            # A meter that is lost or refused would make the figures those of something else.
            for complaint in home_assistant.complaints():
                if SAMPLER not in complaint:
                    _say(complaint)
    finally:
        await homes.stop(STOP_LIMIT_S)
    noted = (json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines())
    answers = sum(answered and what.startswith(GET) and begin_s <= at_s <= end_s for at_s, what, answered in noted)
    lags_s, cpu_share = _between(config / SAMPLES, begin_s, end_s)
    return Run(
        meters=meters,
        interval_s=interval_s,
        lags_s=lags_s,
        cpu_share=cpu_share,
        memory_b=memory_b,
        readings_per_min=answers / max(meters, 1) / window_s * 60,
    )


def _write(config: Path, port: int, homes: list[dict[str, str]], interval_s: int) -> None:
    """Write a configuration that has all meters as entries already, and the component that notes the lag."""
    config.mkdir()
    (config / "configuration.yaml").write_text(CONFIGURATION)
    write_config(config, port)
    shutil.copytree(
        Path(__file__).with_name(SAMPLER),
        config / "custom_components" / SAMPLER,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    path = config / ".storage" / "core.config_entries"
    stored: dict[str, Any] = json.loads(path.read_text())
    stored["data"]["entries"] += [
        {
            "data": {
                "device": home["port"],
                "id": home["id"],
                "password": home["password"],
                "meter": f"{number:016x}",
            },
            "disabled_by": None,
            "domain": DOMAIN,
            "entry_id": f"meter{number}",
            "options": {"scan_interval": interval_s},
            "source": "user",
            "title": f"Meter {number}",
            "unique_id": f"{number:064x}",
            "version": 1,
        }
        for number, home in enumerate(homes)
    ]
    path.write_text(json.dumps(stored))


async def _first_readings(home_assistant: HomeAssistant, meters: int) -> None:
    """Wait until every meter's power is known.

    Raises:
        TimeoutError: one of them is not read.
    """
    read: set[str] = set()

    def take(state: dict[str, Any] | None) -> None:
        if state and state["attributes"].get("device_class") == "power" and state["state"].lstrip("-").isdigit():
            read.add(state["entity_id"])

    async with asyncio.timeout(FIRST_READINGS_LIMIT_S), home_assistant.events("state_changed") as changes:
        for state in await home_assistant.states():
            take(state)
        while len(read) < meters:
            take((await changes.next())["new_state"])


def _between(path: Path, begin_s: float, end_s: float) -> tuple[tuple[float, ...], float]:
    """Return the lags that the component noted in this time, s, and the processor's time a second."""
    noted = array("d", path.read_bytes())
    samples = [
        (at_s, lag_s, cpu_s)
        for at_s, lag_s, cpu_s in zip(noted[::3], noted[1::3], noted[2::3], strict=True)
        if begin_s <= at_s <= end_s
    ]
    (first_s, _, first_cpu_s), (last_s, _, last_cpu_s) = samples[0], samples[-1]
    return tuple(lag_s for _, lag_s, _ in samples), (last_cpu_s - first_cpu_s) / (last_s - first_s)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def rows(runs: list[Run], without: Run) -> list[list[str]]:
    """Return a row for each run, and the one without a meter first."""
    found: list[list[str]] = []
    for run in [without, *runs]:
        lags_ms = [lag_s * 1e3 for lag_s in run.lags_s]
        per_meter = (
            [rounded(run.readings_per_min), rounded(run.cpu_ms_per_min(without)), f"{run.memory_mb(without):.2f}"]
            if run.meters
            else ["", "", ""]
        )
        found.append(
            [
                str(run.meters),
                f"{run.interval_s} s" if run.meters else "",
                *(rounded(percentile(lags_ms, percent)) for percent in (50, 99, 100)),
                f"{run.cpu_share * 100:.2f}",
                *per_meter,
            ]
        )
    return found


HEAD = (
    "meters",
    "read every",
    "lag, median, ms",
    "lag, p99, ms",
    "lag, largest, ms",
    "processor, % of one core",
    "readings a minute and meter",
    "processor, ms a minute and meter",
    "memory a meter, MB",
)


def goals(runs: list[Run], without: Run) -> list[Goal]:
    """Return, for each interval, whether the most meters were read, each at the cost of one among the next fewer."""
    found: list[Goal] = []
    for interval_s in sorted({run.interval_s for run in runs}, reverse=True):
        of_interval = sorted((run for run in runs if run.interval_s == interval_s), key=lambda run: run.meters)
        if len(of_interval) < 2:
            continue
        fewer, most = of_interval[-2:]
        name = f"processor's time a meter, every {interval_s} s: {most.meters} meters to {fewer.meters}"
        value = most.cpu_ms_per_min(without) / fewer.cpu_ms_per_min(without)
        found.append(Goal(name, value, PER_METER_LIMIT, unit="×"))
        wanted = READ_SHARE * 60 / interval_s
        name = f"readings a minute of each of {most.meters} meters, every {interval_s} s"
        found.append(Goal(name, most.readings_per_min, wanted, at_least=True))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/benchmark many_meters", description=__doc__)
    parser.add_argument("--meters", type=int, nargs="+", default=METERS, help="how many (default: %(default)s)")
    parser.add_argument(
        "--intervals", type=int, nargs="+", default=INTERVALS_S, metavar="S", help="of reading (default: %(default)s)"
    )
    parser.add_argument("--window", type=float, default=120.0, metavar="S", help="watched (default: %(default)s)")
    return parser


async def _runs(options: argparse.Namespace) -> tuple[list[Run], Run]:
    wanted = [(0, max(options.intervals))]
    wanted += [(meters, interval_s) for interval_s in options.intervals for meters in options.meters]
    runs: list[Run] = []
    for meters, interval_s in wanted:
        _say(f"{meters} meters, read every {interval_s} s")
        with TemporaryDirectory() as folder:
            runs.append(await _measure(Path(folder), meters, interval_s, options.window))
    return runs[1:], runs[0]


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args()
    measured_on = machine()
    runs, without = asyncio.run(_runs(options))
    found = goals(runs, without)
    parts = [table(HEAD, rows(runs, without))]
    if found:
        parts.append(goals_table(found))
    parts.append(f"Watched for {options.window:g} s each. {measured_on}.")
    sys.stdout.write("\n\n".join(parts) + "\n")
    return 0 if all(goal.met for goal in found) else 1


if __name__ == "__main__":
    sys.exit(main())
