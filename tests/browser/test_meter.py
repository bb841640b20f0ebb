"""A meter that is added, looked at, set up and complained of, as each of its users sees that."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from development.config import BLUEPRINTS
from development.meter_in_home_assistant import (
    DIRECTIONS,
    JST,
    READ_TIMEOUT_S,
    entity_of,
    is_known,
    midnight,
    only_issue,
    shown_bars,
    true_bars,
    wait_for_no_issue,
    wait_until_read,
)
from development.websocket import Json

from .conftest import VISITORS, Window
from .household import LOG_DAYS, Household, series_name
from .pages import (
    AutomationForm,
    BlueprintsPage,
    DevicePage,
    EnergyPage,
    HistoryPage,
    IntegrationPage,
    IntegrationsPage,
    Notifications,
    RepairsPage,
    is_open,
    turn,
)
from .screen import Screen, blueprint_texts, form_texts

pytestmark = pytest.mark.asyncio(loop_scope="session")

ISSUE_TIMEOUT_S = 180.0
"""Where readings come fast, what the meter says of itself is asked for once a minute."""
DEVICES = {"meter": "smart_meter", "module": "wisun_module"}
MAY_BE_UNKNOWN = {
    # Nothing has happened yet.
    "events",
    # In the first minutes of a half hour.
    *("demand", "demand_exceeded", "demand_forecast", "half_hour_energy"),
    # The log may begin behind it.
    *("export_billing", "import_billing"),
}
"""Entities without a value in some households, or at some times."""


async def test_form_tells_what_is_wrong(screen: Screen, added: Household) -> None:
    texts = screen.visitor.texts
    integrations = IntegrationsPage(screen)
    await integrations.visit()
    form = await integrations.add()
    await screen.read(*form_texts(form.step, "config", texts))
    await form.choose_port()
    if not screen.visitor.phone:
        await screen.picture("add")
    await form.fill(id="0123", password="0123")
    await form.submit()
    await screen.read(texts["config"]["error"]["invalid_id"], texts["config"]["error"]["invalid_password"])
    await form.close()


async def test_options_are_explained_and_checked(screen: Screen, added: Household) -> None:
    texts = screen.visitor.texts
    of_contract = texts["options"]["step"]["init"]["sections"]["contract"]
    by_current = texts["selector"]["contract_limit"]["options"]["amperes"]
    integration = IntegrationPage(screen)
    await integration.visit()
    form = await integration.configure()
    sections = [one for one in form.step["data_schema"] if one.get("type") == "expandable"]
    assert sections
    for one in sections:
        section = form.section(texts["options"]["step"]["init"]["sections"][one["name"]]["name"])
        assert not await is_open(section)
        await turn(section)
    await screen.read(*form_texts(form.step, "options", texts))

    contract = form.section(of_contract["name"])
    await contract.get_by_role("radio", name=by_current).click()
    await form.type(contract, of_contract["data"]["amperes"], "")
    if not screen.visitor.phone:
        await screen.picture("options")
    await turn(contract)
    await form.submit()
    await screen.read(texts["options"]["error"]["amperes_missing"], of_contract["data_description"]["limit"])

    await form.type(contract, of_contract["data"]["amperes"], "40")
    await form.submit()
    await screen.read(await screen.label("ui.dialogs.options_flow.success.description"))
    await form.finish()
    await wait_until_read(added.home_assistant)


async def test_fault_is_told_and_goes_away(added: Household, window: Window, automation: Json) -> None:
    """By a repair, and by the automation of the blueprint."""
    await added.meter.happen("meter_faulty", faulty=True)
    issue = await only_issue(added.home_assistant, "meter_fault", ISSUE_TIMEOUT_S)
    # The meter is believed when it has said so twice, which takes longer than to look at it.
    for visitor in VISITORS:
        texts = visitor.texts["issues"]["meter_fault"]
        told = {part: text.format(**issue["translation_placeholders"]) for part, text in texts.items()}
        async with window(visitor) as screen:
            repairs = RepairsPage(screen)
            await repairs.visit()
            await screen.read(told["title"])
            await repairs.open(told["title"])
            await screen.read(*told.values())
            if not visitor.phone:
                await screen.picture("repair")
            await repairs.close()

    def has_fired(state: Json | None) -> bool:
        return state is not None and state["attributes"]["last_triggered"] is not None

    await added.home_assistant.wait_for_state(automation["entity_id"], has_fired)
    (notification,) = await added.home_assistant.command("persistent_notification/get")
    async with window(VISITORS[0]) as screen:
        await screen.visit("/")
        notifications = Notifications(screen)
        await notifications.open()
        await screen.read(notification["title"], notification["message"])
        await notifications.close()

    await added.meter.happen("meter_faulty", faulty=False)
    await wait_for_no_issue(added.home_assistant)
    async with window(VISITORS[0]) as screen:
        await RepairsPage(screen).visit()
        await screen.read(await screen.label("ui.panel.config.repairs.no_repairs"))


async def test_blueprints_explain_themselves(screen: Screen, added: Household) -> None:
    blueprints = await added.blueprints()
    assert blueprints.keys() == {path.stem for path in BLUEPRINTS.glob("*.yaml")}
    page = BlueprintsPage(screen)
    for blueprint in blueprints.values():
        await page.visit()
        form = await page.use(blueprint["name"])
        await form.open_sections()
        await screen.read(*blueprint_texts(blueprint))


async def test_automation_is_read_again(screen: Screen, added: Household, automation: Json) -> None:
    form = AutomationForm(screen)
    await form.visit(automation["attributes"]["id"])
    await form.open_sections()
    await screen.read(*blueprint_texts((await added.blueprints())["tell_of_trouble"]))
    if not screen.visitor.phone:
        await screen.picture("automation")


async def test_diagnostics_can_be_shared(screen: Screen, added: Household) -> None:
    page = DevicePage(screen, (await added.devices())["meter"]["id"])
    await page.visit()
    diagnostics = await page.download_diagnostics()
    assert diagnostics["data"]
    assert added.meter.secrets_in(str(diagnostics)) == []


# By now the log has been read.
@pytest.mark.parametrize("kind", ["module", "meter"])
async def test_devices_have_all_entities_with_name_and_state(screen: Screen, home: Household, kind: str) -> None:
    texts = screen.visitor.texts
    device = (await home.devices())[kind]
    entities = {
        texts["entity"][one["entity_id"].partition(".")[0]][one["translation_key"]]["name"]: one
        for one in await home.entities()
        if one["device_id"] == device["id"]
    }
    known = [name for name, one in entities.items() if one["translation_key"] not in MAY_BE_UNKNOWN]
    for name in known:
        await home.home_assistant.wait_for_state(entities[name]["entity_id"], is_known, READ_TIMEOUT_S)

    page = DevicePage(screen, device["id"])
    await page.visit()
    await screen.read(texts["device"][DEVICES[kind]]["name"], *entities)
    empty = {await screen.label(f"state.default.{state}") for state in ("unknown", "unavailable")}
    states = await page.states()
    assert states.keys() == entities.keys()
    assert [name for name in known if states[name] in empty] == []
    if screen.visitor.phone:
        # At a desk a mouse tells the whole name.
        assert await page.cut_names() == []
    if kind == "meter":
        await screen.picture("device-phone" if screen.visitor.phone else "device")


async def test_energy_dashboard_shows_the_log(screen: Screen, home: Household) -> None:
    shown = await shown_bars(home.home_assistant)
    truth = await true_bars(home.meter, shown, home.log_begin)
    entry = await home.entry()
    series = {direction: series_name(entry, direction, screen.visitor.language) for direction in DIRECTIONS}
    today = midnight(datetime.now(JST))
    page = EnergyPage(screen)
    await page.visit()
    await page.show(365)
    bars = await page.bars()
    assert bars.keys() == set(series.values())
    for direction, sign in (("import", 1), ("export", -1)):
        drawn = {at: sign * energy for at, energy in bars[series[direction]].items() if home.log_begin <= at < today}
        assert drawn == {bar.start: bar.change for bar in truth[direction]["day"] if bar.start < today}
        assert len(drawn) >= LOG_DAYS
    totals = await page.totals()
    for name, energies in bars.items():
        assert totals[name] == f"{sum(energies.values(), Decimal()).normalize():,f} kWh"
    await page.show(30)
    await screen.read(*series.values())
    await screen.picture("energy-phone" if screen.visitor.phone else "energy")


async def test_history_is_drawn(screen: Screen, home: Household) -> None:
    keys = ("power", "current_r", "current_t")
    page = HistoryPage(screen)
    device = (await home.devices())["meter"]
    await page.visit(
        datetime.fromtimestamp(device["created_at"], UTC), *[await entity_of(home.home_assistant, key) for key in keys]
    )
    await screen.read(*(screen.visitor.texts["entity"]["sensor"][key]["name"] for key in keys))
    if not screen.visitor.phone:
        await screen.picture("history")
