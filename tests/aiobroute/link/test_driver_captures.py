"""The driver through the whole sessions of the captures."""

import asyncio

import pytest

from custom_components.broute.aiobroute.link.base import LinkEvent
from tests.captures import times

from .dialogue import CREDENTIALS, NO_METER, event, seconds
from .peer import NETWORK, OK, Heard, Peer, Piece, dual_stack, identified, single_stack, turn
from .wire import METER_MAC, OWN_ADDRESS, capture, command_bytes, from_host, module_lines

# A coroutine that is never awaited is a warning only.
pytestmark = [pytest.mark.looptime(noop_cycles=0), pytest.mark.filterwarnings("error")]


def follow(peer: Peer, number: int, *commands_: str) -> None:
    """Answer as the module of a capture did, at its pace where the capture has times."""
    steps = capture(number)
    for start, step in enumerate(steps):
        if step.side != "host" or not step.text.startswith(commands_):
            continue
        pieces: list[Piece] = []
        before = step.at
        for later in steps[start + 1 :]:
            if later.side == "host":
                break
            if later.at and before:
                pieces.append((later.at - before).total_seconds())
                before = later.at
            pieces.extend(module_lines([later]))
        peer.answers(step.text.split(" ")[0], *pieces)


async def test_01_is_found_joined_and_read() -> None:
    peer = dual_stack(echo=True)
    follow(peer, 1, "SKSCAN", "SKJOIN", "SKSENDTO")
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        (network,) = await link.scan(6)
        assert (network.channel, network.pan_id, network.rssi_dbm) == (0x31, 0xB5FB, -43.5)
        assert network.mac == bytes.fromhex("C0F945004058B5FB")
        assert network.pairing_id == "12345678"
        await link.join(network)
        await turn()
        assert heard.payloads == [bytes.fromhex("108100000EF0010EF0017301D50401028801")]
        request = next(step.data for step in capture(1) if step.data)
        assert request
        await link.send(request)
        await turn()
        # The notice of the half hour came before the transmission was reported, the answer behind it.
        assert heard.payloads[1:] == [
            bytes.fromhex("1081000102880105FF017302EA0B07E70C13001E000000458EEB0B07E70C13001E0000000015"),
            bytes.fromhex("1081525302880105FF017201E704000000E4"),
        ]
        assert heard.events == [LinkEvent.JOINED]
    written = {command for command in peer.commands if not command.startswith((b"SKSCAN", b"SKSREG"))}
    assert written >= {
        command_bytes(step) for step in from_host(capture(1)) if step.text.startswith(("SKJOIN", "SKSENDTO"))
    }


async def test_14_is_scanned_three_times_joined_and_polled_for_eleven_minutes() -> None:
    peer = single_stack()
    steps = capture(14)
    # The first scan took so long; its end came while the host had already begun the second.
    peer.answers("SKSCAN", OK, 5.322, f"EVENT 22 {OWN_ADDRESS}")
    peer.answers("SKSCAN", OK, 9.0, f"EVENT 22 {OWN_ADDRESS}")
    follow(peer, 14, "SKSCAN 2 FFFFFFFF 6", "SKJOIN", "SKSENDTO")
    async with identified(peer) as link:
        heard = Heard(link)
        await link.prepare(CREDENTIALS)
        assert await link.scan(4) == []
        assert await link.scan(5) == []
        (network,) = await link.scan(6)
        assert (network.channel, network.rssi_dbm) == (0x3B, -55.3)
        assert await seconds(link.join(network)) == pytest.approx(3.339, abs=0.01)
        requests = [step.data for step in steps if step.data]
        for request in requests:
            await link.send(request)
            await asyncio.sleep(20)
        assert b"".join(command for command in peer.commands if command.startswith(b"SKSENDTO")) == b"".join(
            command_bytes(step) for step in steps if step.text.startswith("SKSENDTO")
        )
    answers = [step.text.split(" ")[-1] for step in steps if step.text.startswith("ERXUDP")]
    assert [payload.hex().upper() for payload in heard.payloads] == answers
    assert len(requests) == 34
    assert all(datagram.encrypted and datagram.rssi_dbm is None for datagram in heard.datagrams)


async def test_05_hears_nothing_at_duration_4_and_something_at_5() -> None:
    peer = dual_stack(echo=True)
    follow(peer, 5, "SKSCAN 2 FFFFFFFF 4")
    rows = (
        "  Channel:39",
        "  Channel Page:09",
        "  Pan ID:8CF5",
        f"  Addr:{METER_MAC}",
        "  LQI:80",
        "  PairID:CCDDEEFF",
    )
    peer.answers("SKSCAN", OK, 8.0, f"EVENT 20 {OWN_ADDRESS} 0", "EPANDESC", *rows, 0.5, NO_METER)
    async with identified(peer) as link:
        assert await link.scan(4) == []
        assert [network.channel for network in await link.scan(5)] == [0x39]
    # Without the blank behind the last argument that the author of 05 wrote.
    assert peer.commands[-2:] == [b"SKSCAN 2 FFFFFFFF 4 0\r\n", b"SKSCAN 2 FFFFFFFF 5 0\r\n"]


async def test_the_times_of_08_are_within_our_limits() -> None:
    at = {what: when for when, what in times(8)}
    peer = dual_stack()
    peer.answers("SKJOIN", OK, (at["EVENT 25"] - at["SKJOIN"]).total_seconds(), event(0x25))
    async with identified(peer) as link:
        assert await seconds(link.join(NETWORK)) == pytest.approx(9.594)
