"""Whether the module and the meter of a session are still there, though nobody asks anything of them.

Above: the session, which is told when they are not. Below: the link, and the conversation with the meter.
"""

import asyncio
from collections.abc import Callable
import logging

from .conversation import Conversation, Trouble
from .echonet import super_class
from .echonet.frame import Esv, Property
from .exceptions import BrouteError, PortError
from .link.base import Link, LinkEvent, Network
from .reactions import Occurrence

_LOGGER = logging.getLogger(__name__)

MODULE_CHECK_S = 8.0
"""After so long without a word of the meter the module is asked, over the wire alone, whether all is as it was."""
SILENCE_LIMIT_S = 300.0
"""After so long without a word of the meter it is asked for its operation status."""
DOUBT_S = 20.0
"""So often it is asked once it has left something unanswered: nobody else may ask in that time."""
CLOCK_RESOLUTION_S = 0.001


async def watch_the_module(
    link: Link, network: Network, conversation: Conversation, tell: Callable[[Occurrence], None]
) -> None:
    """Notice that the module is gone, was reset, or is used by somebody else, though nobody sends anything."""
    loop = asyncio.get_running_loop()
    checked_at = loop.time()
    while True:
        heard_at = _heard_at(conversation, checked_at)
        await asyncio.sleep(heard_at + MODULE_CHECK_S - loop.time())
        if _heard_at(conversation, checked_at) > heard_at:
            continue
        try:
            is_as_it_was = await link.take_up(network)
        except PortError:
            tell(LinkEvent.LOST)
        except BrouteError:
            tell(Trouble.MODULE_SILENT)
        else:
            if not is_as_it_was:
                tell(LinkEvent.RESET)
        checked_at = loop.time()


async def watch_the_meter(conversation: Conversation) -> None:
    """Ask the meter something small when it has been silent for long, and soon when that is in doubt."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    while True:
        limit_s = DOUBT_S if conversation.unanswered else SILENCE_LIMIT_S
        remaining_s = _heard_at(conversation, asked_at) + limit_s - loop.time()
        # The clock's resolution may leave a rest too small to pass.
        if remaining_s > CLOCK_RESOLUTION_S:
            await asyncio.sleep(min(remaining_s, DOUBT_S))
            continue
        try:
            await ask_operation_status(conversation)
        except BrouteError as err:
            _LOGGER.debug("The meter does not say that it is there: %s", err)
        asked_at = loop.time()


async def ask_operation_status(conversation: Conversation) -> None:
    """Ask the meter something small, to see whether it answers."""
    await conversation.request(Esv.GET, (Property(super_class.OPERATION_STATUS.epc),), repeats=0)


def _heard_at(conversation: Conversation, since: float) -> float:
    """Return when the meter was heard last, no earlier than an instant."""
    heard_at = conversation.heard_at
    return since if heard_at is None else max(since, heard_at)
