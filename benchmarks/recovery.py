"""How long after each fault the meter is read again, for each family of modules, on virtual time.

Prints the table of `docs/link.md`, and ends with 1 if a bound is not kept.
`tests/aiobroute/recovery/test_fault_matrix.py` holds the same bounds.
"""

import asyncio
import logging
import sys

import looptime

from tests.aiobroute.recovery.matrix import recovery_s
from tests.aiobroute.recovery.scenarios import FAMILIES, SCENARIOS, Scenario

from .figures import table


def main() -> int:
    """Measure everything once: virtual time and chance are the same in every run."""
    logging.getLogger("custom_components.broute").setLevel(logging.ERROR)
    rows: dict[str, dict[str, str]] = {}
    missed = False
    for scenario in SCENARIOS:
        row = rows.setdefault(scenario.name, {})
        for family in scenario.families:
            measured_s = _measured_s(family, scenario)
            missed = missed or measured_s > scenario.within_s
            row[family] = f"{measured_s:.1f} s"
            bounds = row.setdefault("bound", "").split(" / ") if row.get("bound") else []
            row["bound"] = " / ".join(dict.fromkeys([*bounds, f"{scenario.within_s:.0f} s"]))
    head = ("fault", *FAMILIES, "bound")
    sys.stdout.write(
        f"{table(head, [(name, *(row.get(column, '') for column in head[1:])) for name, row in rows.items()])}\n"
    )
    return int(missed)


def _measured_s(family: str, scenario: Scenario) -> float:
    loop = looptime.new_event_loop(start=0, noop_cycles=0)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(recovery_s(family, scenario))
    finally:
        loop.close()


if __name__ == "__main__":
    sys.exit(main())
