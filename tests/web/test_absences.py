"""The page of absences and the pages of closed days, as those who use them see them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.approvals import answer, away, file
from tests.cast import REGIONAL, Cast
from tests.database import Database
from tests.web.conftest import LogIn

TODAY = date.today()
HERE, SCHOOL = "/absences", "/organisations/gym-opava/closed-days"


def some_days(first: int = 0, last: int = 3) -> dict[str, str]:
    return {"first": (TODAY + timedelta(days=first)).isoformat(), "last": (TODAY + timedelta(days=last)).isoformat()}


def a_wednesday() -> date:
    """An ordinary one, some weeks ahead."""
    free = {(12, 23), (1, 1), (5, 1), (5, 8), (7, 5), (7, 6), (9, 28), (10, 28), (11, 17)}
    days = (TODAY + timedelta(days=n) for n in range(20, 60))
    return next(day for day in days if day.weekday() == 2 and (day.month, day.day) not in free)


def test_an_absence_is_told_seen_by_both_and_ended(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.approver)
    page = browser.get(HERE)
    page = browser.send(page, HERE, group="region-it", deputy=str(cast.it.person), **some_days())
    assert "Nepřítomnost je zapsána" in page.text
    assert "Nyní nepřítomnost" in page.text
    theirs = log_in(cast.it).get(HERE)
    assert cast.approver.name in theirs.text
    assert not [form for form in theirs.forms if form.action.endswith("/end")]
    (action,) = [form.action for form in page.forms if form.action.endswith("/end")]
    assert "Nepřítomnost skončila" in browser.send(page, action).text


def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.approver)
    typed = {"group": "region-it", "deputy": str(cast.founder.person)} | some_days(5, 2)
    page = browser.send(browser.get(HERE), HERE, 422, **typed)
    assert "skončila dřív, než začne" in page.text
    assert page.form(HERE).fields == typed


@pytest.mark.parametrize("typed", [{"first": "zítra"}, {"deputy": "kolegyně"}, {"group": "starosta"}, {"deputy": "x" * 4000}])
def test_what_is_no_day_and_no_person_is_refused(cast: Cast, log_in: LogIn, typed: dict[str, str]) -> None:
    whole = {"group": "region-it", "deputy": ""} | some_days() | typed
    log_in(cast.approver).post(HERE, whole, 422)


def test_without_the_second_factor_a_deputy_is_not_offered_and_the_page_says_why(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(replace(cast.approver, second_factor=False))
    page = browser.get(HERE)
    assert "deputy" not in page.form(HERE).fields
    assert "druhým faktorem" in page.text
    assert f"/login?back={HERE}&again=1" in page.links
    browser.post(HERE, {"group": "region-it", "deputy": str(cast.it.person)} | some_days(), 403)
    assert "Nepřítomnost je zapsána" in browser.send(page, HERE, group="region-it", **some_days()).text


def test_a_second_absence_in_the_same_days_is_refused(cast: Cast, log_in: LogIn) -> None:
    browser = log_in(cast.approver)
    for status in (200, 422):
        browser.send(browser.get(HERE), HERE, status, group="region-it", **some_days())


def test_everybody_of_the_region_opens_the_page_from_the_menu_and_others_do_not(cast: Cast, log_in: LogIn) -> None:
    for who in REGIONAL:
        browser = log_in(getattr(cast, who))
        assert HERE in browser.get("/").links
        page = browser.get(HERE)
        assert any(form.action == HERE for form in page.forms) == (who not in ("it", "auditor"))
    for who in (cast.director, cast.clerk):
        assert HERE not in log_in(who).get("/").links
        log_in(who).get(HERE, 404)
        log_in(who).post(HERE, some_days() | {"group": "region-it", "deputy": ""}, 404)


def test_the_absence_of_somebody_else_is_not_there(database: Database, cast: Cast, log_in: LogIn) -> None:
    away(database, cast.approver, REGIONAL["approver"], cast.it)
    with database.superuser() as db:
        ((absence,),) = db.execute("SELECT id FROM absence").fetchall()
    for who in (cast.it, cast.security, cast.director):
        log_in(who).post(f"{HERE}/{absence}/end", {}, 404)
    log_in(cast.approver).post(f"{HERE}/not-an-id/end", {}, 404)


def test_the_regions_closed_days_are_set_by_its_it_and_read_by_the_others(cast: Cast, log_in: LogIn) -> None:
    browser, day = log_in(cast.approver), a_wednesday()
    page = browser.send(browser.get(HERE), f"{HERE}/closed-days", day=day.isoformat(), note="odstávka budovy")
    assert "odstávka budovy" in page.text
    browser.send(page, f"{HERE}/closed-days", 422, day=day.isoformat(), note="")
    read = log_in(cast.founder).get(HERE)
    assert "odstávka budovy" in read.text
    assert not [form for form in read.forms if "closed-days" in form.action]
    log_in(cast.founder).post(f"{HERE}/closed-days", {"day": day.isoformat(), "note": ""}, 403)
    (remove,) = [form.action for form in page.forms if form.action.endswith("/remove")]
    assert "odstávka budovy" not in browser.send(page, remove).text
    browser.post(remove, {}, 404)


def test_an_organisations_closed_days_are_set_by_its_director_and_deputy(cast: Cast, log_in: LogIn) -> None:
    day = a_wednesday()
    browser = log_in(cast.director)
    assert SCHOOL in browser.get("/organisations/gym-opava").links
    page = browser.send(browser.get(SCHOOL), SCHOOL, day=day.isoformat(), note="ředitelské volno")
    assert "ředitelské volno" in log_in(cast.clerk).get(SCHOOL).text
    assert "ředitelské volno" in log_in(cast.auditor).get(SCHOOL).text
    log_in(cast.hospital_director).get(SCHOOL, 404)
    for who, status in ((cast.clerk, 403), (cast.approver, 403), (cast.hospital_director, 404)):
        log_in(who).post(SCHOOL, {"day": day.isoformat(), "note": ""}, status)
    (remove,) = [form.action for form in page.forms if form.action.endswith("/remove")]
    log_in(cast.clerk).post(remove, {}, 403)
    assert "ředitelské volno" not in log_in(cast.deputy).send(page, remove).text


def test_a_returned_request_says_until_when_it_is_to_be_corrected(cast: Cast, log_in: LogIn) -> None:
    answer(cast.approver, file(cast), "return", "Prosím celý název pozice.")
    assert "Lhůta:" in log_in(cast.director).get("/").text


@pytest.mark.parametrize("where", ["/absences/x/end", "/absences/closed-days/x/remove", "/organisations/gym-opava/closed-days/x/remove"])
def test_what_is_no_id_is_not_there(cast: Cast, log_in: LogIn, where: str) -> None:
    for who in (cast.it, cast.director):
        log_in(who).post(where, {}, 404)
    log_in(cast.director).get("/requests/drafts/x", 404)
