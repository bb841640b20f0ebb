"""Load and registers: exact, repeatable, monotonic at any instant, and what a register makes of them."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from hypothesis import given, settings, strategies as st
import pytest

from simulator import EPOCH, JST, UNIT_KWH, ConstantLoad, HouseLoad, Registers, ScriptedLoad, SimulatedHome
from tests.simulator.peer import answer, joined

NOON = datetime(2026, 11, 21, 12, tzinfo=JST)
UJ_PER_WH = 3_600_000_000
instants = st.datetimes(datetime(2026, 8, 1), datetime(2026, 12, 1)).map(  # noqa: DTZ001 - the zone is set here
    lambda at: at.replace(tzinfo=JST)
)


@settings(deadline=None)
@given(instants, st.integers(0, 3))
def test_energy_is_the_sum_of_the_power_of_each_minute(at: datetime, seed: int) -> None:
    load = HouseLoad(seed)
    start = at.replace(second=0, microsecond=0)
    begin, end = load.energy(start), load.energy(start + timedelta(minutes=90))
    powers = [load.flow(start + timedelta(minutes=minute)).power_w for minute in range(90)]
    assert end.import_uj - begin.import_uj == sum(max(power, 0) for power in powers) * 60_000_000
    assert end.export_uj - begin.export_uj == sum(max(-power, 0) for power in powers) * 60_000_000


@settings(deadline=None)
@given(instants, instants)
def test_energy_never_falls(first: datetime, second: datetime) -> None:
    load = HouseLoad(1)
    earlier, later = load.energy(min(first, second)), load.energy(max(first, second))
    assert earlier.import_uj <= later.import_uj
    assert earlier.export_uj <= later.export_uj


def test_the_same_seed_is_the_same_curve_in_whatever_order_it_is_asked() -> None:
    times = [NOON - timedelta(minutes=17 * index) for index in range(500)]
    load = HouseLoad(5)
    forward = [load.energy(at) for at in times]
    shuffled = HouseLoad(5)
    order = list(range(500))
    Random(0).shuffle(order)
    assert {index: shuffled.energy(times[index]) for index in order} == dict(enumerate(forward))
    assert HouseLoad(6).energy(NOON) != forward[0]


def test_a_house_without_generation_exports_nothing_and_one_with_it_does() -> None:
    assert HouseLoad(0, export=False).energy(NOON).export_uj == 0
    assert HouseLoad(0).energy(NOON).export_uj > 0
    load = HouseLoad(0)
    flows = [load.flow(NOON - timedelta(minutes=minute)).power_w for minute in range(10_000)]
    assert min(flows) < 0 < max(flows)


def test_a_house_has_a_rhythm_of_its_own() -> None:
    load = HouseLoad(0, export=False)
    midnight = NOON - timedelta(hours=12)

    def mean_w(start_minute: int, minutes: int) -> float:
        times = [midnight - timedelta(days=day) + timedelta(minutes=start_minute) for day in range(30)]
        powers = [load.flow(at + timedelta(minutes=minute)).power_w for at in times for minute in range(minutes)]
        return sum(powers) / len(powers)

    night_w = mean_w(120, 60)
    assert 150 < night_w < 350
    assert mean_w(425, 30) > night_w + 400
    assert mean_w(1150, 60) > night_w + 650
    peaks = [load.flow(midnight - timedelta(minutes=minute)).power_w for minute in range(7 * 1440)]
    assert max(peaks) > 1700


def test_nothing_is_counted_before_the_epoch() -> None:
    for load in (HouseLoad(0), ConstantLoad(500)):
        assert load.energy(EPOCH - timedelta(hours=5)).import_uj == 0


def test_a_script_is_exact_at_and_between_its_steps() -> None:
    load = ScriptedLoad(1000)
    load.step(NOON, -500)
    load.step(NOON + timedelta(hours=1), 200)
    start = load.energy(NOON)
    half, end = load.energy(NOON + timedelta(minutes=30)), load.energy(NOON + timedelta(hours=2))
    assert (half.import_uj - start.import_uj, half.export_uj - start.export_uj) == (0, 250 * UJ_PER_WH)
    assert (end.import_uj - start.import_uj, end.export_uj - start.export_uj) == (200 * UJ_PER_WH, 500 * UJ_PER_WH)
    assert [load.flow(NOON + timedelta(seconds=second)).power_w for second in (-1, 0, 3600)] == [1000, -500, 200]
    with pytest.raises(ValueError, match="order"):
        load.step(NOON, 1)


@pytest.mark.parametrize(("unit", "kwh"), UNIT_KWH.items())
def test_a_register_floors_to_its_unit(unit: int, kwh: Decimal) -> None:
    power_w = 10_000_000
    installed = NOON
    registers = Registers(load=ConstantLoad(power_w), unit=unit, installed_at=installed, digits=8)
    full = timedelta(hours=float(kwh * 3 * 1000 / power_w))
    assert registers.import_count(installed + full - timedelta(microseconds=1)) == 2
    assert registers.import_count(installed + full + timedelta(microseconds=1)) == 3
    assert registers.kwh(3) == 3 * kwh


def test_a_coefficient_makes_each_count_worth_more() -> None:
    registers = Registers(load=ConstantLoad(1000), unit=0x01, coefficient=40, installed_at=NOON)
    assert registers.import_count(NOON + timedelta(hours=9)) == 2
    assert registers.kwh(2) == Decimal(8)


def test_a_register_wraps_to_zero_after_its_last_digit() -> None:
    registers = Registers(load=ConstantLoad(1000), digits=4, initial_import=9998, installed_at=NOON)
    counts = [registers.import_count(NOON + timedelta(minutes=6 * step)) for step in range(4)]
    assert counts == [9998, 9999, 0, 1]


async def test_the_wrap_is_what_the_meter_sends() -> None:
    registers = Registers(
        load=ConstantLoad(1000), digits=4, initial_import=9999, initial_export=3, installed_at=NOON, coefficient=None
    )
    with SimulatedHome(registers=registers, start=NOON + timedelta(minutes=7)) as home:
        peer = await joined(home)
        frame = "1081000105FF010288016203D700E000E300"
        assert await answer(peer, home, frame) == "1081000102880105FF017203D70104E00400000000E30400000003"


def test_nothing_is_known_before_the_meter_was_installed() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=NOON)
    assert registers.import_count(NOON - timedelta(microseconds=1)) is None
    assert registers.export_count(NOON - timedelta(microseconds=1)) is None
    assert registers.import_count(NOON) == 0


@given(st.integers(-20_000, 20_000), st.integers(0, 1000))
def test_the_currents_carry_the_power_at_100_v(power_w: int, r_permille: int) -> None:
    flow = ConstantLoad(power_w, r_permille=r_permille).flow(NOON)
    r_da, t_da = flow.currents_da(two_wire=False)
    assert t_da is not None
    assert abs((r_da + t_da) * 10 - power_w) <= 5
    assert abs(r_da * 10 - power_w * r_permille / 1000) <= 5
    assert flow.currents_da(two_wire=True) == (round(power_w / 10), None)
