"""What all entities have in common: the names, and the device, which is the meter or the module."""

from typing import override

from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import BrouteCoordinator
from .household.watch import Watch


def unique_id(coordinator: BrouteCoordinator, key: str) -> str:
    """Name an entity after the meter, whatever module, port or ID it is reached with."""
    return f"{coordinator.token}_{key}"


class MeterEntity(CoordinatorEntity[BrouteCoordinator]):
    """An entity of the meter."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: BrouteCoordinator, description: EntityDescription) -> None:
        """Belong to the meter."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = unique_id(coordinator, description.key)
        self._attr_device_info = coordinator.devices.meter

    @property
    @override
    def available(self) -> bool:
        """Whether there is a reading."""
        return super().available and self.coordinator.data is not None


class WatchEntity(MeterEntity):
    """An entity of the meter that tells what a watch follows, which goes on though the readings stay the same."""

    @property
    def _watch(self) -> Watch:
        """The watch that is told of."""
        raise NotImplementedError

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the watch."""
        await super().async_added_to_hass()
        self.async_on_remove(self._watch.async_add_listener(self.async_write_ha_state))


class ModuleEntity(Entity):
    """An entity of the module, which tells of the link: also while there is none."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: BrouteCoordinator, description: EntityDescription) -> None:
        """Belong to the module."""
        self.coordinator = coordinator
        self.entity_description = description
        self._attr_unique_id = unique_id(coordinator, description.key)
        self._attr_device_info = coordinator.devices.module

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the link."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.link.async_add_listener(self.async_write_ha_state))
