"""An approver decides in the queue; the applicant may take a request back; everybody else meets the same wall."""

import pytest

from flows.approval.people import Caller
from flows.settings import load
from tests.approvals import route, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.web.client import Browser
from tests.web.conftest import LogIn
from tests.web.test_filing import NEW, file, good_answers, rows, same_words


@pytest.fixture
def number(cast: Cast, log_in: LogIn) -> str:
    """The reference number of a request of the school's director."""
    return file(log_in(cast.director)).path.split("/")[2]


def decide(browser: Browser, number: str, status: int = 200, **typed: str) -> None:
    browser.send(browser.get(f"/queue/{number}"), f"/queue/{number}/decision", status, **typed)


def test_a_request_waits_in_the_queue_and_is_approved(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    assert f"/queue/{number}" in browser.get("/queue").links
    assert f"/queue/{number}" in browser.get("/").links
    decide(browser, number, decision="approve")
    assert rows(database, "onboarding_request")[0]["state"] == "approved"
    assert [row["topic"] for row in sorted(rows(database, "outbox"), key=lambda row: row["position"])] == ["create", "release"]
    assert f"/queue/{number}" not in browser.get("/queue").links


def test_the_pages_say_of_the_backup_what_the_agents_are_set_to(
    cast: Cast, log_in: LogIn, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASTUP_SNAPSHOTS__NIGHTLY", "03:40")
    monkeypatch.setenv("NASTUP_SNAPSHOTS__KEEP_DAILY", "31")
    load.cache_clear()
    for path in (f"/queue/{number}", f"/requests/{number}"):
        text = log_in(cast.approver).get(path).text
        assert "3:40" in text
        assert "31 dní" in text
    director = log_in(cast.director)
    form = director.get(NEW)
    checked = director.send(form, NEW, **good_answers(personal_number="Z-2"))
    for page in (form, checked, director.get("/privacy")):
        assert "31 dní" in page.text


def test_a_refusal_reaches_the_applicant_with_its_reason(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    decide(log_in(cast.approver), number, decision="refuse", reason="Osobní číslo patří někomu jinému.")
    assert "Osobní číslo patří někomu jinému." in log_in(cast.director).get(f"/requests/{number}").text
    assert rows(database, "reserved_name") == []


def test_the_status_page_says_who_has_it_and_stops_asking_at_the_end(cast: Cast, log_in: LogIn, number: str) -> None:
    browser = log_in(cast.director)
    poll = f"/requests/{number}/progress"
    assert f'hx-get="{poll}"' in browser.get(f"/requests/{number}").html
    assert f'hx-get="{poll}"' in browser.fragment(poll).text
    browser.send(browser.get(f"/requests/{number}"), f"/requests/{number}/withdraw")
    assert "hx-get" not in browser.fragment(poll).text


def test_an_applicant_takes_a_request_back(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.director)
    page = browser.send(browser.get(f"/requests/{number}"), f"/requests/{number}/withdraw")
    assert "withdraw" not in "".join(form.action for form in page.forms)
    assert rows(database, "onboarding_request")[0]["state"] == "withdrawn"
    assert rows(database, "reserved_name") == []
    assert f"/people/{rows(database, 'onboarding_request')[0]['beneficiary_id']}" not in page.links  # nobody of that name was set up
    for remnant in ("results-title", "link-title", "zofie.stastna", "Rozhoduje", "Nejpozději", "Odkaz na soukromou adresu"):
        assert remnant not in page.html, remnant


def test_the_applicant_reads_that_nobody_can_decide_now_instead_of_a_day(
    cast: Cast, log_in: LogIn, database: Database, number: str
) -> None:
    browser = log_in(cast.director)
    assert "Do kdy" in browser.get(f"/requests/{number}").text
    with database.superuser() as db:
        db.execute("UPDATE stage SET nobody = true")
    page = browser.get(f"/requests/{number}")
    assert page.title.startswith("Zdrženo: o žádosti teď nemá kdo rozhodnout")
    for words in ("IT kraje o tom ví", "Z této skupiny teď nemá kdo rozhodnout."):
        assert words in page.text
    for promise in ("Do kdy", "rozhodnutí obvykle trvá"):
        assert promise not in page.text


@pytest.mark.parametrize("filter_", ["?q=stastna", "?q=Šťastná", "?due=", "?q=P-", "?due=hints"])
def test_the_queue_is_filtered_by_the_address(cast: Cast, log_in: LogIn, number: str, filter_: str) -> None:
    found = f"/queue/{number}" in log_in(cast.approver).get(f"/queue{filter_}").links
    assert found == (filter_ != "?due=hints")


def test_lists_find_a_person_without_diacritics(cast: Cast, log_in: LogIn, number: str) -> None:
    browser = log_in(cast.director)
    assert f"/requests/{number}" in browser.get("/requests?q=stastna&state=waiting_approval").links
    assert f"/requests/{number}" not in browser.get("/requests?q=novak").links
    assert "Šťastná" in browser.get("/people?q=stastna").text


# ---- refused


def test_a_refusal_without_a_reason_keeps_the_form(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    page = browser.send(browser.get(f"/queue/{number}"), f"/queue/{number}/decision", 422, decision="refuse", reason="  ")
    assert "reason-error" in page.ids
    assert rows(database, "decision") == []


RESERVED, NUMBER = "Uživatelské jméno i adresa jsou pro tohoto člověka zarezervované.", "Osobní číslo v organizaci nikdo jiný nemá."


def test_the_decider_reads_that_names_and_number_are_nobody_elses(cast: Cast, log_in: LogIn, number: str) -> None:
    text = log_in(cast.approver).get(f"/queue/{number}").text
    assert RESERVED in text
    assert NUMBER in text


@pytest.mark.parametrize("kind", ["user_name", "address"])
def test_the_decider_is_warned_of_a_name_that_is_kept_for_somebody_else(
    cast: Cast, log_in: LogIn, database: Database, number: str, kind: str
) -> None:
    with database.superuser() as db:
        db.execute("UPDATE reserved_name SET person_id = %s WHERE kind = %s", (cast.clerk.person, kind))
    text = log_in(cast.approver).get(f"/queue/{number}").text
    assert RESERVED not in text
    assert "Uživatelské jméno nebo adresa pro tohoto člověka není zarezervovaná." in text


def test_the_decider_is_warned_of_a_number_that_somebody_else_has(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    with database.superuser() as db:
        db.execute("UPDATE employment SET person_id = %s", (cast.clerk.person,))
    text = log_in(cast.approver).get(f"/queue/{number}").text
    assert NUMBER not in text
    assert "Toto osobní číslo má v organizaci někdo jiný" in text


def test_a_decision_needs_a_choice_and_its_own_fields(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    fields = browser.get(f"/queue/{number}").form(f"/queue/{number}/decision").fields
    browser.post(f"/queue/{number}/decision", fields, 422)
    browser.post(f"/queue/{number}/decision", fields | {"decision": "approve", "decided_by_id": str(cast.founder.person)}, 422)
    assert rows(database, "decision") == []


def test_a_decider_without_the_second_factor_only_reads(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    person = cast.approver
    browser = log_in(Caller(person.person, person.name, person.roles, second_factor=False))
    page = browser.get(f"/queue/{number}")
    assert [form for form in page.forms if form.action.endswith("/decision")] == []
    fields = {"decision": "approve", "version": "1", "stage": "1", "plan_hash": rows(database, "onboarding_request")[0]["plan_hash"]}
    browser.post(f"/queue/{number}/decision", fields, 403)
    assert rows(database, "decision") == []


def test_a_role_that_stands_in_the_token_only_does_not_count(cast: Cast, log_in: LogIn, number: str) -> None:
    impostor = Caller(cast.clerk.person, cast.clerk.name, cast.approver.roles, second_factor=True)
    browser = log_in(impostor)
    browser.get("/queue", 404)
    browser.get(f"/queue/{number}", 404)
    browser.get("/runs", 404)


def test_a_role_that_stands_in_the_table_only_does_not_count(cast: Cast, log_in: LogIn, number: str) -> None:
    without = Caller(cast.approver.person, cast.approver.name, frozenset(), second_factor=True)
    log_in(without).get("/queue", 404)


# ---- the stranger


def test_everything_of_another_organisation_is_as_if_it_were_not_there(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    stranger = log_in(cast.hospital_director)
    (employment,) = rows(database, "employment")
    missing = stranger.get("/requests/P-2026-9999", 404)
    paths = [f"/requests/{number}", f"/requests/{number}/submitted", f"/queue/{number}", f"/runs/{number}", "/organisations/gym-opava"]
    for path in [*paths, f"/people/{employment['person_id']}", f"/people/{cast.clerk.person}", "/requests/%00", "/requests/P-1-2-3"]:
        assert same_words(stranger.get(path, 404), missing), path
    for path in (f"/requests/{number}/withdraw", f"/requests/{number}/link", f"/queue/{number}/decision", f"/runs/{number}/retry"):
        answer = stranger.http.post(path, data={"decision": "approve", "version": "1", "plan_hash": "x"})
        assert answer.status_code == 404, path
    assert stranger.fragment(f"/requests/{number}/progress", 404).headers["hx-retarget"] == "body"
    for path in ("/requests", "/people", "/", "/organisations"):
        assert "Šťastná" not in stranger.get(path).text
        assert "Opava" not in stranger.get(path).text


def test_a_clerk_sees_their_own_requests_only(cast: Cast, log_in: LogIn, number: str) -> None:
    browser = log_in(cast.clerk)
    browser.get(f"/requests/{number}", 404)
    assert f"/requests/{number}" not in browser.get("/requests").links
    assert f"/requests/{number}" in log_in(cast.deputy).get("/requests").links


def test_a_colleague_may_read_but_not_take_back(cast: Cast, log_in: LogIn, number: str) -> None:
    browser = log_in(cast.deputy)
    assert [form.action for form in browser.get(f"/requests/{number}").forms if "withdraw" in form.action] == []
    assert browser.http.post(f"/requests/{number}/withdraw").status_code == 403


# ---- twice


def test_the_second_approver_sees_who_decided_and_when(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    second = log_in(cast.second_approver)
    page = second.get(f"/queue/{number}")
    decide(log_in(cast.approver), number, decision="approve")
    late = second.send(page, f"/queue/{number}/decision", 409, decision="refuse", reason="Ne.")
    assert cast.approver.name in late.text
    assert len(rows(database, "decision")) == 1


def test_what_the_second_one_typed_stays_to_be_copied_and_nothing_is_shown_where_nothing_was(
    cast: Cast, log_in: LogIn, database: Database, number: str
) -> None:
    second = log_in(cast.second_approver)
    page = second.get(f"/queue/{number}")
    decide(log_in(cast.approver), number, decision="approve")
    late = second.send(page, f"/queue/{number}/decision", 409, decision="refuse", reason="Pozice už je obsazená.")
    assert "Pozice už je obsazená." in late.text
    silent = second.send(page, f"/queue/{number}/decision", 409, decision="approve")
    assert "typed-title" in late.ids
    assert "typed-title" not in silent.ids


def test_a_double_click_is_one_decision_and_no_reproach(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    page = browser.get(f"/queue/{number}")
    for told in ("schváleno.", "vaše rozhodnutí už je zapsané."):
        assert f"{number}: {told}" in browser.send(page, f"/queue/{number}/decision", decision="approve").text
    assert len(rows(database, "decision")) == 1


def test_who_answered_a_step_of_two_deciders_reads_that_another_one_is_needed(cast: Cast, log_in: LogIn, database: Database) -> None:
    use_policy(database, text=route('group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"\ndeciders = 2'))
    number = file(log_in(cast.director)).path.split("/")[2]
    browser = log_in(cast.approver)
    decide(browser, number, decision="approve")
    assert "Na tento krok už jste odpověděli" in browser.get(f"/queue/{number}").text


# ---- late


def test_a_request_taken_back_can_no_longer_be_decided(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    approver = log_in(cast.approver)
    page = approver.get(f"/queue/{number}")
    director = log_in(cast.director)
    director.send(director.get(f"/requests/{number}"), f"/requests/{number}/withdraw")
    approver.send(page, f"/queue/{number}/decision", 409, decision="approve")
    assert approver.get(f"/queue/{number}").status == 200
    assert rows(database, "decision") == []


def test_the_second_on_a_stale_page_reads_that_nothing_of_theirs_was_kept(cast: Cast, log_in: LogIn, number: str) -> None:
    late = log_in(cast.second_approver)
    page = late.get(f"/queue/{number}")
    decide(log_in(cast.approver), number, decision="approve")
    answer = late.send(page, f"/queue/{number}/decision", 409, decision="refuse", reason="Už tu pracuje.")
    assert "Vaše rozhodnutí se neuložilo" in answer.text
    assert cast.approver.name in answer.text


def test_words_typed_into_a_session_that_ended_are_given_back(cast: Cast, log_in: LogIn, number: str) -> None:
    browser = log_in(cast.approver)
    page = browser.get(f"/queue/{number}")
    browser.http.cookies.clear()
    answer = browser.send(page, f"/queue/{number}/decision", 401, decision="refuse", reason="Dlouze psané zdůvodnění <b>")
    assert "Dlouze psané zdůvodnění <b>" in answer.text
    assert "plan_hash" not in answer.html


def test_ten_thousand_characters_are_refused_and_shown_again_whole(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser, long = log_in(cast.approver), "ě" * 10_000
    answer = browser.send(browser.get(f"/queue/{number}"), f"/queue/{number}/decision", 422, decision="refuse", reason=long)
    assert long in answer.text
    assert rows(database, "decision") == []


def test_a_request_is_taken_over_and_handed_to_a_colleague_through_the_page(cast: Cast, log_in: LogIn, number: str) -> None:
    first, second = log_in(cast.approver), log_in(cast.second_approver)
    page = first.get(f"/queue/{number}")
    about = {name: page.form(f"/queue/{number}/decision").fields[name] for name in ("version", "stage")}
    first.post(f"/queue/{number}/handling", about)
    assert "Proč o tom nemůžete rozhodnout" in second.get(f"/queue/{number}").text
    first.post(f"/queue/{number}/handling", about | {"to": str(cast.second_approver.person)})
    assert "Proč o tom nemůžete rozhodnout" not in second.get(f"/queue/{number}").text
    assert first.post(f"/queue/{number}/handling", about | {"to": str(cast.director.person)}, 422).status == 422


def test_what_changed_meanwhile_is_shown_instead_of_a_decision(cast: Cast, log_in: LogIn, database: Database, number: str) -> None:
    browser = log_in(cast.approver)
    page = browser.get(f"/queue/{number}")
    use_policy(
        database,
        ('version = "2026-11-26"', 'version = "stricter"'),
        ("{ privileged = true }, { contract", '{ filed_by = ["director"] }, { contract'),
    )
    answer = browser.send(page, f"/queue/{number}/decision", 409, decision="approve")
    assert "Změnila se pravidla schvalování (verze stricter)" in answer.text
    assert rows(database, "decision") == []
    answer = browser.send(answer, f"/queue/{number}/decision", decision="approve")
    assert [row["verdict"] for row in rows(database, "decision")] == ["approve"]
