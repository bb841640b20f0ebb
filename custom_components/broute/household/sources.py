"""Which entities of Home Assistant tell of the sun and of the battery, as the options name them. Pure.

Above: the form, which refuses what makes no sense together, and those that follow these entities. An entity is named by
its id in the registry where it has one, so that it may be renamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

CONF_PV_POWER: Final = "pv_power"
CONF_PV_ENERGY: Final = "pv_energy"
CONF_BATTERY_POWER: Final = "battery_power"
CONF_BATTERY_SIGN: Final = "battery_sign"
CONF_BATTERY_CHARGED: Final = "battery_charged"
CONF_BATTERY_DISCHARGED: Final = "battery_discharged"
CONF_MAX_AGE: Final = "max_age"

POWERS: Final = (CONF_PV_POWER, CONF_BATTERY_POWER)
ENERGIES: Final = (CONF_PV_ENERGY, CONF_BATTERY_CHARGED, CONF_BATTERY_DISCHARGED)
DEFAULT_MAX_AGE_S: Final = 120
"""Most integrations ask once in 10 to 60 s, and one poll may fail."""
MAX_AGE_S: Final = (10, 86400)


class BatterySign(StrEnum):
    """What a positive power of the battery means."""

    DISCHARGING = "discharging"
    """As Home Assistant's Energy dashboard has it."""
    CHARGING = "charging"
    """As ECHONET Lite has it (class 027D, D3)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the options name; several entities of a kind are added up.

    Attributes:
        pv_power: the powers of the sun.
        battery_power: the powers of batteries.
        battery_sign: what they mean when they are positive.
        pv_energy: the counters of the sun.
        battery_charged: the counters of what went into batteries.
        battery_discharged: the counters of what came out of them.
        max_age_s: for how long a power counts after it was reported.
    """

    pv_power: tuple[str, ...]
    battery_power: tuple[str, ...]
    battery_sign: BatterySign
    pv_energy: tuple[str, ...]
    battery_charged: tuple[str, ...]
    battery_discharged: tuple[str, ...]
    max_age_s: float

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return what the options say, in which `fault_in` finds no fault."""
        return cls(
            pv_power=tuple(options.get(CONF_PV_POWER, ())),
            battery_power=tuple(options.get(CONF_BATTERY_POWER, ())),
            battery_sign=BatterySign(options.get(CONF_BATTERY_SIGN, BatterySign.DISCHARGING)),
            pv_energy=tuple(options.get(CONF_PV_ENERGY, ())),
            battery_charged=tuple(options.get(CONF_BATTERY_CHARGED, ())),
            battery_discharged=tuple(options.get(CONF_BATTERY_DISCHARGED, ())),
            max_age_s=options.get(CONF_MAX_AGE, DEFAULT_MAX_AGE_S),
        )

    @property
    def powers(self) -> frozenset[str]:
        """All entities that tell a power."""
        return frozenset((*self.pv_power, *self.battery_power))

    @property
    def energies(self) -> frozenset[str]:
        """All entities that count an energy."""
        return frozenset((*self.pv_energy, *self.battery_charged, *self.battery_discharged))


def fault_in(options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with options that were typed, a key of the translations; `None` if nothing is.

    A part of the house that is named for its energy must not be left out of the powers, nor the other way round: the
    house's consumption would be wrong without it.
    """
    named = [source for field in (*POWERS, *ENERGIES) for source in options.get(field, ())]
    if len(named) != len(set(named)):
        return "source_named_twice"
    has = {field: bool(options.get(field)) for field in (*POWERS, *ENERGIES, CONF_BATTERY_SIGN)}
    has_battery_energy = has[CONF_BATTERY_CHARGED]
    has_powers = has[CONF_PV_POWER] or has[CONF_BATTERY_POWER]
    has_energies = has[CONF_PV_ENERGY] or has_battery_energy
    faults = {
        "battery_sign_alone": has[CONF_BATTERY_SIGN] and not has[CONF_BATTERY_POWER],
        "battery_sign_missing": has[CONF_BATTERY_POWER] and not has[CONF_BATTERY_SIGN],
        "battery_counter_missing": has[CONF_BATTERY_CHARGED] != has[CONF_BATTERY_DISCHARGED],
        "pv_power_missing": has[CONF_PV_ENERGY] and has_powers and not has[CONF_PV_POWER],
        "pv_energy_missing": has[CONF_PV_POWER] and has_energies and not has[CONF_PV_ENERGY],
        "battery_power_missing": has_battery_energy and has_powers and not has[CONF_BATTERY_POWER],
        "battery_energy_missing": has[CONF_BATTERY_POWER] and has_energies and not has_battery_energy,
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)
