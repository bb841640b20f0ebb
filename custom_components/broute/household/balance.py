"""What the powers and energies of grid, sun and battery make of the house. Pure.

What comes in goes out: the house takes what the grid, the sun and the battery give. Of that follow

- the **consumption of the house**: grid + sun + battery;
- the **self-consumption**: the sun's less what is exported, down to nothing. Where the battery feeds the grid as well,
  what is exported is the sun's first;
- the **surplus**: the sun's less the house's consumption, down to nothing.

A house takes and never gives. What comes out below zero by no more than the measurements are off is zero; by more, one
of them is wrong or of another time, and nothing is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

STANDBY_W: Final = 50.0
"""So much an inverter takes at most at night, when some tell it as a negative power of the sun."""
TOLERANCE: Final = 0.05
"""Inverters measure to a few percent, and a meter to two or three."""
TOLERANCE_W: Final = 50.0
TOLERANCE_KWH: Final = 0.3
"""Four counters in steps of 0.1 kWh at both ends, and what the sun gives from one poll of an inverter to the next."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What becomes of the powers, in W."""

    house: float
    self_consumption: float
    surplus: float


def sun_of(powers: Sequence[float | None]) -> float | None:
    """Return what the sun gives, in W, from what each inverter says; `None`: one is not known, or cannot be right.

    What an inverter takes by itself at night is consumed in the house, and comes from the grid.
    """
    if any(power is None or power < -STANDBY_W for power in powers):
        return None
    return sum(max(power, 0.0) for power in powers if power is not None)


def balance_of(grid_w: float, sun_w: float, battery_w: float) -> Balance | None:
    """Return what becomes of the powers of an instant.

    Args:
        grid_w: taken from the grid; negative: given to it.
        sun_w: given by the sun.
        battery_w: given by the battery; negative: taken by it.

    Returns:
        `None`: they cannot have been like that.
    """
    house = grid_w + sun_w + battery_w
    if house < -(TOLERANCE_W + TOLERANCE * (abs(grid_w) + sun_w + abs(battery_w))):
        return None
    house = max(house, 0.0)
    return Balance(house, max(sun_w - max(-grid_w, 0.0), 0.0), max(sun_w - house, 0.0))


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted since a day began, in kWh, up to an instant.

    Attributes:
        at: the instant.
        imported: from the grid.
        exported: to the grid.
        sun: by the sun.
        discharged: from the battery.
        charged: into the battery.
    """

    at: datetime
    imported: float = 0.0
    exported: float = 0.0
    sun: float = 0.0
    discharged: float = 0.0
    charged: float = 0.0

    @property
    def house(self) -> float:
        """What the house has taken."""
        return self.imported - self.exported + self.sun + self.discharged - self.charged

    @property
    def kept(self) -> float:
        """What there is of the sun's beside what was exported."""
        return self.sun - self.exported

    @property
    def flow(self) -> float:
        """All that was measured."""
        return self.imported + self.exported + self.sun + self.discharged + self.charged


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """The energies of a day, in kWh.

    Attributes:
        start: its beginning.
        until: up to when they are counted.
        house: what the house has taken.
        self_consumption: what of the sun's was not exported.
    """

    start: datetime
    until: datetime
    house: float
    self_consumption: float

    @classmethod
    def of(cls, day: Sequence[Counted]) -> Self | None:
        """Return the energies from what was counted up to some instants of a day, the first one its beginning.

        `None`: it cannot have been like that.
        """
        first, last = day[0], day[-1]
        highest = first
        for now in day:
            if now.house >= highest.house:
                highest = now
            elif _falls(highest, now, highest.house - now.house):
                return None
        return cls(first.at, last.at, max(last.house, 0.0), _kept(day))


def _falls(earlier: Counted, later: Counted, fall: float) -> bool:
    """Tell whether something has fallen by more than the counters may be off."""
    return fall > TOLERANCE_KWH + TOLERANCE * (later.flow - earlier.flow)


def _kept(day: Sequence[Counted]) -> float:
    """Return what was kept of the sun's.

    Counters move in steps, so the sun's less the exported is not taken half hour by half hour, where each step would
    count as something kept. It rises as long as the sun is what is exported, and falls where the battery is: from its
    height on it begins anew then.
    """
    kept, lowest, highest = 0.0, day[0], day[0]
    for now in day:
        if now.kept >= highest.kept:
            highest = now
        elif _falls(highest, now, highest.kept - now.kept):
            kept += highest.kept - lowest.kept
            lowest = highest = now
    return kept + max(day[-1].kept - lowest.kept, 0.0)
