"""The images that Home Assistant and HACS show, as the rules of Home Assistant's brands want them."""

from pathlib import Path
import struct

from homeassistant.components.brands.const import ALLOWED_IMAGES
from PIL import Image
import pytest

from .tree import INTEGRATION, TOP, name_of, tracked

BRAND = INTEGRATION / "brand"
LARGEST_BYTES = 64 * 1024
"""An image is fetched by every browser that shows the integration."""

images = pytest.mark.parametrize("path", sorted(BRAND.iterdir()), ids=name_of)


def test_all_images_are_there_and_kept() -> None:
    assert {path.name for path in BRAND.iterdir()} == ALLOWED_IMAGES
    assert {path.name for path in tracked() if path.parent == BRAND} == ALLOWED_IMAGES


@images
def test_size(path: Path) -> None:
    with Image.open(path) as image:
        width, height = image.size
    scale = 2 if path.stem.endswith("@2x") else 1
    if "icon" in path.stem:
        assert (width, height) == (256 * scale, 256 * scale)
    else:
        # 128 to 256, the larger the better, and landscape.
        assert height == 256 * scale
        assert width > height
    assert path.stat().st_size <= LARGEST_BYTES


@images
def test_image_is_an_interlaced_png_that_is_trimmed_and_transparent(path: Path) -> None:
    header = path.read_bytes()[:33]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    *_, bits, _colours, _compression, _filter, interlaced = struct.unpack(">IIBBBBB", header[16:29])
    assert (bits, interlaced) == (8, 1)
    with Image.open(path) as image:
        alpha = image.convert("RGBA").getchannel("A")
    assert alpha.getbbox() == (0, 0, *alpha.size)
    assert alpha.getextrema() == (0, 255)


def test_no_two_images_are_the_same() -> None:
    """Home Assistant falls back by itself, so a copy would be of no use."""
    assert len({path.read_bytes() for path in BRAND.iterdir()}) == len(ALLOWED_IMAGES)


@pytest.mark.parametrize("kind", ["icon", "logo"])
def test_large_image_shows_the_same(kind: str) -> None:
    for name in (kind, f"dark_{kind}"):
        with Image.open(BRAND / f"{name}.png") as small, Image.open(BRAND / f"{name}@2x.png") as large:
            assert large.size == (small.width * 2, small.height * 2)
            shrunk = large.convert("RGBA").resize(small.size, Image.Resampling.BOX)
            pairs = zip(shrunk.getchannel("A").tobytes(), small.convert("RGBA").getchannel("A").tobytes(), strict=True)
            assert sum(abs(one - other) > 64 for one, other in pairs) < small.width * small.height / 100


def test_drawing_is_kept() -> None:
    assert {path.name for path in tracked() if path.parent == TOP / "docs" / "brand"} == {"broute.svg", "dark.css"}
