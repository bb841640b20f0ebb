"""The layers hold: who imports whom, read from the sources.

`docs/architecture.md` says what the layers are for. A new module, and a new arrow between two, belongs in `ARROWS`.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import subprocess
import sys

import pytest

TOP = Path(__file__).parents[1]
INTEGRATION = TOP / "custom_components" / "broute"
LIBRARY = INTEGRATION / "aiobroute"

ARROWS: dict[str, set[str]] = {
    # What everything may stand on.
    "exceptions": set(),
    "credentials": {"exceptions"},
    # ECHONET Lite, pure.
    "echonet": set(),
    "echonet.frame": {"exceptions"},
    "echonet.property_map": {"exceptions"},
    "echonet.values": {"exceptions"},
    "echonet.super_class": {"exceptions", "echonet.property_map", "echonet.values"},
    "echonet.node_profile": {"exceptions", "echonet.frame", "echonet.super_class", "echonet.values"},
    "echonet.smart_meter": {"exceptions", "echonet.super_class", "echonet.values"},
    # The way to the module: only the console and the requester know both the port and their codec.
    "link": set(),
    "link.base": {"credentials"},
    "link.port": {"exceptions"},
    "link.turns": {"exceptions"},
    "link.skstack": set(),
    "link.skstack.codec": {"link.base"},
    "link.skstack.commands": {"credentials", "link.base", "link.skstack.codec"},
    "link.skstack.console": {
        *("exceptions", "link.base", "link.port", "link.turns", "link.skstack.codec", "link.skstack.commands"),
    },
    "link.skstack.driver": {
        *("credentials", "exceptions", "link.base", "link.port", "link.turns"),
        *("link.skstack.codec", "link.skstack.commands", "link.skstack.console"),
        # The UDP port of both sides.
        "echonet.frame",
    },
    "link.j11": set(),
    "link.j11.codec": {"link.base"},
    "link.j11.commands": {"credentials", "link.j11.codec"},
    "link.j11.requester": {
        *("exceptions", "link.base", "link.port", "link.turns", "link.j11.codec", "link.j11.commands"),
    },
    "link.j11.driver": {
        *("credentials", "exceptions", "link.base", "link.port", "link.turns"),
        *("link.j11.codec", "link.j11.commands", "link.j11.requester", "echonet.frame"),
    },
    "link.identify": {"exceptions", "link.base", "link.port", "link.j11.driver", "link.skstack.driver"},
    # The meter.
    "statistics": {"link.base"},
    "response_timer": {"echonet.smart_meter"},
    "request_queue": set(),
    "conversation": {"exceptions", "echonet.frame", "link.base", "request_queue", "response_timer", "statistics"},
    "reactions": {"conversation", "exceptions", "link.base"},
    "recovery": {"exceptions"},
    "journal": set(),
    "search": {"conversation", "link.base", "statistics"},
    "survey": {"exceptions", "link.turns"},
    "instances": {"conversation", "exceptions", "echonet.frame", "echonet.node_profile"},
    "watch": {"conversation", "exceptions", "reactions", "echonet.frame", "echonet.super_class", "link.base"},
    "session": {
        *("conversation", "credentials", "exceptions", "instances", "journal", "reactions", "recovery"),
        *("response_timer", "search", "statistics", "survey", "watch", "link.base", "link.identify", "link.port"),
    },
    "properties": {"conversation", "exceptions", "echonet.frame", "echonet.smart_meter", "echonet.values"},
    "readings": {"exceptions", "echonet.smart_meter"},
    "memory": {"exceptions", "link.base", "readings", "response_timer"},
    "memory_file": {"credentials", "exceptions", "memory"},
    "plausibility": {"readings", "echonet.smart_meter"},
    "clock": {"exceptions", "properties", "readings", "echonet.super_class"},
    "status": {"exceptions", "properties", "echonet.super_class", "echonet.values"},
    "raw_properties": {"exceptions", "properties", "echonet.frame", "echonet.smart_meter"},
    "log": {
        *("clock", "conversation", "exceptions", "plausibility", "properties", "readings"),
        *("echonet.frame", "echonet.smart_meter", "echonet.values"),
    },
    "description": {
        *("exceptions", "plausibility", "properties", "readings"),
        *("echonet.smart_meter", "echonet.super_class", "echonet.values"),
    },
    "half_hours": {
        *("clock", "description", "exceptions", "plausibility", "properties", "readings"),
        *("echonet.smart_meter", "echonet.values"),
    },
    "meter": {
        *("clock", "credentials", "description", "exceptions", "half_hours", "journal", "log", "memory"),
        *("plausibility",),
        *("properties", "reactions", "readings", "recovery", "response_timer", "session", "statistics", "status"),
        *("raw_properties", "survey"),
        *("echonet.frame", "echonet.smart_meter", "echonet.values"),
        *("link.base", "link.port"),
    },
    # What a user of the library sees.
    "": {
        *("credentials", "exceptions", "journal", "link.base", "memory", "meter", "plausibility", "raw_properties"),
        *("reactions", "readings", "recovery", "session", "statistics", "status", "survey"),
        *("echonet.super_class", "echonet.values"),
    },
    "cli": {
        *("credentials", "exceptions", "memory", "memory_file", "meter", "reactions", "readings", "session"),
        *("echonet.smart_meter", "echonet.super_class", "echonet.values"),
        *("link.base", "link.identify", "link.port"),
    },
    "__main__": {"cli"},
}
"""Which modules of `aiobroute` a module of it imports; the package itself has no name."""

PURE = {
    *("exceptions", "credentials", "readings", "plausibility"),
    *(name for name in ARROWS if name.split(".")[0] == "echonet"),
    *("link", "link.base", "link.skstack", "link.skstack.codec", "link.skstack.commands"),
    *("link.j11", "link.j11.codec", "link.j11.commands"),
}
"""Bytes and values in, values and bytes out: they know no clock, no port and no event loop."""

PURE_STANDARD_LIBRARY = {
    *(
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "logging",
        "math",
        "re",
        "types",
        "typing",
        "unicodedata",
    ),
}


@dataclass(frozen=True)
class Import:
    """One name that a file imports: `level` dots, the module, and what of it (nothing for `import x`)."""

    file: Path
    level: int
    module: str
    name: str | None

    def __str__(self) -> str:
        """Show where it stands."""
        return f"{self.file.relative_to(TOP)}: {'.' * self.level}{self.module} {self.name or ''}"


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(file: Path) -> Iterator[Import]:
    """Yield what a file imports, wherever in it."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, 0, alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(file, node.level, node.module or "", alias.name)


def sources(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, f"{folder} has no sources"
    return found


def name_of(file: Path) -> str:
    """Return the name of a module of the library within it."""
    parts = file.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sources(LIBRARY)}


def target(imported: Import) -> str:
    """Return which module of the library a relative import means."""
    package = imported.file.relative_to(LIBRARY).parent.parts
    assert imported.level <= len(package) + 1, f"{imported} leaves the library"
    base = [*package[: len(package) + 1 - imported.level], *imported.module.split(".")]
    module = ".".join(part for part in base if part)
    submodule = f"{module}.{imported.name}".lstrip(".")
    return submodule if submodule in MODULES else module


def arrows() -> dict[str, set[str]]:
    return {name: {target(imported) for imported in imports(file) if imported.level} for name, file in MODULES.items()}


def test_every_module_of_the_library_has_its_place() -> None:
    assert set(MODULES) == set(ARROWS)


@pytest.mark.parametrize("module", ARROWS, ids=lambda module: module or "aiobroute")
def test_a_module_imports_the_layers_below_it_and_no_others(module: str) -> None:
    assert arrows().get(module) == ARROWS[module]


def test_the_table_itself_keeps_the_layers() -> None:
    """So that nobody mends a failure of the test above by an arrow that must never be."""
    upper = {
        *("", "__main__", "cli", "clock", "conversation", "description", "half_hours", "instances", "journal"),
        *("log", "memory"),
        *("memory_file", "meter", "plausibility", "properties", "reactions", "readings", "recovery", "request_queue"),
        *("raw_properties", "search", "session", "statistics", "status", "survey", "watch"),
    }
    for module, below in ARROWS.items():
        layer = module.split(".")[0]
        if layer in {"echonet", "link"}:
            assert not below & upper, f"{module} imports upwards"
        if layer == "echonet":
            assert not {name for name in below if name.split(".")[0] == "link"}, f"{module} knows of the link"
        if module != "__main__":
            assert "cli" not in below
        assert "" not in below, f"{module} imports the package that imports it"


def test_no_module_imports_itself_by_a_circle() -> None:
    graph = arrows()
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join((*way[way.index(module) :], module))
        if module not in done:
            for below in sorted(graph[module]):
                visit(below, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_the_packages_within_the_library_hold_nothing_but_their_description() -> None:
    """Importing a module runs the packages above it: what they import, all of it imports."""
    for name, file in MODULES.items():
        if file.name == "__init__.py" and name:
            assert [type(node) for node in parsed(file).body] == [ast.Expr], name


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_knows_no_clock_no_port_and_no_event_loop(module: str) -> None:
    file = MODULES[module]
    outside = {imported.module for imported in imports(file) if not imported.level}
    assert outside <= PURE_STANDARD_LIBRARY
    assert {target(imported) for imported in imports(file) if imported.level} <= PURE
    called = {node.attr for node in ast.walk(parsed(file)) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "today", "utcnow", "time_ns", "open"}
    assert (
        not [node for node in ast.walk(parsed(file)) if isinstance(node, ast.AsyncFunctionDef)] or module == "link.base"
    )


def test_the_library_imports_the_standard_library_serialx_and_itself_relatively() -> None:
    foreign = [
        str(imported)
        for file in MODULES.values()
        for imported in imports(file)
        if not imported.level and imported.module.split(".")[0] not in sys.stdlib_module_names | {"serialx"}
    ]
    assert not foreign


def test_only_the_port_knows_serialx() -> None:
    files = {
        file for file in MODULES.values() for imported in imports(file) if imported.module.split(".")[0] == "serialx"
    }
    assert files == {MODULES["link.port"]}


def test_the_library_has_no_threads_and_sleeps_only_in_the_event_loop() -> None:
    for name, file in MODULES.items():
        modules = {imported.module.split(".")[0] for imported in imports(file)}
        assert not modules & {
            *("_thread", "concurrent", "multiprocessing", "queue", "select", "selectors", "signal"),
            *("subprocess", "threading", "time", "importlib", "ctypes"),
            # The port sets options of a connection that asyncio has made; only the module has their names.
            *(() if name == "link.port" else ("socket",)),
        }, file
        names = {node.attr for node in ast.walk(parsed(file)) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(parsed(file)) if isinstance(node, ast.Name)}
        assert not names & {
            *(
                "run_in_executor",
                "to_thread",
                "set_default_executor",
                "run_coroutine_threadsafe",
                "call_soon_threadsafe",
            ),
            "__import__",
        }, file


def test_the_wall_clock_is_read_by_the_command_line_alone() -> None:
    readers = {
        name
        for name, file in MODULES.items()
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}
    }
    assert readers <= {"cli"}


def public_names() -> list[str]:
    for node in parsed(LIBRARY / "__init__.py").body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            names = ast.literal_eval(node.value)
            assert isinstance(names, list)
            return names
    raise AssertionError("aiobroute has no __all__")


def test_what_the_library_offers_is_what_its_package_imports() -> None:
    imported = [imported.name for imported in imports(LIBRARY / "__init__.py")]
    assert sorted(public_names()) == sorted(name for name in imported if name)


def integration_sources() -> list[Path]:
    return [file for file in sources(INTEGRATION) if not file.is_relative_to(LIBRARY)]


def test_the_integration_uses_what_the_library_offers_and_nothing_behind_it() -> None:
    offered = set(public_names())
    behind = []
    for file in integration_sources():
        depth = len(file.relative_to(INTEGRATION).parts)
        for imported in imports(file):
            parts = imported.module.split(".")
            if "aiobroute" not in {*parts, imported.name}:
                continue
            if (imported.level, imported.module) != (depth, "aiobroute") or imported.name not in offered:
                behind.append(str(imported))
    assert not behind


HOUSEHOLD_RULES = {"boost", "contract", "demand", "events", "link_record", "periods"}
"""The modules of `household` that only reckon: plain values in, plain values out."""

BESIDE_HOUSEHOLD_RULES = {"history.planner"}
"""What else they may stand on: rules of the same kind, for the log."""


@pytest.mark.parametrize("module", sorted(HOUSEHOLD_RULES))
def test_a_rule_of_the_household_knows_neither_home_assistant_nor_a_clock(module: str) -> None:
    file = INTEGRATION / "household" / f"{module}.py"
    outside = {imported.module for imported in imports(file) if not imported.level}
    assert outside <= PURE_STANDARD_LIBRARY | {"bisect", "calendar", "copy", "itertools"}
    inside = {imported.module for imported in imports(file) if imported.level}
    assert inside <= HOUSEHOLD_RULES | BESIDE_HOUSEHOLD_RULES
    called = {node.attr for node in ast.walk(parsed(file)) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "today", "utcnow", "time", "time_ns", "open"}
    assert not [node for node in ast.walk(parsed(file)) if isinstance(node, ast.AsyncFunctionDef)]


def test_the_integration_does_not_open_ports() -> None:
    assert not [
        str(imported)
        for file in integration_sources()
        for imported in imports(file)
        if imported.module.split(".")[0] in {"serialx", "serial", "socket"}
    ]


BESIDES: Mapping[str, set[str]] = {
    "custom_components": {"simulator", "tests", "development", "benchmarks"},
    "simulator": {"custom_components", "homeassistant", "serialx", "tests", "development", "benchmarks"},
}


@pytest.mark.parametrize("folder", BESIDES)
def test_the_client_and_its_simulator_share_no_line(folder: str) -> None:
    """Two independent readings of the specification check each other."""
    assert not [
        str(imported)
        for file in sources(TOP / folder)
        for imported in imports(file)
        if imported.module.split(".")[0] in BESIDES[folder]
        or (imported.level and imported.level > len(file.relative_to(TOP / folder).parts))
    ]


def test_no_file_is_named_after_nothing_in_particular() -> None:
    for folder in ("benchmarks", "custom_components", "simulator"):
        for file in sources(TOP / folder):
            assert file.stem not in {"utils", "util", "helpers", "helper", "manager", "common", "misc"}, file


def test_the_library_can_be_imported_without_home_assistant(tmp_path: Path) -> None:
    program = f"""
import sys
for name in ("homeassistant", "custom_components", "voluptuous", "simulator"):
    sys.modules[name] = None
sys.path.append({str(INTEGRATION)!r})
import aiobroute
from aiobroute import *
assert aiobroute.__file__.startswith({str(LIBRARY)!r}), aiobroute.__file__
missing = [name for name in aiobroute.__all__ if not hasattr(aiobroute, name)]
assert not missing, missing
print(len(aiobroute.__all__))
"""
    result = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == len(public_names())
