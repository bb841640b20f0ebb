"""A simulated module that Home Assistant finds plugged into a USB socket.

Home Assistant finds no USB devices here, so a small integration tells it of the simulated module's port, as any may
that knows of more ports (`async_register_serial_port_scanner`). All supported versions can do that.
"""

import json
from pathlib import Path

from .config import CONFIGURATION
from .simulated_meter import SimulatedMeter

PRODUCT = "RS-WSUHA-P"
"""The module that is plugged in, by the name that it and the simulator have for it."""
MANUFACTURER = "RATOC Systems, Ltd."
PLUGGED_IN = "plugged_in"
"""The integration. What it offers is in its part of the configuration."""

_MANIFEST = {
    "domain": PLUGGED_IN,
    "name": "Plugged in",
    "codeowners": [],
    "dependencies": ["usb"],
    "documentation": "https://www.home-assistant.io/integrations/usb",
    "iot_class": "calculated",
    "version": "1",
}
_SOURCE = """\
from homeassistant.components.usb import USBDevice, async_register_serial_port_scanner


async def async_setup(hass, config):
    devices = [USBDevice(**device) for device in config["plugged_in"]]
    async_register_serial_port_scanner(hass, lambda hass: devices)
    return True
"""


def plug_in(folder: Path, meter: SimulatedMeter) -> None:
    """Have the meter's module, a `PRODUCT`, plugged in when the Home Assistant of this folder starts.

    It is to be called before `write_config`, which leaves the configuration as it is then.
    """
    integration = folder / "custom_components" / PLUGGED_IN
    integration.mkdir(parents=True)
    (integration / "manifest.json").write_text(json.dumps(_MANIFEST))
    (integration / "__init__.py").write_text(_SOURCE)
    device = {
        "device": meter.port,
        "vid": "0584",
        "pid": "00C3",
        "serial_number": "A1B2C3D4",
        "manufacturer": MANUFACTURER,
        "description": PRODUCT,
    }
    # JSON is YAML.
    (folder / "configuration.yaml").write_text(f"{CONFIGURATION}{PLUGGED_IN}: {json.dumps([device])}\n")
