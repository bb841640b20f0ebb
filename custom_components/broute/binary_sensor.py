"""Binary sensors: whether the meter is connected, how it says that it is, and what is exceeded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiobroute import MeterStatus
from .const import DOMAIN
from .coordinator import BrouteConfigEntry
from .entity import MeterEntity, ModuleEntity, WatchEntity, unique_id
from .household.watch import Watch

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
OVER_CONTRACT: Final = BinarySensorEntityDescription(
    key="over_contract",
    translation_key="over_contract",
    device_class=BinarySensorDeviceClass.PROBLEM,
)
DEMAND_EXCEEDED: Final = BinarySensorEntityDescription(
    key="demand_exceeded",
    translation_key="demand_exceeded",
    device_class=BinarySensorDeviceClass.PROBLEM,
)
BINARY_SENSORS: Final[tuple[BinarySensorEntityDescription, ...]] = (*STATUS, CONNECTED, OVER_CONTRACT, DEMAND_EXCEEDED)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add those that every meter has, and those of a limit and of a target where the options name one."""
    coordinator = entry.runtime_data
    async_add_entities(StatusBinarySensor(coordinator, description) for description in STATUS)
    async_add_entities([ConnectedBinarySensor(coordinator, CONNECTED)])
    if coordinator.contract:
        async_add_entities([OverContractBinarySensor(coordinator, OVER_CONTRACT)])
    else:
        _remove(hass, unique_id(coordinator, OVER_CONTRACT.key))
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


class OverContractBinarySensor(WatchEntity, BinarySensorEntity):
    """Whether more is taken than the limit of the supply allows."""

    @property
    @override
    def _watch(self) -> Watch:
        # It tells of each reading: one that is the same as before may be the second one above the limit.
        return self.coordinator.link

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether it is so; unknown before the readings have told, and while the last one does not."""
        contract, reading = self.coordinator.contract, self.coordinator.data
        if contract is None or reading is None or contract.used_a(reading.current_r_a, reading.current_t_a) is None:
            return None
        return self.coordinator.excess.is_over


class DemandExceededBinarySensor(WatchEntity, BinarySensorEntity):
    """Whether the demand of this half hour will be above the target."""

    @property
    @override
    def _watch(self) -> Watch:
        return self.coordinator.demand

    @property
    @override
    def is_on(self) -> bool | None:
        """What the forecasts of the last minutes say; unknown while there is none."""
        target = self.coordinator.demand.target
        return target.is_exceeded if target else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """The target, in kW, for whoever compares a forecast with it."""
        target = self.coordinator.demand.target
        return {"target": float(target.target_kw)} if target else None
