"""What may be logged: never the bytes that go over a port, whatever is logged at debug level."""

import asyncio
from contextlib import suppress
from datetime import timedelta
import logging
from pathlib import Path
import random

import pytest

from custom_components.broute.aiobroute import BrouteError, SmartMeter
from custom_components.broute.aiobroute.credentials import Credentials
from custom_components.broute.aiobroute.link.identify import identify
from custom_components.broute.aiobroute.link.port import open_with_serialx
from simulator import SimulatedHome, link_local
from tests.aiobroute.recovery.scenarios import FAMILIES, SCENARIOS, Stage
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


def forms(secret: bytes) -> set[str]:
    """Return how bytes may be written."""
    text = secret.hex()
    return {text, text.upper(), repr(secret)[2:-1], ":".join(text[i : i + 2] for i in range(0, len(text), 2))}


def secrets_of(home: SimulatedHome) -> set[str]:
    """Return everything that tells whose meter this is, in all forms in which it goes over the wire."""
    meter, module = home.meter, home.module
    secrets = {ID, PASSWORD, ID[-8:], meter.model.serial}
    for mac in (meter.pan.mac, module.radio.mac):
        address = link_local(mac)
        secrets |= forms(mac) | forms(address) | forms(address[8:])
        secrets.add(":".join(address[i : i + 2].hex().upper() for i in range(0, 16, 2)))
    # As an ECHONET property, and as the authentication writes the ID.
    return secrets | forms(meter.model.serial.encode()) | forms(ID.encode()) | forms(PASSWORD.encode())


@pytest.mark.looptime(noop_cycles=0)
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_whole_life_at_debug_level_tells_nobody_whose_meter_it_is(
    family: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with SimulatedHome(**FAMILIES[family]) as home:
        secrets = secrets_of(home)
        meter = SmartMeter(
            "memory://", Credentials.parse(ID, PASSWORD), opener=home.open_port, randomness=random.Random(1)
        )
        async with meter:
            await meter.joined()
            await meter.describe()
            await meter.read()
            await meter.history((home.clock.now() - timedelta(days=1)).date())
            heard = await meter.survey(5)
            await asyncio.sleep(60)
            # The log of a link that goes wrong is the one that users send to others.
            for scenario in SCENARIOS:
                if family in scenario.families and scenario.lasts_s < 60:
                    scenario.strike(Stage.of(home, family))
                    with suppress(BrouteError):
                        await meter.read()
                    await asyncio.sleep(60)
                    home.faults.off()
            secrets |= secrets_of(home)
            await asyncio.sleep(900)
            await meter.describe()
            texts = [caplog.text, repr(meter.memory), repr(meter.module), repr(meter.failure), repr(meter.statistics)]
            texts += [repr(meter.journal), repr(meter.outage), repr(heard)]
    assert "← GET_RES" in caplog.text
    assert len(caplog.records) > 500
    for text in texts:
        assert not {secret for secret in secrets if secret in text}
