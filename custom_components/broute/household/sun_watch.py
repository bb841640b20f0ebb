"""Follows the power of the house: with each reading, and with what the entities of sun and battery have reported.

Above: the entities. Below: the rules in `balance`, and Home Assistant's states. Nothing is stored, and nothing is shown
of another instant than the reading: what an entity reports between two readings waits for the next one.
"""

from math import isfinite
from typing import Final, override

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfPower
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    EventStateReportedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event
from homeassistant.helpers.sun import is_up
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import PowerConverter

from ..aiobroute import Reading
from .balance import Balance, balance_of, sun_of
from .sources import BatterySign, Sources
from .trace import Trace
from .watch import Watch

_SIGNS: Final = {BatterySign.DISCHARGING: 1, BatterySign.CHARGING: -1}


class SunWatch(Watch):
    """Follows the power of the house.

    Args:
        hass: Home Assistant.
        sources: which entities tell of sun and battery.
    """

    def __init__(self, hass: HomeAssistant, sources: Sources) -> None:
        """Know nothing yet."""
        super().__init__()
        self.balance: Balance | None = None
        """What is known of the instant of the latest reading; `None`: something of it is not."""
        self.sources = sources
        self._hass = hass
        self._traces: dict[str, Trace] = {source: Trace() for source in sources.powers}
        """What each entity has reported, by what the options name it."""
        self._names: dict[str, str] = {}
        """What the options name an entity, by what it is called at present."""
        self._following: list[CALLBACK_TYPE] = []

    @callback
    def async_start(self) -> None:
        """Begin to follow the entities."""
        if self._traces:
            self._unsubscribe.append(self._hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._take_registry))
            self._follow()

    @callback
    def async_take(self, reading: Reading, asked_s: float) -> None:
        """Take a reading that has just come, and was asked for at an instant of the event loop's clock.

        The meter has measured at some time in between.
        """
        if not self._traces:
            return
        self.balance = self._balance(reading.power_w, (asked_s + self._hass.loop.time()) / 2)
        self.async_tell()

    @callback
    @override
    def async_stop(self) -> None:
        """Follow nothing more."""
        self._unfollow()
        super().async_stop()

    # What the entities report.

    def _called(self) -> dict[str, str]:
        """Return what the options name each entity that there is, by what it is called now."""
        registry = er.async_get(self._hass)
        found = {er.async_resolve_entity_id(registry, source): source for source in self._traces}
        return {entity_id: source for entity_id, source in found.items() if entity_id}

    @callback
    def _take_registry(self, _: Event[er.EventEntityRegistryUpdatedData]) -> None:
        """Follow an entity that was renamed, and none that was removed."""
        if self._called() != self._names:
            self._unfollow()
            self._follow()

    @callback
    def _follow(self) -> None:
        before, self._names = self._names, self._called()
        for source in self._traces.keys() - self._names.values():
            self._take(source, None)
        for entity_id in self._names.keys() - before.keys():
            # It may have reported long before it is followed.
            state = self._hass.states.get(entity_id)
            ago_s = (dt_util.utcnow() - state.last_reported).total_seconds() if state else 0.0
            self._take(self._names[entity_id], state, max(ago_s, 0.0))
        self._following = [
            async_track_state_change_event(self._hass, self._names, self._take_event),
            async_track_state_report_event(self._hass, self._names, self._take_event),
        ]

    @callback
    def _unfollow(self) -> None:
        while self._following:
            self._following.pop()()

    @callback
    def _take_event(self, event: Event[EventStateChangedData] | Event[EventStateReportedData]) -> None:
        self._take(self._names[event.data["entity_id"]], event.data["new_state"])

    def _take(self, source: str, state: State | None, ago_s: float = 0.0) -> None:
        self._traces[source].take(self._hass.loop.time() - ago_s, _watts(state) if state else None)

    # What follows from them.

    def _balance(self, grid_w: int | None, at_s: float) -> Balance | None:
        is_night = not is_up(self._hass)
        sun_w = sun_of([self._power(source, at_s, may_rest=is_night) for source in self.sources.pv_power])
        batteries_w = [self._power(source, at_s) for source in self.sources.battery_power]
        if grid_w is None or sun_w is None or None in batteries_w:
            return None
        battery_w = sum(power for power in batteries_w if power is not None)
        return balance_of(grid_w, sun_w, battery_w * _SIGNS[self.sources.battery_sign])

    def _power(self, source: str, at_s: float, *, may_rest: bool = False) -> float | None:
        return self._traces[source].at(at_s, self.sources.max_age_s, may_rest=may_rest)


def _watts(state: State) -> float | None:
    """Return the power that a state tells, in W; `None`: it tells none."""
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    try:
        value = float(state.state)
    except ValueError:
        return None
    if not isfinite(value) or unit not in PowerConverter.VALID_UNITS:
        return None
    return PowerConverter.convert(value, unit, UnitOfPower.WATT)
