"""What somebody who looks after the link can read out to the utility, or send to whoever has installed it.

Above: the action. Nothing in it tells whose meter it is: what is in it is chosen line by line.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .aiobroute import Outage
from .const import DOMAIN
from .coordinator import NO_READING, BrouteCoordinator
from .devices import MODULE_MODELS
from .household.link_record import Hour
from .manufacturers import MANUFACTURERS


async def async_report(hass: HomeAssistant, coordinator: BrouteCoordinator) -> str:
    """Return the report, in the language of Home Assistant."""
    language = hass.config.language
    texts = {
        **await async_get_translations(hass, language, "common", [DOMAIN]),
        **await async_get_translations(hass, language, "exceptions", [DOMAIN]),
    }
    return "\n".join(_Report(hass, coordinator, texts).lines())


class _Report:
    """The lines of one report."""

    def __init__(self, hass: HomeAssistant, coordinator: BrouteCoordinator, texts: dict[str, str]) -> None:
        """Take what is to be told of, and the words for it."""
        self._hass = hass
        self._coordinator = coordinator
        self._texts = texts

    def lines(self) -> Iterator[str]:
        """Yield them."""
        coordinator, meter = self._coordinator, self._coordinator.meter
        yield self._line("title", at=_local(dt_util.utcnow()))
        if module := meter.module:
            firmware = module.application_version or "-"
            yield self._line("module", model=MODULE_MODELS[module.dialect], version=module.version, firmware=firmware)
        else:
            yield self._line("no_module")
        if constants := meter.constants:
            manufacturer = MANUFACTURERS.get(constants.manufacturer_code or 0) or "-"
            yield self._line("meter", manufacturer=manufacturer, version=constants.standard_version or "-")
        if coordinator.has_session:
            yield self._line("connected")
        else:
            reason = self._texts[f"component.{DOMAIN}.exceptions.{coordinator.failure or NO_READING}.message"]
            yield self._line("not_connected", reason=reason)
        if meter.outage:
            yield from self._outage(meter.outage)
        yield from self._counts()
        if hours := coordinator.link_record.hours:
            yield self._line("hours")
            yield from map(self._hour, hours)
        if meter.journal:
            yield self._line("events")
            for event in meter.journal:
                repeated = f" (× {event.times})" if event.times > 1 else ""
                yield f"- {self._wall(event.at_s)} {event.what}{repeated}"

    def _outage(self, outage: Outage) -> Iterator[str]:
        yield self._line(
            "outage",
            since=self._wall(outage.since_s),
            attempts=outage.attempts,
            searches=outage.searches_in_vain,
            refusals=outage.refusals,
        )
        if outage.heard_dbm is not None:
            yield self._line("heard", signal=round(outage.heard_dbm))

    def _counts(self) -> Iterator[str]:
        statistics = self._coordinator.meter.statistics
        yield self._line(
            "answers",
            answers=statistics.answers,
            requests=statistics.requests,
            unanswered=statistics.unanswered,
            spoilt=statistics.spoilt,
            not_sent=statistics.not_sent,
        )
        yield self._line(
            "sessions",
            sessions=statistics.sessions,
            attempts=statistics.attempts,
            scans=statistics.scans,
            joins=statistics.joins,
        )
        if statistics.losses:
            losses = ", ".join(f"{cause} {times}" for cause, times in statistics.losses.items())
            yield self._line("losses", losses=losses)

    def _hour(self, hour: Hour) -> str:
        start, answers, requests = _local(hour.start), hour.answers, hour.requests
        if hour.mean_dbm is None or hour.weakest_dbm is None or hour.strongest_dbm is None:
            return self._line("hour_without_signal", start=start, answers=answers, requests=requests)
        return self._line(
            "hour",
            start=start,
            answers=answers,
            requests=requests,
            mean=round(hour.mean_dbm),
            weakest=round(hour.weakest_dbm),
            strongest=round(hour.strongest_dbm),
        )

    def _line(self, name: str, **values: object) -> str:
        return self._texts[f"component.{DOMAIN}.common.report_{name}"].format(**values)

    def _wall(self, at_s: float) -> str:
        """Return an instant of the event loop's clock as a time."""
        return _local(dt_util.utcnow() - timedelta(seconds=self._hass.loop.time() - at_s))


def _local(at: datetime) -> str:
    return dt_util.as_local(at).strftime("%Y-%m-%d %H:%M:%S")
