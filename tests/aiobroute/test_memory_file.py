"""The file in which the command line remembers a meter."""

import json
from pathlib import Path

import pytest

from custom_components.broute.aiobroute import Credentials, Dialect, Memory, Network
from custom_components.broute.aiobroute.memory_file import MemoryFile
from simulator import ID, PASSWORD

CREDENTIALS = Credentials.parse(ID, PASSWORD)
MEMORY = Memory(
    network=Network(channel=33, pan_id=0x8888, mac=bytes(range(8)), rssi_dbm=-60.0, pairing_id=None),
    dialect=Dialect.DUAL_STACK,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the files in a folder of the test; return it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "broute"


def test_what_was_saved_is_loaded() -> None:
    assert MemoryFile.of(CREDENTIALS).load() is None
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    assert MemoryFile.of(CREDENTIALS).load() == MEMORY


def test_it_is_for_this_user_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True)
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", [Credentials(ID[::-1], PASSWORD), Credentials(ID, PASSWORD[::-1])])
def test_it_is_of_one_id_and_password(folder: Path, other: Credentials) -> None:
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    assert MemoryFile.of(other).load() is None
    MemoryFile.of(other).save(Memory())
    assert MemoryFile.of(CREDENTIALS).load() == MEMORY
    assert len([*folder.iterdir()]) == 2


def test_its_name_does_not_tell_the_credentials(folder: Path) -> None:
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    (file,) = folder.iterdir()
    for secret in (ID, PASSWORD, CREDENTIALS.pairing_id):
        assert secret.casefold() not in file.name.casefold()
        assert secret.casefold() not in file.read_text().casefold()


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[]", b"[1, 2", b'{"format": 2}', b"\xff\xfe", b"null"])
def test_what_was_damaged_is_forgotten(folder: Path, damaged: bytes, caplog: pytest.LogCaptureFixture) -> None:
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    (file,) = folder.iterdir()
    file.write_bytes(damaged)
    with caplog.at_level("DEBUG"):
        assert MemoryFile.of(CREDENTIALS).load() is None
    assert caplog.text.count("The start is cold") == 1
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    assert MemoryFile.of(CREDENTIALS).load() == MEMORY


def test_what_cannot_be_written_leaves_the_last_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    before = [file.read_bytes() for file in folder.iterdir()]

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", disk_full)
    with pytest.raises(OSError, match="No space left"):
        MemoryFile.of(CREDENTIALS).save(Memory())
    assert [file.read_bytes() for file in folder.iterdir()] == before


@pytest.mark.parametrize("configured", ["", "relative/path"])
def test_without_a_state_directory_it_is_in_the_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", configured)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    MemoryFile.of(CREDENTIALS).save(MEMORY)
    assert len([*(tmp_path / "home/.local/state/broute").iterdir()]) == 1


def test_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(FileNotFoundError, match="no home directory"):
        MemoryFile.of(CREDENTIALS)
