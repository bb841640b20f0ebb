"""The Integration Quality Scale: every rule is there, and what proves it exists."""

import re
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict
import pytest

from .tree import INTEGRATION, TOP, exists

RULES: Final = {
    "bronze": [
        *(
            "action-setup",
            "appropriate-polling",
            "brands",
            "common-modules",
            "config-flow",
            "config-flow-test-coverage",
        ),
        *("dependency-transparency", "docs-actions", "docs-conditions", "docs-high-level-description"),
        *("docs-installation-instructions", "docs-removal-instructions", "docs-triggers", "entity-event-setup"),
        *("entity-unique-id", "has-entity-name", "runtime-data", "test-before-configure", "test-before-setup"),
        "unique-config-entry",
    ],
    "silver": [
        *(
            "action-exceptions",
            "config-entry-unloading",
            "docs-configuration-parameters",
            "docs-installation-parameters",
        ),
        *("entity-unavailable", "integration-owner", "log-when-unavailable", "parallel-updates"),
        *("reauthentication-flow", "test-coverage"),
    ],
    "gold": [
        *("devices", "diagnostics", "discovery", "discovery-update-info", "docs-data-update", "docs-examples"),
        *("docs-known-limitations", "docs-supported-devices", "docs-supported-functions", "docs-troubleshooting"),
        *("docs-use-cases", "dynamic-devices", "entity-category", "entity-device-class", "entity-disabled-by-default"),
        *(
            "entity-translations",
            "exception-translations",
            "icon-translations",
            "reconfiguration-flow",
            "repair-issues",
        ),
        "stale-devices",
    ],
    "platinum": ["async-dependency", "inject-websession", "strict-typing"],
}
"""All rules of November 2026, by tier: https://developers.home-assistant.io/docs/core/integration-quality-scale"""

COVERAGE: Final = TOP / "script" / "coverage"

PROOF: Final = re.compile(r"(?<!\S)(?:[\w@.-]+/)*[\w@.-]*(?:[./][\w@-]+|LICENSE)(?:(?:::|#)[\w-]+)?(?=[,.;:]*(?:\s|$))")
"""A path within the repository, or a word with a dot in it, and perhaps a test or a heading in that file."""


def rules() -> dict[str, Any]:
    found: dict[str, Any] = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    return found


def proofs(comment: str) -> list[str]:
    return PROOF.findall(comment)


def test_all_rules_are_there_in_the_order_of_their_tiers() -> None:
    assert sum(map(len, RULES.values())) == 54
    assert rules().keys() == {rule for tier in RULES.values() for rule in tier}
    tiers = [tier for rule in rules() for tier, of_tier in RULES.items() if rule in of_tier]
    assert tiers == sorted(tiers, key=list(RULES).index)


@pytest.mark.parametrize("rule", rules())
def test_rule_is_proved_or_does_not_apply(rule: str) -> None:
    content = rules()[rule]
    assert content.keys() == {"status", "comment"}
    match content["status"]:
        case "done":
            assert proofs(content["comment"])
            assert not [proof for proof in proofs(content["comment"]) if not exists(proof)]
        case "exempt":
            # A reason is a sentence.
            assert re.fullmatch(r"[A-Z].{30,}\.", content["comment"])
        case status:
            pytest.fail(f"{rule} is {status}")


def test_coverage_of_the_config_flow_is_that_of_all_that_it_is_made_of() -> None:
    (line,) = re.findall(
        r"^at_least 100 'The config flow' --include '(.*)'$", COVERAGE.read_text("utf-8"), re.MULTILINE
    )
    held = {path for pattern in line.split(",") for path in TOP.glob(pattern)}
    flows = (INTEGRATION / "flow").glob("*.py")
    assert held >= {INTEGRATION / "config_flow.py", *flows}


@pytest.mark.parametrize(
    ("comment", "named", "there"),
    [
        ("In README.md#install, and LICENSE.", ["README.md#install", "LICENSE"], True),
        ("By script/lint", ["script/lint"], True),
        (".ci/run", [".ci/run"], True),
        ("brand/icon@2x.png", ["brand/icon@2x.png"], False),
        ("tests/repository/test_brand.py::test_size", ["tests/repository/test_brand.py::test_size"], True),
        ("tests/repository/test_brand.py::test_nothing", ["tests/repository/test_brand.py::test_nothing"], False),
        ("README.md#nothing", ["README.md#nothing"], False),
        ("It is done: just believe it.", [], True),
    ],
)
def test_proofs_are_found(comment: str, named: list[str], there: bool) -> None:
    assert proofs(comment) == named
    assert all(map(exists, named)) is there
