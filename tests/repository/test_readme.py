"""The README in both languages: the same in shape, and an anchor in it for all that a user is told."""

from pathlib import Path
import re
from typing import Final

import pytest

from custom_components.broute.issues import Issue

from .tree import INTEGRATION, TOP, anchors, links, name_of, parsed

ENGLISH: Final = TOP / "README.md"
JAPANESE: Final = TOP / "README.ja.md"
BOTH: Final = (ENGLISH, JAPANESE)
# What a translation has in another language.
COMMENT: Final = re.compile(r" +# .*")


def shape(document: Path) -> list[str]:
    """Return what a translation has in the same order: headings by level, rows of tables, items, anchors, and code."""
    found = []
    in_code = False
    for line in document.read_text("utf-8").splitlines():
        if line.startswith("```"):
            in_code = not in_code
        if in_code or line.startswith("```"):
            found.append(COMMENT.sub("", line))
        elif mark := re.match(r"#+ |\| |- |\d\. ", line):
            found.append(" ".join((mark[0], *re.findall(r'<a id="(.*?)">', line))))
    return found


def places(document: Path) -> list[str]:
    """Return where a document leads to outside of itself."""
    others = {target for target in links(document) if not target.startswith("#")} - {path.name for path in BOTH}
    return sorted(target.replace(".ja.png", ".png") for target in others)


def errors() -> set[str]:
    """Return the anchors of all that forms, log and actions tell."""
    texts = parsed(INTEGRATION / "translations" / "en.json")
    return {f"error-{key}" for key in texts["config"]["error"].keys() | texts["exceptions"].keys()}


def repairs() -> set[str]:
    """Return the anchors of all repairs."""
    return {f"repair-{issue}" for issue in Issue}


def test_both_languages_have_one_structure() -> None:
    assert shape(JAPANESE) == shape(ENGLISH)


def test_both_languages_lead_to_the_same_places() -> None:
    assert places(JAPANESE) == places(ENGLISH)


def test_each_language_leads_to_the_other() -> None:
    assert JAPANESE.name in links(ENGLISH)
    assert ENGLISH.name in links(JAPANESE)


@pytest.mark.parametrize("document", BOTH, ids=name_of)
def test_every_repair_is_explained(document: Path) -> None:
    assert repairs() <= anchors(document)


@pytest.mark.parametrize("document", BOTH, ids=name_of)
def test_every_error_is_explained(document: Path) -> None:
    assert errors() <= anchors(document)


@pytest.mark.parametrize("document", BOTH, ids=name_of)
def test_nothing_is_explained_that_is_never_told(document: Path) -> None:
    told = errors() | repairs() | {"repair-reauth"}
    assert {anchor for anchor in anchors(document) if re.match("repair-|error-", anchor)} <= told
