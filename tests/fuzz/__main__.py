"""Look for bytes that break a target: script/fuzz TARGET [--seconds N] [--keep].

Runs atheris, which prefers inputs that reach new lines of the codec. What breaks the target is printed, and written to
the target's file in `corpus/`, so that the test fails until it is mended. With `--keep` the smallest inputs that
together reach all that was reached replace the rest of that file.
"""

import argparse
from collections.abc import Iterable
from importlib import import_module
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from types import ModuleType
from typing import Any

TARGETS = ("skstack", "j11", "frame", "properties", "memory")
TOP = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
LONGEST_INPUT = 600
KEPT = 48
INPUT_LIMIT_S = 10
"""An input that takes longer hangs."""
INTEGRATION = "custom_components.broute"
LIBRARY = f"{INTEGRATION}.aiobroute"


def entered() -> None:
    """Let the codecs be imported without what integration and client need: the packages around them are not run."""
    for name in (INTEGRATION, LIBRARY):
        package = ModuleType(name)
        package.__path__ = [str(TOP / name.replace(".", "/"))]
        sys.modules[name] = package


def fuzz(name: str, arguments: list[str]) -> None:
    """Run the fuzzer in this process, which it ends."""
    atheris: Any = import_module("atheris")
    entered()
    with atheris.instrument_imports(include=[LIBRARY]):
        target = import_module(f"tests.fuzz.{name}")
    # By its first argument it starts itself anew when it looks for the smallest inputs.
    atheris.Setup([" ".join(command_of(name)), *arguments], target.check)
    atheris.Fuzz()


def command_of(name: str) -> list[str]:
    """Return what runs the fuzzer, but for its arguments."""
    return [sys.executable, "-m", "tests.fuzz", name, "--fuzz"]


def in_a_process(name: str, *arguments: str) -> int:
    """Run the fuzzer; return whether it ended well."""
    return subprocess.run([*command_of(name), *arguments], cwd=TOP, check=False).returncode


def lines_of(name: str) -> list[str]:
    """Return the inputs that are kept."""
    file = CORPUS / f"{name}.txt"
    return file.read_text(encoding="ascii").split() if file.exists() else []


def write(name: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs."""
    lines = sorted({data.hex() for data in inputs}, key=lambda line: (len(line), line))
    (CORPUS / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def run(name: str, seconds: int, *, keep: bool) -> int:
    """Fuzz one target."""
    entered()
    target = import_module(f"tests.fuzz.{name}")
    with tempfile.TemporaryDirectory() as folder:
        grown, smallest, found = (Path(folder) / part for part in ("grown", "smallest", "found"))
        for part in (grown, smallest, found):
            part.mkdir()
        for number, seed in enumerate((*target.seeds(), *map(bytes.fromhex, lines_of(name)))):
            (grown / f"seed-{number:04}").write_bytes(seed)
        status = in_a_process(
            name,
            str(grown),
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST_INPUT}",
            f"-timeout={INPUT_LIMIT_S}",
            f"-artifact_prefix={found}{os.sep}",
            "-print_final_stats=1",
            "-verbosity=1",
        )
        breaking = [file.read_bytes() for file in found.iterdir()]
        for data in breaking:
            sys.stderr.write(f"broken by {data.hex()}\n")
        kept = list(map(bytes.fromhex, lines_of(name)))
        if keep and not breaking:
            in_a_process(name, "-set_cover_merge=1", f"-max_len={LONGEST_INPUT}", str(smallest), str(grown))
            kept = sorted((file.read_bytes() for file in smallest.iterdir()), key=len)[:KEPT]
        write(name, [*kept, *breaking])
    return status


def main() -> int:
    """Read the arguments and run."""
    if sys.argv[2:3] == ["--fuzz"]:
        fuzz(sys.argv[1], sys.argv[3:])
    parser = argparse.ArgumentParser(
        prog="script/fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="for so long; 600 unless told otherwise")
    parser.add_argument("--keep", action="store_true", help="renew the kept inputs")
    arguments = parser.parse_args()
    return run(arguments.target, arguments.seconds, keep=arguments.keep)


if __name__ == "__main__":
    sys.exit(main())
