"""The switches of faults: set by name, for a time, read from JSON, switched off."""

import asyncio
from collections import deque

import pytest

from simulator import OverLimit, SimulatedHome
from simulator.faults import UnknownNameError


async def test_a_switch_is_off_by_itself_after_its_time() -> None:
    with SimulatedHome() as home:
        home.faults.set(30, meter_silent=True, late_answers=deque([1.0]))
        home.faults.set(module_mute=True)
        await asyncio.sleep(29)
        assert home.faults.on() == {"meter_silent": True, "late_answers": deque([1.0]), "module_mute": True}
        await asyncio.sleep(2)
        assert home.faults.on() == {"module_mute": True}


@pytest.mark.parametrize(("again_s", "after_s"), [(None, 1000), (100, 99)])
async def test_a_switch_that_is_set_again_forgets_its_earlier_end(again_s: float | None, after_s: float) -> None:
    with SimulatedHome() as home:
        home.faults.set(30, meter_silent=True)
        home.faults.set(again_s, meter_silent=True)
        await asyncio.sleep(after_s)
        assert home.faults.meter_silent


async def test_speed_shortens_the_time() -> None:
    with SimulatedHome(speed=10) as home:
        home.faults.set(30, meter_silent=True)
        await asyncio.sleep(3.1)
        assert not home.faults.meter_silent


async def test_named_switches_or_all_are_switched_off() -> None:
    with SimulatedHome() as home:
        home.faults.set(lines_lost=1, over_limit=OverLimit.SILENT, struck=b"OK")
        home.faults.off("lines_lost")
        assert home.faults.on() == {"over_limit": OverLimit.SILENT, "struck": b"OK"}
        home.faults.off()
        assert home.faults.on() == {}
        assert home.faults.over_limit is OverLimit.PARTIAL


async def test_what_is_switched_off_does_not_share_its_list_with_the_default() -> None:
    with SimulatedHome() as home, SimulatedHome() as other:
        home.faults.off()
        home.faults.late_answers.append(1.0)
        home.faults.commands_ignored["*"] = 1
        assert other.faults.on() == {}
        home.faults.off()
        assert home.faults.on() == {}


async def test_an_unknown_switch_is_told_with_the_known_ones_and_nothing_is_set() -> None:
    with SimulatedHome() as home:
        with pytest.raises(UnknownNameError, match=r"unknown name 'quiet'; known are .*meter_silent, module_mute"):
            home.faults.set(meter_silent=True, quiet=True)
        home.faults.set(lines_lost=1)
        with pytest.raises(UnknownNameError):
            home.faults.off("lines_lost", "clock")
        assert home.faults.on() == {"lines_lost": 1}


async def test_closing_the_home_leaves_what_is_on_as_it_is() -> None:
    with SimulatedHome() as home:
        home.faults.set(30, meter_silent=True)
    await asyncio.sleep(60)
    assert home.faults.meter_silent


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("meter_silent", True, True),
        ("lines_lost", 0, 0),
        ("lengths_wrong", [-3, 4], deque([-3, 4])),
        ("late_answers", [2, 0.5], deque([2.0, 0.5])),
        ("request_loss", 1, 1.0),
        ("noise_lines", ["\x00\xff"], deque([b"\x00\xff"])),
        ("property_limit", None, None),
        ("property_limit", 3, 3),
        ("over_limit", "REFUSE", OverLimit.REFUSE),
        ("commands_ignored", {"*": 2}, {"*": 2}),
        ("commands_refused", {"SKJOIN": [10]}, {"SKJOIN": deque([10])}),
        ("replaced_values", {"E7": ["7ffffffe"]}, {"E7": deque(["7ffffffe"])}),
    ],
)
async def test_a_value_is_read_from_json(name: str, value: object, read: object) -> None:
    with SimulatedHome() as home:
        assert home.faults.read(name, value) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("meter_silent", 1),
        ("lines_lost", -1),
        ("lines_lost", 1.0),
        ("lines_lost", True),
        ("lengths_wrong", 3),
        ("lengths_wrong", [0.5]),
        ("lengths_wrong", [True]),
        ("late_answers", [-1]),
        ("late_answers", [float("nan")]),
        ("late_answers", [float("inf")]),
        ("late_answers", [True]),
        ("late_answers", ["1"]),
        ("request_loss", 1.01),
        ("request_loss", -0.01),
        ("request_loss", True),
        ("request_loss", None),
        ("noise_lines", ["\u3042"]),
        ("struck", 1),
        ("property_limit", -1),
        ("over_limit", "partial"),
        ("commands_ignored", [1]),
        ("commands_ignored", {"*": None}),
        ("replaced_values", {"E7": ["7fffffe"]}),
        ("replaced_values", {"E7": ["7g"]}),
        ("replaced_values", {"E7": [12]}),
    ],
)
async def test_another_value_is_refused_with_the_name(name: str, value: object) -> None:
    with SimulatedHome() as home, pytest.raises(ValueError, match=rf"^{name}: .* wanted"):
        home.faults.read(name, value)


async def test_each_switch_is_documented() -> None:
    with SimulatedHome() as home:
        documentation = home.faults.documentation()
        assert {"meter_silent", "lines_lost", "commands_ignored", "scan_misses"} <= set(documentation)
        assert all(documentation.values())
