"""Changing how often the meter is read and how far back its log, and what is known of the household and made for it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntityCapabilityAttribute,
    SensorStateClass,
)
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import (
    CONF_SCAN_INTERVAL,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfPower,
    UnitOfRatio,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import get_capability
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
)
import voluptuous as vol

from ..const import (
    CONF_CONTRACT,
    CONF_DEMAND_TARGET,
    CONF_ENERGY,
    CONF_HISTORY_DAYS,
    CONF_READING_DAY,
    CONF_SUN,
    DEFAULT_HISTORY_DAYS,
    DEFAULT_SCAN_INTERVAL_S,
    DOMAIN,
    LAST_READING_DAY,
    MAX_DEMAND_TARGET_KW,
    MAX_HISTORY_DAYS,
    MAX_SCAN_INTERVAL_S,
    MIN_DEMAND_TARGET_KW,
    MIN_SCAN_INTERVAL_S,
)
from ..household import boost, contract, sources


def _whole_number(minimum: int, maximum: int, unit: str | None = None) -> object:
    config = NumberSelectorConfig(min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


def _choice(choices: type[StrEnum], key: str) -> object:
    return SelectSelector(SelectSelectorConfig(options=[choice.value for choice in choices], translation_key=key))


def _sensors(device_class: SensorDeviceClass) -> object:
    return EntitySelector(EntitySelectorConfig(domain=SENSOR_DOMAIN, device_class=device_class, multiple=True))


# `voluptuous` is another library to the type checker than it is in Home Assistant.
CONTRACT: Final[Any] = vol.Schema(
    {
        vol.Required(contract.CONF_LIMIT, default=contract.Limit.NONE.value): _choice(contract.Limit, "contract_limit"),
        vol.Optional(contract.CONF_AMPERES): _whole_number(*contract.BREAKER_A, UnitOfElectricCurrent.AMPERE),
        vol.Optional(contract.CONF_KVA): _whole_number(*contract.CAPACITY_KVA, UnitOfApparentPower.KILO_VOLT_AMPERE),
        vol.Required(contract.CONF_WIRES, default=contract.Wires.THREE.value): _choice(
            contract.Wires, "contract_wires"
        ),
        vol.Required(contract.CONF_COUNTING, default=contract.Counting.USUAL.value): _choice(
            contract.Counting, "contract_counting"
        ),
        vol.Required(contract.CONF_OVER_PERCENT, default=contract.DEFAULT_OVER_PERCENT): _whole_number(
            *contract.OVER_PERCENT, UnitOfRatio.PERCENTAGE
        ),
        vol.Required(boost.CONF_BOOST_PERCENT, default=boost.DEFAULT_BOOST_PERCENT): _whole_number(
            *boost.BOOST_PERCENT, UnitOfRatio.PERCENTAGE
        ),
    }
)
ENERGY: Final[Any] = vol.Schema(
    {
        vol.Optional(CONF_DEMAND_TARGET): NumberSelector(
            NumberSelectorConfig(
                min=MIN_DEMAND_TARGET_KW,
                max=MAX_DEMAND_TARGET_KW,
                step=0.1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfPower.KILO_WATT,
            )
        ),
        vol.Optional(CONF_READING_DAY): _whole_number(1, LAST_READING_DAY),
    }
)
SUN: Final[Any] = vol.Schema(
    {
        vol.Optional(sources.CONF_PV_POWER): _sensors(SensorDeviceClass.POWER),
        vol.Optional(sources.CONF_PV_ENERGY): _sensors(SensorDeviceClass.ENERGY),
        vol.Optional(sources.CONF_BATTERY_POWER): _sensors(SensorDeviceClass.POWER),
        vol.Optional(sources.CONF_BATTERY_SIGN): _choice(sources.BatterySign, "battery_sign"),
        vol.Optional(sources.CONF_BATTERY_DISCHARGED): _sensors(SensorDeviceClass.ENERGY),
        vol.Optional(sources.CONF_BATTERY_CHARGED): _sensors(SensorDeviceClass.ENERGY),
        vol.Required(sources.CONF_MAX_AGE, default=sources.DEFAULT_MAX_AGE_S): _whole_number(
            *sources.MAX_AGE_S, UnitOfTime.SECONDS
        ),
    }
)
OPTIONS: Final[Any] = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL_S): _whole_number(
            MIN_SCAN_INTERVAL_S, MAX_SCAN_INTERVAL_S, UnitOfTime.SECONDS
        ),
        # Its name says that these are days; as a unit they would be "d" in every language.
        vol.Required(CONF_HISTORY_DAYS, default=DEFAULT_HISTORY_DAYS): _whole_number(1, MAX_HISTORY_DAYS),
        # Without defaults of their own: the form begins with those of their fields only then.
        vol.Required(CONF_CONTRACT): section(CONTRACT, {"collapsed": True}),
        vol.Required(CONF_ENERGY): section(ENERGY, {"collapsed": True}),
        vol.Required(CONF_SUN): section(SUN, {"collapsed": True}),
    }
)


def _with_open(name: str) -> vol.Schema:
    """Return the form with one of its sections open, in which something is wrong."""
    return vol.Schema(
        {
            key: section(field.schema, {"collapsed": False}) if key == name else field
            for key, field in OPTIONS.schema.items()
        }
    )


def _named(hass: HomeAssistant, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sources by their ids in the registry, where they have one: so they may be renamed."""
    registry = er.async_get(hass)

    def name(source: str) -> str:
        registered = registry.async_get(source)
        return registered.id if registered else source

    return {
        field: [*map(name, value)] if field in (*sources.POWERS, *sources.ENERGIES) else value
        for field, value in options.items()
    }


def _shown(hass: HomeAssistant, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sources by what they are called now, without those that are there no more."""
    registry = er.async_get(hass)

    def called(named: Iterable[str]) -> list[str]:
        found = (er.async_resolve_entity_id(registry, source) for source in named)
        return [entity_id for entity_id in found if entity_id]

    return {
        field: called(value) if field in (*sources.POWERS, *sources.ENERGIES) else value
        for field, value in options.items()
    }


def _fault_in_sources(hass: HomeAssistant, options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with sources that were typed, a key of the translations; `None` if nothing is."""
    registry = er.async_get(hass)
    for field in (*sources.POWERS, *sources.ENERGIES):
        for source in options.get(field, ()):
            registered = registry.async_get(source)
            if registered and registered.platform == DOMAIN:
                return "source_is_own"
            if field in sources.ENERGIES and not _has_sums(hass, source):
                return "source_without_statistics"
    return sources.fault_in(options)


def _has_sums(hass: HomeAssistant, source: str) -> bool:
    """Tell whether Home Assistant makes statistics of what an entity counts."""
    entity_id = er.async_resolve_entity_id(er.async_get(hass), source)
    try:
        state_class = get_capability(hass, entity_id or "", SensorEntityCapabilityAttribute.STATE_CLASS)
    except HomeAssistantError:
        return False
    return state_class in (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)


class BrouteOptionsFlow(OptionsFlowWithReload):
    """Ask for all of them in one form."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what is set, and take what is typed."""
        form, errors = OPTIONS, {}
        if user_input is not None:
            user_input |= {CONF_SUN: _named(self.hass, user_input[CONF_SUN])}
            faults = {
                CONF_CONTRACT: contract.fault_in(user_input[CONF_CONTRACT]),
                CONF_SUN: _fault_in_sources(self.hass, user_input[CONF_SUN]),
            }
            at_fault = [(name, fault) for name, fault in faults.items() if fault]
            if not at_fault:
                return self.async_create_entry(data=user_input)
            name, errors["base"] = at_fault[0]
            form = _with_open(name)
        shown = user_input or self.config_entry.options
        shown = {**shown, CONF_SUN: _shown(self.hass, shown.get(CONF_SUN, {}))}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(form, shown),
            errors=errors,
        )
