"""The client library's tests: no Home Assistant, and examples that are the same in every run."""

import os

from hypothesis import settings
import pytest

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60, database=None)
settings.register_profile("search", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def configure_event_loop() -> None:
    """Leave the loop's clock to looptime: Home Assistant's fixture of this name binds it to real time."""


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave the loop as it is used: Home Assistant's fixture of this name makes virtual hours ten times as long."""
