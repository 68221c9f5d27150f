"""The test installation as people meet it: its portal, Keycloak's pages, the demo's log-ins, the caught mail."""

import base64
import random
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
from playwright.sync_api import Locator, Page
from pyotp.totp import TOTP

from infra.seed.cast import Member
from infra.seed.credentials import Credentials, known
from infra.state import State
from tests.journeys.chromium import objections

MOST_FORMS = 8  # name, password, code; and codes that were used a moment ago
PERIOD = 30  # seconds that a code lives
ARRIVES_WITHIN = 60  # seconds
LINK = re.compile(r"https?://[^\s<>\"]*action-token[^\s<>\"]*")


class Installation:
    """`looked_at` are the objections of axe to the pages of Keycloak that were passed on the way."""

    def __init__(self, state: State, pictures: Path | None) -> None:
        self.state, self.pictures = state, pictures
        self.portal, self.identity = state.address("portal"), state.address("keycloak")
        self.looked_at: dict[str, list[str]] = {}

    def log_in(self, page: Page, member: Member, *, look: bool = False) -> None:
        """From the portal's log-in through Keycloak's pages and back."""
        page.goto(f"{self.portal}/login")
        self.fill_log_in(page, member.user_name, known(self.state)[member.user_name], look=look)
        assert page.url.startswith(self.portal), f"{member.name} is still at {page.url}: {page.locator('body').inner_text()[:300]}"

    def fill_log_in(self, page: Page, user_name: str, credentials: Credentials, *, look: bool = False) -> None:
        codes = _codes(credentials.totp)
        for _ in range(MOST_FORMS):
            if not page.url.startswith(self.identity):
                return
            name, password, code = page.locator("#username"), page.locator("#password"), page.locator("#otp")
            kind = "code" if _is_asked(code) else "password" if _is_asked(password) else "name"
            if look:
                self.look(page, f"log-in {kind}")
            if _is_asked(name):
                name.fill(user_name)
            if _is_asked(password):
                password.fill(credentials.password)
            if _is_asked(code):
                code.fill(next(codes))
            page.locator("#kc-login").click()
            page.wait_for_load_state()

    def activate(self, page: Page, private_address: str) -> Credentials:
        """Opens the link of the letter and sets a second factor and a password, as the person would. Every page is looked at."""
        page.goto(self.link_for(private_address))
        self.look(page, "activation begins")
        page.locator("a[href*=action-token]").click()
        page.wait_for_load_state()
        password, seed = f"Heslo-{secrets.token_hex(6)}", ""
        for _ in range(MOST_FORMS):
            if _is_asked(page.locator("#totp")):
                seed = page.locator("input[name=totpSecret]").input_value()
                self.look(page, "activation second factor")
                page.locator("#totp").fill(TOTP(base64.b32encode(seed.encode()).decode().rstrip("=")).now())
                page.locator("#userLabel").fill("telefon")
                page.locator("#saveTOTPBtn").click()
            elif _is_asked(page.locator("#password-new")):
                self.look(page, "activation password")
                page.locator("#password-new").fill(password)
                page.locator("#password-confirm").fill(password)
                page.locator("[type=submit]:visible").first.click()
            else:
                break
            page.wait_for_load_state()
        self.look(page, "activation ends")
        return Credentials(password, seed)

    def link_for(self, private_address: str) -> str:
        """The link in the letter that Keycloak sent to this private address."""
        ends = time.monotonic() + ARRIVES_WITHIN
        while time.monotonic() < ends:
            letters = httpx2.get(f"{self.state.address('catcher')}/letters.json", timeout=30).raise_for_status().json()
            for letter in letters:
                if private_address in letter["recipients"] and (found := LINK.search(letter["text"])):
                    return found[0]
            time.sleep(0.5)
        raise AssertionError(f"no activation letter came to {private_address}")

    def look(self, page: Page, name: str) -> None:
        size = page.viewport_size
        self.looked_at[name] = objections(page, self.pictures, f"keycloak-{name.replace(' ', '-')}")
        page.set_viewport_size(size or {"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")


def _is_asked(field: Locator) -> bool:
    return field.count() > 0 and field.is_visible() and field.is_editable()


def _codes(totp: TOTP) -> Iterator[str]:
    """Codes that were not used yet: this one, the next one, then one every half minute."""
    yield totp.now()
    yield totp.at(int(time.time()) + PERIOD)
    while True:
        time.sleep(PERIOD - time.time() % PERIOD)
        yield totp.at(int(time.time()) + PERIOD)


def new_name() -> tuple[str, str]:
    """A given and a family name that nobody of this installation has: tests may be repeated on it."""
    syllables = random.SystemRandom().sample(["ře", "ču", "ďa", "ně", "ší", "ža", "mo", "ky", "lo", "tě", "vů", "bá", "ro", "pi", "du"], 5)
    return "Ludmila", "".join(syllables).capitalize() + "ová"
