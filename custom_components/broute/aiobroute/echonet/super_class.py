"""The properties that every ECHONET Lite device has (protocol 2.1)."""

from dataclasses import dataclass, field
from enum import StrEnum

from ..exceptions import PropertyError
from .property_map import decode_property_map
from .values import (
    PropertyCodec,
    check_length,
    code,
    decode_date,
    decode_time,
    measured_unsigned,
    raw,
    scaled,
    text,
    unsigned,
)


class Place(StrEnum):
    """Where a device is installed (protocol 2.1.1), in the order of the place codes 1 to 15."""

    LIVING_ROOM = "living_room"
    DINING_ROOM = "dining_room"
    KITCHEN = "kitchen"
    BATHROOM = "bathroom"
    TOILET = "toilet"
    WASHROOM = "washroom"
    PASSAGE = "passage"
    ROOM = "room"
    STAIRWAY = "stairway"
    FRONT_DOOR = "front_door"
    STOREROOM = "storeroom"
    GARDEN = "garden"
    GARAGE = "garage"
    BALCONY = "balcony"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class InstallationLocation:
    """Where the device is: `place` and `number` (0 to 7) are `None` where the maker defines the code or none is set.

    The 17-byte form, position data, is kept out of the representation: it says where the household is.
    """

    place: Place | None
    number: int | None
    edt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StandardVersion:
    """The release of the ECHONET Appendix that the device follows, a letter and a revision."""

    release: str
    revision: int

    def __str__(self) -> str:
        """Write it as the specification does."""
        return f"{self.release}.{self.revision}" if self.revision else self.release


@dataclass(frozen=True, slots=True)
class IdentificationNumber:
    """A number that no other device has. The unique part is never shown."""

    manufacturer_code: int
    unique: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OperatingTime:
    """Cumulative operating time: a count (32 bits) of a unit."""

    count: int
    unit: str


def _decode_location(edt: bytes) -> InstallationLocation:
    if len(edt) == 17 and edt[0] == 0x01:
        return InstallationLocation(None, None, edt)
    check_length(edt, 1)
    place = edt[0] >> 3
    if edt[0] & 0x80 or place == 0:
        return InstallationLocation(None, None, edt)
    return InstallationLocation(tuple(Place)[place - 1], edt[0] & 0x07, edt)


def _decode_version(edt: bytes) -> StandardVersion:
    check_length(edt, 4)
    release = chr(edt[2])
    if not (release.isascii() and release.isalpha()):
        raise PropertyError(f"{edt[2]:02X} is no release letter")
    return StandardVersion(release, edt[3])


def _decode_identification(edt: bytes) -> IdentificationNumber:
    check_length(edt, 17)
    if edt[0] != 0xFE:
        raise PropertyError(f"the form {edt[0]:02X} is not known")
    return IdentificationNumber(int.from_bytes(edt[1:4]), edt[4:])


def _decode_operating_time(edt: bytes) -> OperatingTime:
    check_length(edt, 5)
    unit = code({0x41: "s", 0x42: "min", 0x43: "h", 0x44: "d"})(edt[:1])
    return OperatingTime(int.from_bytes(edt[1:]), unit)


OPERATION_STATUS = PropertyCodec(0x80, "operation status", code({0x30: True, 0x31: False}))
INSTALLATION_LOCATION = PropertyCodec(0x81, "installation location", _decode_location)
STANDARD_VERSION = PropertyCodec(0x82, "standard version", _decode_version)
IDENTIFICATION_NUMBER = PropertyCodec(0x83, "identification number", _decode_identification)
OWN_POWER = PropertyCodec(0x84, "power consumption of the device, W", measured_unsigned(2, 65533))
OWN_ENERGY = PropertyCodec(
    0x85, "energy consumption of the device, kWh", scaled(measured_unsigned(4, 999_999_999), "0.001")
)
MANUFACTURER_FAULT_CODE = PropertyCodec(0x86, "manufacturer's fault code", raw(1, 255))
CURRENT_LIMIT = PropertyCodec(0x87, "current limit, %", unsigned(1, 0, 100))
FAULT_STATUS = PropertyCodec(0x88, "fault status", code({0x41: True, 0x42: False}))
FAULT_DESCRIPTION = PropertyCodec(0x89, "fault description", unsigned(2, 0, 0xFFFF))
MANUFACTURER_CODE = PropertyCodec(0x8A, "manufacturer code", unsigned(3, 0, 0xFFFFFF))
BUSINESS_FACILITY_CODE = PropertyCodec(0x8B, "business facility code", raw(3))
PRODUCT_CODE = PropertyCodec(0x8C, "product code", text(12))
SERIAL_NUMBER = PropertyCodec(0x8D, "production number", text(12))
PRODUCTION_DATE = PropertyCodec(0x8E, "production date", decode_date)
POWER_SAVING = PropertyCodec(0x8F, "power-saving operation", code({0x41: True, 0x42: False}))
REMOTE_CONTROL = PropertyCodec(
    0x93,
    "remote control",
    code({0x41: "not public", 0x42: "public", 0x61: "public, line normal", 0x62: "public, line faulty"}),
)
CURRENT_TIME = PropertyCodec(0x97, "current time", decode_time)
CURRENT_DATE = PropertyCodec(0x98, "current date", decode_date)
POWER_LIMIT = PropertyCodec(0x99, "power limit, W", unsigned(2, 0, 0xFFFF))
OPERATING_TIME = PropertyCodec(0x9A, "cumulative operating time", _decode_operating_time)
ANNOUNCEMENT_MAP = PropertyCodec(0x9D, "announcement property map", decode_property_map)
SET_MAP = PropertyCodec(0x9E, "set property map", decode_property_map)
GET_MAP = PropertyCodec(0x9F, "get property map", decode_property_map)

PROPERTIES: tuple[PropertyCodec[object], ...] = (
    OPERATION_STATUS,
    INSTALLATION_LOCATION,
    STANDARD_VERSION,
    IDENTIFICATION_NUMBER,
    OWN_POWER,
    OWN_ENERGY,
    MANUFACTURER_FAULT_CODE,
    CURRENT_LIMIT,
    FAULT_STATUS,
    FAULT_DESCRIPTION,
    MANUFACTURER_CODE,
    BUSINESS_FACILITY_CODE,
    PRODUCT_CODE,
    SERIAL_NUMBER,
    PRODUCTION_DATE,
    POWER_SAVING,
    REMOTE_CONTROL,
    CURRENT_TIME,
    CURRENT_DATE,
    POWER_LIMIT,
    OPERATING_TIME,
    ANNOUNCEMENT_MAP,
    SET_MAP,
    GET_MAP,
)
