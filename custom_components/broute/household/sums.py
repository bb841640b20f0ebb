"""What an entity has counted up to an instant, from the rows of its statistics. Pure.

Above: the watch on the energies, which reads the rows. A row's sum goes on over the resets of a counter, over restarts
and over gaps: that is Home Assistant's doing.
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime


class Sums:
    """The sums of one entity.

    Args:
        rows: the end of each row and the sum up to it, in kWh, in their order.
    """

    def __init__(self, rows: Iterable[tuple[datetime, float]]) -> None:
        """Take the rows."""
        self._rows = tuple(rows)

    def at(self, at: datetime) -> float | None:
        """Return the sum up to an instant; `None`: no row tells it.

        Where there is none, as while an inverter sleeps, the sum is known if it has not changed over that time.
        """
        number = bisect_left(self._rows, at, key=lambda row: row[0])
        if number == len(self._rows):
            return None
        end, kwh = self._rows[number]
        has_stood = number > 0 and self._rows[number - 1][1] == kwh
        return kwh if end == at or has_stood else None
