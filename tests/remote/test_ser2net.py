"""A meter behind a serial port server is read, and comes back with the server."""

import asyncio
from decimal import Decimal
import json
from pathlib import Path
import socket

import pytest

from custom_components.broute.aiobroute import Credentials, PortBusyError, PortError, SessionState, SmartMeter
from custom_components.broute.aiobroute.link.base import Dialect, LinkEvent, LinkListener
from custom_components.broute.aiobroute.link.identify import identify
from custom_components.broute.aiobroute.link.port import Port, open_with_serialx
from development.simulated_meter import SimulatedMeter

from .ser2net import Ser2net

JOIN_LIMIT_S = 60.0
RETURN_LIMIT_S = 90.0
"""The session pauses before it tries again, and then may search."""
LOSS_LIMIT_S = 10.0
SILENCE_LIMIT_S = 60.0
"""After this time the session no longer believes that anybody is there."""


def credentials(meter: SimulatedMeter) -> Credentials:
    return Credentials.parse(meter.route_b_id, meter.password)


def truths(truth_log: Path) -> list[dict[str, str]]:
    """Return what was true at each answer that held the power."""
    answers = [json.loads(line) for line in truth_log.read_text().splitlines()]
    return [answer["truth"] for answer in answers if "E7" in answer["epcs"]]


async def assert_reading_is_true(meter: SmartMeter, truth_log: Path) -> None:
    before = len(truths(truth_log))
    reading = await meter.read()
    truth = truths(truth_log)[-1]
    assert len(truths(truth_log)) > before
    assert reading.power_w == Decimal(truth["power_w"])
    assert reading.import_kwh == Decimal(truth["import_kwh"])


async def test_the_meter_is_identified_joined_and_read(server: Ser2net, meter: SimulatedMeter, truth_log: Path) -> None:
    async with SmartMeter(server.url, credentials(meter)) as client:
        assert client.module
        assert client.module.dialect is Dialect.DUAL_STACK
        async with asyncio.timeout(JOIN_LIMIT_S):
            await client.joined()
            await assert_reading_is_true(client, truth_log)


async def test_the_meter_is_read_again_when_the_server_was_killed_and_started_again(
    server: Ser2net, meter: SimulatedMeter, truth_log: Path
) -> None:
    async with SmartMeter(server.url, credentials(meter)) as client:
        async with asyncio.timeout(JOIN_LIMIT_S):
            await client.joined()
            await client.read()
        lost, back = asyncio.Event(), asyncio.Event()

        def take_state(state: SessionState) -> None:
            if state is not SessionState.JOINED:
                lost.set()
            elif lost.is_set():
                back.set()

        client.on_state(take_state)
        await server.kill()
        async with asyncio.timeout(LOSS_LIMIT_S):
            await lost.wait()
        await server.start()
        async with asyncio.timeout(RETURN_LIMIT_S):
            await back.wait()
            await assert_reading_is_true(client, truth_log)


async def test_the_death_of_the_server_is_told_at_once(server: Ser2net) -> None:
    link = await identify(open_with_serialx, server.url)
    try:
        events: asyncio.Queue[LinkEvent] = asyncio.Queue()
        link.listen(LinkListener(on_datagram=print, on_event=events.put_nowait, on_drop=print))
        scan = asyncio.create_task(link.scan(6))
        async with asyncio.timeout(LOSS_LIMIT_S):
            await server.kill()
            assert await events.get() is LinkEvent.LOST
            with pytest.raises(PortError, match="lost"):
                await scan
            with pytest.raises(PortError, match="lost"):
                await link.scan(6)
        assert not link.is_open
    finally:
        await link.close()


async def test_a_second_client_is_told_that_the_port_is_in_use_and_the_first_one_keeps_it(server: Ser2net) -> None:
    link = await identify(open_with_serialx, server.url)
    try:
        for _ in range(2):
            with pytest.raises(PortBusyError, match="another program"):
                await identify(open_with_serialx, server.url)
        assert await link.scan(6)
    finally:
        await link.close()
    # And whoever comes then gets it.
    await (await identify(open_with_serialx, server.url)).close()


async def test_a_server_that_is_gone_without_a_word_is_noticed_within_the_silence_that_is_allowed(
    server: Ser2net,
) -> None:
    """What the kernel then does takes a minute, two machines and the right to pull the cable: docs/architecture.md."""
    port = await Port.open(open_with_serialx, server.url)
    try:
        connection: socket.socket = port._transport._tcp_transport.get_extra_info("socket")  # type: ignore[union-attr]
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

        def option(number: int) -> int:
            return connection.getsockopt(socket.IPPROTO_TCP, number)

        noticed_s = option(socket.TCP_KEEPIDLE) + option(socket.TCP_KEEPINTVL) * option(socket.TCP_KEEPCNT)
        unconfirmed_s = option(socket.TCP_USER_TIMEOUT) / 1000
        assert unconfirmed_s > 0
        # Bytes that are sent just before the silence is noticed get their own time.
        assert noticed_s + unconfirmed_s <= SILENCE_LIMIT_S
    finally:
        await port.close()
