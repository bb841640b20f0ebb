"""What every family of modules offers to the session: one interface, `Link`.

Above: the session, which decides. Below: a driver for a family of modules, which does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Protocol

from ..credentials import Credentials


class Dialect(StrEnum):
    """How a module is spoken to."""

    SINGLE_STACK = "single-stack"
    """SKSTACK-IP for route B alone: BP35A1, WSR35A1, RL7023 Stick-D/IPS."""
    DUAL_STACK = "dual-stack"
    """SKSTACK-IP for route B and HAN: BP35C0, BP35C2, RS-WSUHA-P, RL7023 Stick-D/DSS."""
    J11 = "j11"
    """ROHM's J11 firmware: BP35C0-J11, RS-WSUHA-J11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """What a module says of itself.

    `version` is that of its protocol stack, `application_version` that of its firmware (`None`: it has no such
    command), `hex_payload` whether it writes received datagrams as text. A J11 module has one version, for both, and
    gives the ID of its firmware (0400) in place of the second; it never writes text.
    """

    dialect: Dialect
    version: str
    application_version: str | None
    hex_payload: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A meter's network, as a scan heard it and as a later start can join it without a scan.

    `channel`: 33 to 60, 922.5 + 0.2 x (channel - 33) MHz, whatever the module's own numbering. `rssi_dbm`: how strongly
    it was heard; `lqi`: the link quality indicator, 0 to 255, from which SKSTACK's dBm are calculated, `None` where the
    module does not tell. The addresses are never shown.
    """

    channel: int
    pan_id: int = field(repr=False)
    mac: bytes = field(repr=False)
    rssi_dbm: float
    lqi: int | None = None
    pairing_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A received UDP datagram from ECHONET Lite's port to the same.

    `rssi_dbm` and `lqi` (0 to 255) are `None` where the module does not tell.
    """

    mac: bytes = field(repr=False)
    encrypted: bool
    rssi_dbm: float | None
    lqi: int | None = None
    payload: bytes = field(repr=False)


def always() -> bool:
    """Say yes."""
    return True


class LinkEvent(Enum):
    """What a module reports by itself of its session and its transmitter (protocol 3.8)."""

    JOINED = auto()
    JOIN_FAILED = auto()
    ENDED_BY_METER = auto()
    ENDED = auto()
    EXPIRED = auto()
    DUTY_LIMIT_REACHED = auto()
    DUTY_LIMIT_LIFTED = auto()
    RESET = auto()
    """The module started anew and has forgotten the session, the credentials and its settings."""
    LOST = auto()
    """The port is gone; nothing follows."""


class Drop(StrEnum):
    """Why something that was received was not used."""

    GARBLED = "garbled"
    """A line or a frame of the module that cannot be read: noise, or one that was cut, glued or changed on its way."""
    OVERLONG = "overlong"
    """More bytes without an end than a module ever sends."""
    UNEXPECTED = "unexpected"
    """An answer of the module to a command that nobody gave: another program may use the port."""
    WRONG_PORT = "wrong_port"
    """A datagram that is neither for ECHONET Lite nor for the module's own authentication."""
    STRANGER = "stranger"
    """A datagram that the joined meter did not send, or whose two addresses disagree."""
    UNENCRYPTED = "unencrypted"
    """A datagram that anybody could have sent in the meter's name."""
    MALFORMED = "malformed"
    """A datagram that is no ECHONET Lite frame."""
    UNMATCHED = "unmatched"
    """An answer of the meter to another request than the one that waits, or a notification for somebody else."""


@dataclass(slots=True)
class LinkListener:
    """Where a link delivers what it was not asked for. All are called from the event loop and must not block."""

    on_datagram: Callable[[Datagram], None]
    on_event: Callable[[LinkEvent], None]
    on_drop: Callable[[Drop], None]


class Link(Protocol):
    """An identified module on an open port. Commands are carried out one at a time, in the order of the calls."""

    @property
    def module(self) -> Module:
        """What was identified."""

    @property
    def is_open(self) -> bool:
        """Whether its port can still be used."""

    @property
    def duty_limit_trial_s(self) -> float:
        """After so long without news it is tried whether the limit of transmission time was lifted unheard."""

    def listen(self, listener: LinkListener) -> None:
        """Deliver datagrams and events there from now on."""

    async def prepare(self, credentials: Credentials) -> None:
        """Reset the module, which drops a session without a word to the meter, and hand it the credentials."""

    async def take_up(self, network: Network) -> bool:
        """Use the session that an earlier program left in the module, in place of `prepare()` and `join()`.

        Returns false when the module cannot hold one with the meter of this network. After true only an answer of the
        meter proves it.
        """

    async def scan(self, duration: int) -> list[Network]:
        """Listen for meters on all channels and return all that answered; each step of `duration` doubles the time."""

    async def join(self, network: Network) -> None:
        """Authenticate with the meter of a network.

        Raises:
            CredentialsRefusedError: the authentication failed; a wrong password and a bad radio path look the same.
            MeterSilentError: neither success nor failure was reported in time.
        """

    async def send(self, payload: bytes, may_send: Callable[[], bool] = always) -> bool:
        """Send a datagram to the joined meter, encrypted; return true when it is on the air.

        `may_send` is asked when the turn of this has come; where it says no, nothing is sent and false returned.

        Raises:
            NotSentError: the module could not send it.
        """

    async def leave(self) -> None:
        """End the session with the meter, if there is one; break off a join that is under way."""

    async def close(self) -> None:
        """Close the port. Nothing is delivered any more."""
