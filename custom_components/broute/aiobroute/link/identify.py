"""Finding out what is behind a port, and choosing the driver for it.

Nothing is changed in the module but its echo, and nothing is written to its flash.
"""

import asyncio

from ..exceptions import NotAModuleError, PortError
from .base import Link
from .port import Port, PortOpener
from .skstack.driver import SkStackLink

IDENTIFY_LIMIT_S = 5.0
"""A port that cannot be opened, or that is no Wi-SUN module, is told within this time."""


async def identify(opener: PortOpener, url: str) -> Link:
    """Open a port and return the link that fits the module behind it.

    Raises:
        PortError: the port cannot be opened; the subclasses tell the reason.
        NotAModuleError: it was opened, but no Wi-SUN module answers.
    """
    port: Port | None = None
    try:
        async with asyncio.timeout(IDENTIFY_LIMIT_S):
            port = await Port.open(opener, url)
            return await SkStackLink.identify(port)
    except TimeoutError:
        if port is None:
            raise PortError("The port did not open in time") from None
        await port.close()
        raise NotAModuleError("What is behind this port does not answer as a Wi-SUN module") from None
    except BaseException:
        if port is not None:
            await port.close()
        raise
