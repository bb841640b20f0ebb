"""What the meter says of itself: whether it is in operation, whether it has a fault, and where it is installed.

Above: `SmartMeter`. Below: the properties.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
import logging
from typing import Any

from .echonet import super_class
from .echonet.super_class import InstallationLocation
from .echonet.values import PropertyCodec
from .exceptions import BrouteError
from .properties import Answers, PropertyReader

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterStatus:
    """What a meter says of itself; `None`: it does not, or not yet, or in no form that is known."""

    operating: bool | None = None
    faulty: bool | None = None
    location: InstallationLocation | None = None


type StatusListener = Callable[[MeterStatus], None]

_CODECS: Mapping[str, PropertyCodec[Any]] = {
    "operating": super_class.OPERATION_STATUS,
    "faulty": super_class.FAULT_STATUS,
    "location": super_class.INSTALLATION_LOCATION,
}
_HEALTHY = MeterStatus(operating=True, faulty=False)


class StatusReader:
    """Reads the status, and takes what the meter announces of it.

    No checksum covers what comes from most modules, and one changed digit makes a fault of none. So what is news is
    believed when it was told twice, by whatever way: what was announced is asked for, and what was read is read again.
    That goes for the end of a fault as well. It costs one request in years, and nobody is told that all is well because
    a digit was changed. A meter that says nothing but that it is well is never asked twice.
    """

    def __init__(self, properties: PropertyReader) -> None:
        self.last: MeterStatus | None = None
        """What is believed; `None` before the meter has said anything."""
        self._properties = properties
        self._believed = MeterStatus()
        self._told_once: dict[str, object] = {}
        """What is news, by the name of its field, until it is told again."""
        self._second_look: asyncio.Task[None] | None = None
        self._listeners: list[StatusListener] = []

    def on_change(self, listener: StatusListener) -> Callable[[], None]:
        """Call `listener` when the status has changed; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def forget(self) -> None:
        """Begin anew with another meter."""
        self.last = None
        self._believed = MeterStatus()
        self._told_once.clear()

    async def read(self) -> MeterStatus:
        """Read the status in the background, and a second time what is news.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        try:
            if news := await self._ask(_CODECS):
                await self._ask(news)
        finally:
            self._tell()
        return self._believed

    def take(self, answers: Answers) -> None:
        """Take what the meter announces; what is news is asked for in the background."""
        news = self._take(answers, [name for name, codec in _CODECS.items() if answers.has_data(codec.epc)])
        self._tell()
        if news and (self._second_look is None or self._second_look.done()):
            self._second_look = asyncio.create_task(self._look_again())

    async def close(self) -> None:
        """Ask nothing more."""
        if self._second_look:
            self._second_look.cancel()
            await asyncio.wait((self._second_look,))

    async def _look_again(self) -> None:
        try:
            await self.read()
        except BrouteError as err:
            _LOGGER.debug("What the meter announced could not be asked for: %s", err)

    async def _ask(self, names: Iterable[str]) -> list[str]:
        answers = await self._properties.get([_CODECS[name].epc for name in names], background=True)
        return self._take(answers, names)

    def _take(self, answers: Answers, names: Iterable[str]) -> list[str]:
        """Believe what may be believed; return the names of what is told for the first time."""
        news = []
        for name in names:
            value = answers.value(_CODECS[name])
            if self._is_news(name, value) and (name not in self._told_once or self._told_once[name] != value):
                self._told_once[name] = value
                news.append(name)
            else:
                self._told_once.pop(name, None)
                self._believed = replace(self._believed, **{name: value})
        return news

    def _is_news(self, name: str, value: object) -> bool:
        believed, healthy = getattr(self._believed, name), getattr(_HEALTHY, name)
        if believed is None and value != believed:
            # Of a place nothing can be expected.
            return healthy is not None and value != healthy
        return bool(value != believed)

    def _tell(self) -> None:
        if self._believed in (self.last, MeterStatus()):
            return
        self.last = self._believed
        for listener in tuple(self._listeners):
            listener(self._believed)
