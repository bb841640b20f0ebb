"""The rows that are in the database, and what they should be; and waiting for them."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from simulator import SimulatedHome

from ..world import TOKEN, has_value, until, value

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=dt_util.UTC)


async def changes(hass: HomeAssistant, direction: str, token: str = TOKEN) -> dict[datetime, Decimal]:
    """Return the energy that Home Assistant shows for each hour of a series."""
    statistic_id = f"broute:{token}_{direction}"

    def read() -> Any:
        return statistics_during_period(hass, LONG_AGO, None, {statistic_id}, "hour", None, {"change", "state", "sum"})

    found = await get_instance(hass).async_add_executor_job(read)
    return {
        dt_util.utc_from_timestamp(row["start"]): round(Decimal(row["change"]), 4)
        for row in found.get(statistic_id, ())
    }


def truth(home: SimulatedHome, hours: Iterable[datetime], direction: str) -> dict[datetime, Decimal]:
    """Return by how much the register of the present meter rose in each hour."""
    return {hour: counter(home, hour + HOUR, direction) - counter(home, hour, direction) for hour in hours}


def counter(home: SimulatedHome, at: datetime, direction: str) -> Decimal:
    """Return what the register of the present meter showed."""
    shown = home.truth(at)
    value = shown.import_kwh if direction == "import" else shown.export_kwh
    assert value is not None
    return value


async def complete_until(hass: HomeAssistant, at: datetime, limit_s: float = 7200.0) -> None:
    """Wait until the log is in the database up to an instant, at least."""

    def is_complete() -> bool:
        return has_value(hass, "log_until") and datetime.fromisoformat(value(hass, "log_until") or "") >= at

    await until(is_complete, limit_s)


async def sleep_until(home: SimulatedHome, at: datetime) -> None:
    """Let time pass until the true time is that."""
    await asyncio.sleep((at - home.clock.now()).total_seconds())


async def assert_exact(hass: HomeAssistant, home: SimulatedHome, *directions: str) -> None:
    """See to it that every hour is there, with what the present meter has counted in it; by default both directions."""
    for direction in directions or ("import", "export"):
        found = await changes(hass, direction)
        assert not missing(found), direction
        assert found == truth(home, found, direction)


def missing(rows: Mapping[datetime, object]) -> list[datetime]:
    """Return the hours between the first and the last row that have none."""
    first, last = min(rows), max(rows)
    every = (first + HOUR * number for number in range(int((last - first) / HOUR)))
    return [hour for hour in every if hour not in rows]
