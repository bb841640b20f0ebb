"""The archive of a release, unpacked into an empty Home Assistant as HACS does it, reads a meter."""

from pathlib import Path
import zipfile

import pytest

from development.config import INTEGRATION
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import add_meter, wait_until_read
from development.package import ARCHIVE, build
from development.simulated_meter import SimulatedMeter

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def integration() -> None:
    """Offer nothing of the checkout."""


@pytest.fixture(scope="module")
def config_folder(config_folder: Path) -> Path:
    """Return a configuration folder into which the archive was unpacked."""
    archive = config_folder / ARCHIVE
    build(archive)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(config_folder / "custom_components" / INTEGRATION.name)
    return config_folder


async def test_meter_is_added_and_read(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    installed = home_assistant.folder / "custom_components" / INTEGRATION.name
    assert not installed.is_symlink()
    assert (installed / "manifest.json").read_bytes() == (INTEGRATION / "manifest.json").read_bytes()
    entry = await add_meter(home_assistant, meter)
    assert entry["domain"] == INTEGRATION.name
    await wait_until_read(home_assistant)
    assert home_assistant.complaints() == []
