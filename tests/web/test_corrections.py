"""Returned, corrected, decided: through the pages, without JavaScript."""

import pytest

from tests.cast import Cast
from tests.database import Database
from tests.web.conftest import LogIn
from tests.web.test_deciding import decide
from tests.web.test_filing import file, rows

COMMENT = {"decision": "return", "field_1": "quota_gb", "comment_1": "Stačila by menší schránka?"}


@pytest.fixture
def number(cast: Cast, log_in: LogIn) -> str:
    """The reference number of a request of the school's director."""
    return file(log_in(cast.director)).path.split("/")[2]


def draft_of(database: Database) -> str:
    return f"/requests/drafts/{rows(database, 'onboarding_request')[0]['id']}"


def test_a_returned_request_is_corrected_at_the_commented_field_and_approved(
    cast: Cast, log_in: LogIn, database: Database, number: str
) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    director = log_in(cast.director)
    draft = draft_of(database)
    assert draft in director.get("/").links
    assert draft in director.get(f"/requests/{number}").links
    form = director.get(draft)
    assert "quota_gb-comment" in form.ids
    assert "Stačila by menší schránka?" in form.text
    assert "zofie.stastna@gym-opava.example" in form.text  # nobody is a namesake of oneself
    assert "zofie.stastna2" not in form.text
    check = director.send(form, draft, quota_gb="3")
    assert "zofie.stastna@gym-opava.example" in check.text
    assert "Někdo stejného jména" not in check.text
    director.send(check, f"{draft}/submit")
    assert rows(database, "onboarding_request")[0]["version"] == 2
    approver = log_in(cast.second_approver)
    page = approver.get(f"/queue/{number}")
    assert "Stačila by menší schránka?" in page.text
    assert "Velikost schránky v GB10 GB3 GB" in page.text
    decide(approver, number, decision="approve")
    assert rows(database, "onboarding_request")[0]["state"] == "approved"


def test_a_correction_that_changes_nothing_is_said_before_it_is_sent(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    director, draft = log_in(cast.director), draft_of(database)
    assert "nic nezměnilo" in director.send(director.get(draft), draft).text
    assert "nic nezměnilo" not in director.send(director.get(draft), draft, quota_gb="3").text


def test_the_correction_leads_back_to_the_request_it_is_about(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    director, draft = log_in(cast.director), draft_of(database)
    form = director.get(draft)
    check = director.send(form, draft)
    for page in (form, check):
        crumbs = page.html.split('<nav class="gov-breadcrumbs"')[1].split("</nav>")[0]
        assert f'href="/requests/{number}"' in crumbs
        assert "Nový zaměstnanec" not in crumbs
    assert f'href="{draft}"' in crumbs


def test_what_is_to_be_corrected_stands_in_the_order_of_the_form(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    said = {"quota_gb": "Menší.", "given_name": "Podle občanky.", "position": "Celým názvem."}
    pairs = {f"{kind}_{n}": words for n, pair in enumerate(said.items(), 1) for kind, words in zip(("field", "comment"), pair, strict=True)}
    decide(log_in(cast.approver), number, decision="return", **pairs)
    director, draft = log_in(cast.director), draft_of(database)
    for path in (draft, f"/requests/{number}"):
        text = director.get(path).text
        assert text.index("Podle občanky.") < text.index("Celým názvem.") < text.index("Menší."), path


def test_a_return_needs_a_comment_and_each_comment_its_field(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    for typed, wrong in (({}, "comment_1"), ({"comment_2": "Proč?"}, "field_2")):
        sent = {"decision": "return"} | typed
        page = browser.send(browser.get(f"/queue/{number}"), f"/queue/{number}/decision", 422, **sent)
        assert f"{wrong}-error" in page.ids
        assert all(words in page.html for words in typed.values())
    assert rows(database, "decision") == []


def test_two_comments_at_one_field_are_both_kept(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT, field_3="quota_gb", comment_3="Nebo sdílená složka?")
    assert rows(database, "decision")[0]["comments"] == {"quota_gb": "Stačila by menší schránka?\nNebo sdílená složka?"}


def test_a_returned_request_is_saved_and_finished_later(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    director, draft = log_in(cast.director), draft_of(database)
    director.send(director.get(draft), draft, position="zástupce", action="save")
    page = director.get(draft)
    assert "zástupce" in page.html
    assert "quota_gb-comment" in page.ids
    assert rows(database, "onboarding_request")[0]["state"] == "returned"


def test_nobody_else_opens_the_correction(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    for other in (cast.deputy, cast.clerk, cast.hospital_director, cast.approver):
        log_in(other).get(draft_of(database), 404)


def test_a_colleague_reads_on_the_overview_who_is_waited_for(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    colleague, draft = log_in(cast.deputy), draft_of(database)
    page = colleague.get("/")
    assert draft not in page.links
    assert f"Na řadě je {cast.director.name}." in page.text
    assert draft not in colleague.get(f"/requests/{number}").links
    assert "Na řadě je" not in log_in(cast.director).get("/").text


def test_a_request_that_waits_again_is_no_longer_open_for_correction(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, **COMMENT)
    director, draft = log_in(cast.director), draft_of(database)
    form = director.get(draft)
    director.send(director.send(form, draft, quota_gb="3"), f"{draft}/submit")
    director.send(form, draft, 409, quota_gb="4")
    assert rows(database, "onboarding_request")[0]["content"]["quota_gb"] == 3
