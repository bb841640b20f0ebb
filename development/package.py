"""What ``script/package`` does: the archive that HACS installs, and whether a tag may be released."""

import json
from pathlib import Path
import re
import subprocess
import sys
import tomllib
import zipfile

from .config import CHECKOUT, INTEGRATION

FOLDER = CHECKOUT / "dist"
ARCHIVE = f"{INTEGRATION.name}.zip"
"""As hacs.json names it."""
NOTES = "notes.md"

# The earliest that the format knows: an archive of the same files is the same to the byte.
WRITTEN_AT = (1980, 1, 1, 0, 0, 0)


class ReleaseError(Exception):
    """This version cannot be released; the message says why."""


def build(archive: Path) -> None:
    """Pack what git keeps of the integration, to be unpacked into ``custom_components/broute``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git is wherever the developer has it
        cwd=INTEGRATION,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(filter(None, listed.split("\0"))):
            entry = zipfile.ZipInfo(name, WRITTEN_AT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, (INTEGRATION / name).read_bytes())


def release_notes(tag: str, top: Path = CHECKOUT) -> str:
    """Return what the changelog says of the version that a tag names.

    Raises:
        ReleaseError: the tag is not that of the version in the manifest and in the project file, or the changelog has
            no dated section of it, or nothing in that section.
    """
    version = tag.removeprefix("v")
    stated = {
        "manifest.json": json.loads((top / INTEGRATION.relative_to(CHECKOUT) / "manifest.json").read_text())["version"],
        "pyproject.toml": tomllib.loads((top / "pyproject.toml").read_text())["project"]["version"],
    }
    if f"v{version}" != tag:
        raise ReleaseError(f"{tag} is no tag of a version: v{version} would be")
    for name, found in stated.items():
        if found != version:
            raise ReleaseError(f"{name} has version {found}, and the tag is {tag}")
    sections = re.split(r"^## ", (top / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, text = section.partition("\n")
        if re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", heading) and text.strip():
            return f"{text.strip()}\n"
    raise ReleaseError(f'CHANGELOG.md says nothing below "## {version} - YYYY-MM-DD"')


def main() -> int:
    """Build the archive; with a tag, only after it was seen to fit, and with its notes."""
    try:
        notes = [release_notes(tag) for tag in sys.argv[1:]]
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    build(FOLDER / ARCHIVE)
    for text in notes:
        (FOLDER / NOTES).write_text(text)
    sys.stdout.write(f"{FOLDER / ARCHIVE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
