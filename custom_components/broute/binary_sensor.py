"""Binary sensors: whether there is a connection with the meter, and how the meter says that it is."""

from typing import Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BrouteConfigEntry
from .entity import ModuleEntity

PARALLEL_UPDATES = 0

CONNECTED: Final = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them: every meter has them."""
    async_add_entities([ConnectedBinarySensor(entry.runtime_data, CONNECTED)])


class ConnectedBinarySensor(ModuleEntity, BinarySensorEntity):
    """Whether the meter is joined."""

    @property
    @override
    def is_on(self) -> bool:
        """Whether there is a session: also while the module renews it."""
        return self.coordinator.has_session
