"""What can be made to go wrong, switched on and off while the simulation runs.

One object is shared by air, meter and module: conditions that last until they are switched off, and counts of how
often something is still to happen. It knows none of them: each asks it at the point where the fault would strike.

    home.faults.lines_lost = 2                          the next two
    home.faults.set(30, meter_silent=True)              for 30 s
    home.faults.off()                                   all of them
    Faults.documentation()                              what there is

Each table of this folder is a part: `serial` (lines and bytes), `command`, `answers` (the meter's node), `radio` (air
and authentication). Whole events (the session ended, the module reset, the port gone) are methods of the part that they
happen to.
"""

from dataclasses import dataclass

from .answers import AnswerFaults, Delivery
from .command import CommandFaults, Fate
from .radio import RadioFaults
from .serial import Form, Message, SerialFaults
from .switches import UnknownNameError

__all__ = ["Delivery", "Fate", "Faults", "Form", "Message", "UnknownNameError"]


@dataclass(kw_only=True, eq=False)
class Faults(SerialFaults, CommandFaults, AnswerFaults, RadioFaults):
    """All switches."""
