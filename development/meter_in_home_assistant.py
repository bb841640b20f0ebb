"""A simulated meter in Home Assistant: it is added, and its own log is shown as it should be, by its registers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from .home_assistant import HomeAssistant
from .simulated_meter import SimulatedMeter
from .websocket import Json, RefusedError

DOMAIN = "broute"
DIRECTIONS = ("import", "export")
PERIODS = ("hour", "day", "month")
JST = timezone(timedelta(hours=9))
"""The meter's time, and that of the Home Assistants here."""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FLOW_TIMEOUT_S = 120.0
"""Scanning and joining take a real module half a minute."""
MIDNIGHT_S = 420.0
"""So long whatever reads the log may wait for the meter's midnight, in real time: from 23:55 in Japan (14:55 UTC) on,
until the meter's clock, which shows whole minutes, is certainly past it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What Home Assistant shows for an hour, a day or a month; energies in kWh.

    Attributes:
        start: when it begins.
        end: when it ends, which may be still to come.
        change: the energy in it.
        state: the register at its end, or at the end of the last hour that there is of it.
        sum: the energy since the series began.
    """

    start: datetime
    end: datetime
    change: Decimal
    state: Decimal
    sum: Decimal


type Bars = dict[str, list[Bar]]
"""Those of each period."""


async def add_meter(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter as a user does, and return its entry.

    Raises:
        RefusedError: something else came of it; the message says what.
    """
    step = await home_assistant.start_flow(DOMAIN)
    typed = {"device": meter.port, "id": meter.route_b_id, "password": meter.password}
    step = await home_assistant.configure_flow(step["flow_id"], typed)
    step = await home_assistant.wait_flow_step(step, FLOW_TIMEOUT_S)
    if step["type"] != "create_entry":
        raise RefusedError(f"The meter was not added: {step.get('errors') or step.get('reason')}")
    entry: Json = step["result"]
    return entry


async def entity_of(home_assistant: HomeAssistant, key: str) -> str:
    """Return the entity id of one of the only meter's sensors, once it is there."""

    def found(ids: dict[str, str]) -> list[str]:
        return [entity_id for unique_id, entity_id in ids.items() if unique_id.partition("_")[2] == key]

    (entity_id,) = found(await home_assistant.wait_for_entities(DOMAIN, lambda ids: bool(found(ids))))
    return entity_id


async def log_until(home_assistant: HomeAssistant, timeout_s: float) -> datetime:
    """Wait until the log is complete, as far as Home Assistant knows since its start, and return up to when it is."""
    state = await home_assistant.wait_for_state(await entity_of(home_assistant, "log_until"), is_known, timeout_s)
    # What it was waited for.
    return datetime.fromisoformat((state or {})["state"])


def is_known(state: Json | None) -> bool:
    """Tell whether an entity has a value."""
    return state is not None and state["state"] not in {"unavailable", "unknown"}


async def series_of(home_assistant: HomeAssistant) -> dict[str, Json]:
    """Return what Home Assistant knows of the series of the only meter, by direction; none before they begin."""
    listed = await home_assistant.command("recorder/list_statistic_ids")
    own = [one for one in listed if one["source"] == DOMAIN]
    return {one["statistic_id"].rpartition("_")[2]: one for one in own}


async def shown_bars(home_assistant: HomeAssistant) -> dict[str, Bars]:
    """Return all that Home Assistant shows of each direction, as its frontend asks for it; of one moment."""

    async def read() -> dict[str, Bars]:
        series = await series_of(home_assistant)
        return {
            direction: {period: await _bars(home_assistant, one["statistic_id"], period) for period in PERIODS}
            for direction, one in series.items()
        }

    # An hour may have been added in between.
    shown = await read()
    while shown != (again := await read()):
        shown = again
    return shown


async def _bars(home_assistant: HomeAssistant, statistic_id: str, period: str) -> list[Bar]:
    found = await home_assistant.command(
        "recorder/statistics_during_period",
        start_time=LONG_AGO.isoformat(),
        statistic_ids=[statistic_id],
        period=period,
        units={"energy": "kWh"},
        types=["change", "state", "sum"],
    )
    return [
        Bar(
            datetime.fromtimestamp(row["start"] / 1000, UTC),
            datetime.fromtimestamp(row["end"] / 1000, UTC),
            *(round(Decimal(row[kind]), 4) for kind in ("change", "state", "sum")),
        )
        for row in found.get(statistic_id, ())
    ]


async def true_bars(meter: SimulatedMeter, shown: dict[str, Bars], begin: datetime) -> dict[str, Bars]:
    """Return what must be shown of both directions, by the meter's registers.

    Args:
        meter: one with a control port.
        shown: what is shown; it says up to when.
        begin: the start of the first hour that must be there.
    """
    return {
        direction: await _true_bars(meter, direction, begin, shown[direction]["hour"][-1].end)
        for direction in DIRECTIONS
    }


async def _true_bars(meter: SimulatedMeter, direction: str, begin: datetime, until: datetime) -> Bars:
    spans = {period: list(_spans(period, begin, until)) for period in PERIODS}
    every = {min(max(at, begin), until) for of_period in spans.values() for span in of_period for at in span}
    truths = await meter.truths(sorted(every))
    counters = {at: Decimal(truth[f"{direction}_kwh"]) for at, truth in truths.items()}

    def bar(start: datetime, end: datetime) -> Bar:
        state = counters[min(end, until)]
        return Bar(start, end, state - counters[max(start, begin)], state, state - counters[begin])

    return {period: [bar(*span) for span in of_period] for period, of_period in spans.items()}


def _spans(period: str, begin: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Go through the hours, or the days or months of Home Assistant's time zone, from one instant to another."""
    start = begin.astimezone(JST)
    if period != "hour":
        start = start.replace(hour=0, minute=0)
    if period == "month":
        start = start.replace(day=1)
    while start < until:
        end = start + timedelta(hours=1) if period == "hour" else start + timedelta(days=1)
        while period == "month" and end.day != 1:
            end += timedelta(days=1)
        yield start, end
        start = end


def midnight(at: datetime) -> datetime:
    """Return when the meter's day of an instant began."""
    return at.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
