"""What a meter is and says, in kWh, W and A: plain values without behaviour of their own.

Above: `SmartMeter`, which makes them, and whoever shows them. Below: the class of the meter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from .echonet import smart_meter
from .exceptions import PropertyError

_MAC_SIZE = 8
_LARGEST_NUMBER = 1e300
"""JSON has integers that no float can hold."""

CLOCK_RESOLUTION = timedelta(minutes=1)
CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What makes kWh of a counter: kWh of one count, the coefficient (1 where the meter has none) and the digits."""

    unit_kwh: Decimal
    coefficient: int
    effective_digits: int

    def energy_kwh(self, counter: int | None) -> Decimal | None:
        """Convert a raw counter, exactly; `None` stays `None`.

        Raises:
            PropertyError: the counter has more digits than the meter.
        """
        if counter is None:
            return None
        if counter >= 10**self.effective_digits:
            raise PropertyError(f"A counter has more than {self.effective_digits} digits")
        return counter * self.coefficient * self.unit_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What does not change in a meter: it can be stored, and given back at the next start.

    `mac`: the meter that it is true of. `max_properties`: how many properties this meter answers in one request.
    The standard version and the maps change when the utility updates the meter's software.
    """

    mac: bytes = field(repr=False)
    scale: Scale
    manufacturer_code: int | None
    serial_number: str | None = field(repr=False)
    standard_version: str | None
    get_map: frozenset[int]
    set_map: frozenset[int]
    announcement_map: frozenset[int]
    max_properties: int = smart_meter.MAX_PROPERTIES

    @property
    def measures_export(self) -> bool:
        """Whether the meter counts the reverse direction."""
        return smart_meter.REVERSE_ENERGY.epc in self.get_map

    @property
    def logs_export(self) -> bool:
        """Whether the meter keeps a log of the reverse direction."""
        by_day = smart_meter.REVERSE_DAY_HISTORY.epc in self.get_map
        by_half_hours = smart_meter.HALF_HOUR_HISTORY.epc in self.get_map
        return by_day or (self.measures_export and by_half_hours and smart_meter.HALF_HOUR_CHOICE.epc in self.set_map)

    @property
    def logs_minutes(self) -> bool:
        """Whether the meter keeps a log of minutes, which those of the second generation do."""
        by_minute = smart_meter.ONE_MINUTE_HISTORY.epc in self.get_map
        return by_minute and smart_meter.ONE_MINUTE_CHOICE.epc in self.set_map

    def as_dict(self) -> dict[str, Any]:
        """Return it in types that JSON has."""
        return {
            "mac": self.mac.hex(),
            "unit_kwh": str(self.scale.unit_kwh),
            "coefficient": self.scale.coefficient,
            "effective_digits": self.scale.effective_digits,
            "manufacturer_code": self.manufacturer_code,
            "serial_number": self.serial_number,
            "standard_version": self.standard_version,
            "get_map": sorted(self.get_map),
            "set_map": sorted(self.set_map),
            "announcement_map": sorted(self.announcement_map),
            "max_properties": self.max_properties,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_dict` wrote; raise `KeyError`, `TypeError` or `ValueError` for anything else."""
        code = data["manufacturer_code"]
        return cls(
            mac=stored_mac(data["mac"]),
            scale=Scale(
                unit_kwh=_UNITS[data["unit_kwh"]],
                coefficient=stored_integer(data["coefficient"], 1, smart_meter.MAX_COEFFICIENT),
                effective_digits=stored_integer(data["effective_digits"], 1, smart_meter.MAX_DIGITS),
            ),
            manufacturer_code=None if code is None else stored_integer(code, 0, 0xFFFFFF),
            serial_number=stored_text(data["serial_number"]),
            standard_version=stored_text(data["standard_version"]),
            get_map=_stored_map(data["get_map"]),
            set_map=_stored_map(data["set_map"]),
            announcement_map=_stored_map(data["announcement_map"]),
            max_properties=stored_integer(data["max_properties"], 1, smart_meter.MAX_PROPERTIES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BelievedCounters:
    """The raw counters that a meter was last believed: they can be stored, and given back at the next start.

    `mac`: the meter that counted them. `normal` and `reverse`: `None` where none was believed. `seen_at`: before which
    request, the earlier of the two, on the event loop's clock, which other processes of this machine share until it is
    started anew; `None` where nobody knows.
    """

    mac: bytes = field(repr=False)
    normal: int | None
    reverse: int | None
    seen_at: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it in types that JSON has."""
        return {"mac": self.mac.hex(), "normal": self.normal, "reverse": self.reverse, "seen_at": self.seen_at}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_dict` wrote; raise `KeyError`, `TypeError` or `ValueError` for anything else."""
        normal, reverse, seen_at = data["normal"], data["reverse"], data["seen_at"]
        return cls(
            mac=stored_mac(data["mac"]),
            normal=None if normal is None else stored_integer(normal, 0, smart_meter.MAX_COUNTER),
            reverse=None if reverse is None else stored_integer(reverse, 0, smart_meter.MAX_COUNTER),
            seen_at=None if seen_at is None else stored_number(seen_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the meter says now.

    Power in W and current in A, negative for export; energies in kWh, the meter's counters. `None` means that the
    meter has no such value now, or that it could not be read or cannot be true: then `errors` says why, by EPC.
    """

    power_w: int | None
    current_r_a: Decimal | None
    current_t_a: Decimal | None
    import_kwh: Decimal | None
    export_kwh: Decimal | None
    errors: Mapping[int, PropertyError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersAt:
    """The counters at a full or half hour, or at a full minute, in kWh; `at` is by the meter's clock (JST).

    `None`: not kept, not measured, still to come, or not believed.
    """

    at: datetime
    import_kwh: Decimal | None
    export_kwh: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """What the meter's clock showed, to the minute (JST), between two instants of the event loop's clock.

    `asked_s` is before the request, its wait for its turn included, and `answered_s` behind the answer. Somewhere
    between them the meter's clock showed `shown` and 0 to 60 s.
    """

    shown: datetime
    asked_s: float
    answered_s: float

    def earliest(self, now_s: float) -> datetime:
        """Return what the meter's clock shows at least, at another instant."""
        return self.shown + timedelta(seconds=now_s - self.answered_s)

    def latest(self, now_s: float) -> datetime:
        """Return what the meter's clock shows at most, at another instant."""
        return self.shown + CLOCK_RESOLUTION + timedelta(seconds=now_s - self.asked_s)

    def instants(self, at: datetime) -> tuple[float, float]:
        """Return between which instants the meter's clock showed, or will show, a date and time."""
        lapse_s = (at - self.shown).total_seconds()
        return self.asked_s + lapse_s - CLOCK_RESOLUTION.total_seconds(), self.answered_s + lapse_s

    def goes_on_from(self, other: ClockReading) -> bool:
        """Tell whether both can be of one clock, which runs a minute fast or slow from one to the other at most."""
        return (
            self.earliest(self.answered_s) <= other.latest(self.answered_s) + CLOCK_TOLERANCE
            and other.earliest(self.answered_s) <= self.latest(self.answered_s) + CLOCK_TOLERANCE
        )


# What was stored may have been damaged, and what is taken of it is calculated with later.

_UNITS = {str(unit_kwh): unit_kwh for unit_kwh in smart_meter.UNITS.values()}


def stored_integer(value: object, low: int, high: int) -> int:
    """Return a stored integer; raise `ValueError` for any other number, and for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"What was stored is no integer of {low} to {high}")
    return value


def stored_number(value: object) -> float:
    """Return a stored number; raise `ValueError` for one that is not finite, and for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("What was stored is no number")  # noqa: TRY004 - however it was damaged
    if not abs(value) <= _LARGEST_NUMBER:
        raise ValueError("What was stored is not finite")
    return float(value)


def stored_mac(value: str) -> bytes:
    """Return a stored MAC address, 8 bytes; raise `TypeError` or `ValueError` for anything else."""
    mac = bytes.fromhex(value)
    if len(mac) != _MAC_SIZE:
        raise ValueError("What was stored is no address")
    return mac


def stored_text(value: object) -> str | None:
    """Return a stored text or `None`; raise `ValueError` for anything else."""
    if value is not None and not isinstance(value, str):
        raise ValueError("What was stored is no text")
    return value


def _stored_map(value: Iterable[object]) -> frozenset[int]:
    return frozenset(stored_integer(epc, 0x80, 0xFF) for epc in value)
