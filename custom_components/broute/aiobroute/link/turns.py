"""Turns: the exchanges with a module, one at a time, and the futures that they wait for.

Above: the drivers. A driver gives each exchange to a task of its own, so that a caller that is cancelled does not leave
an answer behind that the next caller would take for its own.
"""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any

from ..exceptions import PortError

_LOGGER = logging.getLogger(__name__)


class Turns:
    """Exchanges that are carried through one after the other, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._ended = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def carry_out[**P, T](
        self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do the work when its turn has come; once it has begun, to its end, even when the caller is cancelled.

        Raises:
            PortError: the turns were ended.
        """
        await self._lock.acquire()
        if self._ended:
            self._lock.release()
            raise PortError("The port was closed")
        task = asyncio.create_task(work(*args, **kwargs), eager_start=True)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait((task,))
        if task.cancelled():
            raise PortError("The port was closed")
        return task.result()

    async def end(self) -> None:
        """Break off what is under way, and begin nothing more."""
        self._ended = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._lock.release()
        if not task.cancelled() and (err := task.exception()):
            _LOGGER.debug("An exchange with the module ended with %s", type(err).__name__)


def settle[T](future: asyncio.Future[T], value: T) -> None:
    """Give a future its result, if it still waits for one."""
    if not future.done():
        future.set_result(value)


def fail(future: asyncio.Future[Any], err: Exception) -> None:
    """Give a future its error, if it still waits; nobody needs to look at it."""
    if not future.done():
        future.set_exception(err)
        future.exception()
