"""A request is returned, corrected, and decided in its next version."""

import psycopg
import pytest
from sqlalchemy import select

from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.drafts import my_draft, save_draft, typed_of
from flows.approval.people import Caller
from flows.approval.refusals import AlreadyDecided, FormProblems, NotFound, PlanChanged
from flows.approval.submit import submit
from flows.approval.versions import changes, last_return
from flows.model import Employment, Letter, OnboardingRequest, Outbox, Person, RequestState, RequestVersion, ReservedName, Stage
from flows.model.session import open_session, transaction
from tests.approvals import TYPED
from tests.cast import Cast
from tests.database import Database
from tests.flows.test_decide import decided, filed, portal_of

COMMENTS = {"quota_gb": "Stačila by menší schránka?", "family_name": "Chybí druhé příjmení."}


def returned(by: Caller, request: OnboardingRequest, reason: str = "", comments: dict[str, str] | None = None) -> OnboardingRequest:
    with open_session(by.person, by.roles) as session, transaction(session):
        verdict = Verdict("return", str(request.plan_hash), reason, COMMENTS if comments is None else comments)
        return decide(session, by, StageRef(str(request.number), request.version), verdict).request


def corrected(by: Caller, request: OnboardingRequest, private_address: str = "zofie@posta.cz", **answers: str) -> OnboardingRequest:
    with open_session(by.person) as session, transaction(session):
        save_draft(session, by, request.id, TYPED | answers, private_address)
        return submit(session, by, request.id)


def test_a_return_says_at_the_fields_what_to_correct_and_keeps_everything_reserved(database: Database, cast: Cast) -> None:
    request = returned(cast.approver, filed(cast), "Prosím doplnit.")
    assert request.state is RequestState.RETURNED
    with open_session(cast.director.person) as session:
        told = last_return(session, my_draft(session, cast.director, request.id))
        assert told
        assert (told.by, told.reason, dict(told.comments)) == (cast.approver.name, "Prosím doplnit.", COMMENTS)
        assert typed_of(my_draft(session, cast.director, request.id)) == TYPED
    with database.used_as("nastup_worker"), transaction() as session:
        assert len(session.scalars(select(ReservedName)).all()) == 2
        assert session.scalars(select(Letter.person_id).where(Letter.kind == "returned")).all() == [cast.director.person]
        assert [row.payload for row in session.scalars(select(Outbox).where(Outbox.topic == "wait"))] == [{"waiting_for": "requester"}]


def test_the_corrected_request_is_the_next_version_with_a_plan_and_stages_of_its_own(database: Database, cast: Cast) -> None:
    first = filed(cast)
    again = corrected(cast.director, returned(cast.approver, first), quota_gb="3")
    assert (again.state, again.version, again.number) == (RequestState.WAITING_APPROVAL, 2, first.number)
    assert again.plan_hash != first.plan_hash
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(RequestVersion.version).order_by(RequestVersion.version)).all() == [1, 2]
        assert session.execute(select(Stage.version, Stage.state).order_by(Stage.version)).all() == [(1, "returned"), (2, "open")]
    assert decided(cast.second_approver, again, version=2).request.state is RequestState.APPROVED


def test_the_decider_sees_what_changed_and_of_the_private_address_only_that_it_did(database: Database, cast: Cast) -> None:
    again = corrected(
        cast.director, returned(cast.approver, filed(cast)), private_address="nova@posta.cz", quota_gb="3", manager="Jan Novák"
    )
    with open_session(cast.approver.person, cast.approver.roles) as session:
        found = changes(session, session.get_one(OnboardingRequest, again.id))
    assert [(change.field, change.before, change.after) for change in found] == [
        ("manager", "", "Jan Novák"),
        ("quota_gb", "5", "3"),
        ("private_email", "", ""),
    ]


def test_a_corrected_name_gets_new_names_and_frees_the_old_ones(database: Database, cast: Cast) -> None:
    again = corrected(cast.director, returned(cast.approver, filed(cast)), family_name="Šťastná Veselá", personal_number="77")
    assert (again.plan or {})["account"]["user_name"] == "zofie.stastna-vesela"
    with database.used_as("nastup_worker"), transaction() as session:
        assert sorted(session.scalars(select(ReservedName.name))) == ["zofie.stastna-vesela", "zofie.stastna-vesela@gym-opava.example"]
        person = session.get_one(Person, again.beneficiary_id)
        assert (person.family_name, person.email) == ("Šťastná Veselá", "zofie.stastna-vesela@gym-opava.example")
        assert session.scalars(select(Employment.personal_number)).all() == ["77"]


def test_a_decision_about_the_version_before_is_refused(database: Database, cast: Cast) -> None:
    first = filed(cast)
    corrected(cast.director, returned(cast.approver, first), quota_gb="3")
    with pytest.raises(PlanChanged):
        decided(cast.second_approver, first, version=1)


def test_a_return_needs_words_and_fields_that_exist(database: Database, cast: Cast) -> None:
    request = filed(cast)
    for comments in ({}, {"family_name": "   "}, {"birth_number": "?"}):
        with pytest.raises(FormProblems):
            returned(cast.approver, request, comments=comments)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.get_one(OnboardingRequest, request.id).state is RequestState.WAITING_APPROVAL


def test_a_bad_correction_is_told_at_its_field_and_nothing_is_lost(database: Database, cast: Cast) -> None:
    request = returned(cast.approver, filed(cast))
    with pytest.raises(FormProblems) as problems:
        corrected(cast.director, request, start="2020-01-01")
    assert list(problems.value.fields) == ["start"]
    other = filed(cast, by=cast.deputy, personal_number="9", family_name="Jiná")
    with pytest.raises(FormProblems) as taken:
        corrected(cast.director, request, personal_number="9")
    assert list(taken.value.fields) == ["personal_number"]
    assert other.number != request.number


def test_the_applicant_may_take_a_returned_request_back(database: Database, cast: Cast) -> None:
    request = returned(cast.approver, filed(cast))
    with open_session(cast.director.person) as session, transaction(session):
        assert decide(session, cast.director, StageRef(str(request.number), 1), Verdict("withdraw")).request.state is RequestState.WITHDRAWN


def test_nobody_but_the_author_corrects(database: Database, cast: Cast) -> None:
    request = returned(cast.approver, filed(cast))
    for other in (cast.deputy, cast.clerk, cast.hospital_director, cast.approver):
        with pytest.raises(NotFound):
            corrected(other, request, quota_gb="3")


def test_the_second_approver_learns_that_it_was_returned(database: Database, cast: Cast) -> None:
    request = filed(cast)
    returned(cast.approver, request)
    with pytest.raises(AlreadyDecided, match="returned this request"):
        decided(cast.second_approver, request)


def test_the_database_lets_names_be_changed_by_a_correction_only(database: Database, cast: Cast) -> None:
    request = filed(cast)
    change = f"UPDATE person SET family_name = 'X' WHERE id = '{request.beneficiary_id}' RETURNING id"
    with portal_of(database, cast.director) as db:
        assert db.execute(change).fetchall() == []
    with portal_of(database, cast.director) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(f"UPDATE person SET family_name = 'X' WHERE id = '{cast.director.person}'")
    returned(cast.approver, request)
    with portal_of(database, cast.director) as db:
        assert len(db.execute(change).fetchall()) == 1
