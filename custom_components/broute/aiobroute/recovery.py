"""How a session is set up again after it was lost: what the next attempt does, and when it is made.

Pure: the session carries it out. In the order of the attempts: join the remembered network, and search when that
fails; the same after a reset of the module; the same on a port that was closed and opened again. After that the meter
is out of reach, and is called again and again where it was last, with a search only now and then. A session that does
not last ends no outage: the next attempt goes on where the one before it has stopped.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
import math
import random

from .exceptions import (
    BrouteError,
    CredentialsRefusedError,
    MeterNotFoundError,
    MeterSilentError,
    ModuleError,
    NotAModuleError,
    PortBusyError,
    PortError,
)

PORT_PAUSE_S = 0.5
"""The port is gone, or no module answers behind it: nobody is disturbed by looking again, least of all the meter."""
PORT_BUSY_PAUSE_S = 5.0
REFUSAL_PAUSES_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""The meter refuses the authentication, or nothing is known of a meter that a search does not find."""
SILENCE_PAUSES_S = ((3600.0, 5.0), (86_400.0, 10.0), (math.inf, 60.0))
"""Up to which age of the outage, which pause: a meter that does not answer a join has been called for 40 s already
(protocol 3.5), and one without mains for hours is still to be read within a minute of its return."""
AIR_PAUSES_S = (1.0, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""The port or the module failed in the middle of a scan or a join: the air is not used again and again for that."""
RELAPSE_PAUSES_S = (1.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""From the beginning of a session that did not prove itself to the next attempt, at least: two controllers with one ID
take the session from each other, and would do nothing else."""
PROOF_S = 60.0
"""A session has proved itself when the meter answers after so long."""
JITTER = 0.2
"""Each pause is lengthened by up to this share of it, so that not all homes of a street call at once."""
SEARCH_EVERY = 8
"""So many attempts after the first ones there is another search."""


class Footing(IntEnum):
    """What an attempt begins with; each includes those before it."""

    AS_IT_IS = 0
    RESET = 1
    """Reset the module."""
    REOPEN = 2
    """Close the port, open it and identify the module."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the next attempt does. `searches`: whether it searches when the remembered network cannot be joined."""

    footing: Footing
    searches: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What was tried since there has been no session.

    `since_s`: on the event loop's clock. `attempts`: those that were begun. `searches_in_vain`: how many searches in a
    row, up to the longest scan, have heard no network with our pairing ID. `refusals`: how many attempts in a row have
    ended with a meter that was heard and refused us; failures of port or module between them do not count. `heard_dbm`:
    how strongly the meter was heard by the last search, `None` if that was in vain, or none was made.
    """

    since_s: float
    attempts: int = 0
    searches_in_vain: int = 0
    refusals: int = 0
    heard_dbm: float | None = None


_FIRST = tuple(Attempt(footing, searches=True) for footing in Footing)
_NOW_AND_THEN = (Attempt(Footing.RESET, searches=True), Attempt(Footing.REOPEN, searches=True))
_USUAL = Attempt(Footing.AS_IT_IS, searches=False)


class Recovery:
    """One outage, and those after it, to the first session that proves itself.

    `footing` is what the cause demands of the first attempt, `since_s` when the outage began.
    """

    def __init__(self, footing: Footing, randomness: random.Random, *, since_s: float) -> None:
        self.outage = Outage(since_s=since_s)
        """What was tried so far."""
        self.relapses = 0
        """How many sessions in a row were lost before they had proved themselves."""
        self.rests_until_s = since_s
        """The next attempt comes no sooner, on the event loop's clock."""
        self._footing = footing
        self._random = randomness
        self._rung = 0
        self._rebuffs = 0
        self._module_failed = False
        self._broken_off = 0

    def relapse(self, footing: Footing, *, begun_s: float, now_s: float) -> None:
        """Go on where the last outage has ended: the session that began then was lost, and has not proved itself."""
        if not self.relapses:
            # Whatever was tried until the meter could be joined: this is another matter.
            self._rung = 1
        self.relapses += 1
        self.outage = Outage(since_s=now_s)
        self.rests_until_s = begun_s + self._lengthened(_nth(RELAPSE_PAUSES_S, self.relapses))
        self.demand(footing)

    def demand(self, footing: Footing) -> None:
        """Let the next attempt begin with no less than this."""
        self._footing = max(self._footing, footing)

    def next_attempt(self) -> Attempt:
        """Return what is tried now."""
        self.outage = replace(self.outage, attempts=self.outage.attempts + 1)
        number = self._rung
        self._rung += 1
        if number < len(_FIRST):
            attempt = _FIRST[number]
        else:
            round_, place = divmod(number - len(_FIRST), SEARCH_EVERY)
            attempt = _NOW_AND_THEN[round_ % len(_NOW_AND_THEN)] if place == SEARCH_EVERY - 1 else _USUAL
        footing, self._footing = self._footing, Footing.AS_IT_IS
        return Attempt(max(attempt.footing, footing), attempt.searches)

    def end_search(self, heard_dbm: float | None) -> None:
        """Note how strongly the meter was heard by a whole search; `None`: no network with our pairing ID was."""
        in_vain = 0 if heard_dbm is not None else self.outage.searches_in_vain + 1
        self.outage = replace(self.outage, searches_in_vain=in_vain, heard_dbm=heard_dbm)

    def pause_s(self, failure: BrouteError, *, now_s: float, knows_network: bool, used_air: bool = False) -> float:
        """Return how long to wait after an attempt, and note what the next one must begin with.

        `now_s`: on the event loop's clock; `knows_network`: whether there is one to join without a search; `used_air`:
        whether the attempt has come to a scan or a join.
        """
        if isinstance(failure, CredentialsRefusedError):
            self.outage = replace(self.outage, refusals=self.outage.refusals + 1, searches_in_vain=0)
        elif isinstance(failure, MeterNotFoundError | MeterSilentError):
            self.outage = replace(self.outage, refusals=0)
        pause_s = self._base_pause_s(failure, now_s - self.outage.since_s, knows_network=knows_network)
        if used_air and isinstance(failure, PortError | ModuleError | NotAModuleError):
            self._broken_off += 1
            pause_s = max(pause_s, _nth(AIR_PAUSES_S, self._broken_off))
        return self._lengthened(pause_s)

    def _lengthened(self, pause_s: float) -> float:
        return pause_s * self._random.uniform(1, 1 + JITTER)

    def _base_pause_s(self, failure: BrouteError, outage_s: float, *, knows_network: bool) -> float:
        match failure:
            case PortError() | NotAModuleError():
                self.demand(Footing.REOPEN)
                if isinstance(failure, PortBusyError):
                    return PORT_BUSY_PAUSE_S
                return PORT_PAUSE_S
            case ModuleError():
                # A module that fails twice in a row needs more than a reset.
                self.demand(Footing.REOPEN if self._module_failed else Footing.RESET)
                self._module_failed = True
                return PORT_PAUSE_S
        # The meter was reached for, so port and module have served.
        self._module_failed = False
        self._broken_off = 0
        if isinstance(failure, CredentialsRefusedError) or not knows_network:
            self._rebuffs += 1
            return _nth(REFUSAL_PAUSES_S, self._rebuffs)
        return next(pause_s for up_to_s, pause_s in SILENCE_PAUSES_S if outage_s < up_to_s)


def _nth(pauses_s: tuple[float, ...], number: int) -> float:
    return pauses_s[min(number, len(pauses_s)) - 1]
