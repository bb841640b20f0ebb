"""The command line: a meter and a module without Home Assistant.

Above: a person or a program. Below: `SmartMeter`, and `identify()` for a module by itself.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
import getpass
import json
import os
import sys
from typing import Any

from .credentials import ID_LENGTH, PASSWORD_LENGTH, Credentials
from .echonet import smart_meter, super_class
from .echonet.values import JST
from .exceptions import (
    BrouteError,
    CredentialsRefusedError,
    MalformedCredentialsError,
    MeterNotFoundError,
    ModuleError,
    NotAModuleError,
    NotSentError,
    PortBusyError,
    PortError,
    PortMissingError,
    PortSharedError,
    PropertyRefusedError,
)
from .link.base import Module
from .link.identify import identify
from .link.port import open_with_serialx
from .memory import Memory
from .memory_file import MemoryFile
from .meter import SmartMeter
from .reactions import SessionState
from .readings import CountersAt, Reading
from .session import Session

EXIT_USAGE = 2
EXIT_PORT = 3
EXIT_NOT_FOUND = 4
EXIT_REFUSED = 5
EXIT_SILENT = 6
EXIT_INTERRUPTED = 130

MIN_INTERVAL_S = 5.0
DEFAULT_INTERVAL_S = 30.0

_OUTCOMES: tuple[tuple[type[BrouteError], int, str], ...] = (
    (MalformedCredentialsError, EXIT_USAGE, "Compare it with the utility's letter"),
    (PortMissingError, EXIT_PORT, "Check --port, and that the module is plugged in"),
    (PortBusyError, EXIT_PORT, "End the other program: Home Assistant, perhaps"),
    (PortSharedError, EXIT_PORT, "End the other program: Home Assistant, perhaps, or a terminal"),
    (PortError, EXIT_PORT, "Check --port, the cable, and the rights of this user"),
    (NotAModuleError, EXIT_PORT, "Check --port and the module; unplug it and plug it in again"),
    (NotSentError, EXIT_SILENT, "Move the module nearer to the meter, or try later"),
    (ModuleError, EXIT_PORT, "Unplug the module, plug it in again, and try once more"),
    (MeterNotFoundError, EXIT_NOT_FOUND, "Move the module nearer to the meter, and compare the ID with the letter"),
    (CredentialsRefusedError, EXIT_REFUSED, "Compare the password with the letter; a weak signal can look the same"),
    (BrouteError, EXIT_SILENT, "Try again in some minutes, with the module nearer to the meter"),
)
"""Exit code and advice for each kind of failure; the first that fits counts."""

type Work = Callable[[argparse.Namespace], Awaitable[None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = _parser().parse_args(arguments)
    work: Work = options.work
    try:
        options.credentials = None if work is _identify else _credentials()
        asyncio.run(_run(work, options))
    except BrouteError as err:
        code, advice = next((code, advice) for kind, code, advice in _OUTCOMES if isinstance(err, kind))
        print(f"{err}. {advice}.", file=sys.stderr)
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; the interpreter must not try to write the rest at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


async def _run(work: Work, options: argparse.Namespace) -> None:
    await work(options)


def _parser() -> argparse.ArgumentParser:
    port = argparse.ArgumentParser(add_help=False)
    port.add_argument("--port", required=True, metavar="URL", help="a path, or socket://host:port, rfc2217://host:port")
    port.add_argument("--json", action="store_true", help="write JSON, for programs")
    parser = argparse.ArgumentParser(
        prog="broute",
        description="Read a Japanese smart meter over route B.",
        epilog="The B-route ID and the password are taken from BROUTE_ID and BROUTE_PASSWORD, else asked for.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, work: Work, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[port], help=text, description=text)
        command.set_defaults(work=work)
        return command

    add("identify", _identify, "Tell which module is behind the port.")
    add("scan", _scan, "Tell how well the meter is heard.")
    add("read", _read, "Read the meter once.")
    watch = add("watch", _watch, "Read the meter again and again, also after the link was lost.")
    watch.add_argument(
        "--interval", type=_interval, default=DEFAULT_INTERVAL_S, metavar="SECONDS", help="default: %(default)g"
    )
    history = add("history", _history, "Print the meter's own log: both counters at each half hour.")
    history.add_argument(
        "--days", type=_days, default=1, help="so many days before today, and today (default: %(default)d)"
    )
    return parser


def _interval(text: str) -> float:
    value = float(text)
    if not MIN_INTERVAL_S <= value <= 86400:
        raise argparse.ArgumentTypeError(f"between {MIN_INTERVAL_S:g} and 86400 seconds")
    return value


def _days(text: str) -> int:
    value = int(text)
    if not 0 <= value <= smart_meter.MAX_DAYS_BACK:
        raise argparse.ArgumentTypeError(f"between 0 and {smart_meter.MAX_DAYS_BACK} days")
    return value


def _credentials() -> Credentials:
    """Take the ID and the password from the environment, else ask: an option would show in the process list."""
    try:
        route_b_id = os.environ.get("BROUTE_ID") or getpass.getpass(f"B-route ID ({ID_LENGTH} characters): ")
        password = os.environ.get("BROUTE_PASSWORD") or getpass.getpass(f"Password ({PASSWORD_LENGTH} characters): ")
    except EOFError:
        raise MalformedCredentialsError("BROUTE_ID and BROUTE_PASSWORD are not set") from None
    return Credentials.parse(route_b_id, password)


@asynccontextmanager
async def _remembered_meter(options: argparse.Namespace) -> AsyncIterator[SmartMeter]:
    """Open the meter with what was remembered, close it, and remember it. A meter is read without a memory too."""
    file: MemoryFile | None = None
    memory: Memory | None = None
    try:
        file = MemoryFile.of(options.credentials)
        memory = file.load()
    except OSError as err:
        print(f"What was remembered of the meter cannot be read: {err.strerror or err}.", file=sys.stderr)
    meter = SmartMeter(options.port, options.credentials, memory=memory)
    try:
        async with meter:
            yield meter
    finally:
        try:
            if file and meter.network:
                file.save(meter.memory)
        except OSError as err:
            print(f"The meter cannot be remembered: {err.strerror or err}.", file=sys.stderr)


# The commands.


async def _identify(options: argparse.Namespace) -> None:
    link = await identify(open_with_serialx, options.port)
    await link.close()
    found = _module_fields(link.module) | {
        "application_version": link.module.application_version,
        "payload": "hex" if link.module.hex_payload else "binary",
    }
    _print_object(found, options)


async def _scan(options: argparse.Namespace) -> None:
    session = Session(options.port, options.credentials)
    try:
        networks = await session.scan()
    finally:
        await session.close()
    if not networks:
        raise MeterNotFoundError("No meter with this ID was heard")
    heard = [
        {
            "channel": network.channel,
            "rssi_dbm": network.rssi_dbm,
            "lqi": network.lqi,
            "ours": network.pairing_id == options.credentials.pairing_id,
        }
        for network in networks
    ]
    _print_rows(heard, options)


async def _read(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with _remembered_meter(options) as meter:
        await meter.joined()
        joined = loop.time()
        await meter.describe()
        reading = await meter.read()
        fields = _reading_fields(reading) | await _standing_fields(meter)
        fields["timing"] = {"connect_s": round(joined - started, 3), "read_s": round(loop.time() - joined, 3)}
        _print_object(fields, options)


async def _watch(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    half_hours: list[CountersAt] = []
    async with _remembered_meter(options) as meter:
        meter.on_half_hour(half_hours.append)
        await meter.joined()
        while True:
            due = loop.time() + options.interval
            try:
                if not meter.is_described:
                    await meter.describe()
                reading = await meter.read()
            except BrouteError as err:
                print(f"{err}. It is tried again.", file=sys.stderr, flush=True)
                await asyncio.sleep(due - loop.time())
                await _joined_again(meter)
                continue
            fields: dict[str, Any] = {"time": datetime.now(JST).isoformat(timespec="seconds")}
            fields |= _reading_fields(reading)
            fields["rssi_dbm"] = meter.rssi_dbm
            if half_hours:
                fields |= _half_hour_fields(half_hours[-1])
                del half_hours[:-1]
            _print_row(fields, options)
            await asyncio.sleep(due - loop.time())


async def _joined_again(meter: SmartMeter) -> None:
    """Wait until there is a session, however many attempts it takes."""
    joined = asyncio.Event()
    unsubscribe = meter.on_state(lambda state: joined.set() if state is SessionState.JOINED else None)
    try:
        if meter.state is not SessionState.JOINED:
            await joined.wait()
    finally:
        unsubscribe()


async def _history(options: argparse.Namespace) -> None:
    slots: dict[datetime, CountersAt] = {}
    async with _remembered_meter(options) as meter:
        await meter.joined()
        today = (await meter.read_clock()).shown.date()
        for days_back in range(options.days + 1):
            try:
                day = await meter.history(today - timedelta(days=days_back))
            except PropertyRefusedError:
                if not slots:
                    raise
                break
            kept = [slot for slot in day if slot.import_kwh is not None or slot.export_kwh is not None]
            if not kept:
                break
            # What is still to come today is no part of the log; a gap within a day is.
            slots |= {slot.at: slot for slot in day[: day.index(kept[-1]) + 1]}
    rows = [
        {
            "start": slot.at.isoformat(),
            "import_kwh": _number(slot.import_kwh),
            "export_kwh": _number(slot.export_kwh),
        }
        for _, slot in sorted(slots.items())
    ]
    _print_rows(rows, options)


# What is printed.


def _reading_fields(reading: Reading) -> dict[str, Any]:
    for err in reading.errors.values():
        print(f"Not readable: {err}.", file=sys.stderr)
    return {
        "power_w": reading.power_w,
        "current_r_a": _number(reading.current_r_a),
        "current_t_a": _number(reading.current_t_a),
        "import_kwh": _number(reading.import_kwh),
        "export_kwh": _number(reading.export_kwh),
    }


def _half_hour_fields(half_hour: CountersAt | None) -> dict[str, Any]:
    return {
        "fixed_time": half_hour.at.isoformat() if half_hour else None,
        "fixed_import_kwh": _number(half_hour.import_kwh) if half_hour else None,
        "fixed_export_kwh": _number(half_hour.export_kwh) if half_hour else None,
    }


async def _standing_fields(meter: SmartMeter) -> dict[str, Any]:
    """Read and list what changes rarely or never."""
    constants = meter.constants or await meter.describe()
    codecs = [super_class.OPERATION_STATUS, super_class.FAULT_STATUS, smart_meter.NORMAL_FIXED_TIME]
    if constants.measures_export:
        codecs.append(smart_meter.REVERSE_FIXED_TIME)
    answers = await meter.get(*codecs)
    return _half_hour_fields(meter.half_hour(answers)) | {
        "operating": answers.value(super_class.OPERATION_STATUS),
        "fault": answers.value(super_class.FAULT_STATUS),
        "effective_digits": constants.scale.effective_digits,
        "unit_kwh": _number(constants.scale.unit_kwh),
        "coefficient": constants.scale.coefficient,
        "manufacturer": None if constants.manufacturer_code is None else f"{constants.manufacturer_code:06X}",
        "serial_number": constants.serial_number,
        "standard_version": constants.standard_version,
        "properties": [f"{epc:02X}" for epc in sorted(constants.get_map)],
        "module": _module_fields(meter.module) if meter.module else None,
        "rssi_dbm": meter.rssi_dbm,
        "lqi": meter.lqi,
    }


def _module_fields(module: Module) -> dict[str, Any]:
    return {"dialect": module.dialect, "version": module.version}


def _number(value: Decimal | None) -> float | int | None:
    """Return a JSON number: with at most 12 digits a float writes exactly what the decimal says."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _print_object(fields: Mapping[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(fields), flush=True)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name:<{width}}  {_text(value)}", flush=True)


def _print_rows(rows: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(rows), flush=True)
        return
    table = [list(rows[0]) if rows else []] + [[_text(value) for value in row.values()] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for cells in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip(), flush=True)


def _print_row(fields: Mapping[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(fields), flush=True)
    else:
        print("  ".join(f"{name} {_text(value)}" for name, value in fields.items()), flush=True)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return " ".join(_text(part) for part in value)
    return "-" if value is None else str(value)
