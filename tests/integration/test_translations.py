"""The texts: none missing, none left over. Their form, and both languages, are in `tests/repository/test_texts.py`."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.data_entry_flow import section
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.selector import SelectSelector
from homeassistant.util.yaml import load_yaml_dict
import pytest

import custom_components.broute
from custom_components.broute import (
    aiobroute,
    binary_sensor,
    config_flow,
    coordinator,
    devices,
    event,
    sensor,
    services,
    switch,
)
from custom_components.broute.aiobroute import (
    BrouteError,
    ClosedError,
    MalformedCredentialsError,
    MalformedIdError,
    MalformedMemoryError,
    MalformedPasswordError,
    NoSuchDayError,
    PropertyRefusedError,
    SurveyUnderWayError,
)
from custom_components.broute.flow import attempt, options
from custom_components.broute.history.reader import EXPORT, IMPORT
from custom_components.broute.issues import FIXABLE, Issue

FOLDER = Path(custom_components.broute.__file__).parent
LANGUAGES = ["en", "ja"]

REASONS = {reason for _, reason in coordinator._REASONS}
ACTION_ERRORS = {
    *("clock_not_right", "recorder_not_there"),
    *("no_such_meter", "no_such_time", "survey_under_way", "which_meter"),
}
ENTITIES: Mapping[str, Sequence[EntityDescription]] = {
    "binary_sensor": binary_sensor.BINARY_SENSORS,
    "event": event.EVENTS,
    "sensor": sensor.SENSORS,
    "switch": switch.SWITCHES,
}
ACTIONS = {
    *(services.IMPORT_HISTORY, services.GET_HISTORY, services.SURVEY, services.READ_PROPERTIES),
    *(services.BOOST, services.REPORT),
}
OPTION_ERRORS = {
    *("amperes_missing", "amperes_of_no_contract", "kva_missing"),
    *("battery_counter_missing", "battery_energy_missing", "battery_power_missing"),
    *("battery_sign_alone", "battery_sign_missing", "pv_energy_missing", "pv_power_missing"),
    *("source_is_own", "source_named_twice", "source_without_statistics"),
}
FORM_ERRORS = {
    *("id_in_use", "invalid_id", "invalid_password", "not_released", "port_in_use", "port_of_core", "unknown"),
}


def texts(language: str) -> Any:
    return json.loads((FOLDER / "translations" / f"{language}.json").read_text("utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_texts_for_all_that_is_shown_and_no_others(language: str) -> None:
    tree = texts(language)
    assert tree.keys() == {
        *("common", "config", "device", "entity", "exceptions", "issues", "options", "selector", "services"),
        *("system_health", "title"),
    }

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

    form = tree["options"]["step"]["init"]
    schema = {str(key): field for key, field in options.OPTIONS.schema.items()}
    sections = {name: field.schema for name, field in schema.items() if isinstance(field, section)}
    assert tree["options"]["step"].keys() == {"init"}
    assert form["data"].keys() == form["data_description"].keys() == schema.keys() - sections.keys()
    assert form["sections"].keys() == sections.keys()
    for name, of_section in sections.items():
        fields = {str(key) for key in of_section.schema}
        assert form["sections"][name].keys() == {"name", "description", "data", "data_description"}
        assert form["sections"][name]["data"].keys() == form["sections"][name]["data_description"].keys() == fields
    assert tree["options"]["error"].keys() == OPTION_ERRORS
    choices = {
        field.config["translation_key"]: set(field.config["options"])
        for of_section in sections.values()
        for field in of_section.schema.values()
        if isinstance(field, SelectSelector)
    }
    assert {name: told["options"].keys() for name, told in tree["selector"].items()} == choices

    assert tree["exceptions"].keys() == REASONS | {coordinator.NO_READING} | ACTION_ERRORS
    assert all(message.keys() == {"message"} for message in tree["exceptions"].values())
    assert tree["device"].keys() == {devices.METER_TRANSLATION_KEY, devices.MODULE_TRANSLATION_KEY}
    assert tree["entity"].keys() == ENTITIES.keys()
    for platform, descriptions in ENTITIES.items():
        assert tree["entity"][platform].keys() == {description.translation_key for description in descriptions}
        for description in descriptions:
            states = tree["entity"][platform][description.translation_key].get("state", {})
            assert states.keys() == set(getattr(description, "options", None) or ())
    told = tree["entity"]["event"]["events"]["state_attributes"]
    assert told["event_type"]["state"].keys() == set(event.HAPPENINGS.event_types or ())
    assert told["reason"]["state"].keys() == REASONS | {coordinator.NO_READING}
    lines = set(re.findall(r'self\._line\(\s*"(\w+)"', (FOLDER / "report.py").read_text("utf-8")))
    assert "title" in lines
    assert tree["common"].keys() == {
        *(f"log_{direction}" for direction in (IMPORT, EXPORT)),
        *(f"report_{line}" for line in lines),
    }
    assert tree["issues"].keys() == {*Issue, "clock_fast", "clock_slow"} - {Issue.CLOCK_WRONG}
    for name, issue in tree["issues"].items():
        assert issue.keys() == {"title", "fix_flow" if name in FIXABLE else "description"}

    actions = load_yaml_dict(str(FOLDER / "services.yaml"))
    assert tree["services"].keys() == actions.keys() == ACTIONS
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
        NoSuchDayError,
        PropertyRefusedError,
        # Only whoever asks for a survey meets it.
        SurveyUnderWayError,
    }
    offered = {
        value for value in vars(aiobroute).values() if isinstance(value, type) and issubclass(value, BrouteError)
    }
    told = offered - never_told - {BrouteError}
    assert told == {kind for kind, _ in coordinator._REASONS}
    assert len({coordinator.reason_of(kind("")) for kind in told}) == len(told)


def test_what_is_told_at_a_field_is_an_error() -> None:
    assert config_flow.FIELDS.keys() < REASONS | FORM_ERRORS


def test_icons_belong_to_entities_and_actions() -> None:
    icons = json.loads((FOLDER / "icons.json").read_text("utf-8"))
    assert icons.keys() == {"entity", "services"}
    assert icons["services"].keys() == ACTIONS
    assert icons["entity"].keys() <= ENTITIES.keys()
    for platform, of_platform in icons["entity"].items():
        assert of_platform.keys() <= {description.translation_key for description in ENTITIES[platform]}
        assert all(icon["default"].startswith("mdi:") for icon in of_platform.values())


def test_every_entity_has_an_icon() -> None:
    """Its device class gives it one, but for those whose classes have none or one that says little."""
    icons = json.loads((FOLDER / "icons.json").read_text("utf-8"))["entity"]
    for platform, descriptions in ENTITIES.items():
        for description in descriptions:
            has_class = description.device_class not in {None, "enum"}
            assert has_class or description.translation_key in icons[platform], description.key


def test_every_number_has_a_precision() -> None:
    for description in sensor.SENSORS:
        is_number = description.device_class not in {"enum", "timestamp"}
        assert is_number == (description.suggested_display_precision is not None), description.key
