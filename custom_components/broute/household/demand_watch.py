"""Follows the demand of one meter: with each reading, with each half hour that the meter tells, and as each one begins.

Above: the entities. Below: the rules in `demand`, and the keeper of the log, which knows the meter's clock and half
hours. Nothing is stored: the meter tells its last half hour to whoever asks, after a restart as well.
"""

import asyncio
from collections import deque
from datetime import timedelta
from decimal import Decimal
from typing import Final, override

from homeassistant.core import HomeAssistant, callback

from ..aiobroute import Reading, SessionState, SmartMeter
from ..history.clock import ClockWrongError
from ..history.importer import counting_of
from ..history.keeper import LogKeeper
from ..history.planner import HALF_HOUR
from .demand import BRIDGE, POWER_SPAN, Demand, Seen, TargetWatch, demand_of, half_hour_of
from .watch import Watch

KEPT_S: Final = (HALF_HOUR + max(BRIDGE, POWER_SPAN)).total_seconds()
"""Older readings say nothing about this half hour."""


class DemandWatch(Watch):
    """Follows the demand of the half hour that runs.

    Args:
        hass: Home Assistant.
        meter: the client.
        log: the keeper of the meter's log.
        target_kw: the demand that is to be kept; `None`: there is none.
    """

    def __init__(self, hass: HomeAssistant, meter: SmartMeter, log: LogKeeper, target_kw: Decimal | None) -> None:
        """Know nothing yet."""
        super().__init__()
        self.demand: Demand | None = None
        """What is known of it; `None` while the meter's clock is not known, or not right."""
        self.target: TargetWatch | None = None if target_kw is None else TargetWatch(target_kw)
        """The watch on the target; `None` where there is none."""
        self._hass = hass
        self._meter = meter
        self._log = log
        self._seen: deque[tuple[float, float, Reading]] = deque()
        """Readings, asked and answered by the event loop's clock: the meter's may be known only later."""
        self._next_half_hour: asyncio.TimerHandle | None = None
        self._unsubscribe.append(meter.on_state(self._take_state))

    @callback
    def async_take(self, reading: Reading, asked_s: float) -> None:
        """Take a reading that has just come, and was asked for at an instant of the event loop's clock."""
        now_s = self._hass.loop.time()
        self._seen.append((asked_s, now_s, reading))
        while self._seen[0][0] < now_s - KEPT_S:
            self._seen.popleft()
        self.async_look()

    @callback
    def async_look(self) -> None:
        """Look at the demand anew: a reading has come, a half hour was told, or one begins."""
        self.demand = self._demand()
        if self.target:
            self.target.take(self.demand)
        self.async_tell()

    @callback
    @override
    def async_stop(self) -> None:
        """Follow nothing more."""
        super().async_stop()
        self._cancel()

    @callback
    def _take_state(self, state: SessionState) -> None:
        """Forget what was read when the session has ended: the next one may be with another meter."""
        if state not in (SessionState.JOINED, SessionState.RENEWING):
            self._seen.clear()

    def _demand(self) -> Demand | None:
        self._cancel()
        constants = self._meter.constants
        try:
            now = self._log.now
        except ClockWrongError:
            return None
        if constants is None:
            return None
        half_hour = self._log.trusted_half_hour
        start, now_s = half_hour_of(now), self._hass.loop.time()
        self._next_half_hour = self._hass.loop.call_later((start + HALF_HOUR - now).total_seconds(), self.async_look)
        seen = [
            Seen(
                now - timedelta(seconds=now_s - asked_s),
                now - timedelta(seconds=now_s - at_s),
                reading.import_kwh,
                reading.power_w,
            )
            for asked_s, at_s, reading in self._seen
        ]
        at_start = half_hour.import_kwh if half_hour and half_hour.at == start else None
        return demand_of(start, seen, at_start, counting_of(constants))

    def _cancel(self) -> None:
        if self._next_half_hour:
            self._next_half_hour.cancel()
            self._next_half_hour = None
