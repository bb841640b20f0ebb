"""Whatever goes wrong, in any order, whatever is asked meanwhile: nothing hangs, and what is told is true.

    HYPOTHESIS_PROFILE=search .venv-test/bin/python -m pytest tests/aiobroute/recovery/test_state_machine.py

looks for more than the usual run.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import logging
import random
from typing import Any, override

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
import looptime

from custom_components.broute.aiobroute import BrouteError, CountersAt, Memory, Reading, SessionState, SmartMeter
from custom_components.broute.aiobroute.echonet import smart_meter
from simulator import Answer, Datagram, Faults, Meter, SimulatedHome
from simulator.echonet import Frame
from simulator.happenings import Happenings
from tests.aiobroute.meter.stage import CREDENTIALS

from .lots import CHANNELS, EXCLUDED_HAPPENINGS, HAPPENINGS, LONG_S, SWITCHES, UNRECOGNISABLE
from .scenarios import FAMILIES
from .watch import TellingLoad, Witness

CLOSED_WITHIN_S = 10.0
OPENED_WITHIN_S = 5.0
ANSWERED_WITHIN_S = 3600.0
"""Whatever is asked has come to an end by then; a history waits for the meter's midnight to pass, six minutes."""
TOLD_WITHIN_S = 30.0
"""So long a call may go on after a close, in which it may wait for the spacing of requests."""
MIDNIGHT_S = 400.0
"""So long a history waits for the meter's midnight to pass, and is told behind it."""
RECOVERED_S = 900.0
POLL_S = 30.0
SPACING_S = 1.5
"""From one request to the next, as the meter sees them: 2 s less what the air takes longer for the first."""
MOST_CALLS = 4
GET = 0x62
REQUESTS = {0x61, GET, 0x63}
OPERATION_STATUS = (0x80,)
AT_FIRST = st.sampled_from(["joined read", "joined read describe", "joined", ""])
CODECS = sorted(smart_meter.PROPERTIES)


@dataclass(frozen=True, slots=True)
class Call:
    """Something that a program has asked for, and waits for."""

    name: str
    task: asyncio.Task[Any] = field(repr=False)
    began: datetime = field(repr=False)
    began_at: float


class Tap:
    """Stands between the air and a meter, and notes when requests come."""

    def __init__(self, meter: Meter, note: Callable[[Frame], None]) -> None:
        self.paa = meter.paa
        self._meter = meter
        self._note = note

    def receive(self, datagram: Datagram) -> None:
        """Take a datagram of a controller."""
        if datagram.secured and self.paa.knows(datagram.source_mac):
            self._note(Frame.from_bytes(datagram.payload))
        self._meter.receive(datagram)


class Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(logging.Formatter().format(record))


class Program(RuleBasedStateMachine):
    """A program with one meter, in a home where anything may go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop(start=0, noop_cycles=0)
        self.errors = Errors()
        logging.getLogger().addHandler(self.errors)
        self.home: SimulatedHome
        self.happenings: Happenings
        self.witness: Witness
        self.client: SmartMeter | None = None
        self.memory: Memory | None = None
        self.calls: list[Call] = []
        self.answers: deque[Answer] = deque(maxlen=10_000)
        self.calm_at = 0.0
        self.requested_at: float | None = None
        self.crowded: list[str] = []

    # What a program does.

    @initialize(family=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 3), echo=st.booleans(), first=AT_FIRST)
    def move_in(self, family: str, seed: int, echo: bool, first: str) -> None:
        """Choose the module, and open its port."""

        async def build() -> None:
            self.home = SimulatedHome(load=TellingLoad(seed), seed=seed, echo=echo, **FAMILIES[family])
            self.happenings = Happenings(self.home)
            self.witness = Witness(self.answers)

        self._run(build())
        self._tap()
        self._open()
        self._at_first(first)

    @rule(first=AT_FIRST)
    @precondition(lambda self: self.client is None)
    def open(self, first: str) -> None:
        """Open the port, with what an earlier client has left."""
        self._open()
        self._at_first(first)

    @rule()
    @precondition(lambda self: self.client is not None)
    def close(self) -> None:
        """Close it, whatever is under way."""
        self._close()

    @rule()
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def joined(self) -> None:
        """Wait for the meter."""
        self._begin("joined", lambda client: client.joined())

    @rule()
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def read(self) -> None:
        """Ask for a reading."""
        self._begin("read", lambda client: client.read())

    @rule()
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def describe(self) -> None:
        """Ask for what does not change."""
        self._begin("describe", lambda client: client.describe())

    @rule(days_back=st.sampled_from([0, 1, 99]))
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def history(self, days_back: int) -> None:
        """Ask for a day."""
        asked = (self.home.clock.now() - timedelta(days=days_back)).date()
        self._begin("history", lambda client: client.history(asked))

    @rule(what=st.sampled_from(["read_half_hour", "read_clock", "read_status", "minutes"]))
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def ask_for_time(self, what: str) -> None:
        """Ask for what has a time of the meter's."""
        at = self.home.clock.now()
        self._begin(what, lambda client: client.minutes(at, 10) if what == "minutes" else getattr(client, what)())

    @rule(duration=st.sampled_from([3, 5]))
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def survey(self, duration: int) -> None:
        """Ask what is heard."""
        self._begin("survey", lambda client: client.survey(duration))

    @rule(epcs=st.lists(st.sampled_from(CODECS), min_size=1, max_size=8, unique=True))
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def get(self, epcs: list[int]) -> None:
        """Ask for any properties."""
        self._begin("get", lambda client: client.get(*(smart_meter.PROPERTIES[epc] for epc in epcs)))

    @rule(epcs=st.lists(st.integers(0x80, 0xFF), min_size=1, max_size=8))
    @precondition(lambda self: self.client is not None and len(self.calls) < MOST_CALLS)
    def read_properties(self, epcs: list[int]) -> None:
        """Ask for any properties as they are."""
        self._begin("read_properties", lambda client: client.read_properties(epcs))

    @rule(data=st.data())
    @precondition(lambda self: self.calls)
    def cancel(self, data: st.DataObject) -> None:
        """Ask no more."""
        call = data.draw(st.sampled_from(self.calls))
        call.task.cancel()
        self._pass(0)

    @rule()
    @precondition(lambda self: self.calls)
    def wait(self) -> None:
        """Wait for what was asked first."""
        self._run(asyncio.wait((self.calls[0].task,), timeout=ANSWERED_WITHIN_S))

    # What befalls it.

    @rule(data=st.data(), name=st.sampled_from(sorted(SWITCHES)), for_s=st.none() | LONG_S)
    def go_wrong(self, data: st.DataObject, name: str, for_s: float | None) -> None:
        """Switch a fault on."""
        self.home.faults.set(for_s, **{name: data.draw(SWITCHES[name])})

    @rule()
    def go_right(self) -> None:
        """Switch all faults off."""
        self.home.faults.off()

    @rule(data=st.data(), name=st.sampled_from(sorted(HAPPENINGS)))
    def happen(self, data: st.DataObject, name: str) -> None:
        """Let something happen."""
        arguments = {key: data.draw(values) for key, values in HAPPENINGS[name].items()}

        async def strike() -> None:
            getattr(self.happenings, name)(**arguments)

        self._run(strike())
        self._lasts(arguments.get("for_s"))
        self._tap()

    @rule(for_s=LONG_S, channel=CHANNELS, pan_id=st.sampled_from([0x8888, 0x1234]))
    def move(self, for_s: float, channel: int, pan_id: int) -> None:
        """Let the meter start anew elsewhere."""

        async def strike() -> None:
            self.happenings.meter_rebooted(for_s, channel, pan_id)

        self._run(strike())
        self._lasts(for_s)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 0.35, 1.0, 2.0, 5.0, 12.0, 30.0, 90.0, 400.0, 2000.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(seconds)

    # What must always be so.

    @invariant()
    def all_is_told_in_time_and_in_words_of_ours(self) -> None:
        """Break when something was logged as an error, a request came too soon, or a call hangs or is told a lie."""
        assert not self.errors.records, self.errors.records[0]
        assert not self.crowded
        if self.client:
            assert self.client.state in set(SessionState) - {SessionState.CLOSED}
        waiting = []
        for call in self.calls:
            if not call.task.done():
                assert self.loop.time() - call.began_at < ANSWERED_WITHIN_S, f"{call.name} hangs"
                waiting.append(call)
            elif not call.task.cancelled():
                self._judge(call)
        self.calls = waiting

    @override
    def teardown(self) -> None:
        try:
            if hasattr(self, "home"):
                self._recover()
                self._close()
                self._pass(TOLD_WITHIN_S)
                self.all_is_told_in_time_and_in_words_of_ours()
                assert {call.name for call in self.calls} <= {"history"}
                self._pass(MIDNIGHT_S)
                self.all_is_told_in_time_and_in_words_of_ours()
                assert not self.calls
                self._run(self._leave())
                assert not asyncio.all_tasks(self.loop)
        finally:
            # After a failure: what is left must not speak in the next example.
            self._run(_end({*asyncio.all_tasks(self.loop), *(call.task for call in self.calls)}))
            logging.getLogger().removeHandler(self.errors)
            self.loop.close()

    # How it is done.

    def _run[T](self, doing: Awaitable[T]) -> T:
        async def run() -> T:
            return await doing

        return self.loop.run_until_complete(run())

    def _pass(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    def _lasts(self, for_s: float | None) -> None:
        self.calm_at = max(self.calm_at, self.loop.time() + (for_s or 0.0))

    def _tap(self) -> None:
        meter = self.home.meter
        if meter.on_answer is None:
            meter.on_answer = self.answers.append
        if isinstance(meter.pan.coordinator, Meter):
            meter.pan.coordinator = Tap(meter, self._note)

    def _note(self, frame: Frame) -> None:
        """Keep which request comes too soon after another: the check of a session that is taken up is free."""
        if frame.esv not in REQUESTS or self.client is None:
            return
        now = self.loop.time()
        is_check = frame.epcs == OPERATION_STATUS and self.client.state is SessionState.AUTHENTICATING
        if not is_check and self.requested_at is not None and now - self.requested_at < SPACING_S:
            self.crowded.append(f"{frame.epcs} after {now - self.requested_at} s")
        self.requested_at = None if is_check else now

    def _open(self) -> None:
        client = SmartMeter(
            "memory://", CREDENTIALS, memory=self.memory, opener=self.home.open_port, randomness=random.Random(1)
        )
        self.requested_at = None
        began_at = self.loop.time()
        try:
            self._run(client.open())
        except BrouteError:
            self._close_within(client)
        else:
            self.client = client
        assert self.loop.time() - began_at <= OPENED_WITHIN_S + CLOSED_WITHIN_S

    def _at_first(self, doing: str) -> None:
        """Mostly do what programs do first: wait for the meter, and read it."""
        for name in doing.split():
            if self.client and len(self.calls) < MOST_CALLS:
                getattr(self, name)()
                self._run(asyncio.wait((self.calls[-1].task,), timeout=ANSWERED_WITHIN_S))

    def _close(self) -> None:
        if self.client:
            client, self.client = self.client, None
            self._close_within(client)
            self.memory = Memory.from_dict(client.memory.as_dict())

    def _close_within(self, client: SmartMeter) -> None:
        began_at = self.loop.time()
        self._run(client.close())
        assert self.loop.time() - began_at <= CLOSED_WITHIN_S
        assert client.state is SessionState.CLOSED
        assert {task for task in asyncio.all_tasks(self.loop) if not task.done()} <= {call.task for call in self.calls}

    def _begin(self, name: str, ask: Callable[[SmartMeter], Awaitable[Any]]) -> None:
        client = self.client
        assert client

        async def asked() -> Any:
            return await ask(client)

        task = self.loop.create_task(asked())
        self.calls.append(Call(name, task, self.home.clock.now(), self.loop.time()))
        self._pass(0)

    def _judge(self, call: Call) -> None:
        error = call.task.exception()
        if error is not None:
            if not isinstance(error, BrouteError):
                raise error
            return
        value = call.task.result()
        if isinstance(value, Reading):
            assert self.witness.is_true(value, since=call.began), value
        if call.name == "history":
            self._judge_history(value)

    def _judge_history(self, day: list[CountersAt]) -> None:
        assert len(day) == smart_meter.SLOTS_A_DAY
        assert [slot.at - day[0].at for slot in day] == [number * timedelta(minutes=30) for number in range(len(day))]

    def _recover(self) -> None:
        """Break when the meter is not read soon after all is well again."""
        self.home.faults.off()
        self.home.module.uart.babble(b"x", 0)
        self._run(self._plug())
        self._pass(max(0.0, self.calm_at - self.loop.time()))
        since = self.loop.time()
        while self.client is None:
            self._open()
            assert self.loop.time() - since <= RECOVERED_S
        self._run(self._read_within(self.client))

    async def _plug(self) -> None:
        self.happenings.neighbours_vanished()
        self.happenings.session_lifetime(86_400)
        self.happenings.port_plugged()
        held = self.home.meter.paa.session
        if held and held.mac != self.home.module.radio.mac:
            # Of a module that is there no more: the meter would let nobody else in for its lifetime, a day.
            self.happenings.session_forgotten_by_meter()

    async def _read_within(self, client: SmartMeter) -> None:
        news = asyncio.Event()
        client.on_state(lambda _: news.set())
        async with asyncio.timeout(RECOVERED_S):
            while True:
                news.clear()
                began = self.home.clock.now()
                try:
                    reading = await client.read()
                except BrouteError:
                    pass
                else:
                    assert self.witness.is_true(reading, since=began), reading
                    if reading.power_w is not None and reading.import_kwh is not None:
                        return
                await _within(POLL_S, news)

    async def _leave(self) -> None:
        self.happenings.close()
        self.home.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _within(seconds: float, news: asyncio.Event) -> None:
    """Wait for news, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass


def test_a_program_is_told_the_truth_or_why_not_whatever_goes_wrong() -> None:
    run_state_machine_as_test(
        Program, settings=settings(stateful_step_count=30, suppress_health_check=list(HealthCheck))
    )


def test_every_switch_and_every_happening_may_be_drawn() -> None:
    assert set(SWITCHES) | UNRECOGNISABLE == set(Faults.documentation())
    assert set(HAPPENINGS) | EXCLUDED_HAPPENINGS == set(Happenings.documentation())
