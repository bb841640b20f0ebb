"""The commands that the documents tell to type: each script says what it is for, and those of the README are run."""

from pathlib import Path
import re
import subprocess
from typing import Final

import pytest

from .tree import TOP, documents, exists, name_of

SCRIPTS: Final = sorted((TOP / "script").iterdir())
READMES: Final = (TOP / "README.md", TOP / "README.ja.md")
RUN_BY: Final = {
    "script/broute": "tests/aiobroute/long/test_readme.py::test_commands_of_the_readme_work",
    "script/benchmark": "tests/benchmarks/long/test_against_momonga.py::test_table_has_the_rows_of_the_readme",
    "script/develop": "tests/live/test_develop.py::test_everything_starts_and_stops_with_one_command",
    "script/test": ".ci/run",
    "export": "tests/aiobroute/long/test_readme.py::test_commands_of_the_readme_work",
}
"""By the first word of a command of the README."""


def commands(document: Path) -> list[str]:
    """Return the commands in a document's blocks of them, without what is said of them."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [re.split(r" +# ", line)[0] for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("document", READMES, ids=name_of)
def test_every_command_of_the_readme_is_run_by_a_test(document: Path) -> None:
    first_words = {command.split()[0] for command in commands(document)}
    assert first_words == RUN_BY.keys()
    assert all(map(exists, RUN_BY.values()))


def test_every_script_that_a_document_names_is_there() -> None:
    named = {
        name for document in documents() for name in re.findall(r"(?<![\w/])script/(\w+)", document.read_text("utf-8"))
    }
    assert named
    assert named <= {path.name for path in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_every_script_tells_what_it_is_for(script: Path) -> None:
    told = subprocess.run([script, "--help"], cwd=TOP, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()
