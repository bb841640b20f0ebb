"""The switch that has the meter read faster for a while."""

from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BrouteConfigEntry
from .entity import WatchEntity
from .household.boost import DEFAULT_DURATION_S
from .household.watch import Watch

PARALLEL_UPDATES = 0

BOOST: Final = SwitchEntityDescription(key="boost", translation_key="boost")
SWITCHES: Final = (BOOST,)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add it."""
    async_add_entities([BoostSwitch(entry.runtime_data, BOOST)])


class BoostSwitch(WatchEntity, SwitchEntity):
    """Whether somebody has asked for faster readings: on for ten minutes at a time, and off again by itself."""

    @property
    @override
    def _watch(self) -> Watch:
        # It tells of the end, too, which is no reading.
        return self.coordinator.link

    @property
    @override
    def is_on(self) -> bool:
        """Whether it was asked for: here, or by the action."""
        return self.coordinator.boost.is_asked(self.hass.loop.time())

    @override
    async def async_turn_on(self, **_: Any) -> None:
        """Read faster from now on."""
        self.coordinator.async_boost(DEFAULT_DURATION_S)

    @override
    async def async_turn_off(self, **_: Any) -> None:
        """Read as usual, unless so much is used that it is needed."""
        self.coordinator.async_end_boost()
