"""The forms that property data take: numbers with their special codes, dates, texts (protocol 2.1-2.3).

A decoder takes the whole EDT, checks its length and range, and returns a value, with `None` for "no data"; whatever
else is wrong is a `PropertyError`. Above: the tables of properties of the object classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

from ..exceptions import PropertyError, PropertyRefusedError, ValueOverflowError, ValueUnderflowError

JST = timezone(timedelta(hours=9), "JST")
"""The meter's clock: Japan has no daylight saving (protocol 5.4)."""
YEARS = range(2000, 2100)
"""Those of the dates that are taken. No meter of this class is older. The specification names no bounds (protocol 2.1,
2.2), but the calendar ends with the years 1 and 9999: nothing can be taken from its first day or added to its last."""

type Decoder[T] = Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class PropertyCodec[T]:
    """A property of an object class: its EPC, its name and how its data are read."""

    epc: int
    name: str
    decoder: Decoder[T]

    def decode(self, edt: bytes) -> T:
        """Decode the data of an answer.

        Raises:
            PropertyRefusedError: there are none (PDC 0), which is how Get_SNA names what it cannot give.
            ValueOverflowError, ValueUnderflowError: the code for out of the measurable range.
            PropertyError: a wrong length, a value out of range, an unknown code.
        """
        if not edt:
            raise PropertyRefusedError(f"{self}: the meter does not give it")
        try:
            return self.decoder(edt)
        except PropertyError as err:
            raise type(err)(f"{self}: {err}") from None

    def __str__(self) -> str:
        """Name the property as the specification does."""
        return f"{self.epc:02X} ({self.name})"


def check_length(edt: bytes, length: int) -> None:
    """Raise `PropertyError` unless the PDC is right."""
    if len(edt) != length:
        raise PropertyError(f"{len(edt)} bytes instead of {length}")


def unsigned(size: int, low: int, high: int) -> Decoder[int]:
    """Decode a number that has no special codes."""

    def decode(edt: bytes) -> int:
        check_length(edt, size)
        value = int.from_bytes(edt)
        if not low <= value <= high:
            raise PropertyError(f"{value} is not between {low} and {high}")
        return value

    return decode


def measured_unsigned(size: int, high: int) -> Decoder[int | None]:
    """Decode a measured number: all ones is overflow, one less is "no data" (or underflow, which means the same)."""
    overflow = (1 << 8 * size) - 1

    def decode(edt: bytes) -> int | None:
        check_length(edt, size)
        value = int.from_bytes(edt)
        if value == overflow:
            raise ValueOverflowError("above the measurable range")
        if value == overflow - 1:
            return None
        if value > high:
            raise PropertyError(f"{value} is more than {high}")
        return value

    return decode


def measured_signed(size: int) -> Decoder[int | None]:
    """Decode a measured number with sign: 7F…FF is overflow, 7F…FE no data, 80…00 underflow."""
    overflow = (1 << 8 * size - 1) - 1

    def decode(edt: bytes) -> int | None:
        check_length(edt, size)
        value = int.from_bytes(edt, signed=True)
        if value == overflow:
            raise ValueOverflowError("above the measurable range")
        if value == -overflow - 1:
            raise ValueUnderflowError("below the measurable range")
        return None if value == overflow - 1 else value

    return decode


def scaled(decoder: Decoder[int | None], unit: str) -> Decoder[Decimal | None]:
    """Decode a number and multiply it by its unit, exactly."""
    factor = Decimal(unit)

    def decode(edt: bytes) -> Decimal | None:
        value = decoder(edt)
        return None if value is None else value * factor

    return decode


def code[T](meanings: dict[int, T]) -> Decoder[T]:
    """Decode one byte that stands for something."""

    def decode(edt: bytes) -> T:
        check_length(edt, 1)
        try:
            return meanings[edt[0]]
        except KeyError:
            raise PropertyError(f"the code {edt[0]:02X} has no meaning") from None

    return decode


def raw(low: int, high: int | None = None) -> Decoder[bytes]:
    """Take the bytes as they are, between `low` and `high` of them (`low` exactly when there is no `high`)."""

    def decode(edt: bytes) -> bytes:
        if not low <= len(edt) <= (high or low):
            raise PropertyError(f"{len(edt)} bytes instead of {low}" + (f" to {high}" if high else ""))
        return edt

    return decode


def text(size: int) -> Decoder[str]:
    """Decode ASCII that is filled up with NUL or spaces."""

    def decode(edt: bytes) -> str:
        check_length(edt, size)
        try:
            value = edt.rstrip(b"\0 ").decode("ascii")
        except UnicodeDecodeError:
            raise PropertyError("not ASCII") from None
        if not value.isprintable():
            raise PropertyError("control characters")
        return value

    return decode


def decode_date(edt: bytes) -> date:
    """Decode year (2 bytes), month, day."""
    check_length(edt, 4)
    try:
        return date(_decode_year(edt), edt[2], edt[3])
    except ValueError as err:
        raise PropertyError(f"no date: {err}") from None


def decode_time(edt: bytes) -> time:
    """Decode hour and minute, by the meter's clock (JST)."""
    check_length(edt, 2)
    try:
        return time(edt[0], edt[1], tzinfo=JST)
    except ValueError as err:
        raise PropertyError(f"no time of day: {err}") from None


def decode_date_time(data: bytes) -> datetime | None:
    """Decode the 6 or 7 bytes of a date and time, by the meter's clock (JST); all FF, the initial value, is `None`."""
    if data == b"\xff" * len(data):
        return None
    try:
        second = data[6] if len(data) > 6 else 0
        return datetime(_decode_year(data), data[2], data[3], data[4], data[5], second, tzinfo=JST)
    except ValueError as err:
        raise PropertyError(f"no date and time: {err}") from None


def _decode_year(data: bytes) -> int:
    year = int.from_bytes(data[:2])
    if year not in YEARS:
        raise PropertyError(f"the year {year} is not between {YEARS[0]} and {YEARS[-1]}")
    return year


def encode_date_time(at: datetime) -> bytes:
    """Encode year, month, day, hour and minute, by the meter's clock (JST)."""
    local = at.astimezone(JST)
    return local.year.to_bytes(2) + bytes((local.month, local.day, local.hour, local.minute))
