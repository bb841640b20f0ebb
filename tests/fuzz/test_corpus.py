"""Whatever was ever found by the fuzzer, and what modules and meters were seen to write, breaks nothing."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

from . import frame, j11, memory, properties, skstack

CORPUS = Path(__file__).parent / "corpus"
TARGETS = {"skstack": skstack, "j11": j11, "frame": frame, "properties": properties, "memory": memory}


def test_each_target_has_its_corpus_and_no_other_file_is_there() -> None:
    assert {file.name for file in CORPUS.iterdir()} == {f"{name}.txt" for name in TARGETS}


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_breaks_nothing(name: str) -> None:
    replay(TARGETS[name], map(bytes.fromhex, (CORPUS / f"{name}.txt").read_text(encoding="ascii").split()))


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_seen_breaks_nothing(name: str) -> None:
    replay(TARGETS[name], TARGETS[name].seeds())


def replay(target: ModuleType, inputs: Iterable[bytes]) -> None:
    replayed = list(inputs)
    assert replayed
    for data in replayed:
        try:
            target.check(data)
        except Exception as err:
            err.add_note(f"input: {data.hex()}")
            raise
