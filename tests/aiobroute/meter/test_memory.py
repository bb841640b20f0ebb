"""What is remembered survives JSON, and what was damaged is refused by name."""

from dataclasses import replace
from decimal import Decimal
import json
from typing import Any

import pytest

from custom_components.broute.aiobroute import (
    BelievedCounters,
    Constants,
    Dialect,
    MalformedMemoryError,
    Memory,
    Network,
    Scale,
)
from custom_components.broute.aiobroute.response_timer import RequestKind

MEMORY = Memory(
    network=Network(
        channel=33,
        pan_id=0x8888,
        mac=bytes.fromhex("001D129012345678"),
        rssi_dbm=-42.4,
        lqi=0xE1,
        pairing_id="CCDDEEFF",
    ),
    dialect=Dialect.DUAL_STACK,
    constants=Constants(
        mac=bytes.fromhex("001D129012345678"),
        scale=Scale(unit_kwh=Decimal("0.1"), coefficient=1, effective_digits=6),
        manufacturer_code=0x16,
        serial_number="AB12C34567",
        standard_version="F",
        get_map=frozenset({0x80, 0xE0}),
        set_map=frozenset({0xE5}),
        announcement_map=frozenset({0x80}),
    ),
    believed=BelievedCounters(mac=bytes.fromhex("001D129012345678"), normal=65139, reverse=None, seen_at=16.5),
    slowest_s={RequestKind.SEVERAL: 1.25},
    left_at=17.5,
)


@pytest.mark.parametrize("memory", [MEMORY, Memory()], ids=["all", "nothing"])
def test_it_survives_json(memory: Memory) -> None:
    assert Memory.from_dict(json.loads(json.dumps(memory.as_dict()))) == memory


def test_what_was_stored_before_there_was_an_lqi_is_read_without() -> None:
    data = json.loads(json.dumps(MEMORY.as_dict()))
    del data["network"]["lqi"]
    remembered = Memory.from_dict(data)
    assert MEMORY.network is not None
    assert remembered == replace(MEMORY, network=replace(MEMORY.network, lqi=None))


def test_it_does_not_show_whose_meter_it_is() -> None:
    shown = repr(MEMORY).upper()
    for secret in ("001D129012345678", "CCDDEEFF", "AB12C34567", str(0x8888)):
        assert secret not in shown


WRONG_NETWORKS: list[dict[str, Any]] = [
    {"channel": 33.0},
    {"pan_id": True},
    {"pan_id": 8.0},
    {"rssi_dbm": float("inf")},
    {"rssi_dbm": 10**400},
    {"pairing_id": 7},
    {"lqi": 256},
    {"lqi": -1},
    {"lqi": True},
    {"lqi": "E1"},
]
WRONG_CONSTANTS: list[dict[str, Any]] = [
    {"mac": "001D"},
    {"unit_kwh": "much"},
    {"unit_kwh": "NaN"},
    {"unit_kwh": "0.5"},
    {"unit_kwh": 1},
    {"coefficient": 0},
    {"coefficient": 1_000_000},
    {"coefficient": float("inf")},
    {"effective_digits": 9},
    {"manufacturer_code": 0x1000000},
    {"serial_number": 7},
    {"standard_version": []},
    {"get_map": ["80"]},
    {"set_map": [0x7F]},
    {"announcement_map": 0x80},
    # In steps of no property the meter would never be asked.
    {"max_properties": 0},
    {"max_properties": 7},
]

DAMAGED: list[dict[str, Any]] = [
    {"format": 2},
    {"network": {"channel": 33}},
    {"network": MEMORY.as_dict()["network"] | {"channel": 32}},
    {"network": MEMORY.as_dict()["network"] | {"channel": 61}},
    {"network": MEMORY.as_dict()["network"] | {"pan_id": 0x10000}},
    {"network": MEMORY.as_dict()["network"] | {"mac": "001D"}},
    {"network": MEMORY.as_dict()["network"] | {"mac": "zz"}},
    {"network": MEMORY.as_dict()["network"] | {"rssi_dbm": "strong"}},
    *({"network": MEMORY.as_dict()["network"] | wrong} for wrong in WRONG_NETWORKS),
    {"network": "home"},
    {"dialect": "cobol"},
    {"constants": {"mac": ""}},
    *({"constants": MEMORY.as_dict()["constants"] | wrong} for wrong in WRONG_CONSTANTS),
    *(
        {"believed": MEMORY.as_dict()["believed"] | wrong}
        for wrong in (
            {"mac": "zz"},
            {"mac": "00"},
            {"normal": -1},
            {"normal": "65139"},
            {"normal": 65139.0},
            {"reverse": 100_000_000},
            {"normal": True},
            {"seen_at": "soon"},
            {"seen_at": float("nan")},
        )
    ),
    {"slowest_s": {"every": 1.0}},
    {"slowest_s": {"one": -1.0}},
    {"slowest_s": {"one": float("nan")}},
    {"slowest_s": [1]},
    {"left_at": float("inf")},
    {"left_at": "yesterday"},
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_was_damaged_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(MalformedMemoryError) as refusal:
        Memory.from_dict(MEMORY.as_dict() | damage)
    assert "001D" not in str(refusal.value)


@pytest.mark.parametrize("key", MEMORY.as_dict())
def test_what_is_incomplete_is_refused(key: str) -> None:
    data = MEMORY.as_dict()
    del data[key]
    with pytest.raises(MalformedMemoryError):
        Memory.from_dict(data)
