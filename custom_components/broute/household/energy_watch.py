"""Follows the energy of days and of the billing period: when the log has new rows, with each reading, and at midnight.

Above: the entities. Below: the rules in `periods`, the rows in the database, and the keeper of the log, which knows the
meter's clock and half hours. Nothing is stored: after a restart all of it follows from the rows and the counters again.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..aiobroute import JST, CountersAt, Reading, SessionState, SmartMeter
from ..history.clock import ClockWrongError
from ..history.importer import Progress, counting_of
from ..history.keeper import LogKeeper
from ..history.planner import DAY, Exchange
from ..history.reader import EXPORT, IMPORT
from ..history.series import RecorderError, Series, recorder_is_set_up, recorder_is_there
from .periods import Account, Energy, billing_start, day_start
from .watch import RecorderWatch

DIRECTIONS: Final = (IMPORT, EXPORT)


class Period(StrEnum):
    """The times whose energy is told."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    BILLING = "billing"


@dataclass(frozen=True, slots=True)
class _Extent:
    """What the rows that are there depend on: how far the log is, what the meter is, and which day it is."""

    progress: Progress
    exchange: Exchange | None
    day: datetime


class EnergyWatch(RecorderWatch):
    """Follows the energy of the meter's day, the day before, and the billing period.

    Args:
        hass: Home Assistant.
        meter: the client.
        log: the keeper of the meter's log.
        token: what the series of the log are named after.
        title: what the user calls the meter.
        reading_day: the meter-reading day, 1 to 31, with which a billing period begins; `None`: there is none.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        meter: SmartMeter,
        log: LogKeeper,
        *,
        token: str,
        title: str,
        reading_day: int | None,
    ) -> None:
        """Know nothing yet."""
        super().__init__(title)
        self.reading_day = reading_day
        self._hass = hass
        self._meter = meter
        self._log = log
        self._series = {direction: Series(hass, token, direction, title) for direction in DIRECTIONS}
        self._accounts: dict[str, Account] = {}
        """What the rows tell, by direction."""
        self._running: dict[str, Account] = {}
        """And what the counters behind them tell."""
        self._extent_read: _Extent | None = None
        """How things were when the rows were read."""
        self._last: tuple[float, Reading] | None = None
        """The last reading, with the instant before which it was not made, on the event loop's clock."""
        self._before_midnight: tuple[float, Reading] | None = None
        """The last one of the day before."""
        self._energies: dict[tuple[Period, str], Energy] = {}
        self._midnight: asyncio.TimerHandle | None = None
        self._unsubscribe.append(meter.on_state(self._take_state))

    def energy(self, period: Period, direction: str) -> Energy | None:
        """Return what is known of the energy of a period; `None`: nothing."""
        return self._energies.get((period, direction))

    def counted_kwh(self, direction: str, start: datetime, end: datetime) -> Decimal | None:
        """Return what a direction has counted from one instant to another; `None`: it is not known."""
        constants = self._meter.constants
        if direction == EXPORT and constants and not constants.measures_export:
            return Decimal(0)
        running = self._running.get(direction)
        energy = running.energy(start, end) if running else None
        return energy.energy_kwh if energy else None

    @property
    def has_recorder(self) -> bool:
        """Whether there is a recorder, and so rows of the log."""
        return recorder_is_set_up(self._hass)

    async def async_run(self) -> None:
        """Read the rows whenever there may be new ones, as long as this is not cancelled."""
        if self.has_recorder:
            await self._read_when_woken("The rows of the log", self._read_rows)

    @callback
    def async_take(self, reading: Reading, asked_s: float) -> None:
        """Take a reading that has just come, and was asked for at an instant of the event loop's clock."""
        self._last = asked_s, reading
        self.async_look()

    @callback
    def async_look(self) -> None:
        """Look at all of it anew: a reading has come, or the log has news."""
        now = self.now
        self._cancel_midnight()
        self._midnight = self._hass.loop.call_later((day_start(now) + DAY - now).total_seconds(), self._pass_midnight)
        if self._are_news(self._extent(now)):
            self._wake.set()
        self._energies = {}
        for direction, account in self._accounts.items():
            self._tell(direction, account, now)
        self.async_tell()

    @callback
    @override
    def async_stop(self) -> None:
        """Follow nothing more."""
        super().async_stop()
        self._cancel_midnight()

    @callback
    def _pass_midnight(self) -> None:
        self._before_midnight = self._last
        self.async_look()

    @callback
    def _take_state(self, state: SessionState) -> None:
        """Forget what was read when the session has ended: the next one may be with another meter."""
        if state not in (SessionState.JOINED, SessionState.RENEWING):
            self._last = self._before_midnight = None

    @property
    def now(self) -> datetime:
        """What the meter's clock shows; while that is in doubt, what ours does: what is over stays as it was."""
        try:
            return self._log.now
        except ClockWrongError:
            return dt_util.utcnow().astimezone(JST)

    def _cancel_midnight(self) -> None:
        if self._midnight:
            self._midnight.cancel()
            self._midnight = None

    # The rows.

    def _extent(self, now: datetime) -> _Extent:
        return _Extent(self._log.progress, self._log.ledger.exchange, day_start(now))

    def _are_news(self, extent: _Extent) -> bool:
        """Tell whether there may be other rows than those that were read; an import that is under way is waited for."""
        return self._extent_read is None or (extent != self._extent_read and extent.progress.next_day is None)

    async def _read_rows(self) -> None:
        if (constants := self._meter.constants) is None:
            return
        if not recorder_is_there(self._hass):
            raise RecorderError("The recorder is not there")
        now = self.now
        extent = self._extent(now)
        start = min(self._start(period, now) for period in Period if period is not Period.BILLING or self.reading_day)
        # What lies before a beginning may tell it.
        rows = {each: await series.async_rows(start - 2 * DAY, now) for each, series in self._series.items()}
        self._accounts = {
            direction: Account(found, counting_of(constants), extent.exchange) for direction, found in rows.items()
        }
        self._extent_read = extent
        self.async_look()

    def _start(self, period: Period, now: datetime) -> datetime:
        match period:
            case Period.TODAY:
                return day_start(now)
            case Period.YESTERDAY:
                return day_start(now) - DAY
        return billing_start(now, self.reading_day or 1)

    # What follows from them.

    def _tell(self, direction: str, account: Account, now: datetime) -> None:
        running = account.with_counters(self._counters(direction))
        self._running[direction] = running or account
        energies = {
            Period.YESTERDAY: (running or account).energy(self._start(Period.YESTERDAY, now), day_start(now)),
        }
        if running and self._is_read(direction):
            energies[Period.TODAY] = running.energy(day_start(now))
            if self.reading_day:
                energies[Period.BILLING] = running.energy(self._start(Period.BILLING, now))
        self._energies |= {(period, direction): energy for period, energy in energies.items() if energy}

    def _is_read(self, direction: str) -> bool:
        """Tell whether the counter is known by a reading, at an instant that is known."""
        is_known = self._last is not None and _counter(self._last[1], direction) is not None
        return is_known and self._log.clock.is_right

    def _counters(self, direction: str) -> list[tuple[datetime, Decimal]]:
        """Return the counters that are known beside the rows, with their times, in their order."""
        try:
            now = self._log.now
        except ClockWrongError:
            return []
        now_s = self._hass.loop.time()
        told = [
            (now - timedelta(seconds=now_s - at_s), _counter(reading, direction))
            for at_s, reading in filter(None, (self._before_midnight, self._last))
        ]
        if half_hour := self._log.trusted_half_hour:
            told.append((half_hour.at, _counter(half_hour, direction)))
        return sorted((at, counter) for at, counter in told if counter is not None)


def _counter(counters: Reading | CountersAt, direction: str) -> Decimal | None:
    return counters.import_kwh if direction == IMPORT else counters.export_kwh
