"""The peer: momonga 0.7.0, with the settings that serve it best, or as Home Assistant uses it.

At its best it makes one request of a poll (`request_to_get`), and leaves out the three times five seconds that `open()`
rests between its own requests (`internal_xmit_interval`), though the interface specification asks for them. In Home
Assistant (`route_b_smart_meter` of 2026.11) it rests, and a poll is three getters, one after the other.
"""
# ruff: noqa: PLC0415 - what the imports cost is measured

import argparse
import asyncio
from collections.abc import Callable
import os
import time
from typing import TYPE_CHECKING, Any

import serial

from .measures import (
    LINE,
    PORT_FRAMES,
    TID,
    check_values,
    frames_from_another_process,
    frames_per_s,
    parser,
    say,
    settled_memory_b,
    spare_terminal,
)

if TYPE_CHECKING:
    from momonga import Momonga

SETTINGS_IN_HOME_ASSISTANT = {"reopen_delays": (10,), "scan_retries": 10, "join_retries": 10}
"""What `route_b_smart_meter` sets."""


def codec() -> dict[str, Any]:
    """Return how fast the lines of a module become values, by the functions that its own threads call."""
    from momonga.momonga import Momonga
    from momonga.momonga_device import BP35C2Strategy, parse_sk_line
    from momonga.momonga_echonet_data import PARSER_MAP, EchonetProperty
    from momonga.momonga_echonet_enum import EchonetPropertyCode as Code

    strategy = BP35C2Strategy()
    asked = [EchonetProperty(Code(epc)) for epc in (0xE7, 0xE8, 0xE0, 0xE3)]

    def values_of(line: str) -> tuple[float, ...]:
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

    def decode() -> tuple[float, ...]:
        return values_of(LINE.decode(errors="replace").split("\r\n")[0])

    return {"frames_per_s": frames_per_s(decode), "port_frames_per_s": frames_per_s_from_port(values_of)}


def frames_per_s_from_port(values_of: Callable[[str], tuple[float, ...]]) -> float:
    """Return how many frames a second of the processor's time become values, as they come out of a port.

    The lines are read as its thread reads them; that it hands them to two others through queues is left out.
    """
    from momonga.momonga_sk_wrapper import MomongaSkWrapper

    path, master, client_end = spare_terminal()
    wrapper = MomongaSkWrapper(path)
    with serial.Serial(path, wrapper.baudrate) as port:
        wrapper._ser = port  # noqa: SLF001 - opening it by itself would want a module to answer
        with frames_from_another_process(master):
            begun_s = time.process_time()
            found = [values_of(wrapper._readline(timeout=1)) for _ in range(PORT_FRAMES)]  # noqa: SLF001
            spent_s = time.process_time() - begun_s
    for end in (master, client_end):
        os.close(end)
    for values in found:
        check_values(values)
    return PORT_FRAMES / spent_s


def session(options: argparse.Namespace) -> dict[str, Any]:
    """Start cold, poll, and idle; there is no warm start."""
    open_and_close_spare_terminal()
    before_b = settled_memory_b()

    from momonga import Momonga

    if options.in_home_assistant:
        meter = Momonga(options.id, options.password, options.port, **SETTINGS_IN_HOME_ASSISTANT)
    else:
        meter = Momonga(options.id, options.password, options.port)
        meter.internal_xmit_interval = 0
    begun_s = time.monotonic()
    meter.open()
    read(meter, in_home_assistant=options.in_home_assistant)
    cold = {"begun_s": begun_s, "ended_s": time.monotonic()}
    added_b = settled_memory_b() - before_b

    polls: list[dict[str, float]] = []
    idle_cpu_s = 0.0
    for _ in range(options.polls):
        resting_s = time.process_time()
        time.sleep(options.pause)
        idle_cpu_s += time.process_time() - resting_s
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        read(meter, in_home_assistant=options.in_home_assistant)
        polls.append({"begun_s": begun_s, "ended_s": time.monotonic(), "cpu_s": time.process_time() - begun_cpu_s})
    meter.close()
    return {
        "cold": cold,
        "polls": polls,
        "added_b": added_b,
        "idle_cpu_s_per_min": idle_cpu_s / (options.polls * options.pause) * 60,
    }


def read(meter: Momonga, *, in_home_assistant: bool) -> None:
    """Read power, currents and counters, of which Home Assistant reads one; refuse what is not whole."""
    from momonga import EchonetPropertyCode as Code

    if in_home_assistant:
        current = meter.get_instantaneous_current()
        power = meter.get_instantaneous_power()
        values = [*current.values(), power, meter.get_measured_cumulative_energy()]
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
    arguments.add_argument("--in-home-assistant", action="store_true", help="as `route_b_smart_meter` uses it")
    options = arguments.parse_args()
    say(codec() if options.command == "codec" else asyncio.run(in_process_with_asyncio(options)))


if __name__ == "__main__":
    main()
