"""A home and the Home Assistant in it, which comes and goes; and an account of what the log's rows have to show."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.broute.const import CONF_HISTORY_DAYS
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.history.keeper import LogKeeper
from custom_components.broute.history.planner import Gap, Reason
from simulator import SimulatedHome
from simulator.meter import Meter

from .rows import HOUR, changes

DIRECTIONS = ("import", "export")
MEASURED_REASONS = {Reason.NOT_KEPT, Reason.CLOCK_WRONG}
"""Why hours have no energy of their own, though all of them together have: the same meter has counted it."""
LOOK_EVERY_S = 20.0
LATENESS = timedelta(minutes=7)
"""An hour has its row when it is over for so long: the notice may take five minutes, and is asked for then."""
WH_PER_KWH = 1000


@dataclass(frozen=True, slots=True)
class Era:
    """A time in which counters may be compared: the same meter, which has neither begun anew nor changed its scale."""

    since: datetime
    meter: Meter
    count_kwh: Decimal
    round_kwh: Decimal


@dataclass(slots=True)
class Verdict:
    """What comes of a comparison of all hours from the first row to now.

    Attributes:
        rows: how many have a row.
        exact: how many have one with what the registers have counted in that hour.
        told: how many were told not to be right by themselves.
        wrong: what must not be, in words.
    """

    rows: int = 0
    exact: int = 0
    told: int = 0
    wrong: list[str] = field(default_factory=list)


class Household:
    """A home, the integration in it, and what is known of both.

    Args:
        hass: Home Assistant.
        home: the home.
        entry: the entry for it, not set up.
        storage: Home Assistant's storage, which a kill leaves as it is.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        home: SimulatedHome,
        entry: BrouteConfigEntry,
        storage: dict[str, Any],
    ) -> None:
        """Leave Home Assistant out of the house."""
        self.told: dict[str, set[Gap]] = {direction: set() for direction in DIRECTIONS}
        self._hass = hass
        self._home = home
        self._entry = entry
        self._storage = storage
        self._eras: list[Era] = []
        self.begin_era()

    @property
    def log(self) -> LogKeeper:
        """The keeper of the log; only while the integration runs."""
        return self._entry.runtime_data.log

    def set_options(self, *, scan_interval_s: int, history_days: int) -> None:
        """Set how often the meter is read, and how far back the log is wanted; before the start."""
        options = {CONF_SCAN_INTERVAL: scan_interval_s, CONF_HISTORY_DAYS: history_days}
        self._hass.config_entries.async_update_entry(self._entry, options=options)

    # What happens.

    async def arrive(self) -> None:
        """Start the integration."""
        assert await self._hass.config_entries.async_setup(self._entry.entry_id)

    async def leave(self) -> None:
        """End it in order."""
        self.take_note()
        assert await self._hass.config_entries.async_unload(self._entry.entry_id)

    async def be_killed(self) -> None:
        """End it so that it can neither write a word nor say one to the module, which stays joined."""
        self.take_note()
        kept = deepcopy(self._storage)
        port = self._home.module.port
        port.unplug()
        assert await self._hass.config_entries.async_unload(self._entry.entry_id)
        port.plug()
        self._storage.clear()
        self._storage.update(kept)

    def begin_era(self) -> None:
        """Take note that from now on counters have nothing to do with those of before."""
        registers = self._home.meter.registers
        worth = registers.kwh_per_count
        # The first one began long ago.
        since = self._home.clock.now() if self._eras else registers.installed_at
        self._eras.append(Era(since, self._home.meter, worth, worth * 10**registers.digits))

    async def stay(self, lapse: timedelta) -> None:
        """Let time pass."""
        await asyncio.sleep(lapse.total_seconds())

    async def stay_until_complete(self, limit: timedelta = timedelta(hours=2)) -> timedelta:
        """Wait until every hour that is over has its row; return how long that took."""
        start = self._home.clock.now()
        while not self._is_complete():
            assert self._home.clock.now() - start < limit, self.log.progress
            await asyncio.sleep(LOOK_EVERY_S)
        return self._home.clock.now() - start

    def _is_complete(self) -> bool:
        progress = self.log.progress
        now = dt_util.utcnow()
        if now < _hour_of(now) + LATENESS:
            return False
        return progress.complete_until == _hour_of(now) and progress.next_day is None

    # The account.

    def take_note(self, gaps: Mapping[str, Sequence[Gap]] | None = None) -> None:
        """Keep the gaps that were told, by default those since the integration was started."""
        for direction, found in (self.log.progress.gaps if gaps is None else gaps).items():
            self.told[direction] |= set(found)

    def is_told(self, direction: str, hour: datetime) -> bool:
        """Tell whether an hour was told not to be right by itself."""
        return any(gap.start <= hour < gap.end for gap in self.told[direction])

    def _is_told_in_vain(self, direction: str, hour: datetime) -> bool:
        """Tell whether an hour was told because the meter did not know it, and it has written both counters of it."""
        reasons = {gap.reason for gap in self.told[direction] if gap.start <= hour < gap.end}
        return reasons == {Reason.NOT_KEPT} and all(self._is_written(direction, at) for at in (hour, hour + HOUR))

    def _is_written(self, direction: str, at: datetime) -> bool:
        meter = next(era.meter for era in reversed(self._eras) if era.since <= at)
        return getattr(meter.truth(at), f"fixed_{direction}_kwh") is not None

    def reasons(self, direction: str) -> list[Reason]:
        """Return why there are gaps, in the order of time; once for those with the same reason in a row."""
        gaps = sorted(self.told[direction], key=attrgetter("start"))
        return [reason for reason, _ in groupby(gap.reason for gap in gaps)]

    async def verdict(self, direction: str) -> Verdict:
        """Compare the rows of a direction with the registers, up to the last hour that is over."""
        if self._entry.state is ConfigEntryState.LOADED:
            self.take_note()
        shown = await changes(self._hass, direction)
        verdict = Verdict(rows=len(shown))
        run: list[datetime] = []
        hour, end = min(shown), _hour_of(dt_util.utcnow())
        while hour < end:
            if self.is_told(direction, hour):
                if self._is_told_in_vain(direction, hour):
                    verdict.wrong.append(f"{direction} {hour}: it was told as a gap, and is in the meter's log")
                verdict.told += 1
                run.append(hour)
            else:
                self._judge_run(direction, run, shown, verdict)
                run = []
                energy = self.energy_kwh(direction, hour, hour + HOUR)
                if energy is not None and shown.get(hour) == energy:
                    verdict.exact += 1
                else:
                    verdict.wrong.append(f"{direction} {hour}: {shown.get(hour)} in place of {energy}")
            hour += HOUR
        self._judge_run(direction, run, shown, verdict)
        return verdict

    def _judge_run(
        self, direction: str, run: Sequence[datetime], shown: Mapping[datetime, Decimal], verdict: Verdict
    ) -> None:
        """Of hours in a row that were told, all energy is there, or as much as can be known."""
        if not run:
            return
        start, end = run[0], run[-1] + HOUR
        rises = [shown[hour] for hour in run if hour in shown]
        total = sum(rises, Decimal(0))
        if any(rise < 0 for rise in rises):
            verdict.wrong.append(f"{direction} {start}: the sum falls")
        reasons = {gap.reason for gap in self.told[direction] if gap.start < end and gap.end > start}
        energy = self.energy_kwh(direction, start, end)
        if energy is not None and start > min(shown) and reasons <= MEASURED_REASONS:
            if total != energy:
                verdict.wrong.append(f"{direction} {start} to {end}: {total} in place of {energy}")
        elif total > self.consumption_kwh(direction, start, end):
            verdict.wrong.append(f"{direction} {start} to {end}: {total} is more than there was")

    def energy_kwh(self, direction: str, start: datetime, end: datetime) -> Decimal | None:
        """Return by how much a register has risen in a time; `None` if counters of before and after do not compare."""
        index = max(number for number, era in enumerate(self._eras) if era.since <= start)
        era = self._eras[index]
        if index + 1 < len(self._eras) and self._eras[index + 1].since <= end:
            return None
        rise = _counter(era.meter, direction, end) - _counter(era.meter, direction, start)
        return rise if rise >= 0 else rise + era.round_kwh

    def consumption_kwh(self, direction: str, start: datetime, end: datetime) -> Decimal:
        """Return what the house took or gave in a time, whatever counted it, and a count of each meter more."""
        truths = (self._home.truth(start), self._home.truth(end))
        first, last = (one.import_wh if direction == "import" else one.export_wh for one in truths)
        return Decimal(float(last - first)) / WH_PER_KWH + sum(era.count_kwh for era in self._eras)


def _counter(meter: Meter, direction: str, at: datetime) -> Decimal:
    truth = meter.truth(at)
    counter = truth.import_kwh if direction == "import" else truth.export_kwh
    assert counter is not None
    return counter


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
