"""What each test here begins with: a simulated home, and a client at its port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import random
from typing import Any

from custom_components.broute.aiobroute import Credentials, Memory, SmartMeter
from simulator import ID, PASSWORD, Answer, SimulatedHome

CREDENTIALS = Credentials.parse(ID, PASSWORD)


def client(
    home: SimulatedHome,
    *,
    credentials: Credentials = CREDENTIALS,
    memory: Memory | None = None,
) -> SmartMeter:
    """Return a client that is not yet open."""
    return SmartMeter(
        "memory://",
        credentials,
        memory=memory,
        opener=home.open_port,
        randomness=random.Random(1),
    )


@asynccontextmanager
async def joined(**home_options: Any) -> AsyncIterator[tuple[SmartMeter, SimulatedHome]]:
    """Give a client that has joined its meter, and the home."""
    with SimulatedHome(**home_options) as home:
        async with client(home) as meter:
            await meter.joined()
            yield meter, home


def last_answer(home: SimulatedHome, epc: int = 0xE7) -> Answer:
    """Return the meter's last answer with a property to a request (a notification is none)."""
    return next(
        answer for answer in reversed(home.meter.answers) if answer.esv not in {0x73, 0x74} and epc in answer.epcs
    )


def requests(home: SimulatedHome) -> list[tuple[int, ...]]:
    """Return the EPCs of each request that the meter answered."""
    return [answer.epcs for answer in home.meter.answers if answer.esv not in {0x73, 0x74}]
