"""The texts, the icons and the forms of the actions, as hassfest wants them; and both languages, each its own.

Which texts there have to be is the business of `tests/integration/test_translations.py`, which knows the code.
"""

from collections.abc import Iterator
import json
import re
from string import Formatter
from typing import Any, Final

import hass_frontend
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import validate_selector
from homeassistant.util.yaml import load_yaml_dict
import pytest
import voluptuous as vol

from custom_components.broute.const import DOMAIN
from custom_components.broute.services import async_setup_services

from .tree import INTEGRATION, parsed

LANGUAGES: Final = ["en", "ja"]

JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
SAME_IN_JAPANESE: Final = {
    *("Home", "Assistant", "B-Route", "Smart", "Meter", "ECHONET", "Lite", "ESPHome"),
    *(
        "B",
        "R",
        "T",
        "ID",
        "USB",
        "Wi-SUN",
        "RSSI",
        "LQI",
        "dBm",
        "EPC",
        "PAN",
        "PANA",
        "PLC",
        "HEMS",
        "FF",
        "s",
        "W",
        "A",
        "kVA",
        "kWh",
    ),
}
"""Words that a Japanese text has in Latin letters; any other is one that nobody has translated."""

# `voluptuous` is another library to the type checker than it is in Home Assistant.
_KEY: Final[Any] = vol.All(str, vol.Match(r"(?!.*[_-]{2})[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"))


def _text(value: Any) -> str:
    text = cv.string_with_no_html(value)
    if text != text.strip() or not text:
        raise vol.Invalid("blanks at an end, or nothing at all")
    if "[%" in text or "%]" in text:
        raise vol.Invalid("references to other texts are for Home Assistant's own integrations")
    if re.search(r"\w://|www\.", text):
        raise vol.Invalid("an address has to be a placeholder")
    if re.search(r"'{\w+}'", text):
        raise vol.Invalid("a placeholder in single quotes is none")
    if not all(name.isidentifier() for name in placeholders(text)):
        raise vol.Invalid("not the name of a placeholder")
    return text


def _constant(value: Any) -> str:
    if placeholders(_text(value)):
        raise vol.Invalid("no placeholder is filled in here")
    return str(value)


def _by_key(kind: Any) -> Any:
    return vol.Schema({_KEY: kind})


def _flow() -> Any:
    fields = {vol.Optional("data"): _by_key(_text), vol.Optional("data_description"): _by_key(_text)}
    step = {
        vol.Optional("title"): _text,
        vol.Optional("description"): _text,
        vol.Optional("menu_options"): _by_key(_text),
        vol.Optional("menu_option_descriptions"): _by_key(_text),
        vol.Optional("submit"): _text,
        vol.Optional("sections"): _by_key({**fields, vol.Optional("name"): _text, vol.Optional("description"): _text}),
        **fields,
    }
    return vol.Schema(
        {
            vol.Optional("flow_title"): _text,
            vol.Required("step"): _by_key(step),
            vol.Optional("error"): _by_key(_text),
            vol.Optional("abort"): _by_key(_text),
            vol.Optional("progress"): _by_key(_text),
            vol.Optional("create_entry"): _by_key(_text),
            vol.Optional("initiate_flow"): _by_key(_text),
        }
    )


_ISSUE: Final[Any] = vol.All(
    cv.has_at_least_one_key("description", "fix_flow"),
    {
        vol.Required("title"): _text,
        vol.Exclusive("description", "fixable"): _text,
        vol.Exclusive("fix_flow", "fixable"): _flow(),
    },
)
_STATES: Final[Any] = {vol.Optional("name"): _constant, vol.Optional("state"): _by_key(_constant)}
_FIELD: Final[Any] = {
    vol.Required("name"): _text,
    vol.Required("description"): _text,
    vol.Optional("example"): _text,
}
TEXTS: Final[Any] = vol.Schema(
    {
        vol.Optional("title"): _text,
        vol.Optional("common"): _by_key(_text),
        vol.Required("config"): _flow(),
        vol.Required("options"): _flow(),
        vol.Optional("device"): _by_key({vol.Optional("name"): _text}),
        vol.Optional("entity"): _by_key(
            _by_key(
                {
                    **_STATES,
                    vol.Optional("name"): _text,
                    vol.Optional("state_attributes"): _by_key(_STATES),
                    vol.Optional("unit_of_measurement"): _constant,
                }
            )
        ),
        vol.Optional("exceptions"): _by_key({vol.Required("message"): _text}),
        vol.Optional("issues"): _by_key(_ISSUE),
        vol.Optional("selector"): _by_key({vol.Optional("options"): _by_key(_text)}),
        vol.Optional("services"): _by_key(
            {
                vol.Required("name"): _text,
                vol.Required("description"): _text,
                vol.Optional("fields"): _by_key(_FIELD),
                vol.Optional("sections"): _by_key({vol.Required("name"): _text, vol.Optional("description"): _text}),
            }
        ),
        vol.Optional("system_health"): {vol.Optional("info"): _by_key(_text)},
    }
)

_ICON: Final[Any] = vol.All(str, vol.Match(r"mdi:[a-z0-9-]+$"))
_ICONS_BY_STATE: Final[Any] = {vol.Optional("default"): _ICON, vol.Optional("state"): _by_key(_ICON)}
ICONS: Final[Any] = vol.Schema(
    {
        vol.Optional("entity"): _by_key(
            _by_key({**_ICONS_BY_STATE, vol.Optional("state_attributes"): _by_key(_ICONS_BY_STATE)})
        ),
        vol.Optional("services"): _by_key({vol.Required("service"): _ICON}),
    }
)

ACTIONS: Final[Any] = _by_key(
    {
        vol.Optional("fields"): _by_key(
            {
                vol.Optional("required"): bool,
                vol.Optional("example"): object,
                vol.Optional("default"): object,
                vol.Required("selector"): validate_selector,
            }
        )
    }
)


def texts(language: str) -> Any:
    return parsed(INTEGRATION / "translations" / f"{language}.json")


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each text with where it is."""
    for key, branch in tree.items():
        if isinstance(branch, str):
            yield (*path, key), branch
        else:
            yield from leaves(branch, (*path, key))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_languages_are_those_that_are_tested() -> None:
    """And there is no file of texts from which Home Assistant's own translations are made."""
    assert sorted(path.name for path in (INTEGRATION / "translations").iterdir()) == ["en.json", "ja.json"]
    assert not list(INTEGRATION.glob("strings*.json"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_valid(language: str) -> None:
    TEXTS(texts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_is_described(language: str) -> None:
    for part in ("config", "options"):
        for step in texts(language)[part]["step"].values():
            for fields in (step, *step.get("sections", {}).values()):
                assert fields.get("data", {}).keys() == fields.get("data_description", {}).keys()


def test_both_languages_have_the_same_texts() -> None:
    english, japanese = (dict(leaves(texts(language))) for language in LANGUAGES)
    assert english.keys() == japanese.keys()
    for path, text in english.items():
        assert placeholders(text) == placeholders(japanese[path]), path


def test_japanese_texts_are_japanese() -> None:
    for path, text in leaves(texts("ja")):
        words = re.sub(r"{\w+}", "", text)
        assert JAPANESE.search(words) or not re.search(r"\w", words), path
        untranslated = set(re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*", words)) - SAME_IN_JAPANESE
        assert not untranslated, path


def test_english_texts_are_english() -> None:
    assert not [path for path, text in leaves(texts("en")) if JAPANESE.search(text)]


@pytest.mark.parametrize("name", ["translations/en.json", "translations/ja.json", "icons.json"])
def test_there_is_one_order_and_form(name: str) -> None:
    path = INTEGRATION / name
    assert path.read_text("utf-8") == json.dumps(parsed(path), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def test_icons_are_valid() -> None:
    icons = parsed(INTEGRATION / "icons.json")
    ICONS(icons)
    for entities in icons["entity"].values():
        for entity in entities.values():
            # Such an icon would say nothing.
            assert entity.get("default") not in entity.get("state", {}).values()


def test_icons_exist() -> None:
    files = map(parsed, (hass_frontend.where() / "static" / "mdi").glob("*.json"))
    there = {name for names in files if isinstance(names, dict) for name in names}
    used = {icon.removeprefix("mdi:") for _, icon in leaves(parsed(INTEGRATION / "icons.json"))}
    assert used
    assert used <= there


def test_icons_are_named_in_no_code() -> None:
    """A user can give an entity another icon for each state only where the icon is one of `icons.json`."""
    assert not [path for path in INTEGRATION.rglob("*.py") if "mdi:" in path.read_text("utf-8")]


async def test_actions_are_the_same_everywhere(hass: HomeAssistant) -> None:
    """What is registered, what the form shows, what it is called and which icon it has."""
    async_setup_services(hass)
    forms = load_yaml_dict(str(INTEGRATION / "services.yaml"))
    ACTIONS(forms)
    registered = hass.services.async_services_for_domain(DOMAIN)
    named = texts("en")["services"]
    assert registered.keys() == forms.keys() == named.keys() == parsed(INTEGRATION / "icons.json")["services"].keys()
    for name, form in forms.items():
        schema: Any = registered[name].schema
        taken = {str(key): isinstance(key, vol.Required) for key in schema.schema}
        assert taken == {field: shown.get("required", False) for field, shown in form.get("fields", {}).items()}
        assert named[name].get("fields", {}).keys() == form.get("fields", {}).keys()
        translated = {
            shown["selector"]["select"]["translation_key"]
            for shown in form.get("fields", {}).values()
            if "translation_key" in (shown["selector"].get("select") or {})
        }
        assert translated <= texts("en").get("selector", {}).keys()


def test_every_kind_of_flaw_is_found() -> None:
    """So that nothing above passes because it looks at nothing."""
    flawed = [
        *("<b>bold</b>", " blank", "", "[%key:common::state::on%]", "see https://example.org", "see www.example.org"),
        *("'{name}'", "{0}", "{a b}"),
    ]
    for text in flawed:
        with pytest.raises(vol.Invalid):
            _text(text)
    assert _text("{name} is fine") == "{name} is fine"
    with pytest.raises(vol.Invalid):
        _constant("{name}")
    for key in ("Upper", "_a", "a_", "a__b", "a b"):
        with pytest.raises(vol.Invalid):
            _by_key(_text)({key: "text"})
