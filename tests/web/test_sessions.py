"""A log-in on the server: what a cookie is worth, when it ends, and who may end it."""

import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from authlib.integrations.starlette_client import OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from flows.settings import Oidc, load
from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser
from tests.web.conftest import LogIn, session_of
from tests.web.test_filing import rows
from web.login import session_store
from web.logout_token import EVENT
from web.sessions import COOKIE, Store


def age(database: Database, **values: str) -> None:
    with database.superuser() as db:
        for column, moment in values.items():
            db.execute(f"UPDATE web_session SET {column} = {moment}".encode())


def test_the_table_holds_neither_the_cookie_nor_a_readable_token(cast: Cast, app: Any, database: Database) -> None:
    value = session_of(cast.director)
    (row,) = rows(database, "web_session")
    assert row["id"] == hashlib.sha256(value.encode()).hexdigest()
    assert b"refresh" not in bytes(row["data"])
    assert value.encode() not in bytes(row["data"])


def test_a_session_ends_after_half_an_hour_without_a_request(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    age(database, expires_at="now() + interval '10 minutes'")
    browser.get("/")
    with database.superuser() as db:
        assert db.execute("SELECT expires_at > now() + interval '29 minutes' FROM web_session").fetchone() == (True,)
    age(database, expires_at="now() - interval '1 second'")
    answer = browser.http.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?back=/")


def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    age(database, expires_at="now() + interval '10 minutes'")
    browser.fragment("/requests/P-2026-9999/progress", 404)
    with database.superuser() as db:
        assert db.execute("SELECT expires_at < now() + interval '11 minutes' FROM web_session").fetchone() == (True,)


def test_no_session_outlives_a_working_day(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    age(database, created_at="now() - interval '7 hours 59 minutes'", expires_at="now() + interval '5 minutes'")
    browser.get("/")
    with database.superuser() as db:
        assert db.execute("SELECT expires_at < now() + interval '2 minutes' FROM web_session").fetchone() == (True,)


def test_an_invented_cookie_opens_nothing_and_is_never_taken_over(cast: Cast, stranger: Browser, database: Database) -> None:
    stranger.http.cookies.set(COOKIE, "invented", domain="portal.example")
    assert stranger.http.get("/", follow_redirects=False).status_code == 303
    assert rows(database, "web_session") == []


def test_a_session_ended_elsewhere_is_not_written_back_by_a_request_on_its_way(cast: Cast, app: Any, database: Database) -> None:
    store = session_store()
    value = session_of(cast.director)
    stored = store.read(value)
    assert stored is not None
    store.remove_of("subject-x", f"sid-{cast.director.person}")
    assert store.write(value, stored.content | {"notice": "late"}) is False
    assert rows(database, "web_session") == []


def test_expired_sessions_are_swept_by_the_next_log_in(cast: Cast, app: Any, database: Database) -> None:
    session_of(cast.director)
    age(database, expires_at="now() - interval '1 day'")
    session_of(cast.clerk)
    assert [row["person_id"] for row in rows(database, "web_session")] == [cast.clerk.person]


def test_the_cookie_is_bound_to_the_host_and_hidden_from_scripts(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    answer = browser.http.post("/logout", follow_redirects=False)
    (cookie,) = [value for name, value in answer.headers.multi_items() if name == "set-cookie"]
    assert cookie.startswith("__Host-nastup=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_logging_out_ends_the_session_here_even_when_the_identity_server_is_down(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    answer = browser.http.post("/logout", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://portal.example/logout")
    assert rows(database, "web_session") == []


# ---- does it still hold?


class Identity:
    """An identity server that answers a refresh as it is told."""

    def __init__(self, answer: Mapping[str, Any] | Exception, keys: KeySet | None = None) -> None:
        self.answer, self.keys, self.asked = answer, keys, 0

    async def fetch_access_token(self, **_: Any) -> dict[str, str]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"id_token": "new", "refresh_token": "new"}

    async def parse_id_token(self, _token: Any, nonce: str | None) -> Mapping[str, Any]:
        assert isinstance(self.answer, Mapping)
        return self.answer

    async def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        assert self.keys is not None
        return dict(self.keys.as_dict(private=False))


def portal_of(app: Any) -> Any:
    """The FastAPI application inside the protection around it."""
    return app.app


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    def minutes(n: float) -> None:
        now = time.time()
        monkeypatch.setattr("web.login.time.time", lambda: now + n * 60)

    return minutes


def test_the_identity_server_is_asked_once_in_five_minutes_and_new_roles_count(cast: Cast, app: Any, log_in: LogIn, later: Any) -> None:
    browser = log_in(cast.approver)
    identity = Identity({"sub": f"subject-{cast.approver.person}", "roles": []})
    portal_of(app).state.identity = identity
    browser.get("/queue")
    assert identity.asked == 0
    later(6)
    browser.get("/queue", 404)
    browser.get("/queue", 404)
    assert identity.asked == 1


@pytest.mark.parametrize("answer", [OAuthError("invalid_grant"), {"sub": "somebody else", "roles": []}])
def test_a_no_of_the_identity_server_logs_out(cast: Cast, app: Any, log_in: LogIn, later: Any, answer: Any, database: Database) -> None:
    browser = log_in(cast.director)
    portal_of(app).state.identity = Identity(answer)
    later(6)
    assert browser.http.get("/", follow_redirects=False).headers["location"] == "/login?back=/"
    assert rows(database, "web_session") == []


def test_a_silent_identity_server_is_forgiven_for_a_while_only(cast: Cast, app: Any, log_in: LogIn, later: Any) -> None:
    browser = log_in(cast.director)
    portal_of(app).state.identity = Identity(httpx2.ConnectError("down"))
    later(6)
    browser.get("/")
    later(16)
    assert browser.http.get("/", follow_redirects=False).status_code == 303


# ---- back-channel log-out

KEY = RSAKey.generate_key(2048, parameters={"kid": "ours", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, parameters={"kid": "ours", "use": "sig", "alg": "RS256"})


def logout_token(key: RSAKey = KEY, **changed: Any) -> str:
    oidc = load().need(Oidc)
    claims = {"iss": oidc.issuer, "aud": oidc.client_id, "iat": int(time.time()), "jti": "one", "events": {EVENT: {}}} | changed
    return jwt.encode({"alg": "RS256", "kid": "ours"}, {name: value for name, value in claims.items() if value is not None}, key)


@pytest.fixture
def hearing(app: Any) -> Browser:
    portal_of(app).state.identity = Identity({}, KeySet([KEY]))
    browser = Browser(app)
    browser.http.headers.pop("sec-fetch-site")
    return browser


def tell(browser: Browser, token: str) -> int:
    return browser.http.post("/logout/backchannel", data={"logout_token": token}).status_code


def test_the_identity_server_ends_one_session_by_its_id_or_all_of_a_subject(cast: Cast, hearing: Browser, database: Database) -> None:
    for person in (cast.director, cast.clerk, cast.approver):
        session_of(person)
    assert tell(hearing, logout_token(sid=f"sid-{cast.director.person}", jti="a")) == 200
    assert tell(hearing, logout_token(sub=f"subject-{cast.clerk.person}", jti="b")) == 200
    assert [row["person_id"] for row in rows(database, "web_session")] == [cast.approver.person]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-client"},
        {"events": {"something": {}}},
        {"events": None},
        {"nonce": "n"},
        {"jti": None},
        {"sub": None},
        {"iat": int(time.time()) + 3600},
        {"key": OTHER},
    ],
)
def test_a_token_that_is_not_a_log_out_for_us_ends_nothing(cast: Cast, hearing: Browser, database: Database, wrong: dict[str, Any]) -> None:
    session_of(cast.director)
    assert tell(hearing, logout_token(**{"sub": f"subject-{cast.director.person}"} | wrong)) == 400
    assert len(rows(database, "web_session")) == 1


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_what_is_no_token_is_refused(cast: Cast, hearing: Browser, token: str) -> None:
    assert tell(hearing, token) == 400


def test_a_log_out_token_works_once(cast: Cast, hearing: Browser, database: Database) -> None:
    token = logout_token(sub=f"subject-{cast.director.person}")
    session_of(cast.director)
    assert tell(hearing, token) == 200
    session_of(cast.director)
    assert tell(hearing, token) == 400
    assert len(rows(database, "web_session")) == 1


def test_a_content_sealed_for_one_cookie_opens_with_no_other(app: Any, database: Database) -> None:
    store = Store(timedelta(minutes=1), timedelta(hours=1))
    one, other = store.create({"a": 1}), store.create({"a": 2})
    with database.superuser() as db:
        data = {row["id"]: row["data"] for row in rows(database, "web_session")}
        swapped = data[hashlib.sha256(other.encode()).hexdigest()]
        db.execute("UPDATE web_session SET data = %s WHERE id = %s", (swapped, hashlib.sha256(one.encode()).hexdigest()))
    assert store.read(one) is None
