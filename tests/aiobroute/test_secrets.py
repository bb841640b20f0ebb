"""What may be logged: never the bytes that go over a port, whatever is logged at debug level."""

import logging
from pathlib import Path

import pytest

from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.link.identify import identify
from custom_components.broute.aiobroute.link.port import open_with_serialx
from tests.aiobroute.served import ID, PASSWORD, simulator


async def test_the_serial_library_does_not_log_what_it_carries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with simulator(tmp_path) as port:
        link = await identify(open_with_serialx, str(port))
        await link.prepare(Credentials.parse(ID, PASSWORD))
        await link.close()
    assert "SKSETPWD" in caplog.text
    assert ID not in caplog.text
    assert PASSWORD not in caplog.text
