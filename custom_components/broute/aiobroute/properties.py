"""Getting properties from a meter in as few requests as it allows.

Above: `SmartMeter`. Below: the conversation, for one request at a time.
"""

import asyncio
from collections.abc import Mapping, Sequence
import logging

from .conversation import REPEATS, Conversation
from .echonet.frame import Esv, Property
from .echonet.smart_meter import MAX_PROPERTIES
from .echonet.values import PropertyCodec
from .exceptions import MeterSilentError, PropertyError

_LOGGER = logging.getLogger(__name__)

REPEATS_OF_SEVERAL = 1
"""A request of several properties that stays unanswered is soon made smaller instead."""
LIMITS_SEEN = 2
"""So often in a row must a request turn out too large before smaller ones are made for good: once may be the radio."""

LIMIT_AGE_S = 86_400.0
"""After this time a meter is tried with more again: what looked like its limit may have been the radio."""


class Answers:
    """The data of an answer by EPC, and what was wrong with them."""

    def __init__(self, edts: Mapping[int, bytes]) -> None:
        self._edts = edts
        self.errors: dict[int, PropertyError] = {}

    def __or__(self, other: Answers) -> Answers:
        """Return the data of both."""
        return Answers({**self._edts, **other._edts})

    def has_data(self, epc: int) -> bool:
        """Tell whether there are data of a property at all."""
        return bool(self._edts.get(epc))

    def edt(self, epc: int) -> bytes:
        """Return a property's data; empty: the meter does not give it."""
        return self._edts.get(epc, b"")

    def value[T](self, codec: PropertyCodec[T]) -> T | None:
        """Return a property's value; `None` for no data, or with an entry in `errors`."""
        try:
            return self.required(codec)
        except PropertyError as err:
            self.errors[codec.epc] = err
            return None

    def required[T](self, codec: PropertyCodec[T]) -> T:
        """Return a property's value, or raise `PropertyError`."""
        return codec.decode(self.edt(codec.epc))


class PropertyReader:
    """Gets properties, together where the meter takes that, and remembers where it does not.

    `readable`: what the meter is expected to give; of what it refuses, only that is asked for again.
    """

    def __init__(
        self, conversation: Conversation, readable: frozenset[int], max_properties: int = MAX_PROPERTIES
    ) -> None:
        self.readable = readable
        self.max_properties = max_properties
        """How many properties this meter answers in one request."""
        self._conversation = conversation
        self._refused: set[int] = set()
        self._limits_seen: list[int] = []
        self._limited_at: float | None = None
        """Since when this reader asks for less than the most; `None` while it does not, or has not asked yet."""

    def forget(self, readable: frozenset[int]) -> None:
        """Begin anew with another meter."""
        self.readable = readable
        self.max_properties = MAX_PROPERTIES
        self._refused.clear()
        self._limits_seen.clear()
        self._limited_at = None

    async def get(self, epcs: Sequence[int], *, background: bool = False) -> Answers:
        """Get properties; `background`: when nobody else wants anything of the meter, see `RequestQueue`.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        self._forget_an_old_limit()
        edts: dict[int, bytes] = {}
        for start in range(0, len(epcs), self.max_properties):
            edts |= await self._get_chunk(epcs[start : start + self.max_properties], background=background)
        return Answers(edts)

    def _forget_an_old_limit(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._limited_at is None:
            self._limited_at = now if self.max_properties < MAX_PROPERTIES else None
        elif now - self._limited_at > LIMIT_AGE_S:
            self.max_properties = MAX_PROPERTIES
            self._limited_at = None

    async def _get_chunk(self, epcs: Sequence[int], *, background: bool) -> dict[int, bytes]:
        """Get what should fit in one request; that it does not is remembered when it is seen twice in a row."""
        chunk = _Chunk(background)
        edts = await self._get_together(epcs, chunk)
        answered = max(chunk.answered, default=0)
        if 0 < answered < len(epcs):
            self._limits_seen.append(answered)
            if len(self._limits_seen) == LIMITS_SEEN:
                self.max_properties = max(self._limits_seen)
                self._limits_seen.clear()
                self._limited_at = asyncio.get_running_loop().time()
                _LOGGER.debug("This meter is asked for %d properties at once from now on", self.max_properties)
        elif len(epcs) == self.max_properties:
            self._limits_seen.clear()
        return edts

    async def _get_together(self, epcs: Sequence[int], chunk: _Chunk) -> dict[int, bytes]:
        """Get properties in one request, and in smaller ones when the meter is silent or refuses."""
        try:
            frame = await self._conversation.request(
                Esv.GET,
                [Property(epc) for epc in epcs],
                repeats=REPEATS_OF_SEVERAL if len(epcs) > 1 else REPEATS,
                background=chunk.background,
            )
        except MeterSilentError:
            if len(epcs) == 1 or not self._conversation.is_joined:
                raise
            # One property tells whether it was too much at once, or whether the meter is not there at all.
            return await self._get_together(epcs[:1], chunk) | await self._get_parts(epcs[1:], chunk)
        edts = dict.fromkeys(epcs, b"") | {prop.epc: prop.edt for prop in frame.properties}
        missing = [epc for epc in epcs if not edts[epc] and epc in self.readable - self._refused]
        if not missing:
            chunk.answered.append(len(epcs))
            return edts
        if len(epcs) == 1:
            self._refused.add(epcs[0])
            return edts
        answered = sum(bool(edts[epc]) for epc in epcs)
        if not answered:
            return await self._get_parts(epcs, chunk)
        # A meter that is asked for too much at once gives the first ones and refuses the rest.
        rest = await self._get_together(missing, chunk)
        if any(rest.values()):
            chunk.answered.append(answered)
        else:
            chunk.answered.append(len(epcs))
        return edts | rest

    async def _get_parts(self, epcs: Sequence[int], chunk: _Chunk) -> dict[int, bytes]:
        half = (len(epcs) + 1) // 2
        rest = epcs[half:]
        return await self._get_together(epcs[:half], chunk) | (await self._get_together(rest, chunk) if rest else {})


class _Chunk:
    """What should fit in one request, while it is being got: others may be got meanwhile.

    `answered`: how many properties each answer brought.
    """

    def __init__(self, background: bool) -> None:  # noqa: FBT001 - handed through
        self.background = background
        self.answered: list[int] = []
