"""What the user is told by repairs: each cause by its name, not before it is certain, and no longer than it lasts."""

import asyncio
from collections.abc import Callable
import errno
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.issues import PORT_TROUBLE_S, QUESTION_KEPT_S, TAKEOVERS, TAKEOVERS_SPAN_S
from simulator import SimulatedHome
from simulator.happenings import Happenings

from .world import PORT, TOKEN, Ports, has_value, until

AN_HOUR_S = 3600.0


@pytest.fixture
async def home(home: SimulatedHome, wall_clock: Callable[[SimulatedHome], None]) -> SimulatedHome:
    """Return a home whose meter has the same time as Home Assistant."""
    wall_clock(home)
    return home


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up, and wait until the meter is read."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the issues of the integration, by what their ids begin with."""
    return {
        issue_id.removesuffix(f"_{TOKEN}"): issue
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
    }


def is_told(hass: HomeAssistant, name: str) -> Callable[[], bool]:
    return lambda: name in issues(hass)


def asks_to_type(hass: HomeAssistant, entry: BrouteConfigEntry) -> bool:
    """Tell whether the user is asked for ID and password."""
    return any(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_healthy_meter_has_no_issue(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    await asyncio.sleep(AN_HOUR_S)
    assert issues(hass) == {}


async def test_module_that_is_not_there_is_told_until_it_is(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    assert PORT_TROUBLE_S <= await until(is_told(hass, "module_missing")) < PORT_TROUBLE_S + 10
    issue = issues(hass)["module_missing"]
    assert issue.is_fixable
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.translation_placeholders == {"name": entry.title}

    ports.plug_in()
    await until(lambda: not issues(hass))


@pytest.mark.parametrize(("language", "document"), [("en", "README.md"), ("ja", "README.ja.md")])
async def test_issue_says_where_it_is_explained(
    hass: HomeAssistant, entry: BrouteConfigEntry, language: str, document: str
) -> None:
    hass.config.language = language
    await hass.config_entries.async_setup(entry.entry_id)
    await until(is_told(hass, "module_missing"))
    target = issues(hass)["module_missing"].learn_more_url
    assert target == f"https://github.com/ha-broute/ha-broute/blob/main/{document}#repair-module_missing"


async def test_module_that_is_soon_back_is_not_told(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    for _ in range(2):
        Happenings(home).port_unplugged(PORT_TROUBLE_S - 20)
        with pytest.raises(AssertionError):
            await until(lambda: issues(hass), PORT_TROUBLE_S + 30)


async def test_port_that_somebody_else_has_is_told_until_it_is_free(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    ports.faults[PORT] = OSError(errno.EBUSY, "Device or resource busy")
    await hass.config_entries.async_setup(entry.entry_id)
    await until(is_told(hass, "port_taken"))
    assert issues(hass).keys() == {"port_taken"}
    assert not issues(hass)["port_taken"].is_fixable

    del ports.faults[PORT]
    await until(lambda: not issues(hass))


async def test_meter_is_unreachable_only_after_whole_searches(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    scans = home.module.commands.count("SKSCAN")
    home.meter.pan.powered = False
    await until(is_told(hass, "meter_unreachable"), AN_HOUR_S)
    # Three searches of three durations each.
    assert home.module.commands.count("SKSCAN") - scans >= 9
    assert issues(hass).keys() == {"meter_unreachable"}
    assert issues(hass)["meter_unreachable"].is_fixable

    home.meter.pan.powered = True
    await until(lambda: not issues(hass), AN_HOUR_S)
    assert not asks_to_type(hass, entry)


async def test_meter_that_is_heard_well_and_refuses_asks_for_what_was_typed(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    password = home.meter.paa.password
    home.meter.paa.password = "BA9876543210"
    home.meter.paa.end_session()
    await until(lambda: asks_to_type(hass, entry), AN_HOUR_S)
    assert entry.runtime_data.meter.outage
    assert entry.runtime_data.meter.outage.refusals == 3
    assert issues(hass) == {}

    # It was the meter, and not the password.
    home.meter.paa.password = password
    await until(lambda: not asks_to_type(hass, entry), AN_HOUR_S)
    assert entry.runtime_data.meter.outage is None


async def test_question_that_an_attempt_has_left_is_withdrawn_when_the_meter_is_read_for_a_while(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    # As an entry that was set up again after an attempt has found it.
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    await asyncio.sleep(QUESTION_KEPT_S / 2)
    assert asks_to_type(hass, entry)
    await asyncio.sleep(QUESTION_KEPT_S)
    assert not asks_to_type(hass, entry)


async def test_user_who_has_turned_the_question_down_is_not_asked_again_in_the_same_outage(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.paa.password = "BA9876543210"
    home.meter.paa.end_session()
    await until(lambda: asks_to_type(hass, entry), AN_HOUR_S)
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    hass.config_entries.flow.async_abort(flow["flow_id"])
    await asyncio.sleep(AN_HOUR_S)
    assert not asks_to_type(hass, entry)


async def test_meter_that_is_heard_weakly_and_refuses_is_a_matter_of_the_radio(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.meter.pan.lqi = 55
    password = home.meter.paa.password
    home.meter.paa.password = "BA9876543210"
    home.meter.paa.end_session()
    await until(is_told(hass, "refused_from_afar"), AN_HOUR_S)
    assert issues(hass).keys() == {"refused_from_afar"}
    placeholders: dict[str, Any] = issues(hass)["refused_from_afar"].translation_placeholders or {}
    assert placeholders["signal"] == "-89"
    await asyncio.sleep(AN_HOUR_S)
    assert not asks_to_type(hass, entry)

    home.meter.paa.password = password
    await until(lambda: not issues(hass), AN_HOUR_S)


async def test_sessions_that_the_meter_ends_again_and_again_are_somebody_elses_work(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    for _ in range(TAKEOVERS):
        assert issues(hass) == {}
        home.meter.paa.end_session()
        await asyncio.sleep(120)
    assert issues(hass).keys() == {"session_taken"}
    assert TAKEOVERS_SPAN_S - 600 < await until(lambda: not issues(hass), TAKEOVERS_SPAN_S) < TAKEOVERS_SPAN_S


async def test_sessions_that_the_meter_ends_now_and_then_are_not_told(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    for _ in range(TAKEOVERS + 1):
        home.meter.paa.end_session()
        await asyncio.sleep(TAKEOVERS_SPAN_S / 2)
        assert issues(hass) == {}


async def test_nothing_is_told_of_an_entry_that_is_not_loaded(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(is_told(hass, "module_missing"))
    await hass.config_entries.async_unload(entry.entry_id)
    assert issues(hass) == {}


async def test_fault_of_the_meter_is_told_until_it_is_over(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    Happenings(home).meter_faulty(faulty=True)
    # The meter announces it by itself.
    await until(is_told(hass, "meter_fault"), 60)
    assert not issues(hass)["meter_fault"].is_fixable
    assert issues(hass)["meter_fault"].severity is ir.IssueSeverity.ERROR

    Happenings(home).meter_faulty(faulty=False)
    await until(lambda: not issues(hass), 60)
