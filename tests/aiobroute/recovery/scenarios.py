"""Everything that can go wrong while a meter is being read, and how soon it must be read again.

`benchmarks/recovery.py` prints what `docs/link.md` shows of it; `test_fault_matrix.py` holds the bounds.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

from simulator import PASSWORD, OverLimit, SimulatedHome
from simulator.happenings import Happenings

FAMILIES: dict[str, dict[str, Any]] = {
    "single stack": {"module": "BP35A1", "hexadecimal": False},
    "dual stack": {"module": "BP35C2", "hexadecimal": True},
    "J11": {"module": "BP35C0-J11"},
}
"""One module of each; the first writes payloads in binary, the second in hexadecimal."""

JOIN_S = 5.0
ANSWER_S = 1.0
"""What the simulated meter takes, so that the times can be compared."""

ANSWERED_AT_ONCE_S = ANSWER_S + 1.0
SPOILT_S = ANSWER_S + 3.0 + ANSWERED_AT_ONCE_S
"""A garbled answer is asked for again within 3 s."""
LOST_S = 12.0 + ANSWERED_AT_ONCE_S
"""A lost one after the learned timer, within 12 s."""
APART_S = 45.0
"""For a reading that has to be asked for property by property, every 5 s."""
TOLD_S = 15.0
"""From what the module tells us (EVENT 24 to 29, FAIL, a reset) to the next reading."""
SILENT_S = 60.0
"""From the end of the meter's silence, and from a session that was lost without a word."""
PORT_S = 10.0
"""From the return of the port."""
TOLD_LATE_S = 20.0
"""A J11 module may take 7 s for a transmission (protocol 4.5): only then it is silent."""
MUTE_S = 15.0
"""From the end of the module's silence."""
RESTED_S = 10.0 + JOIN_S + ANSWERED_AT_ONCE_S
"""After an orderly end the meter takes no join for 10 s, so that 15 s cannot be kept with a join of 5 s."""
REFUSED_S = 25.0
"""A join that is refused, 5 s, and another one. J11 does not tell an orderly end from the meter's."""
REFUSED_FOR_LONG_S = 300.0 * 1.2 + REFUSED_S
"""The longest pause after a refusal, lengthened by a fifth, and one more join."""
ENDLESS_S = 100.0
"""A join that does not end is given up after 60 and 65 s (protocol 3.5, 4.5)."""
REPLACED_S = 40.0
"""The module before has left in order, and the one that comes may be of the family that is asked last."""
NEXT_S = 31.0 + ANSWERED_AT_ONCE_S
"""With the next poll."""
IN_DOUBT_S = ANSWERED_AT_ONCE_S + 5.0
"""What is in doubt is asked for again."""
SEARCH_S = 60.0
"""For a meter that has to be searched: it is found by the first scan, after a join where it was has failed."""

SEND = "SKSENDTO"
SEND_J11 = "0008"
DATAGRAM = {"dual stack": b"ERXUDP", "single stack": b"ERXUDP", "J11": bytes.fromhex("D0F9EE5D6018")}
"""How a received datagram begins."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A home in which a fault strikes, and its family."""

    home: SimulatedHome
    family: str
    happen: Happenings

    @classmethod
    def of(cls, home: SimulatedHome, family: str) -> Self:
        """Return that of a home."""
        return cls(home, family, Happenings(home))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault: what it does, after how many seconds it is over, and how soon after that the meter must be read."""

    name: str
    strike: Callable[[Stage], object]
    within_s: float
    lasts_s: float = 0.0
    families: tuple[str, ...] = tuple(FAMILIES)
    stands_alone: bool = False
    """Whether others cannot follow, or could not tell when it was over."""


def _spoil(**switches: Any) -> Callable[[Stage], object]:
    """Return what spoils the next answer on the wire. A list of entries is used up as they strike."""
    return lambda stage: stage.home.faults.set(struck=DATAGRAM[stage.family], **deepcopy(switches))


def _set(**switches: Any) -> Callable[[Stage], object]:
    return lambda stage: stage.home.faults.set(**deepcopy(switches))


def _set_for(seconds: float, **switches: Any) -> Callable[[Stage], object]:
    return lambda stage: stage.home.faults.set(seconds, **deepcopy(switches))


def _send(stage: Stage) -> str:
    return SEND_J11 if stage.family == "J11" else SEND


def _refuse(*codes: int) -> Callable[[Stage], object]:
    return lambda stage: stage.home.faults.set(commands_refused={_send(stage): deque(codes)})


def _moved(stage: Stage) -> None:
    stage.happen.meter_rebooted(5.0, channel=0x3B, pan_id=0x1234)


def _neighbours_and_lost(stage: Stage) -> None:
    # On a channel of its own: J11 cannot choose between two that answer to the same pairing ID on one channel.
    stage.happen.neighbours_vanished()
    stage.happen.neighbour_appeared(channel=0x29)
    stage.happen.session_ended_by_meter()
    stage.home.meter.pan.channel = 0x25


def _renewal(**switches: Any) -> Callable[[Stage], object]:
    def strike(stage: Stage) -> None:
        stage.home.faults.set(**deepcopy(switches))
        stage.happen.session_renewed()

    return strike


def _lost_and(**switches: Any) -> Callable[[Stage], object]:
    """Return what ends the session and lets the next one not be set up so easily."""

    def strike(stage: Stage) -> None:
        stage.home.faults.set(**deepcopy(switches))
        stage.happen.session_ended_by_meter()

    return strike


def _moved_and(**switches: Any) -> Callable[[Stage], object]:
    def strike(stage: Stage) -> None:
        stage.home.faults.set(**deepcopy(switches))
        _moved(stage)

    return strike


def _reset_with_an_event(stage: Stage) -> None:
    # Only an SKSTACK module echoes commands, and only until it is told not to.
    stage.home.faults.set(glued_events=1)
    stage.happen.module_reset()
    stage.happen.duty_limit(5)


def _counts_otherwise(stage: Stage) -> None:
    stage.happen.meter_scale_changed(unit=0x02, same_energy=True)
    stage.happen.session_ended_by_meter()


def _other_password(stage: Stage) -> None:
    stage.happen.credentials_reissued(password="0123456789AB")
    asyncio.get_running_loop().call_later(600, lambda: stage.happen.credentials_reissued(password=PASSWORD))


def _shortened(stage: Stage) -> None:
    stage.happen.session_lifetime(120)
    stage.happen.session_ended_by_meter()


SUCCESSORS = {"single stack": "BP35C2", "dual stack": "BP35C0-J11", "J11": "BP35A1"}
"""Which module takes the place of which: another dialect or another family."""

SKSTACK = ("single stack", "dual stack")


SCENARIOS = (
    # The wire between module and host.
    Scenario("the answer is lost on the wire", _spoil(lines_lost=1), LOST_S),
    Scenario("the answer comes 3 s late", _spoil(lines_late=deque([3.0])), ANSWERED_AT_ONCE_S + 3),
    Scenario("the answer comes twice", _spoil(lines_duplicate=1), ANSWERED_AT_ONCE_S),
    Scenario("the answer is cut, its end with it", _spoil(lines_cut=1), SPOILT_S),
    Scenario("the answer is cut, its end is there", _spoil(lines_short=1), SPOILT_S),
    Scenario("the answer lacks its line end", _spoil(lines_glued=1), SPOILT_S, families=SKSTACK),
    Scenario("a byte of the answer is broken", _spoil(lines_corrupt=1), SPOILT_S),
    Scenario("the answer says a wrong length", _set(lengths_wrong=deque([4])), SPOILT_S, families=SKSTACK),
    # SKSTACK has no checksum, and what is misread there is left to the comparison of values.
    Scenario("a byte of the answer is another one", _spoil(lines_misread=1), SPOILT_S, families=("J11",)),
    Scenario("noise before the answer", _spoil(noise_lines=deque([b"\x00\xff\x13q" * 9])), SPOILT_S),
    Scenario("each byte comes alone", _set(byte_by_byte=True), ANSWERED_AT_ONCE_S),
    Scenario("bytes come in one piece, 300 ms late", _set(gathered_s=0.3), ANSWERED_AT_ONCE_S + 1),
    Scenario("half of a command is lost", _set(host_writes_cut=1), TOLD_LATE_S),
    Scenario("a byte of a command is lost", _set(host_bytes_lost=1), TOLD_LATE_S),
    Scenario("a flood of NULs for 20 s", lambda stage: stage.happen.babble(b"\x00", 20), TOLD_S, lasts_s=20),
    Scenario("a line without end for 20 s", lambda stage: stage.happen.babble(b"x", 20), TOLD_S, lasts_s=20),
    Scenario("every line is lost for 30 s", _set_for(30, lines_lost=10**6), MUTE_S, lasts_s=30),
    # The module.
    Scenario(
        "a command is not taken",
        lambda stage: stage.home.faults.set(commands_ignored={_send(stage): 1}),
        TOLD_LATE_S,
    ),
    Scenario(
        "a command is carried out and not confirmed",
        lambda stage: stage.home.faults.set(confirmations_lost={_send(stage): 1}),
        TOLD_LATE_S,
    ),
    *(Scenario(f"FAIL ER{code:02d} to SKSENDTO", _refuse(code), TOLD_S, families=SKSTACK) for code in (4, 5, 6, 9, 10)),
    *(Scenario(f"result {code:02X} to 0008", _refuse(code), TOLD_S, families=("J11",)) for code in (0x10, 0x0B, 0xF1)),
    Scenario("the module is mute for 30 s", _set_for(30, module_mute=True), MUTE_S, lasts_s=30),
    Scenario("the module is reset", lambda stage: stage.happen.module_reset(), TOLD_S),
    Scenario("the module is reset, an event cuts into an echo", _reset_with_an_event, TOLD_S, 5, families=SKSTACK),
    Scenario("the module forgets the session", lambda stage: stage.happen.session_forgotten_by_module(), TOLD_S),
    Scenario("the port is gone for 1 s", lambda s: s.happen.port_unplugged(1), PORT_S, lasts_s=1),
    Scenario("the port is gone for 10 min", lambda s: s.happen.port_unplugged(600), PORT_S, lasts_s=600),
    Scenario(
        "the way to a remote module is cut for 30 s",
        lambda s: s.happen.port_unplugged(30, keeps_power=True),
        PORT_S,
        lasts_s=30,
    ),
    Scenario(
        "another module takes its place",
        lambda stage: stage.happen.module_replaced(SUCCESSORS[stage.family]),
        REPLACED_S,
        stands_alone=True,
    ),
    # The air.
    Scenario("the meter is hardly heard any more", lambda s: s.happen.meter_heard(0x05), ANSWERED_AT_ONCE_S),
    Scenario("the request is lost on the air", _set(requests_lost=1), LOST_S),
    Scenario("the answer is lost on the air", _set(datagrams_lost=1), LOST_S),
    Scenario("the air is busy once", _set(failed_sends=1), ANSWERED_AT_ONCE_S + 4),
    Scenario("the air is busy three times", _set(failed_sends=3), ANSWERED_AT_ONCE_S + 12),
    Scenario("the acknowledgement is lost", _set(acknowledgements_lost=1), ANSWERED_AT_ONCE_S + 4),
    Scenario("the transmission limit for 60 s", lambda stage: stage.happen.duty_limit(60), TOLD_S, lasts_s=60),
    Scenario("the transmission limit for 10 min", lambda stage: stage.happen.duty_limit(600), TOLD_S, lasts_s=600),
    Scenario("half of the requests are lost for 5 min", _set_for(300, request_loss=0.5), SILENT_S, lasts_s=300),
    Scenario("half of the answers are lost for 5 min", _set_for(300, datagram_loss=0.5), SILENT_S, lasts_s=300),
    # The answers of the meter.
    Scenario("the answer comes 10 s late", _set(late_answers=deque([10.0])), LOST_S),
    Scenario("a second answer", _set(duplicate_answers=1), ANSWERED_AT_ONCE_S),
    Scenario("a wrong answer that is not encrypted", _set(unencrypted_copies=1), ANSWERED_AT_ONCE_S),
    Scenario("a wrong answer of a neighbour's meter", _set(neighbour_copies=1), ANSWERED_AT_ONCE_S),
    Scenario("a wrong answer from another port", _set(source_port_copies=1), ANSWERED_AT_ONCE_S),
    Scenario("a wrong answer to another port", _set(destination_port_copies=1), ANSWERED_AT_ONCE_S),
    Scenario("the answer has another TID", _set(foreign_tids=1), LOST_S),
    Scenario("the answer is about other properties", _set(foreign_epcs=1), LOST_S),
    Scenario("the answer is that to the request before", _set(repeated_answers=1), LOST_S),
    Scenario("the answer lacks its end", _set(short_answers=1), SPOILT_S),
    Scenario("several properties are refused for 5 min", _set_for(300, property_limit=1), APART_S, lasts_s=300),
    Scenario(
        "several properties are not answered for 5 min",
        _set_for(300, property_limit=1, over_limit=OverLimit.SILENT),
        APART_S,
        lasts_s=300,
    ),
    Scenario("the meter has no power to tell once", _set(replaced_values={"E7": deque(["7FFFFFFE"])}), NEXT_S),
    Scenario("the counters begin anew", lambda s: s.happen.meter_counters_restarted(), IN_DOUBT_S),
    Scenario("the meter's clock is wrong", lambda s: s.happen.meter_clock_wrong(by_s=1800), ANSWERED_AT_ONCE_S),
    Scenario("the meter's clock is right", lambda s: s.happen.meter_clock_right(), ANSWERED_AT_ONCE_S),
    Scenario("the meter counts in another unit", _counts_otherwise, TOLD_S + IN_DOUBT_S, stands_alone=True),
    Scenario("the meter tells of a fault", lambda s: s.happen.meter_faulty(faulty=True), ANSWERED_AT_ONCE_S),
    Scenario("the meter is out of operation", lambda s: s.happen.meter_operating(operating=False), ANSWERED_AT_ONCE_S),
    Scenario("the meter tells where it hangs", lambda s: s.happen.meter_location("61"), ANSWERED_AT_ONCE_S),
    # The meter and the session.
    Scenario("the meter is silent for 3 min", _set_for(180, meter_silent=True), SILENT_S, lasts_s=180),
    Scenario("the meter is silent for 30 min", _set_for(1800, meter_silent=True), SILENT_S, lasts_s=1800),
    Scenario("the meter is without mains for 3 min", lambda s: s.happen.meter_rebooted(180), SILENT_S, lasts_s=180),
    Scenario("the meter is without mains for 30 min", lambda s: s.happen.meter_rebooted(1800), SILENT_S, lasts_s=1800),
    Scenario("the meter is without mains for 3 h", lambda s: s.happen.meter_rebooted(10_800), SILENT_S, lasts_s=10_800),
    Scenario("the meter starts anew on another channel", _moved, SILENT_S + SEARCH_S, lasts_s=5),
    Scenario("the meter is replaced", lambda s: s.happen.meter_replaced(), SILENT_S + SEARCH_S),
    Scenario("the meter ends the session", lambda s: s.happen.session_ended_by_meter(), TOLD_S),
    Scenario("the meter forgets the session", lambda s: s.happen.session_forgotten_by_meter(), SILENT_S),
    Scenario("the session expires", lambda s: s.happen.session_expired(), TOLD_S),
    Scenario(
        "another program ends the session", lambda s: s.happen.session_ended_by_module(), RESTED_S, families=SKSTACK
    ),
    Scenario(
        "another program ends the session", lambda s: s.happen.session_ended_by_module(), REFUSED_S, families=("J11",)
    ),
    Scenario("the session ends and a join is refused", _lost_and(refused_joins=1), REFUSED_S),
    Scenario("the session ends and two joins are refused", _lost_and(refused_joins=2), SILENT_S),
    Scenario("the session ends and a join never does", _lost_and(endless_joins=1), ENDLESS_S),
    Scenario("sessions become short", _shortened, TOLD_S),
    Scenario("a renewal", _renewal(), TOLD_S),
    Scenario("a renewal takes 40 s", _renewal(late_renewals=deque([40.0])), SILENT_S, lasts_s=40),
    Scenario("a renewal is refused", _renewal(refused_renewals=1), TOLD_S),
    Scenario("a renewal never ends", _renewal(endless_renewals=1), SILENT_S),
    Scenario("the meter moves and a scan misses it", _moved_and(scan_misses=1), SILENT_S + SEARCH_S, lasts_s=5),
    Scenario(
        "the meter moves and half of its beacons are lost",
        _moved_and(beacon_loss=0.5),
        SILENT_S + 2 * SEARCH_S,
        lasts_s=5,
    ),
    Scenario(
        "the utility gives another password for 10 min",
        _other_password,
        REFUSED_FOR_LONG_S,
        lasts_s=600,
        stands_alone=True,
    ),
    Scenario("the meter moved beside a louder stranger", _neighbours_and_lost, SEARCH_S + 2 * TOLD_S),
)
