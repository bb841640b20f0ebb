"""A week in which everything happens to a house, and what its log shows after it; the same sums in all time zones."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.components.recorder.tasks import ImportStatisticsTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.history.planner import Reason
from simulator import HouseLoad, Registers, SimulatedHome
from simulator.clock import JST
from simulator.happenings import Happenings

from ...world import TOKEN, Ports, until
from ..household import DIRECTIONS, Household
from ..recorder import held, lost
from ..rows import HOUR, Period, changes

START = datetime(2026, 10, 26, 5, 24, tzinfo=JST)
"""A day after the end of summer time in Europe."""
DEPTH_DAYS = 5
OLDEST = datetime(2026, 10, 21, tzinfo=JST)
IMPORT_ROLLS_OVER = START + timedelta(hours=3)
EXPORT_ROLLS_OVER = START + timedelta(hours=7)
REASONS = [Reason.NOT_KEPT, Reason.CLOCK_WRONG, Reason.BEGAN_ANEW, Reason.EXCHANGED]
"""Of all that happens, what leaves hours that are not right by themselves, in the order in which it does."""
GET_RES = 0x72
FIXED_IMPORT = 0xEA


@pytest.fixture
async def home(ports: Ports, wall_clock: Callable[[SimulatedHome], None]) -> SimulatedHome:
    """Return a home whose counters both go over their last digit on the first day."""
    registers = Registers(load=HouseLoad(3), unit=0x02, digits=6, installed_at=START - timedelta(days=60))
    counted = registers.import_count(IMPORT_ROLLS_OVER), registers.export_count(EXPORT_ROLLS_OVER)
    assert counted[0]
    assert counted[1]
    size = 10**registers.digits
    home = ports.plug_in(
        start=START, registers=replace(registers, initial_import=size - counted[0], initial_export=size - counted[1])
    )
    wall_clock(home)
    return home


@pytest.fixture
async def household(household: Household) -> Household:
    """Return the household, which reads its meter so seldom that a week passes quickly."""
    household.set_options(scan_interval_s=3600, history_days=DEPTH_DAYS)
    return household


@pytest.fixture
def noop_cycles() -> int:
    """Return how often the loop turns before virtual time moves on."""
    return 2


class Week:
    """The week, day by day; after each part everything is well again, and complete."""

    def __init__(self, hass: HomeAssistant, home: SimulatedHome, household: Household) -> None:
        """Begin before the first set-up."""
        self.hass = hass
        self.home = home
        self.household = household
        self.happenings = Happenings(home)

    async def stay_until(self, minute: int, second: int = 0) -> None:
        """Wait for the next time that the clock shows these."""
        now = self.home.clock.now()
        at = now.replace(minute=minute, second=second, microsecond=0)
        await self.household.stay((at if at > now else at + HOUR) - now)

    async def first_set_up(self) -> None:
        """Find all that is wanted of the log."""
        await self.household.arrive()
        took = await self.household.stay_until_complete()
        assert took < timedelta(minutes=10)
        for direction in DIRECTIONS:
            assert min(await changes(self.hass, direction)) == OLDEST

    async def away(self, lapse: timedelta) -> None:
        """Have no Home Assistant for a while."""
        await self.household.leave()
        await self.household.stay(lapse)
        await self.household.arrive()
        await self.household.stay_until_complete()

    async def notices_lost_one_by_one(self) -> None:
        """Lose the notices of two half hours: each is asked for five minutes after its time."""
        for minute in (59, 29):
            await self.stay_until(minute, 50)
            # No more than what is said in this minute and a half is lost.
            self.home.faults.set(for_s=90, datagram_loss=1.0)
            await self.household.stay(timedelta(seconds=90))
            half_hour = self.home.truth().fixed_time
            told = self.household.log.half_hour
            assert told
            assert told.at < half_hour
            await self.stay_until((minute + 7) % 60)
            told = self.household.log.half_hour
            assert told
            assert told.at == half_hour
            asked = [one.at for one in self.home.meter.answers if FIXED_IMPORT in one.epcs and one.esv == GET_RES]
            assert asked[-1] > half_hour + timedelta(minutes=5)
        await self.household.stay_until_complete()

    async def radio_down(self) -> None:
        """Hear nothing of the meter for hours, and so lose notices."""
        self.home.faults.meter_silent = True
        await self.household.stay(timedelta(hours=2, minutes=40))
        self.home.faults.off()
        await self.household.stay_until_complete()

    async def mains_down(self) -> None:
        """Have no mains at two full hours."""
        await self.stay_until(50)
        self.home.meter.reboot(timedelta(minutes=75).total_seconds())
        await self.household.stay(timedelta(hours=2))
        await self.household.stay_until_complete()

    async def counters_begin_anew(self) -> None:
        """Let both counters begin at 0 again."""
        await self.stay_until(40)
        self.happenings.meter_counters_restarted()
        self.household.begin_era()
        await self.household.stay(timedelta(hours=1))
        await self.household.stay_until_complete()

    async def scale_changes_meanwhile(self) -> None:
        """Have another unit and coefficient after a time without Home Assistant."""
        await self.household.leave()
        await self.household.stay(timedelta(hours=2))
        self.happenings.meter_scale_changed(unit=0x01, coefficient=2)
        self.household.begin_era()
        await self.household.stay(timedelta(hours=3))
        await self.household.arrive()
        await self.household.stay_until_complete()

    async def meter_is_replaced(self) -> None:
        """Get a new meter."""
        await self.stay_until(20)
        self.happenings.meter_replaced()
        self.household.begin_era()
        await self.household.stay(timedelta(hours=2))
        await self.household.stay_until_complete()

    async def meter_is_replaced_by_a_used_one_meanwhile(self) -> None:
        """Get one that has a log of another house."""
        await self.household.leave()
        await self.household.stay(timedelta(hours=2))
        self.happenings.meter_replaced(stored_s=timedelta(hours=30).total_seconds())
        self.household.begin_era()
        await self.household.stay(timedelta(hours=3))
        await self.household.arrive()
        await self.household.stay_until_complete()

    async def clock_is_wrong_for_hours(self, offset: timedelta) -> None:
        """Set the meter's clock wrong, and right again: the user is told as long as it is."""
        issues = ir.async_get(self.hass)

        def is_told() -> bool:
            return issues.async_get_issue(DOMAIN, f"clock_wrong_{TOKEN}") is not None

        assert not is_told()
        self.happenings.meter_clock_wrong(offset.total_seconds())
        await until(is_told, 2 * 3600)
        complete_until = self.household.log.progress.complete_until
        await self.household.stay(timedelta(hours=2))
        assert self.household.log.progress.complete_until == complete_until
        self.happenings.meter_clock_right()
        await until(lambda: not is_told(), 2 * 3600)
        await self.household.stay_until_complete()

    async def killed_between_both_series(self) -> None:
        """Kill Home Assistant when one series is written and the other is not."""
        await self.household.leave()
        await self.household.stay(timedelta(hours=5))
        with lost(lambda task: isinstance(task, ImportStatisticsTask) and "export" in task.metadata["statistic_id"]):
            await self.household.arrive()
            before = await changes(self.hass, "export")
            await until(lambda: self.household.log.failure, 600)
            await self.household.be_killed()
        assert max(await changes(self.hass, "import")) > max(before)
        assert await changes(self.hass, "export") == before
        await self.household.arrive()
        await self.household.stay_until_complete()

    async def recorder_is_slow(self) -> None:
        """Have a recorder that gets to nothing for more than an hour."""
        with held() as tasks:
            await self.household.stay(timedelta(hours=1, minutes=20))
            assert tasks
            assert self.household.log.failure
        await self.household.stay_until_complete()


async def test_week_in_which_everything_happens(hass: HomeAssistant, home: SimulatedHome, household: Household) -> None:
    week = Week(hass, home, household)
    await week.first_set_up()
    await week.notices_lost_one_by_one()
    await household.stay(IMPORT_ROLLS_OVER - home.clock.now() + HOUR)
    await week.away(timedelta(hours=9))
    assert home.clock.now() > EXPORT_ROLLS_OVER
    await week.radio_down()
    assert household.reasons("import") == household.reasons("export") == []

    await week.mains_down()
    await week.clock_is_wrong_for_hours(timedelta(hours=3))
    await week.away(timedelta(hours=30))
    await week.clock_is_wrong_for_hours(timedelta(hours=-5))
    await week.counters_begin_anew()
    await week.killed_between_both_series()
    await week.scale_changes_meanwhile()
    await week.recorder_is_slow()
    await week.meter_is_replaced()
    await week.meter_is_replaced_by_a_used_one_meanwhile()
    await week.away(START + timedelta(days=7) - home.clock.now())

    for direction in DIRECTIONS:
        verdict = await household.verdict(direction)
        assert verdict.wrong == []
        assert household.reasons(direction) == REASONS
        assert verdict.told < 30
        assert verdict.exact > (home.clock.now() - OLDEST) / HOUR - 31
    # Whoever reads it all once more finds nothing else.
    assert (await import_again(hass))["hours_written"] == {}


async def import_again(hass: HomeAssistant) -> Mapping[str, Any]:
    """Have all of the meter's log read once more."""
    response = await hass.services.async_call(
        DOMAIN, "import_history", {"days": 14}, blocking=True, return_response=True
    )
    assert response
    return response


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin"])
async def test_sums_are_the_same_in_all_time_zones(
    hass: HomeAssistant, home: SimulatedHome, household: Household, time_zone: str
) -> None:
    await hass.config.async_set_time_zone(time_zone)
    week = Week(hass, home, household)
    await week.first_set_up()
    await week.away(timedelta(days=7))
    end = home.clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [OLDEST.astimezone(UTC) + HOUR * number for number in range(int((end - OLDEST) / HOUR))]
    for direction in DIRECTIONS:
        expected = {hour: household.energy_kwh(direction, hour, hour + HOUR) for hour in hours}
        assert await changes(hass, direction) == expected
        # The bars of a day and a month begin where they do in this zone: an hour is part of those in which it begins.
        beginnings: dict[Period, Callable[[datetime], datetime]] = {"day": day_of, "month": month_of}
        for period, beginning in beginnings.items():
            bars: dict[datetime, Decimal] = {}
            for hour in hours:
                start = beginning(hour.astimezone(ZoneInfo(time_zone)))
                bars[start] = bars.get(start, Decimal(0)) + (household.energy_kwh(direction, hour, hour + HOUR) or 0)
            assert len(bars) > 1
            assert await changes(hass, direction, period=period) == bars


def day_of(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0)


def month_of(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0)
