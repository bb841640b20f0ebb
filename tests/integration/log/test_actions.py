"""The actions: reading the log into the statistics once more, and for the caller."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.recorder import get_instance
import pytest

from custom_components.broute.const import CONF_HISTORY_DAYS, DOMAIN
from custom_components.broute.coordinator import BrouteConfigEntry
from simulator import JST, SimulatedHome

from ..world import TOKEN, UNIQUE_ID, Ports, add_entry, has_value, until
from .recorder import queue_done
from .rows import assert_exact, changes, counter, missing, sleep_until, truth

HALF_HOUR = timedelta(minutes=30)


@pytest.fixture
def entry(hass: HomeAssistant, entry: BrouteConfigEntry) -> BrouteConfigEntry:
    """Return an entry that reads the meter seldom, and whose log is short."""
    hass.config_entries.async_update_entry(entry, options={CONF_SCAN_INTERVAL: 600, CONF_HISTORY_DAYS: 1})
    return entry


async def call(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Call an action, and return its response."""
    response = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert isinstance(response, dict)
    return response


async def set_up(hass: HomeAssistant, entry: BrouteConfigEntry) -> None:
    await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: has_value(hass, "log_until"))


async def test_more_days_are_imported_behind_those_that_are_there(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    before = await changes(hass, "import")
    response = await call(hass, "import_history", days=5)
    assert response["days_read"] == [f"2026-11-{day}" for day in range(16, 22)]
    after = await changes(hass, "import")
    assert len(after) == len(before) + 4 * 24
    assert response["hours_written"] == {"import": len(after), "export": len(after)}
    assert not any(response["gaps"].values())
    for direction in ("import", "export"):
        found = await changes(hass, direction)
        assert found == truth(home, found, direction)
        assert not missing(found)

    # The same once more changes nothing.
    response = await call(hass, "import_history", days=5)
    assert not response["hours_written"]
    assert await changes(hass, "import") == after


async def test_rows_that_were_lost_are_written_again(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    before = await changes(hass, "import")
    get_instance(hass).async_clear_statistics([f"{DOMAIN}:{TOKEN}_import"])
    await queue_done(hass)
    response = await call(hass, "import_history", days=1)
    assert response["hours_written"] == {"import": len(before)}
    assert await changes(hass, "import") == before


async def test_half_hours_are_returned(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    start, end = datetime(2026, 11, 19, 23, 0, tzinfo=JST), datetime(2026, 11, 20, 1, 0, tzinfo=JST)
    response = await call(hass, "get_history", **{"from": start, "to": end})
    half_hours = response["half_hours"]
    assert [one["start"] for one in half_hours] == [(start + HALF_HOUR * number).isoformat() for number in range(4)]
    for one in half_hours:
        at = datetime.fromisoformat(one["start"])
        for direction in ("import", "export"):
            assert one[f"{direction}_counter_kwh"] == float(counter(home, at, direction))
            rise = counter(home, at + HALF_HOUR, direction) - counter(home, at, direction)
            assert one[f"{direction}_kwh"] == float(rise)


async def test_half_hour_that_is_not_over_has_no_energy_yet(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    response = await call(hass, "get_history", **{"from": home.clock.now() - HALF_HOUR * 2})
    last = response["half_hours"][-1]
    assert last["import_kwh"] is None
    assert last["import_counter_kwh"] == float(counter(home, datetime.fromisoformat(last["start"]), "import"))


async def test_times_without_a_zone_are_those_of_home_assistant(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await hass.config.async_set_time_zone("Asia/Kolkata")
    await set_up(hass, entry)
    response = await call(hass, "get_history", **{"from": "2026-11-20 12:00:00", "to": "2026-11-20 12:30:00"})
    assert [one["start"] for one in response["half_hours"]] == ["2026-11-20T15:30:00+09:00"]


# Over the meter's midnight, in which its log is not read.


@pytest.mark.parametrize(("minute", "days_back"), [(50, 0), (54, 1), (55, 1), (58, 0), (59, 1)])
async def test_half_hours_that_are_asked_for_before_midnight_are_those_that_were_meant(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, minute: int, days_back: int
) -> None:
    await set_up(hass, entry)
    await sleep_until(home, datetime(2026, 11, 21, 23, minute, 30, tzinfo=JST))
    start = datetime(2026, 11, 21, 10, 0, tzinfo=JST) - timedelta(days=days_back)
    response = await call(hass, "get_history", **{"from": start, "to": start + 4 * HALF_HOUR})
    assert [one["start"] for one in response["half_hours"]] == [
        (start + HALF_HOUR * number).isoformat() for number in range(4)
    ]
    for one in response["half_hours"]:
        assert one["import_counter_kwh"] == float(counter(home, datetime.fromisoformat(one["start"]), "import"))


async def test_half_hours_up_to_now_go_over_midnight(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    await sleep_until(home, datetime(2026, 11, 21, 23, 57, tzinfo=JST))
    response = await call(hass, "get_history", **{"from": datetime(2026, 11, 21, 22, 0, tzinfo=JST)})
    assert [one["start"][11:16] for one in response["half_hours"]] == ["22:00", "22:30", "23:00", "23:30"]
    assert [one["import_kwh"] is None for one in response["half_hours"]] == [False, False, False, False]


@pytest.mark.parametrize(("hour", "minute", "days"), [(23, 50, 44), (23, 57, 3), (23, 47, 98), (23, 58, 99)])
async def test_import_goes_on_after_midnight(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, *, hour: int, minute: int, days: int
) -> None:
    await set_up(hass, entry)
    await sleep_until(home, datetime(2026, 11, 21, hour, minute, tzinfo=JST))
    response = await call(hass, "import_history", days=days)
    assert home.clock.now().date() == datetime(2026, 11, 22, tzinfo=JST).date()
    assert response["hours_written"]
    await assert_exact(hass, home)
    kept = min(days, 43)
    assert min(await changes(hass, "import")) <= datetime(2026, 11, 21, tzinfo=JST) - timedelta(days=kept)


@pytest.mark.parametrize(
    "times",
    [
        {"from": "2026-11-21 12:00", "to": "2026-11-21 11:00"},
        {"from": "2026-01-01 00:00"},
        {"from": "2027-01-01 00:00"},
    ],
)
async def test_times_that_make_no_sense_are_refused(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, times: dict[str, str]
) -> None:
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "get_history", **times)
    assert refused.value.translation_key == "no_such_time"


async def test_the_meter_has_to_be_named_where_there_are_several(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry, ports: Ports
) -> None:
    await set_up(hass, entry)
    ports.plug_in("/dev/ttyUSB1")
    other = add_entry(hass, UNIQUE_ID[::-1], "/dev/ttyUSB1")
    await hass.config_entries.async_setup(other.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "get_history", **{"from": home.clock.now() - HALF_HOUR})
    assert refused.value.translation_key == "which_meter"
    assert await call(hass, "get_history", config_entry_id=entry.entry_id, **{"from": home.clock.now() - HALF_HOUR})
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "import_history", config_entry_id="nonsense")
    assert refused.value.translation_key == "no_such_meter"
    for each in (entry, other):
        await hass.config_entries.async_unload(each.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "import_history")
    assert refused.value.translation_key == "no_such_meter"


async def test_what_fails_is_told(hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry) -> None:
    await set_up(hass, entry)
    home.meter.clock_offset = timedelta(hours=1)
    entry.runtime_data.log.clock.doubt()
    with pytest.raises(HomeAssistantError) as failed:
        await call(hass, "import_history", days=1)
    assert failed.value.translation_key == "clock_not_right"
    home.faults.meter_silent = True
    with pytest.raises(HomeAssistantError) as failed:
        await call(hass, "get_history", **{"from": home.clock.now() - HALF_HOUR})
    assert failed.value.translation_key in {"no_answer", "session_lost"}


async def test_recorder_that_is_not_ready_is_told(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    get_instance(hass).async_recorder_ready.clear()
    with pytest.raises(HomeAssistantError) as failed:
        await call(hass, "import_history", days=1)
    assert failed.value.translation_key == "recorder_not_there"


async def test_day_that_is_refused_once_is_asked_for_once_more(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    home.faults.replaced_values = {"E2": deque([""])}
    start = datetime(2026, 11, 20, 10, 0, tzinfo=JST)
    response = await call(hass, "get_history", **{"from": start, "to": start + HALF_HOUR})
    assert len(response["half_hours"]) == 1


async def test_day_that_the_meter_does_not_have_is_left_out(
    hass: HomeAssistant, home: SimulatedHome, entry: BrouteConfigEntry
) -> None:
    await set_up(hass, entry)
    write = home.meter.object.write
    home.meter.object.write = lambda epc, edt: edt != b"\x01" and write(epc, edt)  # type: ignore[method-assign]
    response = await call(
        hass,
        "get_history",
        **{"from": datetime(2026, 11, 19, 23, 0, tzinfo=JST), "to": datetime(2026, 11, 21, 1, 0, tzinfo=JST)},
    )
    assert [one["start"][:16] for one in response["half_hours"]] == [
        *("2026-11-19T23:00", "2026-11-19T23:30"),
        *("2026-11-21T00:00", "2026-11-21T00:30"),
    ]
    assert [one["import_kwh"] is None for one in response["half_hours"]] == [False, True, False, False]
