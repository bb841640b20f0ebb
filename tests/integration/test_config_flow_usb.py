"""Modules that say by their name what they are: offered when they are plugged in, and not a byte is written before."""

from collections.abc import Callable, Generator
from typing import Any, override
from unittest.mock import patch

from homeassistant.components.usb import SerialDevice, USBDevice, usb_service_info_from_device
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USB,
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.usb import UsbServiceInfo
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    MockModule,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

from custom_components.broute.const import DOMAIN
from custom_components.broute.identity import async_unique_id
from simulator import ID, PASSWORD, SimulatedHome

from .world import (
    ENTRY_DATA,
    PORT,
    UNIQUE_ID,
    Ports,
    add_entry,
    fields,
    follow,
    has_value,
    start_flow,
    submit,
    suggestions,
    until,
)

BY_ID = "/dev/serial/by-id/usb-RATOC_Systems__Ltd._RS-WSUHA-J11_A1B2C3D4-if00-port0"
PROXY = "esphome-hass://esphome/01J?port_udev_id=usb-RATOC_Systems__Ltd._RS-WSUHA-J11_A1B2C3D4-if00-port0"

type PlugIn = Callable[[USBDevice | SerialDevice], None]


def module(device: str = PORT, **more: Any) -> USBDevice:
    """Return a module as Home Assistant finds it."""
    described = {
        "device": device,
        "vid": "0584",
        "pid": "00C3",
        "serial_number": "A1B2C3D4",
        "manufacturer": "RATOC Systems, Ltd.",
        "description": "RS-WSUHA-J11",
    }
    return USBDevice(**described | more)


@pytest.fixture
def plugged_in(no_usb: None) -> Generator[list[USBDevice | SerialDevice]]:
    """Return the list of what is plugged in."""
    devices: list[USBDevice | SerialDevice] = []
    with patch("homeassistant.components.usb.scan_serial_ports", side_effect=lambda: list(devices)):
        yield devices


@pytest.fixture(autouse=True)
async def usb(hass: HomeAssistant, plugged_in: list[USBDevice | SerialDevice]) -> None:
    """Let Home Assistant look at USB."""
    assert await async_setup_component(hass, "usb", {})


async def start(hass: HomeAssistant) -> list[Any]:
    """Let Home Assistant have started, which is when it looks what is there; return what it offers."""
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done(wait_background_tasks=True)
    return hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def discover(hass: HomeAssistant, device: USBDevice, integration: str = DOMAIN) -> Any:
    """Tell of a module that was plugged in."""
    return await hass.config_entries.flow.async_init(
        integration, context={"source": SOURCE_USB}, data=usb_service_info_from_device(device)
    )


@pytest.mark.parametrize(
    "description",
    [
        "RS-WSUHA-J11",
        "RS-WSUHA-P",
        "Wi-SUN USB Stick",
        "BP35A1",
        "BP35C0-J11",
        "BP35C2",
        "RL7023 Stick-D/DSS",
        "WSR35A1-00",
    ],
)
async def test_module_that_says_what_it_is_is_offered(
    hass: HomeAssistant, ports: Ports, plugged_in: list[USBDevice | SerialDevice], description: str
) -> None:
    plugged_in.append(module(description=description))
    (flow,) = await start(hass)
    assert flow["step_id"] == "usb_confirm"
    assert flow["context"]["title_placeholders"] == {"name": description}
    assert ports.opened == []


@pytest.mark.parametrize("description", ["FT230X Basic UART", "CP2102N USB to UART Bridge Controller", None])
async def test_module_that_may_be_anything_is_not_offered(
    hass: HomeAssistant, ports: Ports, plugged_in: list[USBDevice | SerialDevice], description: str | None
) -> None:
    plugged_in.append(module(vid="0403", pid="6015", manufacturer="FTDI", description=description))
    assert await start(hass) == []
    assert ports.opened == []


async def test_offered_module_is_set_up_once_the_user_has_typed_the_rest(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    step = await discover(hass, module())
    assert step["type"] is FlowResultType.FORM
    assert step["description_placeholders"]["name"] == "RS-WSUHA-J11"
    assert fields(step) == {CONF_DEVICE, CONF_ID, CONF_PASSWORD}
    assert suggestions(step) == {CONF_DEVICE: PORT}
    assert ports.opened == []

    step, shown = await follow(hass, await submit(hass, step))
    assert shown == ["opening", "searching", "authenticating", "reading"]
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert step["result"].unique_id == await async_unique_id(hass, ID)
    assert step["result"].data[CONF_DEVICE] == PORT


async def test_module_gets_a_name_that_stays(hass: HomeAssistant) -> None:
    with patch("homeassistant.components.usb.get_serial_by_id", return_value=BY_ID):
        step = await discover(hass, module())
    assert suggestions(step) == {CONF_DEVICE: BY_ID}


async def test_failure_is_told_and_the_module_can_still_be_ignored(
    hass: HomeAssistant, ports: Ports, home: SimulatedHome
) -> None:
    step = await discover(hass, module())
    (flow,) = hass.config_entries.flow.async_progress()
    name = flow["context"]["unique_id"]
    step, _ = await follow(hass, await submit(hass, step, password="X" * 12))
    assert step["step_id"] == "usb_confirm"
    assert step["errors"] == {"base": "credentials_refused"}
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["unique_id"] == name

    await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_IGNORE}, data={"unique_id": name, "title": "RS-WSUHA-J11"}
    )
    step = await discover(hass, module())
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")

    # What is ignored is the module, and not the meter that is read with it.
    step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
    assert step["type"] is FlowResultType.CREATE_ENTRY


async def test_module_is_offered_once(hass: HomeAssistant) -> None:
    await discover(hass, module())
    step = await discover(hass, module("/dev/ttyUSB7"))
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_in_progress")


@pytest.mark.parametrize("disabled_by", [None, ConfigEntryDisabler.USER])
async def test_module_of_a_meter_is_not_offered(
    hass: HomeAssistant, ports: Ports, disabled_by: ConfigEntryDisabler | None
) -> None:
    entry = add_entry(hass, UNIQUE_ID, BY_ID)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, disabled_by)
    with patch("homeassistant.components.usb.get_serial_by_id", return_value=BY_ID):
        step = await discover(hass, module())
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data[CONF_DEVICE] == BY_ID


async def test_module_of_the_other_integration_is_not_offered(hass: HomeAssistant) -> None:
    data = {CONF_DEVICE: PORT, CONF_ID: ID, CONF_PASSWORD: PASSWORD}
    other = MockConfigEntry(domain="route_b_smart_meter", unique_id=ID, data=data)
    other.add_to_hass(hass)
    step = await discover(hass, module())
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "port_of_core")


@pytest.mark.parametrize(("before", "after"), [(BY_ID, PROXY), (PROXY, BY_ID), (BY_ID, PORT)])
async def test_entry_follows_its_module(
    hass: HomeAssistant,
    ports: Ports,
    plugged_in: list[USBDevice | SerialDevice],
    before: str,
    after: str,
) -> None:
    home = ports.plug_in(before)
    plugged_in.append(module(before))
    entry = add_entry(hass, await async_unique_id(hass, ID), before)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))
    home.module.port.unplug()
    home.module.port.plug()
    ports.move(before, after)
    plugged_in[:] = [module(after)]
    step = await discover(hass, module(after))
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data == ENTRY_DATA | {CONF_DEVICE: after}
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    await until(lambda: has_value(hass, "power"))


@pytest.mark.parametrize(
    ("device", "more"),
    [
        # Another one of the same product.
        ("/dev/ttyUSB1", {"serial_number": "A1B2C3D5"}),
        # Another product with the same number.
        ("/dev/ttyUSB1", {"description": "RS-WSUHA-P"}),
        # One that cannot be told from others.
        ("/dev/ttyUSB1", {"serial_number": None}),
    ],
)
async def test_entry_does_not_follow_another_module(
    hass: HomeAssistant, ports: Ports, device: str, more: dict[str, Any]
) -> None:
    entry = add_entry(hass, UNIQUE_ID, BY_ID)
    step = await discover(hass, module(device, **more))
    assert step["step_id"] == "usb_confirm"
    assert entry.data[CONF_DEVICE] == BY_ID


async def test_entry_stays_with_a_module_that_is_where_it_was(
    hass: HomeAssistant, plugged_in: list[USBDevice | SerialDevice]
) -> None:
    """A number that the maker has put into every module tells nothing while its owner is there."""
    entry = add_entry(hass, UNIQUE_ID, BY_ID)
    plugged_in[:] = [module(BY_ID), module("/dev/ttyUSB1")]
    step = await discover(hass, module("/dev/ttyUSB1"))
    assert step["step_id"] == "usb_confirm"
    assert entry.data[CONF_DEVICE] == BY_ID


async def test_module_is_offered_no_more_when_it_is_in_use(hass: HomeAssistant, home: SimulatedHome) -> None:
    await discover(hass, module())
    other = await discover(hass, module("/dev/ttyUSB1", serial_number="A1B2C3D5"))
    # What another integration offers is its own business.
    mock_integration(hass, MockModule("another"))
    mock_platform(hass, "another.config_flow")
    with mock_config_flow("another", AnotherFlow):
        of_another = await discover(hass, module(), "another")
        step, _ = await follow(hass, await submit(hass, await start_flow(hass)))
        assert step["type"] is FlowResultType.CREATE_ENTRY
        left = {flow["flow_id"] for flow in hass.config_entries.flow.async_progress()}
        assert left == {other["flow_id"], of_another["flow_id"]}


class AnotherFlow(ConfigFlow):
    """A flow of an integration that offers the same module."""

    @override
    async def async_step_usb(self, discovery_info: UsbServiceInfo) -> ConfigFlowResult:
        """Wait for the user."""
        return self.async_show_form(step_id="usb")
