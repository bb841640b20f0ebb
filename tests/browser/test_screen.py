"""What must never be seen is found: so that no test passes because it looks at nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser
import pytest
import pytest_asyncio

from development.child_process import free_port

from .screen import Complaints, Screen, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHIN = """text => {
    const outer = document.body.appendChild(document.createElement("x-outer")).attachShadow({mode: "open"});
    outer.innerHTML = "<x-inner><span></span></x-inner>";
    outer.querySelector("x-inner").attachShadow({mode: "open"}).innerHTML = "<p>Fine:</p><slot></slot>";
    outer.querySelector("span").textContent = text;
}"""
"""Puts a text where Home Assistant has most of its texts: into the slot of an element within another."""
SECRETS = ["0123456789AB", "BA9876543210"]
SOON_S = 0.2


@pytest_asyncio.fixture(loop_scope="session")
async def blank(browser: Browser, tmp_path: Path) -> AsyncIterator[Screen]:
    """Open a window on an empty page."""
    context = await browser.new_context()
    complaints = Complaints()
    complaints.listen_to(context)
    yield Screen(await context.new_page(), Visitor("en", phone=False), complaints, tmp_path, SECRETS)
    await context.close()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "component.broute.title",
            "ui.panel.config.title",
            "scan_interval",
            "History: history_days",
            "{name} is missing",
        ),
        *("undefined kWh", "NaN", "Invalid Date", "[object Object]", "Unknown error", "不明なエラーが発生しました"),
    ],
)
async def test_text_without_sense_is_found(blank: Screen, text: str) -> None:
    await blank.page.evaluate(WITHIN, text)
    with pytest.raises(AssertionError, match="reads"):
        await blank.look()


@pytest.mark.parametrize(
    "text", ["Power", "/dev/serial/by-id/usb-Wi_SUN_module", "sensor.b_route_power", "{{ title }}", "broute: 30 days"]
)
async def test_text_with_sense_is_let_pass(blank: Screen, text: str) -> None:
    await blank.page.evaluate(WITHIN, text)
    await blank.look()
    assert await blank.texts() == ["Fine:", text]


@pytest.mark.parametrize("style", ["display: none", "visibility: hidden", "opacity: 0"])
async def test_what_is_not_visible_is_no_text(blank: Screen, style: str) -> None:
    await blank.page.set_content(f"<p style='{style}'>scan_interval</p>")
    assert await blank.texts() == []


async def test_text_that_is_missing_is_told(blank: Screen) -> None:
    await blank.page.evaluate(WITHIN, "One two three")
    await blank.read("Fine:", "One **two** [three](https://example.org)")
    with pytest.raises(AssertionError, match="cannot read"):
        await blank.read("four", timeout_s=SOON_S)


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ("console.error('something')", "console"),
        ("console.warn('component.broute has no such text')", "console"),
        ("setTimeout(() => { throw new Error('something') })", "pageerror"),
        ("fetch('http://127.0.0.1:{port}/').catch(() => null)", "requestfailed"),
    ],
)
async def test_complaint_of_the_browser_is_told_once(blank: Screen, script: str, event: str) -> None:
    async with blank.page.expect_event(event):
        await blank.page.evaluate(f"() => {{{script.replace('{port}', str(free_port()))}}}")
    with pytest.raises(AssertionError, match="at about:blank"):
        await blank.look()
    await blank.look()


async def test_open_dialog_is_found(blank: Screen) -> None:
    await blank.page.set_content("<dialog>Fine</dialog>")
    await blank.no_dialog(SOON_S)
    await blank.page.locator("dialog").evaluate("dialog => dialog.showModal()")
    with pytest.raises(AssertionError):
        await blank.no_dialog(SOON_S)


@pytest.mark.parametrize("shown", ["<p style='font-family: monospace'>{}</p>", "<input value='{}'>"])
async def test_secrets_are_covered_in_a_picture(blank: Screen, tmp_path: Path, shown: str) -> None:
    taken = {}
    for text in (*SECRETS, "ABCDEFGHIJKL"):
        await blank.page.set_content(shown.format(text))
        await blank.picture("device")
        taken[text] = (tmp_path / "device.png").read_bytes()
    first, second, other = taken.values()
    assert first == second != other
