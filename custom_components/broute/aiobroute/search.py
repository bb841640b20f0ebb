"""Scanning for the meter.

Above: the session, which decides when, and what becomes of what was heard. Below: a `Link`.
"""

from collections.abc import Callable, Iterable

from .conversation import Conversation
from .link.base import Link, Network
from .statistics import Statistics

SCAN_DURATIONS = (5, 6, 7)
"""9, 18 and 36 s: the short ones often find nothing, and a longer one than 7 was never needed (protocol 3.4)."""


class Search:
    """Scans, and tells the networks of one household from others.

    `pairing_id`: what they answer to. `note`: where a scan and what it has heard are told.
    """

    def __init__(
        self, pairing_id: str, conversation: Conversation, statistics: Statistics, note: Callable[[str], None]
    ) -> None:
        self._pairing_id = pairing_id
        self._conversation = conversation
        self._statistics = statistics
        self._note = note

    async def find(self, link: Link) -> list[Network]:
        """Scan with growing durations, until one is heard that is ours; return those, the strongest first."""
        for duration in SCAN_DURATIONS:
            if ours := self.ours_of(await self.scan(link, duration)):
                return ours
        return []

    async def scan(self, link: Link, duration: int) -> list[Network]:
        """Scan once, and return everything that was heard, the strongest first."""
        await self._conversation.clear_to_transmit()
        self._statistics.scans += 1
        networks = sorted(await link.scan(duration), key=lambda network: network.rssi_dbm, reverse=True)
        levels = ", ".join(f"{network.rssi_dbm:.0f} dBm" for network in self.ours_of(networks))
        self._note(f"scan of duration {duration}: {len(networks)} heard" + (f", ours at {levels}" if levels else ""))
        return networks

    def ours_of(self, networks: Iterable[Network]) -> list[Network]:
        """Return those that answer to our pairing ID."""
        return [network for network in networks if network.pairing_id == self._pairing_id]
