"""What several files of the integration share."""

import logging
from typing import Final

DOMAIN: Final = "broute"
LOGGER: Final = logging.getLogger(__package__)

CONF_METER: Final = "meter"
"""The token that names the meter in unique ids and device identifiers; it never changes."""

DEFAULT_SCAN_INTERVAL_S: Final = 30
MIN_SCAN_INTERVAL_S: Final = 10
MAX_SCAN_INTERVAL_S: Final = 3600
