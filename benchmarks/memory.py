"""How much memory a process has for itself. Imports as little as it can: it is used where imports are measured."""

from pathlib import Path


def own_memory_b(pid: int | str = "self") -> int:
    """Return the bytes that no other process shares with this one (USS)."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(row.split()[1]) * 1024 for row in rows if row.startswith(("Private_Clean:", "Private_Dirty:")))
