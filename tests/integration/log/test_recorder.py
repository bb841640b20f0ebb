"""The recorder does not record, or does not work for a while: all is done later, and nothing of it is our error.

And what it has may be deleted at any time: it is written again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import logging

from homeassistant.components.recorder.db_schema import Statistics
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.recorder import get_instance, session_scope
import pytest

from custom_components.broute.const import DOMAIN
from simulator import JST, SimulatedHome

from ..world import TOKEN, has_value, lines, until
from .household import DIRECTIONS, Household
from .recorder import database_failing, held, is_rows, lost, queue_done
from .rows import HOUR, assert_exact, changes, sleep_until


@pytest.fixture
async def household(household: Household) -> Household:
    """Return the household, with a short log."""
    household.set_options(scan_interval_s=3600, history_days=2)
    return household


async def assert_complete(household: Household) -> None:
    for direction in DIRECTIONS:
        verdict = await household.verdict(direction)
        assert verdict.wrong == []
        assert verdict.told == 0
        assert verdict.exact > 2 * 24


async def test_database_that_fails_for_a_while(
    hass: HomeAssistant, household: Household, caplog: pytest.LogCaptureFixture
) -> None:
    with database_failing(hass) as refused:
        await household.arrive()
        await until(lambda: has_value(hass, "power"))
        await household.stay(timedelta(hours=1, minutes=10))
        assert len(refused) > 3
        assert household.log.failure
        assert household.log.half_hour
        # Nobody asks the meter for what could not be written.
        assert household.log.progress.days_read == 0
    assert await household.stay_until_complete() < timedelta(minutes=30)
    await assert_complete(household)
    assert lines(caplog, logging.WARNING) == []


async def test_database_that_fails_in_the_middle(
    hass: HomeAssistant, home: SimulatedHome, household: Household, caplog: pytest.LogCaptureFixture
) -> None:
    await household.arrive()
    await until(lambda: household.log.progress.days_read == 1)
    with database_failing(hass):
        await household.stay(timedelta(minutes=20))
        assert household.log.failure
    await household.stay_until_complete()
    await assert_complete(household)
    assert lines(caplog, logging.WARNING) == []


async def test_recording_that_is_switched_off_does_not_matter(hass: HomeAssistant, household: Household) -> None:
    """That is about events: a series is not made of them."""
    await hass.services.async_call("recorder", "disable", blocking=True)
    await household.arrive()
    await household.stay_until_complete()
    await assert_complete(household)


async def test_recorder_that_is_not_ready_yet(
    hass: HomeAssistant, household: Household, caplog: pytest.LogCaptureFixture
) -> None:
    ready = get_instance(hass).async_recorder_ready
    ready.clear()
    await household.arrive()
    await household.stay(timedelta(minutes=30))
    assert household.log.failure
    assert await changes(hass, "import") == {}
    ready.set()
    await household.stay_until_complete()
    await assert_complete(household)
    assert lines(caplog, logging.WARNING) == []


# What is still in its queue.


def import_again(hass: HomeAssistant, days: int) -> Awaitable[object]:
    """Have the log read once more, further back than before, so that every row rises."""
    action = hass.services.async_call(DOMAIN, "import_history", {"days": days}, blocking=True, return_response=True)
    return hass.async_create_task(action)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_rows_that_nobody_waits_for_any_more_are_not_written_over_those_of_the_next_hour(
    hass: HomeAssistant, home: SimulatedHome, household: Household, *, is_cancelled: bool
) -> None:
    await household.arrive()
    await household.stay_until_complete()
    await sleep_until(home, datetime(2026, 11, 21, 18, 54, tzinfo=JST))
    action = asyncio.ensure_future(import_again(hass, 6))
    with held(is_rows) as tasks:
        await until(lambda: tasks)
        assert home.clock.now() < datetime(2026, 11, 21, 18, 59, tzinfo=JST)
        if is_cancelled:
            action.cancel()
        else:
            with pytest.raises(HomeAssistantError) as failed:
                await action
            assert failed.value.translation_key == "recorder_not_there"
        await sleep_until(home, datetime(2026, 11, 21, 19, 6, tzinfo=JST))
        assert household.log.failure
    await sleep_until(home, datetime(2026, 11, 21, 20, 10, tzinfo=JST))
    await household.stay_until_complete()
    await assert_exact(hass, home)
    # What was in the queue has been written: it was no wrong thing by itself.
    assert min(await changes(hass, "import")) == datetime(2026, 11, 15, tzinfo=JST)


async def test_rows_that_the_recorder_loses_are_no_success(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    await household.arrive()
    await household.stay_until_complete()
    before = await changes(hass, "import")
    with lost(is_rows), pytest.raises(HomeAssistantError) as failed:
        await import_again(hass, 6)
    assert failed.value.translation_key == "recorder_not_there"
    assert await changes(hass, "import") == before


# What is there no more.


async def clear(hass: HomeAssistant, *directions: str) -> None:
    """Delete series as a user can."""
    get_instance(hass).async_clear_statistics([f"{DOMAIN}:{TOKEN}_{direction}" for direction in directions])
    await queue_done(hass)


async def delete_newest(hass: HomeAssistant) -> None:
    """Lose what is newer than a backup that was put back."""
    recorder = get_instance(hass)
    since = datetime(2026, 11, 21, 17, 0, tzinfo=JST).timestamp()

    def delete() -> None:
        with session_scope(session=recorder.get_session()) as session:
            assert session.query(Statistics).filter(Statistics.start_ts >= since).delete()

    await recorder.async_add_executor_job(delete)


@pytest.mark.parametrize(
    "lose",
    [lambda hass: clear(hass, "import"), lambda hass: clear(hass, *DIRECTIONS), delete_newest],
    ids=["a series is deleted", "all is deleted", "a backup is put back"],
)
async def test_rows_that_are_lost_while_home_assistant_runs_are_written_again(
    hass: HomeAssistant, home: SimulatedHome, household: Household, lose: Callable[[HomeAssistant], Awaitable[None]]
) -> None:
    await household.arrive()
    await sleep_until(home, datetime(2026, 11, 21, 21, 15, tzinfo=JST))
    before = {direction: await changes(hass, direction) for direction in DIRECTIONS}
    await lose(hass)
    assert len(await changes(hass, "import")) < len(before["import"])
    await sleep_until(home, datetime(2026, 11, 22, 0, 15, tzinfo=JST))
    assert not any(household.log.progress.gaps.values())
    await assert_exact(hass, home)
    for direction in DIRECTIONS:
        assert before[direction].items() <= (await changes(hass, direction)).items()
        assert max(await changes(hass, direction)) == datetime(2026, 11, 21, 23, 0, tzinfo=JST)


async def test_what_was_read_long_ago_is_not_kept_for_ever(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    """It could all be asked for again."""
    await household.arrive()
    await household.stay_until_complete()
    days = household.log.progress.days_read
    await clear(hass, *DIRECTIONS)
    await household.stay(HOUR)
    await household.stay_until_complete()
    assert household.log.progress.days_read == 2 * days
    await assert_exact(hass, home)
