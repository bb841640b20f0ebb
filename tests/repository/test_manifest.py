"""The manifest and hacs.json: what hassfest and the HACS action check, without a network.

Hassfest looks at every manifest that it finds in the repository, so at that of the benchmarks too.
"""

import ast
from pathlib import Path
import re
import tomllib
from typing import Any, Final

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import homeassistant.components
from homeassistant.const import Platform, __version__ as home_assistant_version
from homeassistant.helpers import config_validation as cv
from homeassistant.util.yaml import load_yaml_dict
from packaging.requirements import Requirement
import pytest
import voluptuous as vol

from custom_components.broute.const import LOGGER

from .tree import HOME, INTEGRATION, TOP, name_of, parsed, tracked

CORE: Final = Path(*homeassistant.components.__path__)
TIERS: Final = ["bronze", "silver", "gold", "platinum"]


def _version(value: str) -> str:
    AwesomeVersion(
        value,
        ensure_strategy=[
            AwesomeVersionStrategy.CALVER,
            AwesomeVersionStrategy.SEMVER,
            AwesomeVersionStrategy.SIMPLEVER,
            AwesomeVersionStrategy.BUILDVER,
            AwesomeVersionStrategy.PEP440,
        ],
    )
    return value


# `voluptuous` is another library to the type checker than it is in Home Assistant.
_MATCHED: Final[Any] = vol.All(str, vol.Match(r"[^A-Z]+$"))
_HEXADECIMAL: Final[Any] = vol.All(str, vol.Match(r"[0-9A-F]{4}$"))
MANIFEST: Final[Any] = vol.Schema(
    {
        vol.Required("domain"): vol.All(str, vol.Match(r"[a-z0-9_]+$")),
        vol.Required("name"): str,
        vol.Optional("after_dependencies"): [str],
        vol.Required("codeowners"): [vol.Match(r"@[\w-]+$")],
        vol.Optional("config_flow"): bool,
        vol.Optional("dependencies"): [str],
        vol.Required("documentation"): HOME,
        vol.Optional("integration_type"): vol.In(
            ["device", "entity", "hardware", "helper", "hub", "service", "system"]
        ),
        # Optional to hassfest where the domain is one of its list, in which ours is not.
        vol.Required("iot_class"): vol.In(
            ["assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"]
        ),
        vol.Optional("issue_tracker"): f"{HOME}/issues",
        vol.Optional("loggers"): [str],
        vol.Optional("quality_scale"): vol.In(TIERS),
        vol.Optional("requirements"): [str],
        # A matcher by numbers alone would be one of every stick with the same chip: one of the texts must be there.
        vol.Optional("usb"): [
            vol.All(
                {
                    vol.Optional("vid"): _HEXADECIMAL,
                    vol.Optional("pid"): _HEXADECIMAL,
                    vol.Optional("serial_number"): _MATCHED,
                    vol.Optional("manufacturer"): _MATCHED,
                    vol.Optional("description"): _MATCHED,
                    vol.Optional("known_devices"): [str],
                },
                cv.has_at_least_one_key("description", "manufacturer"),
            )
        ],
        vol.Required("version"): _version,
    }
)
"""The keys that both of hassfest's lists, that of custom integrations and that of the loader, have had since 2024."""

HACS: Final[Any] = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Required("country"): [vol.All(str, vol.Match(r"[A-Z]{2}$"))],
        vol.Required("homeassistant"): _version,
        vol.Optional("render_readme"): bool,
        vol.Optional("zip_release"): bool,
        vol.Optional("filename"): str,
        vol.Optional("hide_default_branch"): bool,
    }
)

MANIFESTS: Final = sorted(path for path in tracked() if path.name == "manifest.json")


def manifest() -> Any:
    return parsed(INTEGRATION / "manifest.json")


@pytest.mark.parametrize("path", MANIFESTS, ids=name_of)
def test_every_manifest_is_valid(path: Path) -> None:
    content = parsed(path)
    MANIFEST(content)
    assert list(content)[:2] == ["domain", "name"]
    assert list(content)[2:] == sorted(content.keys() - {"domain", "name"})
    assert content["domain"] == path.parent.name
    assert not (CORE / content["domain"]).exists()


def test_manifest_has_what_hacs_wants() -> None:
    assert manifest().keys() >= {"codeowners", "documentation", "domain", "issue_tracker", "name", "version"}
    assert manifest()["codeowners"]


def test_manifest_says_the_same_as_the_texts_and_the_code() -> None:
    assert manifest()["name"] == parsed(INTEGRATION / "translations" / "en.json")["title"]
    assert manifest()["loggers"] == [LOGGER.name]
    assert manifest()["config_flow"] is True
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    assert manifest()["version"] == project["version"]


def test_dependencies_are_those_that_are_imported() -> None:
    dependencies, later = manifest()["dependencies"], manifest()["after_dependencies"]
    # ESPHome may come later, or never: its requirements would be a condition of the first step of the config flow.
    assert dependencies == ["usb"]
    assert later == ["recorder"]
    assert all((CORE / name / "manifest.json").exists() for name in dependencies + later)

    imported = set()
    for path in INTEGRATION.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ImportFrom(module="homeassistant.components", level=0):
                    imported |= {alias.name for alias in node.names}
                case ast.ImportFrom(module=str(module), level=0) if module.startswith("homeassistant.components."):
                    imported.add(module.split(".")[2])
    # A platform that an integration has may use what it is a platform of.
    platforms = {*Platform, *(path.stem for path in INTEGRATION.glob("*.py"))}
    assert imported - platforms == {*dependencies, *later}


def test_requirements_go_with_the_oldest_home_assistant_and_bind_no_other_integration() -> None:
    """Home Assistant pins serialx itself, to another version in each of its own: only a range fits them all."""
    (line,) = manifest()["requirements"]
    assert " " not in line
    requirement = Requirement(line)
    ((operator, oldest),) = ((part.operator, part.version) for part in requirement.specifier)
    assert operator == ">="
    assert f"{requirement.name}=={oldest}" in (TOP / "requirements" / "test.in").read_text("utf-8").splitlines()


def test_hacs_json_is_valid() -> None:
    hacs = parsed(TOP / "hacs.json")
    HACS(hacs)
    assert hacs["name"] == manifest()["name"]
    assert ("filename" in hacs) is hacs.get("zip_release", False)


def test_oldest_home_assistant_is_that_of_the_tests() -> None:
    oldest = parsed(TOP / "hacs.json")["homeassistant"]
    assert oldest == re.sub(r"\.\d+$", ".0", home_assistant_version)
    assert f"Home Assistant {oldest.removesuffix('.0')} or newer" in (TOP / "README.md").read_text("utf-8")


def test_quality_scale_is_claimed_as_it_is_met() -> None:
    """Which rules belong to which tier, and the proof of each, is in `test_quality_scale.py`."""
    rules = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    assert all(rule["status"] in {"done", "exempt"} for rule in rules.values())
    assert manifest()["quality_scale"] == TIERS[-1]
