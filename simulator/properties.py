"""The two ECHONET objects of a meter: 028801 with its properties made from the registers, and the node profile 0EF001.

`services` above asks them to read and write single properties; below are the history, the registers and the model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import override

from .echonet import METER_EOJ, NODE_PROFILE_EOJ, property_map
from .history import History
from .load import Flow
from .models import MeterModel
from .registers import Registers

NO_COUNT = b"\xff\xff\xff\xfe"
"""No data in a cumulative energy."""
NO_POWER = b"\x7f\xff\xff\xfe"
NO_CURRENT = b"\x7f\xfe"
NO_DAY = 0xFF
"""E5 before the first Set."""
NO_HISTORY = bytes.fromhex("FFFFFFFFFFFF01")
"""ED and EF before the first Set."""
HALF_HOUR = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
SLOTS_PER_DAY = 48
MAX_DAYS_BACK = 99


class EchonetObject(ABC):
    """An object that answers for single properties.

    Attributes:
        eoj: the object's code.
        readable: the Get property map.
        settable: the Set property map.
        announced: the property map of what is announced on change.
    """

    eoj: int
    readable: frozenset[int]
    settable: frozenset[int]
    announced: frozenset[int]

    def read(self, epc: int) -> bytes | None:
        """Return the EDT for Get, `None` when the property cannot be read."""
        value = self._values().get(epc) if epc in self.readable else None
        return None if value is None else value()

    def notify(self, epc: int) -> bytes | None:
        """Return the EDT for a notification, `None` when there is none."""
        value = self._values().get(epc) if epc in self.readable | self.announced else None
        return None if value is None else value()

    def write(self, epc: int, edt: bytes) -> bool:
        """Set a property; false when it cannot be set or the value is out of range. Without settable ones: false."""
        return False

    @abstractmethod
    def _values(self) -> dict[int, Callable[[], bytes]]:
        """Return what makes the EDT of each EPC."""

    def _maps(self) -> dict[int, Callable[[], bytes]]:
        return {
            0x9D: lambda: property_map(self.announced),
            0x9E: lambda: property_map(self.settable),
            0x9F: lambda: property_map(self.readable),
        }


class NodeProfile(EchonetObject):
    """The node profile object 0EF001 of a node whose only instance is the meter 028801."""

    eoj = NODE_PROFILE_EOJ
    readable = frozenset((0x80, 0x82, 0x83, 0x8A, 0x9D, 0x9E, 0x9F, 0xD3, 0xD4, 0xD6, 0xD7))
    settable = frozenset()
    announced = frozenset((0x80, 0xD5))

    def __init__(self, model: MeterModel, mac: bytes) -> None:
        self._identification = b"\xfe" + model.manufacturer + mac.rjust(13, b"\0")
        self._manufacturer = model.manufacturer

    @override
    def _values(self) -> dict[int, Callable[[], bytes]]:
        instances = b"\x01" + METER_EOJ.to_bytes(3)
        return self._maps() | {
            0x80: lambda: b"\x30",
            0x82: lambda: b"\x01\x0a\x01\x00",
            0x83: lambda: self._identification,
            0x8A: lambda: self._manufacturer,
            0xD3: lambda: b"\x00\x00\x01",
            0xD4: lambda: b"\x00\x02",
            0xD5: lambda: instances,
            0xD6: lambda: instances,
            0xD7: lambda: b"\x01" + METER_EOJ.to_bytes(3)[:2],
        }


class MeterObject(EchonetObject):
    """The low-voltage smart electric energy meter object 028801.

    Args:
        model: which properties there are.
        history: what is counted and kept, and the meter's clock.
        mac: the meter's address, part of its identification number.
        true_time: the true time in JST.

    Attributes:
        operating: property 80.
        location: property 81, 1 or 17 bytes.
        fault: property 88.
        fault_description: property 89.
        no_data: EPCs among E0 E3 E7 E8 EA EB that answer with their no-data value.
        history_day: property E5, 0..99 days back, FF before the first Set.
    """

    eoj = METER_EOJ

    def __init__(self, model: MeterModel, history: History, mac: bytes, true_time: Callable[[], datetime]) -> None:
        self.model = model
        self.readable = model.readable
        self._show_coefficient(history.registers)
        self.settable = model.settable
        self.announced = model.announced
        self.operating = True
        self.location = b"\x61"
        self.fault = False
        self.fault_description = 0
        self.no_data: set[int] = set()
        self.history_day = NO_DAY
        self._true_time = true_time
        self._mac = mac
        self._history = history
        self._history_2 = NO_HISTORY
        self._history_3 = NO_HISTORY

    @property
    def now(self) -> datetime:
        """What the meter's clock shows."""
        return self._history.shown(self._true_time())

    @property
    def clock_offset(self) -> timedelta:
        """What the meter's clock shows minus the true time."""
        return self._history.clock_offset

    def change(self, registers: Registers) -> None:
        """Count with other registers from their `installed_at` on, which is now.

        Raises:
            ValueError: they have a coefficient, and the model has no D3.
        """
        self._show_coefficient(registers)
        self._history.change(registers)

    def fixed_time(self, now: datetime) -> datetime:
        """Return the last half hour by the meter's clock, in the meter's time."""
        return now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)

    def import_count(self, at: datetime) -> int | None:
        """Return what the register of the normal direction showed at a true time, `None` when it did not count."""
        return self._history.registers_at(at).import_count(at)

    def export_count(self, at: datetime) -> int | None:
        """Return what the register of the reverse direction showed, `None` if it did not count or is not measured."""
        return self._history.registers_at(at).export_count(at) if self.model.measures_reverse else None

    def flow(self) -> Flow:
        """Return what passes the meter now."""
        return self._history.registers.load.flow(self._true_time())

    @override
    def _values(self) -> dict[int, Callable[[], bytes]]:
        model, registers = self.model, self._history.registers
        return self._maps() | {
            0x80: lambda: b"\x30" if self.operating else b"\x31",
            0x81: lambda: self.location,
            0x82: lambda: b"\0\0" + model.release.encode() + b"\0",
            0x83: lambda: b"\xfe" + model.manufacturer + self._mac.rjust(13, b"\0"),
            0x86: lambda: b"\x01" + model.manufacturer + b"\x00",
            0x88: lambda: b"\x41" if self.fault else b"\x42",
            0x89: lambda: self.fault_description.to_bytes(2),
            0x8A: lambda: model.manufacturer,
            0x8D: lambda: model.serial.encode().ljust(12, b"\0"),
            0x97: lambda: bytes((self.now.hour, self.now.minute)),
            0x98: lambda: date_bytes(self.now),
            0xC0: lambda: b"\x00" + model.manufacturer + self._mac.rjust(12, b"\0"),
            0xD0: lambda: self._at_minute(self.now),
            0xD3: lambda: (registers.coefficient or 1).to_bytes(4),
            0xD7: registers.digits.to_bytes,
            0xE0: lambda: count_bytes(self._unless(0xE0, self.import_count(self._true_time()))),
            0xE1: registers.unit.to_bytes,
            0xE2: lambda: self._day(self.import_count),
            0xE3: lambda: count_bytes(self._unless(0xE3, self.export_count(self._true_time()))),
            0xE4: lambda: self._day(self.export_count),
            0xE5: self.history_day.to_bytes,
            0xE7: lambda: NO_POWER if 0xE7 in self.no_data else self.flow().power_w.to_bytes(4, signed=True),
            0xE8: self._currents,
            0xEA: lambda: self._at_fixed_time(0xEA, self.import_count),
            0xEB: lambda: self._at_fixed_time(0xEB, self.export_count),
            0xEC: lambda: self._steps(self._history_2, HALF_HOUR),
            0xED: lambda: self._history_2,
            0xEE: lambda: self._steps(self._history_3, MINUTE),
            0xEF: lambda: self._history_3,
        }

    @override
    def write(self, epc: int, edt: bytes) -> bool:
        match epc:
            case _ if epc not in self.settable:
                return False
            case 0x81 if len(edt) == 1 or (len(edt) == 17 and edt[0] == 0x01):
                self.location = edt
            case 0xE5 if len(edt) == 1 and edt[0] <= MAX_DAYS_BACK:
                self.history_day = edt[0]
            case 0xED if _is_step(edt, most=12, step=HALF_HOUR) and edt[5] in (0, 30):
                self._history_2 = edt
            case 0xEF if _is_step(edt, most=10, step=MINUTE):
                self._history_3 = edt
            case _:
                return False
        return True

    def _unless(self, epc: int, count: int | None) -> int | None:
        return None if epc in self.no_data else count

    def _currents(self) -> bytes:
        if 0xE8 in self.no_data:
            return NO_CURRENT * 2
        r_da, t_da = self.flow().currents_da(two_wire=self.model.two_wire)
        return r_da.to_bytes(2, signed=True) + (NO_CURRENT if t_da is None else t_da.to_bytes(2, signed=True))

    def _at_fixed_time(self, epc: int, count: Callable[[datetime], int | None]) -> bytes:
        fixed = self.fixed_time(self.now)
        entry = self._unless(epc, self._entry(count, fixed, self._true_time()))
        return date_bytes(fixed) + bytes((fixed.hour, fixed.minute, 0)) + count_bytes(entry)

    def _at_minute(self, now: datetime) -> bytes:
        minute = now.replace(second=0, microsecond=0)
        at, both = self._true_time(), (self.import_count, self.export_count)
        counts = (count_bytes(self._entry(count, minute, at)) for count in both)
        return date_bytes(minute) + bytes((minute.hour, minute.minute, 0)) + b"".join(counts)

    def _day(self, count: Callable[[datetime], int | None]) -> bytes:
        """E2 and E4: the day as two bytes, then the counts at 00:00, 00:30 ... 23:30 of the day set by E5."""
        if self.history_day == NO_DAY:
            return NO_DAY.to_bytes(2) + NO_COUNT * SLOTS_PER_DAY
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self.history_day)
        stamps = [midnight + HALF_HOUR * slot for slot in range(SLOTS_PER_DAY)]
        return self.history_day.to_bytes(2) + b"".join(count_bytes(entry) for entry in self._kept(count, stamps))

    def _steps(self, wanted: bytes, step: timedelta) -> bytes:
        """EC and EE: the time and number set by ED or EF, then both counts from that time on backwards."""
        if wanted == NO_HISTORY:
            return NO_HISTORY + NO_COUNT * 2
        newest = _step_time(wanted).replace(tzinfo=self.now.tzinfo)
        stamps = [newest - step * index for index in range(wanted[6])]
        pairs = zip(self._kept(self.import_count, stamps), self._kept(self.export_count, stamps), strict=True)
        return wanted + b"".join(count_bytes(entry) for pair in pairs for entry in pair)

    def _kept(self, count: Callable[[datetime], int | None], stamps: list[datetime]) -> Iterator[int | None]:
        """Yield the entry of each stamp, `None` for one that the meter has not, has no more, or has not come to yet."""
        at, now, registers = self._true_time(), self.now, self._history.registers
        for stamp in stamps:
            yield self._entry(count, stamp, at) if registers.keeps(stamp, now) else None

    def _entry(self, count: Callable[[datetime], int | None], stamp: datetime, at: datetime) -> int | None:
        """Return the entry of a stamp as the log is at a true time, `None` if it has none."""
        written = self._history.written_at(stamp, at)
        return None if written is None else count(written)

    def _show_coefficient(self, registers: Registers) -> None:
        if registers.coefficient not in (None, 1) and 0xD3 not in self.model.readable:
            raise ValueError(f"the model {self.model.name} has no coefficient (D3)")
        shown = {0xD3} & self.model.readable if registers.coefficient is not None else set()
        self.readable = self.readable - {0xD3} | shown


def count_bytes(count: int | None) -> bytes:
    """Encode a cumulative energy, four bytes; `None` is FFFFFFFE."""
    return NO_COUNT if count is None else count.to_bytes(4)


def date_bytes(at: datetime) -> bytes:
    """Encode a date, four bytes: year, month, day."""
    return at.year.to_bytes(2) + bytes((at.month, at.day))


def _step_time(edt: bytes) -> datetime:
    return datetime(int.from_bytes(edt[:2]), edt[2], edt[3], edt[4], edt[5])  # noqa: DTZ001 - the air carries no zone


def _is_step(edt: bytes, *, most: int, step: timedelta) -> bool:
    """Tell whether `edt` is a valid date-time of six bytes and a number of steps back from it."""
    if len(edt) != 7 or not 1 <= edt[6] <= most:
        return False
    try:
        _step_time(edt) - step * edt[6]
    except ValueError, OverflowError:
        return False
    return True
