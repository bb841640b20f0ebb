"""The S registers of an SKSTACK module: widths, ranges, defaults, and the copy kept in flash.

SKSREG reads and writes them; `state` carries the ones that matter over to the radio.
"""

from dataclasses import dataclass

from .syntax import FailError, hex_number

S0A_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Register:
    """One numeric register: hex digits shown, default, lowest and highest value that can be written."""

    digits: int
    default: int
    low: int = 0
    high: int = -1
    saved: bool = False


REGISTERS: dict[str, Register] = {
    "S02": Register(2, 0x21, 0x21, 0x3C, saved=True),
    "S03": Register(4, 0xFFFF, 0, 0xFFFF, saved=True),
    "S07": Register(8, 0),
    "S15": Register(1, 0, 0, 1),
    "S16": Register(8, 0x384, 0x3C, 0xFFFFFFFF),
    "S17": Register(1, 1, 0, 1),
    "SA0": Register(1, 1, 0, 1),
    "SA1": Register(1, 1, 0, 1),
    "SA2": Register(1, 0, 0, 1),
    "SFB": Register(1, 0),
    "SFD": Register(8, 0, 0, 0),
    "SFE": Register(1, 1, 0, 1),
    "SFF": Register(1, 0, 0, 1, saved=True),
}
"""The published registers. A register whose range is empty can only be read."""


class RegisterFile:
    """The values.

    Attributes:
        values: the numeric registers by their three-character names.
        pairing_id: S0A, eight characters.
    """

    def __init__(self) -> None:
        self._flash: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """Go back to the defaults, and to the saved values where SFF asks for it."""
        self.values = {name: register.default for name, register in REGISTERS.items()}
        self.pairing_id = "CCDDEEFF"
        if self._flash.get("SFF"):
            self.values |= self._flash

    def save(self) -> None:
        """Write the registers that can be saved to flash."""
        self._flash = {name: self.values[name] for name, register in REGISTERS.items() if register.saved}

    def load(self) -> None:
        """Take the saved values; ER10 when there are none."""
        if not self._flash:
            raise FailError(10)
        self.values |= self._flash

    def erase(self) -> None:
        """Forget the saved values."""
        self._flash = {}

    def show(self, name: str) -> str:
        """Return a register as SKSREG prints it."""
        if _full(name) == "S0A":
            return self.pairing_id
        register = _known(name)
        return f"{self.values[_full(name)]:0{register.digits}X}"

    def write(self, name: str, value: str) -> None:
        """Set a register; ER06 for a value out of range or a register that cannot be written."""
        if _full(name) == "S0A":
            if not 1 <= len(value) <= S0A_LENGTH:
                raise FailError(6)
            self.pairing_id = value.ljust(S0A_LENGTH)
            return
        register = _known(name)
        self.values[_full(name)] = hex_number(value, 8, register.low, register.high)


def _full(name: str) -> str:
    """Return the name with two digits: S2 is S02."""
    return "S0" + name[1] if len(name) == 2 and name[0] == "S" else name


def _known(name: str) -> Register:
    register = REGISTERS.get(_full(name))
    if register is None:
        raise FailError(6)
    return register
