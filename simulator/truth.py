"""What is true at an instant, in physical terms: the reference that a client's readings are compared with.

Made by the meter for any instant and noted with each of its answers.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
import json


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The state of house and registers at one instant.

    Attributes:
        at: true time, JST.
        power_w: power in W, negative = export.
        current_r_a: current of the R line in A, in steps of 0.1 A, signed as the power.
        current_t_a: current of the T line; `None` on a two-wire supply.
        import_wh: exact energy since the load's epoch in the normal direction, in Wh: of the house, through all meters,
            restarts and roll-overs, without what it could not take for want of mains.
        export_wh: the same in the reverse direction.
        import_kwh: what the register of the normal direction shows, in kWh by the scale of that instant; `None` before
            the meter was installed here and after it was removed.
        export_kwh: the same in the reverse direction; `None` also where the meter does not measure it.
        fixed_time: the last half hour by the meter's clock, in the meter's time.
        fixed_import_kwh: the register of the normal direction as it was logged for `fixed_time`, by the scale of then;
            `None` when it was not: without mains, or never shown by the clock.
        fixed_export_kwh: the same in the reverse direction.
    """

    at: datetime
    power_w: int
    current_r_a: Decimal
    current_t_a: Decimal | None
    import_wh: Fraction
    export_wh: Fraction
    import_kwh: Decimal | None
    export_kwh: Decimal | None
    fixed_time: datetime
    fixed_import_kwh: Decimal | None
    fixed_export_kwh: Decimal | None

    def to_plain(self) -> dict[str, str | float | None]:
        """Return what JSON can hold: kWh and A as exact strings, Wh as numbers."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame that the meter sent: a response, or an announcement of its own (ESV 73 or 74).

    Attributes:
        at: when it was sent, true time.
        tid: transaction ID.
        esv: service code.
        epcs: its properties in order.
        truth: what was true at that instant.
    """

    at: datetime
    tid: int
    esv: int
    epcs: tuple[int, ...]
    truth: Truth

    def to_json(self) -> str:
        """Return one line of JSON: codes in hexadecimal, kWh and A as exact strings, Wh as numbers."""
        return json.dumps(
            {
                "at": self.at.isoformat(),
                "tid": f"{self.tid:04X}",
                "esv": f"{self.esv:02X}",
                "epcs": [f"{epc:02X}" for epc in self.epcs],
                "truth": self.truth.to_plain(),
            }
        )


def _plain(value: datetime | int | Decimal | Fraction | None) -> str | float | None:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case Fraction():
            return float(value)
        case _:
            return value
