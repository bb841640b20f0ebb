"""Hours of faults would leave a log that nobody reads."""

from collections.abc import Iterator
import logging

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Log nothing below warnings."""
    logger = logging.getLogger("custom_components.broute")
    before = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(before)
