"""The actions for whoever looks for a fault, or for the best place for the module."""

import asyncio
from collections import deque
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
import voluptuous as vol

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import RELEASE_F, RELEASE_R, SimulatedHome
from simulator.happenings import Happenings

from .world import TOKEN, Ports, has_value, until


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))


async def call(hass: HomeAssistant, action: str, **data: Any) -> Any:
    """Call an action, and return its response as it goes to whoever called it."""
    response = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    return json.loads(json.dumps(response))


async def test_survey_returns_what_is_heard_and_the_meter_is_read_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    Happenings(home).neighbour_appeared(channel=0x29, lqi=0x40, pairing_id="00112233", answers_anybody=True)
    response = await call(hass, "survey")
    ours, other = response["heard"]
    assert ours == {"this_meter": True, "signal_dbm": -42.4, "link_quality": 0xE1, "channel": home.meter.pan.channel}
    assert other == {"this_meter": False, "signal_dbm": -86.7, "link_quality": 0x40, "channel": 0x29}
    sessions = entry.runtime_data.meter.statistics.sessions
    assert await until(lambda: entry.runtime_data.meter.statistics.sessions > sessions) < 30
    assert has_value(hass, "power")


async def test_j11_tells_no_link_quality(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    ports.plug_in(module="BP35C0-J11")
    await set_up(hass, entry)
    (heard,) = (await call(hass, "survey"))["heard"]
    assert heard["this_meter"] is True
    assert heard["link_quality"] is None


async def test_second_survey_is_refused(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    first = asyncio.create_task(call(hass, "survey"))
    await asyncio.sleep(1)
    with pytest.raises(HomeAssistantError) as failure:
        await call(hass, "survey")
    assert failure.value.translation_key == "survey_under_way"
    assert (await first)["heard"]


async def test_survey_without_a_module_says_why(hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(1)
    with pytest.raises(HomeAssistantError) as failure:
        await call(hass, "survey")
    assert failure.value.translation_key == "port_missing"


async def test_survey_of_an_entry_that_is_unloaded_meanwhile_ends(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    survey = asyncio.create_task(call(hass, "survey"))
    await asyncio.sleep(1)
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as failure:
        await survey
    assert failure.value.translation_key == "session_lost"


async def test_properties_come_as_they_are_and_as_what_they_mean(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    response = await call(hass, "read_properties", properties=["80", "e0", "9F", "E8", "97", "EA", "E1", "BF"])
    told = {one["epc"]: one for one in response["properties"]}
    assert list(told) == ["80", "E0", "9F", "E8", "97", "EA", "E1", "BF"]
    assert told["80"] == {"epc": "80", "name": "operation status", "data": "30", "value": True, "error": None}
    assert int(told["E0"]["data"], 16) == told["E0"]["value"]
    assert "E7" in told["9F"]["value"]
    assert told["E8"]["value"].keys() == {"r_a", "t_a"}
    assert told["97"]["value"].endswith("+09:00")
    assert told["EA"]["value"]["at"].endswith(":00+09:00")
    assert told["E1"]["value"] == 0.1
    # What is not known here may tell anything; besides, this meter does not give it.
    assert told["BF"] == {"epc": "BF", "name": None, "private": True, "bytes": 0}


async def test_everything_that_a_meter_may_have_can_be_told(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    """In the types of JSON, lists and records among them."""
    home = ports.plug_in(model=RELEASE_R)
    await set_up(hass, entry)
    # No meter is known that has it, and it is the only one whose data mean nothing more than they are.
    read = home.meter.object.read
    home.meter.object.read = lambda epc: b"\x01\x02\xab" if epc == 0x8B else read(epc)  # type: ignore[method-assign]
    assert home.meter.object.write(0xE5, b"\x01")
    epcs = sorted(home.meter.object.readable | {0x8B})
    told: dict[str, Any] = {}
    for half in (epcs[::2], epcs[1::2]):
        response = await call(hass, "read_properties", properties=[f"{epc:02X}" for epc in half])
        told |= {one["epc"]: one for one in response["properties"]}
    assert len(told) == len(epcs)
    assert told["8B"]["value"] == "0102AB"
    assert told["82"]["value"] == {"release": "R", "revision": 0}
    assert told["E2"]["value"].keys() == {"day", "counters"}
    assert told["E2"]["value"]["counters"][0] == int(told["E2"]["data"][4:12], 16)
    for one in told.values():
        assert one.keys() in ({"epc", "name", "private", "bytes"}, {"epc", "name", "data", "value", "error"})


async def test_property_that_cannot_be_read_comes_with_the_reason(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.faults.replaced_values["E7"] = deque(["7FFFFFFF"])
    (power,) = (await call(hass, "read_properties", properties=["E7"]))["properties"]
    assert (power["data"], power["value"]) == ("7FFFFFFF", None)
    assert "above the measurable range" in power["error"]


async def test_properties_of_a_meter_that_is_not_reached_are_not_told(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.pan.powered = False
    await until(lambda: entry.runtime_data.meter.outage)
    with pytest.raises(HomeAssistantError) as failure:
        await call(hass, "read_properties", properties=["E7"])
    assert failure.value.translation_key == "no_answer"


async def test_what_tells_whose_meter_it_is_stays_out(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    response = await call(hass, "read_properties", properties=["8D", "83", "C0", "81"])
    text = json.dumps(response).lower()
    for secret in (RELEASE_F.serial, RELEASE_F.serial.encode().hex(), home.meter.pan.mac.hex(), TOKEN):
        assert secret.lower() not in text
    serial = response["properties"][0]
    assert serial == {"epc": "8D", "name": serial["name"], "private": True, "bytes": 12}


@pytest.mark.parametrize("wrong", [[], ["7F"], ["100"], ["G0"], ["E7"] * 33, [None]])
async def test_what_are_no_properties_is_refused(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, wrong: list[Any]
) -> None:
    await set_up(hass, entry)
    with pytest.raises(vol.Invalid):
        await call(hass, "read_properties", properties=wrong)


async def test_several_meters_have_to_be_told_apart(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    response = await call(hass, "read_properties", config_entry_id=entry.entry_id, properties="E7")
    assert [one["epc"] for one in response["properties"]] == ["E7"]
    with pytest.raises(HomeAssistantError) as failure:
        await call(hass, "read_properties", config_entry_id="another", properties="E7")
    assert failure.value.translation_key == "no_such_meter"
