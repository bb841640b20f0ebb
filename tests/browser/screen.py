"""A window of a browser on Home Assistant, and what must never be seen in it.

Below: playwright. Above: the pages. Whatever is visited is looked through, whatever the test is about: for texts that
are missing or make no sense, and for complaints of the browser.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
import json
from pathlib import Path
import re
from typing import Any, Final

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    TimeoutError as PlaywrightTimeoutError,
    WebError,
    expect,
)

from development.config import INTEGRATION
from development.websocket import Json

from .pictures import file_name

TIMEOUT_S: Final = 20.0
"""For whatever a user gets at once."""
POLL_MS: Final = 100
"""How often a page is looked at that is still to show something: most of it has no event for that."""

_VISIBLE_TEXTS: Final = """root => {
    const texts = [];
    const walk = node => {
        if (node.nodeType === Node.TEXT_NODE) {
            const text = node.textContent.replace(/\\s+/g, " ").trim();
            if (text) texts.push(text);
            return;
        }
        if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.tagName)) return;
        // An element without a box of its own cannot be visible; what is in it can.
        if (getComputedStyle(node).display !== "contents"
            && !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) return;
        const assigned = node.tagName === "SLOT" ? node.assignedNodes() : [];
        (assigned.length ? assigned : (node.shadowRoot ?? node).childNodes).forEach(walk);
    };
    walk(root ?? document.body);
    return texts;
}"""
"""Gathers the texts that are shown, in the order of the page, whatever custom elements they are in."""

_SHOWS: Final = f"""wanted => {{
    const shown = ({_VISIBLE_TEXTS})().join("").replace(/\\s+/g, "");
    return wanted.every(text => shown.includes(text));
}}"""

SENSELESS: Final = re.compile(
    r"""
      \bcomponent\.\w | \bui\.[a-z]+\.                 # a key of a translation
    | (?<![\w./:-])[a-z]+(?:_[a-z0-9]+)+(?![\w./:-])    # the name of a field, of a state, of a reason
    | \{\w+\}                                           # a value that was not filled in
    | \bundefined\b | \bNaN\b | \bInvalid\ Date\b | \[object\ Object\]
    | \bunknown\ error\b | 不明なエラー
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What no text that is shown may have in it."""

_OTHERS_BRANDS: Final = re.compile(r"/api/brands/(?!integration/broute/)|//brands\.home-assistant\.io/")
"""The icons of Home Assistant's own integrations: it fetches them from the internet, where there is one."""


@cache
def translations(language: str) -> Any:
    """Return the integration's texts as they are in the repository."""
    return json.loads((INTEGRATION / "translations" / f"{language}.json").read_text("utf-8"))


def plain(text: str) -> str:
    """Return a text without what Markdown makes of it, and without blanks: as it can be looked for in a page."""
    without_links = re.sub(r"\[(.+?)\]\(\S+?\)", r"\1", text)
    return re.sub(r"\s+", "", re.sub(r"^(?:\d+\.|-) |[*`]", "", without_links, flags=re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who looks at Home Assistant.

    Attributes:
        language: "en" or "ja".
        phone: whether on a phone, upright, or else at a desk.
    """

    language: str
    phone: bool

    def __str__(self) -> str:
        """Name the visitor."""
        return f"{self.language}-{'phone' if self.phone else 'desktop'}"

    @property
    def texts(self) -> Any:
        """The integration's texts in the visitor's language."""
        return translations(self.language)

    @property
    def window(self) -> dict[str, Any]:
        """What kind of window this is, in playwright's terms."""
        return {
            "device_scale_factor": 2 if self.phone else 1,
            "has_touch": self.phone,
            "is_mobile": self.phone,
            # Charts and dialogs are at once what they will be.
            "reduced_motion": "reduce",
            "locale": {"en": "en-US", "ja": "ja-JP"}[self.language],
            "timezone_id": "Asia/Tokyo",
            "viewport": {"width": 390, "height": 844} if self.phone else {"width": 1280, "height": 960},
        }


@dataclass
class Complaints:
    """What the browser has complained of and nobody has looked at yet.

    All errors on the console count, all that was not caught and all that could not be loaded, but for the icons of
    other integrations; of the warnings those that name this integration.
    """

    untold: list[str] = field(default_factory=list)

    def listen_to(self, context: BrowserContext) -> None:
        """Take what is complained of in all windows of a context."""
        context.on("console", self._take_message)
        context.on("weberror", self._take_error)
        context.on("response", self._take_response)
        context.on("requestfailed", self._take_failure)

    def tell(self) -> list[str]:
        """Return what there is, once."""
        told, self.untold = self.untold, []
        return told

    def _take_message(self, message: ConsoleMessage) -> None:
        # What could not be loaded is told with its address below.
        if message.text.startswith("Failed to load resource:"):
            return
        if message.type == "error" or (message.type == "warning" and "broute" in message.text):
            self.untold.append(f"{message.type} on the console: {message.text}")

    def _take_error(self, error: WebError) -> None:
        self.untold.append(f"not caught: {error.error}")

    def _take_response(self, response: Response) -> None:
        if response.status >= 400 and not _OTHERS_BRANDS.search(response.url):
            self.untold.append(f"{response.status}: {response.url}")

    def _take_failure(self, request: Request) -> None:
        # Whoever leaves a page does not wait for what it still wanted.
        if request.failure != "net::ERR_ABORTED" and not _OTHERS_BRANDS.search(request.url):
            self.untold.append(f"{request.failure}: {request.url}")


class Screen:
    """A window on Home Assistant.

    Attributes:
        page: playwright's.
        visitor: who looks at it.
        is_kept: whether something has failed in it, which was kept.
    """

    def __init__(
        self, page: Page, visitor: Visitor, complaints: Complaints, pictures: Path, secrets: Sequence[str]
    ) -> None:
        """Open nothing yet.

        Args:
            page: playwright's.
            visitor: who looks at it.
            complaints: what the browser complains of.
            pictures: the folder of the pictures.
            secrets: what no picture may show.
        """
        self.page = page
        self.visitor = visitor
        self.is_kept = False
        self._complaints = complaints
        self._pictures = pictures
        self._secrets = secrets

    async def visit(self, path: str) -> None:
        """Go to a page of Home Assistant's."""
        await self.page.goto(path)
        await expect(self.page.locator("home-assistant-main")).to_be_attached()

    async def label(self, key: str, **values: str) -> str:
        """Return a text of Home Assistant's own in the visitor's language."""
        handle = await self.page.wait_for_function(
            "([key, values]) => document.querySelector('home-assistant')?.hass?.localize(key, values)",
            arg=[key, values],
            polling=POLL_MS,
        )
        return str(await handle.json_value())

    async def texts(self, part: Locator | None = None) -> list[str]:
        """Return what can be read, or could after scrolling, on the page or a part of it."""
        found: list[str] = await (self.page.evaluate(_VISIBLE_TEXTS) if part is None else part.evaluate(_VISIBLE_TEXTS))
        return found

    async def read(self, *texts: str, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until all these texts can be read, and look through the page."""
        wanted = [plain(text) for text in texts]
        try:
            await self.page.wait_for_function(_SHOWS, arg=wanted, polling=POLL_MS, timeout=timeout_s * 1000)
        except PlaywrightTimeoutError:
            shown = await self.texts()
            whole = re.sub(r"\s+", "", "".join(shown))
            missing = [text for text in texts if plain(text) not in whole]
            raise AssertionError(f"{self.visitor} cannot read {missing} in {shown}") from None
        await self.look()

    async def look(self) -> None:
        """Look through what is shown, and at what the browser complains of."""
        senseless = [text for text in await self.texts() if SENSELESS.search(text)]
        assert not senseless, f"{self.visitor} reads {senseless} at {self.page.url}"
        complaints = self._complaints.tell()
        assert not complaints, f"{complaints} at {self.page.url}"

    async def picture(self, name: str) -> None:
        """Take a picture for the documents; what is secret in it is covered."""
        await self.look()
        typed = await self.page.locator("input:visible").all()
        covers = [field for field in typed if await field.input_value() in self._secrets]
        covers += [self.page.get_by_text(secret) for secret in self._secrets]
        await self.page.screenshot(
            path=self._pictures / file_name(name, self.visitor.language),
            animations="disabled",
            caret="hide",
            mask=covers,
            mask_color="#9aa0a6",
        )

    async def no_dialog(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until no dialog is open."""
        await expect(self.page.locator("dialog[open]:visible")).to_have_count(0, timeout=timeout_s * 1000)

    async def keep(self, name: str) -> None:
        """Keep what is shown, for whoever looks for the cause of a failure."""
        self.is_kept = True
        await self.page.screenshot(path=self._pictures / f"failed-{name}.png")


def form_texts(step: Json, part: str, texts: Any) -> list[str]:
    """Return all that has to be read in a form once its sections are open.

    Args:
        step: the form, as Home Assistant's server describes it.
        part: what kind of form it is: `config` or `options`.
        texts: the integration's, in one language.

    Raises:
        KeyError: a text, or a value in it, is missing.
    """
    of_step = texts[part]["step"][step["step_id"]]
    values = step.get("description_placeholders") or {}
    fields = _field_texts(step["data_schema"], of_step, texts["selector"])
    wanted = [of_step["title"], of_step.get("description", ""), *fields]
    return [text.format(**values) for text in wanted]


def _field_texts(fields: Iterable[Json], texts: Any, of_selectors: Any) -> Iterable[str]:
    for one in fields:
        name = one["name"]
        if one.get("type") == "expandable":
            section = texts["sections"][name]
            yield section["name"]
            yield section["description"]
            yield from _field_texts(one["schema"], section, of_selectors)
        else:
            yield texts["data"][name]
            yield texts["data_description"][name]
            if select := one["selector"].get("select"):
                yield from (of_selectors[select["translation_key"]]["options"][value] for value in select["options"])


def blueprint_texts(blueprint: Json) -> list[str]:
    """Return all that has to be read in the form of a blueprint, as Home Assistant's server describes it."""
    texts = [blueprint["name"], blueprint.get("description") or ""]
    for one in blueprint["input"].values():
        # It may be a section.
        texts += blueprint_texts({"input": {}, **one})
    return texts
