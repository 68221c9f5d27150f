"""A director files a request: form, draft, check, submission. Whatever is wrong is said at its field, and nothing is lost or made."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from unicodedata import normalize
from uuid import uuid4

import pytest

from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser, Page
from tests.web.conftest import LogIn

NEW = "/requests/new/employee"


def good_answers(**changed: str) -> dict[str, str]:
    answers = {
        "given_name": "Žofie",
        "family_name": "Šťastná",
        "title_before": "Ing.",
        "title_after": "Ph.D.",
        "personal_number": "Z-1042",
        "contract": "employment",
        "position": "učitelka biologie a chemie",
        "manager": "",
        "start": (date.today() + timedelta(days=7)).isoformat(),
        "end": "",
        "quota_gb": "10",
        "private_email": "zofie@mail.example",
    }
    return answers | changed


def file(browser: Browser, **changed: str) -> Page:
    """From the empty form to the confirmation."""
    checked = browser.send(browser.get(NEW), NEW, **good_answers(**changed))
    assert checked.path.endswith("/check")
    return browser.send(checked, submit_path(checked))


def submit_path(page: Page) -> str:
    return next(form.action for form in page.forms if form.action.endswith("/submit"))


def rows(database: Database, table: str) -> list[dict[str, Any]]:
    with database.superuser() as db:
        cursor = db.execute(f"SELECT * FROM {table}".encode())
        names = [column.name for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_a_draft_that_is_being_saved_is_shown_without_waiting(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    checked = browser.send(browser.get(NEW), NEW, **good_answers())
    with database.superuser() as db, db.transaction():
        db.execute("SELECT FROM onboarding_request FOR UPDATE")
        for path in (checked.path, checked.path.removesuffix("/check")):
            browser.get(path)


def test_a_request_goes_from_the_form_to_a_reference_number(cast: Cast, log_in: LogIn, database: Database) -> None:
    page = file(log_in(cast.director))
    assert "Ing. Žofie Šťastná, Ph.D." in page.text
    (request,) = rows(database, "onboarding_request")
    assert page.path == f"/requests/{request['number']}/submitted"
    assert re.fullmatch(rf"P-{date.today().year}-\d{{4}}", request["number"])
    assert (request["state"], request["requester_id"]) == ("waiting_approval", cast.director.person)
    assert {row["name"] for row in rows(database, "reserved_name")} == {"zofie.stastna", "zofie.stastna@gym-opava.example"}


def test_the_check_shows_every_answer_before_anything_is_sent(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    page = browser.send(browser.get(NEW), NEW, **good_answers())
    for words in (
        "Ing. Žofie Šťastná, Ph.D.",
        "Z-1042",
        "učitelka biologie a chemie",
        "zofie@mail.example",
        "zofie.stastna@gym-opava.example",
    ):
        assert words in page.text
    assert [row["state"] for row in rows(database, "onboarding_request")] == ["draft"]
    assert rows(database, "outbox") == []


@pytest.mark.parametrize(
    ("days", "access", "said"),
    [(0, "standard", True), (1, "standard", True), (60, "standard", False), (7, "privileged", True)],  # security decides after region's IT
)
def test_the_check_says_when_the_approval_may_come_after_the_first_day(
    cast: Cast, log_in: LogIn, days: int, access: str, said: bool
) -> None:
    browser, start = log_in(cast.director), date.today() + timedelta(days=days)
    page = browser.send(browser.get(NEW), NEW, **good_answers(start=start.isoformat(), access=access))
    assert ("Schválení může přijít až v den nástupu nebo po něm, nejpozději" in page.text) is said


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("given_name", ""),
        ("given_name", "   "),
        ("given_name", "Ž" * 300),
        ("given_name", "Jan\x07"),
        ("family_name", "Novák\r\nBcc: all@example.com"),
        ("family_name", "Nov\u202eák"),
        ("family_name", "Nоvák"),  # the o is Cyrillic
        ("family_name", "Novák 🎉"),
        ("family_name", "<script>alert(1)</script>"),
        ("personal_number", "855612/1234"),
        ("position", "\t"),
        ("start", (date.today() - timedelta(days=31)).isoformat()),
        ("end", date.today().isoformat()),
        ("quota_gb", "51"),
        ("quota_gb", "many"),
        ("contract", "slavery"),
        ("private_email", "zofie"),
        ("private_email", "zofie@gym-opava.example"),
        ("private_email", "zofie@nem-karvina.example"),
    ],
)
def test_a_wrong_answer_is_said_at_its_field_and_nothing_is_lost_or_made(
    cast: Cast, log_in: LogIn, database: Database, field: str, typed: str
) -> None:
    browser = log_in(cast.director)
    empty = browser.get(NEW).form(NEW)
    page = browser.post(NEW, empty.fields | good_answers(**{field: typed}), 422)
    assert f"{field}-error" in page.ids
    others = {name: value for name, value in good_answers().items() if name != field}
    assert {name: page.form(NEW).fields[name] for name in others} == others
    assert rows(database, "onboarding_request") == []
    assert rows(database, "person") != []


def test_mistakes_are_listed_in_the_order_of_the_fields(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    fields = browser.get(NEW).form(NEW).fields
    page = browser.post(NEW, fields | dict.fromkeys(good_answers(), "\u202e"), 422)
    listed = [link.removeprefix("#") for link in page.links if link.removeprefix("#") in good_answers()]
    assert len(listed) > 8
    assert listed == [name for name in page.form(NEW).fields if name in listed]


def test_the_request_keeps_saying_what_was_filed_and_not_the_private_address(cast: Cast, log_in: LogIn) -> None:
    browser, end = log_in(cast.director), date.today() + timedelta(days=300)
    filed = file(browser, manager="Mgr. Olga Dvořáková", contract="external", end=end.isoformat())
    page = browser.get(filed.path.removesuffix("/submitted"))
    for words in ("Z-1042", "učitelka biologie a chemie", "Externí", "Mgr. Olga Dvořáková", "10 GB", cast.director.name, str(end.year)):
        assert words in page.text.replace("\xa0", " "), words
    assert "zofie@mail.example" not in page.html


def test_markup_is_shown_as_text(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    page = file(browser, position="<b>učitel</b> & spol.")
    assert "<b>učitel</b>" not in page.html
    assert "<b>učitel</b> & spol." in browser.get(page.path.removesuffix("/submitted")).text


def test_a_draft_is_saved_unfinished_and_found_again(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    saved = browser.send(browser.get(NEW), NEW, given_name="Jan", start="někdy", private_email="jan@mail.example", action="save")
    assert saved.path in browser.get("/requests").links
    assert saved.path in browser.get("/").links
    fields = browser.get(saved.path).form(saved.path).fields
    assert (fields["given_name"], fields["start"], fields["private_email"]) == ("Jan", "někdy", "jan@mail.example")


def test_a_draft_is_finished_and_submitted(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    saved = browser.send(browser.get(NEW), NEW, given_name="Jan", action="save")
    checked = browser.send(saved, saved.path, **good_answers(given_name="Jana"))
    assert "Jana Šťastná" in browser.send(checked, submit_path(checked)).text


def test_a_draft_thrown_away_is_gone_with_the_private_address(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    saved = browser.send(browser.get(NEW), NEW, private_email="jan@mail.example", action="save")
    assert browser.send(saved, saved.path, action="discard").path == "/requests"
    assert saved.path not in browser.get("/requests").links
    assert rows(database, "activation_contact")[0]["address"] is None


def test_a_draft_with_mistakes_cannot_be_submitted_past_the_form(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    saved = browser.send(browser.get(NEW), NEW, given_name="Jan", action="save")
    answer = browser.http.post(f"{saved.path}/submit")
    assert answer.status_code == 422
    assert "family_name-error" in Page(answer).ids
    assert rows(database, "onboarding_request")[0]["state"] == "draft"


def test_a_namesake_gets_the_next_name(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    file(browser)
    checked = browser.send(browser.get(NEW), NEW, **good_answers(given_name="Zofie", family_name="Stastna", personal_number="Z-2"))
    assert "zofie.stastna2@gym-opava.example" in checked.text
    browser.send(checked, submit_path(checked))
    assert "zofie.stastna2" in {row["name"] for row in rows(database, "reserved_name")}


def test_a_personal_number_in_use_is_said_at_its_field(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    file(browser)
    page = browser.send(browser.get(NEW), NEW, 422, **good_answers(given_name="Jan"))
    assert "personal_number-error" in page.ids


def test_the_address_is_proposed_while_the_name_is_typed(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW).form(NEW)
    answer = browser.http.post(
        f"{NEW}/address", data=form.fields | {"given_name": "Łukasz", "family_name": "Křiž"}, headers={"hx-request": "true"}
    )
    assert answer.status_code == 200
    assert "lukasz.kriz@gym-opava.example" in answer.text
    assert "<html" not in answer.text


def test_letters_and_their_marks_apart_are_the_same_name(cast: Cast, log_in: LogIn, database: Database) -> None:
    """A Mac may send "Ž" as a Z and a caron (NFD)."""
    browser = log_in(cast.director)
    apart = {name: normalize("NFD", good_answers()[name]) for name in ("given_name", "family_name", "position")}
    assert apart["given_name"] != good_answers()["given_name"]
    file(browser, **apart)
    (request,) = rows(database, "onboarding_request")
    assert [request["content"][name] for name in apart] == [good_answers()[name] for name in apart]
    assert {row["name"] for row in rows(database, "reserved_name")} == {"zofie.stastna", "zofie.stastna@gym-opava.example"}
    (person,) = [row for row in rows(database, "person") if row["id"] == request["beneficiary_id"]]
    assert (person["given_name"], person["family_name"]) == ("Žofie", "Šťastná")
    assert f"/requests/{request['number']}" in browser.get("/requests?q=Šťastná").links
    assert f"/requests/{request['number']}" in browser.get(f"/requests?q={normalize('NFD', 'Šťastná')}").links


def test_a_reserved_word_is_never_proposed(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    checked = browser.send(browser.get(NEW), NEW, **good_answers(given_name="No", family_name="Reply"))
    assert "no.reply2@gym-opava.example" in checked.text
    browser.send(checked, submit_path(checked))
    assert {row["name"] for row in rows(database, "reserved_name")} == {"no.reply2", "no.reply2@gym-opava.example"}


# ---- refused


def test_an_organisation_of_somebody_else_is_no_choice(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    for organisation in (str(cast.hospital.id), str(uuid4()), "x"):
        page = browser.post(NEW, browser.get(NEW).form(NEW).fields | good_answers(organisation=organisation), 422)
        assert "Vyberte jednu ze svých organizací" in page.text or "organisation-error" in page.ids or "Choose one of your" in page.text
    assert rows(database, "onboarding_request") == []


def test_a_field_that_does_not_belong_is_refused(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    fields = browser.get(NEW).form(NEW).fields | good_answers()
    for intruder in ("state", "requester_id", "number", "plan_hash"):
        browser.post(NEW, fields | {intruder: "approved"}, 422)
    assert rows(database, "onboarding_request") == []


def test_who_files_for_no_organisation_is_told_so(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.approver)
    browser.get(NEW, 403)
    browser.post(NEW, good_answers(), 403)


# ---- the stranger


def test_another_directors_draft_is_not_there(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.director)
    draft = browser.send(browser.get(NEW), NEW, given_name="Jan", action="save").path
    for person in (cast.deputy, cast.hospital_director, cast.approver):
        stranger = log_in(person)
        missing = stranger.get(f"/requests/drafts/{uuid4()}", 404)
        for path in (draft, f"{draft}/check"):
            assert same_words(stranger.get(path, 404), missing)
        assert stranger.http.post(draft, data=good_answers()).status_code == 404
        assert stranger.http.post(f"{draft}/submit").status_code == 404


# ---- twice


def test_a_double_click_on_the_check_is_one_draft(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW)
    assert browser.send(form, NEW, **good_answers()).path == browser.send(form, NEW, **good_answers()).path
    assert len(rows(database, "onboarding_request")) == 1


def test_a_double_click_whose_two_forms_arrive_at_once_is_one_draft(cast: Cast, log_in: LogIn, database: Database) -> None:
    """Both have seen that nothing was begun with their key before either of them writes."""
    browsers = [log_in(cast.director), log_in(cast.director)]
    fields = browsers[0].get(NEW).form(NEW).fields | good_answers()
    with ThreadPoolExecutor(2) as clicks:
        with database.superuser() as db, db.transaction():
            db.execute("LOCK TABLE onboarding_request IN EXCLUSIVE MODE")  # it may be read, not written
            pages = [clicks.submit(browser.post, NEW, fields) for browser in browsers]
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'onboarding_request'::regclass"
            ends = time.monotonic() + 10
            while db.execute(waits).fetchone() != (2,):
                assert time.monotonic() < ends, "the two forms did not meet"
                time.sleep(0.02)
        first, second = (page.result() for page in pages)
    assert first.path == second.path
    assert first.path.endswith("/check")
    (draft,) = rows(database, "onboarding_request")
    assert draft["content"]["typed"]["family_name"] == "Šťastná"


def test_a_key_that_another_person_began_with_opens_nothing_of_theirs(cast: Cast, log_in: LogIn, database: Database) -> None:
    director, stranger = log_in(cast.director), log_in(cast.hospital_director)
    form = director.get(NEW)
    director.send(form, NEW, **good_answers())
    fields = stranger.get(NEW).form(NEW).fields | good_answers() | {"form_key": form.form(NEW).fields["form_key"]}
    assert same_words(stranger.post(NEW, fields, 404), stranger.get(f"/requests/drafts/{uuid4()}", 404))
    assert len(rows(database, "onboarding_request")) == 1


def test_a_submission_repeated_after_a_time_out_is_one_request(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW)
    checked = browser.send(form, NEW, **good_answers())
    assert browser.send(checked, submit_path(checked)).path == browser.send(checked, submit_path(checked)).path
    again = browser.send(form, NEW, **good_answers(given_name="Jan"))
    (request,) = rows(database, "onboarding_request")
    assert again.path == f"/requests/{request['number']}"
    assert request["content"]["given_name"] == "Žofie"
    assert len([row for row in rows(database, "outbox") if row["topic"] == "create"]) == 1


def test_a_failing_commit_is_never_answered_with_success(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.director)
    form = browser.get(NEW)
    with database.superuser() as db:
        db.execute(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;"
            "CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON onboarding_request DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )
    try:
        page = browser.send(form, NEW, 500, **good_answers())
    finally:
        with database.superuser() as db:
            db.execute("DROP TRIGGER broken ON onboarding_request; DROP FUNCTION broken()")
    assert "disk is full" not in page.html
    assert rows(database, "onboarding_request") == []


def same_words(one: Page, other: Page) -> bool:
    return (one.status, one.headings, one.text) == (other.status, other.headings, other.text)
