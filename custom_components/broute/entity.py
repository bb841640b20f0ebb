"""What all entities of a meter have in common."""

from typing import override

from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import DEVICE_TRANSLATION_KEY, MODEL, BrouteCoordinator


class BrouteEntity(CoordinatorEntity[BrouteCoordinator]):
    """An entity of a meter."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: BrouteCoordinator, description: EntityDescription) -> None:
        """Name the entity after the meter, whatever module, port or ID it is reached with."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{coordinator.token}_{description.key}"
        # The coordinator adds the rest when the meter has told it.
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, coordinator.token)}, translation_key=DEVICE_TRANSLATION_KEY, model=MODEL
        )

    @property
    @override
    def available(self) -> bool:
        """Whether there is a reading."""
        return super().available and self.coordinator.data is not None
