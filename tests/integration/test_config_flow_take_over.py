"""Taking a meter over from Home Assistant's own integration: with consent, and not before it was read here."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler, ConfigEntryState, ConfigFlow
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    MockModule,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

from custom_components.broute.config_flow import CONF_ENTRY, CORE_DOMAIN
from custom_components.broute.const import CONF_METER, DOMAIN
from custom_components.broute.coordinator import JOINED_METERS
from custom_components.broute.flow.attempt import KEEP_JOINED_S, KEEP_LENT_S
from custom_components.broute.identity import async_unique_id
from simulator import ID, PASSWORD, SimulatedHome

from .world import (
    PORT,
    TYPED,
    Ports,
    add_entry,
    fields,
    follow,
    is_free,
    start_flow,
    submit,
    suggestions,
    truth,
    until,
    value,
)

WAY = ["releasing", "opening", "searching", "authenticating", "reading"]
OTHER_PORT = "/dev/ttyUSB1"
OTHER_ID = "FFEEDDCCBBAA99887766554433221100"


@dataclass
class Core:
    """Home Assistant's own integration, as far as it matters here: it has a port open as long as it is set up.

    Attributes:
        set_up_s: how long its set-up takes: it searches the meter in it.
        is_ready: whether it succeeds.
    """

    ports: Ports
    set_up_s: float = 0.0
    is_ready: bool = True
    _transports: dict[str, asyncio.Transport] = field(default_factory=dict)

    async def async_setup_entry(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> bool:
        """Open the port."""
        await asyncio.sleep(self.set_up_s)
        if not self.is_ready:
            raise ConfigEntryNotReady
        self._transports[entry.entry_id], _ = await self.ports.open(
            hass.loop, asyncio.Protocol, entry.data[CONF_DEVICE], 115200
        )
        return True

    async def async_unload_entry(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> bool:
        """Close it."""
        self._transports.pop(entry.entry_id).close()
        return True


@pytest.fixture
def core(hass: HomeAssistant, ports: Ports) -> Generator[Core]:
    """Return that integration."""
    core = Core(ports)
    module = MockModule(
        CORE_DOMAIN, async_setup_entry=core.async_setup_entry, async_unload_entry=core.async_unload_entry
    )
    mock_integration(hass, module)
    mock_platform(hass, f"{CORE_DOMAIN}.config_flow")
    with mock_config_flow(CORE_DOMAIN, ConfigFlow):
        yield core


def add_core_entry(hass: HomeAssistant, *, disabled_by: ConfigEntryDisabler | None = None, **more: str) -> Any:
    """Add an entry of that integration, without setting it up."""
    data = TYPED | more
    entry = MockConfigEntry(
        domain=CORE_DOMAIN, title="Route B Smart Meter", unique_id=data[CONF_ID], data=data, disabled_by=disabled_by
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def core_entry(hass: HomeAssistant, core: Core, home: SimulatedHome) -> Any:
    """Return an entry of it for the simulated home, which is set up."""
    entry = add_core_entry(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert not is_free(home)
    er.async_get(hass).async_get_or_create("sensor", CORE_DOMAIN, f"{ID}_power", config_entry=entry)
    return entry


async def choose(hass: HomeAssistant, option: str) -> Any:
    """Begin to add a meter, and choose from the menu."""
    step = await start_flow(hass)
    assert step["type"] is FlowResultType.MENU
    assert step["menu_options"] == ["take_over", "user"]
    return await hass.config_entries.flow.async_configure(step["flow_id"], {"next_step_id": option})


async def confirm(hass: HomeAssistant, step: Any, **typed: str) -> Any:
    """Submit the form, with what it shows but for what is typed."""
    return await hass.config_entries.flow.async_configure(step["flow_id"], suggestions(step) | typed)


def assert_goes_on(entry: Any) -> None:
    assert entry.state is ConfigEntryState.LOADED
    assert entry.disabled_by is None


async def test_meter_is_taken_over(hass: HomeAssistant, home: SimulatedHome, core_entry: Any) -> None:
    step = await choose(hass, "take_over")
    assert step["type"] is FlowResultType.FORM
    assert step["step_id"] == "take_over_confirm"
    assert fields(step) == {CONF_DEVICE, CONF_ID, CONF_PASSWORD}
    assert suggestions(step) == {CONF_DEVICE: PORT, CONF_ID: ID}
    assert step["description_placeholders"]["name"] == core_entry.title
    # Without consent nothing happens.
    assert_goes_on(core_entry)

    step, shown = await follow(hass, await confirm(hass, step))
    assert shown == WAY
    assert step["type"] is FlowResultType.CREATE_ENTRY
    entry = step["result"]
    token = entry.data[CONF_METER]
    assert entry.data == TYPED | {CONF_METER: token}
    assert value(hass, "power", token) == str(truth(home, 0xE7).power_w)
    assert core_entry.disabled_by is ConfigEntryDisabler.USER
    assert core_entry.state is ConfigEntryState.NOT_LOADED
    assert er.async_get(hass).async_get_entity_id("sensor", CORE_DOMAIN, f"{ID}_power")

    await asyncio.sleep(KEEP_LENT_S + KEEP_JOINED_S)
    assert core_entry.state is ConfigEntryState.NOT_LOADED
    # It is not offered a second time.
    assert (await start_flow(hass))["type"] is FlowResultType.FORM


async def test_menu_leads_to_the_empty_form_as_well(hass: HomeAssistant, ports: Ports, core_entry: Any) -> None:
    step = await choose(hass, "user")
    assert step["step_id"] == "user"
    assert suggestions(step) == {}
    assert (await hass.config_entries.flow.async_configure(step["flow_id"]))["step_id"] == "user"

    # Its port is not touched without consent, by whatever way.
    opened = list(ports.opened)
    step = await submit(hass, step)
    assert step["errors"] == {CONF_DEVICE: "port_of_core"}
    assert ports.opened == opened

    await hass.config_entries.async_set_disabled_by(core_entry.entry_id, ConfigEntryDisabler.USER)
    step, _ = await follow(hass, await submit(hass, step))
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_menu_is_shown_again_to_whoever_asks_again(hass: HomeAssistant, core_entry: Any) -> None:
    step = await start_flow(hass)
    again = await hass.config_entries.flow.async_configure(step["flow_id"])
    assert again["type"] is FlowResultType.MENU
    assert again["menu_options"] == step["menu_options"]


async def test_other_integration_goes_on_when_the_user_gives_up(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    step, shown = await follow(hass, await confirm(hass, await choose(hass, "take_over"), password="X" * 12))
    assert shown == WAY[:-1]
    assert step["step_id"] == "take_over_confirm"
    assert step["errors"] == {"base": "credentials_refused"}
    assert core_entry.disabled_by is None
    assert is_free(home)

    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    assert_goes_on(core_entry)


@pytest.mark.parametrize("command", ["SKVER", "SKSCAN", "SKSENDTO"])
async def test_other_integration_goes_on_when_the_user_gives_up_on_the_way(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any, command: str
) -> None:
    step = await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: command in home.module.commands)
    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    assert_goes_on(core_entry)


async def test_other_integration_goes_on_when_nobody_does_anything(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    step, _ = await follow(hass, await confirm(hass, await choose(hass, "take_over"), password="X" * 12))
    assert core_entry.state is ConfigEntryState.NOT_LOADED
    assert await until(lambda: core_entry.state is ConfigEntryState.LOADED, 400) > KEEP_LENT_S - 1
    assert core_entry.disabled_by is None

    step, _ = await follow(hass, await confirm(hass, step, password=PASSWORD))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_other_integration_goes_on_when_nobody_asks_for_the_entry(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    step = await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: hass.data.get(JOINED_METERS))
    assert await until(lambda: core_entry.state is ConfigEntryState.LOADED) > KEEP_JOINED_S - 1
    assert core_entry.disabled_by is None
    assert home.meter.paa.session is None

    # The entry is made all the same.
    step = await hass.config_entries.flow.async_configure(step["flow_id"])
    token = step["result"].data[CONF_METER]
    await until(lambda: value(hass, "power", token) != "unavailable")
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_other_integration_goes_on_when_the_meter_was_added_meanwhile(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    step = await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: hass.data.get(JOINED_METERS))
    add_entry(hass, await async_unique_id(hass, ID), OTHER_PORT)
    step = await hass.config_entries.flow.async_configure(step["flow_id"])
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.async_block_till_done()
    assert_goes_on(core_entry)


async def test_second_flow_waits_until_the_first_is_over(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, core_entry: Any
) -> None:
    first, second = [await choose(hass, "take_over") for _ in range(2)]
    await confirm(hass, first)
    await until(lambda: hass.data.get(JOINED_METERS))
    opened = len(ports.opened)
    second = await confirm(hass, second)
    await asyncio.sleep(KEEP_JOINED_S - 2)
    # The meter is kept for whoever looks in time.
    assert len(ports.opened) == opened
    hass.config_entries.flow.async_abort(first["flow_id"])
    second, shown = await follow(hass, second)
    assert shown == WAY
    assert second["type"] is FlowResultType.CREATE_ENTRY
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_second_flow_goes_on_when_the_first_has_added_the_meter(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    first, second = [await choose(hass, "take_over") for _ in range(2)]
    first, second = await confirm(hass, first), await confirm(hass, second)
    first, _ = await follow(hass, first)
    assert first["type"] is FlowResultType.CREATE_ENTRY
    second, _ = await follow(hass, second)
    assert second["errors"] == {CONF_DEVICE: "port_busy"}
    second = await confirm(hass, second)
    assert (second["type"], second["reason"]) == (FlowResultType.ABORT, "already_configured")
    token = first["result"].data[CONF_METER]
    assert value(hass, "power", token) == str(truth(home, 0xE7).power_w)
    assert core_entry.state is ConfigEntryState.NOT_LOADED


async def test_other_integration_is_as_it_was_when_home_assistant_stops(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: "SKSCAN" in home.module.commands)
    await hass.async_stop()
    assert is_free(home)
    # So it is set up by the next start.
    assert core_entry.disabled_by is None
    assert core_entry.state is ConfigEntryState.NOT_LOADED


async def test_other_integration_is_not_set_up_by_a_home_assistant_that_stops(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, core_entry: Any
) -> None:
    await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: hass.data.get(JOINED_METERS))
    opened = list(ports.opened)
    await hass.async_stop()
    assert is_free(home)
    assert ports.opened == opened
    assert core_entry.disabled_by is None


async def test_entry_that_cannot_reach_its_meter_is_taken_over(
    hass: HomeAssistant, home: SimulatedHome, core: Core
) -> None:
    core.is_ready = False
    core_entry = add_core_entry(hass)
    await hass.config_entries.async_setup(core_entry.entry_id)
    assert core_entry.state is ConfigEntryState.SETUP_RETRY
    step, _ = await follow(hass, await confirm(hass, await choose(hass, "take_over")))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_entry_that_is_just_being_set_up_is_waited_for(
    hass: HomeAssistant, home: SimulatedHome, core: Core
) -> None:
    core.set_up_s = 60.0
    core_entry = add_core_entry(hass)
    setting_up = hass.async_create_task(hass.config_entries.async_setup(core_entry.entry_id))
    await asyncio.sleep(1)
    step = await confirm(hass, await choose(hass, "take_over"))
    await asyncio.sleep(30)
    assert core_entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    step, shown = await follow(hass, step)
    assert shown == WAY
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await setting_up


async def test_entry_that_is_just_being_set_up_is_left_alone_when_the_user_gives_up(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome, core: Core
) -> None:
    core.set_up_s = 60.0
    core_entry = add_core_entry(hass)
    setting_up = hass.async_create_task(hass.config_entries.async_setup(core_entry.entry_id))
    await asyncio.sleep(1)
    step = await confirm(hass, await choose(hass, "take_over"))
    hass.config_entries.flow.async_abort(step["flow_id"])
    assert await setting_up
    await asyncio.sleep(60)
    assert_goes_on(core_entry)
    assert ports.opened == [PORT]


async def test_set_up_that_takes_long_holds_up_nobody(
    hass: HomeAssistant, home: SimulatedHome, core: Core, core_entry: Any
) -> None:
    core.set_up_s = 600.0
    step = await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: "SKSCAN" in home.module.commands)
    hass.config_entries.flow.async_abort(step["flow_id"])
    await until(lambda: core_entry.state is ConfigEntryState.SETUP_IN_PROGRESS, 10)
    assert is_free(home)


async def test_disabled_entry_is_taken_over_and_stays_disabled(
    hass: HomeAssistant, home: SimulatedHome, core: Core
) -> None:
    core_entry = add_core_entry(hass, disabled_by=ConfigEntryDisabler.USER)
    step, _ = await follow(hass, await confirm(hass, await choose(hass, "take_over"), password="X" * 12))
    assert step["errors"] == {"base": "credentials_refused"}
    await asyncio.sleep(KEEP_LENT_S + 1)
    # Nor is that integration loaded for it, which would install what it needs.
    assert CORE_DOMAIN not in hass.config.components

    step, _ = await follow(hass, await confirm(hass, step, password=PASSWORD))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_one_of_several_is_chosen(hass: HomeAssistant, home: SimulatedHome, core_entry: Any) -> None:
    other = add_core_entry(hass, device=OTHER_PORT, id=OTHER_ID)
    step = await choose(hass, "take_over")
    assert step["step_id"] == "take_over"
    assert step["data_schema"] is not None
    (selector,) = step["data_schema"].schema.values()
    assert selector.config["options"] == [
        {"value": core_entry.entry_id, "label": f"Route B Smart Meter ({PORT})"},
        {"value": other.entry_id, "label": f"Route B Smart Meter ({OTHER_PORT})"},
    ]
    step = await hass.config_entries.flow.async_configure(step["flow_id"], {CONF_ENTRY: other.entry_id})
    assert suggestions(step) == {CONF_DEVICE: OTHER_PORT, CONF_ID: OTHER_ID}

    # The port of the one that was not chosen is not lent.
    step = await confirm(hass, step, device=PORT)
    assert step["errors"] == {CONF_DEVICE: "port_of_core"}
    assert_goes_on(core_entry)


async def test_what_it_has_can_be_corrected(hass: HomeAssistant, ports: Ports, core: Core, home: SimulatedHome) -> None:
    core_entry = add_core_entry(hass, device="/dev/ttyUSB9", id=f"{ID} ?", password="?")
    step = await choose(hass, "take_over")
    assert suggestions(step) == {CONF_DEVICE: "/dev/ttyUSB9", CONF_ID: f"{ID} ?"}
    step = await confirm(hass, step)
    assert step["errors"] == {CONF_ID: "invalid_id", CONF_PASSWORD: "invalid_password"}
    step, _ = await follow(hass, await confirm(hass, step, device=PORT, id=ID, password=PASSWORD))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert step["result"].data == TYPED | {CONF_METER: step["result"].data[CONF_METER]}
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_entry_that_is_removed_before_it_is_chosen(hass: HomeAssistant, core_entry: Any) -> None:
    step = await start_flow(hass)
    await hass.config_entries.async_remove(core_entry.entry_id)
    step = await hass.config_entries.flow.async_configure(step["flow_id"], {"next_step_id": "take_over"})
    assert step["step_id"] == "user"


async def test_entry_that_is_removed_while_its_meter_is_tried(
    hass: HomeAssistant, home: SimulatedHome, core_entry: Any
) -> None:
    step = await confirm(hass, await choose(hass, "take_over"))
    await until(lambda: "SKSCAN" in home.module.commands)
    await hass.config_entries.async_remove(core_entry.entry_id)
    step, _ = await follow(hass, step)
    assert step["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("source", ["ignore", "user"])
async def test_entry_without_what_is_needed_is_not_offered(hass: HomeAssistant, core: Core, source: str) -> None:
    MockConfigEntry(domain=CORE_DOMAIN, source=source, data={}).add_to_hass(hass)
    step = await start_flow(hass)
    assert step["step_id"] == "user"
    step, _ = await follow(hass, await submit(hass, step))
    assert step["errors"] == {CONF_DEVICE: "port_missing"}


async def test_entry_that_could_not_even_be_migrated_is_taken_over(
    hass: HomeAssistant, home: SimulatedHome, core: Core
) -> None:
    assert await async_setup_component(hass, CORE_DOMAIN, {})
    core_entry = add_core_entry(hass)
    core_entry.mock_state(hass, ConfigEntryState.MIGRATION_ERROR)
    step, _ = await follow(hass, await confirm(hass, await choose(hass, "take_over")))
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert core_entry.disabled_by is ConfigEntryDisabler.USER


async def test_entry_that_cannot_be_stopped(hass: HomeAssistant, ports: Ports, core_entry: Any) -> None:
    opened = list(ports.opened)
    core_entry.mock_state(hass, ConfigEntryState.FAILED_UNLOAD)
    step, shown = await follow(hass, await confirm(hass, await choose(hass, "take_over")))
    assert shown == ["releasing"]
    assert step["errors"] == {"base": "not_released"}
    assert ports.opened == opened
    core_entry.mock_state(hass, ConfigEntryState.LOADED)


async def test_port_of_the_other_integration_is_refused_for_a_meter_that_is_changed(
    hass: HomeAssistant, ports: Ports, core: Core
) -> None:
    add_core_entry(hass, device=OTHER_PORT, id=OTHER_ID)
    entry = add_entry(hass, await async_unique_id(hass, ID), PORT)
    context = {"source": "reconfigure", "entry_id": entry.entry_id}
    step = await hass.config_entries.flow.async_init(DOMAIN, context=context)  # type: ignore[arg-type]
    step = await confirm(hass, step, device=OTHER_PORT)
    assert step["errors"] == {CONF_DEVICE: "port_of_core"}
    assert ports.opened == []
