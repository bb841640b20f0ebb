"""One Home Assistant of the newest version with one meter, and windows on it, for all tests."""

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
import shutil

from playwright.async_api import Browser, StorageState, async_playwright, expect
import pytest
import pytest_asyncio

from development.child_process import free_port
from development.config import CHECKOUT, write_config
from development.home_assistant import HomeAssistant
from development.meter_in_home_assistant import DIRECTIONS, LANGUAGES, MIDNIGHT_S, SPEED, entity_of, is_shown, log_until
from development.plugged_in import PRODUCT, plug_in
from development.simulated_meter import SimulatedMeter
from development.websocket import Json

from .household import Household, series_name, with_a_past
from .pages import CONNECT_TIMEOUT_S, BlueprintsPage, DevicePage, EnergySettings, IntegrationsPage, log_in
from .screen import TIMEOUT_S, Complaints, Screen, Visitor, form_texts, translations

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""The names that Debian, Ubuntu and others have for it; it is the system's."""
BROWSER_OPTIONS = (
    # Without a user of its own, as in a container, the browser cannot make its sandbox.
    "--no-sandbox",
    # It shall ask nobody but Home Assistant for anything.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
    "--disable-gpu",
)

type Window = Callable[[Visitor], AbstractAsyncContextManager[Screen]]
"""What opens a window for a visitor who is logged in."""

USERNAME = PASSWORD = "dev"
IMPORT_TIMEOUT_S = 180.0 + MIDNIGHT_S
WRONG_PASSWORD = "BA9876543210"
VISITORS = [Visitor(language, phone) for language in LANGUAGES for phone in (False, True)]

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures of a test know that it has failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller say where the pictures go."""
    parser.addoption(
        "--pictures", type=Path, default=CHECKOUT / ".pictures", help="the folder for the pictures (default: .pictures)"
    )


@pytest.fixture(scope="session")
def pictures(pytestconfig: pytest.Config) -> Path:
    """Return the folder of the pictures."""
    folder: Path = pytestconfig.getoption("pictures")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def meter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimulatedMeter]:
    """Run a simulated meter behind a simulated module."""
    link = tmp_path_factory.mktemp("meter") / "ttyUSB0"
    async with SimulatedMeter(link, "--speed", SPEED, "--control", "0", "--module", PRODUCT) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home_assistant(
    tmp_path_factory: pytest.TempPathFactory, meter: SimulatedMeter
) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant with the module plugged in."""
    hass = CHECKOUT / ".venv-develop" / "bin" / "hass"
    assert hass.exists(), f"{hass} is missing: run script/setup"
    folder, port = tmp_path_factory.mktemp("config"), free_port()
    plug_in(folder, meter)
    shutil.copytree(CHECKOUT / "blueprints", folder / "blueprints")
    write_config(folder, port)
    async with HomeAssistant(hass, folder, port, username=USERNAME, password=PASSWORD) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run the browser."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, "there is no Chromium: run script/system browser"
    expect.set_options(timeout=TIMEOUT_S * 1000)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable, args=[*BROWSER_OPTIONS])
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def household(home_assistant: HomeAssistant, meter: SimulatedMeter) -> Household:
    """Return the household, before its meter is added."""
    return await with_a_past(home_assistant, meter)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def logged_in(household: Household, browser: Browser) -> StorageState:
    """Log in, once for all windows, and return what the browser keeps of it."""
    context = await browser.new_context(base_url=household.home_assistant.address)
    page = await context.new_page()
    await log_in(page, USERNAME, PASSWORD)
    state = await context.storage_state()
    await context.close()
    return state


@pytest.fixture(scope="session")
def window(household: Household, browser: Browser, logged_in: StorageState, pictures: Path) -> Window:
    """Return what opens a window for a visitor who is logged in."""

    @asynccontextmanager
    async def opened(visitor: Visitor) -> AsyncIterator[Screen]:
        context = await browser.new_context(
            base_url=household.home_assistant.address, storage_state=logged_in, **visitor.window
        )
        context.set_default_timeout(TIMEOUT_S * 1000)
        complaints = Complaints()
        complaints.listen_to(context)
        screen = Screen(await context.new_page(), visitor, complaints, pictures, household.meter.secrets)
        try:
            yield screen
            if not screen.is_kept:
                await screen.look()
                await screen.no_dialog()
        except BaseException:
            await screen.keep(str(visitor))
            raise
        finally:
            await context.close()

    return opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def added(household: Household, window: Window) -> Household:
    """Add the meter as a user does, with a wrong password first."""
    texts = translations("en")["config"]
    async with window(Visitor("en", phone=False)) as screen:
        integrations = IntegrationsPage(screen)
        await integrations.visit()
        form = await integrations.add()
        await screen.read(*form_texts(form.step, "config", translations("en")))
        await form.choose_port()
        await form.fill(id=household.meter.route_b_id, password=WRONG_PASSWORD)
        # Else the search is over before anybody has read of it.
        await household.meter.switch_on(scan_misses=2)
        await form.submit()
        await screen.read(texts["progress"]["searching"])
        await screen.picture("searching")
        await screen.read(texts["error"]["credentials_refused"], timeout_s=CONNECT_TIMEOUT_S)
        await screen.picture("refused")

        await form.fill(password=household.meter.password)
        await form.submit()
        await expect(form.element.locator("step-flow-create-entry")).to_be_visible(timeout=CONNECT_TIMEOUT_S * 1000)
        await screen.look()
        await form.finish()
    return household


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home(added: Household, window: Window) -> Household:
    """Have all of the meter's log, and in the Energy dashboard, where a user puts it."""
    await log_until(added.home_assistant, IMPORT_TIMEOUT_S)
    language, entry = await added.language(), await added.entry()
    names = translations(language)["entity"]
    async with window(Visitor("en", phone=False)) as screen:
        settings = EnergySettings(screen)
        await settings.visit()
        energy_from, energy_to = (series_name(entry, direction, language) for direction in DIRECTIONS)
        await settings.add_grid_connection(energy_from, energy_to, names["sensor"]["power"]["name"])

        # From now on there is something to see in a graph.
        device = DevicePage(screen, (await added.devices())["meter"]["id"])
        await device.visit()
        await device.turn_on(names["switch"]["boost"]["name"])
    await added.home_assistant.wait_for_state(await entity_of(added.home_assistant, "boost"), is_shown("on"))
    return added


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def automation(added: Household, window: Window) -> Json:
    """Make an automation of a blueprint, as a user does, and return its state."""
    blueprint = (await added.blueprints())["tell_of_trouble"]
    events = translations(await added.language())["entity"]["event"]["events"]["name"]
    async with window(Visitor("en", phone=False)) as screen:
        blueprints = BlueprintsPage(screen)
        await blueprints.visit()
        form = await blueprints.use(blueprint["name"])
        await form.choose(blueprint["input"]["meter"]["input"]["events"]["name"], events)
        await form.select("English")
        await form.save()
        await screen.look()
    (made,) = [one for one in await added.home_assistant.states() if one["entity_id"].startswith("automation.")]
    return made


@pytest.fixture(scope="session", params=VISITORS, ids=str)
def visitor(request: pytest.FixtureRequest) -> Visitor:
    """Return who looks at it."""
    one: Visitor = request.param
    return one


@pytest_asyncio.fixture(loop_scope="session")
async def screen(
    request: pytest.FixtureRequest, added: Household, visitor: Visitor, window: Window
) -> AsyncIterator[Screen]:
    """Open a window for the visitor; what must never be seen is looked for once more when it is closed."""
    await added.speak(visitor.language)
    async with window(visitor) as opened:
        yield opened
        if FAILED in request.node.stash:
            await opened.keep(request.node.name)
