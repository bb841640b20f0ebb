"""One home, ready made: a meter on the air and a module that can hear it. The top of the simulation.

Tests and the command line begin here; everything below can be reached through the attributes.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

from .air import Air, Pan
from .clock import JST, Clock
from .faults import Faults
from .load import HouseLoad, Load
from .meter import Meter
from .models import RELEASE_F, MeterModel
from .registers import Registers
from .skstack.module import SkstackModule
from .skstack.products import PRODUCTS, Product
from .truth import Truth

ID = "00112233445566778899AABBCCDDEEFF"
"""The placeholder of the manuals."""
PASSWORD = "0123456789AB"  # noqa: S105 - the placeholder of the manuals
START = datetime(2026, 11, 21, 18, 24, tzinfo=JST)
MODULE_MAC = bytes.fromhex("001D1290ABCDEF01")


class SimulatedHome:
    """A meter and a module. Make it in a running event loop, and `close()` it, or use it as a context manager.

    Args:
        model: which properties the meter has.
        module: the product, or its name in `PRODUCTS`.
        load: what the house takes and gives; by default `HouseLoad(seed)`.
        registers: what the meter counts; by default `Registers(load=load)`.
        pan: channel, PAN ID, addresses and link quality.
        start: the wall clock at this moment.
        id: the B-route ID that the meter accepts, 32 characters.
        password: the password that the meter accepts.
        seed: names the curve and the course of delays.
        speed: divides all delays, not the wall clock.
        hexadecimal: whether the module prints payload in hexadecimal (WOPT 01) or binary.
        echo: whether the module's echo is on at first, as after a reset.

    Attributes:
        clock: the true time.
        faults: the switches.
        air: `pans` may be given strangers.
        meter: the meter.
        module: the module.
    """

    def __init__(
        self,
        *,
        model: MeterModel = RELEASE_F,
        module: Product | str = "BP35C2",
        load: Load | None = None,
        registers: Registers | None = None,
        pan: Pan | None = None,
        start: datetime = START,
        id: str = ID,  # noqa: A002 - what the utility's letter calls it
        password: str = PASSWORD,
        seed: int = 0,
        speed: float = 1.0,
        hexadecimal: bool = True,
        echo: bool = True,
    ) -> None:
        self.clock = Clock(start, speed=speed)
        self.faults = Faults(self.clock, Random(f"{seed}/faults"))
        self.air = Air(self.clock, self.faults, seed)
        if registers is None:
            coefficient = 1 if 0xD3 in model.readable else None
            registers = Registers(load=load or HouseLoad(seed), coefficient=coefficient)
        self.meter = Meter(self.air, pan or Pan(), model, registers, identity=id, password=password)
        product = PRODUCTS[module] if isinstance(module, str) else module
        self.module = SkstackModule(self.air, product, MODULE_MAC, hexadecimal=hexadecimal, echo=echo)

    async def open_port(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the module's port in memory.

        Raises:
            OSError: EBUSY while another has it open, ENOENT while it is unplugged.
        """
        return await self.module.open_port(url, protocol_factory)

    def truth(self, at: datetime | None = None) -> Truth:
        """Return what is true at an instant, by default now."""
        return self.meter.truth(at)

    def close(self) -> None:
        """Stop all timers; an open port is lost."""
        self.module.close()
        self.meter.close()
        self.air.close()
        self.faults.close()

    def __enter__(self) -> Self:
        """Return the home itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
