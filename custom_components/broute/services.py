"""The actions: reading the meter's own log, into the statistics or for the caller; reading faster; finding a fault.

Above: users, their automations and scripts. Below: the coordinator of the meter that is meant.
"""

from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from .aiobroute import MAX_RAW_PROPERTIES, BrouteError, ClosedError, NotJoinedError, RawProperty, SurveyUnderWayError
from .const import DEFAULT_HISTORY_DAYS, DOMAIN, MAX_HISTORY_DAYS, SURVEY_DURATION
from .coordinator import BrouteConfigEntry, BrouteCoordinator, reason_of
from .history.clock import ClockWrongError
from .history.planner import Gap
from .history.series import RecorderError
from .household.boost import DEFAULT_DURATION_S, DURATION_S
from .report import async_report

IMPORT_HISTORY: Final = "import_history"
GET_HISTORY: Final = "get_history"
SURVEY: Final = "survey"
READ_PROPERTIES: Final = "read_properties"
BOOST: Final = "boost"
REPORT: Final = "report"

ATTR_ENTRY: Final = "config_entry_id"
ATTR_DAYS: Final = "days"
ATTR_FROM: Final = "from"
ATTR_TO: Final = "to"
ATTR_PROPERTIES: Final = "properties"
ATTR_DURATION: Final = "duration"

# `voluptuous` is another library to the type checker than it is in Home Assistant.
_IMPORT_SCHEMA: Final[Any] = vol.Schema(
    {
        vol.Optional(ATTR_ENTRY): cv.string,
        vol.Optional(ATTR_DAYS, default=DEFAULT_HISTORY_DAYS): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=MAX_HISTORY_DAYS)
        ),
    }
)
_GET_SCHEMA: Final[Any] = vol.Schema(
    {vol.Optional(ATTR_ENTRY): cv.string, vol.Required(ATTR_FROM): cv.datetime, vol.Optional(ATTR_TO): cv.datetime}
)
_SURVEY_SCHEMA: Final[Any] = vol.Schema({vol.Optional(ATTR_ENTRY): cv.string})
_READ_SCHEMA: Final[Any] = vol.Schema(
    {
        vol.Optional(ATTR_ENTRY): cv.string,
        vol.Required(ATTR_PROPERTIES): vol.All(
            cv.ensure_list,
            vol.Length(min=1, max=MAX_RAW_PROPERTIES),
            [vol.All(cv.string, vol.Match(r"(?i)^[8-9a-f][0-9a-f]$"))],
        ),
    }
)

_REPORT_SCHEMA: Final[Any] = vol.Schema({vol.Optional(ATTR_ENTRY): cv.string})
_BOOST_SCHEMA: Final[Any] = vol.Schema(
    {
        vol.Optional(ATTR_ENTRY): cv.string,
        vol.Optional(ATTR_DURATION, default=DEFAULT_DURATION_S): vol.All(
            cv.time_period,
            vol.Range(min=timedelta(seconds=DURATION_S[0]), max=timedelta(seconds=DURATION_S[1])),
        ),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN, IMPORT_HISTORY, _import_history, _IMPORT_SCHEMA, supports_response=SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, GET_HISTORY, _get_history, _GET_SCHEMA, supports_response=SupportsResponse.ONLY
    )
    hass.services.async_register(DOMAIN, SURVEY, _survey, _SURVEY_SCHEMA, supports_response=SupportsResponse.ONLY)
    hass.services.async_register(
        DOMAIN, READ_PROPERTIES, _read_properties, _READ_SCHEMA, supports_response=SupportsResponse.ONLY
    )
    hass.services.async_register(DOMAIN, BOOST, _boost, _BOOST_SCHEMA)
    hass.services.async_register(DOMAIN, REPORT, _report, _REPORT_SCHEMA, supports_response=SupportsResponse.ONLY)


async def _import_history(call: ServiceCall) -> ServiceResponse:
    """Read the meter's log once more, and write what follows into the statistics."""
    coordinator = _coordinator_of(call)
    try:
        imported = await coordinator.log.async_import(call.data[ATTR_DAYS])
    except (BrouteError, ClockWrongError, RecorderError) as err:
        raise _failed(err, coordinator) from err
    return {
        "days_read": [day.isoformat() for day in imported.days],
        "hours_written": {**imported.rows},
        "gaps": {direction: [_gap(gap) for gap in gaps] for direction, gaps in imported.gaps.items()},
    }


async def _get_history(call: ServiceCall) -> ServiceResponse:
    """Return the half hours of the meter's log between two times."""
    start = _local(call.data[ATTR_FROM])
    end = _local(call.data[ATTR_TO]) if ATTR_TO in call.data else dt_util.utcnow()
    if not dt_util.utcnow() - timedelta(days=MAX_HISTORY_DAYS) <= start < end:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_such_time",
            translation_placeholders={"days": str(MAX_HISTORY_DAYS)},
        )
    coordinator = _coordinator_of(call)
    try:
        half_hours = await coordinator.log.async_get(start, end)
    except BrouteError as err:
        raise _failed(err, coordinator) from err
    return {
        "half_hours": [
            {
                "start": half_hour.start.isoformat(),
                "import_kwh": _number(half_hour.import_kwh),
                "export_kwh": _number(half_hour.export_kwh),
                "import_counter_kwh": _number(half_hour.import_counter_kwh),
                "export_counter_kwh": _number(half_hour.export_counter_kwh),
            }
            for half_hour in half_hours
        ]
    }


async def _survey(call: ServiceCall) -> ServiceResponse:
    """Scan now and return what is heard, the strongest first; the meter is joined again afterwards."""
    coordinator = _coordinator_of(call)
    try:
        heard = await coordinator.meter.survey(SURVEY_DURATION)
    except BrouteError as err:
        raise _failed(err, coordinator) from err
    return {
        "heard": [
            {
                "this_meter": network.is_ours,
                "signal_dbm": network.rssi_dbm,
                "link_quality": network.lqi,
                "channel": network.channel,
            }
            for network in heard
        ]
    }


async def _read_properties(call: ServiceCall) -> ServiceResponse:
    """Read any properties of the meter, and return their data as they came and what they mean."""
    coordinator = _coordinator_of(call)
    try:
        properties = await coordinator.meter.read_properties(int(epc, 16) for epc in call.data[ATTR_PROPERTIES])
    except BrouteError as err:
        raise _failed(err, coordinator) from err
    return {"properties": [_property(prop) for prop in properties]}


async def _boost(call: ServiceCall) -> None:
    """Read the meter faster for a while."""
    _coordinator_of(call).async_boost(call.data[ATTR_DURATION].total_seconds())


async def _report(call: ServiceCall) -> ServiceResponse:
    """Return what can be read out to the utility, or sent to whoever has installed the module."""
    return {"text": await async_report(call.hass, _coordinator_of(call))}


def _property(prop: RawProperty) -> dict[str, JsonValueType]:
    told: dict[str, JsonValueType] = {"epc": f"{prop.epc:02X}", "name": prop.name}
    if prop.is_private:
        # It says whose meter this is, or where it hangs.
        return told | {"private": True, "bytes": len(prop.edt or b"")}
    return told | {
        "data": prop.edt.hex().upper() if prop.edt else None,
        "value": _plain(prop.value),
        "error": prop.error,
    }


def _plain(value: object) -> JsonValueType:
    """Return a value of the client in the types of JSON."""
    plain: JsonValueType
    if value is None or isinstance(value, bool | int):
        plain = value
    elif isinstance(value, Decimal):
        plain = float(value)
    elif isinstance(value, bytes):
        plain = value.hex().upper()
    elif isinstance(value, date | time):
        plain = value.isoformat()
    elif isinstance(value, frozenset):
        # A property map.
        plain = [f"{epc:02X}" for epc in sorted(value)]
    elif isinstance(value, tuple):
        plain = [_plain(one) for one in value]
    elif is_dataclass(value):
        # What is kept out of the representation tells whose meter it is.
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    else:
        plain = str(value)
    return plain


def _coordinator_of(call: ServiceCall) -> BrouteCoordinator:
    """Return the coordinator of the meter that is meant: the only one, if none is named."""
    entries: list[BrouteConfigEntry] = call.hass.config_entries.async_loaded_entries(DOMAIN)
    if (entry_id := call.data.get(ATTR_ENTRY)) is not None:
        entries = [entry for entry in entries if entry.entry_id == entry_id]
    if not entries:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_such_meter")
    if len(entries) > 1:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="which_meter")
    return entries[0].runtime_data


def _failed(err: BrouteError | ClockWrongError | RecorderError, coordinator: BrouteCoordinator) -> HomeAssistantError:
    match err:
        case ClockWrongError():
            key = "clock_not_right"
        case RecorderError():
            key = "recorder_not_there"
        case SurveyUnderWayError():
            key = "survey_under_way"
        case ClosedError():
            key = "session_lost"
        case NotJoinedError():
            # Why there is no session says more than that there is none.
            key = coordinator.failure or reason_of(err)
        case _:
            key = reason_of(err)
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=key)


def _local(at: datetime) -> datetime:
    """Return a time that was typed without a zone in that of Home Assistant."""
    return dt_util.as_utc(at)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _gap(gap: Gap) -> dict[str, JsonValueType]:
    return {
        "start": gap.start.isoformat(),
        "end": gap.end.isoformat(),
        "reason": gap.reason,
        "energy_kwh": _number(gap.energy_kwh),
    }
