"""The queue: filtered by its address, filters that are kept, news, several requests together, samples."""

import re
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from flows.approval import judged, progress
from flows.approval.people import Regional
from flows.model.session import open_session
from flows.words import PRAGUE
from tests.approvals import PRIVILEGED, answer, away, file, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser, Page
from tests.web.conftest import LogIn
from tests.web.test_filing import rows
from web.render import environment


def listed(page: Page) -> set[str]:
    return {link.removeprefix("/queue/") for link in page.links if link.startswith("/queue/P-")}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("whose=mine", {"mine"}),
        ("whose=free", {"free"}),
        ("kind=employee", {"mine", "free"}),
        ("stage=region-it", {"mine", "free"}),
        ("whose=mine&q=stastna", {"mine"}),
        ("whose=nobody&stage=founder&kind=x", {"mine", "free"}),  # what is no choice filters nothing
    ],
)
def test_the_queue_is_filtered_by_its_address(cast: Cast, log_in: LogIn, query: str, found: set[str]) -> None:
    requests = {name: file(cast, personal_number=name) for name in ("mine", "free")}
    answer(cast.approver, requests["mine"], "take")
    page = log_in(cast.approver).get(f"/queue?{query}")
    assert listed(page) == {str(requests[name].number) for name in found}


@pytest.mark.parametrize("changes", [PRIVILEGED, {"quota_gb": "26"}, {"contract": "external", "end": "2027-12-31"}])
def test_what_is_risky_has_a_note_and_stands_among_those_with_one(cast: Cast, log_in: LogIn, changes: dict[str, str]) -> None:
    plain, risky = file(cast, personal_number="1"), file(cast, personal_number="2", family_name="Kovář", **changes)
    page = log_in(cast.approver).get("/queue?due=hints")
    assert listed(page) == {str(risky.number)}
    assert page.html.count('class="n-hint"') == 1
    assert str(plain.number) in listed(log_in(cast.approver).get("/queue"))


def test_a_request_above_the_envelope_has_a_note(database: Database, cast: Cast, log_in: LogIn) -> None:
    with database.superuser() as db:
        db.execute("UPDATE organisation SET mail_gb_limit = 1 WHERE id = %s", (cast.school.id,))
    request = file(cast)
    page = log_in(cast.approver).get("/queue?due=hints")
    assert listed(page) == {str(request.number)}
    assert "nad dohodnutý rozsah" in page.text


def test_a_row_says_whose_question_it_is_and_who_has_it(database: Database, cast: Cast, log_in: LogIn) -> None:
    request = file(cast, **PRIVILEGED)
    browser = log_in(cast.approver)
    assert "krok 1 z 2" in browser.get("/queue").text
    answer(cast.second_approver, request, "take")
    assert cast.second_approver.name in browser.get("/queue").text
    with database.superuser() as db:
        db.execute("UPDATE stage SET nobody = true")
    assert "nezbývá nikdo" in browser.get("/queue").text


def test_a_chip_keeps_the_other_filters(cast: Cast, log_in: LogIn) -> None:
    file(cast)
    assert "/queue?due=overdue&whose=free" in log_in(cast.approver).get("/queue?whose=free").links


def test_the_next_request_is_the_one_that_is_due_after(cast: Cast, log_in: LogIn) -> None:
    for n in range(3):
        file(cast, personal_number=str(n))
    browser = log_in(cast.approver)
    order = dict.fromkeys(link.removeprefix("/queue/") for link in browser.get("/queue").links if link.startswith("/queue/P-"))
    first, second, third = order
    for here, following in ((first, second), (second, third), (third, first)):
        assert f"/queue/{following}" in browser.get(f"/queue/{here}").links
    browser.send(browser.get(f"/queue/{second}"), f"/queue/{second}/decision", decision="approve")
    assert f"/queue/{third}" in browser.get(f"/queue/{first}").links


# ---- when it is due


@pytest.mark.parametrize(
    ("due_day", "today", "said"),
    [
        ("2026-11-30", "2026-11-27", "30. 11. 2026"),  # a Friday: the next working day is not tomorrow
        ("2026-11-30", "2026-11-29", "zítra"),
        ("2026-11-30", "2026-11-30", "dnes"),
        ("2026-11-27", "2026-11-28", "po lhůtě"),  # late by no working day yet, and not today any more
        ("2026-11-27", "2026-11-30", "1 den po lhůtě"),
        ("2026-11-30", "2026-12-01", "po lhůtě"),  # the region is closed
        ("2026-11-30", "2026-12-02", "1 den po lhůtě"),
    ],
)
def test_the_due_day_is_a_word_of_the_calendar_and_lateness_counts_working_days(
    database: Database, cast: Cast, due_day: str, today: str, said: str
) -> None:
    number = str(file(cast).number)
    with database.superuser() as db:
        db.execute("UPDATE stage SET due_at = %s::date + interval '16 hours'", (due_day,))
        db.execute("INSERT INTO closed_day (day) VALUES ('2026-12-01')")
    with open_session(cast.approver.person, cast.approver.roles) as session:
        whole = progress.find(session, cast.approver, number)
        words = judged.stage_words(session, whole, whole.request.stages[0], date.fromisoformat(today))
    macros: Any = environment("cs").get_template("components/queue.html").module
    assert re.sub("<[^>]*>", "", macros.due_word(words["due_is"], words["days_left"], words["due"])).replace("\u00a0", " ") == said


def test_the_queue_counts_no_day_on_which_the_region_is_closed(database: Database, cast: Cast, log_in: LogIn) -> None:
    file(cast)
    today, yesterday = datetime.now(PRAGUE), datetime.now(PRAGUE) - timedelta(days=1)
    with database.superuser() as db:
        db.execute("UPDATE stage SET opened_at = %s, due_at = %s", (yesterday, yesterday))
        db.execute("INSERT INTO closed_day (day) VALUES (%s)", (today.date(),))
    page = log_in(cast.approver).get("/queue?due=overdue")
    assert "po lhůtě" in page.text
    assert "den po lhůtě" not in page.text
    assert "čeká 1 pracovní den" not in page.text
    assert "přišla dnes" not in page.text


# ---- filters that are kept


def keep(browser: Browser, name: str, query: str = "whose=mine", status: int = 200) -> Page:
    return browser.send(browser.get(f"/queue?{query}"), "/queue/filters", status, name=name)


def test_a_filter_is_kept_found_again_and_removed(cast: Cast, log_in: LogIn, database: Database) -> None:
    file(cast)
    browser = log_in(cast.approver)
    page = keep(browser, "Moje práce")
    assert "/queue?whose=mine" in page.links
    page = keep(browser, "Moje práce", "due=overdue&whose=free")
    assert [row["query"] for row in rows(database, "saved_filter")] == ["due=overdue&whose=free"]
    (form,) = (form for form in page.forms if form.action.endswith("/remove"))
    assert "Moje práce" in page.text
    assert listed(log_in(cast.second_approver).get("/queue")) != set()
    log_in(cast.second_approver).post(form.action, {}, 404)
    browser.post(form.action, {})
    assert rows(database, "saved_filter") == []
    browser.post(form.action, {}, 404)


@pytest.mark.parametrize(("name", "query"), [("", "whose=mine"), ("x" * 41, "whose=mine"), ("a\nb", "whose=mine"), ("Vše", "")])
def test_a_filter_that_cannot_be_kept_is_said_at_its_name(cast: Cast, log_in: LogIn, database: Database, name: str, query: str) -> None:
    file(cast)
    browser = log_in(cast.approver)
    fields = dict(part.split("=") for part in query.split("&") if part) | {"name": name}
    assert "errors" in browser.post("/queue/filters", fields, 422).ids
    assert rows(database, "saved_filter") == []


def test_nobody_keeps_more_filters_than_they_would_find_again(cast: Cast, log_in: LogIn, database: Database) -> None:
    file(cast)
    browser = log_in(cast.approver)
    for n in range(12):
        keep(browser, f"Filtr {n}")
    keep(browser, "Filtr 12", status=422)
    keep(browser, "Filtr 3", "whose=free")
    assert len(rows(database, "saved_filter")) == 12


def test_after_a_mistake_the_next_page_is_the_same_lists(cast: Cast, log_in: LogIn) -> None:
    for n in range(26):
        file(cast, personal_number=str(n))
    page = log_in(cast.approver).post("/queue/filters", {"name": "", "whose": "free"}, 422)
    (following,) = (link for link in page.links if "page=" in link)
    assert following.startswith("/queue?whose=free&page=")


def test_who_stands_in_for_somebody_has_a_way_to_the_queue(database: Database, cast: Cast, log_in: LogIn) -> None:
    assert "/queue" not in log_in(cast.it).get("/").links
    away(database, cast.security, Regional.SECURITY, cast.it)
    assert "/queue" in log_in(cast.it).get("/").links


# ---- news


def news(browser: Browser, since: datetime, status: int = 200) -> str:
    return browser.fragment(f"/queue/news?since={quote(since.isoformat())}", status).text


def test_what_came_since_is_announced_and_nothing_else(cast: Cast, log_in: LogIn) -> None:
    browser, before = log_in(cast.approver), datetime.now(PRAGUE)
    file(cast)
    assert "1 nová žádost" in news(browser, before)
    assert "žádost" not in news(browser, datetime.now(PRAGUE))
    assert "žádost" not in news(log_in(cast.founder), before)


def test_one_that_was_handed_over_is_news_for_the_one_who_has_it(cast: Cast, log_in: LogIn) -> None:
    request, since = file(cast), datetime.now(PRAGUE)
    answer(cast.second_approver, request, "hand", to=cast.approver.person)
    assert "1 nová žádost" in news(log_in(cast.approver), since)
    assert "žádost" not in news(log_in(cast.second_approver), since)


def test_a_moment_that_is_none_is_not_there(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.approver)
    for since in ("", "yesterday", "2026-11-26"):
        browser.fragment(f"/queue/news?since={since}", 404)
    news(log_in(cast.director), datetime.now(PRAGUE) - timedelta(days=1), 404)


# ---- several together


def test_the_chosen_are_looked_at_and_approved_together(cast: Cast, log_in: LogIn, database: Database) -> None:
    numbers = [str(file(cast, personal_number=str(n)).number) for n in range(3)]
    browser = log_in(cast.approver)
    assert "/queue/together" in {form.action for form in browser.get("/queue").forms}
    page = browser.get(f"/queue/together?item={numbers[0]}.1&item={numbers[2]}.1")
    assert listed(page) == {numbers[0], numbers[2]}
    page = browser.send(page, "/queue/decisions", decision="approve")
    assert "Rozhodnuto: 2 z 2." in page.text
    assert "Fronta 1" in page.text  # the menu counts what is left
    assert {row["number"]: row["state"] for row in rows(database, "onboarding_request")} == {
        numbers[0]: "approved",
        numbers[1]: "waiting_approval",
        numbers[2]: "approved",
    }


def test_one_that_was_decided_meanwhile_says_so_beside_the_others(cast: Cast, log_in: LogIn, database: Database) -> None:
    one, other = file(cast, personal_number="1"), file(cast, personal_number="2")
    browser = log_in(cast.approver)
    page = browser.get(f"/queue/together?item={one.number}.1&item={other.number}.1")
    answer(cast.second_approver, one)
    page = browser.send(page, "/queue/decisions", decision="return", reason="Doplňte pozici.")
    assert cast.second_approver.name in page.text
    assert "Rozhodnuto: 1 z 2." in page.text
    assert len(rows(database, "decision")) == 2


def test_without_a_choice_nothing_is_decided_and_what_was_typed_stays(cast: Cast, log_in: LogIn, database: Database) -> None:
    request, browser = file(cast), log_in(cast.approver)
    page = browser.send(browser.get(f"/queue/together?item={request.number}.1"), "/queue/decisions", 422, reason="Rozepsáno.")
    assert page.form("/queue/decisions").fields["reason"] == "Rozepsáno."
    assert "errors" in browser.send(page, "/queue/decisions", 422, decision="return", reason=" ").ids
    assert rows(database, "decision") == []


def test_a_step_that_is_gone_hides_none_of_the_others(cast: Cast, log_in: LogIn) -> None:
    request = file(cast)
    page = log_in(cast.approver).get(f"/queue/together?item={request.number}.1&item={request.number}.7")
    assert len([name for name in page.form("/queue/decisions").fields if name.startswith("item-")]) == 1
    assert "má teď jiné kroky" in page.text


def test_nothing_chosen_is_a_page_that_says_so(cast: Cast, log_in: LogIn) -> None:
    assert "Není o čem společně rozhodnout" in log_in(cast.approver).get("/queue/together").text


@pytest.mark.parametrize("item", ["x", "P-2026-0001", "P-2026-9999.1", "P-2026-0001.x", "%00.1", "P-2026-0001.1.1"])
def test_what_is_no_question_is_not_there(cast: Cast, log_in: LogIn, item: str) -> None:
    browser = log_in(cast.approver)
    browser.get(f"/queue/together?item={item}", 404)
    browser.post("/queue/decisions", {"decision": "approve", "item-" + item: "1:" + "0" * 64}, 200 if item == "P-2026-9999.1" else 404)


def test_a_strangers_address_is_not_there(cast: Cast, log_in: LogIn, database: Database) -> None:
    request, browser = file(cast), log_in(cast.hospital_director)
    for path in ("/queue/together", f"/queue/together?item={request.number}.1"):
        browser.get(path, 404)
    item = {f"item-{request.number}.1": f"1:{request.plan_hash}"}
    browser.post("/queue/decisions", {"decision": "approve"} | item, 404)
    browser.post("/queue/filters", {"name": "x", "whose": "mine"}, 404)
    browser.post(f"/queue/filters/{uuid4()}/remove", {}, 404)
    browser.post(f"/queue/samples/{request.number}", {"finding": "in order"}, 404)
    assert rows(database, "decision") == []


# ---- samples


def test_a_sample_is_looked_at_on_the_queues_page(cast: Cast, log_in: LogIn, database: Database) -> None:
    use_policy(database, ("enabled = false", "enabled = true"), ("sample_percent = 10", "sample_percent = 100"))
    request = file(cast)
    browser, here = log_in(cast.approver), f"/queue/samples/{request.number}"
    assert here not in {form.action for form in log_in(cast.security).get("/queue").forms}
    browser.post(here, {"note": "beze slov"}, 422)
    page = browser.post(here, {"finding": "objection", "note": " "}, 422)
    assert f"note-{request.number}-error" in page.ids
    browser.post(here, {"finding": "objection", "note": "Pozice neodpovídá."})
    assert [(row["finding"], row["note"]) for row in rows(database, "sample")] == [("objection", "Pozice neodpovídá.")]
    browser.post(here, {"finding": "in order"}, 409)
