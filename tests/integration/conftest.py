"""Home Assistant on virtual time, with simulated meters behind its serial ports.

What is replaced is the world outside: the opening of serial ports, and the watch on USB. Nothing of the integration is.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from datetime import UTC, timedelta
import logging
from typing import Any
from unittest.mock import patch

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.json import json_bytes
import looptime
import pytest

# Before Home Assistant looks for custom integrations: the test package brings a folder of the same name.
import custom_components.broute  # noqa: F401
from custom_components.broute.const import DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .world import PORT, UNIQUE_ID, Ports, add_entry

NOOP_CYCLES = 8
"""As much as these tests need, a fifth of looptime's own."""


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave the debugging of the event loop off: it notes where each timer was made, which takes most of the time."""


@pytest.fixture(autouse=True)
def custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant see the integration."""


@pytest.fixture(autouse=True)
def storage(hass_storage: dict[str, Any]) -> dict[str, Any]:
    """Return what is in Home Assistant's storage, by key: nothing of an earlier test."""
    return hass_storage


@pytest.fixture(autouse=True)
def no_usb() -> Generator[None]:
    """Keep the integration `usb` from watching the USB of this machine."""
    with (
        patch("homeassistant.components.usb.AIOUSBWatcher.async_start", return_value=lambda: None),
        patch("homeassistant.components.usb.scan_serial_ports", return_value=[]),
    ):
        yield


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on."""
    return NOOP_CYCLES


@pytest.fixture(autouse=True)
async def virtual_time(hass: HomeAssistant, noop_cycles: int) -> AsyncGenerator[None]:
    """Let no test wait for the time that passes in it."""
    # Home Assistant puts the real clock there.
    vars(hass.loop).pop("time", None)
    assert isinstance(hass.loop, looptime.LoopTimeEventLoop)
    hass.loop.setup_looptime(start=hass.loop.time(), noop_cycles=noop_cycles, _enabled=False)
    with looptime.enabled(strict=True, loop=hass.loop):
        yield


@pytest.fixture(autouse=True)
async def every_state_can_be_recorded(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Let no entity tell anything that the recorder cannot write: it would leave out all attributes of that state."""
    registry = er.async_get(hass)
    unrecordable: set[str] = set()

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        entity_id, state = event.data["entity_id"], event.data["new_state"]
        registered = registry.async_get(entity_id)
        if state is None or registered is None or registered.platform != DOMAIN:
            return
        try:
            json_bytes(state.attributes)
        except TypeError as err:
            unrecordable.add(f"{entity_id}: {err}: {state.attributes}")

    unsubscribe = hass.bus.async_listen(EVENT_STATE_CHANGED, take)
    yield
    unsubscribe()
    assert not unrecordable


@pytest.fixture(autouse=True)
async def ports(hass: HomeAssistant, virtual_time: None) -> AsyncGenerator[Ports]:
    """Return what is plugged in; in the end, whatever of the integration runs is stopped."""
    ports = Ports()
    with patch("serialx.create_serial_connection", ports.open):
        yield ports
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN):
            hass.config_entries.flow.async_abort(flow["flow_id"])
        # What was lent to a flow is given back.
        await hass.async_block_till_done()
        for entry in hass.config_entries.async_entries(DOMAIN):
            await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
    ports.close()


@pytest.fixture
def wall_clock() -> Generator[Callable[..., None]]:
    """Return what makes Home Assistant's clock that of a simulated home, or fast by a time."""
    with patch("homeassistant.util.dt.utcnow") as utcnow:

        def follow(home: SimulatedHome, fast: timedelta = timedelta(0)) -> None:
            utcnow.side_effect = lambda: home.clock.now().astimezone(UTC) + fast

        yield follow


@pytest.fixture
async def home(ports: Ports) -> SimulatedHome:
    """Return a simulated home, whose module is plugged in."""
    return ports.plug_in()


@pytest.fixture
async def entry(hass: HomeAssistant) -> BrouteConfigEntry:
    """Return an entry for this home, which is not set up yet."""
    return add_entry(hass, UNIQUE_ID, PORT)


@pytest.fixture
def every_entity_enabled() -> Generator[None]:
    """Let entities be there that a user has to enable."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", new=True):
        yield


@pytest.fixture
def debug_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the log, with all that the integration can tell."""
    caplog.set_level(logging.DEBUG, "custom_components.broute")
    return caplog
