"""What the system's health page says of all meters together."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .aiobroute import SessionState
from .const import DOMAIN
from .coordinator import BrouteConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    """Return how many meters there are, how many are read, and how well that goes since the start."""
    entries: list[BrouteConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    meters = [entry.runtime_data.meter for entry in entries]
    requests = sum(meter.statistics.requests for meter in meters)
    answers = sum(meter.statistics.answers for meter in meters)
    return {
        "meters": len(meters),
        "connected": sum(meter.state in (SessionState.JOINED, SessionState.RENEWING) for meter in meters),
        "modules": ", ".join(sorted({meter.module.dialect for meter in meters if meter.module})),
        "answered": f"{answers}/{requests}",
        "connections": sum(meter.statistics.sessions for meter in meters),
    }
