"""The serial line of a module: 115200 8N1 in both directions, with the time that each byte takes.

Between a firmware and whatever has the port open: `ports` in memory, `serve` for other processes.
"""

from collections import deque
from collections.abc import Callable

from .clock import Clock, Timers
from .faults import Faults, Message

BYTE_S = 10 / 115_200
"""One start bit, eight data bits, one stop bit."""
PIECE = 62
"""Bytes handed over at once: the payload of one USB packet of a serial converter."""
MAX_ON_THE_WAY = 65_536
"""Bytes in one direction that have not arrived yet; more are lost, as by an overrun."""


class Direction:
    """One direction of the line: bytes arrive in pieces, in order, at the pace of the UART."""

    def __init__(self, clock: Clock, arrive: Callable[[bytes], object]) -> None:
        self._clock = clock
        self._arrive = arrive
        self._timers = Timers(clock)
        self._free_at_s = 0.0
        self._pieces: deque[bytes] = deque()
        self.pending = 0

    def put(self, data: bytes, piece_length: int = PIECE) -> None:
        """Put bytes on the line."""
        for start in range(0, len(data), piece_length):
            piece = data[start : start + piece_length]
            if self.pending + len(piece) > MAX_ON_THE_WAY:
                return
            self.pending += len(piece)
            self._free_at_s = max(self._free_at_s, self._clock.lapse_s) + len(piece) * BYTE_S
            self._pieces.append(piece)
            self._timers.due(self._free_at_s, self._deliver)

    def clear(self) -> None:
        """Lose what is on the way."""
        self._timers.cancel()
        self._pieces.clear()
        self.pending = 0
        self._free_at_s = 0.0

    def _deliver(self) -> None:
        # Timers due at the same instant fire in any order: the next piece is the oldest.
        piece = self._pieces.popleft()
        self.pending -= len(piece)
        self._arrive(piece)


class Uart:
    """Both directions, and whether the port is open: what the module says while it is closed is lost.

    Args:
        clock: the time.
        faults: what becomes of messages and bytes.
        to_module: takes the bytes that have reached the module.
    """

    def __init__(self, clock: Clock, faults: Faults, to_module: Callable[[bytes], object]) -> None:
        self._clock = clock
        self._faults = faults
        self._late = Timers(clock)
        self._gathering = Timers(clock)
        self._gathered = bytearray()
        self._host: Callable[[bytes], object] | None = None
        self._to_module = Direction(clock, to_module)
        self._to_host = Direction(clock, self._arrive)

    @property
    def backlog(self) -> int:
        """Bytes of the host that have not reached the module."""
        return self._to_module.pending

    def open(self, to_host: Callable[[bytes], object]) -> None:
        """Open the host's end; `to_host` takes the bytes that have reached it."""
        self._host = to_host

    def close(self) -> None:
        """Close the host's end; the module does not notice."""
        self._host = None
        self._lose_gathered()
        self._to_host.clear()

    def cut(self) -> None:
        """Lose what is on the way in both directions."""
        self._late.cancel()
        self._lose_gathered()
        self._to_module.clear()
        self._to_host.clear()

    def write(self, data: bytes) -> None:
        """Send from the host."""
        self._to_module.put(self._faults.told(data))

    def say(self, message: Message) -> None:
        """Say a line or a frame from the module, or what the faults make of it."""
        for late_s, data in self._faults.said(message):
            if late_s:
                self._late.after(late_s, self.send, data)
            else:
                self.send(data)

    def echo(self, data: bytes) -> None:
        """Return bytes of the host, unless the module is mute."""
        if not self._faults.module_mute:
            self.send(data)

    def babble(self, pattern: bytes, for_s: float) -> None:
        """Say a pattern over and over at the pace of the line: NULs, noise, a line that does not end.

        Args:
            pattern: at least one byte.
            for_s: for so many s.
        """
        whole = pattern * -(-PIECE // len(pattern))
        self._babble(whole, self._clock.lapse_s + for_s)

    def send(self, data: bytes) -> None:
        """Put bytes on the line to the host as they are."""
        if self._host is not None:
            self._to_host.put(data, 1 if self._faults.byte_by_byte else PIECE)

    def _babble(self, whole: bytes, until_s: float) -> None:
        if self._clock.lapse_s < until_s:
            self.send(whole)
            self._late.after(len(whole) * BYTE_S, self._babble, whole, until_s)

    def _arrive(self, data: bytes) -> None:
        if self._faults.gathered_s or self._gathered:
            if not self._gathered:
                self._gathering.after(self._faults.gathered_s, self._deliver_gathered)
            self._gathered += data
        elif self._host is not None:
            self._host(data)

    def _deliver_gathered(self) -> None:
        gathered, self._gathered = bytes(self._gathered), bytearray()
        if self._host is not None:
            self._host(gathered)

    def _lose_gathered(self) -> None:
        self._gathering.cancel()
        self._gathered.clear()
