"""What the meter announces of its own accord: the instance list, EA and EB each half hour, changes of status.

Between the meter, which sends, and the meter object, which has the values.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from .air import Air
from .clock import Timers
from .echonet import CONTROLLER_EOJ, NODE_PROFILE_EOJ, Esv, Frame, Property
from .properties import HALF_HOUR, MeterObject, NodeProfile

INSTANCE_LIST_S = (5.0, 7.0)
"""From PANA success to the instance list, as captured."""
NOTICE_S = (20.0, 60.0)
"""From the half hour to the notice of EA and EB; AIF 3.2.1 allows 5 minutes."""
INFC_REPEAT_S = 20.0
"""An INFC without INFC_Res is repeated once after this: response timer 1 (AIF 2.4.2)."""
INSTANCE_LIST_TID = 0
RESPONSES_KEPT = 256


class Notices:
    """The announcements of one meter while a controller is joined.

    Args:
        air: the time.
        meter: the object 028801.
        profile: the node profile.
        send: sends a frame to the controller.
        send_to_all: sends a frame to all nodes.

    Attributes:
        notice_s: range of the time from the half hour to the notice, s of the wall clock.
        confirmed: announce by INFC, which wants INFC_Res, in place of INF.
        confirmations: the INFC_Res frames received.
    """

    def __init__(
        self,
        air: Air,
        meter: MeterObject,
        profile: NodeProfile,
        *,
        send: Callable[[Frame], object],
        send_to_all: Callable[[Frame], object],
    ) -> None:
        self.notice_s = NOTICE_S
        self.confirmed = False
        self.confirmations: deque[Frame] = deque(maxlen=RESPONSES_KEPT)
        self._air = air
        self._meter = meter
        self._profile = profile
        self._send = send
        self._send_to_all = send_to_all
        self._random = air.random("instance list")
        self._timers = Timers(air.clock)
        self._next = Timers(air.clock)
        self._tid = 0

    def begin(self, *, new_session: bool) -> None:
        """Begin to announce: a new session brings the instance list first."""
        if new_session:
            self._timers.after(self._random.uniform(*INSTANCE_LIST_S), self._announce_instances)
        self.schedule()

    def end(self) -> None:
        """Stop announcing."""
        self._timers.cancel()
        self._next.cancel()

    def schedule(self) -> None:
        """Set the timer of the next notice of EA and EB: that of the last half hour if it is still to come."""
        now = self._meter.now
        fixed = self._meter.fixed_time(now)
        due = self._due(fixed)
        due = due if due > now else self._due(fixed + HALF_HOUR)
        self._next.cancel()
        self._next.at(due - self._meter.clock_offset, self._announce_fixed_time)

    def announce(self, *epcs: int) -> None:
        """Send the current values of the meter object to the controller."""
        self._tid = self._tid % 0xFFFF + 1
        esv = Esv.INFC if self.confirmed else Esv.INF
        values = tuple(Property(epc, self._meter.notify(epc) or b"") for epc in epcs)
        frame = Frame(self._tid, self._meter.eoj, CONTROLLER_EOJ, esv, values)
        self._send(frame)
        if self.confirmed:
            self._timers.after(INFC_REPEAT_S, self._repeat, frame)

    def _due(self, fixed: datetime) -> datetime:
        delay_s = self._air.random(f"notice/{fixed.isoformat()}").uniform(*self.notice_s)
        return fixed + timedelta(seconds=delay_s)

    def _announce_fixed_time(self) -> None:
        self.announce(*(epc for epc in (0xEA, 0xEB) if epc in self._meter.readable))
        self.schedule()

    def _announce_instances(self) -> None:
        instances = Property(0xD5, self._profile.notify(0xD5) or b"")
        self._send_to_all(Frame(INSTANCE_LIST_TID, NODE_PROFILE_EOJ, NODE_PROFILE_EOJ, Esv.INF, (instances,)))

    def _repeat(self, frame: Frame) -> None:
        if all(confirmation.tid != frame.tid for confirmation in self.confirmations):
            self._send(frame)
