"""Figures and what is said of them: the median of what was measured, its spread, ratios, goals, tables in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import platform
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """What several runs have measured.

    Attributes:
        samples: one or more.
        unit: as it is printed, e.g. "ms".
    """

    samples: tuple[float, ...]
    unit: str

    @classmethod
    def of(cls, samples: Iterable[float], unit: str, *, factor: float = 1.0) -> Figure:
        """Make a figure of samples that become their unit when they are multiplied by `factor`."""
        return cls(tuple(sample * factor for sample in samples), unit)

    @property
    def median(self) -> float:
        """The middle one, or the mean of the two in the middle."""
        return median(self.samples)

    def __str__(self) -> str:
        """Show the median, the unit, and the smallest and the largest sample where they differ from it."""
        low, middle, high = (rounded(value) for value in (min(self.samples), self.median, max(self.samples)))
        spread = "" if low == middle == high else f" ({low} to {high})"
        return " ".join(part for part in (f"**{middle}**", self.unit) if part) + spread


def rounded(value: float) -> str:
    """Return three digits, or all of those before the point."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(ours: Figure, theirs: Figure, *, more_is_better: bool = False) -> float:
    """Return how many times better ours is: above 1 where it is."""
    better, worse = (ours, theirs) if more_is_better else (theirs, ours)
    return better.median / worse.median


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of all do not exceed (nearest rank)."""
    rank = max(1, -(-len(samples) * percent // 100))
    return sorted(samples)[int(rank) - 1]


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit that a value must keep.

    Attributes:
        name: what it is about.
        value: what was measured.
        limit: what is allowed.
        at_least: whether the limit is the least that is wanted; otherwise it is the most.
        unit: of both.
    """

    name: str
    value: float
    limit: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """Return the goal, the limit, the value and the verdict, as text."""
        unit = f" {self.unit}" if self.unit else ""
        return (
            self.name,
            f"{'at least' if self.at_least else 'at most'} {self.limit:g}{unit}",
            f"{rounded(self.value)}{unit}",
            "met" if self.met else "**not met**",
        )


def goals_table(goals: Iterable[Goal]) -> str:
    """Return a table of goals."""
    return table(("goal", "limit", "measured", ""), [goal.row() for goal in goals])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Say on what was measured, and how busy it was with other things."""
    model = next(
        (row.split(":", 1)[1].strip() for row in _rows("/proc/cpuinfo") if row.startswith("model name")),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} × {model}, Linux, Python {platform.python_version()}, load average before: {load:.1f}"


def _rows(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
