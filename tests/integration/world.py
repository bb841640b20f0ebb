"""The world around the integration: the ports with what is plugged into them, and the person before the screen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import errno
import logging
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_DEVICE, CONF_ID, CONF_PASSWORD, EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.broute import PLATFORMS
from custom_components.broute.const import CONF_CONTRACT, CONF_ENERGY, CONF_METER, CONF_SUN, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import ID, PASSWORD, MeterModel, SimulatedHome, Truth

PORT = "/dev/ttyUSB0"
TOKEN = "0123456789abcdef"
UNIQUE_ID = TOKEN * 4
TYPED = {CONF_DEVICE: PORT, CONF_ID: ID, CONF_PASSWORD: PASSWORD}
GET_RES = 0x72
ENTRY_DATA = TYPED | {CONF_METER: TOKEN}
SECTIONS: dict[str, Any] = {CONF_CONTRACT: {}, CONF_ENERGY: {}, CONF_SUN: {}}
"""What is sent of the sections of the options in which nothing is typed."""


@dataclass
class Ports:
    """What is plugged in.

    Attributes:
        opened: the address of each port that somebody tried to open, in order.
        faults: what the operating system says instead of opening the port at an address.
        hanging: addresses of hosts that answer nothing at all.
    """

    opened: list[str] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    _homes: dict[str, SimulatedHome] = field(default_factory=dict)

    def plug_in(self, url: str = PORT, **simulated: Any) -> SimulatedHome:
        """Plug in the module of a simulated home."""
        home = self._homes[url] = SimulatedHome(**simulated)
        return home

    def move(self, url: str, to: str) -> None:
        """Give the port of a module another name."""
        self._homes[to] = self._homes.pop(url)

    async def open(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], asyncio.Protocol],
        url: str,
        baudrate: int,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Stand for `serialx.create_serial_connection`."""
        assert loop is asyncio.get_running_loop()
        assert baudrate == 115200
        self.opened.append(url)
        if url in self.hanging:
            await asyncio.Event().wait()
        if url in self.faults:
            raise self.faults[url]
        if url not in self._homes:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", url)
        transport = await self._homes[url].open_port(url, protocol_factory)
        return transport, transport.get_protocol()

    def close(self) -> None:
        """End all simulations."""
        for home in self._homes.values():
            home.close()


def last_command(home: SimulatedHome) -> str | None:
    """Return what the module was told last."""
    return home.module.commands[-1] if home.module.commands else None


def is_free(home: SimulatedHome) -> bool:
    """Tell whether nobody has the port of a home's module open."""
    return home.module.port._transport is None


def lines(log: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return what the integration tells a user who has set the log to this level."""
    return [
        record.getMessage()
        for record in log.records
        if record.name.startswith("custom_components.broute") and record.levelno >= level
    ]


def shown(hass: HomeAssistant, key: str, token: str = TOKEN) -> list[str]:
    """Return the list in which all that a sensor shows from now on will be."""
    entity_id = sensor_id(hass, key, token)
    states: list[str] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == entity_id and (state := event.data["new_state"]):
            states.append(state.state)

    hass.bus.async_listen(EVENT_STATE_CHANGED, take)
    return states


async def until(condition: Callable[[], object], limit_s: float = 300.0) -> float:
    """Wait until something is true, and return how long that took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not condition():
        assert loop.time() - start < limit_s, "it did not become true"
        await asyncio.sleep(0.2)
    return loop.time() - start


def sensor_id(hass: HomeAssistant, key: str, token: str = TOKEN) -> str | None:
    """Return the entity id of a sensor of any kind, or of another entity, if there is such an entity."""
    registry = er.async_get(hass)
    found = (registry.async_get_entity_id(kind, DOMAIN, f"{token}_{key}") for kind in PLATFORMS)
    return next((entity_id for entity_id in found if entity_id), None)


def sensor(hass: HomeAssistant, key: str, token: str = TOKEN) -> State | None:
    """Return the state of a sensor, if there is one."""
    entity_id = sensor_id(hass, key, token)
    return hass.states.get(entity_id) if entity_id else None


def value(hass: HomeAssistant, key: str, token: str = TOKEN) -> str | None:
    """Return what a sensor shows, if there is one."""
    state = sensor(hass, key, token)
    return state.state if state else None


def has_value(hass: HomeAssistant, key: str, token: str = TOKEN) -> bool:
    """Tell whether a sensor shows a number."""
    return value(hass, key, token) not in {None, "unavailable", "unknown"}


def update_software(home: SimulatedHome, model: MeterModel) -> None:
    """Let the meter start anew as another model."""
    home.meter.model = home.meter.object.model = model
    home.meter.object.readable, home.meter.object.settable = model.readable, model.settable
    home.meter.paa.end_session()


def add_entry(hass: HomeAssistant, unique_id: str, device: str) -> BrouteConfigEntry:
    """Add an entry as the config flow makes it, without setting it up."""
    entry = MockConfigEntry(
        domain=DOMAIN, title="B-Route Smart Meter", unique_id=unique_id, data=ENTRY_DATA | {CONF_DEVICE: device}
    )
    entry.add_to_hass(hass)
    added: BrouteConfigEntry = entry
    return added


def is_described(entry: BrouteConfigEntry) -> bool:
    """Tell whether all is over that follows a join."""
    coordinator = entry.runtime_data
    constants = coordinator.meter.constants
    if not coordinator.meter.is_described or constants is None or coordinator.data is None:
        return False
    return coordinator.data.export_kwh is not None or not constants.measures_export


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up and wait until it is known what meter this is."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: is_described(entry))
    await hass.async_block_till_done()


async def start_flow(hass: HomeAssistant) -> ConfigFlowResult:
    """Begin to add a meter."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def submit(hass: HomeAssistant, step: ConfigFlowResult, **typed: str) -> ConfigFlowResult:
    """Fill in the form, with what fits the simulated home but for what is typed."""
    return await hass.config_entries.flow.async_configure(step["flow_id"], TYPED | typed)


async def follow(hass: HomeAssistant, step: ConfigFlowResult) -> tuple[ConfigFlowResult, list[str]]:
    """Do as the frontend does until the progress ends; return the step that comes then, and what was shown before."""
    flow_id = step["flow_id"]
    changed = asyncio.Event()

    @callback
    def take(event: Event[dict[str, Any]]) -> None:
        if event.data["flow_id"] == flow_id:
            changed.set()

    unsubscribe = hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, take)
    shown: list[str] = []
    while step["type"] is FlowResultType.SHOW_PROGRESS:
        if step["progress_action"] not in shown:
            shown.append(step["progress_action"])
        step = await hass.config_entries.flow.async_configure(flow_id)
        if step["type"] is FlowResultType.SHOW_PROGRESS:
            async with asyncio.timeout(300):
                await changed.wait()
            changed.clear()
    unsubscribe()
    await hass.async_block_till_done()
    return step, shown


def suggestions(step: Any) -> dict[str, str]:
    """Return what a form shows that is typed already."""
    return {
        str(key): key.description["suggested_value"]
        for key in step["data_schema"].schema
        if key.description is not None
    }


def fields(step: Any) -> set[str]:
    """Return what a form asks for."""
    return {str(key) for key in step["data_schema"].schema}


def truth(home: SimulatedHome, epc: int) -> Truth:
    """Return what was true when the meter last answered with a property."""
    return next(answer.truth for answer in reversed(home.meter.answers) if epc in answer.epcs and answer.esv == GET_RES)
