"""What a client measures of itself, and how it says so: the same for both, and without anything of either."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
import gc
import json
import os
from pathlib import Path
import pty
import subprocess
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

from benchmarks.memory import own_memory_b

CODEC_S = 0.5
"""How long a codec is kept busy for one figure."""
PORT_FRAMES = 3000
"""So many frames come through the port for one figure."""

FRAME = bytes.fromhex(
    # A Get_Res of the meter to the controller: E7 = -120 W, E8 = 1.2 and 3.4 A, E0 = 123456, E3 = 654.
    "1081123402880105FF017204E704FFFFFF88E804000C0022E0040001E240E3040000028E"
)
TID = 0x1234
"""The one that is in it."""
LINE = (
    "ERXUDP FE80:0000:0000:0000:021D:1290:1234:5678 FE80:0000:0000:0000:021D:1290:ABCD:EF01 0E1A 0E1A "
    f"001D129012345678 E1 1 0 {len(FRAME):04X} {FRAME.hex().upper()}\r\n"
).encode()
"""That frame as a dual-stack module prints it (protocol 3.6), with a unit of 0.1 kWh and no coefficient assumed."""
VALUES = (-120, 1.2, 3.4, 12345.6, 65.4)
"""What it says: W, A, A, kWh, kWh."""


class WrongValuesError(Exception):
    """A client has read something else than what the frame says: its speed is of no interest."""


def parser(name: str) -> argparse.ArgumentParser:
    """Return the command line that both have."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.clients.{name}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("codec", help="decode frames, from a port and from memory")
    session = commands.add_parser("session", help="go from an unopened port to the first reading, and poll")
    session.add_argument("port")
    session.add_argument("id")
    session.add_argument("password")
    session.add_argument("--polls", type=int, required=True, help="how many")
    session.add_argument("--pause", type=float, required=True, help="between two polls, s")
    return parser


def say(found: dict[str, Any]) -> None:
    """Print what was found."""
    sys.stdout.write(json.dumps(found) + "\n")


def settled_memory_b() -> int:
    """Return the bytes that this process has for itself, without what is only waiting to be collected."""
    gc.collect()
    return own_memory_b()


def spare_terminal() -> tuple[str, int, int]:
    """Return the path of a pseudo-terminal that nobody answers on, and both its ends."""
    master, client_end = pty.openpty()
    return os.ttyname(client_end), master, client_end


def check_values(values: Sequence[float | Decimal | None]) -> None:
    """Raise `WrongValuesError` unless these are `VALUES`."""
    found = [None if value is None else round(float(value), 6) for value in values]
    if found != list(VALUES):
        raise WrongValuesError(f"{found} instead of {VALUES}")


@contextmanager
def frames_from_another_process(master: int) -> Iterator[None]:
    """Let another process write `PORT_FRAMES` times `LINE` into the master's end of a pseudo-terminal meanwhile."""
    with TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        lines.write_bytes(LINE * PORT_FRAMES)
        with subprocess.Popen(["cat", lines], stdout=master) as writer:  # noqa: S603, S607 - nothing of it is input
            try:
                yield
            finally:
                # Where all was read, it is at its end.
                writer.terminate()


def frames_per_s(decode: Callable[[], Sequence[float | Decimal | None]]) -> float:
    """Return how many times a second `decode` turns `LINE` into values; the time is that of the processor.

    Raises:
        WrongValuesError: they are not `VALUES`.
    """
    check_values(decode())
    rounds = 0
    begun_s = time.process_time()
    while (spent_s := time.process_time() - begun_s) < CODEC_S:
        for _ in range(100):
            decode()
        rounds += 100
    return rounds / spent_s
