"""Hours at whose ends the meter had no mains, so that its log has no counter for them."""

from collections.abc import Callable
from datetime import datetime, timedelta

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.history.planner import Reason
from simulator import JST, RELEASE_F, RELEASE_R, ConstantLoad, MeterModel, SimulatedHome
from simulator.echonet import Frame

from ..world import Ports
from .rows import HOUR, assert_exact, changes, complete_until, counter, missing, sleep_until, truth

CUT = datetime(2026, 11, 21, 20, 50, tzinfo=JST)
EF = 0xEF


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 3600, CONF_HISTORY_DAYS: 1})
    return entry


async def live_through(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, cut: datetime, lapse: timedelta
) -> None:
    """Have no mains for a time, and then an hour of calm."""
    await hass.config_entries.async_setup(entry.entry_id)
    await complete_until(hass, datetime(2026, 11, 21, 18, 0, tzinfo=JST))
    await sleep_until(home, cut)
    home.meter.reboot(lapse.total_seconds())
    await sleep_until(home, cut + lapse + HOUR)
    await complete_until(hass, home.clock.now().replace(minute=0), 3600)


def minutes_asked(home: SimulatedHome) -> int:
    return sum(EF in answer.epcs for answer in home.meter.answers)


@pytest.mark.parametrize(
    ("cut", "lapse"),
    [
        (CUT, timedelta(minutes=75)),
        (CUT.replace(minute=56), timedelta(minutes=5)),
        (CUT.replace(minute=1), timedelta(hours=5)),
        (CUT.replace(minute=31), timedelta(minutes=58)),
    ],
    ids=lambda value: str(value)[-14:-6],
)
async def test_counter_that_stood_still_is_known_all_the_time(
    hass: HomeAssistant,
    ports: Ports,
    entry: BrouteConfigEntry,
    wall_clock: Callable[..., None],
    *,
    cut: datetime,
    lapse: timedelta,
) -> None:
    """A meter of the second generation tells what it was in the last minute before, and in the first behind."""
    # It must not go on by one in the very minute before the cut.
    cut += timedelta(seconds=20)
    home = ports.plug_in(model=RELEASE_R, load=ConstantLoad(120))
    wall_clock(home)
    await live_through(hass, home, entry, cut, lapse)
    await assert_exact(hass, home)
    assert not any(entry.runtime_data.log.progress.gaps.values())
    # Up to three requests to find each of the two.
    asked = minutes_asked(home)
    assert 2 <= asked <= 6
    response = await hass.services.async_call(
        DOMAIN, "import_history", {"days": 2}, blocking=True, return_response=True
    )
    assert response
    assert response["gaps"] == {"import": [], "export": []}


@pytest.mark.parametrize(("model", "asked"), [(RELEASE_R, range(2, 7)), (RELEASE_F, range(1))])
async def test_counter_that_has_gone_on_is_not_known(
    hass: HomeAssistant,
    ports: Ports,
    entry: BrouteConfigEntry,
    wall_clock: Callable[..., None],
    *,
    model: MeterModel,
    asked: range,
) -> None:
    """It counted between its last full minute and the cut; a meter of the first generation tells no minutes at all."""
    lapse = timedelta(minutes=75)
    home = ports.plug_in(model=model, load=ConstantLoad(6000))
    wall_clock(home)
    await live_through(hass, home, entry, CUT, lapse)
    found = await changes(hass, "import")
    (gap,) = entry.runtime_data.log.progress.gaps["import"]
    assert (gap.start, gap.end, gap.reason) == (CUT.replace(minute=0), CUT.replace(hour=23, minute=0), Reason.NOT_KEPT)
    assert missing(found) == [gap.start, gap.start + HOUR]
    assert gap.energy_kwh == counter(home, gap.end, "import") - counter(home, gap.start, "import")
    exact = {hour: energy for hour, energy in found.items() if not gap.start <= hour < gap.end}
    assert exact == truth(home, exact, "import")
    assert minutes_asked(home) in asked
    # Exports stood still: of them all hours are known where minutes are.
    assert len(missing(await changes(hass, "export"))) == (0 if model is RELEASE_R else 2)


async def test_counter_of_exports_that_has_gone_on_is_not_known(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, wall_clock: Callable[..., None]
) -> None:
    home = ports.plug_in(model=RELEASE_R, load=ConstantLoad(-6000))
    wall_clock(home)
    await live_through(hass, home, entry, CUT, timedelta(minutes=75))
    assert len(missing(await changes(hass, "export"))) == 2
    assert not missing(await changes(hass, "import"))


async def test_minutes_that_are_refused_leave_a_gap(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, wall_clock: Callable[..., None]
) -> None:
    home = ports.plug_in(model=RELEASE_R, load=ConstantLoad(120))
    wall_clock(home)
    write = home.meter.object.write
    home.meter.object.write = lambda epc, edt: epc != EF and write(epc, edt)  # type: ignore[method-assign]
    await live_through(hass, home, entry, CUT + timedelta(seconds=20), timedelta(minutes=75))
    (gap,) = entry.runtime_data.log.progress.gaps["import"]
    assert (gap.start, gap.end, gap.reason) == (CUT.replace(minute=0), CUT.replace(hour=23, minute=0), Reason.NOT_KEPT)


async def test_minutes_about_which_the_meter_is_silent_leave_a_gap_and_hold_nothing_up_for_ever(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, wall_clock: Callable[..., None]
) -> None:
    home = ports.plug_in(model=RELEASE_R, load=ConstantLoad(120))
    wall_clock(home)
    take = home.meter._take
    asked: list[datetime] = []

    def hear(frame: Frame) -> None:
        if EF in {prop.epc for prop in frame.properties}:
            asked.append(home.clock.now())
        else:
            take(frame)

    home.meter._take = hear  # type: ignore[method-assign]
    await hass.config_entries.async_setup(entry.entry_id)
    await sleep_until(home, CUT + timedelta(seconds=20))
    home.meter.reboot(timedelta(minutes=75).total_seconds())
    await sleep_until(home, CUT + timedelta(hours=7))
    assert timedelta(hours=4) <= asked[-1] - asked[0] < timedelta(hours=4, minutes=20)
    log = entry.runtime_data.log
    assert log.progress.complete_until == CUT.replace(minute=0) + timedelta(hours=7)
    (gap,) = log.progress.gaps["import"]
    assert (gap.start, gap.end, gap.reason) == (CUT.replace(minute=0), CUT.replace(hour=23, minute=0), Reason.NOT_KEPT)
