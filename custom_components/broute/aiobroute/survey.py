"""One scan at somebody's wish: how well the meter is heard where the module is now.

The session carries it out, for nothing can be sent meanwhile.
"""

import asyncio
from dataclasses import dataclass

from .exceptions import BrouteError
from .link.turns import fail, settle

SURVEY_DURATIONS = range(3, 8)
"""3 s to 36 s for all channels; what modules take is 0 to 14 (J11: 1), and each step doubles the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A network that a survey has heard, without its addresses.

    `channel`, `rssi_dbm` and `lqi` as in `Network`. `is_ours`: whether it is the one that is joined.
    """

    channel: int
    rssi_dbm: float
    lqi: int | None
    is_ours: bool


class Survey:
    """A survey that somebody waits for."""

    def __init__(self, duration: int) -> None:
        """Ask for a scan of one of the `SURVEY_DURATIONS`."""
        if duration not in SURVEY_DURATIONS:
            raise ValueError(
                f"A survey takes a duration of {SURVEY_DURATIONS[0]} to {SURVEY_DURATIONS[-1]}, not {duration}"
            )
        self.duration = duration
        self._result: asyncio.Future[list[Heard]] = asyncio.get_running_loop().create_future()

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not self._result.done()

    async def result(self) -> list[Heard]:
        """Wait for what is heard."""
        return await self._result

    def end(self, heard: list[Heard]) -> None:
        """Tell what was heard."""
        settle(self._result, heard)

    def fail(self, failure: BrouteError) -> None:
        """Tell why nothing is known, unless it has ended."""
        fail(self._result, failure)
