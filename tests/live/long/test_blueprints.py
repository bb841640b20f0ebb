"""The blueprints in a real Home Assistant: imported, made automations of, and followed by a house that obeys them.

One house after the other's trouble: each test begins where the one before it has left the house. What is short here and
long in a home, are the minimum times; `tests/integration/blueprints` has those on virtual time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
import pytest
import pytest_asyncio

from development.child_process import LOCALHOST, free_port
from development.config import BLUEPRINTS, CONFIGURATION
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    JST,
    READ_TIMEOUT_S,
    add_meter,
    entity_of,
    is_known,
    is_shown,
    wait_until_read,
)
from development.simulated_meter import SimulatedMeter
from development.websocket import Json, Value

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE_W = 400
HEATER, BOILER, FAN, PUMP = (f"input_boolean.{name}" for name in ("heater", "boiler", "fan", "pump"))
WATTS = {HEATER: 1200, BOILER: 800, FAN: 0, PUMP: 500}
"""What the appliances take. The fan is one that has switched itself off: it may go at any time, and disturbs nobody."""
HELPERS = """\
input_boolean:
  heater:
  boiler:
  fan:
  pump:
  on_by_surplus:
input_text:
  shed:
  shed_for_demand:
"""
HOME = "https://github.com/ha-broute/ha-broute/blob/main/blueprints/automation/broute"

OPTIONS: Json = {
    "scan_interval": 30,
    "history_days": 1,
    # The meter is read faster when the tests ask for it, and not before its clock is known: that takes minutes then.
    "contract": {"limit": "amperes", "amperes": 50, "boost_percent": 0},
    "energy": {"demand_target": 2.6},
}
TWO_READINGS = timedelta(seconds=13)
"""A reading every 5 seconds, and what its answer takes."""
SHORT: Json = {"seconds": 10}
SWITCH_TIMEOUT_S = 60.0
DEMAND_TIMEOUT_S = 420.0
"""The target counts as exceeded after two minutes; at the end of a half hour that may be those of the next one."""
REPORT_TIMEOUT_S = 240.0
RESUME_TIMEOUT_S = 180.0


@pytest.fixture(scope="module")
def config_folder(config_folder: Path) -> Path:
    """Return a configuration with appliances and memories."""
    (config_folder / "configuration.yaml").write_text(CONFIGURATION + HELPERS)
    return config_folder


@pytest.fixture(scope="module")
def meter_options() -> Sequence[str]:
    """Have a meter that counts by 1 Wh, in a house that has always taken 2.4 kW."""
    return ("--load", "2400", "--unit", "03", "--digits", "8")


@dataclass
class House:
    """The appliances behind the meter.

    Attributes:
        base_w: what the house takes beside them, negative = gives.
        switched: what Home Assistant has switched, in order.
    """

    home_assistant: HomeAssistant
    meter: SimulatedMeter
    base_w: int = BASE_W
    switched: list[str] = field(default_factory=list)
    _on: set[str] = field(default_factory=set)
    _following: asyncio.Task[None] | None = None

    @property
    def switched_for_the_breaker(self) -> list[str]:
        """What was switched but for the fan, which goes and comes for the demand."""
        return [what for what in self.switched if not what.startswith("fan ")]

    async def begin(self, total_w: int) -> datetime:
        """Take so much with the appliances that are on, until one is switched, and return when it began."""
        self.base_w = total_w - self._appliances_w
        at = datetime.now(UTC)
        await self._step()
        return at

    async def take(self, total_w: int) -> datetime:
        """Take so much, and wait until it is read."""
        at = await self.begin(total_w)
        await self.is_read(total_w)
        return at

    async def is_read(self, total_w: int) -> None:
        """Wait until a reading says that so much is taken."""
        power = await entity_of(self.home_assistant, "power")
        await self.home_assistant.wait_for_state(power, is_shown(str(total_w)), READ_TIMEOUT_S)

    async def is_switched(self, entity_id: str, state: str, timeout_s: float = SWITCH_TIMEOUT_S) -> None:
        """Wait until Home Assistant has switched an appliance."""
        await self.home_assistant.wait_for_state(entity_id, is_shown(state), timeout_s)

    async def follow(self) -> None:
        """Take what the appliances take, from now on."""
        subscribed = asyncio.Event()
        self._following = asyncio.create_task(self._follow(subscribed))
        async with asyncio.timeout(READ_TIMEOUT_S):
            await subscribed.wait()

    async def leave(self) -> None:
        """Follow no longer."""
        if self._following:
            self._following.cancel()
            await asyncio.wait([self._following])
            self._following = None

    async def _follow(self, subscribed: asyncio.Event) -> None:
        async with self.home_assistant.events("state_changed") as changes:
            states = {state["entity_id"]: state["state"] for state in await self.home_assistant.states()}
            self._on = {entity_id for entity_id in WATTS if states[entity_id] == "on"}
            subscribed.set()
            while True:
                change = await changes.next()
                entity_id, new = change["entity_id"], change["new_state"]
                if entity_id not in WATTS or new is None:
                    continue
                if (new["state"] == "on") != (entity_id in self._on):
                    self._on ^= {entity_id}
                    self.switched.append(f"{entity_id.partition('.')[2]} {new['state']}")
                    await self._step()

    @property
    def _appliances_w(self) -> int:
        return sum(WATTS[entity_id] for entity_id in self._on)

    async def _step(self) -> None:
        await self.meter.happen("load_stepped", power_w=self.base_w + self._appliances_w)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter and set its options, for all tests of the module."""
    entry = await add_meter(home_assistant, meter)
    await home_assistant.set_options(entry["entry_id"], OPTIONS)
    return entry


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json) -> AsyncIterator[House]:
    """Return the house, with all on but the pump."""
    house = House(home_assistant, meter)
    await home_assistant.post("/api/services/input_boolean/turn_on", {"entity_id": [HEATER, BOILER, FAN]})
    await house.follow()
    yield house
    await house.leave()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def imported(home_assistant: HomeAssistant) -> list[str]:
    """Import all blueprints as their links do, from a server that has the files of the checkout; return their paths."""
    files = web.Application()
    files.router.add_static("/", BLUEPRINTS)
    runner = web.AppRunner(files)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, LOCALHOST, port).start()
    paths = []
    try:
        for file in sorted(BLUEPRINTS.iterdir()):
            found = await home_assistant.command("blueprint/import", url=f"http://{LOCALHOST}:{port}/{file.name}")
            assert found["validation_errors"] is None
            path = f"broute/{file.name}"
            saved = {
                "domain": "automation",
                "path": path,
                "yaml": found["raw_data"],
                "source_url": f"{HOME}/{file.name}",
            }
            await home_assistant.command("blueprint/save", **saved)
            paths.append(path)
    finally:
        await runner.cleanup()
    return paths


async def read_faster(home_assistant: HomeAssistant) -> None:
    """Have the meter read every 5 seconds for an hour, as soon as its clock is known."""
    await wait_until_read(home_assistant)
    forecast = await entity_of(home_assistant, "demand_forecast")
    await home_assistant.wait_for_state(forecast, is_known, DEMAND_TIMEOUT_S)
    await home_assistant.post("/api/services/broute/boost", {"duration": {"hours": 1}})


async def automate(home_assistant: HomeAssistant, name: str, **config: Value) -> None:
    """Make an automation, as its editor does, or change it, and wait until it is there."""
    await home_assistant.post(f"/api/config/automation/config/{name}", {"alias": name, **config})
    await home_assistant.wait_for_state(f"automation.{name}", is_shown("on"))


async def use(home_assistant: HomeAssistant, blueprint: str, **inputs: Value) -> None:
    """Make an automation of a blueprint."""
    used = {"path": f"broute/{blueprint}.yaml", "input": inputs}
    await automate(home_assistant, blueprint, use_blueprint=used)


async def fired_at(home_assistant: HomeAssistant, name: str) -> datetime | None:
    """Return when an automation has fired last."""
    state = await home_assistant.state(f"automation.{name}")
    assert state is not None
    return last_triggered(state)


def last_triggered(state: Json | None) -> datetime | None:
    """Return when the automation of this state has fired last."""
    at = state["attributes"]["last_triggered"] if state else None
    return None if at is None else datetime.fromisoformat(at)


async def fires(home_assistant: HomeAssistant, name: str, since: datetime) -> timedelta:
    """Wait until an automation fires, and return how long after an instant it has."""

    def is_fired(state: Json | None) -> bool:
        at = last_triggered(state)
        return at is not None and at >= since

    at = last_triggered(await home_assistant.wait_for_state(f"automation.{name}", is_fired))
    assert at is not None
    return at - since


def is_done(state: Json | None) -> bool:
    """Tell whether an automation does nothing now."""
    return state is not None and state["attributes"]["current"] == 0


async def notifications(home_assistant: HomeAssistant) -> dict[str, str]:
    """Return what stands among the notifications, by what it was made with."""
    told = await home_assistant.command("persistent_notification/get")
    return {one["notification_id"].removeprefix("automation."): f"{one['title']}: {one['message']}" for one in told}


async def test_all_blueprints_are_imported(home_assistant: HomeAssistant, imported: list[str]) -> None:
    listed = await home_assistant.command("blueprint/list", domain="automation")
    for path in imported:
        assert listed[path]["metadata"]["source_url"] == f"{HOME}/{path.rpartition('/')[2]}"


@pytest.mark.usefixtures("imported", "house")
async def test_yesterday_is_reported(home_assistant: HomeAssistant, entry: Json) -> None:
    await wait_until_read(home_assistant)
    at = datetime.now(JST) + timedelta(seconds=15)
    await use(
        home_assistant,
        "daily_report",
        entry=entry["entry_id"],
        at=at.strftime("%H:%M:%S"),
        language="en",
        with_link=True,
    )
    after = await fires(home_assistant, "daily_report", at.replace(microsecond=0))
    assert after < timedelta(seconds=5)
    await home_assistant.wait_for_state("automation.daily_report", is_done, REPORT_TIMEOUT_S)
    told = (await notifications(home_assistant))["daily_report"].splitlines()
    assert told[0] == f"Electricity on {at - timedelta(days=1):%Y-%m-%d}: Imported 57.6 kWh"
    assert told[1:3] == ["Exported 0.0 kWh", "Highest demand 2.4 kW (half hour from 23:30)"]
    # What follows is the report on the link.
    assert len(told) > 7


@pytest.mark.usefixtures("imported")
async def test_nothing_fires_before_its_time(home_assistant: HomeAssistant, house: House) -> None:
    await read_faster(home_assistant)
    power = await entity_of(home_assistant, "power")
    said = [{"action": "logbook.log", "data": {"name": "power", "message": "high"}}]
    threshold = {"type": "above", "value": {"number": 4, "unit_of_measurement": "kW"}}
    crossed = {
        "trigger": "power.crossed_threshold",
        "target": {"entity_id": power},
        "options": {"threshold": threshold},
    }
    await automate(home_assistant, "crossed", triggers=[crossed], actions=said)
    numeric = {"trigger": "numeric_state", "entity_id": power, "above": 4000}
    await automate(home_assistant, "numeric", triggers=[numeric], actions=said)

    usage, headroom = await entity_of(home_assistant, "contract_usage"), await entity_of(home_assistant, "headroom")
    await use(home_assistant, "warn_before_breaker", usage=usage, clear_after=SHORT, language="en")
    loads = {"load_1": HEATER, "power_1": WATTS[HEATER], "load_2": BOILER, "power_2": WATTS[BOILER]}
    times = {"shed_after": {"seconds": 0}, "restore_after": SHORT}
    await use(
        home_assistant, "shed_loads", headroom=headroom, memory="input_text.shed", language="en", **loads, **times
    )
    await use(
        home_assistant,
        "hold_demand",
        target=await entity_of(home_assistant, "demand_exceeded"),
        forecast=await entity_of(home_assistant, "demand_forecast"),
        memory="input_text.shed_for_demand",
        load_1=FAN,
        power_1=50,
        restore_after=SHORT,
    )
    await use(
        home_assistant,
        "use_surplus",
        power=power,
        load=PUMP,
        load_power=WATTS[PUMP],
        memory="input_boolean.on_by_surplus",
        margin=100,
        on_after=SHORT,
        off_after=SHORT,
        shortest_on={"seconds": 5},
        shortest_off={"seconds": 5},
    )
    await use(
        home_assistant,
        "tell_of_trouble",
        events=await entity_of(home_assistant, "events"),
        connection=[await entity_of(home_assistant, "connected")],
        # The others have automations of their own here.
        kinds=["meter_fault"],
        lasting={"seconds": 5},
        language="en",
    )
    for total_w in (3900, 2400, 3950):
        await house.take(total_w)
    for name in ("crossed", "numeric", "warn_before_breaker", "shed_loads", "use_surplus", "tell_of_trouble"):
        assert await fired_at(home_assistant, name) is None, name
    assert house.switched == []


async def test_triggers_of_home_assistant_on_power(home_assistant: HomeAssistant, house: House) -> None:
    at = await house.take(4100)
    assert await fires(home_assistant, "crossed", at) <= TWO_READINGS
    assert await fires(home_assistant, "numeric", at) <= TWO_READINGS
    # 82 %: too little for a warning.
    assert await fired_at(home_assistant, "warn_before_breaker") is None


async def test_warning_comes_once(home_assistant: HomeAssistant, house: House) -> None:
    at = await house.take(4600)
    assert await fires(home_assistant, "warn_before_breaker", at) <= TWO_READINGS
    assert (await notifications(home_assistant))["warn_before_breaker"].endswith(": 92.0 % of the contract is used.")
    first = await fired_at(home_assistant, "warn_before_breaker")
    for total_w in (4400, 4700, 4100, 4650):
        await house.take(total_w)
    assert await fired_at(home_assistant, "warn_before_breaker") == first
    assert (await notifications(home_assistant))["warn_before_breaker"].endswith(": 92.0 % of the contract is used.")
    assert await fired_at(home_assistant, "shed_loads") is None


async def test_loads_go_in_order(home_assistant: HomeAssistant, house: House) -> None:
    # With the heater off it is 5.1 kW, with the boiler off 4.3 kW.
    at = await house.begin(6300)
    await house.is_switched(HEATER, "off")
    assert await fires(home_assistant, "shed_loads", at) <= TWO_READINGS
    await house.is_switched(BOILER, "off")
    assert house.switched_for_the_breaker == ["heater off", "boiler off"]
    await house.is_read(4300)


async def test_demand_is_held(home_assistant: HomeAssistant, house: House) -> None:
    await house.is_switched(FAN, "off", DEMAND_TIMEOUT_S)
    target = await home_assistant.state(await entity_of(home_assistant, "demand_exceeded"))
    at = await fired_at(home_assistant, "hold_demand")
    assert target is not None
    assert at is not None
    assert target["state"] == "on"
    assert timedelta(0) <= at - datetime.fromisoformat(target["last_changed"]) < timedelta(seconds=5)


async def test_loads_come_back_after_a_restart(home_assistant: HomeAssistant, house: House) -> None:
    await house.leave()
    assert await home_assistant.stop() == 0
    await home_assistant.start()
    await read_faster(home_assistant)
    await house.follow()
    house.switched.clear()
    await house.take(4100)
    # 9 A are left: the boiler would need 8 and 3.
    await house.take(4050)
    assert house.switched_for_the_breaker == []
    await house.take(3900)
    await house.is_switched(BOILER, "on", RESUME_TIMEOUT_S)
    assert house.switched_for_the_breaker == ["boiler on"]
    await house.take(1500)
    await house.is_switched(HEATER, "on", RESUME_TIMEOUT_S)
    memory = await home_assistant.wait_for_state("input_text.shed", is_shown(""))
    assert memory is not None
    assert house.switched_for_the_breaker == ["boiler on", "heater on"]


async def test_all_clear(home_assistant: HomeAssistant, house: House) -> None:
    # There may have been another warning after the restart.
    await home_assistant.wait_for_state("automation.warn_before_breaker", is_done)
    at = await house.take(4600)
    assert await fires(home_assistant, "warn_before_breaker", at) <= TWO_READINGS
    await house.take(2400)
    await home_assistant.wait_for_state("automation.warn_before_breaker", is_done)
    assert (await notifications(home_assistant))["warn_before_breaker"].startswith("There is room again: ")


async def test_surplus_is_used(home_assistant: HomeAssistant, house: House) -> None:
    await house.take(-550)
    await house.take(-500)
    assert await fired_at(home_assistant, "use_surplus") is None
    at = await house.take(-650)
    await house.is_switched(PUMP, "on")
    after = await fires(home_assistant, "use_surplus", at)
    assert timedelta(seconds=10) <= after <= timedelta(seconds=10) + TWO_READINGS
    # It uses up what has switched it on, and stays on.
    await house.is_read(-150)
    for total_w in (-50, 50, -100):
        await house.take(total_w)
    assert house.switched[-1] == "pump on"
    at = await house.take(300)
    await house.is_switched(PUMP, "off")
    assert timedelta(seconds=10) <= datetime.now(UTC) - at


async def test_load_that_has_gone_for_the_demand_comes_back(home_assistant: HomeAssistant, house: House) -> None:
    await house.take(-400)
    await house.is_switched(FAN, "on", DEMAND_TIMEOUT_S)
    target = await home_assistant.state(await entity_of(home_assistant, "demand_exceeded"))
    assert target is not None
    assert target["state"] == "off"


async def test_trouble_is_told_with_its_end(home_assistant: HomeAssistant, house: House, meter: SimulatedMeter) -> None:
    names = ("crossed", "numeric", "warn_before_breaker", "shed_loads", "hold_demand", "use_surplus")
    fired = {name: await fired_at(home_assistant, name) for name in names}
    # Read seldom, the meter is asked at once whether it has a fault.
    await home_assistant.post("/api/services/switch/turn_off", {"entity_id": await entity_of(home_assistant, "boost")})
    for faulty, message in ((True, "The meter reports a fault. "), (False, "The meter reports no fault any more.")):
        at = datetime.now(UTC)
        await meter.happen("meter_faulty", faulty=faulty)
        await fires(home_assistant, "tell_of_trouble", at)
        assert message in (await notifications(home_assistant))["tell_of_trouble_meter_fault"]

    for happening, message in (("port_unplugged", "cannot be read any more"), ("port_plugged", "is read again")):
        at = datetime.now(UTC)
        await meter.happen(happening)
        await fires(home_assistant, "tell_of_trouble", at)
        assert message in (await notifications(home_assistant))["tell_of_trouble_link_lost"]
    await wait_until_read(home_assistant)
    await house.take(-300)
    # That readings are back is nothing that anybody has to be told.
    assert {name: await fired_at(home_assistant, name) for name in names} == fired


async def test_home_assistant_complains_of_nothing(home_assistant: HomeAssistant, house: House) -> None:
    await house.leave()
    assert await home_assistant.stop() == 0
    assert [line for line in home_assistant.complaints() if "Error requesting" not in line] == []
