"""What is worth remembering of a meter and its module, so that the next start needs neither a scan nor a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .exceptions import MalformedMemoryError
from .link.base import Dialect, Network
from .readings import BelievedCounters, Constants, stored_integer, stored_mac, stored_number, stored_text
from .response_timer import RequestKind

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one `SmartMeter` leaves for the next, with the same credentials; everything may be missing.

    `slowest_s`: the slowest usual answer to each kind of request, seconds. `left_at`: when the last session was ended,
    on the event loop's clock, which other processes of this machine share until it is started anew.

    It holds the meter's address and serial number: whoever stores it keeps it from others.
    """

    network: Network | None = None
    dialect: Dialect | None = None
    constants: Constants | None = None
    believed: BelievedCounters | None = None
    slowest_s: Mapping[RequestKind, float] = field(default_factory=dict)
    left_at: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it in the types of JSON."""
        return {
            "format": FORMAT,
            "network": _network_as_dict(self.network) if self.network else None,
            "dialect": self.dialect,
            "constants": self.constants.as_dict() if self.constants else None,
            "believed": self.believed.as_dict() if self.believed else None,
            "slowest_s": dict(self.slowest_s),
            "left_at": self.left_at,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return what `as_dict()` has made.

        Raises:
            MalformedMemoryError: it was damaged, or is of another version.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise MalformedMemoryError("What was remembered is of another version")
        try:
            return cls(
                network=_network_from_dict(data["network"]) if data["network"] else None,
                dialect=Dialect(data["dialect"]) if data["dialect"] else None,
                constants=Constants.from_dict(data["constants"]) if data["constants"] else None,
                believed=BelievedCounters.from_dict(data["believed"]) if data["believed"] else None,
                slowest_s={RequestKind(kind): _seconds(answer_s) for kind, answer_s in data["slowest_s"].items()},
                left_at=None if data["left_at"] is None else _seconds(data["left_at"]),
            )
        except KeyError, TypeError, ValueError, AttributeError:
            # What it was does not go into the message: it may be an address.
            raise MalformedMemoryError("What was remembered cannot be read") from None


def _network_as_dict(network: Network) -> dict[str, Any]:
    return {
        "channel": network.channel,
        "pan_id": network.pan_id,
        "mac": network.mac.hex(),
        "rssi_dbm": network.rssi_dbm,
        "pairing_id": network.pairing_id,
        "lqi": network.lqi,
    }


def _network_from_dict(data: Mapping[str, Any]) -> Network:
    return Network(
        channel=stored_integer(data["channel"], 33, 60),
        pan_id=stored_integer(data["pan_id"], 0, 0xFFFF),
        mac=stored_mac(data["mac"]),
        rssi_dbm=stored_number(data["rssi_dbm"]),
        pairing_id=stored_text(data["pairing_id"]),
        # It is missing in what was stored before there was one.
        lqi=None if (lqi := data.get("lqi")) is None else stored_integer(lqi, 0, 0xFF),
    )


def _seconds(value: object) -> float:
    seconds = stored_number(value)
    if seconds < 0:
        raise ValueError("What was stored is no time")
    return seconds
