"""Names of serial ports: which stay, which mean the same port, which have a module's serial number in them."""

from collections.abc import Iterable
from pathlib import Path
import re
from typing import Final
from urllib.parse import urlsplit

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service_info.usb import UsbServiceInfo

from ..const import LOGGER

_SCHEMES_OF_SERVERS: Final = frozenset({"socket", "tcp", "rfc2217"})
"""Of URLs in which host and port say it all."""
_REPLACED_BY_UDEV: Final = re.compile(r"[^0-9A-Za-z#+.:=@_-]")


async def async_stable_path(hass: HomeAssistant, device: str) -> str:
    """Return the name of a local port that stays the same whatever else is plugged in."""
    if not device.startswith("/dev/"):
        return device
    try:
        return await hass.async_add_executor_job(usb.get_serial_by_id, device)
    except OSError as err:
        LOGGER.debug("There is no stable name for the port: %s", err)
        return device


async def async_is_among(hass: HomeAssistant, device: str, others: Iterable[str]) -> bool:
    """Tell whether a port is one of the others, whatever names they go by."""
    return await hass.async_add_executor_job(_is_among, device, [*others])


def _is_among(device: str, others: list[str]) -> bool:
    return _what_is_at(device) in map(_what_is_at, others)


def _what_is_at(device: str) -> str:
    """Return one name for all the names of a port: a device file may have several, and a server serves one client."""
    try:
        if device.startswith("/"):
            return str(Path(device).resolve())
        url = urlsplit(device)
    except ValueError:
        # It names nothing, and so nothing that is in use; whoever opens it is told.
        return device
    # Elsewhere the rest of the URL tells which port it is.
    return url.netloc.casefold() if url.scheme.casefold() in _SCHEMES_OF_SERVERS else device


def is_named_after(device: str, module: UsbServiceInfo) -> bool:
    """Tell whether a port has its name from this module.

    udev's names, which are in the URL of an ESPHome serial proxy too, have the product and its serial number in them.
    Modules of one product that have no serial number have one name: of them this cannot be told.
    """
    if not module.serial_number:
        return False
    return _REPLACED_BY_UDEV.sub("_", f"_{module.description}_{module.serial_number}-if") in device
