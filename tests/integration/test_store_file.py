"""The file in which a memory is kept: Home Assistant's real storage, in a folder of the test."""

from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.broute import async_remove_entry
from custom_components.broute.aiobroute import Dialect, Memory
from custom_components.broute.coordinator import BrouteConfigEntry
from custom_components.broute.store import MemoryStore


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let the storage be the real one."""
    return {}


async def test_file_is_for_home_assistant_alone(
    hass: HomeAssistant, entry: BrouteConfigEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    memory = Memory(dialect=Dialect.J11)
    store = await MemoryStore.async_of(hass, entry.entry_id, entry.data)
    await store.async_save(memory)
    path = tmp_path / ".storage" / f"broute.{entry.entry_id}"
    assert path.stat().st_mode & 0o777 == 0o600

    again = await MemoryStore.async_of(hass, entry.entry_id, entry.data)
    assert await again.async_load() == memory

    await async_remove_entry(hass, entry)
    assert not path.exists()
    # There may be none.
    await async_remove_entry(hass, entry)
