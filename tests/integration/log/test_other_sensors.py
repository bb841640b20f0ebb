"""What the recorder makes of other sensors while rows of ours are written beside them: all of it, as without us."""

from datetime import datetime, timedelta
from typing import Any

from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest

from simulator import SimulatedHome

from .household import Household
from .recorder import compile_period
from .rows import HOUR, LONG_AGO, changes, sleep_until

OTHER = "sensor.other"
ATTRIBUTES = {
    "state_class": SensorStateClass.TOTAL_INCREASING,
    ATTR_DEVICE_CLASS: SensorDeviceClass.ENERGY,
    ATTR_UNIT_OF_MEASUREMENT: UnitOfEnergy.KILO_WATT_HOUR,
}
PERIOD = timedelta(minutes=5)
HOURS = 4
KWH_PER_PERIOD = 0.25
LATE_S = 90.0
"""The recorder compiles an hour when our rows of it are there already."""


async def measure(hass: HomeAssistant, home: SimulatedHome) -> list[datetime]:
    """Let the other sensor measure for some hours, and the recorder compile it; return the starts of these hours."""
    shown_kwh = 100.0
    now = dt_util.utcnow()
    start = now.replace(minute=0, second=0, microsecond=0) + HOUR
    await sleep_until(home, start + timedelta(seconds=1))
    for number in range(int(HOURS * HOUR / PERIOD)):
        period = start + PERIOD * number
        shown_kwh += KWH_PER_PERIOD
        at = period + timedelta(minutes=2)
        await sleep_until(home, at)
        hass.states.async_set(OTHER, str(shown_kwh), ATTRIBUTES, timestamp=at.timestamp())
        await sleep_until(home, period + PERIOD + timedelta(seconds=LATE_S))
        await compile_period(hass, period)
    return [start + HOUR * number for number in range(HOURS)]


@pytest.mark.parametrize("with_us", [False, True])
async def test_another_sensor_keeps_every_row(
    hass: HomeAssistant, home: SimulatedHome, household: Household, *, with_us: bool
) -> None:
    household.set_options(scan_interval_s=3600, history_days=2)
    assert await async_setup_component(hass, "sensor", {})
    if with_us:
        await household.arrive()
        await household.stay_until_complete()
    hours = await measure(hass, home)

    def read() -> dict[str, Any]:
        return {**statistics_during_period(hass, LONG_AGO, None, {OTHER}, "hour", None, {"change", "state", "sum"})}

    found = (await get_instance(hass).async_add_executor_job(read))[OTHER]
    kwh_per_hour = KWH_PER_PERIOD * int(HOUR / PERIOD)
    assert [(dt_util.utc_from_timestamp(row["start"]), row["state"], row["sum"], row["change"]) for row in found] == [
        # The first value is where it begins to count.
        (hour, 100 + kwh_per_hour * number, kwh_per_hour * number - KWH_PER_PERIOD, kwh_per_hour - first)
        for number, (hour, first) in enumerate(zip(hours, [KWH_PER_PERIOD, 0, 0, 0], strict=True), start=1)
    ]
    assert set(hours) <= set(await changes(hass, "import")) if with_us else not await changes(hass, "import")
