"""What several files of the integration share."""

import logging
from typing import Final

DOMAIN: Final = "broute"
LOGGER: Final = logging.getLogger(__package__)

CONF_METER: Final = "meter"
"""The token that names the meter in unique ids and device identifiers; it never changes."""

DEFAULT_SCAN_INTERVAL_S: Final = 30
MIN_SCAN_INTERVAL_S: Final = 5
MAX_SCAN_INTERVAL_S: Final = 3600

CONF_HISTORY_DAYS: Final = "history_days"
DEFAULT_HISTORY_DAYS: Final = 44
"""So far back the utilities' terms let a meter's log be read; meters may keep less, and some keep more."""
MAX_HISTORY_DAYS: Final = 99
"""The class of the meters knows no more (protocol 2.2, E5)."""

CONF_CONTRACT: Final = "contract"
"""The options about the limit of the supply, a section of its own: `household/contract.py` and `household/boost.py`."""
CONF_ENERGY: Final = "energy"
"""The section of the options that is about energy and demand."""
CONF_DEMAND_TARGET: Final = "demand_target"
MIN_DEMAND_TARGET_KW: Final = 0.5
MAX_DEMAND_TARGET_KW: Final = 50.0
"""No low-voltage contract is larger."""
CONF_READING_DAY: Final = "meter_reading_day"
LAST_READING_DAY: Final = 31
CONF_SUN: Final = "sun"
"""The section of the options that names the entities of sun and battery: `household/sources.py`."""

SURVEY_DURATION: Final = 7
"""The longest scan that is of use, 36 s: whoever looks for the best place for the module wants to hear everything."""
