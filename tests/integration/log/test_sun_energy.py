"""The house's energy of today: equal to what grid, sun and battery have given, whatever happens to their counters."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL, EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, CONF_SUN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, NORMAL_ONLY, RELEASE_F, Registers, ScriptedLoad, SimulatedHome
from simulator.happenings import Happenings
from simulator.load import EPOCH, UJ_PER_WH

from ..world import Ports, has_value, sensor, sensor_id, shown, until, value
from .household import Household
from .recorder import compile_period, database_failing
from .rows import HOUR, sleep_until

EVENING = datetime(2026, 11, 21, 22, 24, tzinfo=JST)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=JST)
DAY = timedelta(days=1)
PERIOD = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
PV, CHARGED, DISCHARGED = "sensor.pv_energy", "sensor.charged", "sensor.discharged"
WITH_PV = {"pv_energy": [PV]}
WITH_BATTERY = WITH_PV | {"battery_charged": [CHARGED], "battery_discharged": [DISCHARGED]}
KEYS = ("house_today", "self_consumed_today")
HOUSE_W = 500
MAY_BE_OFF = Decimal("0.004")
"""The entities report a second before each row's end, and the meter counts by 1 Wh."""


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on."""
    return 2


class Roof:
    """A roof with cells and a battery below it: what they have counted is written by integrations of their own."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.grid = ScriptedLoad(HOUSE_W)
        self.reports: dict[str, Callable[[datetime], tuple[object, str]]] = {
            PV: lambda at: (self.counted(self.sun, at), "kWh"),
            # As ECHONET Lite has them.
            CHARGED: lambda at: (1000 * self.counted(self.battery, at, "export"), "Wh"),
            DISCHARGED: lambda at: (1000 * self.counted(self.battery, at), "Wh"),
        }
        """What each entity shows at an instant, and in which unit."""
        self.sun = ScriptedLoad(0)
        self.battery = ScriptedLoad(0)
        self._hass = hass

    def flow(self, at: datetime, *, sun_w: int, battery_w: int = 0) -> None:
        """Set what the sun and the battery give from an instant on; the grid gives what the house needs besides."""
        self.sun.step(at, sun_w)
        self.battery.step(at, battery_w)
        self.grid.step(at, HOUSE_W - sun_w - battery_w)

    @staticmethod
    def counted(load: ScriptedLoad, at: datetime, direction: str = "import", since: datetime | None = None) -> float:
        """Return what was counted up to an instant, in kWh."""
        last, first = load.energy(at), load.energy(since or EPOCH)
        uj = last.import_uj - first.import_uj if direction == "import" else last.export_uj - first.export_uj
        return uj / UJ_PER_WH / 1000

    def write(self, at: datetime) -> None:
        """Write all states."""
        for entity_id, report in self.reports.items():
            state, unit = report(at)
            self._hass.states.async_set(
                entity_id,
                str(state),
                {"unit_of_measurement": unit, "device_class": "energy", "state_class": "total_increasing"},
                timestamp=at.timestamp(),
            )


@pytest.fixture
async def roof(hass: HomeAssistant) -> Roof:
    return Roof(hass)


@pytest.fixture(params=[RELEASE_F])
async def home(
    request: pytest.FixtureRequest, roof: Roof, ports: Ports, wall_clock: Callable[[SimulatedHome], None]
) -> SimulatedHome:
    """Return a home in the evening, whose meter counts by 1 Wh."""
    registers = Registers(load=roof.grid, unit=0x03, digits=8)
    home = ports.plug_in(registers=registers, model=request.param, start=EVENING)
    wall_clock(home)
    return home


@pytest.fixture
async def recording(hass: HomeAssistant, home: SimulatedHome, roof: Roof) -> Callable[[datetime], Any]:
    """Return what lets time pass until an instant, while the entities report and the recorder compiles."""
    await async_setup_component(hass, "sensor", {})
    done = EVENING.replace(minute=25)

    async def record(at: datetime) -> None:
        nonlocal done
        while done + PERIOD <= at:
            await sleep_until(home, done + PERIOD - SECOND)
            roof.write(done + PERIOD - SECOND)
            await sleep_until(home, done + PERIOD + 10 * SECOND)
            await compile_period(hass, done)
            done += PERIOD
        await sleep_until(home, at)

    return record


type Record = Callable[[datetime], Any]


async def set_up(hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, sun: dict[str, Any]) -> None:
    options = {CONF_SCAN_INTERVAL: 280, CONF_HISTORY_DAYS: 1, CONF_SUN: sun}
    hass.config_entries.async_update_entry(entry, options=options)
    await household.arrive()


def assert_right(hass: HomeAssistant, roof: Roof, until: datetime, start: datetime = MIDNIGHT) -> None:
    """See to it that both energies are what has flowed."""
    for key in KEYS:
        state = sensor(hass, key)
        assert state
        assert state.attributes["counted_until"] == until
        assert state.attributes["since"] == start
        assert datetime.fromisoformat(state.attributes["last_reset"]) == start
        assert state.attributes["state_class"] == "total"
    house = Decimal(HOUSE_W) / 1000 * Decimal((until - start) / HOUR)
    assert Decimal(value(hass, "house_today") or "") == pytest.approx(house, abs=MAY_BE_OFF)
    kept = roof.counted(roof.sun, until, since=start) - roof.counted(roof.grid, until, "export", since=start)
    assert float(value(hass, "self_consumed_today") or "") == pytest.approx(kept, abs=float(MAY_BE_OFF))


def shine(roof: Roof) -> None:
    """Let there be a day with sun, of which some is charged and some is sold, and an evening from the battery."""
    roof.flow(MIDNIGHT + 7 * HOUR, sun_w=1500, battery_w=-500)
    roof.flow(MIDNIGHT + 10 * HOUR, sun_w=3000, battery_w=-1000)
    roof.flow(MIDNIGHT + 14 * HOUR, sun_w=900)
    roof.flow(MIDNIGHT + 16.5 * HOUR, sun_w=0, battery_w=400)
    roof.flow(MIDNIGHT + 23 * HOUR, sun_w=0)


@pytest.mark.parametrize("notice_s", [(1.0, 2.0), (240.0, 250.0)], ids=["meter first", "recorder first"])
async def test_day_with_sun_and_battery(
    hass: HomeAssistant,
    home: SimulatedHome,
    household: Household,
    entry: BrouteConfigEntry,
    *,
    roof: Roof,
    recording: Record,
    notice_s: tuple[float, float],
) -> None:
    """With a counter of the sun that begins anew each day, another one in Wh, and a restart at noon."""
    home.meter.notices.notice_s = notice_s
    home.meter.notices.schedule()
    shine(roof)
    midnights = [MIDNIGHT, MIDNIGHT + DAY]
    roof.reports[PV] = lambda at: (
        roof.counted(roof.sun, at, since=max((one for one in midnights if one <= at), default=EVENING)),
        "kWh",
    )
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_BATTERY)
    await recording(MIDNIGHT + timedelta(minutes=20))
    # A day begins with nothing.
    assert_right(hass, roof, MIDNIGHT)
    await recording(MIDNIGHT + timedelta(minutes=40))
    assert_right(hass, roof, MIDNIGHT + timedelta(minutes=30))
    states = shown(hass, "house_today")
    for hour in (9, 12.5):
        at = MIDNIGHT + hour * HOUR
        await recording(at + timedelta(minutes=8))
        assert_right(hass, roof, at)
    # It is always known, whichever of meter and recorder tells of a half hour first, and never less than before.
    assert states
    assert "unknown" not in states
    assert states == sorted(states, key=float)
    await household.leave()
    assert EVENT_RECORDER_5MIN_STATISTICS_GENERATED not in hass.bus.async_listeners()
    await recording(MIDNIGHT + 14.25 * HOUR)
    await household.arrive()
    await recording(MIDNIGHT + 14.65 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 14.5 * HOUR)
    await recording(MIDNIGHT + DAY - timedelta(minutes=1))
    assert_right(hass, roof, MIDNIGHT + DAY - timedelta(minutes=30))
    await recording(MIDNIGHT + DAY + timedelta(seconds=40))
    assert_right(hass, roof, MIDNIGHT + DAY, start=MIDNIGHT + DAY)
    await recording(MIDNIGHT + DAY + timedelta(minutes=70))
    assert_right(hass, roof, MIDNIGHT + DAY + HOUR, start=MIDNIGHT + DAY)


async def test_half_hour_is_known_as_soon_as_both_have_told_it(
    hass: HomeAssistant,
    home: SimulatedHome,
    household: Household,
    entry: BrouteConfigEntry,
    *,
    roof: Roof,
    recording: Record,
) -> None:
    """The recorder before the meter, whose clock is slow."""
    Happenings(home).meter_clock_wrong(-40)
    home.meter.notices.notice_s = (1.0, 2.0)
    home.meter.notices.schedule()
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    for number in (1, 2, 3):
        at = MIDNIGHT + number * timedelta(minutes=30)
        await recording(at + timedelta(minutes=2))
        assert_right(hass, roof, at)


async def test_what_a_source_does_not_count_is_not_known(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    """Until it counts again: the sum that Home Assistant keeps holds what has flowed meanwhile."""
    shine(roof)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_BATTERY)
    await recording(MIDNIGHT + 8.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 8 * HOUR)
    reports = dict(roof.reports)
    roof.reports[PV] = lambda _: ("unavailable", "kWh")
    await recording(MIDNIGHT + 8.9 * HOUR)
    # As long as that is recent.
    assert_right(hass, roof, MIDNIGHT + 8 * HOUR)
    await recording(MIDNIGHT + 9.2 * HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2
    roof.reports = reports
    await recording(MIDNIGHT + 9.7 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 9.5 * HOUR)
    assert has_value(hass, "import_today")


async def test_inverter_that_sleeps_at_night(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    """There is no row at midnight, but the sum has not changed since."""
    shine(roof)

    def asleep_before(wakes: datetime) -> Callable[[datetime], tuple[object, str]]:
        return lambda at: (roof.counted(roof.sun, at) if at >= wakes or at < EVENING + HOUR else "unavailable", "kWh")

    roof.reports[PV] = asleep_before(MIDNIGHT + 7 * HOUR - PERIOD)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    await recording(MIDNIGHT + 6.8 * HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2
    await recording(MIDNIGHT + 7.7 * HOUR)
    kept = roof.counted(roof.sun, MIDNIGHT + 7.5 * HOUR) - roof.counted(roof.grid, MIDNIGHT + 7.5 * HOUR, "export")
    assert float(value(hass, "self_consumed_today") or "") == pytest.approx(kept, abs=float(MAY_BE_OFF))


async def test_first_day_is_not_known_where_its_beginning_is_not(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    roof.flow(EVENING, sun_w=200)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    await recording(EVENING + HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2
    await recording(MIDNIGHT + 1.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + HOUR)


async def test_unit_that_is_changed_and_entity_that_is_renamed(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    registry = er.async_get(hass)
    registered = registry.async_get_or_create("sensor", "other", "pv", suggested_object_id="pv_energy")
    shine(roof)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(
        hass,
        household,
        entry,
        WITH_BATTERY | {"pv_energy": [registered.id]},
    )
    await recording(MIDNIGHT + 8.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 8 * HOUR)
    roof.reports[PV] = lambda at: (1000 * roof.counted(roof.sun, at), "Wh")
    await recording(MIDNIGHT + 9.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 9 * HOUR)
    registry.async_update_entity(PV, new_entity_id="sensor.roof")
    hass.states.async_remove(PV)
    roof.reports["sensor.roof"] = roof.reports.pop(PV)
    await recording(MIDNIGHT + 10.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 10 * HOUR)
    registry.async_remove("sensor.roof")
    hass.states.async_remove("sensor.roof")
    del roof.reports["sensor.roof"]
    await recording(MIDNIGHT + 11.2 * HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2


async def test_battery_that_feeds_the_grid(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    """What it sells was not the sun's."""
    roof.flow(MIDNIGHT + 1 * HOUR, sun_w=3000, battery_w=-1500)
    roof.flow(MIDNIGHT + 3 * HOUR, sun_w=0, battery_w=1500)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_BATTERY)
    await recording(MIDNIGHT + 5.2 * HOUR)
    assert float(value(hass, "house_today") or "") == pytest.approx(2.5, abs=float(MAY_BE_OFF))
    assert float(value(hass, "self_consumed_today") or "") == pytest.approx(4.0, abs=float(MAY_BE_OFF))


async def test_counter_that_stands_still_is_found_out(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    """More is sold than there was."""
    roof.flow(MIDNIGHT + 1 * HOUR, sun_w=3000)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    await recording(MIDNIGHT + 2.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 2 * HOUR)
    stands = roof.counted(roof.sun, MIDNIGHT + 2.2 * HOUR)
    roof.reports[PV] = lambda _: (stands, "kWh")
    await recording(MIDNIGHT + 3.7 * HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2


async def test_exchange_of_the_meter_leaves_the_day_unknown(
    hass: HomeAssistant,
    home: SimulatedHome,
    household: Household,
    entry: BrouteConfigEntry,
    *,
    roof: Roof,
    recording: Record,
) -> None:
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    await recording(MIDNIGHT + 2.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + 2 * HOUR)
    Happenings(home).meter_replaced()
    await recording(MIDNIGHT + 5 * HOUR)
    assert [value(hass, key) for key in KEYS] == ["unknown"] * 2
    await recording(MIDNIGHT + DAY + 1.2 * HOUR)
    assert_right(hass, roof, MIDNIGHT + DAY + HOUR, start=MIDNIGHT + DAY)


async def test_database_that_fails_is_read_again(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, WITH_PV)
    await recording(MIDNIGHT + 2.2 * HOUR)
    await household.leave()
    with database_failing(hass) as refused:
        await household.arrive()
        await asyncio.sleep(30)
        assert any("short_term" in statement for statement in refused)
        assert not has_value(hass, "house_today")
    await until(lambda: has_value(hass, "house_today"), 240)
    assert_right(hass, roof, MIDNIGHT + 2 * HOUR)


@pytest.mark.parametrize("home", [NORMAL_ONLY], indirect=True)
async def test_meter_that_does_not_measure_export(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, roof: Roof, recording: Record
) -> None:
    roof.flow(MIDNIGHT + HOUR, sun_w=0, battery_w=-1000)
    roof.flow(MIDNIGHT + 2 * HOUR, sun_w=0, battery_w=400)
    await recording(EVENING + timedelta(minutes=2))
    await set_up(hass, household, entry, {"battery_charged": [CHARGED], "battery_discharged": [DISCHARGED]})
    await recording(MIDNIGHT + 3.2 * HOUR)
    assert float(value(hass, "house_today") or "") == pytest.approx(1.5, abs=float(MAY_BE_OFF))
    assert sensor_id(hass, "self_consumed_today") is None
