"""Whose request is next: one at a time, and what somebody waits for goes before what can be done later.

Above: the conversation, which knows from when on a request may be sent. Time is the event loop's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import math

EXPECTED_EARLY_S = 4.5
"""So long before a request that is expected none in the background begins: it would still be spaced from that one."""
EXPECTED_LATE_S = 2.0
"""So long one that is expected is waited for."""
BACKGROUND_WAIT_S = 60.0
"""So long a request in the background waits for a better moment: however often a meter is read, its log is, too."""


class RequestQueue:
    """Lets one request at a time through, in order of their arrival; those in the background when there is room.

    There is room for one in the background when it could be sent at once, and no other waits or is expected soon; so
    there is none between requests that come every few seconds. Until then whoever comes goes before it, but not for
    ever: after `BACKGROUND_WAIT_S` it gets in line like any other. Of several in the background one at a time looks for
    room, in order of their arrival.

    `clear_at` returns from when on a request may be sent; infinity while nobody knows. When that changes the queue must
    `look_again()`.
    """

    def __init__(self, clear_at: Callable[[], float]) -> None:
        self._clear_at = clear_at
        self._turn = asyncio.Lock()
        self._background = asyncio.Lock()
        self._waiting = 0
        self._expected_at = -math.inf
        self._news = asyncio.Event()

    def expect(self, at: float) -> None:
        """Keep free the time of a request that is not in the background and will come then."""
        self._expected_at = at
        self._news.set()

    def look_again(self) -> None:
        """Look whether there is room now."""
        self._news.set()

    def forget(self) -> None:
        """Begin anew: nothing is expected in another session."""
        self._expected_at = -math.inf
        self._news.set()

    @asynccontextmanager
    async def turn(self, *, background: bool = False) -> AsyncIterator[None]:
        """Wait for the turn, and keep it meanwhile."""
        if background:
            async with self._background:
                await self._room()
                await self._turn.acquire()
        else:
            self._waiting += 1
            try:
                await self._turn.acquire()
            finally:
                self._waiting -= 1
                self._news.set()
        try:
            yield
        finally:
            self._turn.release()
            self._news.set()

    async def _room(self) -> None:
        """Wait until there is room, or long enough."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        latest = now + BACKGROUND_WAIT_S
        while now < latest:
            self._news.clear()
            room_at = math.inf
            if not self._turn.locked() and not self._waiting:
                room_at = max(now, self._clear_at())
                if self._expected_at - EXPECTED_EARLY_S < room_at < self._expected_at + EXPECTED_LATE_S:
                    room_at = self._expected_at + EXPECTED_LATE_S
            if room_at <= now:
                return
            wake_at = min(room_at, latest)
            try:
                async with asyncio.timeout_at(wake_at):
                    await self._news.wait()
            except TimeoutError:
                # A timer may ring a moment early: what was waited for has come all the same.
                now = max(loop.time(), wake_at)
            else:
                now = loop.time()
