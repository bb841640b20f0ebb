"""What can go wrong on the air and in the authentication."""

from dataclasses import dataclass

from .switches import Switches, count, switch


@dataclass(kw_only=True, eq=False)
class RadioFaults(Switches):
    """Faults of the air and of the PAA."""

    refused_joins: int = switch("how many of the next joins the meter refuses, whatever the credentials", count, off=0)
    scan_misses: int = switch("how many of the next scans hear nothing", count, off=0)
