"""Days of the log that the meter refuses, or gives so that they cannot be understood: by chance, or for good."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.history.planner import Reason
from simulator import JST, SimulatedHome

from .household import Household
from .rows import HOUR, assert_exact, changes, missing, sleep_until, truth

BACK = datetime(2026, 11, 24, 9, 10, tzinfo=JST)
"""After three days without Home Assistant."""
DAY = timedelta(days=1)
HOURS_OF_A_DAY = 25
"""The counter at its midnight is one of the day, too."""
LOST = (datetime(2026, 11, 21, 23, 0, tzinfo=JST), datetime(2026, 11, 23, 0, 0, tzinfo=JST))
"""The hours with an end on the day that lies two days back then."""
E5 = 0xE5
E2 = 0xE2


@pytest.fixture
async def household(household: Household) -> Household:
    """Return the household, with a short log."""
    household.set_options(scan_interval_s=3600, history_days=2)
    return household


async def be_away(home: SimulatedHome, household: Household) -> None:
    """Have no Home Assistant for three days."""
    await household.arrive()
    await household.stay_until_complete()
    await household.leave()
    await sleep_until(home, BACK)


def refuse(home: SimulatedHome, is_refused: Callable[[int], bool]) -> list[int]:
    """Let the meter refuse days by how many they lie back; return the list in which all that are chosen will be."""
    write = home.meter.object.write
    chosen: list[int] = []

    def choose(epc: int, edt: bytes) -> bool:
        if epc != E5:
            return write(epc, edt)
        chosen.append(edt[0])
        return not is_refused(edt[0]) and write(epc, edt)

    home.meter.object.write = choose  # type: ignore[method-assign]
    return chosen


def once(number: int) -> Callable[[int], bool]:
    """Refuse a day when it is asked for the first time."""
    left = [number]

    def is_refused(asked: int) -> bool:
        if asked not in left:
            return False
        left.remove(asked)
        return True

    return is_refused


@pytest.mark.parametrize("day", [0, 1, 3])
async def test_day_that_is_refused_once_is_asked_for_again(
    hass: HomeAssistant, home: SimulatedHome, household: Household, day: int
) -> None:
    await be_away(home, household)
    chosen = refuse(home, once(day))
    await household.arrive()
    await household.stay_until_complete()
    await assert_exact(hass, home)
    assert not any(household.log.progress.gaps.values())
    # In the end, when all others were there.
    assert sorted(chosen) == sorted([0, 1, 2, 3, day])
    assert chosen[-1] == day


async def test_day_that_cannot_be_given_once_is_asked_for_again(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    await be_away(home, household)
    home.faults.replaced_values = {"E2": deque([""])}
    await household.arrive()
    await household.stay_until_complete()
    await assert_exact(hass, home)


@pytest.mark.parametrize("again", [False, True])
async def test_day_that_is_refused_again_and_again_is_left_out(
    hass: HomeAssistant, home: SimulatedHome, household: Household, *, again: bool
) -> None:
    await be_away(home, household)
    chosen = refuse(home, lambda day: day == 2)
    await household.arrive()
    took = await household.stay_until_complete()
    assert chosen.count(2) == 3
    assert chosen[-2:] == [2, 2]
    assert timedelta(minutes=6) < took < timedelta(minutes=20)
    if again:
        chosen.clear()
        response: Any = await hass.services.async_call(
            DOMAIN, "import_history", {"days": 4}, blocking=True, return_response=True
        )
        assert response["hours_written"] == {}
        assert chosen.count(2) == 3
    for direction in ("import", "export"):
        (gap,) = household.log.progress.gaps[direction]
        assert (gap.start, gap.end, gap.reason) == (*LOST, Reason.NOT_KEPT)
        found = await changes(hass, direction)
        unknown = [gap.start + HOUR * number for number in range(int((gap.end - gap.start) / HOUR))]
        assert missing(found) == unknown[:-1]
        assert found[unknown[-1]] == gap.energy_kwh == sum(truth(home, unknown, direction).values())
        exact = {hour: energy for hour, energy in found.items() if hour not in unknown}
        assert exact == truth(home, exact, direction)


async def test_day_that_cannot_be_understood_holds_up_the_others_for_minutes_only(
    hass: HomeAssistant, home: SimulatedHome, household: Household
) -> None:
    await be_away(home, household)
    read = home.meter.object.read

    def answer(epc: int) -> bytes | None:
        edt = read(epc)
        # It says that it is another day.
        return b"\x00\x63" + edt[2:] if edt and epc == E2 and edt[1] == 2 else edt

    home.meter.object.read = answer  # type: ignore[method-assign]
    await household.arrive()
    assert await household.stay_until_complete() < timedelta(minutes=20)
    verdict = await household.verdict("import")
    assert verdict.wrong == []
    assert household.reasons("import") == [Reason.NOT_KEPT]
    assert verdict.told == HOURS_OF_A_DAY


@pytest.mark.parametrize("kept", [0, 5, 30])
async def test_meter_that_refuses_the_days_that_it_does_not_keep(
    hass: HomeAssistant, home: SimulatedHome, household: Household, kept: int
) -> None:
    household.set_options(scan_interval_s=3600, history_days=44)
    chosen = refuse(home, lambda day: day > kept)
    await household.arrive()
    await household.stay_until_complete()
    await assert_exact(hass, home)
    oldest = (home.clock.now() - DAY * kept).replace(hour=0, minute=0, second=0, microsecond=0)
    assert min(await changes(hass, "import")) == oldest
    # Six to find where the log begins, of which one is asked for at three times.
    assert len([day for day in chosen if day > kept]) <= 8
    # That it does not go back any further is known from then on.
    chosen.clear()
    await household.leave()
    await household.arrive()
    await household.stay(HOUR * 3)
    assert not [day for day in chosen if day > kept]
