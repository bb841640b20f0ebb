"""The two devices of an entry: the Wi-SUN module, and the meter that is reached through it.

Above: the coordinator, which tells what is known of them, and the entities, each of which belongs to one of them. What
nobody has told yet stays as it was known before. No serial number and no address of a module is shown.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo

from .aiobroute import Constants, Dialect, Module
from .const import DOMAIN
from .manufacturers import MANUFACTURERS

METER_TRANSLATION_KEY: Final = "smart_meter"
METER_MODEL: Final = "Low-voltage smart electric energy meter"
MODULE_TRANSLATION_KEY: Final = "wisun_module"
MODULE_MODELS: Final[Mapping[Dialect, str]] = MappingProxyType(
    {
        Dialect.SINGLE_STACK: "SKSTACK-IP, single stack",
        Dialect.DUAL_STACK: "SKSTACK-IP, dual stack",
        Dialect.J11: "J11",
    }
)
"""A module tells what its firmware is, and not what is printed on it."""


class Devices:
    """The devices of one entry.

    `meter` and `module` lead an entity to its device.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, token: str) -> None:
        """Name both after the meter, whatever module, port or ID it is reached with."""
        self._hass = hass
        self._entry_id = entry_id
        self._meter_id = (DOMAIN, token)
        self._module_id = (DOMAIN, f"{token}_module")
        self.meter = DeviceInfo(identifiers={self._meter_id})
        self.module = DeviceInfo(identifiers={self._module_id})

    @callback
    def async_register(self) -> None:
        """Register both, before there are entities of them."""
        registry = dr.async_get(self._hass)
        module = registry.async_get_or_create(
            config_entry_id=self._entry_id, identifiers={self._module_id}, translation_key=MODULE_TRANSLATION_KEY
        )
        registry.async_get_or_create(
            config_entry_id=self._entry_id,
            identifiers={self._meter_id},
            translation_key=METER_TRANSLATION_KEY,
            model=METER_MODEL,
            via_device_id=module.id,
        )

    @callback
    def async_show_module(self, module: Module) -> None:
        """Show what the module says of itself."""
        application = f" ({module.application_version})" if module.application_version else ""
        dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry_id,
            identifiers={self._module_id},
            model=MODULE_MODELS[module.dialect],
            sw_version=f"{module.version}{application}",
        )

    @callback
    def async_show_meter(self, constants: Constants) -> None:
        """Show what the meter says of itself."""
        version = constants.standard_version
        dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry_id,
            identifiers={self._meter_id},
            manufacturer=MANUFACTURERS.get(constants.manufacturer_code or 0),
            serial_number=constants.serial_number,
            sw_version=f"Release {version}" if version else None,
        )
