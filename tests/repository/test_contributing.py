"""The developer's door: forms, dev container and commit hook ask for what is there."""

from pathlib import Path
import re
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict
import pytest

from .tree import HOME, TOP, name_of, parsed

FORMS: Final = TOP / ".github" / "ISSUE_TEMPLATE"
GUIDE: Final = TOP / "CONTRIBUTING.md"
USED_BY_SCRIPTS: Final = {"brand", "python314", "setup", "system", "uv"}
"""Those that nobody has to know before others call them, or an image is drawn anew."""


def read(path: Path) -> Any:
    return load_yaml_dict(str(path))


def forms() -> list[Path]:
    return sorted(set(FORMS.glob("*.yml")) - {FORMS / "config.yml"})


@pytest.mark.parametrize("path", forms(), ids=name_of)
def test_form_has_what_github_wants_in_both_languages(path: Path) -> None:
    form = read(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    assert " · " in form["name"] + form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"dropdown", "input", "textarea"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(" · " in field["attributes"]["label"] for field in fields)


def test_bug_is_not_reported_without_diagnostics() -> None:
    fields = {field["id"]: field for field in read(FORMS / "bug.yml")["body"] if "id" in field}
    assert fields["diagnostics"]["validations"]["required"] is True


def test_every_module_of_the_readme_can_be_chosen() -> None:
    (choice,) = (field for field in read(FORMS / "bug.yml")["body"] if field.get("id") == "module")
    table = re.search(r"^\| module \|.*?\n\n", (TOP / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert table
    named = {
        f"{maker} {model}"
        for maker, models in re.findall(r"^\| (RATOC|ROHM|Tessera|JORJIN) (.+?) \|", table[0], re.MULTILINE)
        for model in models.split(", ")
    }
    assert set(choice["attributes"]["options"][:-1]) == named


def test_questions_are_led_to_the_readme_first() -> None:
    config = read(FORMS / "config.yml")
    assert config["blank_issues_enabled"] is False
    assert all(link["url"].startswith(f"{HOME}/blob/main/README.md#") for link in config["contact_links"])


def test_dev_container_has_the_python_and_the_scripts_that_are_needed() -> None:
    container = parsed(TOP / ".devcontainer" / "devcontainer.json")
    (python,) = re.findall(r":(\d+\.\d+)$", container["image"])
    assert f'requires-python = ">={python}.' in (TOP / "pyproject.toml").read_text("utf-8")
    assert all((TOP / script).exists() for script in container["postCreateCommand"].split(" && "))
    assert container["forwardPorts"] == [8123]


def test_commit_hook_runs_what_is_there() -> None:
    (repository,) = read(TOP / ".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["script/lint"]


def test_guide_names_every_script() -> None:
    named = set(re.findall(r"script/(\w+)", GUIDE.read_text("utf-8")))
    assert {path.name for path in (TOP / "script").iterdir()} - USED_BY_SCRIPTS <= named
