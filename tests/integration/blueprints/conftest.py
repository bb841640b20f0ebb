"""A house with a meter, read every 5 seconds, and the blueprints in the configuration folder.

The whole of Home Assistant goes by the virtual time here: templates and triggers look at the clock.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest

from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import Registers, ScriptedLoad, SimulatedHome

from ..world import Ports, has_value, set_up, until
from .house import House

LATE_S = 0.001
CHECKOUT = Path(__file__).parents[3]
AMPERES = {"limit": "amperes", "amperes": 30}


@pytest.fixture
def load() -> ScriptedLoad:
    """Return what the house takes."""
    return ScriptedLoad(500)


@pytest.fixture
async def home(ports: Ports, load: ScriptedLoad) -> SimulatedHome:
    """Return the home, whose meter counts by 1 Wh."""
    return ports.plug_in(registers=Registers(load=load, unit=0x03, digits=8))


@pytest.fixture
def clocks(home: SimulatedHome, wall_clock: Callable[[SimulatedHome], None]) -> Generator[None]:
    """Let every clock of Home Assistant be that of the home."""
    wall_clock(home)
    stand_in = SimpleNamespace(**vars(time) | {"time": lambda: home.clock.now().timestamp()})
    event = "homeassistant.helpers.event"

    def now(zone: tzinfo | None = None) -> datetime:
        return dt_util.utcnow().astimezone(zone or dt_util.get_default_time_zone())

    with (
        patch("homeassistant.util.dt.now", now),
        patch("homeassistant.core.time", stand_in),
        patch("homeassistant.helpers.entity.timer", stand_in.time),
        patch(f"{event}.time", stand_in),
        # A timer of the loop goes off a moment late, or Home Assistant would set it anew without an end.
        patch(f"{event}.time_tracker_timestamp", lambda: stand_in.time() + LATE_S),
        patch(f"{event}.time_tracker_utcnow", lambda: dt_util.utcnow() + timedelta(seconds=LATE_S)),
    ):
        yield


@pytest.fixture
async def house(
    hass: HomeAssistant, home: SimulatedHome, load: ScriptedLoad, clocks: None, tmp_path: Path
) -> AsyncGenerator[House]:
    """Return the house; in the end its automations are stopped, for which everything would be waited."""
    await hass.config.async_set_time_zone("Asia/Tokyo")
    hass.config.config_dir = str(tmp_path)
    (tmp_path / "blueprints").symlink_to(CHECKOUT / "blueprints")
    for domain in ("homeassistant", "persistent_notification"):
        assert await async_setup_component(hass, domain, {})
    house = House(hass, home, load)
    yield house
    await house.stop_automations()


@pytest.fixture
def options() -> dict[str, Any]:
    """Return what the options say."""
    return {"contract": AMPERES}


@pytest.fixture
async def read(
    hass: HomeAssistant, house: House, entry: BrouteConfigEntry, options: dict[str, Any]
) -> BrouteConfigEntry:
    """Return the entry, whose meter is read."""
    await house.begin()
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 5, **options})
    await set_up(hass, entry)
    await until(lambda: has_value(hass, "power"))
    return entry
