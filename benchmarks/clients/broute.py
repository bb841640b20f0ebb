"""Our side: aiobroute, as a program uses it that knows nothing of Home Assistant."""
# ruff: noqa: PLC0415 - what the imports cost is measured

import argparse
import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
import os
from pathlib import Path
import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

import serialx

from .measures import (
    LINE,
    PORT_FRAMES,
    check_values,
    frames_from_another_process,
    frames_per_s,
    parser,
    say,
    settled_memory_b,
    spare_terminal,
)

if TYPE_CHECKING:
    from custom_components.broute.aiobroute import Credentials, Reading, SmartMeter
    from custom_components.broute.aiobroute.link.skstack.codec import UdpReceived

type Values = Sequence[float | Decimal | None]

INTEGRATION = "custom_components.broute"
PORT_LIMIT_S = 60.0
REJOIN_PAUSE_S = 11.0
"""A meter refuses for 10 s whoever has left (protocol 3.5), and the client, which remembers that, waits for it."""


def leave_out_home_assistant() -> None:
    """Let the library be imported by its name without the integration around it, which wants Home Assistant."""
    package = ModuleType(INTEGRATION)
    package.__path__ = [str(Path(__file__).parents[2].joinpath(*INTEGRATION.split(".")))]
    sys.modules[INTEGRATION] = package


def codec() -> dict[str, Any]:
    """Return how fast the lines of a module become values: from memory, and from the port."""
    from custom_components.broute.aiobroute.link.skstack.codec import Decoder, UdpReceived

    values_of = reader_of_values()
    decoder = Decoder()
    # As the module has said when it was identified.
    decoder.hex_payload = True

    def decode() -> Values:
        (received,) = (event for event in decoder.feed(LINE) if isinstance(event, UdpReceived))
        return values_of(received)

    return {"frames_per_s": frames_per_s(decode), "port_frames_per_s": asyncio.run(frames_per_s_from_port(values_of))}


def reader_of_values() -> Callable[[UdpReceived], Values]:
    """Return what reads the values out of a datagram."""
    from custom_components.broute.aiobroute import Scale
    from custom_components.broute.aiobroute.echonet import smart_meter
    from custom_components.broute.aiobroute.echonet.frame import Frame
    from custom_components.broute.aiobroute.properties import Answers

    scale = Scale(unit_kwh=smart_meter.UNITS[0x01], coefficient=1, effective_digits=6)

    def values_of(received: UdpReceived) -> Values:
        answers = Answers({prop.epc: prop.edt for prop in Frame.from_bytes(received.payload).properties})
        currents = answers.required(smart_meter.CURRENTS)
        return (
            answers.required(smart_meter.POWER),
            currents.r_a,
            currents.t_a,
            scale.energy_kwh(answers.required(smart_meter.NORMAL_ENERGY)),
            scale.energy_kwh(answers.required(smart_meter.REVERSE_ENERGY)),
        )

    return values_of


async def frames_per_s_from_port(values_of: Callable[[UdpReceived], Values]) -> float:
    """Return how many frames a second of the processor's time become values, as they come out of a port."""
    from custom_components.broute.aiobroute.link.port import Port, open_with_serialx
    from custom_components.broute.aiobroute.link.skstack.codec import Decoder, UdpReceived

    path, master, client_end = spare_terminal()
    port = await Port.open(open_with_serialx, path)
    decoder = Decoder()
    decoder.hex_payload = True
    found: list[Values] = []
    all_found = asyncio.Event()

    def receive(data: bytes) -> None:
        found.extend(values_of(event) for event in decoder.feed(data) if isinstance(event, UdpReceived))
        if len(found) == PORT_FRAMES:
            all_found.set()

    port.receive = receive
    with frames_from_another_process(master):
        begun_s = time.process_time()
        async with asyncio.timeout(PORT_LIMIT_S):
            await all_found.wait()
        spent_s = time.process_time() - begun_s
    await port.close()
    for end in (master, client_end):
        os.close(end)
    for values in found:
        check_values(values)
    return PORT_FRAMES / spent_s


def meter_at(port: str, credentials: Credentials, earlier: SmartMeter | None) -> SmartMeter:
    """Return a meter to be opened, with what an `earlier` one has left: the only place that knows what that is."""
    from custom_components.broute.aiobroute import SmartMeter

    if earlier is None:
        return SmartMeter(port, credentials)
    return SmartMeter(port, credentials, memory=earlier.memory)


async def session(options: argparse.Namespace) -> dict[str, Any]:
    """Start cold, poll, idle, and start warm."""
    await open_and_close_spare_terminal()
    before_b = settled_memory_b()

    from custom_components.broute.aiobroute import Credentials

    credentials = Credentials.parse(options.id, options.password)
    meter = meter_at(options.port, credentials, None)
    cold, _ = await first_reading(meter)
    added_b = settled_memory_b() - before_b
    await meter.describe()
    # A counter that is read for the first time is asked for twice.
    await meter.read()

    polls: list[dict[str, float]] = []
    idle_cpu_s = 0.0
    for _ in range(options.polls):
        resting_s = time.process_time()
        await asyncio.sleep(options.pause)
        idle_cpu_s += time.process_time() - resting_s
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        reading = await meter.read()
        polls.append({"begun_s": begun_s, "ended_s": time.monotonic(), "cpu_s": time.process_time() - begun_cpu_s})
        check(reading, whole=True)
    await meter.close()

    await asyncio.sleep(REJOIN_PAUSE_S)
    again = meter_at(options.port, credentials, meter)
    warm, reading = await first_reading(again)
    check(reading, whole=True)
    await again.close()
    return {
        "cold": cold,
        "warm": warm,
        "polls": polls,
        "added_b": added_b,
        "idle_cpu_s_per_min": idle_cpu_s / (options.polls * options.pause) * 60,
    }


async def first_reading(meter: SmartMeter) -> tuple[dict[str, float], Reading]:
    """Go from the unopened port to a reading; return when both were, by the monotonic clock, and the reading."""
    begun_s = time.monotonic()
    await meter.open()
    await meter.joined()
    reading = await meter.read()
    ended_s = time.monotonic()
    check(reading, whole=False)
    return {"begun_s": begun_s, "ended_s": ended_s}, reading


def check(reading: Reading, *, whole: bool) -> None:
    """Refuse a reading that lacks something: its speed would be of no interest."""
    values = (reading.power_w, reading.current_r_a, reading.current_t_a, reading.import_kwh)
    if reading.errors or None in values or (whole and reading.export_kwh is None):
        raise ValueError("The reading is not whole")


async def open_and_close_spare_terminal() -> None:
    """Have the serial library open a port once: what it costs by itself is not the client's."""
    path, *ends = spare_terminal()
    transport, _ = await serialx.create_serial_connection(
        asyncio.get_running_loop(), asyncio.Protocol, path, baudrate=115_200
    )
    transport.close()
    for end in ends:
        os.close(end)


def main() -> None:
    """Measure, and print what was found."""
    options = parser("broute").parse_args()
    leave_out_home_assistant()
    say(codec() if options.command == "codec" else asyncio.run(session(options)))


if __name__ == "__main__":
    main()
