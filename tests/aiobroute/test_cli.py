"""The command line as a person runs it: a process, a real pty, a simulated module behind it."""

from itertools import pairwise
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.aiobroute.served import ID, PASSWORD, TOP, simulator

DEADLINE_S = 120

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture(autouse=True)
def memories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let what is remembered be kept in a folder of the test; return it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "broute"


def broute(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOP / "script/broute", *arguments],
        env=os.environ | {"BROUTE_ID": ID, "BROUTE_PASSWORD": PASSWORD} | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def truths(tmp_path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (tmp_path / "truth").read_text().splitlines()]
    return [line for line in lines if line["esv"] == "72"]


def assert_one_line(result: subprocess.CompletedProcess[str]) -> None:
    """What went wrong is told in one line, which names no secret."""
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert ID not in result.stderr
    assert PASSWORD not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("BP35A1", ("--payload", "hex", "--echo")),
        ("BP35A1", ("--payload", "binary", "--no-echo")),
        ("BP35C2", ("--payload", "hex", "--no-echo")),
        ("BP35C2", ("--payload", "binary", "--echo", "--meter", "release-r", "--unit", "02", "--digits", "8")),
        ("RL7023-IPS", ("--meter", "okinawa")),
        ("RS-WSUHA-P", ("--meter", "two-wire", "--no-export")),
    ],
)
def test_read_prints_the_truth(tmp_path: Path, module: str, options: tuple[str, ...]) -> None:
    with simulator(tmp_path, "--speed", "50", "--module", module, *options) as port:
        result = broute("read", "--port", port, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    printed = json.loads(result.stdout)
    at_reading = [line["truth"] for line in truths(tmp_path) if {"E7", "E0", "E3"} <= set(line["epcs"])][-1]
    for name in ("current_r_a", "current_t_a", "import_kwh", "export_kwh", "fixed_import_kwh", "fixed_export_kwh"):
        expected = at_reading[name]
        assert printed[name] == (None if expected is None else float(expected)), name
    assert printed["power_w"] == at_reading["power_w"]
    assert printed["fixed_time"] == at_reading["fixed_time"]
    assert printed["fixed_time"].endswith("+09:00")
    assert printed["operating"] is True
    assert printed["fault"] is False
    assert printed["effective_digits"] == (8 if "--digits" in options else 6)
    assert printed["unit_kwh"] == (0.01 if "--unit" in options else 0.1)
    assert printed["coefficient"] == 1
    assert printed["manufacturer"] == "000016"
    assert printed["serial_number"] == (None if "okinawa" in options else "AB12C34567")
    assert printed["standard_version"] == ("R" if "release-r" in options else "F")
    assert {"E0", "E3", "E7", "E8"} <= set(printed["properties"])
    assert ("D0" in printed["properties"]) == ("release-r" in options)
    single = module in ("BP35A1", "RL7023-IPS")
    assert printed["module"]["dialect"] == ("single-stack" if single else "dual-stack")
    assert printed["module"]["version"]
    assert -110 < printed["rssi_dbm"] < -20
    assert printed["rssi_dbm"] == round(0.275 * printed["lqi"] - 104.27, 1)
    assert set(printed["timing"]) == {"connect_s", "read_s"}


BY_HALF_HOURS = """
from dataclasses import replace
from simulator.models import MODELS, RELEASE_F
MODELS["by-half-hours"] = replace(RELEASE_F, readable=RELEASE_F.readable - {0xE2, 0xE4, 0xE5}, settable={0x81, 0xED})
"""
KEEPS_TODAY = """
from simulator.properties import MeterObject
write = MeterObject.write
MeterObject.write = lambda meter, epc, edt: (epc, edt) < (0xE5, b"\\1") and write(meter, epc, edt)
"""


def test_history_prints_the_counter_at_each_half_hour(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "50", "--clock", "2026-11-21T18:24:00") as port:
        result = broute("history", "--port", port, "--days", "1", "--json")
        assert result.returncode == 0, result.stderr
        rows = json.loads(result.stdout)
        assert [row["start"] for row in rows][:2] == ["2026-11-20T00:00:00+09:00", "2026-11-20T00:30:00+09:00"]
        assert rows[-1]["start"] == "2026-11-21T18:00:00+09:00"
        assert len(rows) == 48 + 37
        fixed = truths(tmp_path)[-1]["truth"]
        assert rows[-1]["import_kwh"] == float(fixed["fixed_import_kwh"])
        assert rows[-1]["export_kwh"] == float(fixed["fixed_export_kwh"])
        assert all(a["import_kwh"] <= b["import_kwh"] for a, b in pairwise(rows))


def test_history_is_read_by_half_hours_from_a_meter_that_gives_no_days(tmp_path: Path) -> None:
    options = ("--meter", "by-half-hours", "--speed", "50", "--clock", "2026-11-21T05:10:00")
    with simulator(tmp_path, *options, before=BY_HALF_HOURS) as port:
        result = broute("history", "--port", port, "--days", "0", "--json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert [rows[0]["start"], rows[-1]["start"]] == ["2026-11-21T00:00:00+09:00", "2026-11-21T05:00:00+09:00"]
    assert rows[-1]["import_kwh"] == float(truths(tmp_path)[-1]["truth"]["fixed_import_kwh"])


def test_history_ends_before_the_first_day_that_the_meter_refuses(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "50", "--clock", "2026-11-21T18:24:00", before=KEEPS_TODAY) as port:
        result = broute("history", "--port", port, "--days", "7", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[0]["start"] == "2026-11-21T00:00:00+09:00"


def test_a_table_is_printed_for_people(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "50", "--clock", "2026-11-21T18:24:00") as port:
        result = broute("history", "--port", port, "--days", "0")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1 + 37
    assert result.stdout.splitlines()[0].split() == ["start", "import_kwh", "export_kwh"]


def test_identify_needs_no_credentials(tmp_path: Path) -> None:
    with simulator(tmp_path, "--module", "BP35A1", "--payload", "binary") as port:
        result = broute("identify", "--port", port, "--json", BROUTE_ID="", BROUTE_PASSWORD="")
    assert json.loads(result.stdout) == {
        "dialect": "single-stack",
        "version": "1.2.10",
        "application_version": "rev26e",
        "payload": "binary",
    }


def test_scan_tells_how_well_the_meter_is_heard(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port:
        result = broute("scan", "--port", port, "--json")
    (heard,) = json.loads(result.stdout)
    assert heard["ours"] is True
    assert set(heard) == {"channel", "rssi_dbm", "lqi", "ours"}
    assert heard["rssi_dbm"] == round(0.275 * heard["lqi"] - 104.27, 1)


def test_scan_tells_that_no_meter_is_heard(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port:
        result = broute("scan", "--port", port, BROUTE_ID="F" * 32)
    assert result.returncode == 4
    assert_one_line(result)


@pytest.mark.parametrize("command", ["read", "watch", "history", "scan"])
@pytest.mark.parametrize(
    "malformed", [{"BROUTE_ID": ID[1:]}, {"BROUTE_PASSWORD": PASSWORD + "0"}, {"BROUTE_ID": ""}], ids=str
)
def test_malformed_credentials_are_told_before_the_port_is_touched(
    tmp_path: Path, command: str, malformed: dict[str, str]
) -> None:
    result = broute(command, "--port", tmp_path / "missing", **malformed)
    assert result.returncode == 2
    assert "letter" in result.stderr or "BROUTE_ID" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("read",),
        ("read", "--port"),
        ("watch", "--port", "x", "--interval", "1"),
        ("history", "--port", "x", "--days", "100"),
    ],
)
def test_a_wrong_usage_is_told(arguments: tuple[str, ...]) -> None:
    result = broute(*arguments)
    assert result.returncode == 2
    assert "usage: broute" in result.stderr


@pytest.mark.parametrize("port", ["missing", "socket://127.0.0.1:9", "nonsense://x"])
def test_a_port_that_cannot_be_opened(tmp_path: Path, port: str) -> None:
    result = broute("read", "--port", tmp_path / port if port == "missing" else port)
    assert result.returncode == 3
    assert_one_line(result)


def test_a_port_without_a_module_is_told_within_five_seconds() -> None:
    controller, terminal = os.openpty()
    started = time.monotonic()
    result = broute("identify", "--port", os.ttyname(terminal))
    assert result.returncode == 3
    assert "Wi-SUN module" in result.stderr
    assert time.monotonic() - started < 5 + 3  # the interpreter and the set-up check need their time too
    assert_one_line(result)
    os.close(controller)
    os.close(terminal)


def test_a_meter_that_is_not_heard(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port:
        result = broute("read", "--port", port, BROUTE_ID="F" * 32)
    assert result.returncode == 4
    assert "ID" in result.stderr
    assert_one_line(result)


def test_a_meter_that_refuses_the_password(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port:
        result = broute("read", "--port", port, BROUTE_PASSWORD="F" * 12)
    assert result.returncode == 5
    assert "password" in result.stderr
    assert_one_line(result)


def watch(port: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [TOP / "script/broute", "watch", "--port", port, "--interval", "5", *options],
        env=os.environ | {"BROUTE_ID": ID, "BROUTE_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_watch_prints_a_line_a_reading_and_closes_the_session_when_interrupted(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port, watch(port, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert process.stderr.read() == ""
        assert all({"time", "power_w", "import_kwh", "export_kwh"} <= set(line) for line in lines)
        # The port is free for the next one.
        assert broute("identify", "--port", port).returncode == 0


def test_watch_goes_on_when_the_meter_does_not_say_at_first_what_it_is(tmp_path: Path) -> None:
    control = tmp_path / "control"
    with simulator(tmp_path, "--speed", "100", "--control", str(control)) as port:
        # Every meter must have a list of its properties; what is missing is asked for once more, twice.
        switch(control, replaced_values={"9F": ["", "", ""]})
        with watch(port, "--json") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "It is tried again" in process.stderr.readline()
            assert "power_w" in json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 130


TO_A_UNIX_SOCKET = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
client.connect(sys.argv[1])
client.sendall(sys.stdin.buffer.read())
print(client.makefile().readline(), end="")
"""


def switch(control: Path, **faults: Any) -> None:
    """Set faults of the simulation; in a process of its own, for tests may connect to no such socket."""
    result = subprocess.run(
        [sys.executable, "-c", TO_A_UNIX_SOCKET, control],
        input=json.dumps({"set": faults}) + "\n",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert json.loads(result.stdout) == {"ok": True}


def test_the_second_run_joins_without_a_scan(tmp_path: Path, memories: Path) -> None:
    with simulator(tmp_path, "--speed", "50", "--control", str(tmp_path / "control")) as port:
        assert broute("read", "--port", port).returncode == 0
        (file,) = memories.iterdir()
        # The first run has ended its session; a day later the meter has rested.
        file.write_text(json.dumps(json.loads(file.read_text()) | {"left_at": None}))
        switch(tmp_path / "control", scan_misses=1000)
        result = broute("read", "--port", port, "--json")
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        # It is of no use with another password.
        assert broute("read", "--port", port, BROUTE_PASSWORD="F" * 12).returncode == 4


def test_a_meter_is_read_also_where_nothing_can_be_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with simulator(tmp_path, "--speed", "50") as port:
        result = broute("read", "--port", port, XDG_STATE_HOME=str(tmp_path / "file"))
    assert result.returncode == 0
    assert result.stderr.splitlines() == [
        "What was remembered of the meter cannot be read: Not a directory.",
        "The meter cannot be remembered: Not a directory.",
    ]


def test_nothing_is_remembered_of_a_port_that_cannot_be_opened(tmp_path: Path, memories: Path) -> None:
    assert broute("read", "--port", tmp_path / "missing").returncode == 3
    assert not memories.exists()


def test_watch_ends_quietly_when_nobody_reads_any_more(tmp_path: Path) -> None:
    with simulator(tmp_path, "--speed", "100") as port, watch(port) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("time ")
        process.stdout.close()
        process.wait(DEADLINE_S)
        assert process.stderr.read() == ""
