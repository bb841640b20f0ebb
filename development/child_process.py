"""Programs that are started here and leave nothing behind."""

import asyncio
from collections.abc import Mapping
import contextlib
import os
from pathlib import Path
import signal
import socket
from typing import IO

LOCALHOST = "127.0.0.1"


def port_is_free(port: int) -> bool:
    """Tell whether a server can listen on this port of the loopback interface."""
    with socket.socket() as candidate:
        # As servers do: a port whose last connections are still closing counts as free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOCALHOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Choose a port of the loopback interface on which nothing listens."""
    with socket.socket() as candidate:
        candidate.bind((LOCALHOST, 0))
        port: int = candidate.getsockname()[1]
    return port


class ChildProcess:
    """A program in a process group of its own, so that it ends together with whatever it starts itself.

    Attributes:
        left_behind: whether ``stop()`` has had to kill the program or anything it had started.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stopped = False
        self.left_behind = False

    @classmethod
    async def start(
        cls,
        *command: str | Path,
        folder: Path,
        environment: Mapping[str, str],
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> ChildProcess:
        """Start a program; its output goes where this one's goes unless told otherwise."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The program's process id, which is its group's as well."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What the program ended with: minus the signal's number if one ended it, ``None`` while it runs."""
        return self._process.returncode

    @property
    def stdout(self) -> asyncio.StreamReader:
        """The program's output; only where it was started with a pipe."""
        if self._process.stdout is None:
            raise ValueError("the program was not started with a pipe for its output")
        return self._process.stdout

    async def wait(self) -> int:
        """Wait for the program's end and return its exit code."""
        return await self._process.wait()

    async def stop(self, timeout_s: float) -> int:
        """Ask the program to end, kill what has not done so after ``timeout_s``, and return the exit code."""
        if self._stopped:
            # The group's number may belong to others by now.
            return await self._process.wait()
        try:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
                self.left_behind = True
            self._stopped = True
        return await self._process.wait()
