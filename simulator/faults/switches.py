"""What a switch is: a field with its documentation, a default that means "off", and a way to set it by name.

Below all tables of this folder. Values that come from outside as JSON are read by the reader that each field names.
"""

from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, fields
from random import Random
from string import hexdigits
from typing import Any

from simulator.clock import Clock, Timers


class UnknownNameError(LookupError):
    """There is nothing of that name; the message names what there is."""

    def __init__(self, name: object, known: list[str]) -> None:
        super().__init__(f"unknown name {name!r}; known are {', '.join(sorted(known))}")


def switch[T](doc: str, read: Callable[[object], T], *, off: T) -> T:
    """Make a field of a table.

    Args:
        doc: what goes wrong, with units.
        read: makes the value from JSON, or raises ValueError.
        off: the value that means that nothing goes wrong.
    """
    made: T = field(default_factory=lambda: copy(off), metadata={"doc": doc, "read": read})
    return made


def flag(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")  # noqa: TRY004 - all readers raise the same
    return value


def count(value: object) -> int:
    """Take a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0 on is wanted")
    return value


def number(value: object) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is wanted")  # noqa: TRY004
    return value


def seconds(value: object) -> float:
    """Take a number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("a number from 0 on is wanted")
    return float(value)


def share(value: object) -> float:
    """Take a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1 is wanted")
    return float(value)


def octets(value: object) -> bytes:
    """Take a text, of which each character stands for the byte of its number."""
    if not isinstance(value, str):
        raise ValueError("a text is wanted")  # noqa: TRY004
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError("a text of characters up to \\u00ff is wanted") from error


def hexadecimal(value: object) -> str:
    """Take a text of pairs of hexadecimal digits."""
    if not isinstance(value, str) or len(value) % 2 or set(value) - set(hexdigits):
        raise ValueError("pairs of hexadecimal digits are wanted")
    return value


def entries[T](read: Callable[[object], T]) -> Callable[[object], deque[T]]:
    """Return what takes a list."""

    def taken(value: object) -> deque[T]:
        if not isinstance(value, list):
            raise ValueError("a list is wanted")  # noqa: TRY004
        return deque(read(entry) for entry in value)

    return taken


def by_name[T](read: Callable[[object], T]) -> Callable[[object], dict[str, T]]:
    """Return what takes an object."""

    def taken(value: object) -> dict[str, T]:
        if not isinstance(value, dict):
            raise ValueError("an object is wanted")  # noqa: TRY004
        return {str(name): read(entry) for name, entry in value.items()}

    return taken


@dataclass(eq=False)
class Switches:
    """A table of switches.

    Args:
        clock: the time, for what is to be switched off by itself.
        random: where damage strikes.
    """

    clock: Clock
    random: Random

    def __post_init__(self) -> None:
        """Begin with no switch that is on for a time."""
        self._ends: dict[str, Timers] = {}

    @classmethod
    def documentation(cls) -> dict[str, str]:
        """Return what each switch does, by name."""
        return {entry.name: entry.metadata["doc"] for entry in fields(cls) if entry.metadata}

    def on(self) -> dict[str, object]:
        """Return the switches that are not off, with their values, by name."""
        values = {name: getattr(self, name) for name in self.documentation()}
        return {name: value for name, value in values.items() if value != self._field(name)["off"]()}

    def set(self, for_s: float | None = None, **values: object) -> None:
        """Set switches by name.

        Args:
            for_s: after so many s, which `speed` divides as every delay, they are off by themselves; `None`: they stay.
            values: the new values.

        Raises:
            UnknownNameError: there is no such switch; none is set.
        """
        for name in values:
            self._field(name)
        for name, value in values.items():
            self._ends.setdefault(name, Timers(self.clock)).cancel()
            setattr(self, name, value)
            if for_s is not None:
                self._ends[name].after(for_s, self.off, name)

    def read(self, name: str, value: object) -> object:
        """Return what a value from JSON means for the switch of that name.

        Raises:
            UnknownNameError: there is no such switch.
            ValueError: it is no such value.
        """
        reader: Callable[[object], object] = self._field(name)["read"]
        try:
            return reader(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def off(self, *names: str) -> None:
        """Switch the named ones off, or all.

        Raises:
            UnknownNameError: there is no such switch.
        """
        self.set(**{name: self._field(name)["off"]() for name in names or self.documentation()})

    def close(self) -> None:
        """Stop all timers."""
        for timers in self._ends.values():
            timers.cancel()

    def strikes(self, name: str) -> bool:
        """Use up one of the named count; false when none is left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def _field(self, name: str) -> dict[str, Any]:
        for entry in fields(self):
            if entry.name == name and entry.metadata:
                return {**entry.metadata, "off": entry.default_factory}
        raise UnknownNameError(name, list(self.documentation()))
