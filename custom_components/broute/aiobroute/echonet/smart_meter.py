"""Class 0288, the low-voltage smart electric energy meter (protocol 2.2-2.5).

Energies are raw counters here: what they are in kWh needs the unit (E1) and the coefficient (D3) of the meter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from ..exceptions import PropertyError
from . import super_class
from .values import (
    Decoder,
    PropertyCodec,
    check_length,
    code,
    decode_date_time,
    encode_date_time,
    measured_signed,
    measured_unsigned,
    scaled,
    unsigned,
)

MAX_COUNTER = 99_999_999
MAX_COEFFICIENT = 999_999
MAX_DIGITS = 8
SLOTS_A_DAY = 48
MAX_DAYS_BACK = 99
MAX_HALF_HOURS = 12
MAX_MINUTES = 10
"""So many counters EC and EE give at once."""
MAX_PROPERTIES = 6
"""What a meter must handle in one request (AIF 2.4.4)."""
_NO_DAY = 0xFF

UNITS: Mapping[int, Decimal] = MappingProxyType(
    {
        0x00: Decimal(1),
        0x01: Decimal("0.1"),
        0x02: Decimal("0.01"),
        0x03: Decimal("0.001"),
        0x04: Decimal("0.0001"),
        0x0A: Decimal(10),
        0x0B: Decimal(100),
        0x0C: Decimal(1000),
        0x0D: Decimal(10000),
    }
)
"""kWh of one count, by the code of E1 (protocol 2.3)."""

_decode_counter = measured_unsigned(4, MAX_COUNTER)
_decode_power = measured_signed(4)
_decode_current = scaled(measured_signed(2), "0.1")


@dataclass(frozen=True, slots=True)
class RouteBIdentification:
    """The meter's own number on route B. The unique part is never shown."""

    manufacturer_code: int
    unique: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Currents:
    """The current of each phase in A, in steps of 0.1; negative is export.

    `None`: no data, which for T is a single-phase two-wire meter.
    """

    r_a: Decimal | None
    t_a: Decimal | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Raw counters of both directions at one instant; `None`: no data."""

    normal: int | None
    reverse: int | None


@dataclass(frozen=True, slots=True)
class OneMinuteCounters:
    """Both counters at the last full minute (D0)."""

    at: datetime | None
    counters: Counters


@dataclass(frozen=True, slots=True)
class FixedTimeCounter:
    """One direction's counter at the last half hour (EA, EB). `at` is `None` before the first one."""

    at: datetime | None
    counter: int | None


@dataclass(frozen=True, slots=True)
class DayHistory:
    """One direction's counters at 00:00, 00:30, … 23:30 of the day that E5 chose (E2, E4).

    `day`: days back by the meter's date, 0 is today; `None` before a day was chosen. A counter is `None` for a time to
    come, or one that the meter does not keep.
    """

    day: int | None
    counters: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class IntervalHistory:
    """Counters of both directions, the newest first (EC in half hours, EE in minutes), from `at` backwards."""

    at: datetime | None
    counters: tuple[Counters, ...]


@dataclass(frozen=True, slots=True)
class IntervalChoice:
    """What ED or EF chose: `count` sets from `at` backwards; `at` is `None` before anything was chosen."""

    at: datetime | None
    count: int


def _decode_identification(edt: bytes) -> RouteBIdentification:
    check_length(edt, 16)
    if edt[0] != 0x00:
        raise PropertyError(f"the form {edt[0]:02X} is not known")
    return RouteBIdentification(int.from_bytes(edt[1:4]), edt[4:])


def _decode_currents(edt: bytes) -> Currents:
    check_length(edt, 4)
    return Currents(_decode_current(edt[:2]), _decode_current(edt[2:]))


def _decode_counters(data: bytes) -> Counters:
    return Counters(_decode_counter(data[:4]), _decode_counter(data[4:8]))


def _decode_one_minute(edt: bytes) -> OneMinuteCounters:
    check_length(edt, 15)
    return OneMinuteCounters(decode_date_time(edt[:7]), _decode_counters(edt[7:]))


def _decode_fixed_time(edt: bytes) -> FixedTimeCounter:
    check_length(edt, 11)
    return FixedTimeCounter(decode_date_time(edt[:7]), _decode_counter(edt[7:]))


def _decode_day_history(edt: bytes) -> DayHistory:
    check_length(edt, 2 + 4 * SLOTS_A_DAY)
    day = int.from_bytes(edt[:2])
    if day > MAX_DAYS_BACK and day != _NO_DAY:
        raise PropertyError(f"day {day} is not between 0 and {MAX_DAYS_BACK}")
    counters = tuple(_decode_counter(edt[start : start + 4]) for start in range(2, len(edt), 4))
    return DayHistory(None if day == _NO_DAY else day, counters)


def _decode_day(edt: bytes) -> int | None:
    check_length(edt, 1)
    return None if edt[0] == _NO_DAY else unsigned(1, 0, MAX_DAYS_BACK)(edt)


def _interval_choice(max_count: int, minute_step: int) -> Decoder[IntervalChoice]:
    def decode(edt: bytes) -> IntervalChoice:
        check_length(edt, 7)
        at = decode_date_time(edt[:6])
        if at and at.minute % minute_step:
            raise PropertyError(f"minute {at.minute} is no multiple of {minute_step}")
        return IntervalChoice(at, unsigned(1, 1, max_count)(edt[6:]))

    return decode


def _interval_history(max_count: int, minute_step: int) -> Decoder[IntervalHistory]:
    decode_choice = _interval_choice(max_count, minute_step)

    def decode(edt: bytes) -> IntervalHistory:
        choice = decode_choice(edt[:7])
        check_length(edt, 7 + 8 * choice.count)
        return IntervalHistory(
            choice.at, tuple(_decode_counters(edt[start : start + 8]) for start in range(7, len(edt), 8))
        )

    return decode


def encode_day(days_back: int) -> bytes:
    """Encode E5: 0 is today, 99 the most."""
    if not 0 <= days_back <= MAX_DAYS_BACK:
        raise ValueError(f"A meter's history goes back 0 to {MAX_DAYS_BACK} days, not {days_back}")
    return bytes((days_back,))


def encode_interval_choice(at: datetime, count: int) -> bytes:
    """Encode ED (count 1 to 12, at a half hour) or EF (count 1 to 10)."""
    return encode_date_time(at) + bytes((count,))


ROUTE_B_IDENTIFICATION = PropertyCodec(0xC0, "route-B identification number", _decode_identification)
ONE_MINUTE_ENERGY = PropertyCodec(0xD0, "one-minute cumulative energy", _decode_one_minute)
COEFFICIENT = PropertyCodec(0xD3, "coefficient", unsigned(4, 0, MAX_COEFFICIENT))
EFFECTIVE_DIGITS = PropertyCodec(0xD7, "number of effective digits", unsigned(1, 1, MAX_DIGITS))
NORMAL_ENERGY = PropertyCodec(0xE0, "cumulative energy, normal direction", _decode_counter)
ENERGY_UNIT = PropertyCodec(0xE1, "unit for cumulative energy", code(dict(UNITS)))
NORMAL_DAY_HISTORY = PropertyCodec(0xE2, "history 1, normal direction", _decode_day_history)
REVERSE_ENERGY = PropertyCodec(0xE3, "cumulative energy, reverse direction", _decode_counter)
REVERSE_DAY_HISTORY = PropertyCodec(0xE4, "history 1, reverse direction", _decode_day_history)
HISTORY_DAY = PropertyCodec(0xE5, "day of history 1", _decode_day)
POWER = PropertyCodec(0xE7, "instantaneous power", _decode_power)
CURRENTS = PropertyCodec(0xE8, "instantaneous currents", _decode_currents)
NORMAL_FIXED_TIME = PropertyCodec(0xEA, "cumulative energy at fixed time, normal direction", _decode_fixed_time)
REVERSE_FIXED_TIME = PropertyCodec(0xEB, "cumulative energy at fixed time, reverse direction", _decode_fixed_time)
HALF_HOUR_HISTORY = PropertyCodec(0xEC, "history 2", _interval_history(MAX_HALF_HOURS, 30))
HALF_HOUR_CHOICE = PropertyCodec(0xED, "day and time of history 2", _interval_choice(MAX_HALF_HOURS, 30))
ONE_MINUTE_HISTORY = PropertyCodec(0xEE, "history 3", _interval_history(MAX_MINUTES, 1))
ONE_MINUTE_CHOICE = PropertyCodec(0xEF, "day and time of history 3", _interval_choice(MAX_MINUTES, 1))

HISTORIES = frozenset(
    codec.epc for codec in (NORMAL_DAY_HISTORY, REVERSE_DAY_HISTORY, HALF_HOUR_HISTORY, ONE_MINUTE_HISTORY)
)
"""What takes the meter longer, and is asked for alone."""

PROPERTIES: Mapping[int, PropertyCodec[object]] = MappingProxyType(
    {
        codec.epc: codec
        for codec in (
            *super_class.PROPERTIES,
            ROUTE_B_IDENTIFICATION,
            ONE_MINUTE_ENERGY,
            COEFFICIENT,
            EFFECTIVE_DIGITS,
            NORMAL_ENERGY,
            ENERGY_UNIT,
            NORMAL_DAY_HISTORY,
            REVERSE_ENERGY,
            REVERSE_DAY_HISTORY,
            HISTORY_DAY,
            POWER,
            CURRENTS,
            NORMAL_FIXED_TIME,
            REVERSE_FIXED_TIME,
            HALF_HOUR_HISTORY,
            HALF_HOUR_CHOICE,
            ONE_MINUTE_HISTORY,
            ONE_MINUTE_CHOICE,
        )
    }
)
"""Every property of the class, by EPC."""
