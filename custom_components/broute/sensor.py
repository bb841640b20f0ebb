"""Sensors: what a meter measures now and what that means, what its log and clock say, and how the link to it is."""

from collections.abc import Callable, Mapping
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
from homeassistant.const import (
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
    UnitOfElectricCurrent,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfRatio,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .aiobroute import CountersAt, Dialect, InstallationLocation, Place, Reading, SessionState
from .const import DOMAIN, LOGGER
from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .entity import MeterEntity, ModuleEntity, WatchEntity, unique_id
from .history.clock import ClockOffset
from .history.keeper import LogKeeper
from .history.reader import EXPORT, IMPORT
from .household.balance import Balance, DayEnergy
from .household.contract import Contract
from .household.demand import Demand
from .household.energy_watch import Period
from .household.periods import Energy
from .household.watch import Watch

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class BrouteSensorDescription(SensorEntityDescription):
    """A sensor, and whether there is such a value here. `exists_fn` returns `None` as long as that is not known."""

    exists_fn: Callable[[BrouteCoordinator], bool | None] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class ReadingSensorDescription(BrouteSensorDescription):
    """A sensor of a value in a reading."""

    value_fn: Callable[[Reading], int | Decimal | None]


@dataclass(frozen=True, kw_only=True)
class LogSensorDescription(BrouteSensorDescription):
    """A sensor of something that the meter's log or clock says, and when that was."""

    value_fn: Callable[[LogKeeper], Decimal | datetime | int | None]
    at_fn: Callable[[LogKeeper], datetime | None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class ContractSensorDescription(BrouteSensorDescription):
    """A sensor of what a reading means for the limit of the supply, for R and T: there if the options name one."""

    value_fn: Callable[[Contract, Decimal | None, Decimal | None], Decimal | None]
    exists_fn: Callable[[BrouteCoordinator], bool | None] = lambda coordinator: coordinator.contract is not None


@dataclass(frozen=True, kw_only=True)
class LinkSensorDescription(BrouteSensorDescription):
    """A sensor of the link, which the module tells of."""

    value_fn: Callable[[BrouteCoordinator], int | str | datetime | None]


@dataclass(frozen=True, kw_only=True)
class DemandSensorDescription(BrouteSensorDescription):
    """A sensor of the demand of this half hour, and what its value rests on."""

    value_fn: Callable[[Demand], Decimal | None]
    attributes_fn: Callable[[Demand], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class PeriodSensorDescription(BrouteSensorDescription):
    """A sensor of the energy of a period."""

    period: Period
    direction: str


@dataclass(frozen=True, kw_only=True)
class BalanceSensorDescription(BrouteSensorDescription):
    """A sensor of what becomes of the powers of grid, sun and battery: there if the options name what it needs."""

    value_fn: Callable[[Balance], float]


@dataclass(frozen=True, kw_only=True)
class DayEnergySensorDescription(BrouteSensorDescription):
    """A sensor of what has become of the energies of today: there if the options name what it needs."""

    value_fn: Callable[[DayEnergy], float]


def _half_hour[T](value_fn: Callable[[CountersAt], T]) -> Callable[[LogKeeper], T | None]:
    return lambda log: value_fn(log.half_hour) if log.half_hour else None


def _clock[T](value_fn: Callable[[ClockOffset], T]) -> Callable[[LogKeeper], T | None]:
    return lambda log: value_fn(log.clock.offset) if log.clock.offset else None


def _measures_export(coordinator: BrouteCoordinator) -> bool | None:
    """Tell whether the meter measures that direction, as it has said itself."""
    constants = coordinator.meter.constants
    return constants.measures_export if constants else None


def _has_rows(coordinator: BrouteCoordinator) -> bool | None:
    """Tell whether there is a recorder; that there is none now proves nothing."""
    return coordinator.energy.has_recorder or None


def _exports_in_rows(coordinator: BrouteCoordinator) -> bool | None:
    return _measures_export(coordinator) and _has_rows(coordinator)


def _has_billing_period(coordinator: BrouteCoordinator) -> bool | None:
    """Tell whether the meter-reading day is known: without it there is no such period."""
    return coordinator.energy.reading_day is not None and _has_rows(coordinator)


def _exports_in_billing_period(coordinator: BrouteCoordinator) -> bool | None:
    return _has_billing_period(coordinator) and _exports_in_rows(coordinator)


def _counts_sources(coordinator: BrouteCoordinator) -> bool | None:
    """Tell whether the energies of sun or battery are known."""
    return bool(coordinator.sun_energy.sources.energies) and _has_rows(coordinator)


def _counts_sun(coordinator: BrouteCoordinator) -> bool | None:
    return bool(coordinator.sun_energy.sources.pv_energy) and _has_rows(coordinator)


def _speaks(*dialects: Dialect) -> Callable[[BrouteCoordinator], bool | None]:
    """Return what tells whether the module speaks one of these dialects."""

    def exists(coordinator: BrouteCoordinator) -> bool | None:
        module = coordinator.meter.module
        return module.dialect in dialects if module else None

    return exists


def _while_joined(coordinator: BrouteCoordinator, value: float | None) -> int | None:
    """Return what the last answer was received with, unless there is nobody who answers."""
    return round(value) if coordinator.has_session and value is not None else None


def _last_seen(coordinator: BrouteCoordinator) -> datetime | None:
    """Return when the meter was heard last, to the minute: nobody needs the seconds, and each would be a state."""
    if (heard_at_s := coordinator.meter.heard_at_s) is None:
        return None
    heard_at = dt_util.utcnow() - timedelta(seconds=coordinator.hass.loop.time() - heard_at_s)
    return heard_at.replace(second=0, microsecond=0)


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
        # A single-phase two-wire supply has no T line. That a value is missing now proves nothing.
        exists_fn=lambda coordinator: (coordinator.data and coordinator.data.current_t_a is not None) or None,
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

CONTRACT_SENSORS: tuple[ContractSensorDescription, ...] = (
    ContractSensorDescription(
        key="contract_usage",
        translation_key="contract_usage",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=0,
        value_fn=Contract.usage_percent,
    ),
    ContractSensorDescription(
        key="headroom",
        translation_key="headroom",
        device_class=SensorDeviceClass.CURRENT,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        suggested_display_precision=1,
        value_fn=Contract.headroom_a,
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

DEMAND_SENSORS: tuple[DemandSensorDescription, ...] = (
    DemandSensorDescription(
        key="half_hour_energy",
        translation_key="half_hour_energy",
        device_class=SensorDeviceClass.ENERGY,
        # Without a state class: it is no meter of its own.
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda demand: demand.energy_kwh,
        attributes_fn=lambda demand: {"since": demand.start},
    ),
    DemandSensorDescription(
        key="demand",
        translation_key="demand",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda demand: demand.mean_kw,
        attributes_fn=lambda demand: {"since": demand.start},
    ),
    DemandSensorDescription(
        key="demand_forecast",
        translation_key="demand_forecast",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        value_fn=lambda demand: demand.forecast_kw,
        attributes_fn=lambda demand: {
            "since": demand.start,
            "counted_until": demand.until,
            "expected_power": demand.power_w,
            "readings": demand.readings,
        },
    ),
)

PERIOD_SENSORS: tuple[PeriodSensorDescription, ...] = (
    *(
        PeriodSensorDescription(
            key=f"{direction}_{period}",
            translation_key=f"{direction}_{period}",
            device_class=SensorDeviceClass.ENERGY,
            # What is over goes on no more: it is no total that statistics could follow.
            state_class=None if period is Period.YESTERDAY else SensorStateClass.TOTAL,
            native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
            suggested_display_precision=1,
            period=period,
            direction=direction,
            exists_fn=exists_fn,
        )
        for period, direction, exists_fn in (
            (Period.TODAY, IMPORT, _has_rows),
            (Period.TODAY, EXPORT, _exports_in_rows),
            (Period.YESTERDAY, IMPORT, _has_rows),
            (Period.YESTERDAY, EXPORT, _exports_in_rows),
            (Period.BILLING, IMPORT, _has_billing_period),
            (Period.BILLING, EXPORT, _exports_in_billing_period),
        )
    ),
)

BALANCE_SENSORS: tuple[BalanceSensorDescription, ...] = tuple(
    BalanceSensorDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        value_fn=value_fn,
        exists_fn=exists_fn,
    )
    for key, value_fn, exists_fn in (
        ("house_power", lambda balance: balance.house, lambda coordinator: bool(coordinator.sun.sources.powers)),
        (
            "self_consumption",
            lambda balance: balance.self_consumption,
            lambda coordinator: bool(coordinator.sun.sources.pv_power),
        ),
        ("surplus", lambda balance: balance.surplus, lambda coordinator: bool(coordinator.sun.sources.pv_power)),
    )
)

DAY_ENERGY_SENSORS: tuple[DayEnergySensorDescription, ...] = tuple(
    DayEnergySensorDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=value_fn,
        exists_fn=exists_fn,
    )
    for key, value_fn, exists_fn in (
        ("house_today", lambda energy: energy.house, _counts_sources),
        ("self_consumed_today", lambda energy: energy.self_consumption, _counts_sun),
    )
)

INSTALLATION_LOCATION = BrouteSensorDescription(
    key="installation_location",
    translation_key="installation_location",
    device_class=SensorDeviceClass.ENUM,
    options=[place.value for place in Place],
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)

LINK_SENSORS: tuple[LinkSensorDescription, ...] = (
    LinkSensorDescription(
        key="link_state",
        translation_key="link_state",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in SessionState],
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda coordinator: coordinator.meter.state,
    ),
    LinkSensorDescription(
        key="signal_strength",
        translation_key="signal_strength",
        device_class=SensorDeviceClass.SIGNAL_STRENGTH,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: _while_joined(coordinator, coordinator.meter.rssi_dbm),
        exists_fn=lambda coordinator: coordinator.tells_signal,
    ),
    LinkSensorDescription(
        key="link_quality",
        translation_key="link_quality",
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: _while_joined(coordinator, coordinator.meter.lqi),
        exists_fn=_speaks(Dialect.DUAL_STACK),
    ),
    LinkSensorDescription(
        key="last_seen",
        translation_key="last_seen",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_last_seen,
    ),
    LinkSensorDescription(
        key="failed_requests",
        translation_key="failed_requests",
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda coordinator: coordinator.meter.statistics.unanswered + coordinator.meter.statistics.not_sent,
    ),
)

SENSORS: tuple[BrouteSensorDescription, ...] = (
    *READING_SENSORS,
    *CONTRACT_SENSORS,
    *LOG_SENSORS,
    *DEMAND_SENSORS,
    *PERIOD_SENSORS,
    *BALANCE_SENSORS,
    *DAY_ENERGY_SENSORS,
    INSTALLATION_LOCATION,
    *LINK_SENSORS,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors that every meter has and those that this one was known for, and follow what it says of itself.

    What turns up is added, and what the meter says that it has not is removed; statistics stay.
    """
    coordinator = entry.runtime_data
    registry = er.async_get(hass)
    added: set[str] = set()

    @callback
    def follow() -> None:
        new = []
        for description in SENSORS:
            exists = description.exists_fn(coordinator)
            entity_id = registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id(coordinator, description.key))
            if exists is False:
                added.discard(description.key)
                if entity_id:
                    LOGGER.warning("%s: There is no such value any more: %s is removed", coordinator.name, entity_id)
                    registry.async_remove(entity_id)
            elif description.key not in added and (exists or entity_id):
                added.add(description.key)
                new.append(ENTITIES[type(description)](coordinator, description))
        if new:
            async_add_entities(new)

    entry.async_on_unload(coordinator.async_add_listener(follow))
    follow()


class ReadingSensor(MeterEntity, SensorEntity):
    """A value of the latest reading."""

    entity_description: ReadingSensorDescription

    @property
    @override
    def native_value(self) -> int | Decimal | None:
        """The value, exactly as the meter gives it; `None` where the reading lacks it."""
        reading = self.coordinator.data
        return self.entity_description.value_fn(reading) if reading else None


class ContractSensor(MeterEntity, SensorEntity):
    """What the latest reading means for the limit of the supply: unknown where a current that counts is missing."""

    entity_description: ContractSensorDescription

    @property
    @override
    def native_value(self) -> Decimal | None:
        """The value."""
        contract, reading = self.coordinator.contract, self.coordinator.data
        if contract is None or reading is None:
            return None
        return self.entity_description.value_fn(contract, reading.current_r_a, reading.current_t_a)


class LogSensor(MeterEntity, SensorEntity):
    """Something of a past instant: true for ever, so it stays while the meter is not reached."""

    entity_description: LogSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Always: what is not known yet is unknown, and what is stays true."""
        return True

    @property
    @override
    def native_value(self) -> Decimal | datetime | int | None:
        """The value; `None` as long as it is not known."""
        return self.entity_description.value_fn(self.coordinator.log)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """When that was."""
        at = self.entity_description.at_fn(self.coordinator.log)
        return {"at": at} if at else None


class DemandSensor(WatchEntity, SensorEntity):
    """Something of the half hour that runs, which goes on though the readings stay the same."""

    entity_description: DemandSensorDescription
    _unrecorded_attributes = frozenset({"counted_until", "expected_power", "readings"})

    @property
    @override
    def _watch(self) -> Watch:
        return self.coordinator.demand

    @property
    @override
    def native_value(self) -> Decimal | None:
        """The value; `None` as long as it is not known."""
        demand = self.coordinator.demand.demand
        return self.entity_description.value_fn(demand) if demand else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """What it rests on."""
        demand = self.coordinator.demand.demand
        return self.entity_description.attributes_fn(demand) if demand else None


class PeriodSensor(WatchEntity, SensorEntity):
    """The energy of a period."""

    entity_description: PeriodSensorDescription

    @property
    @override
    def _watch(self) -> Watch:
        return self.coordinator.energy

    @property
    @override
    def available(self) -> bool:
        """Whether there is a reading; what is over needs none, known or not."""
        return super().available or self.entity_description.state_class is None

    @property
    @override
    def native_value(self) -> Decimal | None:
        """The energy; `None` where not all of it was counted, or it is not known."""
        return self._energy.energy_kwh if self._energy else None

    @property
    @override
    def last_reset(self) -> datetime | None:
        """When it was zero, if it is a total."""
        return self._energy.start if self._energy and self.entity_description.state_class else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Since when it is counted, and what was not."""
        if not (energy := self._energy):
            return None
        holes = [{"start": start, "end": end} for start, end in energy.not_counted]
        # No `Decimal`: the recorder leaves out all attributes of a state that has one in them.
        incomplete = {"counted": float(energy.counted_kwh), "not_counted": holes} if holes else {}
        return {"since": energy.start, **incomplete}

    @property
    def _energy(self) -> Energy | None:
        return self.coordinator.energy.energy(self.entity_description.period, self.entity_description.direction)


class BalanceSensor(WatchEntity, SensorEntity):
    """Something of the instant of the latest reading, which goes on though the readings stay the same."""

    entity_description: BalanceSensorDescription

    @property
    @override
    def _watch(self) -> Watch:
        return self.coordinator.sun

    @property
    @override
    def native_value(self) -> int | None:
        """The value; `None` where something that it needs is not known of that instant."""
        balance = self.coordinator.sun.balance
        return round(self.entity_description.value_fn(balance)) if balance else None


class DayEnergySensor(WatchEntity, SensorEntity):
    """Something of the energies of today, up to the last half hour that is known."""

    entity_description: DayEnergySensorDescription
    _unrecorded_attributes = frozenset({"counted_until"})

    @property
    @override
    def _watch(self) -> Watch:
        return self.coordinator.sun_energy

    @property
    @override
    def native_value(self) -> float | None:
        """The energy; `None` where something that it needs is not known."""
        energy = self.coordinator.sun_energy.energy
        return round(self.entity_description.value_fn(energy), 3) if energy else None

    @property
    @override
    def last_reset(self) -> datetime | None:
        """When it was zero."""
        energy = self.coordinator.sun_energy.energy
        return energy.start if energy else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Since when it is counted, and until when."""
        energy = self.coordinator.sun_energy.energy
        return {"since": energy.start, "counted_until": energy.until} if energy else None


class LocationSensor(MeterEntity, SensorEntity):
    """Where the meter says that it is installed."""

    @property
    @override
    def native_value(self) -> str | None:
        """The place; `None` before it has said so, and where nobody has set one or the maker has places of its own."""
        return self._location.place if self._location else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Which of several such places."""
        number = self._location.number if self._location else None
        return None if number is None else {"number": number}

    @property
    def _location(self) -> InstallationLocation | None:
        status = self.coordinator.meter.status
        return status.location if status else None


class LinkSensor(ModuleEntity, SensorEntity):
    """Something of the link."""

    entity_description: LinkSensorDescription

    @property
    @override
    def native_value(self) -> int | str | datetime | None:
        """The value; `None` while it is not known."""
        return self.entity_description.value_fn(self.coordinator)


ENTITIES: Mapping[type[BrouteSensorDescription], Callable[[BrouteCoordinator, Any], SensorEntity]] = {
    ReadingSensorDescription: ReadingSensor,
    ContractSensorDescription: ContractSensor,
    LogSensorDescription: LogSensor,
    DemandSensorDescription: DemandSensor,
    PeriodSensorDescription: PeriodSensor,
    BalanceSensorDescription: BalanceSensor,
    DayEnergySensorDescription: DayEnergySensor,
    BrouteSensorDescription: LocationSensor,
    LinkSensorDescription: LinkSensor,
}
"""What is made of each kind of description."""
