"""What is worth remembering of a meter and its module, so that the next start needs neither a scan nor a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import InvalidOperation
from math import isfinite
from typing import Any, Self

from .exceptions import MalformedMemoryError
from .link.base import Dialect, Network
from .readings import BelievedCounters, Constants
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
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse what another version has written."""
        if self.format != FORMAT:
            raise MalformedMemoryError("What was remembered is of another version")

    def as_dict(self) -> dict[str, Any]:
        """Return it in the types of JSON."""
        return {
            "format": self.format,
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
        try:
            return cls(
                format=data["format"],
                network=_network_from_dict(data["network"]) if data["network"] else None,
                dialect=Dialect(data["dialect"]) if data["dialect"] else None,
                constants=Constants.from_dict(data["constants"]) if data["constants"] else None,
                believed=BelievedCounters.from_dict(data["believed"]) if data["believed"] else None,
                slowest_s={RequestKind(kind): _positive(answer_s) for kind, answer_s in data["slowest_s"].items()},
                left_at=None if data["left_at"] is None else _positive(data["left_at"]),
            )
        except KeyError, TypeError, ValueError, AttributeError, InvalidOperation:
            # What it was does not go into the message: it may be an address.
            raise MalformedMemoryError("What was remembered cannot be read") from None


def _network_as_dict(network: Network) -> dict[str, Any]:
    return {
        "channel": network.channel,
        "pan_id": network.pan_id,
        "mac": network.mac.hex(),
        "rssi_dbm": network.rssi_dbm,
        "pairing_id": network.pairing_id,
    }


def _network_from_dict(data: Mapping[str, Any]) -> Network:
    mac = bytes.fromhex(data["mac"])
    if len(mac) != 8 or data["channel"] not in range(33, 61) or data["pan_id"] not in range(0x10000):
        raise MalformedMemoryError("What was remembered is no network")
    return Network(
        channel=data["channel"],
        pan_id=data["pan_id"],
        mac=mac,
        rssi_dbm=float(data["rssi_dbm"]),
        pairing_id=data["pairing_id"],
    )


def _positive(number: float) -> float:
    if not isfinite(number) or number < 0:
        raise MalformedMemoryError("What was remembered is no time")
    return float(number)
