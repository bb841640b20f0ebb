"""What real J11 modules said is what the simulated one says: the host's side of each capture is replayed."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from simulator import JST, NORMAL_ONLY, ConstantLoad, Datagram, Pan, Registers, SimulatedHome
from simulator.air import ALL_NODES
from tests.simulator.j11 import (
    CREDENTIALS,
    GET_POWER,
    MODULE,
    PAIRING_ID,
    J11Peer,
    joined,
    prepared,
    request,
    started,
    transmission,
)

CAPTURES = Path(__file__).parents[1] / "captures"
SCAN = "060003FFF001" + PAIRING_ID
METER_MAC = bytes.fromhex("0050C2FFFEDC2822")


def session() -> Iterator[tuple[str, str, bytes]]:
    """Yield name, direction and bytes of each frame of the application note's session."""
    for line in (CAPTURES / "20_j11_rohm_app_note_session.txt").read_text().splitlines():
        if line.startswith("F"):
            name, direction, *words = line.split()
            octets = bytearray()
            for word in words:
                try:
                    octets += bytes.fromhex(word)
                except ValueError:
                    break
                if len(octets) >= 12 and len(octets) == 8 + int.from_bytes(octets[6:8]):
                    break
            yield name, direction, bytes(octets)


NOTE = {name: octets for name, _, octets in session()}


async def replay(peer: J11Peer, names: list[str], *, within_s: float = 120) -> None:
    """Write the host's frames and wait for each of the module's; others between them are passed over."""
    for name in names:
        code, data = int.from_bytes(NOTE[name][4:6]), NOTE[name][12:].hex().upper()
        if name == "F10":
            # The capture leaves out F11, which answers it.
            assert await peer.response(code, data) == "01"
            continue
        if NOTE[name][:4] == bytes.fromhex("D0EA83FC"):
            peer.write(NOTE[name])
            continue
        while await peer.heard(code, within_s) != data:
            assert code in (0x4051, 0x6018), name


def registers(at: datetime, imported: int, exported: int = 0) -> Registers:
    """Return a house that draws nothing, and what its meter shows."""
    return Registers(
        load=ConstantLoad(0), coefficient=1, initial_import=imported, initial_export=exported, installed_at=at
    )


def test_the_session_of_the_note_is_read_whole() -> None:
    assert len(NOTE) == 22
    assert all(len(octets) == 8 + int.from_bytes(octets[6:8]) for octets in NOTE.values())


async def test_the_session_of_the_note_up_to_the_first_notice() -> None:
    installed = datetime(2015, 8, 1, tzinfo=JST)
    with SimulatedHome(
        module=MODULE,
        model=NORMAL_ONLY,
        registers=registers(installed, 0x0DAC),
        pan=Pan(channel=49, pan_id=0xBCDE, mac=METER_MAC, lqi=255),
        start=datetime(2015, 8, 31, 21, 29, tzinfo=JST),
    ) as home:
        peer = await J11Peer.opened(home)
        await replay(peer, [name for name in NOTE if name not in ("F20", "F21", "F22")])
        codes = [code for code, _ in peer.said]
        assert codes.count(0x4051) == 14
        assert codes[-1] == 0x6018
        assert set(codes) == {0x6019, 0x205F, 0x2054, 0x4051, 0x2051, 0x2053, 0x2005, 0x2056, 0x6028, 0x6018}


async def test_the_request_of_the_note_and_its_answer() -> None:
    with SimulatedHome(
        module=MODULE,
        registers=registers(datetime(2018, 9, 1, tzinfo=JST), 0x373AF, 0x16A72),
        pan=Pan(channel=49, pan_id=0x22A9, mac=METER_MAC, lqi=186),
        start=datetime(2018, 10, 2, 14, 35, tzinfo=JST),
    ) as home:
        peer = await started(home)
        await replay(peer, ["F16", "F17", "F18", "F20", "F21", "F22"])


NOT_SIMULATED = {
    # HAN is authenticated; its settings, that of the UART, its key.
    *(("2001", "01020103"), ("2101", "01"), ("210A", "01"), ("2059", "01000102030405060708090A0B0C0D0E0F")),
    # Queued for a sleeping HAN device; a start refused for an unknown address; a connection that nobody asked for.
    *(("2008", "0112ABCDEF"), ("2053", "02"), ("601A", "010001020304050607DE")),
}


def frames_of_another_implementation() -> list[tuple[str, bytes]]:
    """Return code and bytes of each frame of the second capture that the simulated module can say."""
    lines = (CAPTURES / "22_j11_response_frames_tosainu.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return [(code, bytes.fromhex(frame)) for code, _, frame in rows if (code, frame[24:]) not in NOT_SIMULATED]


async def test_the_frames_of_another_implementation_are_said_byte_for_byte() -> None:
    first, second = bytes.fromhex("0001020304050607"), bytes.fromhex("0010203040506070")
    with SimulatedHome(module=MODULE, pan=Pan(channel=49, pan_id=0xABCD, mac=first, lqi=255)) as home:
        home.air.pans.append(Pan(channel=49, pan_id=0x1234, mac=second, lqi=0))
        peer = await J11Peer.opened(home)
        peer.write(request(0x00D9))
        await peer.heard(0x6019)
        await peer.response(0x006B)
        await peer.response(0x005F, "05000800")
        await peer.response(0x0051, SCAN)
        await peer.response(0x0054, CREDENTIALS)
        home.meter.pan.channel = 41
        for pan_id in (0xABCD, 0x0203, 0x5678):
            home.meter.pan.pan_id = pan_id
            await peer.response(0x0053)
            await peer.response(0x005E)
            await peer.response(0x0005, "1234")
            await peer.response(0x0008, transmission("00", "FE80" + "00" * 14, "12340E1A"))
            await peer.response(0x0006, "1234")
            await peer.response(0x0005, "1234")
            await peer.response(0x0056)
            await peer.heard(0x6028)
            home.module.radio.hear(
                Datagram(
                    source=bytes.fromhex("FE80000102030405060708090A0B0C0D"),
                    destination=ALL_NODES,
                    source_port=0xABCD,
                    destination_port=0x1234,
                    source_mac=second,
                    secured=True,
                    lqi=255,
                    payload=bytes.fromhex("98765432"),
                )
            )
            await peer.response(0x00D2)
            await peer.heard(0x6028)
            await peer.response(0x0057)
            await peer.response(0x0058)
            await peer.listened(10)
        home.meter.pan.pan_id = 0xABCD
        await peer.response(0x0053)
        await peer.response(0x0056)
        await peer.heard(0x6028)
        home.meter.paa.end_session()
        assert await peer.heard(0x601A) == "040001020304050607DE"
        expected = frames_of_another_implementation()
        assert len(expected) == 18
        assert [code for code, frame in expected if frame not in bytes(peer.received)] == []


async def test_what_another_client_has_seen_refused_is_refused_so() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await prepared(home)
        home.meter.pan.channel = 35
        assert await peer.response(0x0053) == "0E"
        home.meter.pan.channel = 33
        assert (await peer.response(0x0053))[:2] == "01"
        assert await peer.response(0x0005, "0E1A") == "01"
        assert await peer.response(0x0005, "0E1A") == "0A"
        home.faults.refused_joins = 1
        assert await peer.response(0x0056) == "01"
        assert (await peer.heard(0x6028))[:2] == "02"
        assert await peer.response(0x0008, transmission("1081")) == "01001081"


async def test_the_state_outlives_the_host() -> None:
    with SimulatedHome(module=MODULE) as home:
        peer = await joined(home)
        assert peer.transport is not None
        peer.transport.close()
        again = await J11Peer.opened(home)
        assert await again.response(0x0001) == "01030301"
        assert (await again.response(0x0008, transmission(GET_POWER)))[:4] == "0100"
        assert await again.heard(0x6018)
