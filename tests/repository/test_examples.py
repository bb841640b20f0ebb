"""The automations of docs/automations.md: Home Assistant takes them as they are."""

import re
from typing import Any

from homeassistant.components.automation.config import ValidationStatus, async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.broute.const import DOMAIN
from custom_components.broute.services import async_setup_services

from .tree import TOP


def examples() -> list[Any]:
    text = (TOP / "docs" / "automations.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [parse_yaml(block) for block in blocks if "triggers:" in block]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["alias"])
async def test_automation_is_valid(hass: HomeAssistant, example: dict[str, Any]) -> None:
    assert await async_setup_component(hass, "power", {})
    validated = await async_validate_config_item(hass, example["alias"], example)
    assert validated
    assert validated.validation_status is ValidationStatus.OK, validated.validation_error


def test_there_are_examples() -> None:
    assert len(examples()) == 6


async def test_actions_in_examples_exist(hass: HomeAssistant) -> None:
    async_setup_services(hass)
    used = {step["action"] for example in examples() for step in example["actions"]}
    ours = {action.removeprefix(f"{DOMAIN}.") for action in used if action.startswith(f"{DOMAIN}.")}
    assert ours
    assert ours <= hass.services.async_services_for_domain(DOMAIN).keys()
