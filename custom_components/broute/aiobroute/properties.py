"""Getting properties from a meter in as few requests as it allows.

Above: `SmartMeter`. Below: the conversation, for one request at a time.
"""

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

    def value[T](self, codec: PropertyCodec[T]) -> T | None:
        """Return a property's value; `None` for no data, or with an entry in `errors`."""
        try:
            return self.required(codec)
        except PropertyError as err:
            self.errors[codec.epc] = err
            return None

    def required[T](self, codec: PropertyCodec[T]) -> T:
        """Return a property's value, or raise `PropertyError`."""
        return codec.decode(self._edts.get(codec.epc, b""))


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
        self._largest_answered = max_properties
        self._limits_seen: list[int] = []

    async def get(self, epcs: Sequence[int]) -> Answers:
        """Get properties.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        edts: dict[int, bytes] = {}
        for start in range(0, len(epcs), self.max_properties):
            edts |= await self._get_chunk(epcs[start : start + self.max_properties])
        return Answers(edts)

    async def _get_chunk(self, epcs: Sequence[int]) -> dict[int, bytes]:
        """Get what should fit in one request; that it does not is remembered when it is seen twice in a row."""
        self._largest_answered = len(epcs)
        edts = await self._get_together(epcs)
        if self._largest_answered < len(epcs):
            self._limits_seen.append(self._largest_answered)
            if len(self._limits_seen) == LIMITS_SEEN:
                self.max_properties = max(self._limits_seen)
                self._limits_seen.clear()
                _LOGGER.debug("This meter is asked for %d properties at once from now on", self.max_properties)
        elif len(epcs) == self.max_properties:
            self._limits_seen.clear()
        return edts

    async def _get_together(self, epcs: Sequence[int]) -> dict[int, bytes]:
        """Get properties in one request, and in smaller ones when the meter is silent or refuses."""
        try:
            frame = await self._conversation.request(
                Esv.GET,
                [Property(epc) for epc in epcs],
                repeats=REPEATS_OF_SEVERAL if len(epcs) > 1 else REPEATS,
            )
        except MeterSilentError:
            if len(epcs) == 1:
                raise
            return await self._get_halved(epcs)
        edts = dict.fromkeys(epcs, b"") | {prop.epc: prop.edt for prop in frame.properties}
        missing = [epc for epc in epcs if not edts[epc] and epc in self.readable - self._refused]
        if not missing:
            return edts
        if len(epcs) == 1:
            self._refused.add(epcs[0])
            return edts
        answered = sum(bool(edts[epc]) for epc in epcs)
        if not answered:
            return await self._get_halved(epcs)
        # A meter that is asked for too much at once gives the first ones and refuses the rest.
        rest = await self._get_together(missing)
        if any(rest.values()):
            self._limit(answered)
        return edts | rest

    async def _get_halved(self, epcs: Sequence[int]) -> dict[int, bytes]:
        # The smaller half first: from 6 to 1 in as many steps as the session bears silence.
        half = len(epcs) // 2
        edts = await self._get_together(epcs[:half]) | await self._get_together(epcs[half:])
        if any(edts.values()):
            self._limit(len(epcs) - half)
        return edts

    def _limit(self, properties: int) -> None:
        self._largest_answered = min(self._largest_answered, properties)
