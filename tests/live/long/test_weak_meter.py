"""A meter that is heard weakly and whose clock is wrong, in a real Home Assistant.

It takes five minutes until a clock is said to be wrong: it may have been Home Assistant's, before that was set. The
weak meter is a matter for the time in between. Each test leaves the meter read, for the next one.
"""

import pytest
import pytest_asyncio

from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import (
    DOMAIN,
    READ_TIMEOUT_S,
    add_meter,
    complaints_beside_outages,
    entity_of,
    is_known,
    issue_texts,
    only_issue,
    wait_for_no_issue,
    wait_until_read,
)
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW_PASSWORD = "BA9876543210"

FAST_S = 1800
SLOW_S = 3600
EXACT_S = 60
"""The meter's clock shows whole minutes."""

WEAK, STRONG = 55, 200
WEAK_DBM = "-89"
"""What the weak one is."""

ISSUE_TIMEOUT_S = 420.0
"""The client's own pauses between attempts are not made shorter for a test."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Json:
    """Add the meter, whose clock is wrong, for all tests of the module."""
    await meter.happen("meter_clock_wrong", by_s=FAST_S)
    return await add_meter(home_assistant, meter)


async def begin_a_session(home_assistant: HomeAssistant, meter: SimulatedMeter) -> None:
    """End the session so that the next one begins, in which the clock is looked at, and no one else is suspected."""
    await wait_until_read(home_assistant)
    await meter.happen("session_ended_by_module")


@pytest.mark.usefixtures("entry")
async def test_clock_that_seems_to_be_wrong_is_not_told_at_once(home_assistant: HomeAssistant) -> None:
    await wait_until_read(home_assistant)
    drift = await home_assistant.wait_for_state(
        await entity_of(home_assistant, "clock_drift"), is_known, READ_TIMEOUT_S
    )
    assert drift is not None
    assert abs(float(drift["state"]) - FAST_S) <= EXACT_S
    assert await home_assistant.issues(DOMAIN) == []


async def test_meter_that_is_heard_weakly_and_refuses(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json
) -> None:
    def is_told(issues: list[Json]) -> bool:
        return any(issue["translation_key"] == "refused_from_afar" for issue in issues)

    await meter.happen("meter_heard", lqi=WEAK)
    await meter.happen("credentials_reissued", password=NEW_PASSWORD)
    issues = await home_assistant.wait_for_issues(DOMAIN, is_told, ISSUE_TIMEOUT_S)
    issue = next(issue for issue in issues if issue["translation_key"] == "refused_from_afar")
    assert not issue["is_fixable"]
    texts = await issue_texts(home_assistant, issue)
    assert all(entry["title"] in text and WEAK_DBM in text for text in texts.values()), texts
    assert texts["en"] != texts["ja"]
    # It is the radio's fault before it is that of what was typed.
    flows = await home_assistant.command("config_entries/flow/progress")
    assert [flow for flow in flows if flow["handler"] == DOMAIN] == []

    await meter.happen("meter_heard", lqi=STRONG)
    await meter.happen("credentials_reissued", password=meter.password)
    await wait_until_read(home_assistant)
    await home_assistant.wait_for_issues(DOMAIN, lambda issues: not is_told(issues), READ_TIMEOUT_S)


async def clock_is_told(home_assistant: HomeAssistant, entry: Json, kind: str, by_s: int) -> None:
    """Wait until the clock is told to be wrong by so much, in the words for this kind."""
    issue = await only_issue(home_assistant, kind, ISSUE_TIMEOUT_S)
    assert not issue["is_fixable"]
    minutes = issue["translation_placeholders"]["minutes"]
    assert abs(int(minutes) * 60 - by_s) <= EXACT_S
    texts = await issue_texts(home_assistant, issue)
    assert all(entry["title"] in text and minutes in text for text in texts.values()), texts
    assert texts["en"] != texts["ja"]


async def test_clock_that_is_wrong_is_told_until_it_is_right(
    home_assistant: HomeAssistant, meter: SimulatedMeter, entry: Json
) -> None:
    await clock_is_told(home_assistant, entry, "clock_fast", FAST_S)

    # What is known to be wrong needs no second look to be wrong otherwise.
    await meter.happen("meter_clock_wrong", by_s=-SLOW_S)
    await begin_a_session(home_assistant, meter)
    await clock_is_told(home_assistant, entry, "clock_slow", SLOW_S)

    await meter.happen("meter_clock_right")
    await begin_a_session(home_assistant, meter)
    await wait_for_no_issue(home_assistant)
    await wait_until_read(home_assistant)


@pytest.mark.usefixtures("entry")
async def test_log_has_the_two_lines_of_each_outage_and_nothing_else(
    home_assistant: HomeAssistant, meter: SimulatedMeter
) -> None:
    assert await home_assistant.stop() == 0
    assert complaints_beside_outages(home_assistant) == []
    assert meter.secrets_in("\n".join(home_assistant.log_lines()), NEW_PASSWORD) == []
