"""The blueprints, as Home Assistant and their reader take them."""

from pathlib import Path
import re
from typing import Any

from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.importer import _get_github_import_url
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest

from development.config import BLUEPRINTS

from .test_documents import REDIRECT
from .tree import HOME, INTEGRATION, TOP, links, name_of, parsed, tracked

IMPORT = f"{REDIRECT}blueprint_import/?blueprint_url="
DOCUMENTS = (TOP / "README.md", TOP / "README.ja.md", TOP / "docs" / "automations.md")
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
ICON = re.compile(r"mdi:[a-z0-9-]+")


def blueprints() -> list[Path]:
    return sorted(path for path in tracked() if BLUEPRINTS in path.parents)


def metadata(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = load_yaml_dict(str(path))["blueprint"]
    return found


def sections(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = metadata(path)["input"]
    return found


def inputs(path: Path) -> dict[str, dict[str, Any]]:
    return {key: value for section in sections(path).values() for key, value in section["input"].items()}


each = pytest.mark.parametrize("path", blueprints(), ids=lambda path: path.stem)


def test_there_are_blueprints_and_nothing_else() -> None:
    assert [path.name for path in blueprints()] == [
        "daily_report.yaml",
        "hold_demand.yaml",
        "shed_loads.yaml",
        "tell_of_trouble.yaml",
        "use_surplus.yaml",
        "warn_before_breaker.yaml",
    ]


@each
async def test_home_assistant_takes_it(hass: HomeAssistant, path: Path) -> None:
    assert await async_setup_component(hass, "automation", {})
    schema = async_get_blueprints(hass)._blueprint_schema
    for validator in (BLUEPRINT_SCHEMA, schema):
        blueprint = Blueprint(load_yaml_dict(str(path)), expected_domain="automation", schema=validator)
        assert blueprint.validate() is None


@each
def test_it_is_for_the_versions_that_the_integration_is_for(path: Path) -> None:
    assert metadata(path)["homeassistant"]["min_version"] == parsed(TOP / "hacs.json")["homeassistant"]


@each
def test_it_says_where_it_is_from(path: Path) -> None:
    told = metadata(path)
    assert told["source_url"] == f"{HOME}/blob/main/{name_of(path)}"
    assert _get_github_import_url(told["source_url"]).endswith(f"/main/{name_of(path)}")
    assert told["author"] == INTEGRATION.name


@each
def test_every_input_is_used_and_every_used_one_is_declared(path: Path) -> None:
    # That none is used which is not declared, Home Assistant says itself; that one is not used, nobody.
    used = set(re.findall(r"!input (\w+)", path.read_text("utf-8")))
    assert used == inputs(path).keys()


@each
def test_everything_is_told_in_english_and_japanese(path: Path) -> None:
    told = metadata(path)
    texts = [told["description"], *(one["description"] for one in inputs(path).values())]
    texts += [section["description"] for section in sections(path).values() if "description" in section]
    for text in texts:
        # The frontend breaks a line wherever one ends.
        english, japanese = text.strip().split("\n\n")
        assert "\n" not in english + japanese, text
        assert not JAPANESE.search(english), text
        assert JAPANESE.search(japanese), text
    names = [told["name"], *(one["name"] for one in (*sections(path).values(), *inputs(path).values()))]
    for name in names:
        english, _, japanese = name.partition(" / ")
        assert not JAPANESE.search(english), name
        assert JAPANESE.search(japanese), name


@each
def test_inputs_are_in_sections_with_icons(path: Path) -> None:
    for section in sections(path).values():
        assert ICON.fullmatch(section["icon"])
        # A section that is closed at first must not hide what has to be filled in.
        if section.get("collapsed"):
            assert all("default" in one for one in section["input"].values())


@each
def test_entities_to_choose_from_are_the_right_ones(path: Path) -> None:
    for key, one in inputs(path).items():
        assert "selector" in one, key
        for wanted in one["selector"].get("entity", {}).get("filter", []):
            if wanted.get("integration") == INTEGRATION.name:
                # An event entity, and what has no device class and is told from others by its unit.
                assert wanted["domain"] == "event" or {"device_class", "unit_of_measurement"} & wanted.keys(), key


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_can_be_imported_from_the_document(document: Path) -> None:
    offered = [target.removeprefix(IMPORT) for target in links(document) if target.startswith(IMPORT)]
    assert sorted(offered) == [metadata(path)["source_url"] for path in blueprints()]
