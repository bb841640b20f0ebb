"""A module on a serial port of an ESPHome device, through Home Assistant's own opener of such ports.

Real are Home Assistant's openers, before its integration ESPHome is loaded and after, and what serialx makes of them;
the device's API is the world outside.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
import importlib
from pathlib import Path
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch

from aioesphomeapi import APIVersion, SerialProxyStatus
from homeassistant import components
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from serialx.async_serial import create_serial_connection

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import SimulatedHome

from .world import UNIQUE_ID, Ports, add_entry, has_value, until, value

DEVICE_ID = "01JABCDEFGHJKMNPQRSTVWXYZ0"
URL = f"esphome-hass://esphome/{DEVICE_ID}?port_name=wisun"


class SerialSide(asyncio.Protocol):
    """The device's end of the serial line."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive

    def data_received(self, data: bytes) -> None:
        """Pass on what the module says."""
        self._receive(data)


@dataclass
class Device:
    """The API of an ESPHome device with one serial proxy, as `aioesphomeapi.APIClient` offers it.

    Attributes:
        home: whose module is connected to the device.
        in_use: whether another client has the port.
    """

    home: SimulatedHome
    loop: asyncio.AbstractEventLoop
    in_use: bool = False
    is_connected: bool = True
    api_version: ClassVar[APIVersion] = APIVersion(1, 18)
    settings: dict[str, Any] = field(default_factory=dict)
    _serial: asyncio.Transport | None = None
    _on_data: list[Callable[[Any], None]] = field(default_factory=list)
    _on_closed: list[Callable[[Any], None]] = field(default_factory=list)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    async def device_info(self) -> Any:
        """Tell what the device has."""
        return SimpleNamespace(serial_proxies=[SimpleNamespace(name="log"), SimpleNamespace(name="wisun")])

    def add_connection_closed_callback(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Tell the end of the connection."""
        return subscribed(self._on_closed, callback)

    def subscribe_serial_proxy_identity(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Tell nothing: who is behind the port is only told when that changes."""
        return subscribed([], callback)

    def subscribe_serial_proxy_data(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Tell what comes from the module."""
        return subscribed(self._on_data, callback)

    async def serial_proxy_subscribe_await_response(self, instance: int, **_: Any) -> Any:
        """Open the port."""
        assert instance == 1
        if self.in_use:
            return SimpleNamespace(status=SerialProxyStatus.PORT_IN_USE, error_message="taken")
        self._serial = await self.home.open_port(URL, lambda: SerialSide(self._receive))
        return SimpleNamespace(status=SerialProxyStatus.OK)

    async def serial_proxy_set_mode_await_response(self, **_: Any) -> Any:
        """Take bytes as they are."""
        return SimpleNamespace(status=SerialProxyStatus.NOT_SUPPORTED)

    async def serial_proxy_configure_await_response(self, **settings: Any) -> Any:
        """Set up the port."""
        self.settings = settings
        return SimpleNamespace(status=SerialProxyStatus.OK)

    def serial_proxy_write(self, *, instance: int, data: bytes) -> None:
        """Pass bytes to the module."""
        assert instance == 1
        assert self._serial
        self._serial.write(data)

    def serial_proxy_unsubscribe(self, instance: int) -> None:
        """Close the port."""
        assert instance == 1
        assert self._serial
        self._serial.close()

    def restart(self) -> None:
        """End the connection and the opened port, as a device that starts anew."""
        assert self._serial
        self._serial.close()
        for callback in tuple(self._on_closed):
            callback(SimpleNamespace(error=None, reason=None, expected_disconnect=False))

    def _receive(self, data: bytes) -> None:
        for callback in tuple(self._on_data):
            callback(SimpleNamespace(instance=1, data=data))


def subscribed[T](callbacks: list[T], callback: T) -> Callable[[], None]:
    callbacks.append(callback)
    return lambda: callbacks.remove(callback)


@pytest.fixture(autouse=True)
def real_openers(ports: Ports) -> Generator[None]:
    """Open ports with serialx."""
    with patch("serialx.create_serial_connection", create_serial_connection):
        yield


@pytest.fixture
async def device(hass: HomeAssistant, real_openers: None) -> AsyncGenerator[Device]:
    """Return the device that the module is connected to."""
    with SimulatedHome() as home:
        yield Device(home, hass.loop)


@pytest.fixture
async def esphome_entry(hass: HomeAssistant, device: Device) -> MockConfigEntry:
    """Return the entry of the device, which is not set up yet."""
    entry = MockConfigEntry(domain="esphome", entry_id=DEVICE_ID)
    entry.runtime_data = SimpleNamespace(client=device)
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def entry(hass: HomeAssistant) -> BrouteConfigEntry:
    """Return an entry for the meter, which is not set up yet."""
    return add_entry(hass, UNIQUE_ID, URL)


@pytest.fixture
def load_esphome(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[], None]]:
    """Register the opener that Home Assistant's integration ESPHome registers when it is set up.

    The rest of that integration is left out: it would bring Bluetooth and voice assistants with it.
    """
    name = "homeassistant.components.esphome"
    package, entry_data = ModuleType(name), ModuleType(f"{name}.entry_data")
    package.__path__ = [str(Path(components.__path__[0]) / "esphome")]
    entry_data.ESPHomeConfigEntry = Any  # type: ignore[attr-defined]
    for module in (package, entry_data):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    unregister: list[Callable[[Any], None]] = []

    def load() -> None:
        serial_proxy = importlib.import_module(f"{name}.serial_proxy")
        unregister.append(serial_proxy.register_serialx_transport(hass.loop))

    yield load
    for undo in unregister:
        undo(None)
    for loaded in ("const", "serial_proxy"):
        sys.modules.pop(f"{name}.{loaded}", None)


async def test_meter_is_read_once_esphome_is_loaded(
    hass: HomeAssistant,
    device: Device,
    esphome_entry: MockConfigEntry,
    entry: BrouteConfigEntry,
    load_esphome: Callable[[], None],
) -> None:
    """Nothing else has to see to it that ESPHome comes first: no dependency of the manifest."""
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await asyncio.sleep(10)
    assert entry.runtime_data.failure == "cannot_open_port"

    load_esphome()
    await asyncio.sleep(10)
    # The device is not connected.
    assert entry.runtime_data.failure == "cannot_open_port"

    esphome_entry.mock_state(hass, ConfigEntryState.LOADED)
    await until(lambda: has_value(hass, "power"))
    settings = {"baudrate": 115200, "data_size": 8, "stop_bits": 1, "flow_control": False}
    assert device.settings.items() >= settings.items()


async def test_port_that_another_client_of_the_device_has_is_told(
    hass: HomeAssistant,
    device: Device,
    esphome_entry: MockConfigEntry,
    entry: BrouteConfigEntry,
    load_esphome: Callable[[], None],
) -> None:
    load_esphome()
    esphome_entry.mock_state(hass, ConfigEntryState.LOADED)
    device.in_use = True
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await asyncio.sleep(10)
    assert entry.runtime_data.failure == "port_busy"

    device.in_use = False
    await until(lambda: has_value(hass, "power"))


async def test_meter_comes_back_with_a_device_that_was_restarted(
    hass: HomeAssistant,
    device: Device,
    esphome_entry: MockConfigEntry,
    entry: BrouteConfigEntry,
    load_esphome: Callable[[], None],
) -> None:
    load_esphome()
    esphome_entry.mock_state(hass, ConfigEntryState.LOADED)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "power"))

    esphome_entry.mock_state(hass, ConfigEntryState.SETUP_RETRY)
    device.restart()
    await until(lambda: value(hass, "power") == "unavailable")

    esphome_entry.mock_state(hass, ConfigEntryState.LOADED)
    await until(lambda: has_value(hass, "power"))
