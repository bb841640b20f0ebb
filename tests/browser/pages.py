"""Home Assistant's pages, and what a user does on them; words of Home Assistant's own are looked up in its texts.

Below: the screen. Above: the tests, which know what has to be seen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
import json
import re
from typing import Any, Final
from urllib.parse import urlencode

from playwright.async_api import Locator, Page, expect

from development.config import INTEGRATION
from development.meter_in_home_assistant import DOMAIN
from development.plugged_in import MANUFACTURER, PRODUCT
from development.websocket import Json

from .screen import TIMEOUT_S, Screen

NAME: Final = json.loads((INTEGRATION / "manifest.json").read_text("utf-8"))["name"]
CONNECT_TIMEOUT_S: Final = 120.0
"""For what a module does until the meter is read: as the forms tell."""


_SCROLL_ON: Final = """list => {
    const isAtItsEnd = list.scrollTop + list.clientHeight >= list.scrollHeight;
    list.scrollTop = isAtItsEnd ? 0 : list.scrollTop + list.clientHeight / 2;
    return new Promise(requestAnimationFrame);
}"""


async def log_in(page: Page, username: str, password: str) -> None:
    """Log in, and keep that."""
    await page.goto("/")
    await page.locator("input[name=username]").fill(username)
    await page.locator("input[name=password]").fill(password)
    await page.keyboard.press("Enter")
    await expect(page.locator("home-assistant-main")).to_be_attached(timeout=TIMEOUT_S * 1000)


async def choose(field: Locator, name: str) -> None:
    """Choose what has this name from a list that opens when the field is clicked."""
    await field.locator("ha-picker-field").click()
    choices = field.page.locator("ha-picker-combo-box")
    option = choices.locator("ha-list-item-option").filter(has=field.page.get_by_text(name, exact=True))
    async with asyncio.timeout(TIMEOUT_S):
        # Only what can be seen of a list is there.
        while not await option.count():
            await choices.locator("lit-virtualizer").evaluate(_SCROLL_ON)
    await option.click()
    await expect(choices).to_have_count(0)


async def is_open(section: Locator) -> bool:
    """Tell whether a section of a form is open."""
    return await section.get_attribute("expanded") is not None


async def turn(section: Locator) -> None:
    """Open a section of a form that is closed, or close an open one."""
    await section.locator("#summary").click()


class FlowDialog:
    """The dialog in which an integration asks and tells.

    Attributes:
        step: the form that is open, as the server describes it.
    """

    step: Json

    def __init__(self, screen: Screen) -> None:
        """Be it open already or not."""
        self._screen = screen
        self.element = screen.page.locator("dialog-data-entry-flow")

    async def open_by(self, click: Callable[[], Awaitable[None]]) -> None:
        """Wait for the first form of what a click begins."""
        async with self._screen.page.expect_response(
            lambda response: response.request.method == "POST" and response.url.endswith("/flow")
        ) as answer:
            await click()
        self.step = await (await answer.value).json()
        await expect(self.element.locator("ha-form").first).to_be_visible()

    async def choose_port(self) -> None:
        """Choose the port of the module that is plugged in."""
        await choose(self.element.locator("ha-selector-serial_port"), f"{PRODUCT} — {MANUFACTURER}")

    async def fill(self, **values: str) -> None:
        """Fill in fields of text."""
        for name, value in values.items():
            await self.element.locator(f"input[name={name}]").fill(value)

    def section(self, name: str) -> Locator:
        """Return the section of this name."""
        return self.element.locator("ha-expansion-panel", has_text=name)

    async def type(self, section: Locator, label: str, number: str) -> None:
        """Type a number into the field of a section that has this label."""
        await section.locator("ha-selector-number", has_text=label).locator("input").fill(number)

    async def submit(self) -> None:
        """Submit the form."""
        await self._primary_button.click()

    async def finish(self) -> None:
        """Leave the last step."""
        await self._primary_button.click()
        await self._screen.no_dialog()

    async def close(self) -> None:
        """Give up."""
        await self.element.locator("ha-icon-button[slot=headerNavigationIcon]").click()
        await self._screen.no_dialog()

    @property
    def _primary_button(self) -> Locator:
        return self.element.locator("ha-dialog-footer ha-button[slot=primaryAction]")


class IntegrationsPage:
    """Settings > Devices & services."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit("/config/integrations/dashboard")

    async def add(self) -> FlowDialog:
        """Begin to add a meter, not the one behind a module that was discovered, and return the form."""
        page, dialog = self._screen.page, FlowDialog(self._screen)
        add = await self._screen.label("ui.panel.config.integrations.add_integration")
        await page.get_by_role("button", name=add).click()
        # In the list it goes by the name in its manifest, whatever the language.
        choice = page.locator("dialog-add-integration")
        await choice.locator("input").fill(NAME)
        named = choice.locator("ha-integration-list-item", has_text=NAME)
        await expect(named).to_have_count(1)
        await dialog.open_by(named.click)
        return dialog


class IntegrationPage:
    """The page of the integration, with its entries."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit(f"/config/integrations/integration/{DOMAIN}")

    async def configure(self) -> FlowDialog:
        """Open the options of the only entry."""
        dialog = FlowDialog(self._screen)
        label = await self._screen.label("ui.panel.config.integrations.config_entry.configure")
        entry = self._screen.page.locator("ha-config-entry-row")
        await dialog.open_by(entry.get_by_label(label).click)
        return dialog


class DevicePage:
    """The page of a device."""

    def __init__(self, screen: Screen, device_id: str) -> None:
        """Go nowhere yet."""
        self._screen = screen
        self._path = f"/config/devices/device/{device_id}"

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit(self._path)
        await expect(self._screen.page.locator("ha-device-entities-card").first).to_be_visible()

    async def states(self) -> dict[str, str]:
        """Return what is shown of the entities, by their names; a switch shows no text."""
        rows = self._screen.page.locator("ha-device-entities-card hui-generic-entity-row")
        shown = [await self._screen.texts(row) for row in await rows.all()]
        return {name: " ".join(state) for name, *state in shown}

    async def cut_names(self) -> list[str]:
        """Return the names of entities that there is no room for."""
        names = self._screen.page.locator("ha-device-entities-card hui-generic-entity-row .info")
        cut: list[str] = await names.evaluate_all(
            "names => names.filter(name => name.scrollWidth > name.clientWidth).map(name => name.innerText)"
        )
        return cut

    async def turn_on(self, name: str) -> None:
        """Turn on the switch of this name."""
        row = self._screen.page.locator("ha-device-entities-card hui-generic-entity-row", has_text=name)
        await row.locator("ha-switch").click()

    async def download_diagnostics(self) -> Any:
        """Download the diagnostics, and return what is in them."""
        label = await self._screen.label("ui.panel.config.devices.download_diagnostics")
        async with self._screen.page.expect_download() as downloading:
            await self._screen.page.get_by_text(label).click()
        path = await (await downloading.value).path()
        return json.loads(await asyncio.to_thread(path.read_text, "utf-8"))


class RepairsPage:
    """Settings > System > Repairs."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit("/config/repairs")

    async def open(self, title: str) -> None:
        """Open what is told under a title."""
        await self._screen.page.get_by_text(title).click()
        await expect(self._dialog).to_be_visible()

    async def close(self) -> None:
        """Close it."""
        await self._screen.page.locator("dialog-repairs-issue ha-icon-button").first.click()
        await self._screen.no_dialog()

    @property
    def _dialog(self) -> Locator:
        return self._screen.page.locator("dialog-repairs-issue dialog")


class EnergySettings:
    """Settings > Energy."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit("/config/energy")

    async def add_grid_connection(self, energy_from: str, energy_to: str, power: str) -> None:
        """Add the grid, by the names of its statistics."""
        part = "ui.panel.config.energy.grid"
        page, label = self._screen.page, self._screen.label
        await page.get_by_role("button", name=await label(f"{part}.add_connection")).click()
        dialog = page.locator("dialog-energy-grid-settings")
        pickers = dialog.locator("ha-statistic-picker")
        await choose(pickers.nth(0), energy_from)
        await choose(pickers.nth(1), energy_to)
        await dialog.get_by_role("radio", name=await label(f"{part}.dialog.type_standard")).click()
        await choose(pickers.nth(2), power)
        await dialog.locator("ha-button[slot=primaryAction]").click()
        await self._screen.no_dialog()


class EnergyPage:
    """The Energy dashboard, of electricity."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit("/energy/electricity")

    async def show(self, days: int) -> None:
        """Choose the last 30 or 365 days and wait until their bars are drawn, with that of today."""
        page = self._screen.page
        label = await self._screen.label(f"ui.components.date-range-picker.ranges.now-{days}d")
        await page.locator("hui-energy-period-selector ha-date-range-picker").click()
        await page.get_by_text(label, exact=True).click()
        await self._screen.no_dialog()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while {len(bars) for bars in (await self.bars()).values()} != {days + 1}:
                    await page.evaluate("() => new Promise(requestAnimationFrame)")
        except TimeoutError:
            raise AssertionError(f"There are no bars of {days} days: {await self._screen.texts()}") from None
        await expect(self._chart.locator("canvas")).to_be_visible()

    async def bars(self) -> dict[str, dict[datetime, Decimal]]:
        """Return what is drawn for each series of the grid, in kWh by the start of each bar; exports are negative."""
        drawn = await self._chart.evaluate(
            "chart => chart.data.filter(series => series.data.length).map(series => "
            "[series.name, series.data.map(bar => (bar.value ?? bar).slice(0, 2))])"
        )
        return {
            name: {datetime.fromtimestamp(at / 1000, UTC): round(Decimal(energy), 4) for at, energy in bars}
            for name, bars in drawn
        }

    async def totals(self) -> dict[str, str]:
        """Return the energies of the table, by the name of what they are of."""
        rows = self._screen.page.locator("hui-energy-sources-table-card tbody tr")
        return dict([await self._screen.texts(row) for row in await rows.all()])

    @property
    def _chart(self) -> Locator:
        return self._screen.page.locator("hui-energy-usage-graph-card ha-chart-base")


class HistoryPage:
    """The history of some entities."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self, since: datetime, *entity_ids: str) -> None:
        """Go there, and wait until the graphs from then until now are drawn."""
        times = {"start_date": since.isoformat(), "end_date": datetime.now(UTC).isoformat()}
        await self._screen.visit(f"/history?{urlencode({'entity_id': ','.join(entity_ids), **times})}")
        await expect(self._screen.page.locator("state-history-charts canvas").first).to_be_visible()
        empty = await self._screen.label("ui.components.history_charts.no_history_found")
        await expect(self._screen.page.get_by_text(empty)).to_have_count(0)


class BlueprintsPage:
    """Settings > Automations & scenes > Blueprints."""

    def __init__(self, screen: Screen) -> None:
        """Go nowhere yet."""
        self._screen = screen

    async def visit(self) -> None:
        """Go there."""
        await self._screen.visit("/config/blueprint/dashboard")

    async def use(self, name: str) -> AutomationForm:
        """Begin to make an automation of the blueprint of this name."""
        await self._screen.page.locator("ha-data-table").get_by_text(name, exact=True).click()
        form = AutomationForm(self._screen)
        await form.is_there()
        return form


class AutomationForm:
    """The form of an automation that is made from a blueprint."""

    def __init__(self, screen: Screen) -> None:
        """Be it open already or not."""
        self._screen = screen
        self._form = screen.page.locator("blueprint-automation-editor")

    async def visit(self, automation_id: str) -> None:
        """Go to that of an automation which is there."""
        await self._screen.visit(f"/config/automation/edit/{automation_id}")
        await self.is_there()

    async def is_there(self) -> None:
        """Wait until the form can be filled in."""
        await expect(self._form.locator("ha-settings-row").first).to_be_visible()

    async def open_sections(self) -> None:
        """Open those sections that are closed."""
        for section in await self._form.locator("ha-expansion-panel:has(> .section-header)").all():
            if not await is_open(section):
                await turn(section)

    async def choose(self, name: str, entity: str) -> None:
        """Choose an entity, by its name, for the input of a name."""
        await choose(self._form.locator("ha-settings-row", has_text=name), entity)

    async def select(self, option: str) -> None:
        """Select one of the options that can all be seen."""
        await self._form.get_by_role("radio", name=option, exact=True).click()

    async def save(self) -> None:
        """Save the automation, and wait until that is done."""
        label = await self._screen.label("ui.common.save")
        await self._screen.page.get_by_role("button", name=label).click()
        await self._screen.page.wait_for_url(re.compile(r"/config/automation/edit/(?!new)"))


class Notifications:
    """What Home Assistant notifies of, in the drawer at the side."""

    def __init__(self, screen: Screen) -> None:
        """Open nothing yet."""
        self._screen = screen

    async def open(self) -> None:
        """Open the drawer."""
        await self._screen.page.get_by_text(await self._screen.label("ui.notification_drawer.title")).first.click()

    async def close(self) -> None:
        """Close it."""
        await self._screen.page.locator("notification-drawer ha-icon-button-prev").click()
        await self._screen.no_dialog()
