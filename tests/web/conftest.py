"""The portal as one application, and a browser that is already logged in.

The log-in is written by the portal's own session store; the real one, through Keycloak, is in test_login_servers.py.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flows.approval.people import Caller
from flows.settings import load
from tests.database import Database
from tests.web.client import Browser
from web.app import create_app
from web.login import session_content, session_store
from web.sessions import COOKIE

SETTINGS = {
    "NASTUP_PORTAL__ADDRESS": "https://portal.example",
    "NASTUP_PORTAL__PORT": "8400",
    "NASTUP_PORTAL__PREFECT_ADDRESS": "https://prefect.example",
    "NASTUP_OIDC__ISSUER": "https://id.example/realms/nastup",
    "NASTUP_OIDC__CLIENT_SECRET": "not used here",
}
LogIn = Callable[[Caller], Browser]


@pytest.fixture
def app(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    yield create_app()
    load.cache_clear()


@pytest.fixture
def stranger(app: Any) -> Browser:
    """Nobody has logged in."""
    return Browser(app)


@pytest.fixture
def log_in(app: Any) -> LogIn:
    def browser(person: Caller) -> Browser:
        made = Browser(app)
        made.http.cookies.set(COOKIE, session_of(person), domain="portal.example")
        return made

    return browser


def session_of(person: Caller) -> str:
    claims = {"sub": f"subject-{person.person}", "sid": f"sid-{person.person}", "roles": sorted(person.roles)}
    claims |= {"amr": ["pwd", "otp"]} if person.second_factor else {"amr": ["pwd"]}
    return session_store().create(session_content(person.person, person.name, claims, {"refresh_token": "r", "id_token": "i"}))
