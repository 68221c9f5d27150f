"""What a person does at Keycloak's pages: log in with password and code, and open an account by the activation link."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx2

from infra.demo.browser import Browser, Page
from infra.demo.trouble import NotProved
from infra.seed.credentials import Credentials
from infra.servers.realm import REALM
from infra.state import State

MOST_FORMS = 8  # name, password, code, and a code that was used a moment ago
PERIOD = 30  # seconds that a code lives


def log_in(browser: Browser, page: Page, user_name: str, credentials: Credentials, stop: str = "\0") -> Page:
    """Fills Keycloak's forms until they lead elsewhere. A code that was just used is refused, so the next one is taken, then waited for."""
    codes = _codes(credentials)
    for _ in range(MOST_FORMS):
        form = page.form("username") or page.form("password") or page.form("otp")
        if form is None or "/login-actions/" not in form.action:
            return page
        typed = {"username": user_name, "password": credentials.password}
        typed = {name: value for name, value in typed.items() if name in form.names}
        if "otp" in form.names:
            typed["otp"] = next(codes)
        page = browser.send(page, form, typed, stop)
    raise NotProved(f"{user_name} could not log in. The page says: {page.says}")


_used: set[tuple[str, str]] = set()  # by this process: a refused code counts against the account


def _codes(credentials: Credentials) -> Iterator[str]:
    for code in (credentials.totp.now(), credentials.totp.at(int(time.time()) + PERIOD)):  # one step ahead is accepted
        if (credentials.seed, code) not in _used:
            _used.add((credentials.seed, code))
            yield code
    while True:
        time.sleep(PERIOD - time.time() % PERIOD)
        yield credentials.totp.at(int(time.time()) + PERIOD)


def activate(browser: Browser, link: str, password: str, remember: Callable[[Credentials], None]) -> Page:
    """Opens the link of the activation letter and sets a second factor and a password. `remember` is told before anything is sent."""
    page = browser.get(link)
    onward = page.link("action-token")  # an information page comes first, so that a mail scanner does not use the link up
    if onward is None:
        raise NotProved(f"The activation link does not open. The page says: {page.says}")
    page, seed, password_is_set = browser.get(onward), "", False
    for _ in range(MOST_FORMS):
        if form := page.form("totpSecret"):
            kept = Credentials(password, form.fields["totpSecret"])
            remember(kept)
            code = next(_codes(kept))
            page, seed = browser.send(page, form, {"totp": code, "userLabel": "telefon"}), kept.seed
        elif form := page.form("password-new"):
            page, password_is_set = browser.send(page, form, {"password-new": password, "password-confirm": password}), True
        else:
            break
    if page.status != 200 or not seed or not password_is_set or page.form("totpSecret") or page.form("password-new"):
        raise NotProved(f"The activation did not end. The page says: {page.says}")
    return page


def mail_token(state: State, user_name: str, credentials: Credentials) -> str:
    """A token for IMAP and SMTP, as a mail program gets it: code and PKCE, with the person at the log-in page."""
    realm = f"{state.address('keycloak')}/realms/{REALM}/protocol/openid-connect"
    verifier, back = secrets.token_urlsafe(48), "http://127.0.0.1:1/"  # the program's own address; nobody has to listen there
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": "mail-client",
        "redirect_uri": back,
        "scope": "openid mail",
        "state": secrets.token_hex(8),
    }
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    with Browser() as browser:
        page = browser.get(f"{realm}/auth?{httpx2.QueryParams(asked)}", stop=back)
        page = log_in(browser, page, user_name, credentials, stop=back)
    code = dict(parse_qsl(urlsplit(page.url).query)).get("code")
    if not code:
        raise NotProved(f"{user_name} got no token for the mail program. The page says: {page.says}")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": "mail-client", "code_verifier": verifier}
    answer = httpx2.post(f"{realm}/token", data=form, timeout=30)
    if not answer.is_success:
        raise NotProved(f"Keycloak gave no token for the mail program: {answer.text[:200]}")
    return answer.json()["access_token"]
