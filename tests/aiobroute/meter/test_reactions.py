"""`docs/link.md` says what the code does: its tables are compared with those of the session."""

from pathlib import Path
import re

import pytest

from custom_components.broute.aiobroute import SessionState
from custom_components.broute.aiobroute.conversation import (
    NOT_SENT_PAUSES_S,
    REPEAT_SPACING_S,
    SILENT_ATTEMPTS,
    SPACING_S,
    SPOILT_WAIT_S,
)
from custom_components.broute.aiobroute.exceptions import (
    BrouteError,
    CredentialsRefusedError,
    MeterSilentError,
    PortBusyError,
    PortMissingError,
)
from custom_components.broute.aiobroute.link.base import LinkEvent
from custom_components.broute.aiobroute.link.j11.driver import DUTY_LIMIT_TRIAL_S as DUTY_LIMIT_TRIAL_J11_S
from custom_components.broute.aiobroute.link.skstack.driver import _EVENTS, DUTY_LIMIT_TRIAL_S, SENT_TIMEOUT_S
from custom_components.broute.aiobroute.reactions import OCCURRENCES, REACTIONS, Reaction, reaction_to
from custom_components.broute.aiobroute.recovery import PROOF_S, RELAPSE_PAUSES_S, Footing, Recovery
from custom_components.broute.aiobroute.request_queue import BACKGROUND_WAIT_S, EXPECTED_EARLY_S
from custom_components.broute.aiobroute.session import PATIENCE, RENEWAL_LIMIT_S, REST_S
from custom_components.broute.aiobroute.watch import DOUBT_S, MODULE_CHECK_S, SILENCE_LIMIT_S

from .test_recovery import NoJitter, pauses

LINK = (Path(__file__).parents[3] / "docs" / "link.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table whose first heading is this one."""
    lines = LINK[LINK.index(f"| {heading} |") :].splitlines()
    rows = lines[: next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not row.startswith("|---")]


def test_the_states_are_those_of_the_session() -> None:
    assert [row[0].strip("`") for row in table("state")[1:]] == [
        *(state for state in SessionState if state is not SessionState.CLOSED),
        SessionState.CLOSED,
    ]


def test_every_reaction_is_the_one_that_is_written() -> None:
    (_, _, *states), *rows = table("what happens")
    assert [row[0] for row in rows] == [occurrence.name.lower() for occurrence in OCCURRENCES]
    written = {(state, row[0]): cell for row in rows for state, cell in zip(states, row[2:], strict=True) if cell}
    assert written == {
        (state, occurrence.name.lower()): reaction for (state, occurrence), reaction in REACTIONS.items()
    }


def test_a_closed_session_reacts_to_nothing() -> None:
    assert {reaction_to(occurrence, SessionState.CLOSED) for occurrence in OCCURRENCES} == {Reaction.NOTHING}


FOOTINGS = {
    "nothing": {Footing.AS_IT_IS},
    "what the loss demands, else nothing": {Footing.AS_IT_IS},
    "a reset of the module": {Footing.RESET},
    "the port, closed and opened again": {Footing.REOPEN},
    "a reset, or the port, in turn": {Footing.RESET, Footing.REOPEN},
}


def test_the_ladder_is_the_one_that_is_written() -> None:
    _, *rows = table("attempt")
    recovery = Recovery(Footing.AS_IT_IS, NoJitter(), since_s=0)
    made = [recovery.next_attempt() for _ in range(3 + 16)]
    written = [(FOOTINGS[footing], searches == "yes") for _, footing, joins, searches in rows if joins == "yes"]
    for (footings, searches), attempt in zip(written[:4], made[:4], strict=True):
        assert ({attempt.footing}, attempt.searches) == (footings, searches)
    later, eighth = written[3:]
    assert {(attempt.footing, attempt.searches) for attempt in made[3:10]} == {(*later[0], later[1])}
    assert [(attempt.footing, attempt.searches) for attempt in (made[10], made[18])] == [
        (footing, eighth[1]) for footing in sorted(eighth[0])
    ]


@pytest.mark.parametrize(
    ("failure", "knows_network", "written"),
    [
        (PortMissingError(), True, "the port is not there, or no module answers"),
        (PortBusyError(), True, "another program holds the port"),
        (CredentialsRefusedError(), True, "the meter refuses, or a search without a remembered network found nothing"),
        (MeterSilentError(), False, "the meter refuses, or a search without a remembered network found nothing"),
    ],
)
def test_the_pauses_are_those_that_are_written(failure: BrouteError, knows_network: bool, written: str) -> None:
    cell = dict(row for row in table("the attempt failed because"))[written]
    numbers = [float(number) for number in re.findall(r"[\d.]+", cell.split(":")[0])]
    made = pauses([failure] * len(numbers), knows_network=knows_network)
    assert made == numbers
    assert pauses([failure] * 20, knows_network=knows_network)[-1] == numbers[-1]


def test_the_pause_for_a_silent_meter_is_the_one_that_is_written() -> None:
    cell = dict(row for row in table("the attempt failed because"))["the meter does not answer"]
    assert cell == "5 s in the first hour, 10 s in the first day, then 60 s"
    assert pauses([MeterSilentError()], now_s=3599) == [5]
    assert pauses([MeterSilentError()], now_s=3600) == [10]
    assert pauses([MeterSilentError()], now_s=86_399) == [10]
    assert pauses([MeterSilentError()], now_s=86_400) == [60]


def test_the_events_are_those_that_are_written() -> None:
    shown = {row[0]: row[1] for row in table("what happens")[1:]}
    written = {
        int(number, 16): name
        for name, cell in shown.items()
        if (events := re.match(r"EVENT ([0-9A-F, ]+?)(?: with.*| ·.*)?$", cell)) and name in _NAMES
        for number in events[1].split(", ")
    }
    assert written == {number: event.name.lower() for number, event in _EVENTS.items()}


_NAMES = {event.name.lower() for event in LinkEvent}


def numbers(row: str) -> list[float]:
    """Return the numbers of a row of the times, in order."""
    (cell,) = (line.split("|")[2] for line in LINK.splitlines() if line.startswith(f"| {row} |"))
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", cell.replace("J11", ""))]


def test_the_times_are_those_that_are_written() -> None:
    assert numbers("between two requests on the air") == [SPACING_S, REPEAT_SPACING_S]
    assert numbers("a request of the meter's log") == [EXPECTED_EARLY_S, BACKGROUND_WAIT_S]
    assert numbers("an unreadable line or frame while an answer is due") == [*SPOILT_WAIT_S]
    assert numbers("unanswered requests until the session counts as lost") == [
        SILENT_ATTEMPTS * patience for patience in sorted(set(PATIENCE))
    ]
    assert numbers("the meter silent though nobody asks") == [SILENCE_LIMIT_S, DOUBT_S]
    assert numbers("the module silent though nobody asks") == [MODULE_CHECK_S]
    assert numbers("renewal")[0] == RENEWAL_LIMIT_S
    assert numbers("transmission limit without news of its end") == [DUTY_LIMIT_TRIAL_S, DUTY_LIMIT_TRIAL_J11_S]
    assert numbers("EVENT 21 missing") == [SENT_TIMEOUT_S]
    assert numbers("EVENT 21 with 01, J11's details 3, 5, 8 and F")[:3] == [*NOT_SENT_PAUSES_S]
    rests = ", ".join(f"{pause_s:.0f}" for pause_s in RELAPSE_PAUSES_S[:-1])
    text = " ".join(LINK.split())
    assert f"no sooner than {rests}, then {RELAPSE_PAUSES_S[-1]:.0f} s after" in text
    assert f"answered in it after {PROOF_S:.0f} s" in text
    assert f"takes no new session within {REST_S:.0f} s" in text
