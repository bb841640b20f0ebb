"""What can go wrong on the air and in the authentication."""

from collections import deque
from dataclasses import dataclass

from .switches import Switches, count, entries, seconds, share, switch


@dataclass(kw_only=True, eq=False)
class RadioFaults(Switches):
    """Faults of the air and of the PAA."""

    scan_misses: int = switch("how many of the next scans hear nothing", count, off=0)
    beacon_loss: float = switch("the probability, 0 to 1, that a scan misses a PAN that it would hear", share, off=0.0)
    refused_joins: int = switch("how many of the next joins the meter refuses, whatever the credentials", count, off=0)
    endless_joins: int = switch("how many of the next joins neither succeed nor fail", count, off=0)
    refused_renewals: int = switch("how many of the next renewals of a session the meter refuses", count, off=0)
    endless_renewals: int = switch(
        "how many of the next renewals neither succeed nor fail, until the session expires", count, off=0
    )
    late_renewals: deque[float] = switch(
        "how many s the next renewals take, one entry each", entries(seconds), off=deque()
    )
    failed_sends: int = switch(
        "how many of the next transmissions of the host find the air busy: told as failed (EVENT 21 01, detail 3 of"
        " J11's 2008), nothing sent",
        count,
        off=0,
    )
    acknowledgements_lost: int = switch(
        "how many of the next transmissions of the host reach the meter and are told as failed (EVENT 21 01,"
        " detail 5 of J11's 2008)",
        count,
        off=0,
    )
    requests_lost: int = switch(
        "how many of the next transmissions of the host are acknowledged by the meter's radio and lost behind it",
        count,
        off=0,
    )
    request_loss: float = switch("the probability, 0 to 1, that one of them is lost so", share, off=0.0)
    datagrams_lost: int = switch(
        "how many of the next datagrams of the meter, answers and announcements, do not arrive", count, off=0
    )
    datagram_loss: float = switch("the probability, 0 to 1, that one of them does not arrive", share, off=0.0)

    def request_gets_lost(self) -> bool:
        """Tell whether a transmission of the host is lost."""
        return self.strikes("requests_lost") or self.random.random() < self.request_loss

    def datagram_gets_lost(self) -> bool:
        """Tell whether a datagram of the meter is lost."""
        return self.strikes("datagrams_lost") or self.random.random() < self.datagram_loss

    def beacon_gets_lost(self) -> bool:
        """Tell whether the beacon of a PAN is missed."""
        return self.random.random() < self.beacon_loss
