"""That the pictures of the documents have all been taken."""

from pathlib import Path

from .pictures import LIMIT_BYTES, file_names


def test_all_pictures_were_taken_and_none_is_too_large(pictures: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in pictures.glob("*.png")}
    assert sizes.keys() == set(file_names())
    assert {name: size for name, size in sizes.items() if size > LIMIT_BYTES} == {}
