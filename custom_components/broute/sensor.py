"""Sensors: what a meter measures now, and what its own log and clock say."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .aiobroute import CountersAt, Reading
from .const import DOMAIN
from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .entity import BrouteEntity
from .history.clock import ClockOffset
from .history.keeper import LogKeeper

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class BrouteSensorDescription(SensorEntityDescription):
    """A sensor, and whether this meter has it, which may turn out later."""

    exists_fn: Callable[[BrouteCoordinator], bool] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class ReadingSensorDescription(BrouteSensorDescription):
    """A sensor of a value in a reading."""

    value_fn: Callable[[Reading], int | Decimal | None]


@dataclass(frozen=True, kw_only=True)
class LogSensorDescription(BrouteSensorDescription):
    """A sensor of something that the meter's log or clock says, and when that was."""

    value_fn: Callable[[LogKeeper], Decimal | datetime | int | None]
    at_fn: Callable[[LogKeeper], datetime | None] = lambda _: None


def _half_hour[T](value_fn: Callable[[CountersAt], T]) -> Callable[[LogKeeper], T | None]:
    return lambda log: value_fn(log.half_hour) if log.half_hour else None


def _clock[T](value_fn: Callable[[ClockOffset], T]) -> Callable[[LogKeeper], T | None]:
    return lambda log: value_fn(log.clock.offset) if log.clock.offset else None


def _measures_export(coordinator: BrouteCoordinator) -> bool:
    return bool(coordinator.meter.constants and coordinator.meter.constants.measures_export)


READING_SENSORS: tuple[ReadingSensorDescription, ...] = (
    ReadingSensorDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        value_fn=lambda reading: reading.power_w,
    ),
    ReadingSensorDescription(
        key="current_r",
        translation_key="current_r",
        device_class=SensorDeviceClass.CURRENT,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.current_r_a,
    ),
    ReadingSensorDescription(
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
    ReadingSensorDescription(
        key="import_energy",
        translation_key="import_energy",
        device_class=SensorDeviceClass.ENERGY,
        # Not TOTAL: a counter begins anew after its last digit, and in a new meter.
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.import_kwh,
    ),
    ReadingSensorDescription(
        key="export_energy",
        translation_key="export_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.export_kwh,
        exists_fn=_measures_export,
    ),
)

LOG_SENSORS: tuple[LogSensorDescription, ...] = (
    # Without a state class: beside the counters of the moment these are no second meter for the Energy dashboard.
    LogSensorDescription(
        key="fixed_import_energy",
        translation_key="fixed_import_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=_half_hour(lambda half_hour: half_hour.import_kwh),
        at_fn=_half_hour(lambda half_hour: half_hour.at),
    ),
    LogSensorDescription(
        key="fixed_export_energy",
        translation_key="fixed_export_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=_half_hour(lambda half_hour: half_hour.export_kwh),
        at_fn=_half_hour(lambda half_hour: half_hour.at),
        exists_fn=_measures_export,
    ),
    LogSensorDescription(
        key="log_until",
        translation_key="log_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda log: log.progress.complete_until,
    ),
    LogSensorDescription(
        key="clock_drift",
        translation_key="clock_drift",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_clock(lambda offset: round(offset.middle / timedelta(seconds=1))),
        at_fn=_clock(lambda offset: offset.at),
    ),
)

SENSORS: tuple[BrouteSensorDescription, ...] = (*READING_SENSORS, *LOG_SENSORS)


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
            async_add_entities(_sensor(coordinator, description) for description in new)

    entry.async_on_unload(coordinator.async_add_listener(add_new))
    add_new()


def _sensor(coordinator: BrouteCoordinator, description: BrouteSensorDescription) -> SensorEntity:
    kind = ReadingSensor if isinstance(description, ReadingSensorDescription) else LogSensor
    return kind(coordinator, description)


class ReadingSensor(BrouteEntity, SensorEntity):
    """A value of the latest reading."""

    entity_description: ReadingSensorDescription

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


class LogSensor(BrouteEntity, SensorEntity):
    """Something of a past instant: true for ever, so it stays while the meter is not reached."""

    entity_description: LogSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Whether it is known."""
        return self.native_value is not None

    @property
    @override
    def native_value(self) -> Decimal | datetime | int | None:
        """The value."""
        return self.entity_description.value_fn(self.coordinator.log)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """When that was."""
        at = self.entity_description.at_fn(self.coordinator.log)
        return {"at": at} if at else None
