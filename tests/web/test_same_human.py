"""Two records of one human, linked on the page of a person by the region's IT."""

from tests.cast import Cast
from tests.database import Database
from tests.web.conftest import LogIn
from tests.web.test_filing import rows


def test_the_regions_it_says_that_two_records_are_one_human(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser, here = log_in(cast.approver), f"/people/{cast.founder.person}"
    page = browser.send(browser.get(here), f"{here}/same", same_as="security@kraj.example", reason="Dvě smlouvy, ověřeno osobně.")
    assert cast.security.name in page.text
    (link,) = rows(database, "same_human")
    assert (link["person_id"], link["linked_by_id"]) == (cast.founder.person, cast.approver.person)
    assert cast.founder.name in log_in(cast.auditor).get(f"/people/{cast.security.person}").text
    assert "person.linked" in [row["action"] for row in rows(database, "audit")]


def test_what_is_missing_is_said_at_its_field_and_nothing_is_linked(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser, here = log_in(cast.approver), f"/people/{cast.founder.person}"
    for typed, wrong in (
        ({"same_as": "nobody@kraj.example", "reason": "x"}, "same_as"),
        ({"same_as": "security@kraj.example", "reason": " "}, "reason"),
    ):
        page = browser.send(browser.get(here), f"{here}/same", 422, **typed)
        assert f"{wrong}-error" in page.ids
    assert "same_as-error" in browser.post(f"{here}/same", {"same_as": "founder@kraj.example", "reason": "týž"}, 422).ids
    assert rows(database, "same_human") == []


def test_nobody_links_their_own_records(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser, here = log_in(cast.approver), f"/people/{cast.approver.person}"
    browser.post(f"{here}/same", {"same_as": "security@kraj.example", "reason": "to jsem já"}, 403)
    assert rows(database, "same_human") == []


def test_for_others_there_is_no_such_page(cast: Cast, log_in: LogIn, database: Database) -> None:
    for stranger in (cast.security, cast.it, cast.director):
        log_in(stranger).post(f"/people/{cast.director.person}/same", {"same_as": "security@kraj.example", "reason": "x"}, 404)
    assert rows(database, "same_human") == []


def test_the_same_two_are_linked_once(cast: Cast, log_in: LogIn, database: Database) -> None:
    browser = log_in(cast.approver)
    for here, other, status in ((cast.founder, "security", 200), (cast.founder, "security", 422), (cast.security, "founder", 422)):
        browser.post(f"/people/{here.person}/same", {"same_as": f"{other}@kraj.example", "reason": "táž osoba"}, status)
    assert len(rows(database, "same_human")) == 1
