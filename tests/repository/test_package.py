"""The archive that HACS installs, and what a tag must fit before it is released."""

from pathlib import Path
import subprocess
import zipfile

import pytest

from development.package import ARCHIVE, ReleaseError, build, release_notes

from .tree import INTEGRATION, TOP, parsed, tracked

CHANGELOG = """# Changelog

## 1.2.3 - 2026-12-24

- A thing.

### Mended

- Another one.

## 1.2.2 - 2026-12-01

## 1.2.1

- It has no day.
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return the path of an archive that was just built."""
    path = tmp_path / ARCHIVE
    build(path)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose version is 1.2.3."""
    manifest = tmp_path / INTEGRATION.relative_to(TOP) / "manifest.json"
    manifest.parent.mkdir(parents=True)
    state_version(tmp_path, "1.2.3")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def state_version(checkout: Path, version: str) -> None:
    (checkout / INTEGRATION.relative_to(TOP) / "manifest.json").write_text(f'{{"version": "{version}"}}')
    (checkout / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')


def test_archive_has_the_integration_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        found = {name: packed.read(name) for name in packed.namelist()}
    files = [path for path in tracked() if path.is_relative_to(INTEGRATION)]
    assert found == {str(path.relative_to(INTEGRATION)): path.read_bytes() for path in files}
    assert "manifest.json" in found


def test_archive_of_the_same_files_is_the_same(archive: Path, tmp_path: Path) -> None:
    build(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_hacs_looks_for_this_archive() -> None:
    content = parsed(TOP / "hacs.json")
    assert content["zip_release"] is True
    assert content["filename"] == ARCHIVE


def test_notes_are_what_the_changelog_says_of_the_version(checkout: Path) -> None:
    assert release_notes("v1.2.3", checkout) == "- A thing.\n\n### Mended\n\n- Another one.\n"


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2.4", "vv1.2.3"])
def test_tag_must_be_that_of_the_version(checkout: Path, tag: str) -> None:
    with pytest.raises(ReleaseError, match=tag):
        release_notes(tag, checkout)


@pytest.mark.parametrize("version", ["1.2.2", "1.2.1", "1.2.0"])
def test_version_without_a_day_or_without_notes_is_not_released(checkout: Path, version: str) -> None:
    state_version(checkout, version)
    with pytest.raises(ReleaseError, match=version):
        release_notes(f"v{version}", checkout)


def test_project_file_must_have_the_version_too(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nversion = "1.2.2"\n')
    with pytest.raises(ReleaseError, match=r"pyproject\.toml"):
        release_notes("v1.2.3", checkout)


def test_this_version_has_notes() -> None:
    assert release_notes(f"v{parsed(INTEGRATION / 'manifest.json')['version']}")


def test_command_refuses_a_tag_that_does_not_fit() -> None:
    run = subprocess.run([TOP / "script" / "package", "v0.0.0"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert (
        run.stderr.splitlines()[-1]
        == f"manifest.json has version {parsed(INTEGRATION / 'manifest.json')['version']}, and the tag is v0.0.0"
    )
