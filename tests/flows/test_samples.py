"""What a rule approved and chance chose is looked at once, by somebody of region-it whose own request it is not."""

from dataclasses import replace

import psycopg
import pytest

from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems, NoLongerOpen, NotAllowed, NotFound, SecondFactorNeeded
from flows.approval.samples import Finding, look_at, to_look_at
from flows.model import OnboardingRequest
from flows.model.session import open_session, transaction
from tests.approvals import file, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.flows.test_decide import portal_of


@pytest.fixture
def drawn(database: Database, cast: Cast) -> OnboardingRequest:
    use_policy(database, ("enabled = false", "enabled = true"), ("sample_percent = 10", "sample_percent = 100"))
    return file(cast)


def look(by: Caller, request: OnboardingRequest, finding: Finding = "in order", note: str = "") -> None:
    with open_session(by.person, by.roles) as session, transaction(session):
        look_at(session, by, str(request.number), finding, note)


def waiting(by: Caller) -> list[str]:
    with open_session(by.person, by.roles) as session:
        return [each.number for each in to_look_at(session, by)]


def found(database: Database) -> list[tuple[object, ...]]:
    with database.superuser() as db:
        return db.execute("SELECT finding, note, looked_by_id FROM sample").fetchall()


def test_the_finding_is_kept_and_stands_in_the_audit(database: Database, cast: Cast, drawn: OnboardingRequest) -> None:
    assert waiting(cast.approver) == [drawn.number]
    look(cast.approver, drawn, "objection", "Pozice neodpovídá smlouvě.")
    assert found(database) == [("objection", "Pozice neodpovídá smlouvě.", cast.approver.person)]
    assert waiting(cast.approver) == []
    with database.superuser() as db:
        assert db.execute("SELECT facts->>'finding' FROM audit WHERE action = 'sample.looked_at'").fetchall() == [("objection",)]


def test_an_objection_says_why(database: Database, cast: Cast, drawn: OnboardingRequest) -> None:
    for note in (" ", "x" * 501):
        with pytest.raises(FormProblems):
            look(cast.approver, drawn, "objection", note)
    assert found(database) == [("", "", None)]


def test_others_do_not_look_and_nobody_at_their_own(database: Database, cast: Cast, drawn: OnboardingRequest) -> None:
    for stranger in (cast.security, cast.director, cast.auditor):
        assert waiting(stranger) == []
        with pytest.raises(NotFound):
            look(stranger, drawn)
    with pytest.raises(SecondFactorNeeded):
        look(replace(cast.approver, second_factor=False), drawn)
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET requester_id = %s", (cast.approver.person,))
    with pytest.raises(NotAllowed):
        look(cast.approver, drawn)
    with portal_of(database, cast.approver) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("UPDATE sample SET looked_at = now(), looked_by_id = %s, finding = 'in order'", (cast.approver.person,))


def test_the_database_lets_only_the_group_look(database: Database, cast: Cast, drawn: OnboardingRequest) -> None:
    for by in (cast.security, replace(cast.director, roles=frozenset({Regional.REGION_IT}))):
        with portal_of(database, by) as db:
            changed = db.execute("UPDATE sample SET looked_at = now(), looked_by_id = %s, finding = 'in order'", (by.person,)).rowcount
        assert changed == 0


def test_it_is_looked_at_once(database: Database, cast: Cast, drawn: OnboardingRequest) -> None:
    look(cast.approver, drawn)
    with pytest.raises(NoLongerOpen):
        look(cast.second_approver, drawn, "objection", "Pozdě.")
    assert found(database) == [("in order", "", cast.approver.person)]


def test_what_was_not_drawn_is_not_there(database: Database, cast: Cast) -> None:
    with pytest.raises(NotFound):
        look(cast.approver, file(cast))
