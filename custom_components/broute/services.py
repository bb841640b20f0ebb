"""The actions: reading the meter's own log, into the statistics or for the caller."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from .aiobroute import BrouteError
from .const import DEFAULT_HISTORY_DAYS, DOMAIN, MAX_HISTORY_DAYS
from .coordinator import BrouteConfigEntry, reason_of
from .history.clock import ClockWrongError
from .history.keeper import LogKeeper
from .history.planner import Gap
from .history.series import RecorderError

IMPORT_HISTORY: Final = "import_history"
GET_HISTORY: Final = "get_history"

ATTR_ENTRY: Final = "config_entry_id"
ATTR_DAYS: Final = "days"
ATTR_FROM: Final = "from"
ATTR_TO: Final = "to"

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


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN, IMPORT_HISTORY, _import_history, _IMPORT_SCHEMA, supports_response=SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, GET_HISTORY, _get_history, _GET_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _import_history(call: ServiceCall) -> ServiceResponse:
    """Read the meter's log once more, and write what follows into the statistics."""
    log = _log_of(call)
    try:
        imported = await log.async_import(call.data[ATTR_DAYS])
    except (BrouteError, ClockWrongError, RecorderError) as err:
        raise _failed(err) from err
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
    log = _log_of(call)
    try:
        half_hours = await log.async_get(start, end)
    except BrouteError as err:
        raise _failed(err) from err
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


def _log_of(call: ServiceCall) -> LogKeeper:
    """Return the log of the meter that is meant: the only one, if none is named."""
    entries: list[BrouteConfigEntry] = call.hass.config_entries.async_loaded_entries(DOMAIN)
    if (entry_id := call.data.get(ATTR_ENTRY)) is not None:
        entries = [entry for entry in entries if entry.entry_id == entry_id]
    if not entries:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_such_meter")
    if len(entries) > 1:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="which_meter")
    return entries[0].runtime_data.log


def _failed(err: BrouteError | ClockWrongError | RecorderError) -> HomeAssistantError:
    match err:
        case ClockWrongError():
            key = "clock_not_right"
        case RecorderError():
            key = "recorder_not_there"
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
