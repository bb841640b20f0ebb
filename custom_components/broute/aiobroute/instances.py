"""Which objects the joined meter's node has: it says so by itself after each join, or is asked.

Above: the session. Below: the conversation with the meter.
"""

import asyncio
import logging

from .conversation import Conversation
from .echonet import node_profile
from .echonet.frame import NODE_PROFILE, SMART_METER, Eoj, Esv, Frame, Property
from .exceptions import BrouteError, PropertyError

_LOGGER = logging.getLogger(__name__)

INSTANCE_LIST_WAIT_S = 20.0
"""The meter sends its instance list by itself within seconds; after this time it is asked for (AIF 3.1.1)."""


class Instances:
    """The instance list of one session."""

    def __init__(self, conversation: Conversation) -> None:
        self.known: frozenset[Eoj] | None = None
        """The objects that the meter announced in this session; `None` while it did not."""
        self._conversation = conversation
        conversation.on_notification(self._take)

    def forget(self) -> None:
        """Begin anew: another session comes, perhaps with another meter."""
        self.known = None

    async def ask_in_time(self) -> None:
        """Ask for the list when it does not come by itself."""
        await asyncio.sleep(INSTANCE_LIST_WAIT_S)
        if self.known is None:
            asked = Property(node_profile.INSTANCE_LIST_NOTIFICATION.epc)
            try:
                # Not every meter takes this question: that it does not answer tells nothing of the session.
                answer = await self._conversation.request(
                    Esv.INF_REQ, (asked,), to=NODE_PROFILE, repeats=0, counts=False
                )
                self._take(answer)
            except BrouteError as err:
                _LOGGER.debug("The meter did not give its instance list: %s", err)

    def _take(self, frame: Frame) -> None:
        if frame.seoj != NODE_PROFILE:
            return
        for prop in frame.properties:
            if prop.epc != node_profile.INSTANCE_LIST_NOTIFICATION.epc:
                continue
            try:
                self.known = frozenset(node_profile.INSTANCE_LIST_NOTIFICATION.decode(prop.edt))
                if SMART_METER not in self.known:
                    _LOGGER.warning("What was joined does not say that it is a smart meter")
            except PropertyError as err:
                _LOGGER.debug("Dropped an instance list: %s", err)
