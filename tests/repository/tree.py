"""The files of the repository, and what its documents point to."""

import ast
from functools import cache
import json
from pathlib import Path
import re
import subprocess
from typing import Any

TOP = Path(__file__).parents[2]
INTEGRATION = TOP / "custom_components" / "broute"

HOME = "https://github.com/ha-broute/ha-broute"

_CODE_BLOCK = re.compile(r"^(\s*)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)
_OWN_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_LINK = re.compile(r"\]\(<?([^)\s>]+)|(?:src|srcset|href)=\"([^\"]+)\"")


@cache
def tracked() -> frozenset[Path]:
    """Return the files that git keeps, or would with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout
    files = frozenset(path for name in listed.split("\0") if name and (path := TOP / name).exists())
    assert files
    return files


def documents() -> list[Path]:
    """Return all Markdown files."""
    return sorted(path for path in tracked() if path.suffix == ".md")


def name_of(path: Path) -> str:
    """Return the name of a file within the repository."""
    return str(path.relative_to(TOP))


def parsed(path: Path) -> Any:
    """Return what is in a JSON file."""
    return json.loads(path.read_text("utf-8"))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of a document, and those that it has of its own."""
    text = _CODE_BLOCK.sub("", document.read_text("utf-8"))
    found = set(_OWN_ANCHOR.findall(text))
    for heading in _HEADING.findall(text):
        anchor = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)).strip().lower().replace(" ", "-")
        number = 0
        while (numbered := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(numbered)
    return frozenset(found)


def links(document: Path) -> list[str]:
    """Return where a document points to, outside of code."""
    text = _CODE.sub("", _CODE_BLOCK.sub("", document.read_text("utf-8")))
    return [target for match in _LINK.findall(text) for target in match if target]


def resolves(target: str, document: Path) -> bool:
    """Tell whether a link within the repository leads to a file or a folder of it, and to a heading if it names one."""
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve() if path else document
    if not any(file == other or file in other.parents for other in tracked()):
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))


def exists(proof: str) -> bool:
    """Tell whether a file, a test in a file or a heading of a document is there."""
    name, kind, part = re.split(r"(::|#|$)", proof, maxsplit=1)
    path = TOP / name
    if path not in tracked():
        return False
    match kind:
        case "::":
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            module = ast.parse(path.read_text("utf-8"))
            return part in {node.name for node in module.body if isinstance(node, functions)}
        case "#":
            return part in anchors(path)
        case _:
            return True
