"""Follows the energy of the house since the meter's midnight, by half hours: when log or statistics have news.

Above: the entities. Below: the rules in `balance` and `sums`, what the meter has logged, and the five-minute statistics
of the entities that count the sun and the battery. The meter's counters of :00 and :30 and the sums of the rows that
end there are of the same instant, so nothing has to be aligned. Nothing is stored.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED, UnitOfEnergy
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import EnergyConverter

from ..history.planner import DAY, HALF_HOUR
from ..history.reader import EXPORT, IMPORT
from ..history.series import RecorderError, async_read, recorder_is_there
from .balance import Counted, DayEnergy
from .demand import half_hour_of
from .energy_watch import EnergyWatch
from .periods import day_start
from .sources import Sources
from .sums import Sums
from .watch import RecorderWatch

AGE_LIMIT: Final = timedelta(hours=1)
"""A half hour is known some minutes after its end; what was counted up to the one before the last is not of now."""


class SunEnergyWatch(RecorderWatch):
    """Follows the energy of the house.

    Args:
        hass: Home Assistant.
        energy: what the meter has counted.
        sources: which entities count sun and battery.
        title: what the user calls the meter.
    """

    def __init__(self, hass: HomeAssistant, energy: EnergyWatch, sources: Sources, *, title: str) -> None:
        """Know nothing yet."""
        super().__init__(title)
        self.energy: DayEnergy | None = None
        """What is known of today; `None`: nothing of the last hour is."""
        self.sources = sources
        self._hass = hass
        self._energy = energy
        self._sums: dict[str, Sums] = {}
        """What the entities have counted, by what the options name them."""
        self._day: dict[datetime, Counted] = {}
        """What was counted since the day began, up to each half hour of which all was known once."""

    async def async_run(self) -> None:
        """Read the statistics whenever they may tell more, as long as this is not cancelled."""
        if not self.sources.energies or not self._energy.has_recorder:
            return
        self._unsubscribe = [
            self._energy.async_add_listener(self._look),
            self._hass.bus.async_listen(EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._take_statistics),
        ]
        self._wake.set()
        await self._read_when_woken("The statistics of sun and battery", self._read_sums)

    @callback
    def _take_statistics(self, _: Event) -> None:
        """Read them, unless all of the last half hour is known, by the clock that the rows are of."""
        if self.energy is None or self.energy.until < half_hour_of(dt_util.utcnow()):
            self._wake.set()

    async def _read_sums(self) -> None:
        if not recorder_is_there(self._hass):
            raise RecorderError("The recorder is not there")
        registry = er.async_get(self._hass)
        # Of one that is there no more there are no rows.
        names = {source: er.async_resolve_entity_id(registry, source) or source for source in self.sources.energies}
        now = self._energy.now
        found = await async_read(
            self._hass,
            partial(
                statistics_during_period,
                self._hass,
                # What lies before the midnight may tell it.
                day_start(now) - DAY,
                None,
                {*names.values()},
                "5minute",
                {EnergyConverter.UNIT_CLASS: UnitOfEnergy.KILO_WATT_HOUR},
                {"sum"},
            ),
        )
        self._sums = {
            source: Sums(
                (dt_util.utc_from_timestamp(row["end"]), kwh)
                for row in found.get(name, ())
                if (kwh := row.get("sum")) is not None
            )
            for source, name in names.items()
        }
        self._look()

    @callback
    def _look(self) -> None:
        before, self.energy = self.energy, self._energy_of(self._energy.now)
        if self.energy != before:
            self.async_tell()

    def _energy_of(self, now: datetime) -> DayEnergy | None:
        start = day_start(now)
        if start not in self._day:
            self._day = {start: Counted(start)}
        # The meter tells each half hour once, and the rows of its log only those that end an hour.
        for number in range(1, int((now - start) / HALF_HOUR) + 1):
            if counted := self._counted(start, start + number * HALF_HOUR):
                self._day[counted.at] = counted
        day = [self._day[at] for at in sorted(self._day)]
        return DayEnergy.of(day) if now - day[-1].at <= AGE_LIMIT else None

    def _counted(self, start: datetime, at: datetime) -> Counted | None:
        """Return what was counted since the day began; `None`: something of it is not known."""
        counted = [
            *(self._energy.counted_kwh(direction, start, at) for direction in (IMPORT, EXPORT)),
            self._rise(self.sources.pv_energy, start, at),
            self._rise(self.sources.battery_discharged, start, at),
            self._rise(self.sources.battery_charged, start, at),
        ]
        known = [float(kwh) for kwh in counted if kwh is not None]
        return Counted(at, *known) if len(known) == len(counted) else None

    def _rise(self, sources: tuple[str, ...], start: datetime, at: datetime) -> float | None:
        """Return what some entities have counted together."""
        rises = []
        for source in sources:
            sums = self._sums.get(source)
            first, last = (sums.at(start), sums.at(at)) if sums else (None, None)
            if first is None or last is None:
                return None
            rises.append(last - first)
        return sum(rises, 0.0)
