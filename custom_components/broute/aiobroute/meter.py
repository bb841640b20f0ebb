"""A smart meter as a program sees it: readings, history, and what never changes in a meter.

Above: Home Assistant, or the command line. Below: the session.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
import logging
import math
import random
from typing import Any, Self

from .clock import MeterClock
from .credentials import Credentials
from .description import MANDATORY, SCALE, Description
from .echonet import smart_meter
from .echonet.frame import SMART_METER, Frame
from .echonet.values import PropertyCodec
from .exceptions import BrouteError, ImplausibleValueError, NotJoinedError, PropertyError
from .half_hours import HalfHourListener, HalfHours
from .journal import JournalEntry
from .link.base import Module, Network
from .link.port import PortOpener, open_with_serialx
from .log import MeterLog
from .memory import Memory
from .plausibility import Doubt, Measured, Observation, Plausibility
from .properties import Answers, PropertyReader
from .raw_properties import RawProperty, read_raw
from .reactions import SessionState
from .readings import BelievedCounters, ClockReading, Constants, CountersAt, Reading, Scale
from .recovery import Outage
from .response_timer import RequestKind, ResponseTimer
from .session import Session
from .statistics import Statistics
from .status import MeterStatus, StatusListener, StatusReader
from .survey import Heard

_LOGGER = logging.getLogger(__name__)

_INSTANT = (smart_meter.POWER, smart_meter.CURRENTS)
_COUNTERS = (smart_meter.NORMAL_ENERGY, smart_meter.REVERSE_ENERGY)


class SmartMeter:
    """A meter behind a serial port.

        async with SmartMeter("/dev/ttyUSB0", Credentials.parse(route_b_id, password)) as meter:
            await meter.joined()
            reading = await meter.read()

    `memory` is what an earlier `SmartMeter` with the same credentials left in the attribute of this name: with it there
    is no scan, and the first reading is whole after one request. What belongs to another meter is not used.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        memory: Memory | None = None,
        opener: PortOpener = open_with_serialx,
        randomness: random.Random | None = None,
    ) -> None:
        memory = memory or Memory()
        constants = memory.constants
        self._session = Session(
            url,
            credentials,
            network=memory.network,
            dialect=memory.dialect,
            timer=ResponseTimer(memory.slowest_s),
            left_at=memory.left_at,
            opener=opener,
            randomness=randomness,
        )
        self._state = SessionState.CLOSED
        self.read_interval_s: float | None = None
        """From one `read()` to the next; requests in the background keep that time free. `None`: nobody knows."""
        self._plausibility = Plausibility()
        self._remembered = memory.believed
        """Until the meter is joined."""
        self._properties = PropertyReader(
            self._session.conversation,
            constants.get_map if constants else MANDATORY,
            constants.max_properties if constants else smart_meter.MAX_PROPERTIES,
        )
        self._description = Description(self._properties, self._plausibility, constants)
        self._clock = MeterClock(self._properties)
        self._status = StatusReader(self._properties)
        self._log = MeterLog(self._session.conversation, self._properties, self._clock, self._plausibility)
        self._half_hours = HalfHours(self._properties, self._description, self._clock, self._plausibility)
        self._session.on_state(self._take_state)
        self._session.conversation.on_notification(self._take_notification)

    async def __aenter__(self) -> Self:
        """Open the port."""
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the session and the port."""
        await self.close()

    async def open(self) -> None:
        """Open the port, identify the module, and look for the meter in the background; 5 s at the most.

        Raises:
            PortError: the port cannot be opened.
            NotAModuleError: there is no Wi-SUN module behind it.
        """
        await self._session.open()

    def start(self) -> None:
        """Open the port and look for the meter in the background, again and again; return at once.

        What `open()` raises is in `failure` then, while it lasts.
        """
        self._session.start()

    async def joined(self) -> None:
        """Wait until the meter is joined, or raise why the attempt that is under way failed."""
        await self._session.joined()

    async def close(self) -> None:
        """End the session with the meter and close the port, within seconds."""
        try:
            await self._session.close()
        finally:
            self._half_hours.close()
            await self._status.close()

    @property
    def state(self) -> SessionState:
        """What the session is doing."""
        return self._session.state

    @property
    def failure(self) -> BrouteError | None:
        """Why there is no session; `None` while nothing went wrong."""
        return self._session.failure

    @property
    def outage(self) -> Outage | None:
        """What was tried since there has been no session; `None` while there is one, and before and after it all."""
        return self._session.outage

    @property
    def journal(self) -> Sequence[JournalEntry]:
        """The last events and failures, the oldest first; nothing in them tells whose meter it is."""
        return self._session.journal

    @property
    def module(self) -> Module | None:
        """What the module says of itself; `None` while no port is open."""
        return self._session.module

    @property
    def network(self) -> Network | None:
        """The meter's network; `None` before it was found."""
        return self._session.network

    @property
    def constants(self) -> Constants | None:
        """What is known of the meter; `None` before `describe()`."""
        return self._description.constants

    @property
    def is_described(self) -> bool:
        """Whether `describe()` has read the constants since the meter was joined."""
        return self._description.is_current

    @property
    def memory(self) -> Memory:
        """What the next `SmartMeter` with these credentials should be given."""
        session = self._session
        return Memory(
            network=session.network,
            dialect=session.dialect,
            constants=self.constants,
            believed=self.believed,
            slowest_s=session.timer.slowest_s,
            left_at=session.left_at,
        )

    @property
    def statistics(self) -> Statistics:
        """What happened on the way to the meter, counted."""
        return self._session.statistics

    @property
    def response_timers_s(self) -> dict[str, float]:
        """How long an answer to each kind of request is waited for, seconds."""
        return {kind: self._session.timer.limit_s(kind) for kind in RequestKind}

    @property
    def rssi_dbm(self) -> float | None:
        """How strongly the meter was heard last; `None` before it was heard."""
        return self._session.conversation.rssi_dbm

    @property
    def lqi(self) -> int | None:
        """The link quality indicator that belongs to `rssi_dbm`, 0 to 255; `None` where the module does not tell."""
        return self._session.conversation.lqi

    @property
    def heard_at_s(self) -> float | None:
        """When the meter's last datagram came, on the event loop's clock; `None` before the first."""
        return self._session.conversation.heard_at

    @property
    def status(self) -> MeterStatus | None:
        """What the meter says of itself, read or announced; `None` before either."""
        return self._status.last

    @property
    def believed(self) -> BelievedCounters | None:
        """The counters that were believed last; `None` before the first."""
        believed = self._plausibility.believed
        if not believed or self._description.mac is None:
            return None
        normal, reverse = (believed.get(codec.epc) for codec in _COUNTERS)
        seen_at = min(seen.after_s for seen in believed.values())
        return BelievedCounters(
            mac=self._description.mac,
            normal=normal.counter if normal else None,
            reverse=reverse.counter if reverse else None,
            seen_at=seen_at if math.isfinite(seen_at) else None,
        )

    @property
    def held_back(self) -> Counter[Doubt]:
        """How often a value was asked for again before it was believed, by reason."""
        return self._plausibility.held_back

    @property
    def dropped(self) -> Counter[Doubt]:
        """How often the second answer did not confirm such a value."""
        return self._plausibility.dropped

    def on_state(self, listener: Callable[[SessionState], None]) -> Callable[[], None]:
        """Call `listener` whenever the state changes; return what ends that."""
        return self._session.on_state(listener)

    def on_half_hour(self, listener: HalfHourListener) -> Callable[[], None]:
        """Call `listener` with the counters that the meter sends after each :00 and :30; return what ends that.

        Once for each half hour, when both directions are there: a meter may send each in a frame of its own.
        Only with those that go with the counters that were read (see `plausibility`), so with none before a reading;
        and with none before the scale is verified in a session (see `read`).
        """
        return self._half_hours.on_notice(listener)

    def on_status(self, listener: StatusListener) -> Callable[[], None]:
        """Call `listener` with the new status when it has changed, read or announced; return what ends that.

        What the meter announces is asked for before it is believed (see `StatusReader`).
        """
        return self._status.on_change(listener)

    async def survey(self, duration: int) -> list[Heard]:
        """End the session, scan once, and return all networks that were heard, the strongest first.

        To find the best place for the module. The session is set up again in the background, at once; until then
        nothing can be read. `duration`: 3 to 7; the scan takes 3, 5, 9, 18 or 36 s, and the whole up to a minute more
        when the module is in the midst of joining.

        Raises:
            ValueError: another duration.
            SurveyUnderWayError: there is a survey already.
            ClosedError: this is not open, or was closed meanwhile.
            BrouteError: the scan could not be made.
        """
        return await self._session.survey(duration)

    # Reading.

    async def read(self) -> Reading:
        """Read power, currents and the counters, in one request.

        What cannot be read does not take the rest down: see `Reading.errors`. There is no energy before its unit,
        its digits and its coefficient, or the proof that the meter has none, are known; the first reading asks for
        them too. What is not believed at once (see `plausibility`) is asked for a second time; so are the scale and the
        counters in the first reading, unless an earlier run has left them. In a new session the scale is verified by
        `describe()`, or by the second reading, and before that by whatever makes a counter doubtful.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        try:
            return await self._read()
        finally:
            if self.read_interval_s:
                self._session.conversation.expect_request(self._now_s + self.read_interval_s)

    async def _read(self) -> Reading:
        epcs = [smart_meter.POWER.epc, smart_meter.CURRENTS.epc, smart_meter.NORMAL_ENERGY.epc]
        if self.constants and self.constants.measures_export:
            epcs.append(smart_meter.REVERSE_ENERGY.epc)
        known = scale = self._description.scale
        asks_for_scale = self._description.asks_for_scale()
        if asks_for_scale:
            epcs += SCALE
        asked_s = self._now_s
        answers = await self._properties.get(epcs)
        answered_s = self._now_s
        if asks_for_scale:
            scale = self._description.learn_scale(answers)
        measured = self._measured(answers, epcs, scale, asked_s, answered_s)
        doubts = self._plausibility.judge(measured, scale)
        # A counter that cannot be may only be worth something else than it was.
        doubts_scale = (
            bool(scale)
            and not self._description.scale_is_certain
            and (asks_for_scale or any(codec.epc in doubts for codec in _COUNTERS))
        )
        if doubts or doubts_scale:
            measured = await self._ask_again(measured, doubts, answers, doubts_scale=doubts_scale)
        if known and self._description.scale != known:
            # Whatever was believed of this answer, it was by what the counters are worth no more.
            return await self._read()
        return Reading(
            power_w=measured.power_w,
            current_r_a=measured.currents.r_a if measured.currents else None,
            current_t_a=measured.currents.t_a if measured.currents else None,
            import_kwh=self._energy_kwh(measured, smart_meter.NORMAL_ENERGY),
            export_kwh=self._energy_kwh(measured, smart_meter.REVERSE_ENERGY),
            errors=answers.errors,
        )

    async def get(self, *codecs: PropertyCodec[Any]) -> Answers:
        """Read any properties."""
        return await self._properties.get([codec.epc for codec in codecs])

    async def describe(self) -> Constants:
        """Read what does not change in a meter, and keep it in `constants`.

        What was known before is verified by this, once a session: what the meter says now, twice, replaces it.

        Raises:
            PropertyError: the meter does not give what every meter must give.
            BrouteError: the meter was not asked, or did not answer.
        """
        return await self._description.read()

    def half_hour(self, answers: Answers) -> CountersAt | None:
        """Make one value of EA and EB; `None` before the meter has one, or while it cannot be converted."""
        return self._half_hours.value_of(answers)

    async def read_half_hour(self) -> CountersAt | None:
        """Ask in the background for the last half hour, which the meter sends by itself as well (see `on_half_hour`).

        `None`: the meter has none, or they cannot be read, or do not go with the counters that were read.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        return await self._half_hours.read()

    async def read_clock(self) -> ClockReading:
        """Read the meter's date and time in the background, so often that no digit can be wrong; mostly that is once.

        Raises:
            PropertyError: the meter gives no date and time, or a different one each time.
            BrouteError: the meter was not asked, or did not answer.
        """
        return await self._clock.read()

    async def read_status(self) -> MeterStatus:
        """Read in the background whether the meter is in operation, whether it has a fault, and where it is installed.

        In one request. What differs from what was believed is asked for again before it is, and a fault or an end of
        operation in the first answer as well.

        Raises:
            BrouteError: the meter was not asked, or did not answer.
        """
        return await self._status.read()

    async def read_properties(self, epcs: Iterable[int]) -> list[RawProperty]:
        """Read up to 32 properties in the background as they are, and decode those that are known; for support.

        A history is that of the day or the times that were chosen last.

        Raises:
            ValueError: a code below 80 or above FF; none, or too many.
            BrouteError: the meter was not asked, or did not answer.
        """
        return await read_raw(self._properties, epcs)

    # The meter's own log: in the background, see `RequestQueue`.

    async def history(self, day: date) -> list[CountersAt]:
        """Read the 48 counters of one day of the meter's own log, of today or up to 99 days before.

        At 00:00, 00:30, ... 23:30, JST; what is today the meter's clock says. Near its midnight this waits until its
        date has changed. A day in which a counter cannot follow the one before it is read twice, and where both answers
        differ there is no counter.

        Raises:
            NoSuchDayError: by the meter's date the day is still to come, or too long ago.
            PropertyRefusedError: the meter refuses the day.
            PropertyError: it answers for another one, or what it answers cannot be read.
            BrouteError: the meter was not asked, or did not answer.
        """
        constants = await self._verified_constants()
        counters = await self._log.day(day, constants)
        self._check_meter(constants)
        return counters

    async def minutes(self, at: datetime, count: int) -> list[CountersAt]:
        """Read the counters of the 1 to 10 full minutes up to `at`, the oldest first, which newer meters keep.

        As `history` does; `at` is by the meter's clock, in any time zone.

        Raises:
            PropertyRefusedError: this meter keeps none, or refuses these.
            PropertyError: it answers for others, or what it answers cannot be read.
            BrouteError: the meter was not asked, or did not answer.
        """
        constants = await self._verified_constants()
        minutes = await self._log.minutes(at, count, constants)
        self._check_meter(constants)
        return minutes

    async def _verified_constants(self) -> Constants:
        """Return the constants, with a scale that was told in this session: a log of days is converted by it."""
        constants = self.constants or await self.describe()
        await self._description.verify_scale()
        self._check_meter(constants)
        return constants

    def _check_meter(self, asked: Constants) -> None:
        """Raise unless the meter that was asked is still there, and counts as it did."""
        if (self._description.mac, self._description.scale) != (asked.mac, asked.scale):
            raise NotJoinedError("The meter that was asked is there no more, or counts otherwise than it did")

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _measured(
        self, answers: Answers, epcs: Sequence[int], scale: Scale | None, asked_s: float, answered_s: float
    ) -> Measured:
        """Return the values of an answer; what is wrong with them becomes an entry in the errors of `answers`."""
        counters: dict[int, Observation] = {}
        for codec in _COUNTERS:
            if codec.epc not in epcs or (counter := answers.value(codec)) is None:
                continue
            if scale is None:
                answers.errors[codec.epc] = PropertyError(f"{codec}: its unit is not known")
                continue
            try:
                scale.energy_kwh(counter)
            except PropertyError as err:
                answers.errors[codec.epc] = err
            else:
                counters[codec.epc] = Observation(counter, asked_s, answered_s)
        return Measured(
            power_w=answers.value(smart_meter.POWER) if smart_meter.POWER.epc in epcs else None,
            currents=answers.value(smart_meter.CURRENTS) if smart_meter.CURRENTS.epc in epcs else None,
            counters=counters,
            simultaneous=self._properties.max_properties >= len(_INSTANT),
        )

    async def _ask_again(
        self, first: Measured, doubts: Mapping[int, Doubt], answers: Answers, *, doubts_scale: bool
    ) -> Measured:
        """Ask again for what is in doubt; return what may be believed.

        The errors of `answers` say what is not. While the scale is in doubt, that is all counters.
        """
        epcs = [*doubts, *(self._description.proof_of_scale if doubts_scale else ())]
        asked_s = self._now_s
        again = Answers({})
        second = None
        self._session.conversation.hurry()
        try:
            again = await self._properties.get(epcs)
        except BrouteError as err:
            _LOGGER.debug("What is in doubt could not be asked for again: %s", err)
        else:
            answered_s = self._now_s
            if doubts_scale:
                with suppress(BrouteError):
                    await self._description.verify_scale(again)
            second = self._measured(again, epcs, self._description.scale, asked_s, answered_s)
        is_open = doubts_scale and not self._description.scale_is_certain
        scale = None if is_open else self._description.scale
        settled, not_confirmed = self._plausibility.settle(first, second, doubts, scale)
        if is_open:
            not_confirmed |= settled.counters.keys()
            settled = replace(settled, counters={})
        answers.errors |= {epc: err for epc, err in again.errors.items() if epc in doubts}
        for epc in not_confirmed:
            answers.errors.setdefault(epc, ImplausibleValueError(f"EPC {epc:02X}: its value could not be confirmed"))
        return settled

    def _energy_kwh(self, measured: Measured, codec: PropertyCodec[int | None]) -> Decimal | None:
        seen = measured.counters.get(codec.epc)
        return self._description.scale.energy_kwh(seen.counter) if seen and self._description.scale else None

    # What the session reports.

    def _take_state(self, state: SessionState) -> None:
        network = self._session.network
        is_new = state is SessionState.JOINED and self._state is not SessionState.RENEWING
        self._state = state
        if not is_new or network is None:
            return
        if self._description.meet(network.mac):
            _LOGGER.info("Another meter answers to this ID than before")
            self._plausibility.forget()
            self._clock.forget()
            self._status.forget()
            self._log.forget()
        remembered, self._remembered = self._remembered, None
        if remembered and remembered.mac == network.mac:
            self._remember(remembered)

    def _remember(self, believed: BelievedCounters) -> None:
        """Go on from the counters of an earlier run."""
        seen_at = believed.seen_at
        # Later than now: the machine was started anew since, and its clock with it.
        then_s = -math.inf if seen_at is None or seen_at > self._now_s else seen_at
        for codec, counter in zip(_COUNTERS, (believed.normal, believed.reverse), strict=True):
            if counter is not None:
                self._plausibility.believed[codec.epc] = Observation(counter, then_s, then_s)

    def _take_notification(self, frame: Frame) -> None:
        if frame.seoj != SMART_METER:
            return
        answers = Answers({prop.epc: prop.edt for prop in frame.properties})
        self._status.take(answers)
        self._half_hours.take(answers)
