"""The smart meter: an ECHONET Lite node behind a PAA, with its own PAN on the air.

Above the air, which carries its datagrams; below it are PAA, notices, services, properties, history and registers. It
notes each frame it sends together with the truth at that instant.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from .air import ALL_NODES, Air, Datagram, Pan, link_local
from .clock import Timers
from .echonet import UDP_PORT, Esv, Frame, FrameError
from .faults import Delivery
from .history import History
from .load import Mains
from .models import MeterModel
from .notices import Notices
from .paa import Paa
from .properties import EchonetObject, MeterObject, NodeProfile
from .registers import Registers
from .services import RESPONSES, response
from .truth import Answer, Truth

ANSWER_S = (0.3, 1.3)
"""From request to answer: the captured range."""
ANNOUNCE_S = 0.1
"""From the answer to a request that changed something to the announcement of the change."""
ANSWERS_KEPT = 4096
MAX_WAITING = 4
"""Requests that wait while one is being worked on; more are lost."""


class Meter:
    """A meter with its own PAN.

    Args:
        air: where its PAN is heard; the meter adds it.
        pan: channel, PAN ID, address and link quality; the pairing ID is made from `identity`.
        model: which properties it has.
        registers: what it counts of their load, and from when on.
        identity: the B-route ID, 32 characters.
        password: 12 characters.
        mains: what it hangs on, in place of the load of the registers; `None`: that load, with mains of its own.
        clock_offset: what its clock has shown until now minus the true time.
        earlier: what it counted in another house, until their `removed_at`; `None`: it is new.

    Attributes:
        mains: what it hangs on.
        object: the meter object 028801: `no_data`, `fault_description` and `history_day` can be set there.
        paa: sessions: `end_session()`, `forget_session()`, `session_lifetime_s`.
        notices: announcements: `confirmed`, `confirmations`, `notice_s`.
        answer_s: range of the time from request to answer, s.
        answers: what was sent, latest last; forgotten when the meter is taken off the wall.
        on_answer: called with each answer, e.g. to write it to a file.
    """

    def __init__(
        self,
        air: Air,
        pan: Pan,
        model: MeterModel,
        registers: Registers,
        *,
        identity: str,
        password: str,
        mains: Mains | None = None,
        clock_offset: timedelta = timedelta(0),
        earlier: Registers | None = None,
    ) -> None:
        self.air = air
        self.pan = pan
        self.model = model
        self.mains = Mains(registers.load) if mains is None else mains
        self._history = History(replace(registers, load=self.mains), self.mains, clock_offset, earlier)
        self.object = MeterObject(model, self._history, pan.mac, air.clock.now)
        self.answer_s = ANSWER_S
        self.answers: deque[Answer] = deque(maxlen=ANSWERS_KEPT)
        self.on_answer: Callable[[Answer], object] | None = None
        self._profile = NodeProfile(model, pan.mac)
        self.notices = Notices(air, self.object, self._profile, send=self._announce, send_to_all=self._announce_to_all)
        self.paa = Paa(air, pan, identity=identity, password=password, opened=self._opened, closed=self._closed)
        self._random = air.random(f"meter/{pan.mac.hex()}")
        self._timers = Timers(air.clock)
        self._outage = Timers(air.clock)
        self._free_at_s = 0.0
        self._waiting = 0
        pan.pairing_id = identity[-8:]
        pan.coordinator = self
        air.pans.append(pan)

    @property
    def operating(self) -> bool:
        """Property 80; a change is announced."""
        return self.object.operating

    @operating.setter
    def operating(self, value: bool) -> None:
        self.object.operating = value
        self._changed(0x80)

    @property
    def fault(self) -> bool:
        """Property 88; a change is announced."""
        return self.object.fault

    @fault.setter
    def fault(self, value: bool) -> None:
        self.object.fault = value
        self._changed(0x88)

    @property
    def location(self) -> bytes:
        """Property 81, 1 or 17 bytes; a change is announced."""
        return self.object.location

    @location.setter
    def location(self, value: bytes) -> None:
        self.object.location = value
        self._changed(0x81)

    @property
    def registers(self) -> Registers:
        """What the meter counts now."""
        return self._history.registers

    @property
    def installed_at(self) -> datetime:
        """When the meter was installed in this house."""
        return self._history.installed_at

    @property
    def clock_offset(self) -> timedelta:
        """What the meter's clock shows minus the true time; setting it is setting the clock now.

        What is in the log keeps the stamp of the clock that it was written by.
        """
        return self._history.clock_offset

    @clock_offset.setter
    def clock_offset(self, value: timedelta) -> None:
        self._history.set_clock(self.air.clock.now(), value)
        if self.paa.session is not None:
            self.notices.schedule()

    def truth(self, at: datetime | None = None) -> Truth:
        """Return what is true at a true time, by default now.

        The energies in Wh are those of the house, whichever meter hung there; the registers are those of this meter.
        """
        now = self.air.clock.now()
        at = now if at is None else at.astimezone(now.tzinfo)
        flow = self.mains.flow(at)
        r_da, t_da = flow.currents_da(two_wire=self.model.two_wire)
        fixed = self.object.fixed_time(self._history.shown(at))
        import_kwh, export_kwh = self._shown_kwh(at) if at >= self.installed_at else (None, None)
        written = self._history.written_at(fixed, at)
        fixed_import_kwh, fixed_export_kwh = (None, None) if written is None else self._shown_kwh(written)
        return Truth(
            at=at,
            power_w=flow.power_w,
            current_r_a=Decimal(r_da).scaleb(-1),
            current_t_a=None if t_da is None else Decimal(t_da).scaleb(-1),
            import_wh=self.registers.import_wh(at),
            export_wh=self.registers.export_wh(at),
            import_kwh=import_kwh,
            export_kwh=export_kwh,
            fixed_time=fixed,
            fixed_import_kwh=fixed_import_kwh,
            fixed_export_kwh=fixed_export_kwh,
        )

    def receive(self, datagram: Datagram) -> None:
        """Take a datagram: only encrypted ones of the joined controller to port 3610 count."""
        if datagram.secured and datagram.destination_port == UDP_PORT and self.paa.knows(datagram.source_mac):
            with suppress(FrameError):
                self._take(Frame.from_bytes(datagram.payload))

    def reboot(self, for_s: float, *, channel: int | None = None, pan_id: int | None = None) -> None:
        """Lose the mains for a time, and with it the session; nobody is told.

        The house has no mains either: nothing flows and nothing is counted. The clock goes on.

        Args:
            for_s: for so many s there is neither beacon nor acknowledgement, and nothing is written into the log.
            channel: the channel that it comes back on, 33..60; `None`: the same.
            pan_id: the PAN ID that it comes back with; `None`: the same.
        """
        self.paa.forget_session()
        self.mains.fail(self.air.clock.now())
        self.pan.powered = False
        self.pan.channel = self.pan.channel if channel is None else channel
        self.pan.pan_id = self.pan.pan_id if pan_id is None else pan_id
        self._outage.cancel()
        self._outage.after(for_s, self._power_on)

    def restart_counters(self, import_count: int = 0, export_count: int = 0) -> None:
        """Count anew from now on; the log keeps what was counted before.

        Args:
            import_count: what the register of the normal direction shows now, raw.
            export_count: what that of the reverse direction shows now, raw.
        """
        self.object.change(
            replace(
                self.registers,
                initial_import=import_count,
                initial_export=export_count,
                installed_at=self.air.clock.now(),
            )
        )

    def change_scale(
        self,
        *,
        unit: int | None = None,
        coefficient: int | None = None,
        digits: int | None = None,
        same_energy: bool = False,
    ) -> None:
        """Count with another scale from now on; the raw counts in the log stay what they are.

        What had been counted towards the next count is dropped.

        Args:
            unit: the code of property E1; `None`: as before.
            coefficient: property D3, 1..999999; `None`: as before.
            digits: property D7, 1..8; `None`: as before. Digits that there are no more are cut off.
            same_energy: false: the raw counts go on from where they stand, as when other current transformers are put
                in. True: the registers show the same kWh as before in the new scale, rounded down.

        Raises:
            ValueError: there is a coefficient, and the model has no D3.
        """
        old, now = self.registers, self.air.clock.now()
        new = replace(
            old,
            unit=old.unit if unit is None else unit,
            coefficient=old.coefficient if coefficient is None else coefficient,
            digits=old.digits if digits is None else digits,
            installed_at=now,
        )

        def begin(count: int | None) -> int:
            return int((old.kwh(count) or 0) // new.kwh_per_count) if same_energy else count or 0

        initial_import, initial_export = begin(old.import_count(now)), begin(old.export_count(now))
        self.object.change(replace(new, initial_import=initial_import, initial_export=initial_export))

    def close(self) -> None:
        """Forget the session and stop all timers."""
        self._outage.cancel()
        self.paa.forget_session()

    def reissue(self, *, identity: str | None = None, password: str | None = None) -> None:
        """Let the meter admit with another ID or password, and end the session that began with the old ones."""
        self.paa.identity = identity or self.paa.identity
        self.paa.password = password or self.paa.password
        self.pan.pairing_id = self.paa.identity[-8:]
        self.paa.end_session()

    def remove(self) -> None:
        """Take the meter off the wall: its PAN is heard no more, and its registers show nothing from now on."""
        self.close()
        self.air.pans.remove(self.pan)
        self._history.remove(self.air.clock.now())
        # A home keeps all the meters that it had, and in months of faults these are hundreds.
        self.answers.clear()

    def _power_on(self) -> None:
        self.mains.restore(self.air.clock.now())
        self.pan.powered = True

    def _shown_kwh(self, at: datetime) -> tuple[Decimal | None, Decimal | None]:
        """Return both registers at an instant by the scale that they had then, `None` where there is none."""
        kwh = self._history.registers_at(at).kwh
        return kwh(self.object.import_count(at)), kwh(self.object.export_count(at))

    def _opened(self, new_session: bool) -> None:  # noqa: FBT001 - a callback
        self.notices.begin(new_session=new_session)

    def _closed(self) -> None:
        self.notices.end()
        self._timers.cancel()
        self._waiting = 0
        self._free_at_s = 0.0

    def _take(self, frame: Frame) -> None:
        if frame.esv == Esv.INFC_RES:
            self.notices.confirmations.append(frame)
        target = self._target(frame.deoj)
        if frame.esv not in RESPONSES or target is None or self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        self._free_at_s = max(self._free_at_s, self.air.clock.lapse_s) + self._random.uniform(*self.answer_s)
        self._timers.due(self._free_at_s, self._respond, target, frame)

    def _target(self, deoj: int) -> EchonetObject | None:
        """Return the object that a frame is for; instance 00 means all instances of the class."""
        for target in (self.object, self._profile):
            if deoj in (target.eoj, target.eoj & 0xFFFF00):
                return target
        return None

    def _respond(self, target: EchonetObject, request: Frame) -> None:
        self._waiting -= 1
        faults = self.air.faults
        if faults.meter_silent:
            return
        limit = self.model.max_opc if faults.property_limit is None else faults.property_limit
        location = self.object.location
        answer = response(target, request, limit=limit, over_limit=faults.over_limit)
        if answer is not None:
            self._note(answer)
            for delivery in faults.answer(answer):
                self._timers.after(delivery.delay_s, self._send, delivery)
        if self.object.location != location:
            self._timers.after(ANNOUNCE_S, self._changed, 0x81)

    def _changed(self, epc: int) -> None:
        if self.paa.session is not None:
            self.notices.announce(epc)

    def _announce(self, frame: Frame) -> None:
        if not self.air.faults.meter_silent:
            self._note(frame)
            self._send(Delivery(0.0, frame.to_bytes()))

    def _announce_to_all(self, frame: Frame) -> None:
        if not self.air.faults.meter_silent:
            self._send(Delivery(0.0, frame.to_bytes()), ALL_NODES)

    def _note(self, frame: Frame) -> None:
        at = self.air.clock.now()
        answer = Answer(at, frame.tid, frame.esv, frame.epcs, self.truth(at))
        self.answers.append(answer)
        if self.on_answer is not None:
            self.on_answer(answer)

    def _send(self, delivery: Delivery, destination: bytes | None = None) -> None:
        if self.paa.session is None:
            return
        source_mac = delivery.source_mac or self.pan.mac
        datagram = Datagram(
            source=link_local(source_mac),
            destination=self.paa.session.address if destination is None else destination,
            source_port=delivery.source_port,
            destination_port=delivery.destination_port,
            source_mac=source_mac,
            secured=delivery.secured,
            lqi=self.pan.lqi,
            payload=delivery.payload,
        )
        self.air.transmit(self.pan, self.paa.session.mac, datagram)
