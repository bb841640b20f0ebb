"""The registers of a meter: the load's energy as whole counts of a unit, with wrap-around and a limited memory.

Takes the exact energy of `load`. Counts are asked for by true time; what a meter keeps of them, when its registers and
its clock were changed, is the business of `history` above.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from .clock import JST
from .load import EPOCH, UJ_PER_WH, Energy, Load

UNIT_KWH: dict[int, Decimal] = {
    0x00: Decimal(1),
    0x01: Decimal("0.1"),
    0x02: Decimal("0.01"),
    0x03: Decimal("0.001"),
    0x04: Decimal("0.0001"),
    0x0A: Decimal(10),
    0x0B: Decimal(100),
    0x0C: Decimal(1000),
    0x0D: Decimal(10000),
}
"""Property E1: what one count means in kWh (class 0x0288, Appendix)."""


@dataclass(frozen=True, kw_only=True)
class Registers:
    """What the meter has counted, in both directions.

    Attributes:
        load: what is measured.
        unit: the code of property E1.
        coefficient: property D3, 1..999999; `None` when the meter has no D3, which means 1.
        digits: property D7, 1..8; the register shows 0 after 10^digits - 1.
        initial_import: the count of the normal direction at `installed_at`.
        initial_export: the count of the reverse direction at `installed_at`.
        installed_at: nothing is known before it.
        removed_at: nothing is known from it on; `None`: they go on counting.
        history_days: how many days before today the history keeps: 0..99; a utility promises 44.
    """

    load: Load
    unit: int = 0x01
    coefficient: int | None = 1
    digits: int = 6
    initial_import: int = 0
    initial_export: int = 0
    installed_at: datetime = field(default=EPOCH)
    removed_at: datetime | None = None
    history_days: int = 44

    @property
    def kwh_per_count(self) -> Decimal:
        """What one count is worth, in kWh: coefficient x unit."""
        return UNIT_KWH[self.unit] * (1 if self.coefficient is None else self.coefficient)

    def kwh(self, count: int | None) -> Decimal | None:
        """Return a count in kWh."""
        return None if count is None else count * self.kwh_per_count

    def counts_at(self, at: datetime) -> bool:
        """Tell whether they count at an instant: installed, and not removed yet."""
        return self.installed_at <= at and (self.removed_at is None or at < self.removed_at)

    def import_count(self, at: datetime) -> int | None:
        """Return the register of the normal direction, `None` when it does not count."""
        if not self.counts_at(at):
            return None
        return self._count(self.initial_import, self.load.energy(at).import_uj - self._begin.import_uj)

    def export_count(self, at: datetime) -> int | None:
        """Return the register of the reverse direction, `None` when it does not count."""
        if not self.counts_at(at):
            return None
        return self._count(self.initial_export, self.load.energy(at).export_uj - self._begin.export_uj)

    def import_wh(self, at: datetime) -> Fraction:
        """Return the exact energy of the normal direction since `EPOCH`, in Wh."""
        return Fraction(self.load.energy(at).import_uj, UJ_PER_WH)

    def export_wh(self, at: datetime) -> Fraction:
        """Return the exact energy of the reverse direction since `EPOCH`, in Wh."""
        return Fraction(self.load.energy(at).export_uj, UJ_PER_WH)

    def keeps(self, at: datetime, now: datetime) -> bool:
        """Tell whether the history holds the value of `at` at the time `now`, both by the meter's clock."""
        midnight = now.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=self.history_days) <= at <= now

    @cached_property
    def _begin(self) -> Energy:
        """What the load had when they began to count."""
        return self.load.energy(self.installed_at)

    @cached_property
    def _uj_per_count(self) -> int:
        return int(self.kwh_per_count * 1000 * UJ_PER_WH)

    @cached_property
    def _size(self) -> int:
        size: int = 10**self.digits
        return size

    def _count(self, initial: int, energy_uj: int) -> int:
        return (initial + energy_uj // self._uj_per_count) % self._size
