"""Chromium as Debian has it, and what holds of every page that it shows: no error in its console, nothing that axe objects to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

PROGRAM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
TELEPHONE, COMPUTER = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOOKS = [(size, scheme) for size in (TELEPHONE, COMPUTER) for scheme in ("light", "dark")]
PATIENCE = 30_000  # milliseconds; the machine may be busy
AXE = "async options => (await axe.run(document, {resultTypes: ['violations'], preload: false, ...options})).violations"
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # all that the dark look can spoil: it changes no element and no size
# what a person would have to move sideways for: the page itself, and whatever sticks out of it
TOO_WIDE = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
  [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .slice(0, 5).map(e => e.outerHTML.slice(0, 160))"""


@contextmanager
def started() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Person:
    """One person's browser: a context with its own cookies, and what its console said."""

    def __init__(
        self, browser: Browser, *, script: bool = True, language: str = "cs-CZ", cookies: Mapping[str, str] | None = None, at: str = ""
    ) -> None:
        self.context: BrowserContext = browser.new_context(java_script_enabled=script, locale=language, viewport=COMPUTER)  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        for name, value in (cookies or {}).items():
            kept = {"name": name, "value": value, "domain": str(urlsplit(at).hostname), "path": "/"}
            self.context.add_cookies([{**kept, "secure": True, "httpOnly": True, "sameSite": "Lax"}])  # type: ignore[list-item]
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium writes the status of the page itself into the console; the test expects that one
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def close(self) -> None:
        self.context.close()


def objections(page: Page, pictures: Path | None = None, name: str = "") -> list[str]:
    """What is wrong with the page that is open, on a telephone and a computer, light and dark. One line each."""
    found: list[str] = []
    for size, scheme in LOOKS:
        look = f"{size['width']} {scheme}"
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(AXE_SCRIPT)
        found += [f"{look}: {each['id']}: {_where(each)}" for each in page.evaluate(AXE, COLOURS if scheme == "dark" else {})]
        found += [f"{look}: sticks out: {each}" for each in page.evaluate(TOO_WIDE)]
        if pictures:
            page.screenshot(path=pictures / f"{name}-{look.replace(' ', '-')}.png", full_page=True)
    return found


def _where(violation: Mapping[str, object]) -> str:
    nodes: list[dict[str, object]] = violation["nodes"]  # type: ignore[assignment]
    return f"{violation['help']}: " + "; ".join(f"{node['target']} {str(node.get('failureSummary', ''))[:300]}" for node in nodes[:3])
