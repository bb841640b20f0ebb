"""What the control port makes of its lines."""

import asyncio
from datetime import datetime
import json
from typing import Any

import pytest

from simulator import JST, ConstantLoad, SimulatedHome
from simulator.control import Control
from simulator.happenings import Happenings


def asked(home: SimulatedHome, line: bytes | dict[str, object]) -> dict[str, Any]:
    """Return the answer to a line."""
    control = Control(home, Happenings(home))
    answer = control.answer(json.dumps(line).encode() if isinstance(line, dict) else line)
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    decoded: dict[str, Any] = json.loads(answer)
    return decoded


async def test_faults_are_set_for_a_time_told_and_switched_off() -> None:
    with SimulatedHome() as home:
        on = {"meter_silent": True, "struck": "\xff", "over_limit": "SILENT", "commands_refused": {"*": [10]}}
        assert asked(home, {"set": on, "for_s": 30}) == {"ok": True}
        assert asked(home, {"set": {"lines_lost": 2}}) == {"ok": True}
        assert asked(home, {"ask": "faults"}) == {"ok": True, "faults": on | {"lines_lost": 2}}
        await asyncio.sleep(31)
        assert asked(home, {"ask": "faults"})["faults"] == {"lines_lost": 2}
        assert asked(home, {"off": []}) == {"ok": True}
        assert asked(home, {"ask": "faults"})["faults"] == {}


async def test_named_faults_are_switched_off() -> None:
    with SimulatedHome() as home:
        asked(home, {"set": {"meter_silent": True, "module_mute": True}})
        assert asked(home, {"off": ["module_mute"]}) == {"ok": True}
        assert asked(home, {"ask": "faults"})["faults"] == {"meter_silent": True}


async def test_something_happens_with_its_arguments() -> None:
    with SimulatedHome() as home:
        assert asked(home, {"happen": "meter_rebooted", "with": {"for_s": 5, "pan_id": 1}}) == {"ok": True}
        assert asked(home, {"happen": "neighbour_appeared"}) == {"ok": True}
        assert home.meter.pan.pan_id == 1
        assert not home.meter.pan.powered
        assert len(home.neighbours) == 1


async def test_the_truth_is_told() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        truth = asked(home, {"ask": "truth"})["truth"]
        assert truth["power_w"] == 500
        assert truth["import_kwh"] == str(home.truth().import_kwh)


async def test_the_truth_of_the_past_is_told() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        for at in ("2026-11-20T18:00:00", "2026-11-20T18:00:00+09:00", "2026-11-20T09:00:00Z"):
            truth = asked(home, {"ask": "truth", "at": at})["truth"]
            assert truth == home.truth(datetime(2026, 11, 20, 18, tzinfo=JST)).to_plain()


async def test_help_tells_all_requests_faults_and_happenings() -> None:
    with SimulatedHome() as home:
        told = asked(home, {"ask": "help"})["help"]
        assert set(told["requests"]) == {"set", "off", "happen", "ask"}
        assert told["faults"] == home.faults.documentation()
        assert told["happenings"] == Happenings.documentation()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", "Expecting value"),
        (b"\xff", "'utf-8'"),
        (b"[" * 16_000, "Expecting value"),
        (b"1" * 5000, "digits"),
        (b"[]", "an object is wanted"),
        (b"{}", "unknown name ''; known are ask, happen, off, set"),
        ({"sett": {}}, "unknown name 'sett'; known are ask, happen, off, set"),
        ({"set": {"meter_silent": True}, "off": []}, "unknown name 'off'; known are for_s, set"),
        ({"set": []}, "set: an object is wanted"),
        ({"set": {"meter_silent": True, "quiet": 1}}, "unknown name 'quiet'; known are "),
        ({"set": {"meter_silent": True, "clock": 1}}, "unknown name 'clock'; known are "),
        ({"set": {"meter_silent": True, "lines_lost": -1}}, "lines_lost: "),
        ({"set": {"meter_silent": True}, "for_s": -1}, "a number from 0 on"),
        ({"set": {"meter_silent": True}, "for": 1}, "unknown name 'for'; known are for_s, set"),
        ({"off": "meter_silent"}, "off: a list is wanted"),
        ({"off": [[1]]}, "unknown name [1]; known are "),
        ({"happen": "duty"}, "unknown name 'duty'; known are "),
        ({"happen": "module_reset", "with": []}, "with: an object is wanted"),
        ({"happen": "module_reset", "with": {"for_s": 1}}, "unknown name 'for_s'; known are "),
        ({"ask": "truth", "at": "yesterday"}, "Invalid isoformat"),
        ({"ask": "truth", "at": 1}, "at: a text is wanted"),
        ({"ask": "truth", "at": "2026-11-21T18:24:01"}, "at: a time from 2016-04-01 to now is wanted"),
        ({"ask": "truth", "at": "0001-01-01T00:00:00+14:00"}, "at: a time from 2016-04-01"),
        ({"ask": "truth", "from": "2026-11-21"}, "unknown name 'from'; known are ask, at"),
        ({"ask": "faults", "at": "2026-11-21"}, "unknown name 'at'; known are ask"),
        ({"ask": "password"}, "unknown name 'password'; known are faults, help, truth"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_done_is_told_and_nothing_of_it_is_done(
    line: bytes | dict[str, object], error: str
) -> None:
    with SimulatedHome() as home:
        answer = asked(home, line)
        assert set(answer) == {"error"}
        assert error in answer["error"]
        assert home.faults.on() == {}
