"""The worked session of the protocol reference passes byte for byte, on single and on dual stack."""

from datetime import datetime, timedelta
import re

import pytest

from simulator import JST, Registers, ScriptedLoad, SimulatedHome
from tests.simulator.peer import Peer
from tests.simulator.worked import SESSION

VENDOR = ("ROPT",)


def worked_load() -> ScriptedLoad:
    """Return the load behind the numbers of the example: 600 W yesterday, 500 W at 18:24."""
    midnight = datetime(2026, 11, 21, tzinfo=JST)
    load = ScriptedLoad(600)
    load.step(midnight, 1720)
    load.step(midnight + timedelta(hours=18), 500)
    return load


def written(line: str) -> bytes:
    """Return what the host writes for a line of the session."""
    if line.startswith("SKSENDTO"):
        header, data = line.rsplit(" ", 1)
        return header.encode() + b" " + bytes.fromhex(data)
    return line.encode() + (b"\r" if line in VENDOR else b"\r\n")


@pytest.mark.parametrize(
    ("module", "fields"),
    [
        ("BP35A1", {"s": "", "version": "1.2.10", "last": "FFFE", "side_row": ""}),
        ("BP35C2", {"s": " 0", "version": "1.5.2", "last": "0", "side_row": "<   Side:0\n"}),
    ],
)
async def test_every_line_of_the_worked_session_comes_in_its_order(module: str, fields: dict[str, str]) -> None:
    registers = Registers(
        load=worked_load(),
        initial_import=123_000,
        initial_export=65,
        installed_at=datetime(2026, 11, 20, tzinfo=JST),
    )
    session = SESSION.format(**fields).split("\n")[:-1]
    with SimulatedHome(module=module, registers=registers) as home:
        peer = await Peer.opened(home)
        for line in session:
            if line.startswith("> "):
                peer.write(written(line[2:]))
                continue
            expected = line[2:] if line.endswith("\r") else line[2:] + "\r\n"
            pattern = re.escape(expected).replace("\\~", "~").replace("~", "[0-9A-F]")
            while not (match := re.match(pattern, peer.received.decode())):
                assert len(peer.received) < len(expected), (expected, bytes(peer.received))
                await peer.more(within_s=420)
            del peer.received[: match.end()]
        await peer.settle(5)
        assert peer.received == b""
