"""The truth is what the answers encode, decoded here by hand."""

from datetime import datetime, timedelta
from decimal import Decimal
import json

from simulator import JST, HouseLoad, Registers, SimulatedHome
from tests.simulator.peer import answer, joined

GET = "1081000105FF010288016206E700E800E000E300EA00EB00"


def signed(text: str) -> int:
    """Return a signed number."""
    return int.from_bytes(bytes.fromhex(text), signed=True)


async def test_each_answer_carries_the_truth_of_its_instant() -> None:
    registers = Registers(load=HouseLoad(4), unit=0x02, coefficient=3, digits=8, initial_import=123, initial_export=9)
    with SimulatedHome(registers=registers, start=datetime(2026, 11, 21, 11, 59, tzinfo=JST)) as home:
        peer = await joined(home)
        for _ in range(60):
            await peer.settle(297)
            payload = await answer(peer, home, GET)
            truth = [noted for noted in home.meter.answers if noted.esv == 0x72][-1].truth
            assert payload[20:28] == "7206E704"
            assert signed(payload[28:36]) == truth.power_w
            assert Decimal(signed(payload[40:44])) / 10 == truth.current_r_a
            assert Decimal(signed(payload[44:48])) / 10 == truth.current_t_a
            assert int(payload[52:60], 16) * Decimal("0.03") == truth.import_kwh
            assert int(payload[64:72], 16) * Decimal("0.03") == truth.export_kwh
            assert int(payload[90:98], 16) * Decimal("0.03") == truth.fixed_import_kwh
            assert int(payload[116:124], 16) * Decimal("0.03") == truth.fixed_export_kwh
            year, month, day, hour, minute = (int(payload[at : at + 2], 16) for at in (78, 80, 82, 84, 86))
            assert payload[76:78] + payload[88:90] == "0700"
            assert datetime(0x0700 + year, month, day, hour, minute, tzinfo=JST) == truth.fixed_time
            assert truth == home.truth(truth.at)


async def test_the_truth_of_any_instant_can_be_asked_for() -> None:
    with SimulatedHome() as home:
        long_ago = home.truth(home.clock.now() - timedelta(days=99))
        now = home.truth()
        assert long_ago.import_wh < now.import_wh
        assert long_ago.import_kwh is not None
        assert now.import_kwh is not None
        grown_kwh = now.import_kwh - long_ago.import_kwh
        assert abs(grown_kwh - Decimal(float(now.import_wh - long_ago.import_wh) / 1000)) < Decimal("0.2")


async def test_answers_can_be_written_as_lines_of_json() -> None:
    lines: list[str] = []
    with SimulatedHome() as home:
        home.meter.on_answer = lambda noted: lines.append(noted.to_json())
        peer = await joined(home)
        await answer(peer, home, "10811A2B05FF010288016202E0008300")
    noted = json.loads(lines[0])
    assert (noted["tid"], noted["esv"], noted["epcs"]) == ("1A2B", "52", ["E0", "83"])
    assert noted["at"].startswith("2026-11-21T18:24:")
    assert noted["at"].endswith("+09:00")
    assert Decimal(noted["truth"]["import_kwh"]) == home.truth(datetime.fromisoformat(noted["at"])).import_kwh
    assert noted["truth"]["import_wh"] > 0
    assert noted["truth"]["fixed_time"] == "2026-11-21T18:00:00+09:00"
