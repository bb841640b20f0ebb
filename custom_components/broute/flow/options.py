"""Changing how often the meter is read and how far back its log, and what is known of the household and made for it."""

from enum import StrEnum
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import (
    CONF_SCAN_INTERVAL,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfPower,
    UnitOfRatio,
    UnitOfTime,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
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
    DEFAULT_HISTORY_DAYS,
    DEFAULT_SCAN_INTERVAL_S,
    LAST_READING_DAY,
    MAX_DEMAND_TARGET_KW,
    MAX_HISTORY_DAYS,
    MAX_SCAN_INTERVAL_S,
    MIN_DEMAND_TARGET_KW,
    MIN_SCAN_INTERVAL_S,
)
from ..household import boost, contract


def _whole_number(minimum: int, maximum: int, unit: str | None = None) -> object:
    config = NumberSelectorConfig(min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


def _choice(choices: type[StrEnum], key: str) -> object:
    return SelectSelector(SelectSelectorConfig(options=[choice.value for choice in choices], translation_key=key))


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
OPTIONS: Final[Any] = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL_S): _whole_number(
            MIN_SCAN_INTERVAL_S, MAX_SCAN_INTERVAL_S, UnitOfTime.SECONDS
        ),
        vol.Required(CONF_HISTORY_DAYS, default=DEFAULT_HISTORY_DAYS): _whole_number(
            1, MAX_HISTORY_DAYS, UnitOfTime.DAYS
        ),
        # Without defaults of their own: the form begins with those of their fields only then.
        vol.Required(CONF_CONTRACT): section(CONTRACT, {"collapsed": True}),
        vol.Required(CONF_ENERGY): section(ENERGY, {"collapsed": True}),
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


class BrouteOptionsFlow(OptionsFlowWithReload):
    """Ask for all of them in one form."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what is set, and take what is typed."""
        form, errors = OPTIONS, {}
        if user_input is not None:
            if (fault := contract.fault_in(user_input[CONF_CONTRACT])) is None:
                return self.async_create_entry(data=user_input)
            form, errors["base"] = _with_open(CONF_CONTRACT), fault
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(form, user_input or self.config_entry.options),
            errors=errors,
        )
