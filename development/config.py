"""The configuration folder of a Home Assistant that needs no internet and asks no questions.

Home Assistant keeps what is set in its user interface in ``.storage``. What is written there here has the oldest layout
that every supported version still migrates, so that one folder's content serves them all and only the fields that
matter have to be named.
"""

from collections.abc import Sequence
import json
import os
from pathlib import Path
import shutil
from typing import Any

from .child_process import LOCALHOST

CHECKOUT = Path(__file__).parents[1]
INTEGRATION = CHECKOUT / "custom_components" / "broute"
BLUEPRINTS = CHECKOUT / "blueprints" / "automation" / "broute"

# Instead of default_config, which wants libraries and an internet connection that have no part in a smart meter.
CONFIGURATION = """\
automation: !include automations.yaml
config:
energy:
history:
logbook:
recorder:
usb:
logger:
  default: warning
  logs:
    custom_components.broute: debug
    # Complaints about libraries that have no part in a smart meter.
    aiohttp_fast_zlib: error
    homeassistant.components.camera.img_util: critical
"""

# Home Assistant asks ffmpeg for its version at start-up and complains when there is none; nothing here needs more.
FFMPEG = """\
#!/bin/sh
echo 'ffmpeg version 7.1'
"""


def write_config(
    folder: Path,
    port: int,
    *,
    language: str = "en",
    entries: Sequence[dict[str, Any]] = (),
    integration: Path | None = INTEGRATION,
) -> None:
    """Write what Home Assistant needs to start on ``folder``.

    What is in the folder already stays, but for the web server's port and for place and language, which are set anew.

    Args:
        folder: the configuration folder; made if it does not exist.
        port: where the web server listens, on the loopback interface only.
        language: of the server, which is the one that entities are named in: "en" or "ja".
        entries: config entries that are there from the first start on, with the fields that matter.
        integration: what is offered as this integration; ``None`` leaves what is installed in the folder.
    """
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    if not (configuration := folder / "configuration.yaml").exists():
        configuration.write_text(CONFIGURATION)
    (folder / "automations.yaml").touch()

    ffmpeg = _stand_ins(folder) / "ffmpeg"
    ffmpeg.parent.mkdir(exist_ok=True)
    ffmpeg.write_text(FFMPEG)
    ffmpeg.chmod(0o755)

    # `http:` in the YAML file is no more than a trial in 2026.11, which ends with a restart after five minutes.
    _store(storage / "http", 1, {"server_host": [LOCALHOST], "server_port": port})
    _store(
        storage / "core.config",
        1,
        {
            "country": "JP",
            "currency": "JPY",
            "elevation": 40,
            "language": language,
            "latitude": 35.6762,
            "location_name": "Home",
            "longitude": 139.6503,
            "radius": 100,
            "time_zone": "Asia/Tokyo",
            "unit_system_v2": "metric",
        },
        minor_version=4,
    )
    if not (onboarding := storage / "onboarding").exists():
        # Left to do: the owner's account. The step core_config would set up integrations that ask the internet.
        _store(onboarding, 4, {"done": ["core_config", "analytics", "integration"]})
    if not (stored_entries := storage / "core.config_entries").exists():
        # The Marketplace would set itself up and ask GitHub, were it not there and disabled.
        marketplace = {
            "data": {},
            "disabled_by": "user",
            "domain": "marketplace",
            "entry_id": "marketplace",
            "source": "system",
            "title": "Marketplace",
            "version": 1,
        }
        _store(stored_entries, 1, {"entries": [marketplace, *entries]})

    if integration is not None:
        _offer_integration(integration, folder / "custom_components" / INTEGRATION.name)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment to start Home Assistant in, on the configuration in ``folder``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # The first two would let Home Assistant see this environment's packages and the checkout, the third costs it
        # seconds at every start.
        if name not in {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
    }
    return kept | {"PATH": f"{kept['PATH']}{os.pathsep}{_stand_ins(folder)}"}


def _stand_ins(folder: Path) -> Path:
    return folder / "stand_ins"


def _store(path: Path, version: int, data: dict[str, Any], *, minor_version: int = 1) -> None:
    stored = {"version": version, "minor_version": minor_version, "key": path.name, "data": data}
    path.write_text(json.dumps(stored, indent=2))


def _offer_integration(integration: Path, place: Path) -> None:
    """Put the integration where Home Assistant looks for it: as a link, so that changes are seen."""
    place.parent.mkdir(exist_ok=True)
    if place.is_symlink():
        place.unlink()
    try:
        place.symlink_to(integration, target_is_directory=True)
    except OSError:
        # A file system without links, as on some shared folders, or a copy of an earlier run on one.
        shutil.copytree(integration, place, dirs_exist_ok=True)
