"""The demand of the half hour that runs: from its first second on, after restarts and lost readings as well."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_DEMAND_TARGET, CONF_ENERGY
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, ConstantLoad, Registers, SimulatedHome
from simulator.happenings import Happenings

from .world import Ports, has_value, sensor, sensor_id, until, value

START = datetime(2026, 11, 21, 18, 24, tzinfo=JST)
HALF_PAST = datetime(2026, 11, 21, 18, 30, tzinfo=JST)
KEYS = ("half_hour_energy", "demand", "demand_forecast")


@pytest.fixture
async def load() -> ConstantLoad:
    """Return a load of 2 kW, until a test sets a step."""
    return ConstantLoad(2000)


@pytest.fixture
def start() -> datetime:
    """Return when everything begins."""
    return START


@pytest.fixture
async def home(
    load: ConstantLoad, ports: Ports, wall_clock: Callable[[SimulatedHome], None], start: datetime
) -> SimulatedHome:
    """Return a home whose meter counts by 1 Wh, by whose clock Home Assistant goes."""
    home = ports.plug_in(registers=Registers(load=load, unit=0x03, digits=8), start=start)
    wall_clock(home)
    return home


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry, **energy: float) -> None:
    """Set the entry up, and wait until the demand is known."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 30, CONF_ENERGY: energy})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: all(has_value(hass, key) for key in KEYS))


async def wait_until(home: SimulatedHome, at: datetime) -> None:
    """Let time pass until the true time is that."""
    await asyncio.sleep((at - home.clock.now()).total_seconds())


def energy(hass: HomeAssistant) -> Decimal | None:
    """Return the energy so far, if it is known."""
    return Decimal(value(hass, "half_hour_energy") or "") if has_value(hass, "half_hour_energy") else None


def true_energy(home: SimulatedHome, start: datetime, at: datetime) -> Decimal:
    """Return by how much the register has risen in a time."""
    first, last = home.truth(start).import_kwh, home.truth(at).import_kwh
    assert first is not None
    assert last is not None
    return last - first


def read_at(home: SimulatedHome) -> datetime:
    """Return when the meter last told its counter to whoever has asked."""
    return next(answer.at for answer in reversed(home.meter.answers) if {0xE0, 0xE7} <= set(answer.epcs))


async def test_demand_is_known_in_the_half_hour_of_the_set_up(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    assert home.clock.now() < START + timedelta(minutes=2)
    start = datetime(2026, 11, 21, 18, 0, tzinfo=JST)
    assert energy(hass) == true_energy(home, start, read_at(home))
    assert Decimal(value(hass, "demand") or "") == pytest.approx(Decimal(2), abs=Decimal("0.05"))
    assert Decimal(value(hass, "demand_forecast") or "") == pytest.approx(Decimal(2), abs=Decimal("0.05"))
    forecast = sensor(hass, "demand_forecast")
    assert forecast
    assert forecast.attributes["since"] == start
    assert forecast.attributes["expected_power"] == 2000
    assert forecast.attributes["readings"] >= 1
    assert abs(forecast.attributes["counted_until"] - home.clock.now()) < timedelta(seconds=61)


async def test_half_hour_begins_with_nothing(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    clock = entry.runtime_data.log.clock
    assert clock.offset
    open_s = (clock.offset.high - clock.offset.low).total_seconds()
    took_s = await until(lambda: energy(hass) == 0, 600)
    assert took_s > 0
    assert abs((home.clock.now() - HALF_PAST).total_seconds()) <= open_s + 1
    state = sensor(hass, "half_hour_energy")
    assert state
    assert state.attributes["since"] == HALF_PAST
    assert value(hass, "demand") == "unknown"
    assert Decimal(value(hass, "demand_forecast") or "") == 2
    # Until the meter has told its counter of half past, nobody knows it: it counts by 1 Wh.
    await until(lambda: energy(hass) is None, 60)
    assert has_value(hass, "demand_forecast")
    await until(lambda: energy(hass), 120)
    assert energy(hass) == true_energy(home, HALF_PAST, read_at(home))


@pytest.mark.parametrize("start", [START + timedelta(seconds=second) for second in (0, 20, 40)], ids=str)
async def test_meter_that_tells_a_half_hour_has_begun_it(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """However slow its clock is, as far as it is known."""
    home.meter.notices.notice_s = (1.0, 2.0)
    home.meter.notices.schedule()
    await set_up(hass, entry)
    log = entry.runtime_data.log
    await until(lambda: log.half_hour and log.half_hour.at == HALF_PAST, 600)
    assert home.clock.now() < HALF_PAST + timedelta(seconds=10)
    state = sensor(hass, "demand_forecast")
    assert state
    assert state.attributes["since"] == HALF_PAST
    await until(lambda: energy(hass), 60)
    assert energy(hass) == true_energy(home, HALF_PAST, read_at(home))


@pytest.mark.parametrize("fast", [timedelta(minutes=3), timedelta(minutes=-3)], ids=["fast", "slow"])
async def test_half_hour_begins_by_the_meters_clock(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    wall_clock: Callable[..., None],
    fast: timedelta,
) -> None:
    """Though Home Assistant's clock was set since the meter's was looked at."""
    home.meter.notices.notice_s = (240.0, 250.0)
    home.meter.notices.schedule()
    await set_up(hass, entry)
    wall_clock(home, fast)
    await wait_until(home, HALF_PAST - timedelta(seconds=70))
    state = sensor(hass, "demand_forecast")
    assert state
    assert state.attributes["since"] == HALF_PAST - timedelta(minutes=30)
    await wait_until(home, HALF_PAST + timedelta(seconds=70))
    state = sensor(hass, "demand_forecast")
    assert state
    assert state.attributes["since"] == HALF_PAST


async def test_values_go_on_though_the_readings_are_the_same(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, load: ConstantLoad
) -> None:
    load.step(START + timedelta(minutes=4), 0)
    await set_up(hass, entry)
    await wait_until(home, HALF_PAST + timedelta(minutes=10))
    assert energy(hass) == 0
    forecast = sensor(hass, "demand_forecast")
    assert forecast
    assert forecast.state == "0.000"
    assert home.clock.now() - forecast.attributes["counted_until"] < timedelta(seconds=75)


async def test_demand_is_right_after_a_restart(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await wait_until(home, HALF_PAST + timedelta(minutes=5))
    assert await hass.config_entries.async_unload(entry.entry_id)
    await wait_until(home, HALF_PAST + timedelta(minutes=12))
    await set_up(hass, entry)
    assert home.clock.now() < HALF_PAST + timedelta(minutes=15)
    assert energy(hass) == true_energy(home, HALF_PAST, read_at(home))


async def test_demand_is_right_after_lost_readings(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    """The meter is not heard over the beginning of a half hour."""
    await set_up(hass, entry)
    await wait_until(home, HALF_PAST - timedelta(minutes=2))
    home.faults.meter_silent = True
    await wait_until(home, HALF_PAST + timedelta(minutes=3))
    assert all(value(hass, key) == "unavailable" for key in KEYS)
    home.faults.off()
    await until(lambda: energy(hass), 900)
    assert home.clock.now() < HALF_PAST + timedelta(minutes=15)
    assert energy(hass) == true_energy(home, HALF_PAST, read_at(home))


async def test_counter_of_another_meter_is_not_compared(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await wait_until(home, HALF_PAST + timedelta(minutes=10))
    # One that shows a little more than the old one did at half past.
    shown = home.meter.registers.import_count(HALF_PAST)
    assert shown is not None
    home.replace_meter(import_count=shown + 50)
    known: list[Decimal] = []
    entry.runtime_data.demand.async_add_listener(
        lambda: (
            known.append(energy(hass) or Decimal(-1)) if home.clock.now() < HALF_PAST + timedelta(minutes=29) else None
        )
    )
    await wait_until(home, HALF_PAST + timedelta(minutes=11))
    known.clear()
    await wait_until(home, HALF_PAST + timedelta(minutes=29))
    assert known
    assert set(known) == {Decimal(-1)}
    await until(lambda: energy(hass), 600)
    assert energy(hass) == true_energy(home, HALF_PAST + timedelta(minutes=30), read_at(home))


async def test_nothing_is_known_by_a_clock_that_is_wrong(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    Happenings(home).meter_clock_wrong(timedelta(minutes=45).total_seconds())
    await until(lambda: all(value(hass, key) == "unknown" for key in KEYS), 3700)


async def test_target_is_watched(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, load: ConstantLoad
) -> None:
    load.step(HALF_PAST + timedelta(minutes=5), 5000)
    load.step(HALF_PAST + timedelta(minutes=20), 200)
    await set_up(hass, entry, **{CONF_DEMAND_TARGET: 3.5})
    await wait_until(home, HALF_PAST + timedelta(minutes=5))
    target = sensor(hass, "demand_exceeded")
    assert target
    assert (target.state, target.attributes["target"]) == ("off", 3.5)
    await until(lambda: value(hass, "demand_exceeded") == "on", 600)
    # The mean of the last five minutes has to rise first.
    assert timedelta(minutes=7) < home.clock.now() - HALF_PAST < timedelta(minutes=12)
    # 10 kWh/h for 15 minutes, and then little: the half hour ends with less than was feared.
    await until(lambda: value(hass, "demand_exceeded") == "off", 1200)
    assert home.clock.now() > HALF_PAST + timedelta(minutes=22)


async def test_there_is_no_such_entity_without_a_target(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry, **{CONF_DEMAND_TARGET: 3.5})
    assert sensor_id(hass, "demand_exceeded")
    hass.config_entries.async_update_entry(entry, options={})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert sensor_id(hass, "demand_exceeded") is None
