"""The pictures of the documents are those that the browser test takes: all of them, and no others."""

from pathlib import Path

from tests.browser.pictures import LIMIT_BYTES, file_names

from .tree import TOP, documents, links, tracked

IMAGES = TOP / "docs" / "images"


def shown(document: Path) -> set[Path]:
    """Return the pictures of screens that a document shows."""
    inside = (target.partition("#")[0] for target in links(document) if ":" not in target)
    paths = {(document.parent / target).resolve() for target in inside if target}
    return {path for path in paths if path.parent == IMAGES}


def test_the_pictures_that_are_shown_are_those_of_the_browser_test() -> None:
    assert {path.name for document in documents() for path in shown(document)} == set(file_names())


def test_pictures_are_there_and_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in tracked() if path.parent == IMAGES}
    assert sizes.keys() == set(file_names())
    assert {name for name, size in sizes.items() if size > LIMIT_BYTES} == set()
