"""A household that has had its meter in Home Assistant for weeks, and adds it anew.

Below: the processes of `development`. Above: the windows on it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import DIRECTIONS, DOMAIN, JST, add_meter, midnight, series_of, wait_until_read
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

from .screen import translations

LOG_DAYS: Final = 44
"""How far back the log is wanted unless the user chooses otherwise."""
DAYS_TO_IMPORT: Final = 1
"""So many of them, and today, are left to import when the meter is added anew: each takes 15 s at the least."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Household:
    """A Home Assistant and a meter.

    Attributes:
        home_assistant: it.
        meter: it.
        log_begin: when the statistics of the meter's log begin.
    """

    home_assistant: HomeAssistant
    meter: SimulatedMeter
    log_begin: datetime

    async def entry(self) -> Json:
        """Return the config entry of the meter."""
        (entry,) = await self.home_assistant.entries(DOMAIN)
        return entry

    async def entities(self) -> list[Json]:
        """Return the meter's and the module's entities that are not disabled, as they are registered."""
        listed = await self.home_assistant.command("config/entity_registry/list")
        return [entity for entity in listed if entity["platform"] == DOMAIN and entity["disabled_by"] is None]

    async def devices(self) -> dict[str, Json]:
        """Return the devices by what they are: "meter" and "module"."""
        entry_id = (await self.entry())["entry_id"]
        listed = await self.home_assistant.command("config/device_registry/list")
        return {
            "module" if one["via_device_id"] is None else "meter": one
            for one in listed
            if entry_id in one["config_entries"]
        }

    async def blueprints(self) -> dict[str, Json]:
        """Return what Home Assistant knows of our blueprints, by their names without folder and ending."""
        listed = await self.home_assistant.command("blueprint/list", domain="automation")
        return {
            path.removeprefix(f"{DOMAIN}/").removesuffix(".yaml"): known["metadata"]
            for path, known in listed.items()
            if path.startswith(f"{DOMAIN}/")
        }

    async def language(self) -> str:
        """Return the language of the server, which names entities, devices and series."""
        return str((await self.home_assistant.get("/api/config"))["language"])

    async def speak(self, language: str) -> None:
        """Set the language of the server, and set up the meter anew in it."""
        if await self.language() == language:
            return
        await self.home_assistant.command("config/core/update", language=language)
        # Home Assistant now begins to load the texts of its new language; whoever asks for them waits for that.
        await self.home_assistant.texts(DOMAIN, "device", language)
        # As it would be called, had it been added in this language.
        entry = await self.entry() | {"title": translations(language)["title"]}
        await self.home_assistant.command("config_entries/update", entry_id=entry["entry_id"], title=entry["title"])
        await self.home_assistant.reload_entry(entry["entry_id"])
        await wait_until_read(self.home_assistant)
        # The series get their new names with the rows of the next full hour. That is not waited for.
        for direction, known in (await series_of(self.home_assistant)).items():
            await _write_series(self.home_assistant, known["statistic_id"], series_name(entry, direction, language), [])


def series_name(entry: Json, direction: str, language: str) -> str:
    """Return what a series of the meter's log is called."""
    name: str = translations(language)["common"][f"log_{direction}"]
    return name.format(name=entry["title"])


async def with_a_past(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Household:
    """Return a household that has removed its meter, and whose statistics of it end some days ago.

    An import of all of the log would take a quarter of an hour. So its first weeks are put in as a restored backup
    would have them: by the meter's registers, under the name that Home Assistant gives to the series of this meter.
    """
    begin = midnight(datetime.now(JST)) - timedelta(days=LOG_DAYS)
    household = Household(home_assistant, meter, begin)
    hours = (LOG_DAYS - DAYS_TO_IMPORT) * 24
    entry = await add_meter(home_assistant, meter)
    (token,) = {unique_id.partition("_")[0] for unique_id in await home_assistant.entity_ids(DOMAIN)}
    await home_assistant.delete_entry(entry["entry_id"])

    language = await household.language()
    truths = await meter.truths(begin + HOUR * number for number in range(hours + 1))
    for direction in DIRECTIONS:
        counters = {at: Decimal(truth[f"{direction}_kwh"]) for at, truth in truths.items()}
        rows = [
            {"start": start.isoformat(), "state": float(counters[end]), "sum": float(counters[end] - counters[begin])}
            for start, end in pairwise(counters)
        ]
        name = series_name(entry, direction, language)
        await _write_series(home_assistant, f"{DOMAIN}:{token}_{direction}", name, rows)
    return household


async def _write_series(home_assistant: HomeAssistant, statistic_id: str, name: str, rows: list[Json]) -> None:
    metadata = {
        "has_sum": True,
        "mean_type": 0,
        "name": name,
        "source": DOMAIN,
        "statistic_id": statistic_id,
        "unit_class": "energy",
        "unit_of_measurement": "kWh",
    }
    await home_assistant.command("recorder/import_statistics", metadata=metadata, stats=rows)
