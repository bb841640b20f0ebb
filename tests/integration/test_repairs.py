"""The issues that can be mended from their own page."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.issues import Issue
from simulator import SimulatedHome
from simulator.happenings import Happenings

from .world import TOKEN, Ports, has_value, until

AN_HOUR_S = 3600.0


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "repairs", {})


def is_told(hass: HomeAssistant, issue: Issue) -> bool:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{issue}_{TOKEN}") is not None


class Fix:
    """A user before the page of an issue."""

    def __init__(self, hass: HomeAssistant, issue: Issue) -> None:
        self._flows = hass.data["repairs"]["flow_manager"]
        self._issue_id = f"{issue}_{TOKEN}"
        self._progressed = asyncio.Event()
        hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, lambda _: self._progressed.set())

    async def begin(self) -> Any:
        """Open the page."""
        return await self._flows.async_init(DOMAIN, context={"issue_id": self._issue_id})

    async def agree(self, step: Any) -> Any:
        """Submit it, and return the step behind the progress that is shown."""
        step = await self._flows.async_configure(step["flow_id"], {})
        while step["type"] is FlowResultType.SHOW_PROGRESS:
            assert step["progress_action"] == "searching"
            async with asyncio.timeout(300):
                await self._progressed.wait()
            self._progressed.clear()
            step = await self._flows.async_configure(step["flow_id"])
        return step

    def close(self, step: Any) -> None:
        """Close the page."""
        self._flows.async_abort(step["flow_id"])


async def unreachable(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    """Let the meter go out of reach, and wait until that is told."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    home.meter.pan.powered = False
    await until(lambda: is_told(hass, Issue.METER_UNREACHABLE), AN_HOUR_S)


async def test_missing_module_leads_to_where_its_port_is_chosen(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry
) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: is_told(hass, Issue.MODULE_MISSING))
    fix = Fix(hass, Issue.MODULE_MISSING)
    step = await fix.begin()
    assert (step["type"], step["step_id"]) == (FlowResultType.FORM, "confirm")
    assert step["description_placeholders"] == {"name": entry.title}
    step = await fix.agree(step)
    assert step["type"] is FlowResultType.CREATE_ENTRY
    _, flow_id = step["next_flow"]
    form = hass.config_entries.flow.async_get(flow_id)
    assert (form["handler"], form["step_id"]) == (DOMAIN, "reconfigure")
    assert form["context"]["entry_id"] == entry.entry_id


async def test_search_says_that_the_meter_is_not_heard(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await unreachable(hass, home, entry)
    Happenings(home).neighbour_appeared(pairing_id="00112233", answers_anybody=True)
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    step = await fix.agree(await fix.begin())
    assert (step["type"], step.get("reason")) == (FlowResultType.ABORT, "not_heard")
    assert step["description_placeholders"] == {"others": "1"}
    assert is_told(hass, Issue.METER_UNREACHABLE)


async def test_search_finds_the_meter_that_is_back(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await unreachable(hass, home, entry)
    await asyncio.sleep(AN_HOUR_S)
    # The next attempt is a while off, and this one is not.
    home.meter.pan.powered = True
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    step = await fix.agree(await fix.begin())
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert await until(lambda: has_value(hass, "power")) < 60
    assert not is_told(hass, Issue.METER_UNREACHABLE)


async def test_search_that_cannot_be_made_is_told(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await unreachable(hass, home, entry)
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    step = await fix.begin()
    home.module.port.unplug()
    step = await fix.agree(step)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "search_failed")


async def test_search_for_the_meter_of_an_entry_that_was_unloaded_meanwhile(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await unreachable(hass, home, entry)
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    step = await fix.begin()
    await hass.config_entries.async_unload(entry.entry_id)
    step = await fix.agree(step)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "search_failed")


async def test_page_that_is_closed_ends_the_search(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await unreachable(hass, home, entry)
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    step = await fix.begin()
    agreeing = asyncio.create_task(fix.agree(step))
    await asyncio.sleep(5)
    fix.close(step)
    agreeing.cancel()
    # The scan that has begun goes on to its end.
    await asyncio.sleep(60)
    fix = Fix(hass, Issue.METER_UNREACHABLE)
    assert (await fix.agree(await fix.begin()))["reason"] == "not_heard"
