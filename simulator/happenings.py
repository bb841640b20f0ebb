"""What can happen to a home all at once, by name: sessions end, a meter restarts, a port vanishes.

Above it is whoever makes things happen, from Python or over the control port; it only calls the parts. Conditions that
last, and counts of what is still to go wrong, are switches of `faults`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
import inspect
from typing import Protocol

from .air import CHANNELS, Pan
from .clock import Timers
from .faults import UnknownNameError
from .faults.switches import count, flag, hexadecimal, octets, seconds
from .home import SimulatedHome
from .load import EPOCH, HouseLoad, ScriptedLoad
from .models import MODELS
from .products import PRODUCTS
from .registers import UNIT_KWH
from .uart import Uart

NEIGHBOUR_MAC = bytes.fromhex("001D129087654321")
EARLIER_HOUSE = -1
"""Names the load curve of the house that a used meter comes from; no house of a neighbour has it."""
MAX_COUNT = 99_999_999
"""The most that a register of eight digits shows."""
MAX_COEFFICIENT = 999_999
YEAR_S = 366 * 86_400
MAX_POWER_W = 100_000
"""More than any low-voltage supply lets through."""


class ServedPort(Protocol):
    """A port for other processes."""

    uart: Uart

    def plug(self) -> None:
        """Put the port back."""

    def unplug(self) -> None:
        """Take the port away."""


def _arguments(run: Callable[..., None]) -> dict[str, inspect.Parameter]:
    """Return the arguments of a happening by name."""
    return {name: entry for name, entry in inspect.signature(run).parameters.items() if name != "self"}


def _channel(value: object) -> int:
    if value not in CHANNELS:
        raise ValueError("a channel of 33 to 60 is wanted")
    return count(value)


def _up_to(most: int) -> Callable[[object], int]:
    def taken(value: object) -> int:
        if count(value) > most:
            raise ValueError(f"a whole number of 0 to {most} is wanted")
        return count(value)

    return taken


def _span(value: object) -> float:
    if seconds(value) > YEAR_S:
        raise ValueError(f"a number of 0 to {YEAR_S} is wanted")
    return seconds(value)


def _offset(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -YEAR_S <= value <= YEAR_S:
        raise ValueError(f"a number of -{YEAR_S} to {YEAR_S} is wanted")
    return float(value)


def _power(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -MAX_POWER_W <= value <= MAX_POWER_W:
        raise ValueError(f"a whole number of -{MAX_POWER_W} to {MAX_POWER_W} is wanted")
    return value


def _unit(value: object) -> int:
    if count(value) not in UNIT_KWH:
        raise ValueError(f"one of {', '.join(map(str, UNIT_KWH))} is wanted")
    return count(value)


def _from_1_to(most: int) -> Callable[[object], int]:
    def taken(value: object) -> int:
        if not 1 <= count(value) <= most:
            raise ValueError(f"a whole number of 1 to {most} is wanted")
        return count(value)

    return taken


def _one_of(known: Mapping[str, object]) -> Callable[[object], str]:
    def taken(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"one of {', '.join(known)} is wanted")
        return value

    return taken


def _mac(value: object) -> str:
    if len(hexadecimal(value)) != 16:
        raise ValueError("16 hexadecimal digits are wanted")
    return hexadecimal(value)


def _location(value: object) -> str:
    location = bytes.fromhex(hexadecimal(value))
    if len(location) != 1 and not (len(location) == 17 and location[0] == 0x01):
        raise ValueError("one byte is wanted, or 17 of which the first is 01")
    return location.hex()


def _letter(length: int) -> Callable[[object], str]:
    """Take what stands in the utility's letter."""

    def taken(value: object) -> str:
        if not isinstance(value, str) or len(value) != length or not (value.isascii() and value.isalnum()):
            raise ValueError(f"{length} letters and digits are wanted")
        return value

    return taken


def _pairing_id(value: object) -> str:
    if not isinstance(value, str) or len(value) not in (0, 8) or not value.isascii() or not value.isprintable():
        raise ValueError("eight characters or none are wanted")
    return value


def _pattern(value: object) -> bytes:
    if not octets(value):
        raise ValueError("at least one character is wanted")
    return octets(value)


ARGUMENTS: dict[str, Callable[[object], object]] = {
    "for_s": seconds,
    "lifetime_s": _up_to(2**32 - 1),
    "channel": _channel,
    "pan_id": _up_to(0xFFFF),
    "lqi": _up_to(0xFF),
    "mac": _mac,
    "pairing_id": _pairing_id,
    "answers_anybody": flag,
    "by_s": _offset,
    "stored_s": _span,
    "import_count": _up_to(MAX_COUNT),
    "export_count": _up_to(MAX_COUNT),
    "unit": _unit,
    "coefficient": _from_1_to(MAX_COEFFICIENT),
    "digits": _from_1_to(8),
    "same_energy": flag,
    "faulty": flag,
    "operating": flag,
    "location": _location,
    "keeps_power": flag,
    "identity": _letter(32),
    "password": _letter(12),
    "model": _one_of(MODELS),
    "module": _one_of(PRODUCTS),
    "pattern": _pattern,
    "power_w": _power,
}
"""How each argument is read from JSON."""


class Happenings:
    """Each public method but `happen`, `documentation` and `close` is a happening.

    Args:
        home: to which it happens.
        port: what a client of another process opens; `None`: the module's port in memory.
    """

    def __init__(self, home: SimulatedHome, port: ServedPort | None = None) -> None:
        self._home = home
        self._served = port
        self._plugging = Timers(home.clock)
        self._lifting = Timers(home.clock)

    @classmethod
    def documentation(cls) -> dict[str, dict[str, object]]:
        """Return by name what each happening is (`doc`), and the names of its `arguments`."""
        return {
            name: {"doc": inspect.getdoc(run), "arguments": list(_arguments(run))} for name, run in cls._known().items()
        }

    def happen(self, name: str, arguments: Mapping[str, object]) -> None:
        """Let the happening of that name happen.

        Args:
            name: as in `documentation()`.
            arguments: as they come from JSON.

        Raises:
            UnknownNameError: there is no such happening, or it has no such argument.
            ValueError: an argument is missing, or no such value.
        """
        known = self._known()
        if name not in known:
            raise UnknownNameError(name, list(known))
        wanted = _arguments(known[name])
        values: dict[str, object] = {}
        for argument, value in arguments.items():
            if argument not in wanted:
                raise UnknownNameError(argument, list(wanted))
            try:
                values[argument] = ARGUMENTS[argument](value)
            except ValueError as error:
                raise ValueError(f"{argument}: {error}") from error
        missing = [key for key, entry in wanted.items() if entry.default is entry.empty and key not in values]
        if missing:
            raise ValueError(f"missing: {', '.join(missing)}")
        known[name](self, **values)

    def close(self) -> None:
        """Let nothing more happen by itself."""
        self._plugging.cancel()
        self._lifting.cancel()

    def session_ended_by_meter(self) -> None:
        """The meter ends the session with a word (EVENT 26; J11: 601A 04)."""
        self._home.meter.paa.end_session()

    def session_forgotten_by_meter(self) -> None:
        """The meter loses the session without a word."""
        self._home.meter.paa.forget_session()

    def session_ended_by_module(self) -> None:
        """The module ends the session unasked, as for another program on its port (EVENT 27 or 28; J11: 601A 04)."""
        self._home.module.radio.terminate()

    def session_forgotten_by_module(self) -> None:
        """The module loses the session without a word to anybody."""
        self._home.module.radio.forget_session()

    def session_expired(self) -> None:
        """The session is too old (EVENT 29; J11: 601A 04); SKSTACK joins again by itself unless S17 forbids it."""
        self._home.module.radio.expire_session()

    def session_renewed(self) -> None:
        """The module renews the session now; how that goes is up to the faults of renewals."""
        self._home.module.radio.renew()

    def session_lifetime(self, lifetime_s: int) -> None:
        """Sessions and renewals from the next one on last so many s of the wall clock."""
        self._home.meter.paa.session_lifetime_s = lifetime_s

    def duty_limit(self, for_s: float) -> None:
        """The module may not transmit for so many s (EVENT 32, then 33; J11: detail 2 of each 2008)."""
        radio = self._home.module.radio
        radio.duty_limited = True
        self._lifting.cancel()
        self._lifting.after(for_s, self._lift_duty_limit)

    def meter_rebooted(self, for_s: float, channel: int | None = None, pan_id: int | None = None) -> None:
        """The meter is without mains for so many s and has no session after it, on a channel and PAN ID if given.

        The house has none either and takes nothing, and the log has no entries of that time.
        """
        self._home.meter.reboot(for_s, channel=channel, pan_id=pan_id)

    def meter_replaced(
        self,
        model: str | None = None,
        import_count: int | None = None,
        export_count: int | None = None,
        stored_s: float | None = None,
    ) -> None:
        """A new meter with the same ID hangs in its place: another MAC address and PAN ID, and it counts from 0.

        Its counters may begin with other raw counts. With stored_s it is a used one, which lay in a store for so many
        s: its log has entries of the house where it was before, and unless told otherwise it counts on from there.
        """
        earlier = None
        if stored_s is not None:
            earlier = replace(
                self._home.meter.registers,
                load=HouseLoad(EARLIER_HOUSE),
                initial_import=0,
                initial_export=0,
                installed_at=EPOCH,
                removed_at=self._home.clock.now() - timedelta(seconds=stored_s),
            )
        self._home.replace_meter(
            None if model is None else MODELS[model],
            import_count=import_count,
            export_count=export_count,
            earlier=earlier,
        )

    def credentials_reissued(self, identity: str | None = None, password: str | None = None) -> None:
        """The utility issues another B-route ID, or another password: the meter ends the session with a word."""
        self._home.meter.reissue(identity=identity, password=password)

    def meter_heard(self, lqi: int) -> None:
        """The meter is heard like this from now on: something was put in the way, or the module was moved."""
        self._home.meter.pan.lqi = lqi

    def meter_clock_wrong(self, by_s: float) -> None:
        """The meter's clock is set to the true time plus so many s; entries of its log keep the stamps they have."""
        self._home.meter.clock_offset = timedelta(seconds=by_s)

    def meter_clock_right(self) -> None:
        """The meter's clock is set to the true time; entries of its log keep the stamps they have."""
        self._home.meter.clock_offset = timedelta(0)

    def meter_counters_restarted(self, import_count: int = 0, export_count: int = 0) -> None:
        """The counters of the same meter begin anew at 0, or at the raw counts given; its log keeps what it has."""
        self._home.meter.restart_counters(import_count, export_count)

    def meter_scale_changed(
        self,
        unit: int | None = None,
        coefficient: int | None = None,
        digits: int | None = None,
        *,
        same_energy: bool = False,
    ) -> None:
        """The unit (E1, its code as a number), the coefficient (D3) or the digits (D7) of the same meter change.

        The raw counters go on from where they stand, or with same_energy from what shows the same kWh. The raw counts
        in its log stay what they are: whoever reads entries of before with the new scale gets wrong energies.
        """
        self._home.meter.change_scale(unit=unit, coefficient=coefficient, digits=digits, same_energy=same_energy)

    def load_stepped(self, power_w: int) -> None:
        """The house takes so many W from now on, negative = gives; not one with a household's day (see `--load`)."""
        load = self._home.load
        if not isinstance(load, ScriptedLoad):
            raise ValueError("this house has a day of its own: start it with --load")  # noqa: TRY004 - told as such
        load.step(self._home.clock.now(), power_w)

    def meter_faulty(self, *, faulty: bool) -> None:
        """The meter announces that it has a fault (property 88), or that it has none any more."""
        self._home.meter.fault = faulty

    def meter_operating(self, *, operating: bool) -> None:
        """The meter announces that it is in operation (property 80), or that it is not."""
        self._home.meter.operating = operating

    def meter_location(self, location: str) -> None:
        """The meter announces where it is installed (property 81): one byte, or the 17 of position data, in hex."""
        self._home.meter.location = bytes.fromhex(location)

    def neighbour_appeared(
        self,
        *,
        channel: int = 0x21,
        pan_id: int = 0x4321,
        lqi: int = 0xF0,
        mac: str = NEIGHBOUR_MAC.hex(),
        pairing_id: str | None = None,
        answers_anybody: bool = False,
    ) -> None:
        """A meter of another household is on the air, by default louder than ours and with our pairing ID.

        With another pairing ID, or an empty one, it is heard by our scan only if it answers anybody.
        """
        ours = self._home.meter.pan.pairing_id
        pan = Pan(
            channel=channel,
            pan_id=pan_id,
            lqi=lqi,
            mac=bytes.fromhex(mac),
            pairing_id=ours if pairing_id is None else pairing_id,
            answers_anybody=answers_anybody,
        )
        self._home.add_neighbour(pan)

    def neighbours_vanished(self) -> None:
        """There is no other household's meter on the air any more."""
        while self._home.neighbours:
            self._home.neighbours.pop().remove()

    def module_reset(self) -> None:
        """The module starts anew under us, without a word (J11: 6019)."""
        self._home.module.reset()

    def module_replaced(self, module: str) -> None:
        """Another product is plugged in under the same port name; the old one has left the meter properly."""
        if self._served is not None:
            self._served.unplug()
        self._home.replace_module(module)
        if self._served is not None:
            self._served.uart = self._home.module.uart
            self._served.plug()

    def port_unplugged(self, for_s: float | None = None, *, keeps_power: bool = False) -> None:
        """The port vanishes, for so many s or until it is plugged in; a module that has no other power starts anew."""
        port = self._home.module.port if self._served is None else self._served
        self._plugging.cancel()
        port.unplug()
        if not keeps_power:
            self._home.module.reset()
        if for_s is not None:
            self._plugging.after(for_s, self.port_plugged)

    def port_plugged(self) -> None:
        """The port is back under the same name."""
        self._plugging.cancel()
        port = self._home.module.port if self._served is None else self._served
        port.plug()

    def babble(self, pattern: bytes, for_s: float) -> None:
        r"""The module says a pattern over and over for so many s: \u0000 is a flood of NULs, x a line without end."""
        self._home.module.uart.babble(pattern, for_s)

    def _lift_duty_limit(self) -> None:
        self._home.module.radio.duty_limited = False

    @classmethod
    def _known(cls) -> dict[str, Callable[..., None]]:
        others = {"happen", "documentation", "close"}
        return {
            name: value
            for name, value in vars(cls).items()
            if inspect.isfunction(value) and name not in others
            if not name.startswith("_")
        }
