"""The meter is lost and comes back: what is shown and told meanwhile."""

import asyncio
from collections.abc import Callable
import logging

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute.coordinator import GRACE_S, BrouteConfigEntry
from simulator import ConstantLoad, SimulatedHome
from simulator.happenings import Happenings

from .world import Ports, has_value, is_free, lines, shown, truth, until, value

INTERVAL_S = 30.0


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    """Set the entry up and wait until everything is shown and the meter's usual answer is known."""
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    await asyncio.sleep(3 * INTERVAL_S)


def ended_by_the_meter(home: SimulatedHome) -> None:
    home.meter.paa.end_session()


def forgotten_by_the_meter(home: SimulatedHome) -> None:
    home.meter.paa.forget_session()


def module_restarted(home: SimulatedHome) -> None:
    home.module.restart()


def unplugged_for_ten_seconds(home: SimulatedHome) -> None:
    home.module.port.unplug()
    asyncio.get_running_loop().call_later(10, home.module.port.plug)


def answer_lost(home: SimulatedHome) -> None:
    home.faults.datagrams_lost = 1


def renewed_late(home: SimulatedHome) -> None:
    home.faults.late_renewals.append(20.0)
    Happenings(home).session_expired()


@pytest.mark.parametrize(
    "lose",
    [
        ended_by_the_meter,
        forgotten_by_the_meter,
        module_restarted,
        unplugged_for_ten_seconds,
        answer_lost,
        renewed_late,
    ],
)
async def test_loss_that_heals_soon_is_neither_told_nor_shown(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    caplog: pytest.LogCaptureFixture,
    lose: Callable[[SimulatedHome], None],
) -> None:
    await set_up(hass, entry)
    states = shown(hass, "power")
    lose(home)
    await asyncio.sleep(GRACE_S + 2 * INTERVAL_S)
    # The power of the house changes by the minute, and not with each.
    await until(lambda: len(states) > 1)
    assert "unavailable" not in states
    assert value(hass, "power") == str(truth(home, 0xE7).power_w)
    assert lines(caplog) == []


def meter_without_mains(home: SimulatedHome) -> Callable[[], None]:
    home.meter.paa.end_session()
    home.meter.pan.powered = False

    def end() -> None:
        home.meter.pan.powered = True

    return end


def meter_silent(home: SimulatedHome) -> Callable[[], None]:
    home.faults.meter_silent = True
    return home.faults.off


def module_mute(home: SimulatedHome) -> Callable[[], None]:
    home.faults.module_mute = True
    return home.faults.off


def port_gone(home: SimulatedHome) -> Callable[[], None]:
    home.module.port.unplug()
    return home.module.port.plug


def transmission_limit(home: SimulatedHome) -> Callable[[], None]:
    home.module.radio.duty_limited = True

    def end() -> None:
        home.module.radio.duty_limited = False

    return end


def meter_refuses(home: SimulatedHome) -> Callable[[], None]:
    home.faults.refused_joins = 100
    home.meter.paa.end_session()
    return home.faults.off


@pytest.mark.parametrize(
    ("lose", "sentence"),
    [
        (meter_without_mains, "The connection to the meter was lost"),
        (meter_silent, "The meter does not answer"),
        (module_mute, "No supported Wi-SUN module answers at this port"),
        (port_gone, "There is no such port"),
        (transmission_limit, "A reading of the meter is a minute late"),
        (meter_refuses, "did not let this module in"),
    ],
)
async def test_loss_is_told_once_and_once_when_it_is_over(
    hass: HomeAssistant,
    home: SimulatedHome,
    entry: BrouteConfigEntry,
    caplog: pytest.LogCaptureFixture,
    *,
    lose: Callable[[SimulatedHome], Callable[[], None]],
    sentence: str,
) -> None:
    await set_up(hass, entry)
    assert lines(caplog) == []
    for turn in range(2):
        end = lose(home)
        after_s = await until(lambda: value(hass, "power") == "unavailable")
        # Not at once, and no old value for longer than a poll and the grace.
        assert GRACE_S - 1 < after_s < INTERVAL_S + GRACE_S + 1
        await asyncio.sleep(1800)
        assert value(hass, "import_energy") == "unavailable"
        told = lines(caplog)
        assert len(told) == 2 * turn + 1, told
        assert sentence in told[-1]

        end()
        await until(lambda: has_value(hass, "power"), limit_s=900)
        await asyncio.sleep(3 * INTERVAL_S)
        assert has_value(hass, "power")
        told = lines(caplog)
        assert len(told) == 2 * turn + 2, told
        assert "The meter is read again" in told[-1]
    # A log that is set to no level of its own shows them all.
    assert lines(caplog, logging.WARNING) == told


async def test_loss_that_changes_its_reason_is_told_once(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up(hass, entry)
    home.meter.paa.end_session()
    home.meter.pan.powered = False
    await until(lambda: value(hass, "power") == "unavailable")
    home.module.port.unplug()
    await asyncio.sleep(600)
    assert len(lines(caplog)) == 1
    # Whoever asks is told the newest reason.
    assert entry.runtime_data.failure == "port_missing"

    home.module.port.plug()
    home.meter.pan.powered = True
    await until(lambda: has_value(hass, "power"), limit_s=900)
    assert len(lines(caplog)) == 2
    assert entry.runtime_data.failure is None


async def test_module_is_used_within_seconds_of_its_return(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.module.port.unplug()
    await asyncio.sleep(7200)
    home.module.port.plug()
    assert await until(lambda: not is_free(home)) < 2.6


async def test_slow_meter_shows_no_old_values(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing has failed yet when the time is over: the first answer took long, so the next one may."""
    home.meter.answer_s = (14.0, 15.0)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "export_energy"))
    home.faults.meter_silent = True
    await until(lambda: value(hass, "power") == "unavailable")
    (line,) = lines(caplog)
    assert "A reading of the meter is a minute late" in line


async def test_late_answer_is_shown_also_where_nothing_has_changed(
    hass: HomeAssistant, ports: Ports, entry: BrouteConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """The time is over in the middle of a poll, which succeeds in the end, and says what the one before has said."""
    home = ports.plug_in(load=ConstantLoad(0))
    home.meter.answer_s = (14.0, 15.0)
    await set_up(hass, entry)
    before = entry.runtime_data.data
    home.faults.requests_lost = 1
    await until(lambda: value(hass, "power") == "unavailable")
    assert home.meter.paa.session
    await until(lambda: has_value(hass, "power"), limit_s=30)
    assert entry.runtime_data.data == before
    assert len(lines(caplog)) == 2
