"""Binary sensors: whether there is a connection with the meter, and how the meter says that it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiobroute import MeterStatus
from .const import DOMAIN
from .coordinator import BrouteConfigEntry
from .entity import MeterEntity, ModuleEntity, unique_id

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
DEMAND_EXCEEDED: Final = BinarySensorEntityDescription(
    key="demand_exceeded",
    translation_key="demand_exceeded",
    device_class=BinarySensorDeviceClass.PROBLEM,
)
BINARY_SENSORS: Final[tuple[BinarySensorEntityDescription, ...]] = (*STATUS, CONNECTED, DEMAND_EXCEEDED)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them: what most tell is mandatory for every meter, and the others need an option."""
    coordinator = entry.runtime_data
    async_add_entities(StatusBinarySensor(coordinator, description) for description in STATUS)
    async_add_entities([ConnectedBinarySensor(coordinator, CONNECTED)])
    if coordinator.demand.target:
        async_add_entities([DemandExceededBinarySensor(coordinator, DEMAND_EXCEEDED)])
    else:
        _remove(hass, unique_id(coordinator, DEMAND_EXCEEDED.key))


def _remove(hass: HomeAssistant, unique_id: str) -> None:
    """Remove what there was while its option was set."""
    registry = er.async_get(hass)
    if entity_id := registry.async_get_entity_id(Platform.BINARY_SENSOR, DOMAIN, unique_id):
        registry.async_remove(entity_id)


class StatusBinarySensor(MeterEntity, BinarySensorEntity):
    """What the meter has said of itself, read or announced."""

    entity_description: StatusDescription

    @property
    @override
    def available(self) -> bool:
        """Whether it has said so."""
        return super().available and self.is_on is not None

    @property
    @override
    def is_on(self) -> bool | None:
        """What it has said."""
        status = self.coordinator.meter.status
        return self.entity_description.value_fn(status) if status else None


class ConnectedBinarySensor(ModuleEntity, BinarySensorEntity):
    """Whether the meter is joined."""

    @property
    @override
    def is_on(self) -> bool:
        """Whether there is a session: also while the module renews it."""
        return self.coordinator.has_session


class DemandExceededBinarySensor(MeterEntity, BinarySensorEntity):
    """Whether the demand of this half hour will be above the target."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the demand."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.demand.async_add_listener(self.async_write_ha_state))

    @property
    @override
    def is_on(self) -> bool | None:
        """What the forecasts of the last minutes say."""
        target = self.coordinator.demand.target
        return target.is_exceeded if target else None
