"""The meter's own log in a real Home Assistant: in the statistics, in the Energy dashboard, and by the actions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
import json

import pytest
import pytest_asyncio

from development.config import INTEGRATION
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DIRECTIONS,
    DOMAIN,
    JST,
    MIDNIGHT_S,
    PERIODS,
    add_meter,
    entity_of,
    log_until,
    midnight,
    put_on_energy_dashboard,
    series_of,
    shown_bars,
    true_bars,
)
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = 1
"""So far back the log is imported here: with today these are two days of it."""
IMPORT_TIMEOUT_S = 180.0 + MIDNIGHT_S
LATENESS = timedelta(minutes=7)
"""An hour has its row when it is over for so long: the notice may take five minutes, and is asked for then."""

HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Added:
    """A meter whose log was imported: when it was added, its config entry, and from when to when its log is there."""

    at: datetime
    entry: Json
    begin: datetime
    until: datetime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def added(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Added:
    """Add the meter, for all tests of the module, and wait for its log."""
    entry = await add_meter(home_assistant, meter)
    at = datetime.now(JST)
    # Long before anything of the log is read.
    await home_assistant.set_options(entry["entry_id"], {"scan_interval": 30, "history_days": DAYS})
    until = await log_until(home_assistant, IMPORT_TIMEOUT_S)
    begin = (await shown_bars(home_assistant))["import"]["hour"][0].start
    # The meter's midnight may have come meanwhile.
    assert begin in {midnight(when) - DAY * DAYS for when in (at, datetime.now(JST))}
    return Added(at, entry, begin, until)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("period", PERIODS)
async def test_bars_are_what_the_meter_counted(
    home_assistant: HomeAssistant, meter: SimulatedMeter, added: Added, period: str, direction: str
) -> None:
    shown = await shown_bars(home_assistant)
    assert shown[direction][period] == (await true_bars(meter, shown, added.begin))[direction][period]
    assert shown[direction][period][-1].end >= added.until


async def test_log_is_there_up_to_the_last_full_hour(added: Added) -> None:
    assert added.until >= (added.at - LATENESS).replace(minute=0, second=0, microsecond=0)


async def test_series_are_energies_with_a_name(home_assistant: HomeAssistant, added: Added) -> None:
    texts = json.loads((INTEGRATION / "translations" / "en.json").read_text())["common"]
    series = await series_of(home_assistant)
    assert series.keys() == set(DIRECTIONS)
    for direction, known in series.items():
        assert {key: known[key] for key in ("has_sum", "unit_class", "statistics_unit_of_measurement", "name")} == {
            "has_sum": True,
            "unit_class": "energy",
            "statistics_unit_of_measurement": "kWh",
            "name": texts[f"log_{direction}"].format(name=added.entry["title"]),
        }


@pytest.mark.usefixtures("added")
async def test_half_hours_are_told(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    start = midnight(datetime.now(JST)) - DAY + timedelta(hours=10)
    times = [start + HALF_HOUR * number for number in range(7)]
    response = await home_assistant.call_action(
        DOMAIN, "get_history", IMPORT_TIMEOUT_S, **{"from": times[0].isoformat(), "to": times[-1].isoformat()}
    )
    truths = await meter.truths(times)

    def counter(at: datetime, direction: str) -> Decimal:
        return Decimal(truths[at][f"{direction}_kwh"])

    told = response["half_hours"]
    assert [datetime.fromisoformat(half_hour["start"]) for half_hour in told] == times[:-1]
    for half_hour, at in zip(told, times, strict=False):
        for direction in DIRECTIONS:
            now, then = counter(at, direction), counter(at + HALF_HOUR, direction)
            assert half_hour[f"{direction}_counter_kwh"] == float(now)
            assert half_hour[f"{direction}_kwh"] == float(then - now)


async def test_import_once_more_finds_nothing_to_write(
    home_assistant: HomeAssistant, meter: SimulatedMeter, added: Added
) -> None:
    before = await shown_bars(home_assistant)
    today = midnight(datetime.now(JST)).date()
    response = await home_assistant.call_action(DOMAIN, "import_history", IMPORT_TIMEOUT_S, days=DAYS)
    # Where the meter's midnight comes in between, there is one more.
    assert response["days_read"][:2] == [(today - DAY).isoformat(), today.isoformat()]
    assert response["gaps"] == {"import": [], "export": []}

    after = await shown_bars(home_assistant)
    assert after == await true_bars(meter, after, added.begin)
    for direction in DIRECTIONS:
        # Nothing, unless an hour has ended meanwhile.
        new_hours = len(after[direction]["hour"]) - len(before[direction]["hour"])
        assert response["hours_written"].get(direction, 0) <= new_hours


@pytest.mark.usefixtures("added")
async def test_energy_dashboard_takes_the_log(home_assistant: HomeAssistant) -> None:
    series = await series_of(home_assistant)
    power = await entity_of(home_assistant, "power")
    complaints = await put_on_energy_dashboard(
        home_assistant,
        energy_from=series["import"]["statistic_id"],
        energy_to=series["export"]["statistic_id"],
        power=power,
    )
    # The statistics of the sensor, and only those, are first compiled up to five minutes after its first state.
    not_yet = {"type": "statistics_not_defined", "affected_entities": [[power, None]]}
    assert [complaint for complaint in complaints if not complaint.items() >= not_yet.items()] == []

    own = {known["statistic_id"] for known in series.values()}
    assert own.isdisjoint(await home_assistant.command("recorder/validate_statistics"))


@pytest.mark.usefixtures("added")
async def test_log_of_home_assistant_has_no_complaint_and_no_secret(
    home_assistant: HomeAssistant, meter: SimulatedMeter
) -> None:
    assert await home_assistant.stop() == 0
    assert home_assistant.complaints() == []

    log = "\n".join(home_assistant.log_lines())
    assert "days of the meter's log were read" in log
    assert meter.secrets_in(log) == []
