"""Days with outages at random. `benchmarks/log_soak.py` has the same for months."""

from collections.abc import Callable
from dataclasses import asdict
import time

import pytest

from simulator import SimulatedHome

from ..household import DIRECTIONS, Household
from ..soak import soak

DAYS = 4.0
SEED = 51
"""Of those that have each kind of outage in so few days the one with the least time in between, which is what costs."""


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on: not at all, which halves the time for this."""
    return 0


async def test_log_is_complete_after_days_with_outages(
    household: Household,
    home: SimulatedHome,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    seed, days = (pytestconfig.getoption(name, None) for name in ("soak_seed", "soak_days"))
    # What is read beside the log takes most of the time, and history waits for it no longer than it has to.
    history_days = 5 if days is None else 44
    household.set_options(scan_interval_s=3600 if days is None else 300, history_days=history_days)
    started_s = time.process_time()
    report = await soak(household, home, seed or SEED, days or DAYS)
    record_property("report", asdict(report) | {"cpu_s": time.process_time() - started_s})
    assert report.wrong == []
    assert report.outages
    hours = len(DIRECTIONS) * 24 * (history_days + (days or DAYS))
    assert report.exact + report.told >= hours
    # And what was told is what the meter has not written, for which see `Household.verdict`.
    assert report.told < hours / 25
