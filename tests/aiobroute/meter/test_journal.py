"""The last events of a session, as they are told to whoever looks for the cause of a bad link."""

import asyncio
from itertools import pairwise

import pytest

from custom_components.broute.aiobroute import Credentials, CredentialsRefusedError, MeterNotFoundError, SmartMeter
from custom_components.broute.aiobroute.journal import LENGTH, Journal, JournalEntry
from simulator import ID, Pan, SimulatedHome
from simulator.happenings import Happenings

from .stage import client, joined

pytestmark = pytest.mark.looptime(noop_cycles=0)


def told(meter: SmartMeter) -> list[str]:
    return [entry.what for entry in meter.journal]


def test_the_oldest_entries_make_room() -> None:
    journal = Journal()
    for number in range(LENGTH + 3):
        journal.note(float(number), str(number))
    assert [entry.what for entry in journal.entries] == [str(number) for number in range(3, LENGTH + 3)]


def test_what_happens_again_and_again_is_one_entry() -> None:
    journal = Journal()
    for at_s, what in enumerate("abbbab"):
        journal.note(float(at_s), what)
    assert journal.entries == (
        JournalEntry(0.0, "a"),
        JournalEntry(3.0, "b", times=3),
        JournalEntry(4.0, "a"),
        JournalEntry(5.0, "b"),
    )


def test_what_was_given_out_does_not_change() -> None:
    journal = Journal()
    given = journal.entries
    journal.note(0.0, "a")
    assert given == ()


async def test_the_way_to_a_session_and_its_end_are_told() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
        assert told(meter) == [
            "module identified: dual-stack",
            "module reset and prepared",
            "scan of duration 5: 1 heard, ours at -42 dBm",
            "session joined",
            "session closed",
        ]
        assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(meter.journal))
        assert meter.journal[0].at_s < 1 < meter.journal[2].at_s
        await meter.close()
        assert told(meter)[-2:] == ["session joined", "session closed"]


async def test_the_causes_of_losses_and_failures_are_told() -> None:
    async with joined() as (meter, home):
        await asyncio.sleep(70)
        await meter.read()
        home.faults.refused_joins = 2
        home.meter.paa.end_session()
        await asyncio.sleep(60)
        assert told(meter)[4:] == [
            "session lost: ended by meter",
            "join failed: CredentialsRefusedError",
            "scan of duration 5: 1 heard, ours at -42 dBm",
            "attempt failed: CredentialsRefusedError: The meter did not accept the authentication",
            "module reset and prepared",
            "session joined",
        ]
        assert meter.journal[5].times == 2


async def test_a_search_tells_of_others_than_the_meter() -> None:
    with SimulatedHome(pan=Pan(powered=False)) as home:
        home.add_neighbour(Pan(channel=0x29, pan_id=0x4321, mac=bytes(8), pairing_id="01234567", answers_anybody=True))
        async with client(home) as meter:
            with pytest.raises(MeterNotFoundError) as failure:
                await meter.joined()
            assert told(meter)[2:] == [
                "scan of duration 5: 1 heard",
                "scan of duration 6: 1 heard",
                "scan of duration 7: 1 heard",
                f"attempt failed: MeterNotFoundError: {failure.value}",
            ]


async def test_a_port_that_is_not_there_for_hours_is_one_entry() -> None:
    async with joined() as (meter, home):
        home.module.port.unplug()
        await asyncio.sleep(7200)
        lost, failed = meter.journal[4:]
        assert lost.what == "session lost: port lost"
        assert failed.what == "attempt failed: PortMissingError: There is no such port"
        assert failed.times > 3600
        assert asyncio.get_running_loop().time() - failed.at_s < 5


async def test_what_the_module_says_of_itself_is_told() -> None:
    async with joined() as (meter, home):
        happen = Happenings(home)
        happen.duty_limit(10)
        await asyncio.sleep(20)
        happen.session_expired()
        await asyncio.sleep(20)
        assert told(meter)[4:] == [
            "transmission limit reached",
            "transmission limit lifted",
            "session expired, its renewal is awaited",
            "session renewed",
        ]


async def test_what_befalls_the_module_between_two_attempts_is_told() -> None:
    with SimulatedHome(module="BP35C0-J11") as home:
        async with client(home, credentials=Credentials.parse(ID, "F" * 12)) as meter:
            with pytest.raises(CredentialsRefusedError):
                await meter.joined()
            home.module.reset()
            await asyncio.sleep(5)
            assert told(meter)[-1] == "while waiting: module reset"


async def test_a_session_that_the_module_still_holds_is_told() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            Happenings(home).port_unplugged(1, keeps_power=True)
            await asyncio.sleep(10)
            assert told(meter)[-1] == "session taken up that the module still held"


async def test_when_the_meter_was_heard_is_when_it_spoke() -> None:
    with SimulatedHome() as home:
        async with client(home) as meter:
            await meter.joined()
            heard_at_s = meter.heard_at_s
            assert heard_at_s is None
            await meter.read()
            heard_at_s = meter.heard_at_s
            assert heard_at_s == asyncio.get_running_loop().time()
            home.faults.meter_silent = True
            home.meter.paa.end_session()
            await asyncio.sleep(200)
            assert meter.heard_at_s == heard_at_s
