"""What happens to a home all at once: sessions, the meter, the module and its port."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from simulator import OKINAWA, RELEASE_F, ConstantLoad, SimulatedHome
from simulator.happenings import ARGUMENTS, Happenings
from tests.simulator.peer import ADDRESS, Peer, answer, joined, request, skstack
from tests.simulator.test_radio_faults import FAILED, SENT, events

GET_POWER = "1081000105FF010288016201E700"
GET_IMPORT = "1081000105FF010288016201E000"
GET_CLOCK = "1081000105FF01028801620297009800"
GET_SCALE = "1081000105FF010288016203E100D300D700"
GET_LOCATION = "1081000105FF0102880162018100"
GET_SERIAL = "1081000105FF0102880162018D00"


async def opened(home: SimulatedHome) -> tuple[Peer, Happenings]:
    """Return a joined peer and what can happen to it."""
    return await joined(home), Happenings(home)


async def join(peer: Peer, home: SimulatedHome, address: str = ADDRESS) -> None:
    """Join the meter where it is now."""
    await peer.ask("SKSREG SFE 0")
    await peer.ask(f"SKSETPWD C {home.meter.paa.password}")
    await peer.ask(f"SKSETRBID {home.meter.paa.identity}")
    await peer.ask(f"SKSREG S2 {home.meter.pan.channel:X}")
    await peer.ask(f"SKSREG S3 {home.meter.pan.pan_id:X}")
    side = b" 0" if skstack(home).product.dual else b""
    await peer.ask(f"SKJOIN {address}", b"EVENT 25 " + address.encode() + side + b"\r\n")


async def test_the_meter_ends_the_session_with_a_word() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_ended_by_meter()
        assert events(await peer.settle(1)) == ["26"]


async def test_the_meter_forgets_the_session_without_a_word() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_forgotten_by_meter()
        assert await request(peer, home, GET_POWER, wait_s=60) == [SENT, "OK"]


async def test_the_module_ends_the_session_unasked() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_ended_by_module()
        assert events(await peer.settle(1)) == ["27"]
        assert home.meter.paa.session is None


async def test_the_module_forgets_the_session_without_a_word() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_forgotten_by_module()
        assert await request(peer, home, GET_POWER) == ["FAIL ER10"]
        assert home.meter.paa.session is not None


@pytest.mark.parametrize(("renews", "told"), [("1", ["29", "25"]), ("0", ["29"])])
async def test_a_session_expires(renews: str, told: list[str]) -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        await peer.ask(f"SKSREG S17 {renews}")
        happenings.session_expired()
        assert events(await peer.settle(60)) == told


async def test_a_module_without_session_has_none_to_expire() -> None:
    with SimulatedHome() as home:
        peer = await Peer.opened(home)
        Happenings(home).session_expired()
        assert await peer.settle(60) == b""


async def test_a_session_is_renewed_before_its_time() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_renewed()
        assert events(await peer.settle(20)) == ["25"]


async def test_sessions_from_the_next_one_on_last_as_long_as_is_said() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.session_lifetime(100)
        await peer.ask("SKREJOIN", f"EVENT 25 {ADDRESS} 0\r\n".encode())
        assert events(await peer.settle(79)) == []
        assert events(await peer.settle(20)) == ["25"]


async def test_the_duty_limit_is_reached_and_lifted() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.duty_limit(30)
        assert (await peer.settle(1)).startswith(b"EVENT 32 ")
        assert await request(peer, home, GET_POWER) == [FAILED, "OK"]
        assert (await peer.settle(30)).startswith(b"EVENT 33 ")
        assert await answer(peer, home, GET_POWER)


async def test_a_second_duty_limit_counts_from_the_second() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.duty_limit(30)
        await peer.settle(20)
        happenings.duty_limit(30)
        assert b"EVENT 33" not in await peer.settle(29)
        assert b"EVENT 33" in await peer.settle(2)


async def test_a_rebooting_meter_acknowledges_nothing_and_knows_no_session_after_it() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.meter_rebooted(60)
        assert await request(peer, home, GET_POWER) == [FAILED, "OK"]
        await peer.settle(60)
        assert await request(peer, home, GET_POWER, wait_s=60) == [SENT, "OK"]
        await join(peer, home)
        assert await answer(peer, home, GET_POWER)


async def test_a_meter_comes_back_on_another_channel_and_pan() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.meter_rebooted(60, channel=0x2A, pan_id=0x9999)
        await peer.settle(61)
        assert await request(peer, home, GET_POWER) == [FAILED, "OK"]
        assert (home.meter.pan.channel, home.meter.pan.pan_id) == (0x2A, 0x9999)
        await join(peer, home)
        assert await answer(peer, home, GET_POWER)


async def test_a_new_meter_counts_from_nothing_and_has_another_address_and_serial_number() -> None:
    new = "FE80:0000:0000:0000:021D:1290:1234:5679"
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        noted: list[object] = []
        home.meter.on_answer = noted.append
        peer, happenings = await opened(home)
        serial = (await answer(peer, home, GET_SERIAL))[-24:]
        assert int((await answer(peer, home, GET_IMPORT))[-8:], 16) > 1000
        happenings.meter_replaced()
        assert await request(peer, home, GET_POWER) == [FAILED, "OK"]
        await join(peer, home, new)
        await peer.settle(8)
        for frame, check in (
            (GET_SERIAL, lambda payload: payload[-24:] != serial),
            (GET_IMPORT, lambda payload: int(payload[-8:], 16) == 0),
        ):
            data = bytes.fromhex(frame)
            peer.write(f"SKSENDTO 1 {new} 0E1A 1 0 {len(data):04X} ".encode() + data)
            assert check((await peer.settle(3)).decode().splitlines()[-1].split(" ")[-1])
        assert home.truth().import_kwh == 0
        assert len(noted) == 4


async def test_the_history_of_a_new_meter_begins_with_it() -> None:
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        Happenings(home).meter_replaced("okinawa")
        assert home.meter.model is OKINAWA
        assert home.truth(home.clock.now() - timedelta(hours=1)).import_kwh is None


async def test_a_used_meter_takes_the_place_of_the_old_one() -> None:
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        now = home.clock.now()
        Happenings(home).meter_replaced(stored_s=86_400 + 23 * 60)
        used = home.truth().import_kwh
        assert used
        home.meter.object.write(0xE5, b"\x01")
        day = home.meter.object.read(0xE2) or b""
        # It was taken down at 18:01 of that day.
        assert int.from_bytes(day[2 + 36 * 4 :][:4]) == used * 10
        assert day[2 + 37 * 4 :] == bytes.fromhex("FFFFFFFE") * 11
        assert home.truth(now - timedelta(days=2)).import_kwh is None


async def test_a_new_meter_may_begin_with_counts() -> None:
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        Happenings(home).meter_replaced("okinawa", import_count=999_999, export_count=12)
        assert (home.truth().import_kwh, home.truth().export_kwh) == (Decimal("99999.9"), Decimal("1.2"))


async def test_the_clock_of_the_meter_becomes_wrong_and_is_set_right() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.happen("meter_clock_wrong", {"by_s": -86_400 - 600})
        assert (await answer(peer, home, GET_CLOCK)).endswith("9702120E9804" + "07EA0B14")
        happenings.meter_clock_right()
        assert (await answer(peer, home, GET_CLOCK)).endswith("970212189804" + "07EA0B15")


async def test_counters_begin_anew() -> None:
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        peer, happenings = await opened(home)
        happenings.meter_counters_restarted()
        assert (await answer(peer, home, GET_IMPORT)).endswith("00000000")
        happenings.meter_counters_restarted(0x1234)
        assert (await answer(peer, home, GET_IMPORT)).endswith("00001234")


async def test_the_scale_changes() -> None:
    with SimulatedHome(load=ConstantLoad(3600)) as home:
        peer, happenings = await opened(home)
        happenings.meter_counters_restarted(700)
        happenings.meter_scale_changed(unit=0x02, digits=7, same_energy=True)
        assert (await answer(peer, home, GET_IMPORT)).endswith(f"{7000:08X}")
        happenings.meter_scale_changed(coefficient=20)
        assert (await answer(peer, home, GET_SCALE)).endswith("E10102" + "D30400000014" + "D70107")
        assert home.truth().import_kwh == 1400


@pytest.mark.parametrize(
    "letter", [{"password": "BA9876543210"}, {"identity": "FFEEDDCCBBAA99887766554433221100"}], ids=str
)
async def test_what_was_reissued_is_admitted_and_the_old_is_not(letter: dict[str, str]) -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.happen("credentials_reissued", letter)
        assert events(await peer.settle(1)) == ["26"]
        peer.write(f"SKJOIN {ADDRESS}\r\n".encode())
        assert "24" in events(await peer.settle(60))
        await join(peer, home)
        assert {"identity": home.meter.paa.identity, "password": home.meter.paa.password}.items() >= letter.items()
        assert home.meter.pan.pairing_id == home.meter.paa.identity[-8:]


async def test_the_meter_is_heard_otherwise() -> None:
    with SimulatedHome() as home:
        Happenings(home).meter_heard(lqi=0x40)
        peer = await joined(home)
        peer.write(b"SKSCAN 2 FFFFFFFF 6 0\r\n")
        assert b"LQI:40" in await peer.settle(60)


async def test_the_house_takes_what_it_is_told_to() -> None:
    with SimulatedHome(load=ConstantLoad(500)) as home:
        peer, happenings = await opened(home)
        assert (await answer(peer, home, GET_POWER)).endswith("E704000001F4")
        happenings.load_stepped(-800)
        assert (await answer(peer, home, GET_POWER)).endswith("E704FFFFFCE0")
        before = home.truth()
        await asyncio.sleep(3600)
        after = home.truth()
        assert before.export_kwh is not None
        assert after.export_kwh == before.export_kwh + Decimal("0.8")
        assert after.import_kwh == before.import_kwh


async def test_a_fault_of_the_meter_is_announced() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.meter_faulty(faulty=True)
        assert b"7301880141" in await peer.settle(1)
        happenings.meter_faulty(faulty=False)
        assert b"7301880142" in await peer.settle(1)


async def test_that_the_meter_is_not_in_operation_is_announced() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.meter_operating(operating=False)
        assert b"7301800131" in await peer.settle(1)
        happenings.meter_operating(operating=True)
        assert b"7301800130" in await peer.settle(1)


@pytest.mark.parametrize("location", ["29", "01" + 16 * "37"])
async def test_another_place_of_the_meter_is_announced(location: str) -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.happen("meter_location", {"location": location})
        assert f"730181{len(location) // 2:02X}{location}".encode() in await peer.settle(1)
        assert (await answer(peer, home, GET_LOCATION)).endswith(f"720181{len(location) // 2:02X}{location}")


async def test_neighbours_appear_and_vanish() -> None:
    with SimulatedHome() as home:
        happenings = Happenings(home)
        happenings.neighbour_appeared()
        happenings.neighbour_appeared(channel=0x30, pairing_id="01AD1234")
        first, second = (meter.pan for meter in home.neighbours)
        assert home.air.pans == [home.meter.pan, first, second]
        assert first.lqi > home.meter.pan.lqi
        assert (first.pairing_id, second.channel) == ("CCDDEEFF", 0x30)
        assert second.pairing_id == home.neighbours[1].paa.identity[-8:] == "01AD1234"
        happenings.neighbours_vanished()
        assert home.air.pans == [home.meter.pan]


async def test_a_module_is_reset_under_us() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.module_reset()
        assert await peer.ask("SKREJOIN", b"10\r\n") == b"SKREJOIN\r\nFAIL ER10\r\n"


async def test_another_product_takes_the_place_of_the_module() -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.module_replaced("BP35A1")
        await asyncio.sleep(0)
        assert peer.lost == [None]
        assert home.meter.paa.session is None
        again = await Peer.opened(home)
        assert await again.ask("SKVER") == b"SKVER\r\nEVER 1.2.10\r\nOK\r\n"
        await asyncio.sleep(10)
        await join(again, home)
        assert len(home.air.radios) == 1


@pytest.mark.parametrize(("keeps_power", "session"), [(True, True), (False, False)])
async def test_a_port_vanishes_for_a_time(keeps_power: bool, session: bool) -> None:
    with SimulatedHome() as home:
        peer, happenings = await opened(home)
        happenings.port_unplugged(30, keeps_power=keeps_power)
        await asyncio.sleep(29)
        assert peer.lost == [None]
        with pytest.raises(FileNotFoundError):
            await Peer.opened(home)
        await asyncio.sleep(2)
        await (await Peer.opened(home)).ask("SKVER")
        assert (home.module.radio.session is not None) == session


async def test_a_port_vanishes_until_it_is_plugged_in() -> None:
    with SimulatedHome() as home:
        _, happenings = await opened(home)
        happenings.port_unplugged(30)
        happenings.port_unplugged()
        await asyncio.sleep(100)
        assert not home.module.port.plugged
        happenings.port_plugged()
        await Peer.opened(home)


async def test_a_module_babbles() -> None:
    with SimulatedHome(echo=False) as home:
        peer = await Peer.opened(home)
        Happenings(home).babble(b"\0", 1)
        assert set(await peer.settle(2)) == {0}


async def test_nothing_happens_by_itself_after_the_end() -> None:
    with SimulatedHome() as home:
        _, happenings = await opened(home)
        happenings.port_unplugged(30)
        happenings.duty_limit(30)
        happenings.close()
        await asyncio.sleep(60)
        assert not home.module.port.plugged
        assert home.module.radio.duty_limited


async def test_each_happening_is_documented_and_each_argument_can_be_read() -> None:
    documentation = Happenings.documentation()
    assert documentation["duty_limit"]["arguments"] == ["for_s"]
    for name, entry in documentation.items():
        assert entry["doc"], name
        assert isinstance(entry["arguments"], list)
        assert set(entry["arguments"]) <= set(ARGUMENTS), name


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("nothing", {}, "unknown name 'nothing'; known are babble, "),
        ("happen", {}, "unknown name 'happen'"),
        ("_known", {}, "unknown name '_known'"),
        ("duty_limit", {}, "missing: for_s"),
        ("duty_limit", {"for_s": -1}, "for_s: a number from 0 on is wanted"),
        ("duty_limit", {"for_s": True}, "for_s: "),
        ("duty_limit", {"for_s": 1, "self": 2}, "unknown name 'self'; known are for_s"),
        ("meter_rebooted", {"for_s": 1, "channel": 5}, "channel: "),
        ("meter_rebooted", {"for_s": 1, "channel": [33]}, "channel: "),
        ("meter_rebooted", {"for_s": 1, "pan_id": 0x10000}, "pan_id: "),
        ("meter_replaced", {"model": ["okinawa"]}, "model: one of release-f"),
        ("meter_replaced", {"import_count": 100_000_000}, "import_count: a whole number of 0 to 99999999"),
        ("meter_replaced", {"stored_s": 1e12}, "stored_s: a number of 0 to"),
        ("meter_replaced", {"stored_s": -1}, "stored_s: "),
        ("meter_clock_wrong", {"by_s": float("nan")}, "by_s: a number of -"),
        ("meter_clock_wrong", {"by_s": 1e12}, "by_s: a number of -"),
        ("meter_clock_wrong", {"by_s": True}, "by_s: "),
        ("load_stepped", {"power_w": 1.5}, "power_w: a whole number of -"),
        ("load_stepped", {"power_w": -100_001}, "power_w: a whole number of -"),
        ("load_stepped", {"power_w": 100}, "this house has a day of its own"),
        ("meter_scale_changed", {"unit": 5}, "unit: one of 0, 1, "),
        ("meter_scale_changed", {"coefficient": 0}, "coefficient: a whole number of 1 to 999999"),
        ("meter_scale_changed", {"digits": 9}, "digits: a whole number of 1 to 8"),
        ("meter_scale_changed", {"same_energy": 1}, "same_energy: true or false"),
        ("meter_operating", {"operating": 0}, "operating: true or false"),
        ("meter_location", {"location": "0"}, "location: pairs of hexadecimal digits"),
        ("meter_location", {"location": "0161"}, "location: one byte is wanted, or 17"),
        ("meter_location", {"location": "02" + 32 * "0"}, "location: one byte is wanted, or 17"),
        ("neighbour_appeared", {"mac": "00"}, "mac: 16 hexadecimal digits"),
        ("neighbour_appeared", {"lqi": 256}, "lqi: "),
        ("neighbour_appeared", {"pairing_id": "CCDDEEF"}, "pairing_id: eight characters"),
        ("neighbour_appeared", {"pairing_id": 12345678}, "pairing_id: "),
        ("neighbour_appeared", {"pairing_id": "CCDD\r\nFF"}, "pairing_id: "),
        ("neighbour_appeared", {"pairing_id": "CCDDEEF\u3042"}, "pairing_id: "),
        ("neighbour_appeared", {"answers_anybody": 1}, "answers_anybody: true or false"),
        ("module_replaced", {"module": "BP35"}, "module: one of BP35A1"),
        ("babble", {"pattern": "", "for_s": 1}, "pattern: "),
    ],
)
async def test_what_cannot_happen_is_told_and_does_not(name: str, arguments: dict[str, object], error: str) -> None:
    with SimulatedHome(model=RELEASE_F) as home:
        happenings = Happenings(home)
        with pytest.raises((LookupError, ValueError)) as refused:
            happenings.happen(name, arguments)
        assert str(refused.value).startswith(error)
