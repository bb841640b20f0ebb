"""Hours of faults, one after the other and on top of each other. `benchmarks/soak.py` does the same for months."""

import pytest

from .scenarios import FAMILIES
from .soak import soak

pytestmark = pytest.mark.looptime(noop_cycles=0)

HOURS = 6


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_client_is_never_stuck_and_never_wrong(family: str) -> None:
    report = await soak(family, seed=1, days=HOURS / 24)
    assert report.wrong == 0
    assert report.readings > 100
    assert len(report.faults) > 20
