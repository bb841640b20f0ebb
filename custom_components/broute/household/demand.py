"""The demand of the half hour that runs: what was taken in it so far, and what it will come to at its end. Pure.

Demand is the mean power of a half hour, from :00 or :30 by the meter's clock; utilities bill larger customers by the
highest one. What is known of it, and how:

- The energy so far is what the meter's counter of the normal direction rose by since the half hour began: from the
  counter that the meter has logged for that instant, or, until it has told that, from one that was read shortly before
  and has not moved since. Anything else would be an estimate, and is unknown.
- The forecast is that energy, and for the rest of the half hour the mean power of the last minutes. While the counter
  at the beginning is not told yet it is taken from between the readings on both sides of it: a forecast may be off.

Times are by the meter's clock, energies in kWh, exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ..history.planner import HALF_HOUR, HOUR, Counting

POWER_SPAN: Final = timedelta(minutes=5)
"""The rest of the half hour is expected to be as these last minutes: long enough that a kettle is no alarm."""
BRIDGE: Final = timedelta(minutes=5)
"""Readings that lie further apart say nothing about the counter between them."""
COARSEST_KW: Final = Decimal(1)
"""A mean is told when one count more or less would change it by no more than this."""
HYSTERESIS: Final = Decimal("0.95")
"""A target is kept again when the forecast is below this part of it."""
MINIMUM_TIME: Final = timedelta(minutes=2)
"""For so long a forecast must be above the target, or below, before it counts."""
_RESOLUTION_KW: Final = Decimal("0.001")
_W_PER_KW: Final = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a meter said between two instants, in which it was asked and has answered.

    Its counter of the normal direction, kWh, and its power, W, negative for export. `None`: that value was not read, or
    not believed.
    """

    asked: datetime
    at: datetime
    import_kwh: Decimal | None
    power_w: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The demand of a half hour, as far as it is known.

    Attributes:
        start: when the half hour began.
        until: up to when it is counted.
        energy_kwh: what was taken since `start`; `None`: not known.
        mean_kw: its mean power since `start`; `None`: not known, or not known well enough yet.
        forecast_kw: what the demand will be at the end; `None`: not known.
        power_w: what the house is expected to take for the rest of the half hour; `None`: not known.
        readings: of how many readings that is the mean.
    """

    start: datetime
    until: datetime
    energy_kwh: Decimal | None
    mean_kw: Decimal | None
    forecast_kw: Decimal | None
    power_w: int | None
    readings: int


def half_hour_of(at: datetime) -> datetime:
    """Return when the half hour of an instant began."""
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)


def demand_of(
    start: datetime, seen: Sequence[Seen], counter_at_start_kwh: Decimal | None, counting: Counting
) -> Demand:
    """Return the demand of the half hour that begins at `start`.

    Args:
        start: its beginning.
        seen: what one meter has said until now, in order: what it said before `start`, too.
        counter_at_start_kwh: its counter as it was logged for `start`; `None`: not told yet.
        counting: how it counts.
    """
    # One that was asked for before and answered after that may be of either half hour.
    before = [(one.at, one.import_kwh) for one in seen if one.import_kwh is not None and one.at < start]
    within = [(one.asked, one.import_kwh) for one in seen if one.import_kwh is not None and one.asked >= start]
    until = within[-1][0] if within else start
    power_w, readings = _expected_w(seen, until)
    energy_kwh = mean_kw = forecast_kw = None
    if bounds := _energy_bounds(start, before, within, counter_at_start_kwh, counting):
        least, most = bounds
        if least == most:
            energy_kwh = least
            mean_kw = _mean_kw(energy_kwh, until - start, counting)
        if power_w is not None:
            rest_kwh = Decimal(power_w) / _W_PER_KW * _hours(start + HALF_HOUR - until)
            forecast_kw = (((least + most) / 2 + rest_kwh) / _hours(HALF_HOUR)).quantize(_RESOLUTION_KW)
    return Demand(
        start=start,
        until=until,
        energy_kwh=energy_kwh,
        mean_kw=mean_kw,
        forecast_kw=forecast_kw,
        power_w=power_w,
        readings=readings,
    )


def _energy_bounds(
    start: datetime,
    before: Sequence[tuple[datetime, Decimal]],
    within: Sequence[tuple[datetime, Decimal]],
    counter_at_start_kwh: Decimal | None,
    counting: Counting,
) -> tuple[Decimal, Decimal] | None:
    """Return the least and the most that can have been taken since `start`; `None`: not known."""
    if not within:
        # At the very beginning nothing was taken. A reading that came long before may have none to follow it.
        return (Decimal(0), Decimal(0)) if before and start - before[-1][0] <= BRIDGE else None
    first_at, first_kwh = within[0]
    if counter_at_start_kwh is not None:
        lowest = highest = counter_at_start_kwh
    elif before and first_at - before[-1][0] <= BRIDGE:
        lowest, highest = before[-1][1], first_kwh
    else:
        return None
    _, now_kwh = within[-1]
    least = counting.rise_kwh(highest, now_kwh, HALF_HOUR)
    most = counting.rise_kwh(lowest, now_kwh, HALF_HOUR)
    return None if least is None or most is None else (least, most)


def _expected_w(seen: Sequence[Seen], until: datetime) -> tuple[int | None, int]:
    """Return the mean of what the house took in the last minutes, and of how many readings it is."""
    # What it gives does not make good what it took: the counters of both directions are apart.
    recent = [max(0, one.power_w) for one in seen if one.power_w is not None and one.at > until - POWER_SPAN]
    return (round(sum(recent) / len(recent)), len(recent)) if recent else (None, 0)


def _mean_kw(energy_kwh: Decimal | None, lapse: timedelta, counting: Counting) -> Decimal | None:
    if energy_kwh is None or not lapse or counting.count_kwh / _hours(lapse) > COARSEST_KW:
        return None
    return (energy_kwh / _hours(lapse)).quantize(_RESOLUTION_KW)


def _hours(lapse: timedelta) -> Decimal:
    return Decimal(lapse / HOUR)


class TargetWatch:
    """Tells whether a demand will be above a target, and not at every kettle.

    Args:
        target_kw: the demand that is to be kept.
    """

    def __init__(self, target_kw: Decimal) -> None:
        """Know nothing yet."""
        self.target_kw = target_kw
        """The demand that is to be kept."""
        self.is_exceeded: bool | None = None
        """Whether it will be; `None` while there is no forecast."""
        self._was_exceeded = False
        """What was so while there was one: it is so until forecasts say otherwise, however long there was none."""
        self._contrary_since: datetime | None = None
        """Since when the forecasts say otherwise."""

    def take(self, demand: Demand | None) -> None:
        """Take what is known of the demand now."""
        if demand is None or demand.forecast_kw is None:
            self.is_exceeded = self._contrary_since = None
            return
        if demand.energy_kwh is not None and demand.energy_kwh > self.target_kw * _hours(HALF_HOUR):
            # No forecast is needed for that.
            self._was_exceeded, self._contrary_since = True, None
        elif not self._is_contrary(demand.forecast_kw):
            self._contrary_since = None
        elif self._contrary_since is None:
            self._contrary_since = demand.until
        elif demand.until - self._contrary_since >= MINIMUM_TIME:
            self._was_exceeded, self._contrary_since = not self._was_exceeded, None
        self.is_exceeded = self._was_exceeded

    def _is_contrary(self, forecast_kw: Decimal) -> bool:
        if self._was_exceeded:
            return forecast_kw < self.target_kw * HYSTERESIS
        return forecast_kw > self.target_kw
