"""Home Assistant is killed in the middle of the first import of the meter's log: the next start goes on with it.

With the newest version alone: what is written, and where it is gone on from, is the integration's own.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DIRECTIONS,
    JST,
    MIDNIGHT_S,
    PERIODS,
    Bars,
    add_meter,
    entity_of,
    is_known,
    log_until,
    midnight,
    shown_bars,
    true_bars,
)
from development.simulated_meter import SimulatedMeter

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = 2
"""Just after the meter's midnight today has no hour yet: there must be two days that have, for one to be left to do."""
FIRST_DAY_TIMEOUT_S = 150.0 + MIDNIGHT_S
REST_TIMEOUT_S = 180.0 + MIDNIGHT_S
POLL_S = 0.1
"""How often a series is asked for that is still to begin: Home Assistant has no event for that."""

KILLED = ("The system could not validate that the sqlite3 database", "Ended unfinished session")
"""What Home Assistant says when it was killed."""


@pytest.fixture(scope="module", params=["develop"])
def environment(request: pytest.FixtureRequest) -> str:
    """Name the environment of the newest Home Assistant."""
    name: str = request.param
    return name


async def first_hours(home_assistant: HomeAssistant) -> dict[str, Bars]:
    """Wait until there is something of the log, in one direction at least, and return what is shown."""
    async with asyncio.timeout(FIRST_DAY_TIMEOUT_S):
        while True:
            if shown := await shown_bars(home_assistant):
                return shown
            await asyncio.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Imported:
    """A log whose import was interrupted.

    Attributes:
        begin: when the log begins.
        before: what was shown of each direction when Home Assistant was killed.
        until: up to when the log is there since Home Assistant was started again.
    """

    begin: datetime
    before: dict[str, Bars]
    until: datetime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def imported(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Imported:
    """Add the meter, kill Home Assistant when it has a part of the log, start it again, and wait for the rest."""
    entry = await add_meter(home_assistant, meter)
    added_at = datetime.now(JST)
    # Long before anything of the log is read.
    await home_assistant.set_options(entry["entry_id"], {"scan_interval": 30, "history_days": DAYS})
    before = await first_hours(home_assistant)
    unfinished = await entity_of(home_assistant, "log_until")
    assert not is_known(await home_assistant.state(unfinished)), "nothing was left to do"

    await home_assistant.kill()
    await home_assistant.start()
    until = await log_until(home_assistant, REST_TIMEOUT_S)
    begin = before["import"]["hour"][0].start
    # The meter's midnight may have come before the import began.
    assert begin in {midnight(at) - timedelta(days=DAYS) for at in (added_at, datetime.now(JST))}
    return Imported(begin, before, until)


# A test for each, and not one for all, also because a group of many tests is begun before one of few: this one is long.
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("period", PERIODS)
async def test_bars_are_those_that_there_are_without_a_kill(
    home_assistant: HomeAssistant, meter: SimulatedMeter, imported: Imported, period: str, direction: str
) -> None:
    shown = await shown_bars(home_assistant)
    # And so they are without a kill in `test_meters_log.py`.
    assert shown[direction][period] == (await true_bars(meter, shown, imported.begin))[direction][period]
    assert shown[direction][period][-1].end >= imported.until


async def test_rows_of_before_the_kill_have_stayed(home_assistant: HomeAssistant, imported: Imported) -> None:
    shown = await shown_bars(home_assistant)
    for direction, bars in imported.before.items():
        known = bars["hour"]
        assert known[-1].end < imported.until
        assert shown[direction]["hour"][: len(known)] == known


@pytest.mark.usefixtures("imported")
async def test_home_assistant_complains_of_nothing_but_the_kill(home_assistant: HomeAssistant) -> None:
    assert await home_assistant.stop() == 0
    assert [line for line in home_assistant.complaints() if not any(text in line for text in KILLED)] == []
