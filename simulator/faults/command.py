"""What can become of a command that a module takes: not answered, not confirmed, refused.

The same for every family; commands are named as in the family's manual: the word of SKSTACK ("SKSENDTO"), the command
code of J11 as four hexadecimal digits ("0008"). The firmwares ask before they carry one out.
"""

from collections import deque
from dataclasses import dataclass

from .switches import Switches, by_name, count, entries, switch

ANY = "*"
"""Stands for every command."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a command.

    Attributes:
        carried_out: the firmware does what it says.
        confirmed: the firmware says that it has taken it: the OK, or the response of J11.
        refusal: the code of the refusal that is said in place of anything else: the number of FAIL ER, or the result
            of J11; `None`: not refused.
    """

    carried_out: bool = True
    confirmed: bool = True
    refusal: int | None = None


@dataclass(kw_only=True, eq=False)
class CommandFaults(Switches):
    """Faults of the module's command line."""

    commands_ignored: dict[str, int] = switch(
        'how many of the next commands, by name or "*", are neither carried out nor answered', by_name(count), off={}
    )
    confirmations_lost: dict[str, int] = switch(
        'how many of the next commands, by name or "*", are carried out without the OK (or the response); other lines'
        " of the answer come",
        by_name(count),
        off={},
    )
    commands_refused: dict[str, deque[int]] = switch(
        'with which codes the next commands, by name or "*", are refused: the number of FAIL ER, or the result of J11',
        by_name(entries(count)),
        off={},
    )

    def command(self, name: str) -> Fate:
        """Return what becomes of a command, by the first switch that is on for its name or for any."""
        if self._used_up(self.commands_ignored, name):
            return Fate(carried_out=False, confirmed=False)
        for codes in (self.commands_refused.get(name), self.commands_refused.get(ANY)):
            if codes:
                return Fate(carried_out=False, confirmed=False, refusal=codes.popleft())
        return Fate(confirmed=not self._used_up(self.confirmations_lost, name))

    @staticmethod
    def _used_up(counts: dict[str, int], name: str) -> bool:
        for key in (name, ANY):
            if counts.get(key, 0) > 0:
                counts[key] -= 1
                return True
        return False
