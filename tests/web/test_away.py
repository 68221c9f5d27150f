"""When the database or the identity server is away: a page that says so and the way back, and nothing of a person is lost."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flows.settings import load
from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser
from tests.web.conftest import LogIn, session_of
from tests.web.test_filing import NEW, good_answers, rows
from web.app import create_app
from web.sessions import COOKIE

DEAD = "127.0.0.1:1"


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing listens where the database should be, inside the block."""

    @contextmanager
    def away() -> Iterator[None]:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("NASTUP_DATABASE__URL", f"postgresql+psycopg://nastup_portal:x@{DEAD}/portal")
            load.cache_clear()
            yield
        load.cache_clear()

    return away


def test_without_the_database_a_person_reads_that_a_part_is_away(cast: Cast, log_in: LogIn, without_database: Any) -> None:
    browser = log_in(cast.director)
    with without_database():
        page = browser.get("/requests", 503)
        assert "Část portálu teď neodpovídá" in page.text
        assert "podporu" not in page.text  # no reference: it is no mistake of ours
        assert "OperationalError" not in page.html
    assert browser.get("/requests").path == "/requests"  # the log-in is still there


def test_without_the_database_a_form_is_not_taken_and_may_be_sent_again(
    cast: Cast, log_in: LogIn, database: Database, without_database: Any
) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW)
    with without_database():
        browser.send(form, NEW, 503, **good_answers())
    assert rows(database, "onboarding_request") == []
    assert browser.send(form, NEW, **good_answers()).path.endswith("/check")


def test_without_the_database_a_fragment_stays_and_asks_again(cast: Cast, log_in: LogIn, without_database: Any) -> None:
    browser = log_in(cast.director)
    with without_database():
        answer = browser.fragment("/requests/P-2026-0001/progress", 503)
    assert answer.headers["hx-reswap"] == "none"


@contextmanager
def gone_at(app: Any, moment: str, without_database: Any) -> Iterator[None]:
    """The database goes after the session was read, or before it is written."""
    store = app.app.state.sessions  # inside the security headers
    real, gone = getattr(store, moment), without_database()

    def first(*words: Any) -> Any:
        if moment == "write":
            gone.__enter__()
            return real(*words)
        found = real(*words)
        gone.__enter__()
        return found

    setattr(store, moment, first)
    try:
        yield
    finally:
        setattr(store, moment, real)
        gone.__exit__(None, None, None)


def test_a_database_that_goes_away_in_the_middle_of_a_page_is_told_alike(
    cast: Cast, log_in: LogIn, app: Any, without_database: Any
) -> None:
    browser = log_in(cast.director)
    with gone_at(app, "read", without_database):
        assert "Část portálu teď neodpovídá" in browser.get("/requests", 503).text


def test_a_draft_whose_answer_was_lost_with_the_database_is_saved_once(
    cast: Cast, log_in: LogIn, database: Database, app: Any, without_database: Any
) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW)
    with gone_at(app, "write", without_database):
        assert "Část portálu teď neodpovídá" in browser.send(form, NEW, 503, given_name="Jan", action="save").text
    browser.send(form, NEW, given_name="Jan", action="save")
    assert [row["state"] for row in rows(database, "onboarding_request")] == ["draft"]


def test_the_probe_says_that_the_database_is_away(cast: Cast, stranger: Browser, without_database: Any) -> None:
    with without_database():
        assert stranger.http.get("/readyz").status_code == 503
        assert stranger.http.get("/healthz").status_code == 200


# ---- the identity server


@contextmanager
def identity_server() -> Iterator[str]:
    """One that says where its pages are, and is gone after the block; answers its issuer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
            names = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys", "end_session_endpoint": "end"}
            body = json.dumps({"issuer": issuer} | {name: f"{issuer}/{page}" for name, page in names.items()}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def portal_of(issuer: str, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setenv("NASTUP_OIDC__ISSUER", issuer)
    load.cache_clear()
    return Browser(create_app())


@pytest.mark.usefixtures("app", "cast")
def test_without_the_identity_server_a_log_in_says_so_and_offers_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = portal_of(f"http://{DEAD}", monkeypatch)
    page = browser.get("/login?back=/requests", 503)
    assert "Přihlašovací server teď neodpovídá" in page.text
    assert "/login" in page.links
    assert browser.get("/privacy").status == 200  # what needs no log-in goes on


@pytest.mark.usefixtures("app", "cast")
def test_an_identity_server_that_goes_away_in_the_middle_of_a_log_in_is_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    with identity_server() as issuer:
        browser = portal_of(issuer, monkeypatch)
        begun = browser.http.get("/login", follow_redirects=False)
        assert begun.headers["location"].startswith(issuer)
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    page = browser.get(f"/login/callback?code=x&state={state}", 503)
    assert "Přihlašovací server teď neodpovídá" in page.text
    assert "/login" in page.links


@pytest.mark.usefixtures("app")
def test_a_second_factor_that_cannot_be_asked_for_leaves_the_log_in_as_it_was(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = portal_of(f"http://{DEAD}", monkeypatch)
    browser.http.cookies.set(COOKIE, session_of(cast.approver), domain="portal.example")
    browser.get("/login?back=/queue&again=1", 503)
    assert browser.get("/queue").path == "/queue"
