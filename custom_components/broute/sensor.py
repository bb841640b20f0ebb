"""Sensors: what a meter measures."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiobroute import Reading
from .const import DOMAIN
from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .entity import BrouteEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class BrouteSensorDescription(SensorEntityDescription):
    """A sensor: its value in a reading, and whether this meter has it, which may turn out later."""

    value_fn: Callable[[Reading], int | Decimal | None]
    exists_fn: Callable[[BrouteCoordinator], bool] = lambda _: True


SENSORS: tuple[BrouteSensorDescription, ...] = (
    BrouteSensorDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        value_fn=lambda reading: reading.power_w,
    ),
    BrouteSensorDescription(
        key="current_r",
        translation_key="current_r",
        device_class=SensorDeviceClass.CURRENT,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.current_r_a,
    ),
    BrouteSensorDescription(
        key="current_t",
        translation_key="current_t",
        device_class=SensorDeviceClass.CURRENT,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.current_t_a,
        # A single-phase two-wire supply has no T line.
        exists_fn=lambda coordinator: coordinator.data is not None and coordinator.data.current_t_a is not None,
    ),
    BrouteSensorDescription(
        key="import_energy",
        translation_key="import_energy",
        device_class=SensorDeviceClass.ENERGY,
        # Not TOTAL: a counter begins anew after its last digit, and in a new meter.
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.import_kwh,
    ),
    BrouteSensorDescription(
        key="export_energy",
        translation_key="export_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.export_kwh,
        exists_fn=lambda coordinator: bool(coordinator.meter.constants and coordinator.meter.constants.measures_export),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors that every meter has, those that this one is known for, and others when they turn up."""
    coordinator = entry.runtime_data
    registry = er.async_get(hass)
    missing = list(SENSORS)

    def is_there(description: BrouteSensorDescription) -> bool:
        known = registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, f"{coordinator.token}_{description.key}")
        return known is not None or description.exists_fn(coordinator)

    @callback
    def add_new() -> None:
        if new := [description for description in missing if is_there(description)]:
            for description in new:
                missing.remove(description)
            async_add_entities(BrouteSensor(coordinator, description) for description in new)

    entry.async_on_unload(coordinator.async_add_listener(add_new))
    add_new()


class BrouteSensor(BrouteEntity, SensorEntity):
    """A value of the latest reading."""

    entity_description: BrouteSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Whether the latest reading has this value: one that could not be read does not take the others down."""
        return super().available and self.native_value is not None

    @property
    @override
    def native_value(self) -> int | Decimal | None:
        """The value, exactly as the meter gives it."""
        reading = self.coordinator.data
        return self.entity_description.value_fn(reading) if reading else None
