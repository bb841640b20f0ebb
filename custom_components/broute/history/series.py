"""One direction of a meter's log in Home Assistant's statistics: the rows that are there, and new ones. Thin.

The series are of our own, so-called external statistics, which nobody else writes: those of the sensors are compiled by
Home Assistant, and rows imported beside them would not fit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Final, Literal

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    StatisticsRow,
    async_add_external_statistics,
    get_last_statistics,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import DATA_INSTANCE, get_instance
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import EnergyConverter
from sqlalchemy.exc import SQLAlchemyError

from ..const import DOMAIN
from .planner import Row

QUEUE_LIMIT_S: Final = 120.0
"""A recorder that needs longer for what is in its queue is asked again later."""

_TYPES: Final[set[Literal["last_reset", "max", "mean", "min", "state", "sum"]]] = {"state", "sum"}
_RESOLUTION: Final = Decimal("0.0001")
"""The finest unit of a meter: a float holds nine digits before it exactly enough."""


class RecorderError(Exception):
    """The recorder does not read, or has not written; later it may."""


def recorder_is_set_up(hass: HomeAssistant) -> bool:
    """Tell whether there is a recorder at all."""
    return DATA_INSTANCE in hass.data


def recorder_is_there(hass: HomeAssistant) -> bool:
    """Tell whether there is a recorder at all, and whether its database can be used now."""
    return recorder_is_set_up(hass) and get_instance(hass).async_recorder_ready.is_set()


async def async_read[T](hass: HomeAssistant, read: Callable[[], T]) -> T:
    """Read what is in the database when all is done that was put into the recorder's queue before.

    Raises:
        RecorderError: it cannot be read now.
    """
    recorder = get_instance(hass)
    done: asyncio.Future[None] = hass.loop.create_future()
    recorder.queue_task(SynchronizeTask(done))
    try:
        async with asyncio.timeout(QUEUE_LIMIT_S):
            await done
    except TimeoutError as err:
        raise RecorderError("The recorder does not get to what it has to do") from err
    try:
        return await recorder.async_add_executor_job(read)
    except (SQLAlchemyError, RuntimeError) as err:
        # RuntimeError: its threads have ended, because Home Assistant stops.
        raise RecorderError(f"The recorder does not read: {type(err).__name__}") from err


class Series:
    """The series of one direction of one meter.

    Args:
        hass: Home Assistant.
        token: what the meter is named by, whatever module, ID or meter is exchanged.
        direction: "import" or "export".
        title: what the user calls the meter.
    """

    def __init__(self, hass: HomeAssistant, token: str, direction: str, title: str) -> None:
        """Name it; nothing is read or written yet."""
        self.statistic_id: Final = f"{DOMAIN}:{token}_{direction}"
        self._hass = hass
        self._direction = direction
        self._title = title

    async def async_last_rows(self, number: int) -> list[Row]:
        """Return the last rows that are there, so many at the most, in their order.

        Raises:
            RecorderError: the database cannot be read now.
        """
        return await self._async_read(
            partial(get_last_statistics, self._hass, number, self.statistic_id, False, _TYPES)  # noqa: FBT003
        )

    async def async_rows(self, start: datetime, end: datetime) -> list[Row]:
        """Return the rows that begin between two instants, in their order.

        Raises:
            RecorderError: the database cannot be read now.
        """
        return await self._async_read(
            partial(statistics_during_period, self._hass, start, end, {self.statistic_id}, "hour", None, {*_TYPES})
        )

    async def async_write(self, rows: Sequence[Row]) -> None:
        """Write rows, in the place of others of the same hours, all or none, and wait until they are there.

        Raises:
            RecorderError: they are not there, as far as can be seen.
        """
        metadata = StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=await self._async_name(),
            source=DOMAIN,
            statistic_id=self.statistic_id,
            unit_class=EnergyConverter.UNIT_CLASS,
            unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        )
        data = [StatisticData(start=row.start, state=float(row.state), sum=float(row.sum)) for row in rows]
        async_add_external_statistics(self._hass, metadata, data)
        there = {row.start: row for row in await self.async_rows(rows[0].start, rows[-1].end)}
        if any(there.get(row.start) != row for row in rows):
            raise RecorderError("The recorder has not written")

    async def _async_read(self, read: Callable[[], Mapping[str, Sequence[StatisticsRow]]]) -> list[Row]:
        """Read rows.

        What was to be written is still in the recorder's queue when nobody waits for it any more, and would be written
        over what follows from rows that are older.
        """
        found = await async_read(self._hass, read)
        rows = [
            Row(dt_util.utc_from_timestamp(row["start"]), _exactly(row["state"]), _exactly(row["sum"]))
            for row in found.get(self.statistic_id, ())
        ]
        return sorted(rows, key=attrgetter("start"))

    async def _async_name(self) -> str:
        """Return what the series is called where statistics are chosen, in the language of Home Assistant."""
        translations = await async_get_translations(self._hass, self._hass.config.language, "common", [DOMAIN])
        return translations[f"component.{DOMAIN}.common.log_{self._direction}"].format(name=self._title)


def _exactly(value: float | None) -> Decimal:
    return Decimal(repr(value or 0.0)).quantize(_RESOLUTION).normalize()
