"""What a module is to its home, whichever firmware it runs."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .air import Air
from .j11.module import J11Module
from .j11.products import Product as J11Product
from .ports import Port
from .products import Product
from .radio import Firmware, Radio
from .skstack.module import SkstackModule
from .uart import Uart


class Module(Firmware, Protocol):
    """A module; the reports of its radio can be made to it by hand as well.

    Attributes:
        radio: the radio half: credentials, session, `duty_limited`.
        uart: the serial line.
        port: `plug()` and `unplug()`.
        commands: the names of the last commands carried out or refused, in order, as the family names them.
    """

    radio: Radio
    uart: Uart
    port: Port
    commands: deque[str]

    @property
    def product(self) -> Product:
        """Which module it is."""

    async def open_port(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the module's port in memory; see `Port.open`."""

    def restart(self) -> None:
        """Put everything back to its default, without a word to host or meter."""

    def reset(self) -> None:
        """Start anew as after a loss of power."""

    def close(self) -> None:
        """Stop everything; an open port is lost."""


def module(air: Air, product: Product, mac: bytes, *, hexadecimal: bool, echo: bool) -> Module:
    """Return a new module with the firmware of its product.

    Args:
        air: where its radio listens.
        product: which module it is.
        mac: its MAC address, eight bytes.
        hexadecimal: how an SKSTACK module prints payload at first.
        echo: whether an SKSTACK module starts with the echo on.
    """
    if isinstance(product, J11Product):
        return J11Module(air, product, mac)
    return SkstackModule(air, product, mac, hexadecimal=hexadecimal, echo=echo)
