"""The serial port server of Debian, as a process of its own."""

import asyncio
import os
from pathlib import Path
import shutil
import signal
from types import TracebackType
from typing import Self

import pytest

from development.child_process import LOCALHOST, ChildProcess, free_port, port_is_free

START_LIMIT_S = 30.0
LOOK_S = 0.02

ACCEPTERS = {"socket": "tcp", "rfc2217": "telnet(rfc2217),tcp"}
"""What the server calls the protocols that serialx names by these schemes."""


class Ser2net:
    """A server that runs, or is dead in between, as long as the ``async with`` block around it.

    Attributes:
        url: what a client opens.
    """

    def __init__(self, scheme: str, device: str, configuration: Path) -> None:
        """Prepare to serve a device; nothing is started yet."""
        self._port = free_port()
        self._configuration = configuration
        # As in the README.
        configuration.write_text(f"""
connection: &module
  accepter: {ACCEPTERS[scheme]},{LOCALHOST},{self._port}
  connector: serialdev,{device},115200n81,local
""")
        self._process: ChildProcess | None = None
        self.url = f"{scheme}://{LOCALHOST}:{self._port}"

    async def start(self) -> None:
        """Start the server and wait until it listens."""
        # Debian keeps servers where only root looks.
        program = shutil.which("ser2net", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.skip("ser2net is missing: script/system installs it")
        # -n: it stays in the foreground; -u: it needs no folder for locks, which only root can write to.
        self._process = await ChildProcess.start(
            *(program, "-n", "-u", "-c", self._configuration),
            folder=self._configuration.parent,
            environment=os.environ,
            # It complains there that this machine has no mDNS.
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_LIMIT_S):
            while port_is_free(self._port):
                assert self._process.exit_code is None, "ser2net has ended"
                await asyncio.sleep(LOOK_S)

    async def kill(self) -> None:
        """End the server without a chance to say goodbye."""
        if self._process and self._process.exit_code is None:
            os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def __aenter__(self) -> Self:
        """Start the server."""
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the server."""
        await self.kill()
