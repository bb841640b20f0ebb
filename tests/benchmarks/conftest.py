"""The benchmarks' own tests: nothing is measured, and no Home Assistant is started."""

import pytest


@pytest.fixture(autouse=True)
def configure_event_loop() -> None:
    """Leave the loop's clock to looptime: Home Assistant's fixture of this name binds it to real time."""
