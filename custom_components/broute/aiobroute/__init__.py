"""aiobroute: an asynchronous client for Japanese smart meters on route B.

A Wi-SUN module on a serial port finds the meter and authenticates; this library speaks SKSTACK-IP with the module and
ECHONET Lite with the meter. It knows nothing of Home Assistant. Start at `SmartMeter`.
"""

from .credentials import ID_LENGTH, PASSWORD_LENGTH, Credentials, parse_id, parse_password
from .exceptions import (
    BrouteError,
    ClosedError,
    CredentialsRefusedError,
    MalformedCredentialsError,
    MalformedIdError,
    MalformedPasswordError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    NotAModuleError,
    NotJoinedError,
    NotSentError,
    PortBusyError,
    PortError,
    PortMissingError,
    PropertyError,
)
from .link.base import Dialect, Module, Network
from .meter import SmartMeter
from .readings import Constants, HalfHour, Reading, Scale
from .session import Session, SessionState

__all__ = [
    "ID_LENGTH",
    "PASSWORD_LENGTH",
    "BrouteError",
    "ClosedError",
    "Constants",
    "Credentials",
    "CredentialsRefusedError",
    "Dialect",
    "HalfHour",
    "MalformedCredentialsError",
    "MalformedIdError",
    "MalformedPasswordError",
    "MeterNotFoundError",
    "MeterSilentError",
    "Module",
    "ModuleError",
    "Network",
    "NotAModuleError",
    "NotJoinedError",
    "NotSentError",
    "PortBusyError",
    "PortError",
    "PortMissingError",
    "PropertyError",
    "Reading",
    "Scale",
    "Session",
    "SessionState",
    "SmartMeter",
    "parse_id",
    "parse_password",
]
