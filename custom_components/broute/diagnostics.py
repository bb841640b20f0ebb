"""What helps to find out why a meter is not read, and nothing that tells whose meter it is."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from homeassistant.const import CONF_DEVICE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .aiobroute import Constants, Outage
from .const import CONF_METER, CONF_SUN, DOMAIN
from .coordinator import BrouteConfigEntry
from .history.keeper import LogKeeper


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: BrouteConfigEntry) -> dict[str, Any]:
    """Return the diagnostics of an entry.

    What is in them is chosen one by one, rather than everything with some of it hidden: no ID, no password, no address
    of module or meter, no PAN ID, no serial number, no path or host of the port, no reading.
    """
    coordinator = entry.runtime_data
    meter = coordinator.meter

    def wall(at_s: float | None) -> str | None:
        """Return an instant of the event loop's clock as a time."""
        return None if at_s is None else _text(dt_util.utcnow() - timedelta(seconds=round(hass.loop.time() - at_s)))

    return {
        "options": _options(entry.options),
        # The path of a USB module has its serial number, and a URL the name of a host.
        "port": urlsplit(entry.data[CONF_DEVICE]).scheme or "local",
        "module": asdict(meter.module) if meter.module else None,
        "session": {
            "state": meter.state,
            "failure": coordinator.failure,
            "failure_in_words": str(meter.failure) if meter.failure else None,
            "reading_is_overdue": coordinator.is_overdue,
            "channel": meter.network.channel if meter.network else None,
            "rssi_dbm": meter.rssi_dbm,
            "heard_at": wall(meter.heard_at_s),
            "outage": _outage(meter.outage, wall(meter.outage.since_s)) if meter.outage else None,
            "response_timers_s": meter.response_timers_s,
        },
        "last_events": [{"at": wall(event.at_s), "what": event.what, "times": event.times} for event in meter.journal],
        "issues": sorted(
            issue_id.removesuffix(f"_{entry.data[CONF_METER]}")
            for domain, issue_id in ir.async_get(hass).issues
            if domain == DOMAIN and issue_id.endswith(entry.data[CONF_METER])
        ),
        "statistics": meter.statistics.as_dict(),
        "held_back": dict(meter.held_back),
        "dropped": dict(meter.dropped),
        "log": _log(coordinator.log),
        "meter": _meter(meter.constants) if meter.constants else None,
        "unreadable": (
            {f"{epc:02X}": str(err) for epc, err in coordinator.data.errors.items()} if coordinator.data else {}
        ),
    }


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the number of entities in the place of their names, which are the user's."""
    shown = dict(options)
    if CONF_SUN in shown:
        shown[CONF_SUN] = {
            name: len(value) if isinstance(value, list) else value for name, value in shown[CONF_SUN].items()
        }
    return shown


def _outage(outage: Outage, since: str | None) -> dict[str, Any]:
    return {
        "since": since,
        "attempts": outage.attempts,
        "searches_in_vain": outage.searches_in_vain,
        "refusals": outage.refusals,
        "heard_dbm": outage.heard_dbm,
    }


def _meter(constants: Constants) -> dict[str, Any]:
    return {
        "manufacturer_code": None if constants.manufacturer_code is None else f"{constants.manufacturer_code:06X}",
        "standard_version": constants.standard_version,
        "unit_kwh": str(constants.scale.unit_kwh),
        "coefficient": constants.scale.coefficient,
        "effective_digits": constants.scale.effective_digits,
        "get_map": _epcs(constants.get_map),
        "set_map": _epcs(constants.set_map),
        "announcement_map": _epcs(constants.announcement_map),
        "max_properties": constants.max_properties,
    }


def _log(log: LogKeeper) -> dict[str, Any]:
    progress, ledger, offset = log.progress, log.ledger, log.clock.offset
    exchange = ledger.exchange
    return {
        "complete_until": _text(progress.complete_until),
        "next_day": progress.next_day.isoformat() if progress.next_day else None,
        "days_read": progress.days_read,
        "failure": log.failure,
        "gaps": {
            direction: [{"start": _text(gap.start), "end": _text(gap.end), "reason": gap.reason} for gap in gaps]
            for direction, gaps in progress.gaps.items()
        },
        "last_half_hour": _text(log.half_hour.at if log.half_hour else None),
        "clock_is_right": log.clock.is_right,
        "clock_offset_s": [round(end.total_seconds()) for end in (offset.low, offset.high)] if offset else None,
        "clock_was_wrong": [{"after": _text(span.after), "before": _text(span.before)} for span in ledger.doubtful],
        "exchanged": exchange and {"after": _text(exchange.after), "before": _text(exchange.before)},
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _epcs(properties: frozenset[int]) -> list[str]:
    return [f"{epc:02X}" for epc in sorted(properties)]
