"""What each test here begins with: a simulated home, and a client at its port."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
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


def die(meter: SmartMeter, home: SimulatedHome) -> None:
    """Let a client's program die: nobody ends the session, which the module still holds, and the port is free."""

    async def no_port(url: str, protocol_factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        raise FileNotFoundError

    meter._session._opener = no_port
    home.module.port.unplug()
    home.module.port.plug()


async def until(condition: Callable[[], object], limit_s: float = 3600.0, every_s: float = 0.05) -> None:
    """Wait until something is so; most of it is the simulator's, which tells nobody."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(every_s)


def last_answer(home: SimulatedHome, epc: int = 0xE7) -> Answer:
    """Return the meter's last answer with a property to a request (a notification is none)."""
    return next(
        answer for answer in reversed(home.meter.answers) if answer.esv not in {0x73, 0x74} and epc in answer.epcs
    )


def requests(home: SimulatedHome) -> list[tuple[int, ...]]:
    """Return the EPCs of each request that the meter answered."""
    return [answer.epcs for answer in home.meter.answers if answer.esv not in {0x73, 0x74}]


def days_ago(home: SimulatedHome, days: int) -> date:
    """Return a day, counted back from today."""
    return (home.clock.now() - timedelta(days=days)).date()


# What spoils data on their way.

type Spoiler = Callable[[bytes], bytes | None]


def spoil(home: SimulatedHome) -> dict[int, deque[Spoiler]]:
    """Change data of a property between the meter and the client: one entry for each of the next answers."""
    spoilers: dict[int, deque[Spoiler]] = defaultdict(deque)
    read = home.meter.object.read

    def spoilt(epc: int) -> bytes | None:
        edt = read(epc)
        return spoilers[epc].popleft()(edt) if spoilers[epc] and edt is not None else edt

    home.meter.object.read = spoilt  # type: ignore[method-assign]
    return spoilers


def digit(place: int, xor: int) -> Spoiler:
    """Change one hex digit, counted from the left."""

    def change(edt: bytes) -> bytes:
        digits = list(edt.hex())
        digits[place] = f"{int(digits[place], 16) ^ xor:x}"
        return bytes.fromhex("".join(digits))

    return change


def unchanged(edt: bytes) -> bytes:
    """Change nothing."""
    return edt
