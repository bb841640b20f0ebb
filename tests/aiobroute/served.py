"""A simulated module behind a real pty, served by a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys

TOP = Path(__file__).parents[2]
ID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"


@contextmanager
def simulator(tmp_path: Path, *options: str, before: str = "") -> Iterator[Path]:
    """Serve a simulated module at `port` in the folder, with what was true at each answer in `truth`.

    `before` is what the simulator's process runs first.
    """
    program = f"{before}\nfrom runpy import run_module\nrun_module('simulator', run_name='__main__', alter_sys=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program, "--pty", tmp_path / "port", "--truth-log", tmp_path / "truth", *options],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            yield tmp_path / "port"
        finally:
            # Also after a test that failed: the process is waited for.
            process.terminate()
