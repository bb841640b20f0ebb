"""The pictures of the documents are those that the browser test takes: all of them, and no others."""

from pathlib import Path

import pytest

from tests.browser.pictures import LIMIT_BYTES, file_names

from .tree import TOP, documents, links, name_of, tracked

IMAGES = TOP / "docs" / "images"


def shown(document: Path) -> set[Path]:
    """Return the pictures of screens that a document shows."""
    inside = (target.partition("#")[0] for target in links(document) if ":" not in target)
    paths = {(document.parent / target).resolve() for target in inside if target}
    return {path for path in paths if path.parent == IMAGES}


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_picture_that_is_shown_is_taken_by_the_browser_test(document: Path) -> None:
    assert {path.name for path in shown(document)} <= set(file_names())


def test_a_picture_is_found_in_a_document() -> None:
    """So that the test above does not pass because it looks at nothing."""
    assert IMAGES / "device.png" in shown(TOP / "README.md")


def test_pictures_are_there_and_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in tracked() if path.parent == IMAGES}
    assert sizes.keys() == set(file_names())
    assert {name for name, size in sizes.items() if size > LIMIT_BYTES} == set()
