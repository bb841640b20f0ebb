"""The peer: momonga 0.7.0, with the settings that serve it best, or as it comes.

At its best it makes one request of a poll (`request_to_get`), and leaves out the three times five seconds that `open()`
rests between its own requests (`internal_xmit_interval`), though the interface specification asks for them. As it
comes, it rests, and a poll is one getter after the other, as in its README.
"""
# ruff: noqa: PLC0415 - what the imports cost is measured

import argparse
import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

import serial

from .measures import LINE, TID, frames_per_s, parser, say, settled_memory_b, spare_terminal

if TYPE_CHECKING:
    from momonga import Momonga


def codec() -> dict[str, Any]:
    """Return how fast a line of a module becomes values, by the functions that its own threads call."""
    from momonga.momonga import Momonga
    from momonga.momonga_device import BP35C2Strategy, parse_sk_line
    from momonga.momonga_echonet_data import PARSER_MAP, EchonetProperty
    from momonga.momonga_echonet_enum import EchonetPropertyCode as Code

    strategy = BP35C2Strategy()
    asked = [EchonetProperty(Code(epc)) for epc in (0xE7, 0xE8, 0xE0, 0xE3)]

    def decode() -> tuple[float, ...]:
        line = LINE.decode(errors="replace").split("\r\n")[0]
        received = parse_sk_line(line, strategy)
        power, currents, normal, reverse = Momonga._extract_response_payload(received.data, TID, asked)  # noqa: SLF001
        amperes = PARSER_MAP[currents.epc](currents.edt)
        return (
            PARSER_MAP[power.epc](power.edt),
            amperes["r phase current"],
            amperes["t phase current"],
            PARSER_MAP[normal.epc](normal.edt, 0.1, 1),
            PARSER_MAP[reverse.epc](reverse.edt, 0.1, 1),
        )

    return {"frames_per_s": frames_per_s(decode)}


def session(options: argparse.Namespace) -> dict[str, Any]:
    """Start cold, poll, and idle; there is no warm start."""
    open_and_close_spare_terminal()
    before_b = settled_memory_b()

    from momonga import Momonga

    meter = Momonga(options.id, options.password, options.port)
    if not options.as_it_comes:
        meter.internal_xmit_interval = 0
    begun_s = time.monotonic()
    meter.open()
    read(meter, as_it_comes=options.as_it_comes)
    cold = {"begun_s": begun_s, "ended_s": time.monotonic()}
    added_b = settled_memory_b() - before_b

    polls: list[dict[str, float]] = []
    idle_cpu_s = 0.0
    for _ in range(options.polls):
        resting_s = time.process_time()
        time.sleep(options.pause)
        idle_cpu_s += time.process_time() - resting_s
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        read(meter, as_it_comes=options.as_it_comes)
        polls.append({"begun_s": begun_s, "ended_s": time.monotonic(), "cpu_s": time.process_time() - begun_cpu_s})
    meter.close()
    return {
        "cold": cold,
        "polls": polls,
        "added_b": added_b,
        "idle_cpu_s_per_min": idle_cpu_s / (options.polls * options.pause) * 60,
    }


def read(meter: Momonga, *, as_it_comes: bool) -> None:
    """Read power, currents and both counters; refuse what is not whole."""
    from momonga import EchonetPropertyCode as Code

    if as_it_comes:
        values = [
            meter.get_instantaneous_power(),
            meter.get_instantaneous_current(),
            meter.get_measured_cumulative_energy(),
            meter.get_measured_cumulative_energy(reverse=True),
        ]
    else:
        values = list(meter.request_to_get({Code(epc) for epc in (0xE7, 0xE8, 0xE0, 0xE3)}).values())
    if None in values or len(values) != 4:
        raise ValueError("The reading is not whole")


def open_and_close_spare_terminal() -> None:
    """Have the serial library open a port once: what it costs by itself is not the client's."""
    path, *ends = spare_terminal()
    serial.Serial(path, 115_200).close()
    for end in ends:
        os.close(end)


async def in_process_with_asyncio(options: argparse.Namespace) -> dict[str, Any]:
    """Measure inside a running event loop, as the peer's memory is to be compared in such a process."""
    return await asyncio.to_thread(session, options)


def main() -> None:
    """Measure, and print what was found."""
    arguments = parser("momonga")
    arguments.add_argument("--as-it-comes", action="store_true", help="no settings but the default ones")
    options = arguments.parse_args()
    say(codec() if options.command == "codec" else asyncio.run(in_process_with_asyncio(options)))


if __name__ == "__main__":
    main()
