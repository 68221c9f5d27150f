"""What IT and the applicant do after the approval: read the log, try again, send a new link."""

import json

import pytest

from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser
from tests.web.conftest import LogIn
from tests.web.test_deciding import decide
from tests.web.test_filing import file, rows

PROBLEM = {"msgid": "Our program made a mistake in this step. It has to be looked at by IT.", "params": {}}


@pytest.fixture
def number(cast: Cast, log_in: LogIn) -> str:
    """The reference number of an approved request."""
    filed = file(log_in(cast.director)).path.split("/")[2]
    decide(log_in(cast.approver), filed, decision="approve")
    return filed


def carry_out(database: Database, *states: str, **columns: str) -> None:
    """Moves the request as the worker would have done."""
    with database.superuser() as db:
        for state in states:
            db.execute("UPDATE onboarding_request SET state = %s, changed_at = now()", (state,))
        for column, value in columns.items():
            db.execute(f"UPDATE onboarding_request SET {column} = %s".encode(), (value,))


def stop(database: Database) -> None:
    carry_out(database, "running", "needs_attention", owner="it", detail="KeyError: 'x'", sentence=json.dumps(PROBLEM))


def finish(database: Database, activation: str) -> None:
    carry_out(database, "running", "done", done_at="2026-11-23T10:00:00Z")
    with database.superuser() as db:
        db.execute("UPDATE activation_contact SET state = %s, address = NULL, salt = NULL, links_sent = 1, sent_at = now()", (activation,))


def test_it_sees_what_stopped_and_lets_it_go_on(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    stop(database)
    browser = log_in(cast.it)
    assert f"/runs/{number}" in browser.get("/runs?state=needs_attention").links
    page = browser.get(f"/runs/{number}")
    assert "KeyError" in page.text
    browser.send(page, f"/runs/{number}/retry")
    assert rows(database, "onboarding_request")[0]["state"] == "waiting_retry"
    releases = [row for row in rows(database, "outbox") if row["topic"] == "release" and row["payload"].get("again")]
    assert len(releases) == 1


def test_the_applicant_reads_the_problem_in_words_without_the_detail(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    stop(database)
    page = log_in(cast.director).get(f"/requests/{number}")
    assert "KeyError" not in page.html
    assert PROBLEM["msgid"] not in page.text  # said in Czech
    assert f"/requests/{number}" in log_in(cast.director).get("/").links


def test_the_log_is_asked_for_and_read_when_the_answer_is_there(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.it)
    page = browser.send(browser.get(f"/runs/{number}"), f"/runs/{number}/log")
    assert f'hx-get="/runs/{number}/log"' in page.html
    browser.post(f"/runs/{number}/log", {})
    (question,) = rows(database, "lookup")
    assert question["question"] == {"number": number}
    answer = {"lines": ["10:00:00 <b>hello</b>"], "run": "11111111-1111-1111-1111-111111111111", "state": "Completed"}
    with database.superuser() as db:
        db.execute("UPDATE onboarding_request SET run_id = %s WHERE number = %s", (answer["run"], number))
    with database.superuser() as db:
        db.execute("UPDATE lookup SET answer = %s, answered_at = now()", (json.dumps(answer),))
    shown = browser.fragment(f"/runs/{number}/log").text
    assert "&lt;b&gt;hello" in shown
    assert "hx-get" not in shown
    assert answer["run"] in "".join(browser.get(f"/runs/{number}").links)


@pytest.mark.parametrize("state", ["expired", "bounced"])
def test_a_new_link_goes_to_an_address_that_is_typed_again(cast: Cast, log_in: LogIn, database: Database, number: str, state: str) -> None:
    finish(database, state)
    browser = log_in(cast.director)
    assert f"/requests/{number}" in browser.get("/").links
    page = browser.get(f"/requests/{number}")
    wrong = browser.send(page, f"/requests/{number}/link", 422, private_email="zofie@gym-opava.example")
    assert "private_email-error" in wrong.ids
    assert wrong.form(f"/requests/{number}/link").fields["private_email"] == "zofie@gym-opava.example"
    browser.send(page, f"/requests/{number}/link", private_email="nova@mail.example")
    (contact,) = rows(database, "activation_contact")
    assert (contact["state"], contact["address"]) == ("pending", "nova@mail.example")


# ---- refused


def test_no_second_link_while_one_lives(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    finish(database, "sent")
    browser = log_in(cast.director)
    assert [form for form in browser.get(f"/requests/{number}").forms if form.action.endswith("/link")] == []
    browser.post(f"/requests/{number}/link", {"private_email": "nova@mail.example"}, 409)


@pytest.mark.parametrize(("who", "status"), [("auditor", 403), ("director", 404), ("security", 404), ("dpo", 404)])
def test_only_it_lets_a_run_go_on(cast: Cast, log_in: LogIn, database: Database, number: str, who: str, status: int) -> None:
    """The auditor reads the run and is told; to the others it is not there."""
    stop(database)
    answer = log_in(getattr(cast, who)).http.post(f"/runs/{number}/retry")
    assert answer.status_code == status
    assert rows(database, "onboarding_request")[0]["state"] == "needs_attention"


@pytest.mark.parametrize("who", ["director", "security", "dpo", "founder"])
def test_a_run_is_no_page_of_others(cast: Cast, log_in: LogIn, number: str, who: str) -> None:
    browser: Browser = log_in(getattr(cast, who))
    browser.get(f"/runs/{number}", 404)
    assert browser.http.post(f"/runs/{number}/log").status_code == 404
    browser.get("/runs", 404)


@pytest.mark.parametrize("who", ["it", "auditor", "director"])
def test_a_decision_and_a_desk_are_no_pages_of_those_who_decide_nothing(cast: Cast, log_in: LogIn, number: str, who: str) -> None:
    browser = log_in(getattr(cast, who))
    for what in ("decision", "handling"):
        browser.post(f"/queue/{number}/{what}", {"decision": "approve", "version": "1", "stage": "1"}, 404)
