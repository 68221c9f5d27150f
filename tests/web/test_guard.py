"""What stands before every page."""

from typing import Any

import pytest

from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser, check
from tests.web.conftest import LogIn
from tests.web.test_filing import NEW, file, good_answers, rows
from web.frame import local_path
from web.guard import LARGEST_REQUEST, has_second_factor
from web.render import preferred_language


@pytest.mark.parametrize("origin", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}])
def test_a_form_of_another_site_changes_nothing(cast: Cast, log_in: LogIn, database: Database, origin: dict[str, str]) -> None:
    browser = log_in(cast.director)
    fields = browser.get(NEW).form(NEW).fields | good_answers()
    if "origin" in origin:
        browser.http.headers.pop("sec-fetch-site")
    browser.post(NEW, fields, 403, **origin)
    assert rows(database, "onboarding_request") == []


def test_a_link_from_another_site_may_be_followed(cast: Cast, log_in: LogIn) -> None:
    log_in(cast.director).get("/requests", **{"sec-fetch-site": "cross-site"})


def test_no_get_changes_anything(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    number = file(browser).path.split("/")[2]
    before = {
        table: rows(database, table) for table in ("onboarding_request", "decision", "outbox", "audit", "lookup", "activation_contact")
    }
    for path in (f"/requests/{number}/withdraw", f"/queue/{number}/decision", f"/runs/{number}/retry", f"/requests/{number}/link"):
        for person in (cast.director, cast.approver):
            assert log_in(person).http.get(path).status_code == 405
    for person in (cast.approver, cast.it, cast.auditor):
        for path in ("/", "/requests", f"/requests/{number}", f"/runs/{number}", f"/requests/{number}/progress"):
            log_in(person).http.get(path)
    assert {table: rows(database, table) for table in before} == before


@pytest.mark.parametrize(
    ("method", "path", "status"), [("get", "/nothing", 404), ("get", "/requests/../../etc/passwd", 404), ("put", "/requests", 405)]
)
def test_errors_are_whole_pages(cast: Cast, log_in: LogIn, app: Any, method: str, path: str, status: int) -> None:
    browser = log_in(cast.director)
    from tests.web.client import Page

    page = Page(browser.http.request(method, path))
    assert page.status == status
    check(page, app)


def test_a_stranger_gets_error_pages_too(cast: Cast, stranger: Browser) -> None:
    assert "Přihlásit se" in stranger.get("/nothing", 404).text


def test_a_request_that_is_too_large_is_not_read(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    assert browser.http.post(NEW, data={"position": "x" * LARGEST_REQUEST}).status_code == 413


def test_a_body_that_lies_about_its_length_is_cut_off(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)

    def endless() -> Any:
        for _ in range(40):
            yield b"position=" + b"x" * 16384

    answer = browser.http.post(
        NEW, content=endless(), headers={"content-type": "application/x-www-form-urlencoded", "transfer-encoding": "chunked"}
    )
    assert answer.status_code >= 400
    assert rows(database, "onboarding_request") == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"given_name=a&given_name=b", "application/x-www-form-urlencoded"),
        (b"--x\r\nContent-Disposition: form-data; name=a; filename=a.txt\r\n\r\nx\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        ("&".join(f"f{n}=1" for n in range(200)).encode(), "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_of_ours_is_refused_in_words(cast: Cast, log_in: LogIn, content: bytes, kind: str) -> None:
    answer = log_in(cast.director).http.post(NEW, content=content, headers={"content-type": kind})
    assert answer.status_code in (400, 422)
    assert "Traceback" not in answer.text
    assert "<h1" in answer.text


def test_bytes_that_are_no_text_are_kept_as_visible_marks(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    answer = browser.http.post(
        NEW, content=b"given_name=%00%ff%ed%a0%80&form_key=x", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422


def test_an_expired_session_sends_a_fragment_to_the_log_in(cast: Cast, stranger: Browser) -> None:
    answer = stranger.http.get(
        "/requests/P-2026-0001/progress", headers={"hx-request": "true", "hx-current-url": "https://portal.example/requests/P-2026-0001"}
    )
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login?back=/requests/P-2026-0001"


def test_a_form_sent_after_the_session_ended_says_so(cast: Cast, stranger: Browser) -> None:
    stranger.post(NEW, good_answers(), 401)


def test_a_language_is_chosen_and_remembered(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    assert browser.get("/").language == "cs"
    assert browser.post("/preferences", {"back": "/requests", "language": "en"}).path == "/requests"
    assert browser.get("/").language == "en"
    assert {row["given_name"]: row["language"] for row in rows(database, "person")}["Radek"] == "en"
    assert 'data-theme="dark"' in browser.post("/preferences", {"back": "/", "theme": "dark"}).html
    browser.post("/preferences", {"back": "/", "language": "xx"}, 422)


@pytest.mark.parametrize(
    ("path", "led"),
    [
        ("/requests?q=a", "/requests?q=a"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
    ],
)
def test_nobody_is_led_out_of_the_portal(path: str, led: str) -> None:
    assert local_path(path) == led


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "cs"), ("en-GB,en;q=0.9", "en"), ("sk,en;q=0.5", "cs"), ("de,en;q=0.3", "en"), ("de", "cs"), ("x;q=y", "cs")],
)
def test_the_first_language_is_that_of_the_browser(accepted: str, language: str) -> None:
    assert preferred_language(accepted, "cs") == language


@pytest.mark.parametrize(
    ("claims", "second"), [({"amr": ["pwd", "otp"]}, True), ({"amr": ["pwd"]}, False), ({}, False), ({"amr": "otp"}, True)]
)
def test_the_identity_server_says_whether_there_was_a_second_factor(claims: dict[str, Any], second: bool) -> None:
    assert has_second_factor(claims) is second


def test_static_files_are_kept_for_ever_under_their_hash(cast: Cast, stranger: Browser) -> None:
    page = stranger.get("/privacy")
    path = page.html.split('rel="stylesheet" href="')[1].split('"')[0]
    kept = stranger.http.get(path)
    assert "immutable" in kept.headers["cache-control"]
    assert kept.headers["content-security-policy"]
    assert "set-cookie" not in kept.headers
    assert stranger.http.get("/static/nothing.css").status_code == 404
    assert stranger.http.get(path.partition("?")[0]).headers["cache-control"] == "no-cache"


def test_probes_answer_without_a_session(cast: Cast, stranger: Browser) -> None:
    for path in ("/healthz", "/readyz"):
        assert stranger.http.get(path).text == "ok"
