"""The workflows of GitHub: they run what is run here, and may do nothing else."""

from pathlib import Path
import re
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict
import pytest

from development.package import FOLDER as PACKAGE

from .tree import TOP, name_of, parsed

FOLDER: Final = TOP / ".github"
WORKFLOWS: Final = sorted((FOLDER / "workflows").iterdir())


def read(path: Path) -> Any:
    return load_yaml_dict(str(path))


def workflow(name: str) -> Any:
    return read(FOLDER / "workflows" / name)


def steps(content: Any) -> list[Any]:
    return [step for job in content["jobs"].values() for step in job["steps"]]


def test_workflows_are_those_that_are_tested() -> None:
    assert [path.name for path in WORKFLOWS] == ["release.yml", "test.yml", "validate.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflow_may_read_and_only_a_release_is_made(path: Path) -> None:
    content = read(path)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["permissions"] == {"contents": "write" if path.name == "release.yml" else "read"}
        assert job["timeout-minutes"] <= 60
    assert "secrets." not in path.read_text("utf-8")
    assert all("pull_request_target" not in str(content[key]) for key in content if key not in {"jobs", "name"})


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert len(used) == sum("uses" in step for step in steps(read(path)))
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # (v\d+\.\d+\.\d+|\w+, \d{4}-\d\d-\d\d)", action)


def test_a_change_is_tested_as_it_is_here() -> None:
    content = workflow("test.yml")
    # YAML 1.1 takes the key "on" for the word "yes".
    assert {"push", "pull_request"} <= content[True].keys()
    assert [step["run"] for step in steps(content) if "run" in step] == [".ci/run"]
    assert (TOP / ".ci" / "run").stat().st_mode & 0o111
    (python,) = (step["with"]["python-version"] for step in steps(content) if "setup-python" in step.get("uses", ""))
    assert f'requires-python = ">={python}.' in (TOP / "pyproject.toml").read_text("utf-8")


def test_a_release_is_tested_and_made_of_a_tag_alone() -> None:
    content = workflow("release.yml")
    assert content[True] == {"push": {"tags": ["v*"]}}
    package, test, release = [step["run"] for step in steps(content) if "run" in step]
    assert package == 'script/package "$GITHUB_REF_NAME"'
    assert test == ".ci/run"
    assert "gh release create" in release
    assert f"{name_of(PACKAGE)}/{parsed(TOP / 'hacs.json')['filename']}" in release


def test_hassfest_and_hacs_are_run_on_each_change_and_daily() -> None:
    content = workflow("validate.yml")
    assert {"push", "pull_request", "schedule"} <= content[True].keys()
    used = {step["uses"].partition("@")[0] for step in steps(content)}
    assert {"home-assistant/actions/hassfest", "hacs/action"} <= used


def test_actions_are_kept_up_to_date() -> None:
    (update,) = read(FOLDER / "dependabot.yml")["updates"]
    assert update["package-ecosystem"] == "github-actions"
