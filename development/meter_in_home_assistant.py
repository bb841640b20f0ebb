"""A simulated meter in Home Assistant: added, read and complained of; its own log as it should be, by its registers."""

from collections.abc import Callable, Iterator
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
SPEED = "20"
"""Of a simulated meter: so many times as fast as a real one. What the client itself waits is not made shorter by it."""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FLOW_TIMEOUT_S = 120.0
"""Scanning and joining take a real module half a minute."""
MIDNIGHT_S = 420.0
"""So long whatever reads the log may wait for the meter's midnight, in real time: from 23:55 in Japan (14:55 UTC) on,
until the meter's clock, which shows whole minutes, is certainly past it."""
READ_TIMEOUT_S = 120.0
LANGUAGES = ("en", "ja")
OUTAGE_LINES = ("Error requesting B-Route Smart Meter data: ", "B-Route Smart Meter: The meter is read again")
"""The two lines of an outage in the log; the first goes on with the reason."""


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


def is_gone(state: Json | None) -> bool:
    """Tell whether an entity is disabled: the newest version removes its state, the oldest keeps it as unavailable."""
    return state is None or state["state"] == "unavailable"


def is_shown(value: str) -> Callable[[Json | None], bool]:
    """Return what tells whether an entity has this value."""
    return lambda state: state is not None and state["state"] == value


async def wait_until_read(home_assistant: HomeAssistant) -> None:
    """Wait until the only meter is joined and read."""
    await home_assistant.wait_for_state(
        await entity_of(home_assistant, "link_state"), is_shown("joined"), READ_TIMEOUT_S
    )
    await home_assistant.wait_for_state(await entity_of(home_assistant, "power"), is_known, READ_TIMEOUT_S)


async def wait_for_no_issue(home_assistant: HomeAssistant) -> None:
    """Wait until nothing is told of the meter."""
    await home_assistant.wait_for_issues(DOMAIN, lambda issues: not issues, READ_TIMEOUT_S)


async def only_issue(home_assistant: HomeAssistant, text: str, timeout_s: float) -> Json:
    """Wait until one issue alone is told, with the text of this key, and return it."""

    def is_told(issues: list[Json]) -> bool:
        return [issue["translation_key"] for issue in issues] == [text]

    (issue,) = await home_assistant.wait_for_issues(DOMAIN, is_told, timeout_s)
    return issue


async def issue_texts(home_assistant: HomeAssistant, issue: Json) -> dict[str, str]:
    """Return the title and the description of an issue without a flow as its reader sees them, by language.

    Home Assistant shows the English text where the Japanese one is missing.

    Raises:
        KeyError: there is no such text, or a value in it is missing.
    """
    shown = {}
    for language in LANGUAGES:
        texts = await home_assistant.texts(DOMAIN, "issues", language)
        whole = "\n".join(texts[f"{issue['translation_key']}.{part}"] for part in ("title", "description"))
        shown[language] = whole.format(**issue["translation_placeholders"])
    return shown


def complaints_beside_outages(home_assistant: HomeAssistant) -> list[str]:
    """Return the complaints in the log but for the two lines of each outage."""
    return [line for line in home_assistant.complaints() if not any(words in line for words in OUTAGE_LINES)]


async def put_on_energy_dashboard(
    home_assistant: HomeAssistant, *, energy_from: str, energy_to: str, power: str
) -> list[Json]:
    """Make these statistics the grid of the Energy dashboard, and return what it has to complain about."""
    grid = {
        "type": "grid",
        "stat_energy_from": energy_from,
        "stat_energy_to": energy_to,
        "stat_rate": power,
        "stat_cost": None,
        "entity_energy_price": None,
        "number_energy_price": None,
        "stat_compensation": None,
        "entity_energy_price_export": None,
        "number_energy_price_export": None,
        "cost_adjustment_day": 0,
    }
    await home_assistant.save_energy_preferences({"energy_sources": [grid]})
    complaints: list[Json]
    (complaints,) = (await home_assistant.validate_energy())["energy_sources"]
    return complaints


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
