"""`python -m simulator` serves a port to other processes, in real time."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import select
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from tests.simulator.j11 import request
from tests.simulator.peer import ADDRESS

DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    """Run the simulator, yield what it says when it is ready, and end it."""
    command = [sys.executable, "-m", "simulator", "--speed", "50", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], DEADLINE_S)[0], "not ready in time"
            yield json.loads(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


def read_until(descriptor: int, end: bytes) -> bytes:
    """Return what a descriptor gives up to `end`."""
    data = b""
    deadline_s = time.monotonic() + DEADLINE_S
    while not data.endswith(end):
        assert select.select([descriptor], [], [], max(0.0, deadline_s - time.monotonic()))[0], data
        # Not a byte more: what comes behind the end may be there already, and belongs to the next one who reads.
        data += os.read(descriptor, 1)
    return data


def opened(name: str) -> int:
    """Open a terminal as a serial port."""
    descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY)
    assert not termios.tcgetattr(descriptor)[3] & termios.ECHO
    return descriptor


def test_a_pseudo_terminal_outlives_its_client(tmp_path: Path) -> None:
    link = tmp_path / "module"
    with served("--pty", str(link), "--module", "BP35A1", "--no-echo") as ready:
        assert ready == {
            "port": str(link),
            "id": "00112233445566778899AABBCCDDEEFF",
            "password": "0123456789AB",
        }
        for _ in range(3):
            port = opened(ready["port"])
            os.write(port, b"SKVER\r\n")
            assert read_until(port, b"OK\r\n") == b"EVER 1.2.10\r\nOK\r\n"
            os.write(port, b"SKINFO\r\n")
            os.close(port)
            time.sleep(0.1)
    assert not link.is_symlink()


def test_a_pseudo_terminal_without_link_is_named_by_its_device() -> None:
    with served("--pty", "--module", "RS-WSUHA-P", "--payload", "binary") as ready:
        port = opened(ready["port"])
        os.write(port, b"ROPT\r")
        assert read_until(port, b"00\r") == b"ROPT\rOK 00\r"
        os.close(port)


@pytest.mark.usefixtures("socket_enabled")
def test_a_socket_takes_one_client_at_a_time() -> None:
    with served("--tcp", "0", "--no-echo") as ready:
        scheme, _, port = ready["port"].rpartition(":")
        assert scheme == "socket://127.0.0.1"
        with socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S) as first:
            first.sendall(b"SKVER\r\n")
            assert read_until(first.fileno(), b"OK\r\n") == b"EVER 1.5.2\r\nOK\r\n"
            with socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S) as second:
                assert second.recv(1) == b""
        with socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S) as third:
            third.sendall(b"SKVER\r\n")
            assert read_until(third.fileno(), b"OK\r\n").endswith(b"EVER 1.5.2\r\nOK\r\n")


def test_a_j11_module_is_served_as_well() -> None:
    version = bytes.fromhex("D0F9EE5D206B000D03AC00A801040001030000158A")
    with served("--pty", "--module", "RS-WSUHA-J11") as ready:
        port = opened(ready["port"])
        os.write(port, b"SKVER\r\n" + request(0x006B))
        assert read_until(port, version[-1:]) == version
        os.close(port)


def test_a_session_over_a_pseudo_terminal_is_logged_with_its_truth(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    options = ("--clock", "2026-11-21T18:24:00", "--unit", "02", "--digits", "8", "--seed", "7", "--no-export")
    with served("--pty", "--truth-log", str(log), "--meter", "okinawa", *options) as ready:
        port = opened(ready["port"])
        identity, password = ready["id"], ready["password"]
        for command in ("SKSREG SFE 0", f"SKSETPWD C {password}", f"SKSETRBID {identity}", "SKSREG S3 8888"):
            os.write(port, command.encode() + b"\r\n")
            read_until(port, b"OK\r\n")
        os.write(port, f"SKJOIN {ADDRESS}\r\n".encode())
        read_until(port, f"EVENT 25 {ADDRESS} 0\r\n".encode())
        os.write(
            port, f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 0010 ".encode() + bytes.fromhex("10810ABC05FF010288016202E000E700")
        )
        read_until(port, b"OK\r\n")
        line = read_until(port, b"\r\n").decode().split()[-1]
        while "0ABC" not in line:
            line = read_until(port, b"\r\n").decode().split()[-1]
        os.close(port)
    noted = json.loads(log.read_text().splitlines()[-1])
    assert noted["tid"] == "0ABC"
    assert noted["at"].startswith("2026-11-21T18:24:")
    assert noted["truth"]["export_kwh"] == "0.00"
    assert int(line[28:36], 16) == int(noted["truth"]["import_kwh"].replace(".", ""))
    assert int(line[-8:], 16) == noted["truth"]["power_w"]


@pytest.mark.usefixtures("socket_enabled")
def test_a_meter_has_the_past_that_was_ordered() -> None:
    log = (
        *("--installed", "2026-11-19T12:00:00", "--initial-import", "999990", "--initial-export", "70"),
        *("--history-days", "1", "--clock", "2026-11-21T18:24:00", "--clock-offset", "-600.5"),
    )
    with served("--pty", "--no-echo", "--control", "0", *log) as ready:
        host, _, port_number = ready["control"].rpartition(":")
        with socket.create_connection((host, int(port_number)), DEADLINE_S) as control:

            def truth(at: str) -> dict[str, str]:
                control.sendall(json.dumps({"ask": "truth", "at": at}).encode() + b"\n")
                told: dict[str, str] = json.loads(read_until(control.fileno(), b"\n"))["truth"]
                return told

            begin = truth("2026-11-19T12:00:00")
            logged = truth("2026-11-21T18:10:00.500")
            assert truth("2026-11-19T11:59:59")["import_kwh"] is None
        assert (begin["import_kwh"], begin["export_kwh"]) == ("99999.0", "7.0")
        assert begin["fixed_time"] == "2026-11-19T11:30:00+09:00"
        assert logged["fixed_time"] == "2026-11-21T18:00:00+09:00"
        port = opened(ready["port"])
        for command in (f"SKSETPWD C {ready['password']}", f"SKSETRBID {ready['id']}", "SKSREG S3 8888"):
            os.write(port, command.encode() + b"\r\n")
            read_until(port, b"OK\r\n")
        os.write(port, f"SKJOIN {ADDRESS}\r\n".encode())
        read_until(port, f"EVENT 25 {ADDRESS} 0\r\n".encode())
        days = [day_of_the_log(port, days_back) for days_back in range(3)]
        os.close(port)
    assert int(days[0][36], 16) == int(logged["fixed_import_kwh"].replace(".", ""))
    assert days[0][37:] == ["FFFFFFFE"] * 11
    assert "FFFFFFFE" not in days[1]
    assert days[2] == ["FFFFFFFE"] * 48


@pytest.mark.usefixtures("socket_enabled")
def test_a_house_has_the_load_that_was_ordered() -> None:
    with served("--pty", "--load", "-1200", "--control", "0") as ready:
        host, _, port_number = ready["control"].rpartition(":")
        with socket.create_connection((host, int(port_number)), DEADLINE_S) as control:

            def asked(request: dict[str, object]) -> dict[str, object]:
                control.sendall(json.dumps(request).encode() + b"\n")
                told: dict[str, object] = json.loads(read_until(control.fileno(), b"\n"))
                return told

            def power() -> object:
                truth = asked({"ask": "truth"})["truth"]
                assert isinstance(truth, dict)
                return truth["power_w"]

            assert power() == -1200
            assert asked({"happen": "load_stepped", "with": {"power_w": 300}}) == {"ok": True}
            assert power() == 300


def day_of_the_log(port: int, days_back: int) -> list[str]:
    """Return the counts of a day of the log, by a SetGet of E5 and E2."""
    frame = bytes.fromhex(f"1081{days_back + 1:04X}05FF010288016E01E501{days_back:02X}01E200")
    os.write(port, f"SKSENDTO 1 {ADDRESS} 0E1A 1 0 {len(frame):04X} ".encode() + frame)
    read_until(port, b"OK\r\n")
    while f" 1081{days_back + 1:04X}" not in (line := read_until(port, b"\r\n").decode()):
        pass
    counts = line.split()[-1][-48 * 8 :]
    return [counts[at : at + 8] for at in range(0, len(counts), 8)]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--unit", "05"),
        ("--installed", "lately"),
        ("--initial-import", "-1"),
        ("--initial-export", "100000000"),
        ("--history-days", "100"),
        ("--clock-offset", "nan"),
        ("--clock-offset", "1e12"),
        ("--load", "100001"),
    ],
)
def test_a_wrong_option_is_refused(option: str, value: str) -> None:
    command = [sys.executable, "-m", "simulator", "--tcp", "0", option, value]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 2
    assert option.encode() in done.stderr
