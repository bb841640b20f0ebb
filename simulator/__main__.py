"""Serve one simulated home to other processes: `python -m simulator --help`.

Prints one line of JSON when the port can be opened, then runs until it is interrupted or terminated. With `--control`
the line names the control port, e.g.

    echo '{"set": {"meter_silent": true}, "for_s": 60}' | socat - UNIX-CONNECT:/tmp/control
"""

import argparse
import asyncio
from datetime import datetime, timedelta
import json
from pathlib import Path
import signal
import sys
from typing import TextIO

from .clock import JST
from .control import Control
from .happenings import MAX_COUNT, MAX_POWER_W, YEAR_S, Happenings
from .home import ID, PASSWORD, SimulatedHome
from .load import EPOCH, ConstantLoad, HouseLoad
from .models import MODELS, RELEASE_F
from .products import PRODUCTS
from .properties import MAX_DAYS_BACK
from .registers import UNIT_KWH, Registers
from .serve import PtyPort, TcpPort


def _unit(text: str) -> int:
    code = int(text, 16)
    if code not in UNIT_KWH:
        raise ValueError(text)
    return code


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=JST) if at.tzinfo is None else at.astimezone(JST)


def _offset(text: str) -> timedelta:
    if not -YEAR_S <= float(text) <= YEAR_S:
        raise ValueError(text)
    return timedelta(seconds=float(text))


def _count(text: str) -> int:
    if not 0 <= int(text) <= MAX_COUNT:
        raise ValueError(text)
    return int(text)


def _power(text: str) -> int:
    if not -MAX_POWER_W <= int(text) <= MAX_POWER_W:
        raise ValueError(text)
    return int(text)


def _identity(text: str) -> str:
    if len(text) != len(ID):
        raise ValueError(text)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="A smart meter and a Wi-SUN module.")
    port = parser.add_mutually_exclusive_group(required=True)
    port.add_argument(
        "--pty", nargs="?", const="", metavar="LINK", help="serve a pseudo-terminal, with a symbolic link to it"
    )
    port.add_argument("--tcp", type=int, metavar="PORT", help="serve a TCP port on 127.0.0.1; 0 = any")
    parser.add_argument("--module", choices=PRODUCTS, default="BP35C2", help="the product (default: %(default)s)")
    parser.add_argument("--payload", choices=("hex", "binary"), default="hex", help="how SKSTACK prints payload (WOPT)")
    parser.add_argument("--echo", action=argparse.BooleanOptionalAction, default=True, help="SKSTACK's echo at first")
    parser.add_argument("--meter", choices=MODELS, default=RELEASE_F.name, help="the model (default: %(default)s)")
    parser.add_argument("--id", type=_identity, default=ID, help="B-route ID, 32 characters")
    parser.add_argument("--password", default=PASSWORD, help="12 characters")
    parser.add_argument("--speed", type=float, default=1.0, help="divides all delays, not the wall clock")
    parser.add_argument("--seed", type=int, default=0, help="names the load curve and the course of delays")
    parser.add_argument("--clock", type=datetime.fromisoformat, help="wall clock at the start, JST (default: now)")
    parser.add_argument(
        "--clock-offset",
        type=_offset,
        default=timedelta(0),
        metavar="SECONDS",
        help="what the meter's clock shows, and has always shown, beside the true time; may be negative (default: 0)",
    )
    parser.add_argument("--unit", type=_unit, default=0x01, metavar="CODE", help="property E1, hexadecimal")
    parser.add_argument("--coefficient", type=int, help="property D3 (default: 1, where the model has it)")
    parser.add_argument("--digits", type=int, choices=range(1, 9), default=6, help="property D7")
    parser.add_argument(
        "--installed",
        type=_instant,
        default=EPOCH,
        metavar="TIME",
        help="when the meter was installed, JST: it knows nothing of before (default: in 2016)",
    )
    parser.add_argument(
        "--initial-import", type=_count, default=0, metavar="COUNT", help="register E0 at that time, raw (default: 0)"
    )
    parser.add_argument(
        "--initial-export", type=_count, default=0, metavar="COUNT", help="register E3 at that time, raw (default: 0)"
    )
    parser.add_argument(
        "--history-days",
        type=int,
        choices=range(MAX_DAYS_BACK + 1),
        default=44,
        metavar="DAYS",
        help="how many days before today its log keeps, 0 to 99 (default: %(default)s)",
    )
    parser.add_argument(
        "--export", action=argparse.BooleanOptionalAction, default=True, help="whether there is solar generation"
    )
    parser.add_argument(
        "--load",
        type=_power,
        metavar="WATTS",
        help="the house takes so much, negative = gives, until load_stepped happens (default: a household's day)",
    )
    parser.add_argument(
        "--control",
        metavar="WHERE",
        help="a port on 127.0.0.1 (0 = any) or the path of a Unix socket for the control port: one JSON object per line"
        ' sets faults and asks for the truth while the simulator runs; {"ask": "help"} tells what there is',
    )
    parser.add_argument("--truth-log", type=Path, metavar="FILE", help="append what was true at each answer, as JSON")
    return parser


def _home(options: argparse.Namespace) -> SimulatedHome:
    model = MODELS[options.meter]
    coefficient = options.coefficient
    if coefficient is None and 0xD3 in model.readable:
        coefficient = 1
    if options.load is None:
        load: HouseLoad | ConstantLoad = HouseLoad(options.seed, export=options.export)
    else:
        load = ConstantLoad(options.load)
    return SimulatedHome(
        model=model,
        module=options.module,
        registers=Registers(
            load=load,
            unit=options.unit,
            coefficient=coefficient,
            digits=options.digits,
            initial_import=options.initial_import,
            initial_export=options.initial_export,
            installed_at=options.installed,
            history_days=options.history_days,
        ),
        start=options.clock or datetime.now(JST),
        id=options.id,
        password=options.password,
        seed=options.seed,
        speed=options.speed,
        hexadecimal=options.payload == "hex",
        echo=options.echo,
        clock_offset=options.clock_offset,
    )


async def _serve(options: argparse.Namespace, truth_log: TextIO | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _home(options) as home:
        if truth_log is not None:
            home.meter.on_answer = lambda answer: truth_log.write(answer.to_json() + "\n")
        port: PtyPort | TcpPort
        if options.tcp is None:
            port = PtyPort(home.module.uart, Path(options.pty) if options.pty else None)
        else:
            port = TcpPort(home.module.uart, options.tcp)
            await port.start()
        control = Control(home, Happenings(home, port))
        try:
            ready = {"port": port.name, "id": options.id, "password": options.password}
            if options.control is not None:
                ready["control"] = await control.serve(options.control)
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            await stop.wait()
        finally:
            control.close()
            port.close()


def main() -> None:
    """Run until interrupted or terminated."""
    options = _parser().parse_args()
    if options.truth_log is None:
        asyncio.run(_serve(options, None))
        return
    with options.truth_log.open("a", encoding="utf-8", buffering=1) as truth_log:
        asyncio.run(_serve(options, truth_log))


if __name__ == "__main__":
    main()
