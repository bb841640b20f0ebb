"""What a J11 module remembers: settings, credentials in its radio, the connection to a coordinator, open ports.

The commands read and change it; the module makes a device of it.
"""

from dataclasses import dataclass

from simulator.air import Pan
from simulator.radio import Radio

from .frames import FIRST_CHANNEL, radio_channel, rssi
from .products import Product
from .results import RefusedError, ResultCode

DUAL = 0x05
"""The one mode in which there is a B-route."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The coordinator that B-route operation has found, as it was heard then.

    Attributes:
        mac: its MAC address, eight bytes.
        address: its IPv6 address, 16 bytes.
        pan_id: 16 bits.
        rssi: one signed byte, dBm.
    """

    mac: bytes
    address: bytes
    pan_id: int
    rssi: bytes


class J11State:
    """The state.

    Args:
        product: which module it is.
        radio: its radio.

    Attributes:
        product: which module it is.
        radio: credentials, session, `duty_limited`.
        mode: the mode of 005F, `None` before.
        channel: the J11 channel of 005F.
        connection: the coordinator, `None` unless the B-route runs.
        pana_requested: the host has asked for authentication, and is told the outcome.
        pana_answered: the meter has said something in it.
        udp_ports: the open ports.
    """

    def __init__(self, product: Product, radio: Radio) -> None:
        self.product = product
        self.radio = radio
        self.mode: int | None = None
        self.channel = FIRST_CHANNEL
        self.connection: Connection | None = None
        self.pana_requested = False
        self.pana_answered = False
        self.udp_ports: set[int] = set()

    def restart(self) -> None:
        """Forget settings, credentials, session and ports, without a word to the meter."""
        self.radio.reset()
        self.disconnect()
        self.mode = None
        self.channel = FIRST_CHANNEL

    def tune(self, mode: int, channel: int) -> None:
        """Take the settings of 005F."""
        self.mode = mode
        self.channel = channel
        self.radio.channel = radio_channel(channel)

    def connect(self, pan: Pan) -> Connection:
        """Begin B-route operation with a coordinator."""
        connection = Connection(pan.mac, pan.address, pan.pan_id, rssi(pan.lqi))
        self.connection = connection
        self.radio.pan_id = pan.pan_id
        self.radio.neighbours.add(pan.address)
        return connection

    def disconnect(self) -> None:
        """End B-route operation: the session is given up and the ports close."""
        self.radio.forget_session()
        self.connection = None
        self.pana_over()
        self.udp_ports.clear()

    def pana_over(self) -> None:
        """Note that authentication is done, or given up."""
        self.pana_requested = False
        self.pana_answered = False

    @property
    def authenticating(self) -> bool:
        """Whether PANA runs."""
        return self.pana_requested or self.radio.authenticating

    def running(self) -> Connection:
        """Return the coordinator; refuse unless the B-route runs."""
        self.need_dual()
        if self.connection is None:
            raise RefusedError(ResultCode.NOT_STARTED)
        return self.connection

    def need_dual(self) -> None:
        """Refuse unless the mode has a B-route."""
        if self.mode != DUAL:
            raise RefusedError(ResultCode.WRONG_MODE)

    def need_stopped(self) -> None:
        """Refuse while the B-route runs."""
        if self.radio.session is not None:
            raise RefusedError(ResultCode.AUTHENTICATED)
        if self.connection is not None:
            raise RefusedError(ResultCode.STARTED)
