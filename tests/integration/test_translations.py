"""The texts: complete in both languages, none missing, none left over."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.util.yaml import load_yaml_dict
import pytest

import custom_components.broute
from custom_components.broute import aiobroute, config_flow, coordinator, sensor, services
from custom_components.broute.aiobroute import (
    BrouteError,
    ClosedError,
    MalformedCredentialsError,
    MalformedIdError,
    MalformedMemoryError,
    MalformedPasswordError,
    PropertyRefusedError,
)
from custom_components.broute.const import LOGGER
from custom_components.broute.flow import attempt, options
from custom_components.broute.history.importer import EXPORT, IMPORT

FOLDER = Path(custom_components.broute.__file__).parent
LANGUAGES = ["en", "ja"]

REASONS = {reason for _, reason in coordinator._REASONS}
ACTION_ERRORS = {
    *("clock_not_right", "date_has_changed", "recorder_not_there"),
    *("no_such_meter", "no_such_time", "which_meter"),
}
FORM_ERRORS = {
    *("id_in_use", "invalid_id", "invalid_password", "not_released", "port_in_use", "port_of_core", "unknown"),
}


def texts(language: str) -> Any:
    return json.loads((FOLDER / "translations" / f"{language}.json").read_text("utf-8"))


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each text with where it is."""
    for key, branch in tree.items():
        if isinstance(branch, str):
            yield (*path, key), branch
        else:
            yield from leaves(branch, (*path, key))


def test_both_languages_have_the_same_texts() -> None:
    english, japanese = (dict(leaves(texts(language))) for language in LANGUAGES)
    assert english.keys() == japanese.keys()
    for path, text in english.items():
        assert re.findall(r"{\w+}", text) == re.findall(r"{\w+}", japanese[path])
        assert text != japanese[path]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_texts_for_all_that_is_shown_and_no_others(language: str) -> None:
    tree = texts(language)
    assert tree.keys() == {"common", "config", "device", "entity", "exceptions", "issues", "options", "services"}

    config = tree["config"]
    assert config.keys() == {"abort", "error", "progress", "step"}
    assert config["abort"].keys() == {"already_configured", "entry_removed", "port_of_core"}
    assert config["error"].keys() == REASONS | FORM_ERRORS
    assert config["progress"].keys() == {*attempt.PROGRESS.values(), attempt.RELEASING}
    assert config["step"].keys() == {"begin", "connect", "take_over", *config_flow.FORMS}
    assert config["step"]["begin"].keys() == {"title", "description", "menu_options"}
    assert config["step"]["begin"]["menu_options"].keys() == {"take_over", "user"}
    assert config["step"]["connect"].keys() == {"title"}
    assert config["step"]["take_over"]["data"].keys() == {config_flow.CONF_ENTRY}
    for step_id, form in config_flow.FORMS.items():
        fields = {str(key) for key in form.schema}
        assert config["step"][step_id].keys() == {"title", "description", "data", "data_description"}
        assert config["step"][step_id]["data"].keys() == fields
        assert config["step"][step_id]["data_description"].keys() == fields

    assert tree["options"]["step"].keys() == {"init"}
    fields = {str(key) for key in options.OPTIONS.schema}
    assert tree["options"]["step"]["init"]["data"].keys() == fields
    assert tree["options"]["step"]["init"]["data_description"].keys() == fields

    assert tree["exceptions"].keys() == REASONS | {coordinator.NO_READING} | ACTION_ERRORS
    assert all(message.keys() == {"message"} for message in tree["exceptions"].values())
    assert tree["device"].keys() == {coordinator.DEVICE_TRANSLATION_KEY}
    assert tree["entity"].keys() == {"sensor"}
    assert tree["entity"]["sensor"].keys() == {description.translation_key for description in sensor.SENSORS}
    assert tree["common"].keys() == {f"log_{direction}" for direction in (IMPORT, EXPORT)}
    assert tree["issues"].keys() == {"clock_fast", "clock_slow"}
    assert all(issue.keys() == {"title", "description"} for issue in tree["issues"].values())

    actions = load_yaml_dict(str(FOLDER / "services.yaml"))
    assert tree["services"].keys() == actions.keys() == {services.IMPORT_HISTORY, services.GET_HISTORY}
    for name, action in actions.items():
        assert tree["services"][name].keys() == {"name", "description", "fields"}
        assert tree["services"][name]["fields"].keys() == action["fields"].keys()


def test_every_failure_that_can_be_told_has_its_own_words() -> None:
    """An error of the library that is new is told as nothing in particular, unless it gets a reason here."""
    never_told = {
        ClosedError,
        MalformedCredentialsError,
        MalformedIdError,
        MalformedPasswordError,
        MalformedMemoryError,
        # Where the log ends.
        PropertyRefusedError,
    }
    offered = {
        value for value in vars(aiobroute).values() if isinstance(value, type) and issubclass(value, BrouteError)
    }
    told = offered - never_told - {BrouteError}
    assert told == {kind for kind, _ in coordinator._REASONS}
    assert len({coordinator.reason_of(kind("")) for kind in told}) == len(told)


def test_what_is_told_at_a_field_is_an_error() -> None:
    assert config_flow.FIELDS.keys() < REASONS | FORM_ERRORS


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_have_no_markup_and_no_address(language: str) -> None:
    for _, text in leaves(texts(language)):
        assert text == text.strip()
        assert not re.search(r"://|<|\[%key", text), text


def test_icons_belong_to_sensors_and_actions() -> None:
    icons = json.loads((FOLDER / "icons.json").read_text("utf-8"))
    assert icons.keys() == {"entity", "services"}
    assert icons["services"].keys() == {services.IMPORT_HISTORY, services.GET_HISTORY}
    assert icons["entity"].keys() == {"sensor"}
    assert icons["entity"]["sensor"].keys() <= {description.translation_key for description in sensor.SENSORS}
    assert all(icon["default"].startswith("mdi:") for icon in icons["entity"]["sensor"].values())


def test_manifest() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    assert list(manifest)[:2] == ["domain", "name"]
    assert list(manifest)[2:] == sorted(manifest.keys() - {"domain", "name"})
    assert manifest["domain"] == FOLDER.name
    assert manifest["name"] == config_flow.TITLE
    assert manifest["dependencies"] == ["usb"]
    # ESPHome may come later, or never: its requirements would be a condition of the first step of the config flow.
    assert manifest["after_dependencies"] == ["recorder"]
    assert manifest["loggers"] == [LOGGER.name]


def test_hacs() -> None:
    hacs = json.loads((FOLDER.parents[1] / "hacs.json").read_text("utf-8"))
    assert hacs.keys() == {"name", "country", "homeassistant", "render_readme"}
