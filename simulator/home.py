"""One home, ready made: a meter on the air and a module that can hear it. The top of the simulation.

Tests and the command line begin here; everything below can be reached through the attributes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import Self

from .air import Air, Pan
from .clock import JST, Clock
from .faults import Faults
from .load import HouseLoad, Load
from .meter import Meter
from .models import RELEASE_F, MeterModel
from .module import Module, module as new_module
from .products import PRODUCTS, Product
from .registers import Registers
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
        hexadecimal: whether an SKSTACK module prints payload in hexadecimal (WOPT 01) or binary.
        echo: whether an SKSTACK module's echo is on at first, as after a reset.
        clock_offset: what the meter's clock shows, and has always shown, minus the true time.

    Attributes:
        clock: the true time.
        faults: the switches.
        air: `pans` may be given strangers.
        meter: the meter.
        load: what the house takes and gives.
        past_meters: those that hung in its place before, in the order of time; each still tells its truth.
        neighbours: the meters of other households.
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
        clock_offset: timedelta = timedelta(0),
    ) -> None:
        self.clock = Clock(start, speed=speed)
        self.faults = Faults(self.clock, Random(f"{seed}/faults"))
        self.air = Air(self.clock, self.faults, seed)
        self._random = self.air.random("neighbours")
        if registers is None:
            coefficient = 1 if 0xD3 in model.readable else None
            registers = Registers(load=load or HouseLoad(seed), coefficient=coefficient)
        self.load = registers.load
        self.meter = Meter(
            self.air, pan or Pan(), model, registers, identity=id, password=password, clock_offset=clock_offset
        )
        self.past_meters: list[Meter] = []
        self.neighbours: list[Meter] = []
        self._hexadecimal = hexadecimal
        self._echo = echo
        self.module = self._module(module, MODULE_MAC)

    async def open_port(self, url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """Open the module's port in memory.

        Raises:
            OSError: EBUSY while another has it open, ENOENT while it is unplugged.
        """
        return await self.module.open_port(url, protocol_factory)

    def truth(self, at: datetime | None = None) -> Truth:
        """Return what is true at an instant, by default now; the registers are those of the meter that hangs there now.

        What the registers of a meter before it showed is told by the `truth` of that one, in `past_meters`.
        """
        return self.meter.truth(at)

    def replace_module(self, module: Product | str) -> None:
        """Put another module in the place of this one, which has left the meter properly before it was pulled out.

        Args:
            module: the product, or its name in `PRODUCTS`.
        """
        self.module.radio.terminate()
        self.module.close()
        self.air.radios.remove(self.module.radio)
        mac = self.module.radio.mac
        self.module = self._module(module, mac[:-1] + bytes(((mac[-1] + 1) % 0x100,)))

    def replace_meter(
        self,
        model: MeterModel | None = None,
        pan: Pan | None = None,
        *,
        import_count: int | None = None,
        export_count: int | None = None,
        earlier: Registers | None = None,
    ) -> None:
        """Put another meter in the place of this one, with the same ID, password and unit, and with mains.

        Args:
            model: what it is; `None`: the same model with another serial number.
            pan: its network; `None`: the same channel, another PAN ID and MAC address.
            import_count: what its register of the normal direction shows now, raw; `None`: what `earlier` ended with,
                or 0 for a new one.
            export_count: the same for the reverse direction.
            earlier: what it counted in another house, up to their `removed_at`: entries of its log, after which there
                are none until now. `None`: it is new, and its log begins now.

        Raises:
            ValueError: `earlier` does not end before now.
        """
        old, now = self.meter, self.clock.now()
        last_import, last_export = (0, 0) if earlier is None else _last_counts(earlier, now)
        registers = old.registers
        old.remove()
        old.mains.restore(now)
        self.past_meters.append(old)
        if model is None:
            model = replace(old.model, serial=old.model.serial[::-1])
        if pan is None:
            mac = old.pan.mac
            mac = mac[:-1] + bytes(((mac[-1] + 1) % 0x100,))
            pan = Pan(channel=old.pan.channel, pan_id=(old.pan.pan_id + 1) % 0xFFFF, mac=mac, lqi=old.pan.lqi)
        registers = replace(
            registers,
            coefficient=registers.coefficient if 0xD3 in model.readable else None,
            initial_import=last_import if import_count is None else import_count,
            initial_export=last_export if export_count is None else export_count,
            installed_at=now,
        )
        self.meter = Meter(
            self.air,
            pan,
            model,
            registers,
            identity=old.paa.identity,
            password=old.paa.password,
            mains=old.mains,
            earlier=earlier,
        )
        self.meter.on_answer = old.on_answer

    def add_neighbour(self, pan: Pan) -> Meter:
        """Hang a meter of another household within reach; it refuses whoever has not its own ID.

        Args:
            pan: its network. Of two on the same channel the one that was added later is heard later. Its ID ends with
                the pairing ID, which may be ours; without pairing ID it tells none.
        """
        pairing_id = pan.pairing_id
        identity = self._random.randbytes(16).hex().upper()[:-8] + pairing_id.rjust(8, "0")
        password = self._random.randbytes(6).hex().upper()
        registers = Registers(load=HouseLoad(len(self.neighbours) + 1))
        neighbour = Meter(self.air, pan, RELEASE_F, registers, identity=identity, password=password)
        pan.pairing_id = pairing_id
        self.neighbours.append(neighbour)
        return neighbour

    def close(self) -> None:
        """Stop all timers; an open port is lost."""
        self.module.close()
        for meter in (self.meter, *self.neighbours):
            meter.close()
        self.air.close()
        self.faults.close()

    def _module(self, module: Product | str, mac: bytes) -> Module:
        product = PRODUCTS[module] if isinstance(module, str) else module
        return new_module(self.air, product, mac, hexadecimal=self._hexadecimal, echo=self._echo)

    def __enter__(self) -> Self:
        """Return the home itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def _last_counts(registers: Registers, now: datetime) -> tuple[int, int]:
    """Return what registers showed in both directions when they were removed."""
    end = registers.removed_at
    if end is None or end > now:
        raise ValueError("an earlier life ends before now")
    still = replace(registers, removed_at=None)
    return still.import_count(end) or 0, still.export_count(end) or 0
