"""Target: what an earlier run has stored, after somebody else has been at it.

An input is a list of changes to a sound memory: which entry (one byte), the length of the value (one byte), and the
value as JSON, or as the text itself where that is no JSON.
"""

from collections.abc import Iterator
from decimal import Decimal
import json
from math import isfinite
from typing import Any

from custom_components.broute.aiobroute.exceptions import MalformedMemoryError
from custom_components.broute.aiobroute.link.base import Dialect, Network
from custom_components.broute.aiobroute.memory import Memory
from custom_components.broute.aiobroute.readings import BelievedCounters, Constants, Scale
from custom_components.broute.aiobroute.response_timer import RequestKind

MAC = bytes.fromhex("001D129012345678")
SOUND = Memory(
    network=Network(channel=33, pan_id=0x8888, mac=MAC, rssi_dbm=-60.5, lqi=159, pairing_id="CCDDEEFF"),
    dialect=Dialect.J11,
    constants=Constants(
        mac=MAC,
        scale=Scale(unit_kwh=Decimal("0.1"), coefficient=1, effective_digits=6),
        manufacturer_code=0x16,
        serial_number="A1B2",
        standard_version="F",
        get_map=frozenset({0x80, 0xE0, 0xE7}),
        set_map=frozenset({0xE5}),
        announcement_map=frozenset({0x80}),
    ),
    believed=BelievedCounters(mac=MAC, normal=1234, reverse=None, seen_at=12.5),
    slowest_s={RequestKind.ONE: 1.5, RequestKind.SEVERAL: 2.5},
    left_at=77.5,
).as_dict()
PATHS = (
    *((key,) for key in SOUND),
    *((key, inner) for key, value in SOUND.items() if isinstance(value, dict) for inner in value),
)
VALUES = (
    *("null", "true", "[]", "{}", "0", "-1", "1e400", "NaN", "-Infinity", "0.5", '""', '"NaN"', "33.0", "255", "256"),
    *('"001d129012345678"', "[128, 128]", '["80"]', "[true]", '{"one": 1}', '{"x": 1}', "1" + "0" * 200, '"0.1"'),
)


def check(data: bytes) -> None:
    """Break when what is taken cannot be used, or an error is not `MalformedMemoryError`."""
    stored = json.loads(json.dumps(SOUND))
    for path, value in _changes(data):
        _change(stored, path, value)
    try:
        memory = Memory.from_dict(stored)
    except MalformedMemoryError:
        return
    again = json.loads(json.dumps(memory.as_dict(), allow_nan=False))
    assert Memory.from_dict(again) == memory
    _judge(memory)


def _changes(data: bytes) -> Iterator[tuple[tuple[str, ...], Any]]:
    position = 0
    while position + 2 <= len(data):
        path, length = PATHS[data[position] % len(PATHS)], data[position + 1]
        text = data[position + 2 : position + 2 + length].decode("latin-1")
        position += 2 + length
        try:
            yield path, json.loads(text)
        except ValueError:
            yield path, text


def _change(stored: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    *above, last = path
    for key in above:
        if not isinstance(stored.get(key), dict):
            return
        stored = stored[key]
    stored[last] = value


def _judge(memory: Memory) -> None:
    """Break when a value has another type than it says, or one that a meter or a module cannot have."""
    if network := memory.network:
        assert type(network.channel) is int
        assert 33 <= network.channel <= 60
        assert type(network.pan_id) is int
        assert 0 <= network.pan_id <= 0xFFFF
        assert len(network.mac) == 8
        assert isfinite(network.rssi_dbm)
        assert network.lqi is None or (type(network.lqi) is int and 0 <= network.lqi <= 0xFF)
        assert network.pairing_id is None or type(network.pairing_id) is str
    if constants := memory.constants:
        _judge_constants(constants)
    if believed := memory.believed:
        assert len(believed.mac) == 8
        for counter in (believed.normal, believed.reverse):
            assert counter is None or (type(counter) is int and 0 <= counter <= 99_999_999)
        assert believed.seen_at is None or isfinite(believed.seen_at)
    for kind, answer_s in memory.slowest_s.items():
        assert isinstance(kind, RequestKind)
        assert type(answer_s) is float
        assert 0 <= answer_s < float("inf")
    assert memory.left_at is None or (type(memory.left_at) is float and 0 <= memory.left_at < float("inf"))


def _judge_constants(constants: Constants) -> None:
    assert len(constants.mac) == 8
    scale = constants.scale
    assert scale.unit_kwh.is_finite()
    assert 0 < scale.unit_kwh <= 10_000
    assert type(scale.coefficient) is int
    assert 1 <= scale.coefficient <= 999_999
    assert type(scale.effective_digits) is int
    assert 1 <= scale.effective_digits <= 8
    assert type(constants.max_properties) is int
    assert 1 <= constants.max_properties <= 6
    for epcs in (constants.get_map, constants.set_map, constants.announcement_map):
        assert all(type(epc) is int and 0x80 <= epc <= 0xFF for epc in epcs)
    for text in (constants.serial_number, constants.standard_version):
        assert text is None or type(text) is str
    code = constants.manufacturer_code
    assert code is None or (type(code) is int and 0 <= code <= 0xFFFFFF)


def seeds() -> Iterator[bytes]:
    """Yield the sound memory, and one change of each kind to each entry."""
    yield b""
    for number in range(len(PATHS)):
        for value in VALUES:
            yield bytes((number, len(value))) + value.encode()
