"""Reading faster: by the action, by the switch, by itself; its end, and how often the meter is asked meanwhile."""

import asyncio
from datetime import datetime
from itertools import pairwise
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
import voluptuous as vol

from custom_components.broute.const import CONF_CONTRACT, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.household.boost import DEFAULT_DURATION_S
from simulator import ScriptedLoad, SimulatedHome

from .world import GET_RES, Ports, has_value, sensor_id, set_up, until, value

POWER = 0xE7
INF = 0x73
SPACING_S = 5.0


async def set_up_with(hass: HomeAssistant, entry: BrouteConfigEntry, **options: Any) -> None:
    hass.config_entries.async_update_entry(entry, options=options)
    await set_up(hass, entry)
    # What follows a join is over.
    await asyncio.sleep(120)


async def boost(hass: HomeAssistant, **data: Any) -> None:
    await hass.services.async_call(DOMAIN, "boost", data, blocking=True)


async def turn(hass: HomeAssistant, state: str) -> None:
    data = {"entity_id": sensor_id(hass, "boost")}
    await hass.services.async_call("switch", f"turn_{state}", data, blocking=True)


def readings(home: SimulatedHome, start: datetime) -> int:
    """Return how often the meter was read since then."""
    return sum(POWER in answer.epcs and answer.esv == GET_RES for answer in home.meter.answers if answer.at > start)


async def readings_in(home: SimulatedHome, seconds: float) -> int:
    """Return how often the meter is read from now on, within this time."""
    start = home.clock.now()
    await asyncio.sleep(seconds)
    return readings(home, start)


@pytest.mark.parametrize("how", ["action", "switch"])
async def test_meter_is_read_faster_for_as_long_as_it_was_asked_for(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, how: str
) -> None:
    await set_up_with(hass, entry)
    assert await readings_in(home, 300) in {9, 10, 11}
    assert value(hass, "boost") == "off"
    if how == "action":
        await boost(hass)
    else:
        await turn(hass, "on")
    assert value(hass, "boost") == "on"
    # So that nothing in the background comes in the way of the next reading.
    assert entry.runtime_data.meter.read_interval_s == SPACING_S
    # At once, and not when the next one would have been due.
    start = home.clock.now()
    await until(lambda: readings(home, start), 7)
    assert await readings_in(home, DEFAULT_DURATION_S - 20) > 580 / 7
    assert await until(lambda: value(hass, "boost") == "off") < 30
    assert entry.runtime_data.meter.read_interval_s == 30
    await asyncio.sleep(30)
    assert await readings_in(home, 300) in {9, 10, 11}


async def test_duration_is_chosen(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up_with(hass, entry)
    await boost(hass, duration={"minutes": 2})
    assert 119 < await until(lambda: value(hass, "boost") == "off") < 121


async def test_switch_goes_off_in_its_time_while_it_is_still_needed(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    """Also while there is no session in which a reading would have it look."""
    home = ports.plug_in(load=ScriptedLoad(3500))
    await set_up_with(hass, entry, **{CONF_CONTRACT: {"limit": "amperes", "amperes": 40}})
    home.meter.pan.powered = False
    home.meter.paa.end_session()
    await boost(hass, duration=30)
    assert 29 < await until(lambda: value(hass, "boost") == "off") < 31


@pytest.mark.parametrize("duration", ["00:00:09", "01:00:01", -60, "soon"])
@pytest.mark.usefixtures("home")
async def test_duration_has_limits(hass: HomeAssistant, entry: BrouteConfigEntry, duration: object) -> None:
    await set_up(hass, entry)
    with pytest.raises(vol.Invalid):
        await boost(hass, duration=duration)


async def test_boost_without_a_meter_is_refused(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError) as failure:
        await boost(hass)
    assert failure.value.translation_key == "no_such_meter"


async def test_switch_is_turned_off(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up_with(hass, entry)
    await turn(hass, "on")
    await asyncio.sleep(60)
    await turn(hass, "off")
    assert value(hass, "boost") == "off"
    await asyncio.sleep(30)
    assert await readings_in(home, 300) in {9, 10, 11}


async def test_it_begins_by_itself_where_much_of_the_limit_is_used(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    load = ScriptedLoad(2000)
    home = ports.plug_in(load=load)
    await set_up_with(hass, entry, **{CONF_CONTRACT: {"limit": "amperes", "amperes": 40}})
    assert await readings_in(home, 300) in {9, 10, 11}
    load.step(home.clock.now(), 3000)
    await asyncio.sleep(35)
    assert await readings_in(home, 600) > 600 / 7
    # The switch says what somebody has asked for.
    assert value(hass, "boost") == "off"
    load.step(home.clock.now(), 2000)
    assert await readings_in(home, 100) > 100 / 7
    await asyncio.sleep(60)
    assert await readings_in(home, 300) in {9, 10, 11}


@pytest.mark.parametrize("module", ["BP35A1", "BP35C2", "BP35C0-J11"])
async def test_requests_keep_their_distance(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, module: str
) -> None:
    """At the meter, whatever else is asked for meanwhile, and however often somebody asks for more."""
    load = ScriptedLoad(4100)
    home = ports.plug_in(module=module, load=load)
    # So that an answer tells when the request came.
    home.module.radio.send_s, home.meter.answer_s = (0.2, 0.2), (0.8, 0.8)
    await set_up_with(hass, entry, **{CONF_CONTRACT: {"limit": "amperes", "amperes": 40}})
    start = home.clock.now()
    for _ in range(36):
        await boost(hass)
        await turn(hass, "off")
        await turn(hass, "on")
        await hass.services.async_call(
            DOMAIN, "read_properties", {"properties": ["80", "E7"]}, blocking=True, return_response=True
        )
        await asyncio.sleep(100)
    lapse_s = (home.clock.now() - start).total_seconds()
    times = [answer.at for answer in home.meter.answers if answer.at > start and answer.esv != INF]
    pauses_s = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    # A module may take half a second to put one on the air.
    assert min(pauses_s) >= SPACING_S - 0.5
    assert lapse_s / 7 < len(times) <= lapse_s / SPACING_S + 1


async def test_boost_that_is_asked_for_during_a_reading_waits_for_its_end(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """A second reading beside it would say the same."""
    await set_up_with(hass, entry)
    home.meter.answer_s = (8.0, 8.0)
    # Until nobody is surprised any more that it takes so long.
    await asyncio.sleep(600)
    sent = entry.runtime_data.meter.statistics.requests
    await until(lambda: entry.runtime_data.meter.statistics.requests > sent)
    start = home.clock.now()
    await boost(hass)
    await until(lambda: readings(home, start))
    assert await until(lambda: readings(home, start) > 1) > 8 + SPACING_S - 1


async def test_asking_again_and_again_puts_no_reading_off(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """As an automation does that has a plug for its trigger which reports every few seconds."""
    await set_up_with(hass, entry)
    start = home.clock.now()
    for _ in range(40):
        await boost(hass)
        await asyncio.sleep(3)
    assert readings(home, start) > 120 / 7


async def test_it_goes_on_in_the_next_session(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry)
    await boost(hass)
    await asyncio.sleep(60)
    home.meter.paa.end_session()
    await until(lambda: not entry.runtime_data.has_session, 60)
    await until(lambda: entry.runtime_data.has_session, 60)
    await asyncio.sleep(60)
    assert await readings_in(home, 120) > 120 / 7


async def test_interval_that_is_as_short_already_stays(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry, **{CONF_SCAN_INTERVAL: 5})
    before = await readings_in(home, 300)
    await boost(hass)
    # The log takes the place of a reading up to once a minute.
    assert abs(await readings_in(home, 300) - before) <= 6


async def test_nothing_is_left_of_it_when_the_entry_is_unloaded(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up_with(hass, entry)
    await boost(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    answers = len(home.meter.answers)
    await asyncio.sleep(DEFAULT_DURATION_S + 60)
    assert len(home.meter.answers) == answers
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    assert value(hass, "boost") == "off"
