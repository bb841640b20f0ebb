"""What has happened, as whoever wants to be told of it needs it: each change once: pure.

Above: the event entity, which says how things are. What keeps false alarms away has been done before: what is handed in
here has been confirmed, each by its own rules.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Final


class Event(StrEnum):
    """What is told, named as in the translations."""

    LINK_LOST = "link_lost"
    LINK_RESTORED = "link_restored"
    METER_FAULT = "meter_fault"
    METER_FAULT_OVER = "meter_fault_over"
    CLOCK_WRONG = "clock_wrong"
    CLOCK_RIGHT = "clock_right"
    METER_REPLACED = "meter_replaced"
    CONTRACT_EXCEEDED = "contract_exceeded"
    CONTRACT_KEPT = "contract_kept"
    DEMAND_EXCEEDED = "demand_exceeded"
    DEMAND_KEPT = "demand_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How things are. `None`: that is not known now, or not yet.

    Attributes:
        link_lost: whether the meter is not read any more.
        meter_fault: whether the meter says that it has a fault.
        clock_wrong: whether the meter's clock is wrong.
        contract_exceeded: whether more is taken than the limit of the supply allows.
        demand_exceeded: whether the demand of this half hour will be above the target.
        replaced_at: when the meter was replaced the last time.
    """

    link_lost: bool | None = None
    meter_fault: bool | None = None
    clock_wrong: bool | None = None
    contract_exceeded: bool | None = None
    demand_exceeded: bool | None = None
    replaced_at: datetime | None = None


_BEGIN_AND_END: Final = {
    "link_lost": (Event.LINK_LOST, Event.LINK_RESTORED),
    "meter_fault": (Event.METER_FAULT, Event.METER_FAULT_OVER),
    "clock_wrong": (Event.CLOCK_WRONG, Event.CLOCK_RIGHT),
    "contract_exceeded": (Event.CONTRACT_EXCEEDED, Event.CONTRACT_KEPT),
    "demand_exceeded": (Event.DEMAND_EXCEEDED, Event.DEMAND_KEPT),
}
"""What is told when one of the circumstances begins, and when it ends."""


def changes(known: Circumstances, now: Circumstances) -> tuple[list[Event], Circumstances]:
    """Return what has happened since then, and what is known from now on.

    What is as it should be when it is first known is no news. What is not known now is taken to be as it was.
    """
    events = []
    for name, (begin, end) in _BEGIN_AND_END.items():
        before, after = getattr(known, name), getattr(now, name)
        if after is not None and after is not bool(before):
            events.append(begin if after else end)
    if now.replaced_at is not None and now.replaced_at != known.replaced_at:
        events.append(Event.METER_REPLACED)
    told = {field.name: getattr(now, field.name) for field in fields(now)}
    return events, replace(known, **{name: value for name, value in told.items() if value is not None})
