"""What a reader of the repository follows: documents, links, the licence, the public home."""

from pathlib import Path
import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from .tree import HOME, INTEGRATION, TOP, anchors, documents, links, name_of, parsed, resolves, tracked

REGISTRY = re.compile(r"\b(pypi|pythonhosted|npmjs|crates|debian|ubuntu|anaconda)\.(org|io|com|net)\b")
OWNER, NAME = HOME.rsplit("/", 2)[1:]
REDIRECT = "https://my.home-assistant.io/redirect/"
WORD_WITH_HOME = re.compile(rf"[^\s\"'`()<>,\[\]]*{NAME}[^\s\"'`()<>,\[\]]*")


def texts() -> dict[Path, str]:
    """Return all files that are text."""
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path] = data.decode()
    return found


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    broken = []
    for target in links(document):
        inside = target.removeprefix(f"{HOME}/blob/main/").removeprefix(f"{HOME}/tree/main/")
        if inside != target:
            ok = resolves(inside, TOP / "README.md")
        else:
            ok = re.match(r"[a-z]+:", target) is not None or resolves(target, document)
        if not ok:
            broken.append(target)
    assert not broken


def test_a_link_to_nothing_is_found() -> None:
    """So that the test above does not pass because it looks at nothing."""
    readme = TOP / "README.md"
    assert "docs/architecture.md" in links(readme)
    assert resolves("docs/architecture.md", readme)
    assert resolves("docs", readme)
    assert not resolves("docs/nothing.md", readme)
    assert resolves("performance.md#the-first-import-of-the-meters-log", TOP / "docs" / "log.md")
    assert not resolves("performance.md#nothing", TOP / "docs" / "log.md")
    assert not resolves("../../outside.md", readme)


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("# What's `this`?\n\n## Über 2 A – B\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n")
    assert anchors(document) == {"whats-this", "über-2-a--b", "twice", "twice-1"}


def test_licence_is_mit() -> None:
    licence = (TOP / "LICENSE").read_text("utf-8")
    assert licence.startswith("MIT License\n")
    assert "Permission is hereby granted, free of charge" in licence
    assert 'license = "MIT"' in (TOP / "pyproject.toml").read_text("utf-8")


def test_readme_is_there_and_names_the_integration() -> None:
    name = parsed(INTEGRATION / "manifest.json")["name"]
    assert f"\n# {name} for Home Assistant\n" in (TOP / "README.md").read_text("utf-8")


def test_there_is_one_integration_with_everything_in_it() -> None:
    """HACS takes the first folder that it finds, and nothing but that folder."""
    parent = INTEGRATION.parent
    found = {path.relative_to(parent).parts[0] for path in tracked() if parent in path.parents}
    assert found == {"__init__.py", INTEGRATION.name}


def is_the_public_home(word: str) -> bool:
    """Tell whether a word names the public home as it should, itself or to Home Assistant's page that leads on."""
    if word.startswith(REDIRECT):
        asked = dict(parse_qsl(urlsplit(word).query))
        named = asked.get("blueprint_url") or f"https://github.com/{asked.get('owner')}/{asked.get('repository')}"
        return f"{named}/".startswith(f"{HOME}/")
    return re.match(rf"{HOME}(/|[.:;]?$)|@{OWNER}$", word) is not None


def test_the_public_home_is_written_in_one_way() -> None:
    for path, text in texts().items():
        wrong = [word for word in WORD_WITH_HOME.findall(text) if not is_the_public_home(word)]
        assert not wrong, name_of(path)


@pytest.mark.parametrize(
    ("word", "is_home"),
    [
        (HOME, True),
        (f"{HOME}/issues", True),
        (f"{HOME}x", False),
        (f"http://{HOME.removeprefix('https://')}", False),
        (f"{REDIRECT}hacs_repository/?owner={OWNER}&repository={NAME}&category=integration", True),
        (f"{REDIRECT}hacs_repository/?owner={OWNER}x&repository={NAME}", False),
        (
            f"{REDIRECT}blueprint_import/?blueprint_url=https%3A%2F%2Fgithub.com%2F{OWNER}%2F{NAME}%2Fblob%2Fmain%2Fa.yaml",
            True,
        ),
        (f"{REDIRECT}blueprint_import/?blueprint_url=https%3A%2F%2Fgithub.com%2F{OWNER}%2F{NAME}x%2Fblob", False),
    ],
)
def test_another_home_is_found(word: str, *, is_home: bool) -> None:
    assert is_the_public_home(word) is is_home


def test_no_file_names_the_host_of_a_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    named = [name_of(path) for path, text in texts().items() if REGISTRY.search(text)]
    assert not named
