"""The recorder does not record, or does not work for a while: all is done later, and nothing of it is our error."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from simulator import SimulatedHome

from ..world import has_value, lines, until
from .household import DIRECTIONS, Household
from .rows import changes


@pytest.fixture
async def household(household: Household) -> Household:
    """Return the household, with a short log."""
    household.set_options(scan_interval_s=3600, history_days=2)
    return household


@contextmanager
def database_failing(hass: HomeAssistant) -> Generator[list[str]]:
    """Let the database refuse whatever is about statistics; yield what it has refused."""
    engine = get_instance(hass).engine
    assert engine
    refused: list[str] = []

    def refuse(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "statistics" in statement:
            refused.append(statement)
            raise OperationalError(statement, None, Exception("disk I/O error"))

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield refused
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


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
