"""A meter that does not measure a direction any more: what it has measured stays."""

from datetime import timedelta
from typing import Any

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import async_import_statistics, statistics_during_period
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance

from simulator import NORMAL_ONLY, SimulatedHome

from ..world import sensor_id, until, update_software
from .household import Household
from .rows import HOUR, LONG_AGO, changes


async def test_statistics_of_a_sensor_that_is_removed_stay(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    household.set_options(scan_interval_s=60, history_days=1)
    await household.arrive()
    await household.stay_until_complete()
    entity_id = sensor_id(hass, "export_energy")
    assert entity_id
    metadata = StatisticMetaData(
        mean_type=StatisticMeanType.NONE,
        has_sum=True,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class="energy",
        unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    )
    # As the recorder has compiled it.
    hour = home.clock.now().replace(minute=0, second=0, microsecond=0) - HOUR
    async_import_statistics(hass, metadata, [StatisticData(start=hour, state=12.3, sum=4.5)])
    await get_instance(hass).async_block_till_done()

    def read() -> dict[str, Any]:
        return {**statistics_during_period(hass, LONG_AGO, None, {entity_id}, "hour", None, {"state", "sum"})}

    measured = await get_instance(hass).async_add_executor_job(read)
    logged = await changes(hass, "export")
    assert [row["sum"] for row in measured[entity_id]] == [4.5]
    assert logged

    update_software(home, NORMAL_ONLY)
    await until(lambda: sensor_id(hass, "export_energy") is None)
    await household.stay(timedelta(hours=2))
    assert await get_instance(hass).async_add_executor_job(read) == measured
    assert logged.items() <= (await changes(hass, "export")).items()
