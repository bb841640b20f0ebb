"""The event entity: what happened to the meter, its link, limit and target, for whoever wants to be told."""

from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BrouteConfigEntry, BrouteCoordinator
from .entity import MeterEntity
from .household.events import Circumstances, Event, changes

PARALLEL_UPDATES = 0

HAPPENINGS: Final = EventEntityDescription(
    key="events", translation_key="events", event_types=[event.value for event in Event]
)
EVENTS: Final = (HAPPENINGS,)


async def async_setup_entry(
    hass: HomeAssistant, entry: BrouteConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add it."""
    async_add_entities([HappeningsEvent(entry.runtime_data, HAPPENINGS)])


class HappeningsEvent(MeterEntity, EventEntity):
    """What happened last. It is there also while the meter is not: that is one of the things to be told."""

    def __init__(self, coordinator: BrouteCoordinator, description: EventEntityDescription) -> None:
        """Begin with what was known before the start: it was told then."""
        super().__init__(coordinator, description)
        ledger = coordinator.log.ledger
        exchange = ledger.exchange
        self._known = Circumstances(
            clock_wrong=ledger.clock_is_wrong, replaced_at=exchange.before if exchange else None
        )

    @property
    @override
    def available(self) -> bool:
        """Always."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the readings, the demand, and the link, also where there is no reading."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.link.async_add_listener(self._look))
        self.async_on_remove(self.coordinator.demand.async_add_listener(self._look))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._look()

    @callback
    def _look(self) -> None:
        """Tell what is new."""
        events, self._known = changes(self._known, self._circumstances())
        for event in events:
            self._trigger_event(event, {"reason": self.coordinator.failure} if event is Event.LINK_LOST else None)
            self.async_write_ha_state()

    def _circumstances(self) -> Circumstances:
        coordinator = self.coordinator
        status, exchange = coordinator.meter.status, coordinator.log.ledger.exchange
        return Circumstances(
            # A link that there was not yet is not lost.
            link_lost=None if coordinator.data is None else coordinator.is_overdue,
            meter_fault=status.faulty if status else None,
            clock_wrong=coordinator.log.clock.is_wrong,
            contract_exceeded=coordinator.excess.is_over,
            demand_exceeded=coordinator.demand.target.is_exceeded if coordinator.demand.target else None,
            replaced_at=exchange.before if exchange else None,
        )
