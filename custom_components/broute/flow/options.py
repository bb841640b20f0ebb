"""Changing how often the meter is read, how far back its log, and what is made of that for the household."""

from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_SCAN_INTERVAL, UnitOfPower, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig, NumberSelectorMode
import voluptuous as vol

from ..const import (
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


def _whole_number(minimum: int, maximum: int, unit: UnitOfTime | None = None) -> object:
    config = NumberSelectorConfig(min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


# `voluptuous` is another library to the type checker than it is in Home Assistant.
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
        vol.Required(CONF_ENERGY, default={}): section(ENERGY, {"collapsed": True}),
    }
)


class BrouteOptionsFlow(OptionsFlowWithReload):
    """Ask for all of it."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what is set, and take what is typed."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init", data_schema=self.add_suggested_values_to_schema(OPTIONS, self.config_entry.options)
        )
