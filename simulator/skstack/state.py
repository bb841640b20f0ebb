"""What an SKSTACK module remembers: options and registers, open ports, credentials in its radio.

The commands read and change it; the module makes a device of it.
"""

from simulator.echonet import UDP_PORT
from simulator.pana import UDP_PORT as PANA_PORT
from simulator.radio import Radio

from .products import Product
from .registers import RegisterFile

DEFAULT_UDP_PORTS = (UDP_PORT, PANA_PORT, 0, 0, 0, 0)
"""What handles 1 to 6 stand for after a reset."""


class SkstackState:
    """The state.

    Args:
        product: which module it is.
        radio: its radio.
        hexadecimal: how payload is printed at first; products without options know only that.
        echo: whether it starts with the echo on.

    Attributes:
        product: which module it is.
        radio: channel, PAN ID, credentials, session, `duty_limited`.
        registers: the S registers.
        hexadecimal: WOPT bit 0: payload is printed in hexadecimal, not binary.
        udp_ports: what handles 1 to 6 stand for, 0 = closed.
        flash_writes: how often a command has written to flash.
    """

    def __init__(self, product: Product, radio: Radio, *, hexadecimal: bool, echo: bool) -> None:
        self.product = product
        self.radio = radio
        self.registers = RegisterFile()
        self.registers.values["SFE"] = int(echo)
        self.hexadecimal = hexadecimal or not product.options
        self.udp_ports = list(DEFAULT_UDP_PORTS)
        self.flash_writes = 0

    def restart(self) -> None:
        """Put radio, registers and ports back to their defaults."""
        self.radio.reset()
        self.registers.reset()
        self.udp_ports = list(DEFAULT_UDP_PORTS)
        self.apply_registers()

    def apply_registers(self) -> None:
        """Carry the registers over to the radio."""
        values = self.registers.values
        self.radio.channel, self.radio.pan_id = values["S02"], values["S03"]
        self.radio.renews = bool(values["S17"])
        self.radio.pairing_id = self.registers.pairing_id
