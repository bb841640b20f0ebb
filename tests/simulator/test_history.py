"""The past of a meter: what its log holds after clock, mains, registers or the meter itself were changed."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from simulator import (
    JST,
    OKINAWA,
    RELEASE_R,
    ConstantLoad,
    History,
    HouseLoad,
    Mains,
    Registers,
    ScriptedLoad,
    SimulatedHome,
)

MIDNIGHT = datetime(2026, 11, 21, tzinfo=JST)
NOON = MIDNIGHT + timedelta(hours=12)
HALF_HOUR = timedelta(minutes=30)
STEP_S = 30
"""What a replay counts by: power is constant within a minute, and everything happens at half minutes."""


def hours(number: float) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=number)


def counts(edt: bytes) -> list[int | None]:
    """Return the counts of a history, `None` for FFFFFFFE."""
    values = [int.from_bytes(edt[at : at + 4]) for at in range(0, len(edt), 4)]
    return [None if value == 0xFFFFFFFE else value for value in values]


def day(home: SimulatedHome, days_back: int = 0, epc: int = 0xE2) -> list[int | None]:
    """Return the counts of a day by E5 and E2, or E4."""
    target = home.meter.object
    assert target.write(0xE5, bytes((days_back,)))
    edt = target.read(epc)
    assert edt is not None
    assert edt[:2] == bytes((0, days_back))
    return counts(edt[2:])


def entry(home: SimulatedHome, stamp: datetime) -> int | None:
    """Return the count of the normal direction at a stamp, by ED and EC."""
    date = stamp.year.to_bytes(2) + bytes((stamp.month, stamp.day, stamp.hour, stamp.minute))
    assert home.meter.object.write(0xED, date + b"\x01")
    edt = home.meter.object.read(0xEC)
    assert edt is not None
    return counts(edt[7:])[0]


def register(home: SimulatedHome) -> int:
    """Return E0."""
    return int.from_bytes(home.meter.object.read(0xE0) or b"")


def kept(home: SimulatedHome) -> list[list[int | None]]:
    """Return all that the log holds, today first: of each day one direction, then the other."""
    days = range(home.meter.registers.history_days + 1)
    return [day(home, back, epc) for back in days for epc in (0xE2, 0xE4)]


class Replay:
    """A meter as it is built: it counts as time goes by, and writes into its log at each half hour of its clock."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._wanted = {"import": registers.initial_import, "export": registers.initial_export}
        self._passed_ws = {"import": 0, "export": 0}
        self._log: dict[datetime, tuple[int, int]] = {}
        self._dark_until = registers.installed_at
        self.at = registers.installed_at
        self.offset = timedelta(0)
        self._write()

    def run(self, steps: int) -> None:
        """Let time pass."""
        for _ in range(steps):
            power_w = self._registers.load.flow(self.at).power_w if self.at >= self._dark_until else 0
            self._passed_ws["import" if power_w > 0 else "export"] += abs(power_w) * STEP_S
            self.at += timedelta(seconds=STEP_S)
            self._write()

    def lose_mains(self, for_s: int) -> None:
        """Have no mains for a time."""
        self._dark_until = self.at + timedelta(seconds=for_s)

    def restart(self, count: int) -> None:
        """Count anew."""
        self._wanted = {"import": count, "export": 0}
        self._passed_ws = {"import": 0, "export": 0}

    def kept(self) -> list[list[int | None]]:
        """Return what `kept` reads."""
        today = self.now.replace(hour=0, minute=0, second=0)
        rows: list[list[int | None]] = []
        for back in range(self._registers.history_days + 1):
            stamps = [today - timedelta(days=back) + HALF_HOUR * slot for slot in range(48)]
            pairs = [self._log.get(stamp, (None, None)) if stamp <= self.now else (None, None) for stamp in stamps]
            rows += [[normal for normal, _ in pairs], [reverse for _, reverse in pairs]]
        return rows

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return self.at + self.offset

    @property
    def last(self) -> int | None:
        """The entry of the last half hour."""
        return self._log.get(self.now.replace(minute=self.now.minute // 30 * 30, second=0), (None,))[0]

    def _write(self) -> None:
        if self.now.minute % 30 == self.now.second == 0 and self.at >= self._dark_until:
            per_count_ws = int(self._registers.kwh_per_count * 3_600_000)
            size = 10**self._registers.digits
            normal, reverse = (
                (self._wanted[way] + self._passed_ws[way] // per_count_ws) % size for way in ("import", "export")
            )
            self._log[self.now] = normal, reverse


EVENTS = st.one_of(
    st.tuples(st.just("clock"), st.integers(-200, 200) | st.integers(-3, 3).map(lambda days: days * 1440)),
    st.tuples(st.just("no mains"), st.integers(1, 200)),
    st.tuples(st.just("restart"), st.integers(0, 9999)),
)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 9),
    history_days=st.integers(0, 4),
    digits=st.sampled_from([3, 4, 8]),
    events=st.lists(st.tuples(st.integers(1, 400), EVENTS), max_size=12),
)
async def test_the_log_is_that_of_a_meter_that_writes_at_each_half_hour_of_its_clock(
    seed: int, history_days: int, digits: int, events: list[tuple[int, tuple[str, int]]]
) -> None:
    # At half minutes, so that nothing changes at the instant of an entry; that is tested apart.
    registers = Registers(
        load=HouseLoad(seed),
        unit=0x02,
        digits=digits,
        initial_import=990,
        installed_at=NOON + timedelta(seconds=30),
        history_days=history_days,
    )
    replay = Replay(registers)
    with SimulatedHome(registers=registers, start=registers.installed_at) as home:
        for minutes, (kind, value) in [*events, (1, ("clock", 0))]:
            await asyncio.sleep(minutes * 60)
            replay.run(minutes * 60 // STEP_S)
            assert home.clock.now() == replay.at
            match kind:
                case "clock":
                    replay.offset = home.meter.clock_offset = timedelta(minutes=value)
                case "no mains":
                    replay.lose_mains(value * 60)
                    home.meter.reboot(value * 60)
                case _:
                    replay.restart(value)
                    home.meter.restart_counters(value)
            assert kept(home) == replay.kept()
            latest = home.meter.object.read(0xEA)
            assert latest is not None
            assert counts(latest[7:]) == [replay.last]
            truth = home.truth()
            assert truth.fixed_import_kwh == registers.kwh(replay.last)


async def test_a_clock_set_back_overwrites_and_one_set_forward_leaves_out() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT)
    with SimulatedHome(registers=registers, start=NOON + timedelta(minutes=10)) as home:
        home.meter.clock_offset = -hours(1)
        assert entry(home, MIDNIGHT + hours(11)) == 110
        assert entry(home, NOON) is None
        await asyncio.sleep(hours(2).total_seconds())
        assert entry(home, MIDNIGHT + hours(11)) == 110
        assert entry(home, MIDNIGHT + hours(11.5)) == 125
        assert entry(home, NOON) == 130
        home.meter.clock_offset = timedelta(0)
        assert day(home)[22:30] == [110, 125, 130, 135, 140, None, None, None]
        assert register(home) == 141


async def test_a_clock_that_was_wrong_from_the_start_has_stamped_the_whole_log() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT - timedelta(days=2))
    with SimulatedHome(registers=registers, start=NOON, clock_offset=-timedelta(days=1, minutes=15)) as home:
        now = home.clock.now() - timedelta(days=1, minutes=15)
        assert home.meter.object.read(0x98) == bytes.fromhex("07EA0B14")
        assert entry(home, MIDNIGHT - timedelta(days=1)) == 482
        assert day(home)[:25] == [*range(482, 598, 5), None]
        assert home.truth().fixed_time == now.replace(minute=30)


async def test_setting_the_clock_right_does_not_change_what_was_stamped() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT)
    with SimulatedHome(registers=registers, start=NOON, clock_offset=timedelta(minutes=-6)) as home:
        wrong = day(home)[:23]
        home.meter.clock_offset = timedelta(0)
        assert day(home)[:23] == wrong
        assert day(home)[23:26] == [116, 120, None]


async def test_the_truth_of_the_past_goes_by_the_clock_of_then() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON + timedelta(minutes=40)) as home:
        right = home.truth()
        await asyncio.sleep(60)
        home.meter.clock_offset = hours(5)
        assert home.truth(right.at) == right
        assert home.truth().fixed_time == NOON + hours(5.5)


async def test_without_mains_nothing_is_written_counted_or_taken() -> None:
    load = ScriptedLoad(1200)
    load.step(NOON + hours(1.5), -600)
    registers = Registers(load=load, unit=0x02, installed_at=MIDNIGHT)
    with SimulatedHome(model=RELEASE_R, registers=registers, start=NOON + timedelta(minutes=20)) as home:
        before = home.truth()
        home.meter.reboot(hours(1).total_seconds())
        await asyncio.sleep(hours(0.5).total_seconds())
        dark = home.truth()
        assert (dark.power_w, dark.import_wh, dark.import_kwh) == (0, before.import_wh, before.import_kwh)
        assert dark.fixed_import_kwh is None
        await asyncio.sleep(hours(2).total_seconds())
        after = home.truth()
        # From 13:20 to 13:30 at 1200 W, then to 14:50 at -600 W.
        assert after.import_wh - before.import_wh == 200
        assert after.export_wh - before.export_wh == 800
        assert day(home)[23:31] == [1380, 1440, None, None, 1500, 1500, 1500, None]
        assert day(home, epc=0xE4)[26:31] == [None, 0, 30, 60, None]
        assert home.truth(dark.at) == dark


async def test_the_minutes_have_holes_too() -> None:
    registers = Registers(load=ConstantLoad(60_000), installed_at=MIDNIGHT)
    with SimulatedHome(model=RELEASE_R, registers=registers, start=NOON + timedelta(seconds=30)) as home:
        home.meter.reboot(120)
        await asyncio.sleep(125)
        latest = home.meter.object.read(0xD0)
        assert latest == bytes.fromhex("07EA0B150C0200" + "FFFFFFFE" * 2)
        await asyncio.sleep(60)
        assert home.meter.object.write(0xEF, bytes.fromhex("07EA0B150C0304"))
        minutes = home.meter.object.read(0xEE)
        assert minutes is not None
        assert counts(minutes[7:])[::2] == [7210, None, None, 7200]


async def test_an_entry_that_was_there_is_kept_when_the_second_one_was_not_written() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT)
    with SimulatedHome(registers=registers, start=NOON + timedelta(minutes=10)) as home:
        home.meter.clock_offset = timedelta(minutes=-20)
        home.meter.reboot(timedelta(minutes=15).total_seconds())
        await asyncio.sleep(timedelta(minutes=20).total_seconds())
        assert entry(home, NOON) == 120


async def test_a_second_outage_during_the_first_makes_it_longer() -> None:
    with SimulatedHome(load=ConstantLoad(1000)) as home:
        before = home.truth()
        home.meter.reboot(60)
        await asyncio.sleep(30)
        home.meter.reboot(60)
        await asyncio.sleep(59)
        assert home.truth().import_wh == before.import_wh
        await asyncio.sleep(37)
        assert home.truth().import_wh == before.import_wh + 10


async def test_counters_begin_anew_and_the_log_keeps_what_they_were() -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT, initial_export=7)
    with SimulatedHome(registers=registers, start=NOON + timedelta(minutes=20)) as home:
        before = home.truth()
        home.meter.restart_counters()
        assert home.truth().import_kwh == home.truth().export_kwh == 0
        await asyncio.sleep(hours(1).total_seconds())
        home.meter.restart_counters(500, 60)
        assert register(home) == 500
        assert home.truth().export_kwh == 6
        await asyncio.sleep(hours(1).total_seconds())
        assert day(home)[23:30] == [115, 120, 1, 6, 501, 506, None]
        assert day(home, epc=0xE4)[23:30] == [7, 7, 0, 0, 60, 60, None]
        assert home.truth(before.at - timedelta(microseconds=1)).import_kwh == before.import_kwh
        assert home.truth().import_wh - before.import_wh == 2000


@pytest.mark.parametrize(
    ("changes", "same_energy", "raw"),
    [
        ({"unit": 0x02}, False, [122, 172]),
        ({"unit": 0x02}, True, [1220, 1270]),
        ({"coefficient": 3}, False, [122, 123]),
        ({"coefficient": 3}, True, [40, 41]),
        ({"digits": 2}, False, [22, 27]),
        ({"unit": 0x00, "digits": 1}, True, [2, 2]),
    ],
)
async def test_a_new_scale_leaves_the_raw_counts_of_the_log(
    changes: dict[str, int], same_energy: bool, raw: list[int]
) -> None:
    registers = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT)
    with SimulatedHome(registers=registers, start=NOON + timedelta(minutes=12)) as home:
        old = home.truth()
        home.meter.change_scale(**changes, same_energy=same_energy)
        assert register(home) == raw[0]
        assert home.truth().import_kwh == home.meter.registers.kwh(raw[0])
        assert home.truth().fixed_import_kwh == old.fixed_import_kwh
        await asyncio.sleep(hours(0.5).total_seconds())
        assert register(home) == raw[1]
        assert day(home)[23:25] == [115, 120]
        named = {"unit": 0xE1, "coefficient": 0xD3, "digits": 0xD7}
        for name, value in changes.items():
            assert int.from_bytes(home.meter.object.read(named[name]) or b"") == value
        assert home.truth(NOON).import_kwh == 12


async def test_a_coefficient_appears_in_the_property_map_with_its_value() -> None:
    with SimulatedHome(registers=Registers(load=ConstantLoad(1000), coefficient=None)) as home:
        assert home.meter.object.read(0xD3) is None
        home.meter.change_scale(coefficient=40)
        assert home.meter.object.read(0xD3) == bytes((0, 0, 0, 40))
        assert 0xD3 in home.meter.object.readable


async def test_a_model_without_coefficient_is_given_none() -> None:
    with SimulatedHome(model=OKINAWA) as home:
        before = home.meter.registers
        with pytest.raises(ValueError, match="okinawa"):
            home.meter.change_scale(coefficient=40)
        assert home.meter.registers is before


async def test_a_meter_that_was_replaced_still_tells_its_truth_and_its_energies_are_those_of_the_house() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON) as home:
        first, before = home.meter, home.truth()
        await asyncio.sleep(60)
        home.replace_meter()
        await asyncio.sleep(60)
        home.meter.reboot(60)
        await asyncio.sleep(120)
        assert home.past_meters == [first]
        assert first.truth(before.at) == before
        assert first.truth().import_kwh is first.truth().export_kwh is None
        assert first.truth().import_wh == home.truth().import_wh
        assert home.truth(before.at).import_kwh is None
        assert home.truth(before.at).import_wh == before.import_wh
        assert home.meter.installed_at == first.registers.removed_at == NOON + timedelta(minutes=1)


async def test_there_are_mains_when_a_new_meter_hangs() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON) as home:
        home.meter.reboot(hours(2).total_seconds())
        await asyncio.sleep(hours(1).total_seconds())
        home.replace_meter()
        await asyncio.sleep(hours(2).total_seconds())
        assert register(home) == 20


async def test_a_used_meter_brings_entries_of_another_house_and_then_a_hole() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON + timedelta(minutes=5)) as home:
        home.meter.reboot(60)
        await asyncio.sleep(600)
        earlier = Registers(
            load=ConstantLoad(-2000),
            initial_import=77,
            initial_export=1000,
            installed_at=MIDNIGHT,
            removed_at=MIDNIGHT + hours(10.25),
        )
        home.replace_meter(earlier=earlier)
        assert day(home)[:25] == [77] * 21 + [None] * 4
        assert day(home, epc=0xE4)[:25] == [1000 + 10 * slot for slot in range(21)] + [None] * 4
        assert home.truth().import_kwh == earlier.kwh(77)
        assert home.truth().export_kwh == earlier.kwh(1205)
        assert home.truth(MIDNIGHT + hours(10)).import_kwh is None
        await asyncio.sleep(hours(1).total_seconds())
        assert day(home)[24:28] == [None, 79, 84, None]


async def test_a_used_meter_worked_while_there_were_no_mains_here() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON) as home:
        home.meter.reboot(hours(2).total_seconds())
        await asyncio.sleep(hours(3).total_seconds())
        earlier = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT, removed_at=NOON + hours(2))
        home.replace_meter(earlier=earlier)
        assert day(home)[24:30] == [120, 125, 130, 135, None, None]


async def test_a_replaced_meter_may_begin_with_any_count() -> None:
    with SimulatedHome(load=ConstantLoad(1000), start=NOON) as home:
        used = Registers(load=ConstantLoad(1000), installed_at=MIDNIGHT, removed_at=NOON)
        home.replace_meter(import_count=999_999, export_count=3, earlier=used)
        assert register(home) == 999_999
        assert home.truth().export_kwh == home.meter.registers.kwh(3)
        await asyncio.sleep(hours(0.5).total_seconds())
        assert register(home) == 4


@pytest.mark.parametrize("removed_at", [None, NOON + timedelta(seconds=1)])
async def test_an_earlier_life_has_ended(removed_at: Any) -> None:
    with SimulatedHome(start=NOON) as home:
        meter = home.meter
        with pytest.raises(ValueError, match="before now"):
            home.replace_meter(earlier=Registers(load=ConstantLoad(0), removed_at=removed_at))
        assert home.meter is meter
        assert meter.pan in home.air.pans


def test_what_changes_at_the_instant_of_an_entry_has_changed_before_it_is_written() -> None:
    mains = Mains(ConstantLoad(1000))
    registers = Registers(load=mains, installed_at=NOON)
    history = History(registers, mains, timedelta(0))
    history.set_clock(NOON + hours(1), hours(0.5))
    history.set_clock(NOON + hours(2), hours(0))
    mains.fail(NOON + hours(3))
    mains.restore(NOON + hours(4))
    later = NOON + hours(9)
    written = {slot: history.written_at(NOON + hours(slot / 2), later) for slot in range(10)}
    at = {slot: None if when is None else (when - NOON) / hours(1) for slot, when in written.items()}
    assert at == {0: 0, 1: 0.5, 2: None, 3: 1, 4: 2, 5: 2.5, 6: None, 7: None, 8: 4, 9: 4.5}
    assert history.written_at(NOON, NOON) == NOON
    assert history.written_at(NOON + hours(0.5), NOON + hours(0.4)) is None


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 5000), max_size=10).map(sorted),
    st.lists(st.integers(-100, 5100), min_size=1, max_size=20),
)
def test_mains_take_exactly_the_outages_out_of_a_load(changes: list[int], asked: list[int]) -> None:
    load, mains = HouseLoad(2), Mains(HouseLoad(2))
    times = [NOON + timedelta(seconds=second) for second in changes]
    for index, at in enumerate(times):
        (mains.restore if index % 2 else mains.fail)(at)
    begins, ends = times[::2], [*times[1::2], NOON + hours(9)]
    for second in asked:
        at = NOON + timedelta(seconds=second)
        dark = [(min(begin, at), min(end, at)) for begin, end in zip(begins, ends, strict=False)]
        for way in ("import_uj", "export_uj"):
            lost = sum(getattr(load.energy(end), way) - getattr(load.energy(begin), way) for begin, end in dark)
            assert getattr(mains.energy(at), way) == getattr(load.energy(at), way) - lost
        powered = not any(begin <= at < end for begin, end in zip(begins, ends, strict=False))
        assert mains.powered(at) == powered
        assert mains.flow(at).power_w == (load.flow(at).power_w if powered else 0)
