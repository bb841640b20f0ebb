"""Everything that can be made to go wrong, with values to draw: for `test_state_machine.py`."""

from collections import deque
from typing import Any

from hypothesis import strategies as st

from simulator import MODELS, PRODUCTS, OverLimit

from .scenarios import DATAGRAM

SOME = st.integers(1, 3)
FLAG = st.just(value=True)
SHARE = st.sampled_from([0.1, 0.5, 1.0])
BRIEF_S = st.sampled_from([0.05, 0.3, 1.0, 3.0, 10.0, 40.0])
LONG_S = st.sampled_from([0.5, 5.0, 20.0, 60.0, 200.0, 900.0])
CHANNELS = st.sampled_from([33, 35, 47, 59])
"""J11 has every other channel."""
COMMANDS = st.sampled_from(
    [
        *("*", "SKSENDTO", "SKJOIN", "SKSCAN", "SKTERM", "SKINFO", "SKRESET", "SKVER", "SKSREG", "SKADDNBR", "ROPT"),
        *("0001", "0005", "0008", "0051", "0053", "0054", "0056", "0057", "0058", "005F", "006B", "00D9"),
    ]
)


def _queue(of: st.SearchStrategy[Any]) -> st.SearchStrategy[deque[Any]]:
    return st.lists(of, min_size=1, max_size=3).map(deque)


SWITCHES: dict[str, st.SearchStrategy[Any]] = {
    # The wire.
    "module_mute": FLAG,
    "struck": st.sampled_from([b"", b"EVENT", b"OK", *DATAGRAM.values()]),
    "noise_lines": _queue(st.sampled_from([b"\x00" * 40, b"\xff\xfe", b"OK", b"EVENT 29", b"x" * 1200])),
    "lines_lost": SOME,
    "lines_late": _queue(BRIEF_S),
    "lines_duplicate": SOME,
    "lines_cut": SOME,
    "lines_short": SOME,
    "lines_glued": SOME,
    "lines_corrupt": SOME,
    "lengths_wrong": _queue(st.sampled_from([-18, -1, 1, 4, 2000])),
    "byte_by_byte": FLAG,
    "gathered_s": st.sampled_from([0.05, 0.3, 2.0]),
    "host_bytes_lost": st.integers(1, 30),
    "host_writes_cut": SOME,
    "glued_events": SOME,
    # The commands.
    "commands_ignored": st.dictionaries(COMMANDS, SOME, min_size=1, max_size=2),
    "confirmations_lost": st.dictionaries(COMMANDS, SOME, min_size=1, max_size=2),
    "commands_refused": st.dictionaries(
        COMMANDS, _queue(st.sampled_from([3, 4, 5, 6, 9, 10, 0x0B, 0x10, 0xF1])), min_size=1, max_size=2
    ),
    # The answers.
    "meter_silent": FLAG,
    "property_limit": st.integers(1, 5),
    "over_limit": st.sampled_from(OverLimit),
    "late_answers": _queue(BRIEF_S),
    "duplicate_answers": SOME,
    "unencrypted_copies": SOME,
    "neighbour_copies": SOME,
    "source_port_copies": SOME,
    "destination_port_copies": SOME,
    "foreign_tids": SOME,
    "foreign_epcs": SOME,
    "repeated_answers": SOME,
    "short_answers": SOME,
    # The air.
    "scan_misses": SOME,
    "beacon_loss": SHARE,
    "refused_joins": SOME,
    "endless_joins": SOME,
    "refused_renewals": SOME,
    "endless_renewals": SOME,
    "late_renewals": _queue(BRIEF_S),
    "failed_sends": st.integers(1, 6),
    "acknowledgements_lost": st.integers(1, 6),
    "requests_lost": SOME,
    "request_loss": SHARE,
    "datagrams_lost": SOME,
    "datagram_loss": SHARE,
}

UNRECOGNISABLE = {"lines_misread", "replaced_values"}
"""Switches that make the meter, or the wire, say something wrong in the right form."""

EXCLUDED_HAPPENINGS = {"meter_scale_changed", "credentials_reissued", "load_stepped"}
"""What is not to be drawn: after one the meter's values in the right form mean something else, after the other it
accepts nobody who does not know its new credentials. And what the house takes is nothing that goes wrong."""

HAPPENINGS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "session_ended_by_meter": {},
    "session_forgotten_by_meter": {},
    "session_ended_by_module": {},
    "session_forgotten_by_module": {},
    "session_expired": {},
    "session_renewed": {},
    "session_lifetime": {"lifetime_s": st.sampled_from([120, 900, 86_400])},
    "duty_limit": {"for_s": LONG_S},
    "meter_rebooted": {"for_s": LONG_S},
    "meter_replaced": {
        "model": st.sampled_from([None, *MODELS]),
        "import_count": st.sampled_from([None, 0, 999_990]),
        "export_count": st.sampled_from([None, 5]),
        "stored_s": st.sampled_from([None, 0, 90_000]),
    },
    "meter_clock_wrong": {"by_s": st.sampled_from([-90_000, -61, 700, 1800])},
    "meter_clock_right": {},
    "meter_counters_restarted": {"import_count": st.sampled_from([0, 999_990]), "export_count": st.just(0)},
    "meter_faulty": {"faulty": st.booleans()},
    "meter_operating": {"operating": st.booleans()},
    "meter_location": {"location": st.sampled_from(["00", "61", "FF", "01" + 16 * "37"])},
    "neighbour_appeared": {
        "channel": CHANNELS,
        "lqi": st.sampled_from([0x20, 0xF0]),
        "pairing_id": st.sampled_from([None, "", "01234567"]),
        "answers_anybody": st.booleans(),
    },
    "meter_heard": {"lqi": st.sampled_from([0x05, 0x60, 0xF0])},
    "neighbours_vanished": {},
    "module_reset": {},
    "module_replaced": {"module": st.sampled_from(sorted(PRODUCTS))},
    "port_unplugged": {"for_s": st.none() | LONG_S, "keeps_power": st.booleans()},
    "port_plugged": {},
    "babble": {
        "pattern": st.sampled_from([b"\x00", b"x", b"OK\r\n", b"\xd0\xf9\xee\x5d", b"ERXUDP "]),
        "for_s": LONG_S,
    },
}
"""What can happen, and its arguments. A meter that moves is a rule of its own."""
