"""What a meter keeps of its past: the registers it has had, the settings of its clock, and what it wrote into its log.

A real meter writes what its registers show at each half hour (and, of the second generation, each minute) by the clock
it has then, and never changes an entry afterwards. Nothing is stored here: an entry is found again by asking when it
was written. Between the registers below, which count by true time, and the properties above, which are asked by stamps.

What an entry holds:

- The register at the true time when the clock showed its stamp. If it showed it twice, because it was set back, the
  later one has overwritten the earlier; if never, because it was set forward, there is no entry.
- Nothing while there were no mains: an entry written there before is kept.
- The raw count. Unit, coefficient and digits (E1, D3, D7) are not in the log: whoever reads entries from before a
  change with the scale of today gets wrong energies, as from a real meter.

Whatever changes at the very instant of an entry has changed before it is written.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from .clock import JST
from .load import Mains
from .registers import Registers

_ALWAYS = datetime.min.replace(tzinfo=JST)


class History:
    """The past of one meter, in true time unless a stamp is meant.

    Args:
        registers: what it counts from `registers.installed_at` on, which is when it was installed in this house.
        mains: the mains of this house.
        clock_offset: what its clock has shown until now minus the true time.
        earlier: what it counted in another house, until `earlier.removed_at`; `None`: it is new.
    """

    def __init__(
        self, registers: Registers, mains: Mains, clock_offset: timedelta, earlier: Registers | None = None
    ) -> None:
        self.installed_at = registers.installed_at
        self._mains = mains
        self._registers = [registers] if earlier is None else [earlier, registers]
        self._clocks = [(_ALWAYS, clock_offset)]

    @property
    def registers(self) -> Registers:
        """What it counts now."""
        return self._registers[-1]

    @property
    def clock_offset(self) -> timedelta:
        """What its clock shows now minus the true time."""
        return self._clocks[-1][1]

    def change(self, registers: Registers) -> None:
        """Count with other registers from their `installed_at` on, which is now."""
        self._registers.append(registers)

    def remove(self, at: datetime) -> None:
        """Count no more from an instant on, which is now."""
        self._registers[-1] = replace(self.registers, removed_at=at)

    def set_clock(self, at: datetime, offset: timedelta) -> None:
        """Let the clock show the true time plus `offset` from an instant on, which is now."""
        self._clocks.append((at, offset))

    def shown(self, at: datetime) -> datetime:
        """Return what its clock showed at an instant."""
        return at + next(offset for since, offset in reversed(self._clocks) if since <= at)

    def registers_at(self, at: datetime) -> Registers:
        """Return the registers of an instant; before the first ones these, which do not count yet."""
        for registers in reversed(self._registers):
            if registers.installed_at <= at:
                return registers
        return self._registers[0]

    def written_at(self, stamp: datetime, at: datetime) -> datetime | None:
        """Return when the entry of a stamp was written as the log is at an instant, `None` if it has none."""
        until: datetime | None = None
        for since, offset in reversed(self._clocks):
            written = stamp - offset
            if since <= written <= at and (until is None or written < until) and self._writes(written):
                return written
            until = since
        return None

    def _writes(self, at: datetime) -> bool:
        # The mains of this house were not its own before it was here.
        return self.registers_at(at).counts_at(at) and (at < self.installed_at or self._mains.powered(at))
