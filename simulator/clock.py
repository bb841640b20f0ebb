"""Time in the simulation: one wall clock in JST and timers that `speed` makes shorter.

Everything above (air, meter, modules) asks this file for the time. It knows the event loop only, so that a test on
virtual time and a process on real time run the same code.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

JST = timezone(timedelta(hours=9), "JST")
"""The meter's local time: +09:00 all year, without a zone field on the air."""


class Clock:
    """A wall clock that starts at `start` now and goes on with the running event loop's clock.

    Args:
        start: the simulated wall clock at this moment; any zone, a naive value is taken as JST.
        speed: delays of module, air and meter are divided by it; the wall clock is not touched.
    """

    def __init__(self, start: datetime, *, speed: float = 1.0) -> None:
        self._start = start.replace(tzinfo=JST) if start.tzinfo is None else start.astimezone(JST)
        self._loop = asyncio.get_running_loop()
        self._loop_start = self._loop.time()
        self.speed = speed

    @property
    def lapse_s(self) -> float:
        """The seconds of delay time since the start: `speed` times the seconds of the wall clock."""
        return (self._loop.time() - self._loop_start) * self.speed

    def now(self) -> datetime:
        """Return the true time in JST."""
        return self._start + timedelta(seconds=self._loop.time() - self._loop_start)

    def after[*Args](self, delay_s: float, call: Callable[[*Args], object], *args: *Args) -> asyncio.TimerHandle:
        """Call after a delay of the hardware or of the radio; `speed` divides it."""
        return self._call_at(self._loop.time() + max(0.0, delay_s) / self.speed, call, *args)

    def due[*Args](self, lapse_s: float, call: Callable[[*Args], object], *args: *Args) -> asyncio.TimerHandle:
        """Call when `lapse_s` is reached."""
        return self._call_at(self._loop_start + lapse_s / self.speed, call, *args)

    def at[*Args](self, when: datetime, call: Callable[[*Args], object], *args: *Args) -> asyncio.TimerHandle:
        """Call when the wall clock shows `when`; `speed` has no part in it."""
        return self._call_at(self._loop.time() + (when - self.now()).total_seconds(), call, *args)

    def _call_at[*Args](self, when_s: float, call: Callable[[*Args], object], *args: *Args) -> asyncio.TimerHandle:
        # In whole microseconds: a virtual clock of that resolution would turn idly until a fraction is over.
        return self._loop.call_at(round(when_s, 6), call, *args)


class Timers:
    """Timers that are cancelled together: those of one procedure, or of one device."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[int, asyncio.TimerHandle] = {}
        self._count = 0

    def after[*Args](self, delay_s: float, call: Callable[[*Args], object], *args: *Args) -> None:
        """Call after `delay_s` divided by `speed`, unless cancelled before."""
        self._count += 1
        self._pending[self._count] = self._clock.after(delay_s, self._fire, self._count, call, args)

    def due[*Args](self, lapse_s: float, call: Callable[[*Args], object], *args: *Args) -> None:
        """Call when the clock's `lapse_s` is reached, unless cancelled before."""
        self._count += 1
        self._pending[self._count] = self._clock.due(lapse_s, self._fire, self._count, call, args)

    def at[*Args](self, when: datetime, call: Callable[[*Args], object], *args: *Args) -> None:
        """Call when the wall clock shows `when`, unless cancelled before."""
        self._count += 1
        self._pending[self._count] = self._clock.at(when, self._fire, self._count, call, args)

    def cancel(self) -> None:
        """Cancel whatever is still to come."""
        for handle in self._pending.values():
            handle.cancel()
        self._pending.clear()

    def _fire[*Args](self, number: int, call: Callable[[*Args], object], args: tuple[*Args]) -> None:
        del self._pending[number]
        call(*args)
