"""Lists: pages by keyset, and the same number of questions to the database whatever their length."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import ProgrammingError

from flows.approval.drafts import new_draft, save_draft
from flows.approval.keyset import PER_PAGE, page_of
from flows.approval.submit import submit
from flows.model import Person
from flows.model.session import open_session, transaction
from tests.approvals import file
from tests.cast import Cast
from tests.web.client import Browser
from tests.web.conftest import LogIn
from tests.web.test_filing import good_answers

MOST_QUESTIONS = {"/": 22, "/requests": 10, "/queue": 13, "/runs": 15, "/people": 9}  # a page that asks more asks per row


def file_many(cast: Cast, many: int) -> None:
    for n in range(many):
        answers = good_answers(given_name="Jan" if n % 2 else "Jana", personal_number=f"Z-{n}", start=date.today().isoformat())
        answers.pop("private_email")
        with transaction(open_session(cast.director.person)) as session:
            draft = new_draft(session, cast.director, cast.school.id)
            save_draft(session, cast.director, draft.id, answers, "jan@mail.example")
            submit(session, cast.director, draft.id)
        session.close()


@contextmanager
def questions() -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def numbers(browser: Browser, path: str, prefix: str) -> list[str]:
    """All rows of a list, page after page."""
    found: list[str] = []
    while path:
        page = browser.get(path)
        found += dict.fromkeys(
            link for link in page.links if link.startswith(f"{prefix}/P-") and not link.endswith(".zip")
        )  # a row may link twice
        path = next((link for link in page.links if "page=" in link), "")
    return found


@pytest.mark.parametrize(("who", "path"), [("approver", "/queue"), ("director", "/requests"), ("auditor", "/audit")])
def test_every_row_stands_on_exactly_one_page(cast: Cast, log_in: LogIn, who: str, path: str) -> None:
    file_many(cast, PER_PAGE + 2)
    found = numbers(log_in(getattr(cast, who)), path, "/queue" if path == "/queue" else "/requests")
    assert (len(found), len(set(found))) == (PER_PAGE + 2, PER_PAGE + 2)


def test_a_longer_list_asks_no_more_questions(cast: Cast, log_in: LogIn) -> None:
    approver, director = log_in(cast.approver), log_in(cast.director)
    file_many(cast, 12)
    for path, most in MOST_QUESTIONS.items():
        with questions() as asked:
            (director if path == "/requests" else approver).get(path)
        assert len(asked) <= most, (path, len(asked))


@pytest.mark.parametrize("page", ["x", "~", "9" * 300, ">i:1~u:2", ">s:abc~s:abc"])
def test_a_page_that_was_never_made_is_not_there(cast: Cast, log_in: LogIn, page: str) -> None:
    log_in(cast.director).get(f"/requests?page={page}", 404)


def test_a_mistake_of_ours_is_no_page_that_is_not_there(cast: Cast) -> None:
    with open_session(cast.approver.person, cast.approver.roles) as session, pytest.raises(ProgrammingError):
        page_of(session, select(Person, func.no_such_function()).order_by(Person.id), None)


@pytest.mark.parametrize("query", ["?q=%25", "?q=_", "?q='", "?q=%00", "?state=nothing", "?q=" + "x" * 500])
def test_a_filter_is_text_and_nothing_else(cast: Cast, log_in: LogIn, query: str) -> None:
    file_many(cast, 1)
    browser = log_in(cast.director)
    found = [link for link in browser.get(f"/requests{query}").links if link.startswith("/requests/P-")]
    assert bool(found) == (query in ("?q=%00", "?state=nothing"))


SEARCHED = [("director", "/requests"), ("approver", "/requests"), ("approver", "/queue"), ("director", "/people"), ("approver", "/people")]


@pytest.mark.parametrize(
    "typed", ["zofie.stastna", "ZOFIE.Šťastná", "zofie stastna", " zofie.stastna@gym-opava.example ", "stastna@gym", "@gym-opava.example"]
)
def test_every_list_finds_a_user_name_and_an_address(cast: Cast, log_in: LogIn, typed: str) -> None:
    file(cast, position="ladička")
    for who, path in SEARCHED:
        assert "ladička" in log_in(getattr(cast, who)).get(f"{path}?q={quote(typed)}").text, (who, path)


@pytest.mark.parametrize("typed", ["%", "_", "zofie_stastna", "zofie.stastna2", "zofie.stastna@nem", "\\", "☃"])
def test_no_list_finds_what_is_not_written(cast: Cast, log_in: LogIn, typed: str) -> None:
    file(cast, position="ladička")
    for who, path in SEARCHED:
        assert "ladička" not in log_in(getattr(cast, who)).get(f"{path}?q={quote(typed)}").text, (who, path)


def test_an_address_that_no_organisation_can_have_is_not_there(cast: Cast, log_in: LogIn) -> None:
    for slug in ("%00", "x" * 5000, "gym%0aopava"):
        log_in(cast.director).get(f"/organisations/{slug}", 404)
        log_in(cast.director).get(f"/organisations/{slug}/closed-days", 404)


def test_a_filter_by_an_organisation_that_is_not_ours_finds_nothing(cast: Cast, log_in: LogIn) -> None:
    file_many(cast, 1)
    stranger = log_in(cast.hospital_director)
    assert [link for link in stranger.get(f"/requests?organisation={cast.school.id}").links if "/P-" in link] == []
    stranger.get("/requests?organisation=x", 404)
