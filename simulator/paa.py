"""The meter's PAA (PANA authentication agent): credentials, the one controller that has a session, and its lifetime.

The radio of a module asks it to admit; the meter above learns of sessions through two callbacks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from .air import Air, Pan, link_local
from .clock import Timers

SESSION_LIFETIME_S = 86_400
"""What meters hand out (AVP Session-Lifetime in every capture)."""
REJOIN_PAUSE_S = 10.0
"""For so long after the end of a session the meter refuses to join (field reports)."""


@dataclass(frozen=True, slots=True)
class Session:
    """The controller that has joined: its MAC and IPv6 addresses."""

    mac: bytes
    address: bytes


class Paa:
    """Admits one controller at a time.

    Args:
        air: the time, and the way to the controller.
        pan: the network.
        identity: the B-route ID, 32 characters.
        password: 12 characters.
        opened: called when a controller has joined; true for a new session, false for a renewal.
        closed: called when the session is gone.

    Attributes:
        session: the controller that has joined, or `None`.
        session_lifetime_s: lifetime of the next session, s; `speed` does not shorten it.
        join_time_s: how long an authentication takes; `None`: 3.3 to 9.6 s, as captured.
        rejoin_pause_s: for so long after the controller ended its session a join is refused.
    """

    def __init__(
        self,
        air: Air,
        pan: Pan,
        *,
        identity: str,
        password: str,
        opened: Callable[[bool], object],
        closed: Callable[[], object],
    ) -> None:
        self.identity = identity
        self.password = password
        self.session: Session | None = None
        self.session_lifetime_s = SESSION_LIFETIME_S
        self.join_time_s: float | None = None
        self.rejoin_pause_s = REJOIN_PAUSE_S
        self._air = air
        self._pan = pan
        self._opened = opened
        self._closed = closed
        self._lifetime = Timers(air.clock)
        self._refuses_until_s = 0.0

    def admits(self, mac: bytes, identity: str, password: str) -> bool:
        """Tell whether the controller may join: right credentials, and nobody else has the session."""
        if self._air.clock.lapse_s < self._refuses_until_s:
            return False
        free = self.session is None or self.session.mac == mac
        return free and (identity, password) == (self.identity, self.password)

    def joined(self, mac: bytes, *, renewal: bool) -> None:
        """Open the session or prolong it."""
        self.session = Session(mac, link_local(mac))
        self._lifetime.cancel()
        self._lifetime.at(self._air.clock.now() + timedelta(seconds=self.session_lifetime_s), self.end_session)
        self._opened(not renewal)

    def knows(self, mac: bytes) -> bool:
        """Tell whether the controller has a session."""
        return self.session is not None and self.session.mac == mac

    def left(self, mac: bytes) -> bool:
        """End the session at the controller's wish; false when there was none."""
        if not self.knows(mac):
            return False
        self.forget_session()
        self._refuses_until_s = self._air.clock.lapse_s + self.rejoin_pause_s
        return True

    def end_session(self) -> None:
        """End the session from the meter's side; the module tells its host."""
        if self.session is not None:
            self._air.end_session(self._pan, self.session.mac)
        self.forget_session()

    def forget_session(self) -> None:
        """Lose the session without a word, as after a power cut: requests are acknowledged and not understood."""
        self.session = None
        self._lifetime.cancel()
        self._closed()
