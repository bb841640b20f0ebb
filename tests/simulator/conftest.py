"""The simulator's own tests: virtual time, no Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

NOOP_CYCLES = 5
"""How often the loop turns before virtual time moves on: as much as these tests need, an eighth of looptime's own."""


@pytest.fixture(autouse=True)
def configure_event_loop() -> None:
    """Leave the loop's clock to looptime: Home Assistant's fixture of this name binds it to real time."""


@pytest.fixture(autouse=True)
async def errors_of_callbacks() -> AsyncIterator[list[dict[str, Any]]]:
    """Fail the test when a timer's call raised, which the loop would only log."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    yield errors
    assert not errors


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder on virtual time, except those that start processes."""
    for item in items:
        if item.path.parent.name == "simulator" and "process" not in item.path.name:
            item.add_marker(pytest.mark.looptime(noop_cycles=NOOP_CYCLES))
