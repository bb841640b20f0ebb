"""aiobroute: an asynchronous client for Japanese smart meters on route B.

A Wi-SUN module on a serial port finds the meter and authenticates; this library speaks SKSTACK-IP with the module and
ECHONET Lite with the meter. It knows nothing of Home Assistant. Start at `SmartMeter`.
"""

from .credentials import ID_LENGTH, PASSWORD_LENGTH, Credentials, parse_id, parse_password
from .echonet.super_class import InstallationLocation, Place
from .echonet.values import JST
from .exceptions import (
    BrouteError,
    ClosedError,
    CredentialsRefusedError,
    MalformedCredentialsError,
    MalformedIdError,
    MalformedMemoryError,
    MalformedPasswordError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    NoSuchDayError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
    PortBusyError,
    PortError,
    PortMissingError,
    PortSharedError,
    PropertyError,
    PropertyRefusedError,
    SurveyUnderWayError,
)
from .journal import JournalEntry
from .link.base import Dialect, Drop, Module, Network
from .memory import Memory
from .meter import SmartMeter
from .plausibility import SUPPLY_LIMIT_W
from .raw_properties import MAX_RAW_PROPERTIES, RawProperty
from .reactions import SessionState
from .readings import BelievedCounters, ClockReading, Constants, CountersAt, Reading, Scale
from .recovery import Outage
from .session import Session
from .statistics import Statistics
from .status import MeterStatus
from .survey import SURVEY_DURATIONS, Heard

__all__ = [
    "ID_LENGTH",
    "JST",
    "MAX_RAW_PROPERTIES",
    "PASSWORD_LENGTH",
    "SUPPLY_LIMIT_W",
    "SURVEY_DURATIONS",
    "BelievedCounters",
    "BrouteError",
    "ClockReading",
    "ClosedError",
    "Constants",
    "CountersAt",
    "Credentials",
    "CredentialsRefusedError",
    "Dialect",
    "Drop",
    "Heard",
    "InstallationLocation",
    "JournalEntry",
    "MalformedCredentialsError",
    "MalformedIdError",
    "MalformedMemoryError",
    "MalformedPasswordError",
    "Memory",
    "MeterNotFoundError",
    "MeterSilentError",
    "MeterStatus",
    "Module",
    "ModuleError",
    "Network",
    "NoSuchDayError",
    "NotAModuleError",
    "NotJoinedError",
    "NotSentError",
    "Outage",
    "Place",
    "PortBusyError",
    "PortError",
    "PortMissingError",
    "PortSharedError",
    "PropertyError",
    "PropertyRefusedError",
    "RawProperty",
    "Reading",
    "Scale",
    "Session",
    "SessionState",
    "SmartMeter",
    "Statistics",
    "SurveyUnderWayError",
    "parse_id",
    "parse_password",
]
