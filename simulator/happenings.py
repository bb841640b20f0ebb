"""What can happen to a home all at once, by name: sessions end, a meter restarts, a port vanishes.

Above it is whoever makes things happen, from Python or over the control port; it only calls the parts. Conditions that
last, and counts of what is still to go wrong, are switches of `faults`.
"""

from collections.abc import Callable, Mapping
import inspect
from typing import Protocol

from .air import CHANNELS, Pan
from .clock import Timers
from .faults import UnknownNameError
from .faults.switches import count, flag, hexadecimal, octets, seconds
from .home import SimulatedHome
from .models import MODELS
from .products import PRODUCTS
from .uart import Uart

NEIGHBOUR_MAC = bytes.fromhex("001D129087654321")


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
    "faulty": flag,
    "keeps_power": flag,
    "model": _one_of(MODELS),
    "module": _one_of(PRODUCTS),
    "pattern": _pattern,
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
        """The meter is without mains for so many s and has no session after it, on a channel and PAN ID if given."""
        self._home.meter.reboot(for_s, channel=channel, pan_id=pan_id)

    def meter_replaced(self, model: str | None = None) -> None:
        """A new meter with the same ID hangs in its place: another MAC address and PAN ID, and it counts from 0."""
        self._home.replace_meter(None if model is None else MODELS[model])

    def meter_faulty(self, *, faulty: bool) -> None:
        """The meter announces that it has a fault (property 88), or that it has none any more."""
        self._home.meter.fault = faulty

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
