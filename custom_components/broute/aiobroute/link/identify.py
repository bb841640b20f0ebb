"""Finding out what is behind a port, and choosing the driver for it.

Nothing is changed in the module but its echo, and nothing is written to its flash.

The families are asked in turn, with growing patience, and neither is upset by the other's question. A J11 module looks
for the beginning of a request and skips text. An SKSTACK module holds a J11 request, which has no line end, as the
beginning of a line; the line end before its own next question makes that a line which it refuses.
"""

import asyncio

from ..exceptions import NotAModuleError, PortBusyError, PortError
from .base import Dialect, Link
from .j11.driver import J11Link
from .port import HUNG_UP, Port, PortOpener
from .skstack.driver import SkStackLink

IDENTIFY_LIMIT_S = 5.0
"""A port that cannot be opened, or that is no Wi-SUN module, is told within this time."""
ANSWER_WAITS_S = (0.3, 0.6, 1.0)
"""For each family, round by round: an idle module answers in milliseconds, a busy one was seen to take a second."""


async def identify(opener: PortOpener, url: str, first: Dialect | None = None) -> Link:
    """Open a port and return the link that fits the module behind it.

    `first`: what was behind it the last time, if that is known; it is asked first.

    Raises:
        PortError: the port cannot be opened; the subclasses tell the reason.
        NotAModuleError: it was opened, but no Wi-SUN module answers.
    """
    port: Port | None = None
    try:
        async with asyncio.timeout(IDENTIFY_LIMIT_S):
            port = await Port.open(opener, url)
            return await _ask(port, first)
    except TimeoutError:
        if port is None:
            raise PortError("The port did not open in time") from None
        await port.close()
        raise NotAModuleError("What is behind this port does not answer as a Wi-SUN module") from None
    except PortError as err:
        if port is None:
            raise
        was_hung_up_on = port.was_hung_up_on
        await port.close()
        if was_hung_up_on:
            raise PortBusyError(HUNG_UP) from err
        raise
    except BaseException:
        if port is not None:
            await port.close()
        raise


async def _ask(port: Port, first: Dialect | None) -> Link:
    families = (J11Link, SkStackLink) if first is Dialect.J11 else (SkStackLink, J11Link)
    for wait_s in ANSWER_WAITS_S:
        for family in families:
            link = family(port)
            if await link.identify(wait_s):
                return link
    raise NotAModuleError("What is behind this port does not answer as a Wi-SUN module")
