"""What the README tells to type to read a meter without Home Assistant, typed."""

import os
from pathlib import Path
import re
import signal
import subprocess

import pytest

from tests.aiobroute.served import ID, PASSWORD, TOP, simulator

# A day of the log is three requests, and requests are 5 s apart.
DEADLINE_S = 300

pytestmark = [pytest.mark.usefixtures("socket_enabled"), pytest.mark.timeout(2 * DEADLINE_S)]


def start(command: str, port: Path, folder: Path) -> subprocess.Popen[str]:
    """Start a command of the README with the simulated module's port."""
    return subprocess.Popen(
        [str(port) if word == "/dev/ttyUSB0" else word for word in command.split()],
        cwd=TOP,
        env=os.environ | {"BROUTE_ID": ID, "BROUTE_PASSWORD": PASSWORD, "XDG_STATE_HOME": str(folder / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_commands_of_the_readme_work(tmp_path: Path) -> None:
    text = (TOP / "README.md").read_text("utf-8")
    commands = re.findall(r"^(script/broute (\w+) .*?)(?: +#.*)?$", text, re.MULTILINE)
    assert [name for _, name in commands] == ["identify", "scan", "read", "watch", "history"]
    with simulator(tmp_path, "--speed", "100") as port:
        for command, name in commands:
            with start(command, port, tmp_path) as process:
                if name == "watch":
                    assert process.stdout is not None
                    assert process.stdout.readline()
                    process.send_signal(signal.SIGINT)
                told, complaints = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == (130 if name == "watch" else 0), complaints
            assert complaints == ""
            assert told or name == "watch"
