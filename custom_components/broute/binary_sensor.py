"""Binary sensors: whether there is a connection with the meter, and how the meter says that it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiobroute import MeterStatus
from .coordinator import BrouteConfigEntry
from .entity import MeterEntity, ModuleEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class StatusDescription(BinarySensorEntityDescription):
    """Something that the meter says of itself."""

    value_fn: Callable[[MeterStatus], bool | None]


STATUS: Final = (
    StatusDescription(
        key="operating",
        translation_key="operating",
        device_class=BinarySensorDeviceClass.RUNNING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda status: status.operating,
    ),
    StatusDescription(
        key="fault",
        translation_key="fault",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda status: status.faulty,
    ),
)
CONNECTED: Final = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
BINARY_SENSORS: Final[tuple[BinarySensorEntityDescription, ...]] = (*STATUS, CONNECTED)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them: what they tell is mandatory for every meter."""
    coordinator = entry.runtime_data
    async_add_entities(StatusBinarySensor(coordinator, description) for description in STATUS)
    async_add_entities([ConnectedBinarySensor(coordinator, CONNECTED)])


class StatusBinarySensor(MeterEntity, BinarySensorEntity):
    """What the meter has said of itself, read or announced."""

    entity_description: StatusDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """What it has said; `None` before it has."""
        status = self.coordinator.meter.status
        return self.entity_description.value_fn(status) if status else None


class ConnectedBinarySensor(ModuleEntity, BinarySensorEntity):
    """Whether the meter is joined."""

    @property
    @override
    def is_on(self) -> bool:
        """Whether there is a session: also while the module renews it."""
        return self.coordinator.has_session
