"""What the options may name of sun and battery, and what makes no sense together."""

from typing import Any

import pytest

from custom_components.broute.household.sources import BatterySign, Sources, fault_in

PV = {"pv_power": ["pv"]}
PV_ENERGY = {"pv_energy": ["pv_kwh"]}
BATTERY = {"battery_power": ["battery"], "battery_sign": "charging"}
BATTERY_ENERGY = {"battery_charged": ["in"], "battery_discharged": ["out"]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_age": 60},
        PV,
        PV | {"pv_power": ["east", "west"]},
        PV_ENERGY,
        BATTERY,
        BATTERY_ENERGY,
        PV | BATTERY,
        PV_ENERGY | BATTERY_ENERGY,
        PV | PV_ENERGY,
        PV | BATTERY | PV_ENERGY | BATTERY_ENERGY,
        # What was cleared in the form.
        PV | {"battery_power": [], "battery_charged": []},
    ],
)
def test_what_goes_together_is_taken(options: dict[str, Any]) -> None:
    assert fault_in(options) is None


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (PV | {"battery_sign": "charging"}, "battery_sign_alone"),
        ({"battery_power": ["battery"]}, "battery_sign_missing"),
        (PV_ENERGY | {"battery_charged": ["in"]}, "battery_counter_missing"),
        (PV_ENERGY | {"battery_discharged": ["out"]}, "battery_counter_missing"),
        (BATTERY | PV_ENERGY, "pv_power_missing"),
        (PV | BATTERY | BATTERY_ENERGY, "pv_energy_missing"),
        (PV | PV_ENERGY | BATTERY_ENERGY, "battery_power_missing"),
        (PV | PV_ENERGY | BATTERY, "battery_energy_missing"),
        (PV | {"battery_power": ["pv"], "battery_sign": "charging"}, "source_named_twice"),
        ({"pv_power": ["pv", "pv"]}, "source_named_twice"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], fault: str) -> None:
    assert fault_in(options) == fault


def test_options_name_sources() -> None:
    sources = Sources.of(PV | BATTERY | PV_ENERGY | BATTERY_ENERGY | {"max_age": 60})
    assert sources.powers == {"pv", "battery"}
    assert sources.energies == {"pv_kwh", "in", "out"}
    assert sources.battery_sign is BatterySign.CHARGING
    assert sources.max_age_s == 60


def test_options_name_nothing() -> None:
    sources = Sources.of({})
    assert not sources.powers
    assert not sources.energies
    assert sources.max_age_s == 120
