"""A simulated smart meter behind a simulated Wi-SUN module, as a process with a serial port."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
import json
import os
from pathlib import Path
import sys
from types import TracebackType
from typing import Self

from simulator import link_local
from simulator.air import Pan
from simulator.models import RELEASE_F

from .child_process import ChildProcess
from .config import CHECKOUT
from .websocket import Json, Value

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
CONTROL_TIMEOUT_S = 60.0


class MeterEndedError(Exception):
    """The simulator has ended instead of offering its port; it has told the reason on its standard error."""


class ControlError(Exception):
    """The simulator does not do what it is asked to; the message has its reason."""


class SimulatedMeter:
    """A simulator that runs as long as the ``async with`` block around it.

    Attributes:
        port: the serial port to open.
        route_b_id: the ID that the meter accepts.
        password: the password that goes with it.
        control: where its control port is; ``None`` without ``--control``.
    """

    port: str
    route_b_id: str
    password: str
    control: str | None

    def __init__(self, link: Path, *options: str) -> None:
        """Prepare to run a simulator; nothing is started yet.

        Args:
            link: the path that the serial port is to have.
            options: more arguments of ``python -m simulator``.
        """
        self._command = (sys.executable, "-m", "simulator", "--pty", str(link), *options)
        self._process: ChildProcess | None = None

    async def __aenter__(self) -> Self:
        """Start the simulator and wait until its port can be opened."""
        self._process = await ChildProcess.start(
            *self._command, folder=CHECKOUT, environment=os.environ, stdout=asyncio.subprocess.PIPE
        )
        try:
            announced = json.loads(await self._announcement())
        except BaseException:
            await self.stop()
            raise
        self.port = str(announced["port"])
        self.route_b_id = announced["id"]
        self.password = announced["password"]
        self.control = announced.get("control")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the simulator."""
        await self.stop()

    async def _announcement(self) -> bytes:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                if line := await self.process.stdout.readline():
                    return line
                raise MeterEndedError(f"The simulated meter ended with exit code {await self.process.wait()}")
        except TimeoutError as error:
            raise TimeoutError(f"The simulated meter offered no port within {START_TIMEOUT_S:g} s") from error

    async def truths(self, instants: Iterable[datetime]) -> dict[datetime, Json]:
        """Ask what was true at these instants.

        Raises:
            ControlError: that cannot be told of one of them.
        """
        times = list(instants)
        answers = await self._control([{"ask": "truth", "at": at.isoformat()} for at in times])
        return {at: answer["truth"] for at, answer in zip(times, answers, strict=True)}

    async def happen(self, name: str, **values: Value) -> None:
        """Let something happen to the meter or the module, as ``{"ask": "help"}`` tells.

        Raises:
            ControlError: there is no such thing, or it has no such values.
        """
        await self._control([{"happen": name, "with": values}])

    async def switch_on(self, **faults: Value) -> None:
        """Switch on faults, by their names, as ``{"ask": "help"}`` tells.

        Raises:
            ControlError: there is no such fault, or it has no such value.
        """
        await self._control([{"set": faults}])

    async def _control(self, requests: Sequence[Json]) -> list[Json]:
        """Send requests to the control port on TCP (``--control 0``), and return the answers."""
        if self.control is None:
            raise ValueError("the simulated meter was started without a control port")
        host, port = self.control.rsplit(":", 1)
        answers: list[Json] = []
        async with asyncio.timeout(CONTROL_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                for request in requests:
                    writer.write(json.dumps(request).encode() + b"\n")
                    answer = json.loads(await reader.readline())
                    if "error" in answer:
                        raise ControlError(f"{request}: {answer['error']}")
                    answers.append(answer)
            finally:
                writer.close()
                await writer.wait_closed()
        return answers

    async def stop(self) -> int:
        """Ask the simulator to end, and return its exit code: 0 when it went as asked."""
        return await self.process.stop(STOP_TIMEOUT_S)

    def secrets_in(self, text: str, *more: str) -> list[str]:
        """Return which of the meter's secrets, and of ``more``, are found in a text, in capitals or small letters."""
        return [secret for secret in (*self.secrets, *more) if secret.lower() in text.lower()]

    @property
    def secrets(self) -> Sequence[str]:
        """What nobody else shall see: ID, pairing ID, password, and the usual meter's serial number and addresses."""
        mac = Pan().mac
        return (
            *(self.route_b_id, self.route_b_id[-8:], self.password),
            *(RELEASE_F.serial, mac.hex().upper(), link_local(mac)[8:].hex().upper()),
        )

    @property
    def process(self) -> ChildProcess:
        """The process of the simulator, once started."""
        if self._process is None:
            raise ValueError("the simulated meter has not been started")
        return self._process
