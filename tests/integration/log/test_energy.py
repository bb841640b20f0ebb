"""Today, yesterday and the billing period: equal to what the registers have counted, whatever happens in them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_ENERGY, CONF_HISTORY_DAYS, CONF_READING_DAY
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.household.demand import half_hour_of
from custom_components.broute.household.energy_watch import Period
from simulator import JST, HouseLoad, Registers, SimulatedHome
from simulator.happenings import Happenings

from ..world import Ports, has_value, sensor, sensor_id, until, value
from .household import DIRECTIONS, Household
from .recorder import database_failing
from .rows import HOUR, sleep_until

DAY = timedelta(days=1)
EVENING = datetime(2026, 11, 21, 22, 24, tzinfo=JST)
READ_WITHIN = timedelta(seconds=61)
COUNTERS = 0xE0
KEYS = [f"{direction}_{period}" for period in Period for direction in DIRECTIONS]


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on."""
    return 2


@dataclass
class Judge:
    """Holds whatever is told against the registers.

    Attributes:
        right: for each period and direction how often it was told and right.
        wrong: what must not be.
    """

    home: SimulatedHome
    household: Household
    entry: BrouteConfigEntry
    right: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Look whenever something is told, as long as the integration runs."""
        self.entry.runtime_data.energy.async_add_listener(self.look)

    def look(self) -> None:
        """Look at all that is told now."""
        for period in Period:
            for direction in DIRECTIONS:
                self._judge(period, direction)

    def _judge(self, period: Period, direction: str) -> None:
        energy = self.entry.runtime_data.energy.energy(period, direction)
        if energy is None or energy.energy_kwh is None:
            return
        if energy.until == half_hour_of(energy.until):
            # A counter that the meter has logged.
            true = {self.household.energy_kwh(direction, energy.start, energy.until)}
        else:
            # The time is by the meter's clock, as far as it is known; and which of the answers came is not noted.
            ahead = self.entry.runtime_data.energy.now - self.home.clock.now()
            recent = takewhile(lambda one: one.at > energy.until - READ_WITHIN, reversed(self.home.meter.answers))
            instants = [one.at for one in recent if COUNTERS in one.epcs and one.at + ahead >= energy.start]
            true = {self.household.energy_kwh(direction, min(energy.start, at), at) for at in instants}
        if energy.energy_kwh in true:
            self.right[f"{direction}_{period}"] = self.right.get(f"{direction}_{period}", 0) + 1
        else:
            self.wrong.append(f"{self.home.clock.now()} {period} {direction}: {energy}, and not {true}")


@pytest.fixture
def judge(home: SimulatedHome, household: Household, entry: BrouteConfigEntry) -> Judge:
    return Judge(home, household, entry)


@pytest.fixture(params=[{}])
async def home(
    request: pytest.FixtureRequest, ports: Ports, wall_clock: Callable[[SimulatedHome], None]
) -> SimulatedHome:
    """Return a home in the evening, with registers of that kind."""
    start = request.param.get("start", EVENING)
    home = ports.plug_in(registers=Registers(load=HouseLoad(3), unit=0x02, digits=8), start=start)
    wall_clock(home)
    return home


async def set_up(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, *, reading_day: int | None, history_days: int
) -> None:
    """Set the entry up, and wait until its log is there."""
    energy = {} if reading_day is None else {CONF_READING_DAY: reading_day}
    hass.config_entries.async_update_entry(
        entry, options={CONF_SCAN_INTERVAL: 280, CONF_HISTORY_DAYS: history_days, CONF_ENERGY: energy}
    )
    await household.arrive()
    await household.stay_until_complete()


def shown(hass: HomeAssistant, key: str) -> Decimal | None:
    """Return what an entity shows, if that is a number."""
    return Decimal(value(hass, key) or "") if has_value(hass, key) else None


def assert_known(hass: HomeAssistant, *, but: tuple[str, ...] = ()) -> None:
    assert {key for key in KEYS if not has_value(hass, key)} == set(but)


async def test_all_is_right_on_the_first_day(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry, judge: Judge
) -> None:
    await set_up(hass, household, entry, reading_day=15, history_days=8)
    await until(lambda: has_value(hass, "import_today"))
    judge.look()
    assert judge.wrong == []
    assert judge.right.keys() == set(KEYS)
    assert_known(hass)
    midnight = datetime(2026, 11, 21, tzinfo=JST)
    for key, start in (("import_today", midnight), ("import_billing", midnight - 6 * DAY)):
        state = sensor(hass, key)
        assert state
        assert state.attributes["state_class"] == "total"
        assert datetime.fromisoformat(state.attributes["last_reset"]) == start
    yesterday = sensor(hass, "export_yesterday")
    assert yesterday
    assert yesterday.attributes["since"] == midnight - DAY
    assert "state_class" not in yesterday.attributes
    assert "last_reset" not in yesterday.attributes


async def test_days_change_at_the_meters_midnight(
    hass: HomeAssistant, home: SimulatedHome, household: Household, entry: BrouteConfigEntry, judge: Judge
) -> None:
    await set_up(hass, household, entry, reading_day=22, history_days=40)
    judge.follow()
    midnight = datetime(2026, 11, 22, tzinfo=JST)
    await sleep_until(home, midnight - timedelta(seconds=40))
    before = shown(hass, "import_today")
    assert before
    await sleep_until(home, midnight + timedelta(seconds=40))
    # A day begins with nothing; what the one that is over came to is known when the meter has told its last counter.
    assert shown(hass, "import_today") == shown(hass, "export_billing") == 0
    await sleep_until(home, midnight + timedelta(minutes=10))
    assert_known(hass)
    assert shown(hass, "import_today") == shown(hass, "import_billing")
    assert shown(hass, "import_yesterday") == household.energy_kwh("import", midnight - DAY, midnight)
    await household.stay(26 * HOUR)
    assert_known(hass)
    assert shown(hass, "import_yesterday") == household.energy_kwh("import", midnight, midnight + DAY)
    assert judge.wrong == []
    assert judge.right.keys() == set(KEYS)


@pytest.mark.parametrize(
    ("home", "reading_day", "begins"),
    [
        ({"start": datetime(2028, 2, 28, 22, 24, tzinfo=JST)}, 29, datetime(2028, 2, 29, tzinfo=JST)),
        ({"start": datetime(2027, 2, 27, 22, 24, tzinfo=JST)}, 31, datetime(2027, 2, 28, tzinfo=JST)),
        ({"start": datetime(2026, 12, 31, 22, 24, tzinfo=JST)}, 1, datetime(2027, 1, 1, tzinfo=JST)),
    ],
    indirect=["home"],
    ids=["leap day", "last day of February", "new year"],
)
async def test_billing_period_begins_with_its_day(
    hass: HomeAssistant,
    home: SimulatedHome,
    household: Household,
    entry: BrouteConfigEntry,
    *,
    reading_day: int,
    begins: datetime,
) -> None:
    judge = Judge(home, household, entry)
    await set_up(hass, household, entry, reading_day=reading_day, history_days=32)
    judge.follow()
    await sleep_until(home, begins - timedelta(minutes=1))
    state = sensor(hass, "import_billing")
    assert state
    assert timedelta(days=28) <= begins - datetime.fromisoformat(state.attributes["last_reset"]) <= timedelta(days=31)
    await sleep_until(home, begins + timedelta(hours=2))
    state = sensor(hass, "import_billing")
    assert state
    assert datetime.fromisoformat(state.attributes["last_reset"]) == begins
    assert_known(hass)
    assert judge.wrong == []
    assert judge.right.keys() == set(KEYS)


@pytest.mark.parametrize(
    "home",
    # The clock shows whole minutes: what is known of it after half an hour is 27 s ahead then, or 18 s behind.
    [{"start": EVENING.replace(hour=23, minute=30, second=second)} for second in (16, 1)],
    indirect=True,
    ids=["ahead", "behind"],
)
async def test_midnight_that_is_not_known_to_the_second(
    hass: HomeAssistant, home: SimulatedHome, household: Household, entry: BrouteConfigEntry, judge: Judge
) -> None:
    await set_up(hass, household, entry, reading_day=None, history_days=1)
    judge.follow()
    midnight = EVENING.replace(hour=0, minute=0) + DAY
    await sleep_until(home, midnight - timedelta(minutes=2))
    entry.runtime_data.async_boost(300)
    await sleep_until(home, midnight + timedelta(minutes=2))
    assert judge.wrong == []
    assert judge.right["import_today"] > 40


async def test_counters_go_over_their_last_digit(
    hass: HomeAssistant,
    ports: Ports,
    wall_clock: Callable[[SimulatedHome], None],
    entry: BrouteConfigEntry,
    storage: dict[str, object],
) -> None:
    registers = Registers(load=HouseLoad(3), unit=0x02, digits=6, installed_at=EVENING - 60 * DAY)
    normal, reverse = (count(EVENING + 9 * HOUR) for count in (registers.import_count, registers.export_count))
    assert normal
    assert reverse
    full = 10**registers.digits
    home = ports.plug_in(
        registers=replace(registers, initial_import=full - normal, initial_export=full - reverse), start=EVENING
    )
    wall_clock(home)
    household = Household(hass, home, entry, storage)
    judge = Judge(home, household, entry)
    await set_up(hass, household, entry, reading_day=20, history_days=3)
    judge.follow()
    await household.stay(28 * HOUR)
    truth = home.truth()
    assert truth.import_kwh
    assert truth.import_kwh < 100
    assert_known(hass)
    assert judge.wrong == []
    assert judge.right.keys() == set(KEYS)


async def test_restarts_and_a_week_without_home_assistant_leave_no_trace(
    hass: HomeAssistant, home: SimulatedHome, household: Household, entry: BrouteConfigEntry, judge: Judge
) -> None:
    await set_up(hass, household, entry, reading_day=20, history_days=3)
    await household.leave()
    await household.stay(7 * DAY + 5 * HOUR)
    await household.arrive()
    judge.follow()
    await household.stay_until_complete()
    await until(lambda: has_value(hass, "import_today"))
    assert_known(hass)
    await household.leave()
    await household.arrive()
    judge.follow()
    # What is over needs no meter.
    await until(lambda: has_value(hass, "import_yesterday"), 10)
    await until(lambda: has_value(hass, "import_billing"))
    assert judge.wrong == []
    assert judge.right.keys() == set(KEYS)


async def test_exchange_of_the_meter_leaves_what_nobody_counted_unknown(
    hass: HomeAssistant, home: SimulatedHome, household: Household, entry: BrouteConfigEntry, judge: Judge
) -> None:
    await set_up(hass, household, entry, reading_day=20, history_days=3)
    judge.follow()
    await sleep_until(home, datetime(2026, 11, 22, 10, 50, tzinfo=JST))
    Happenings(home).meter_replaced()
    household.begin_era()
    await household.stay(3 * HOUR)
    await household.stay_until_complete()
    running = ("import_today", "export_today", "import_billing", "export_billing")
    assert_known(hass, but=running)
    state = sensor(hass, "import_today")
    assert state
    assert state.state == "unknown"
    ((hole),) = state.attributes["not_counted"]
    assert hole["start"] == datetime(2026, 11, 22, 10, 0, tzinfo=JST)
    assert hole["end"] <= datetime(2026, 11, 22, 12, 0, tzinfo=JST)
    used = household.consumption_kwh("import", datetime(2026, 11, 22, tzinfo=JST), home.clock.now())
    assert used - 2 < state.attributes["counted"] <= used
    # The next day knows nothing of it any more.
    await sleep_until(home, datetime(2026, 11, 23, 1, 10, tzinfo=JST))
    assert_known(hass, but=("import_yesterday", "export_yesterday", "import_billing", "export_billing"))
    await sleep_until(home, datetime(2026, 11, 24, 1, 10, tzinfo=JST))
    assert_known(hass, but=("import_billing", "export_billing"))
    assert judge.wrong == []


async def test_rows_are_read_as_soon_as_they_can_be(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, household, entry, reading_day=None, history_days=2)
    await household.leave()
    with database_failing(hass):
        await household.arrive()
        await asyncio.sleep(150)
        assert not has_value(hass, "import_yesterday")
    await until(lambda: has_value(hass, "import_yesterday"), 61)
    assert sensor_id(hass, "import_billing") is None


async def test_only_what_is_over_stays_while_the_meter_is_not_heard(
    hass: HomeAssistant, home: SimulatedHome, household: Household, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, household, entry, reading_day=20, history_days=3)
    home.faults.meter_silent = True
    await asyncio.sleep(600)
    assert value(hass, "import_today") == value(hass, "import_billing") == "unavailable"
    yesterday = shown(hass, "import_yesterday")
    assert yesterday
    # When another day is over it is yesterday, of which nothing is known.
    await sleep_until(home, datetime(2026, 11, 22, 0, 30, tzinfo=JST))
    assert value(hass, "import_yesterday") == "unknown"


async def test_there_is_no_billing_period_without_its_day(
    hass: HomeAssistant, household: Household, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, household, entry, reading_day=20, history_days=2)
    assert sensor_id(hass, "import_billing")
    hass.config_entries.async_update_entry(entry, options={CONF_HISTORY_DAYS: 2})
    await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: has_value(hass, "import_today"))
    assert sensor_id(hass, "import_billing") is None
    assert sensor_id(hass, "export_billing") is None
