"""The control port of `python -m simulator`, and the ports that vanish and come back, in real time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import json
import os
from pathlib import Path
import select
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.simulator.test_process import DEADLINE_S, ROOT, opened, read_until, served

pytestmark = pytest.mark.usefixtures("socket_enabled")


TO_A_UNIX_SOCKET = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
client.connect(sys.argv[1])
client.sendall(sys.stdin.buffer.read())
print(client.makefile().readline(), end="")
"""


@contextmanager
def controlled(where: str) -> Iterator[socket.socket]:
    """Connect to a control port."""
    host, port = where.split(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as client:
        yield client


def ask(client: socket.socket, request: dict[str, object]) -> dict[str, Any]:
    """Send a request and return its answer."""
    client.sendall(json.dumps(request).encode() + b"\n")
    answer: dict[str, Any] = json.loads(read_until(client.fileno(), b"\n"))
    return answer


def wait_for_hang_up(descriptor: int) -> None:
    """Wait until the other end of a terminal is gone."""
    poll = select.poll()
    poll.register(descriptor, 0)
    assert poll.poll(DEADLINE_S * 1000)


def version(name: str) -> bytes:
    """Ask the module behind a terminal for its version."""
    port = opened(name)
    try:
        os.write(port, b"SKVER\r\n")
        return read_until(port, b"OK\r\n")
    finally:
        os.close(port)


def test_a_unix_socket_is_there_as_long_as_the_simulator(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with served("--pty", "--control", str(path)) as ready:
        assert ready["control"] == str(path)
        # Sockets of this family are barred in the tests' own process.
        command = [sys.executable, "-c", TO_A_UNIX_SOCKET, str(path)]
        request = b'{"ask": "faults"}\n'
        done = subprocess.run(command, input=request, capture_output=True, check=True, timeout=DEADLINE_S)
        assert json.loads(done.stdout) == {"ok": True, "faults": {}}
    assert not path.exists()


def test_several_clients_see_the_same_faults() -> None:
    with served("--pty", "--control", "0") as ready:
        assert ready["control"].startswith("127.0.0.1:")
        with controlled(ready["control"]) as first, controlled(ready["control"]) as second:
            assert ask(first, {"set": {"module_mute": True}}) == {"ok": True}
            assert ask(second, {"ask": "faults"}) == {"ok": True, "faults": {"module_mute": True}}


def test_several_lines_at_once_are_answered_in_order() -> None:
    with served("--pty", "--control", "0") as ready, controlled(ready["control"]) as client:
        client.sendall(b'{"ask": "faults"}\nnothing\n{"off": []}\n')
        client.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: client.recv(4096), b"")).splitlines()
        assert [next(iter(json.loads(answer))) for answer in answers] == ["ok", "error", "ok"]


def test_a_line_without_end_is_refused_and_others_are_still_served() -> None:
    with served("--pty", "--control", "0") as ready:
        with controlled(ready["control"]) as client:
            client.sendall(b"x" * 20_000)
            assert b"at most 16384 bytes" in read_until(client.fileno(), b"\n")
            client.settimeout(DEADLINE_S)
            # It resets the connection if it had not read everything.
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
        with controlled(ready["control"]) as client:
            assert ask(client, {"off": []}) == {"ok": True}


def test_a_client_that_leaves_without_its_answer_disturbs_nobody() -> None:
    with served("--pty", "--control", "0") as ready:
        for _ in range(3):
            with controlled(ready["control"]) as client:
                client.sendall(b'{"ask": "help"}\n' * 500)
        with controlled(ready["control"]) as client:
            assert ask(client, {"off": []}) == {"ok": True}


def test_the_end_hangs_up_on_whoever_is_there() -> None:
    with served("--pty", "--control", "0") as ready, controlled(ready["control"]) as client:
        assert ask(client, {"off": []}) == {"ok": True}
        ended = client.dup()
    with ended:
        assert ended.recv(1) == b""


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--pty", "--control", str(tmp_path / "missing" / "control")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert done.stdout == b""


def test_a_pseudo_terminal_vanishes_under_its_client_and_comes_back_under_its_name(tmp_path: Path) -> None:
    link = tmp_path / "module"
    with (
        served("--pty", str(link), "--no-echo", "--control", "0") as ready,
        controlled(ready["control"]) as client,
    ):
        port = opened(str(link))
        os.write(port, b"SKVER\r\n")
        read_until(port, b"OK\r\n")
        assert ask(client, {"happen": "port_unplugged"}) == {"ok": True}
        wait_for_hang_up(port)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(port, b"SKVER\r\n")
        os.close(port)
        assert not link.is_symlink()
        assert ask(client, {"happen": "port_unplugged"}) == {"ok": True}
        assert ask(client, {"happen": "port_plugged"}) == {"ok": True}
        assert ask(client, {"happen": "port_plugged"}) == {"ok": True}
        assert version(str(link)).endswith(b"EVER 1.5.2\r\nOK\r\n")
        assert ask(client, {"happen": "module_replaced", "with": {"module": "BP35A1"}}) == {"ok": True}
        assert version(str(link)) == b"EVER 1.2.10\r\nOK\r\n"
        assert ask(client, {"happen": "port_unplugged"}) == {"ok": True}
    assert not link.is_symlink()


def test_a_socket_vanishes_under_its_client_and_comes_back_on_its_port() -> None:
    with served("--tcp", "0", "--no-echo", "--control", "0") as ready, controlled(ready["control"]) as client:
        address = ("127.0.0.1", int(ready["port"].rpartition(":")[2]))
        with socket.create_connection(address, DEADLINE_S) as port:
            port.sendall(b"SKVER\r\n")
            read_until(port.fileno(), b"OK\r\n")
            assert ask(client, {"happen": "port_unplugged", "with": {"keeps_power": True}}) == {"ok": True}
            assert port.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, DEADLINE_S)
        assert ask(client, {"happen": "port_plugged"}) == {"ok": True}
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                again = socket.create_connection(address, DEADLINE_S)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline_s
        with again:
            again.sendall(b"SKVER\r\n")
            assert read_until(again.fileno(), b"OK\r\n").endswith(b"EVER 1.5.2\r\nOK\r\n")
