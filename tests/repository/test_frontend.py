"""What the documents and texts tell to choose in Home Assistant's frontend is called so there, in both languages."""

from functools import cache
from pathlib import Path
import re
from typing import Any, Final

import hass_frontend
import pytest

from .tree import INTEGRATION, TOP, documents, name_of, parsed

FORMS: Final = sorted((TOP / ".github" / "ISSUE_TEMPLATE").iterdir())
TEXTS: Final = sorted((INTEGRATION / "translations").iterdir())
OTHERS: Final = {"the device", "デバイス", "⋮", "Utility meter"}
"""Steps of a way that have no text: what is the user's own, a symbol, the name of another integration."""


def values(texts: Any) -> set[str]:
    """Return all texts of a tree of them."""
    if isinstance(texts, str):
        return {texts}
    return {value for part in texts.values() for value in values(part)}


@cache
def shown(language: str) -> frozenset[str]:
    """Return all that Home Assistant's frontend and this integration show in a language."""
    folder = Path(hass_frontend.where()) / "static" / "translations"
    files = [path for path in folder.rglob("*.json") if re.fullmatch(rf"{language}-[0-9a-f]{{32}}", path.stem)]
    assert files
    found = {
        value for path in (*files, INTEGRATION / "translations" / f"{language}.json") for value in values(parsed(path))
    }
    return frozenset(found)


def ways(text: str) -> list[list[str]]:
    """Return the ways through menus in a text, each by its steps."""
    found = re.findall(r"[*「]([^*\n「」]+→[^*\n「」]+)[*」]|(?<=See )([^.\n]+→[^.\n\"]+)", text)
    return [[step.strip(" .⚙") for step in "".join(way).split("→")] for way in found]


@pytest.mark.parametrize("path", [*documents(), *FORMS, *TEXTS], ids=name_of)
def test_ways_through_menus_are_there(path: Path) -> None:
    text = path.read_text("utf-8")
    known = shown("en") | shown("ja") | OTHERS
    missing = {step for way in ways(text) for step in way} - known
    assert not missing


def test_ways_are_found() -> None:
    found = ways((TOP / "README.ja.md").read_text("utf-8"))
    assert ["設定", "システム", "修復"] in found
    assert ways("**A**, *Settings → Energy.* See Settings → System → Repairs.") == [
        ["Settings", "Energy"],
        ["Settings", "System", "Repairs"],
    ]
    assert "Developer tools" not in shown("en")
