"""What the watches have in common: who listens, what they follow themselves, and how they read what the recorder has.

Above: the watches of this folder. Below: the recorder, for those that read from it.
"""

import asyncio
from collections.abc import Awaitable, Callable
import logging
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

from ..history.series import RecorderError

_LOGGER = logging.getLogger(__name__)

RETRY_S: Final = 60.0
"""A database that cannot be read now is read again after this time."""


class Watch:
    """Follows something, and tells whoever listens."""

    def __init__(self) -> None:
        """Follow nothing yet."""
        self._listeners: list[CALLBACK_TYPE] = []
        self._unsubscribe: list[CALLBACK_TYPE] = []
        """What ends that something is followed."""

    @callback
    def async_add_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` whenever something may have changed; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def async_stop(self) -> None:
        """Follow nothing more."""
        while self._unsubscribe:
            self._unsubscribe.pop()()

    @callback
    def async_tell(self) -> None:
        """Call whoever listens."""
        for listener in tuple(self._listeners):
            listener()


class RecorderWatch(Watch):
    """A watch on what the recorder has.

    Args:
        title: what the user calls the meter.
    """

    def __init__(self, title: str) -> None:
        """Read nothing yet."""
        super().__init__()
        self._title = title
        self._wake = asyncio.Event()
        """Set when there may be something to read."""

    async def _read_when_woken(self, what: str, read: Callable[[], Awaitable[None]]) -> None:
        """Read whenever there may be something new, as long as this is not cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await read()
            except RecorderError as err:
                _LOGGER.debug("%s: %s were not read: %s", self._title, what, err)
                await asyncio.sleep(RETRY_S)
                self._wake.set()
