import threading
from datetime import date
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select

from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.drafts import new_draft, save_draft
from flows.approval.people import Caller
from flows.approval.refusals import (
    AlreadyDecided,
    FormProblems,
    NoLongerOpen,
    NotAllowed,
    NotFound,
    PlanChanged,
    Refusal,
    SecondFactorNeeded,
)
from flows.approval.submit import submit
from flows.model import ActivationContact, Audit, Decision, Letter, OnboardingRequest, Outbox, Person, RequestState, ReservedName
from flows.model.session import open_session, transaction
from tests.approvals import TYPED
from tests.cast import Cast
from tests.database import Database


def filed(cast: Cast, by: Caller | None = None, **changes: str) -> OnboardingRequest:
    """A request of the school's director, waiting for its approver."""
    by = by or cast.director
    with open_session(by.person) as session, transaction(session):
        draft = new_draft(session, by, cast.school.id)
        save_draft(session, by, draft.id, TYPED | changes, "zofie@posta.cz")
        return submit(session, by, draft.id)


def decided(
    by: Caller, request: OnboardingRequest, verdict: str = "approve", reason: str = "", plan_hash: str | None = None, version: int = 1
):
    with open_session(by.person, by.roles) as session, transaction(session):
        choice = Verdict(verdict, plan_hash or str(request.plan_hash), reason)  # type: ignore[arg-type]
        return decide(session, by, StageRef(str(request.number), version), choice)


def test_an_approval_moves_the_request_and_releases_its_run(database: Database, cast: Cast) -> None:
    request = filed(cast, start=date.today().isoformat())  # so near that it is a letter at once, not a line of the digest
    outcome = decided(cast.approver, request)
    assert outcome.request.state is RequestState.APPROVED
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(Outbox.topic).order_by(Outbox.position)).all() == ["create", "release"]
        assert session.scalar(select(func.count()).select_from(Letter).where(Letter.kind == "waiting_for_you")) == 2


def test_a_refusal_needs_a_reason_gives_the_names_back_and_tells_the_applicant(database: Database, cast: Cast) -> None:
    request = filed(cast)
    with pytest.raises(FormProblems):
        decided(cast.approver, request, "refuse", "   ")
    assert decided(cast.approver, request, "refuse", "Osoba už účet má.").request.state is RequestState.REFUSED
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(ReservedName)).all() == []
        assert session.get_one(ActivationContact, request.id).address is None
        assert session.scalars(select(Letter.person_id).where(Letter.kind == "refused")).all() == [cast.director.person]


def test_the_names_of_a_refused_request_are_free_again(database: Database, cast: Cast) -> None:
    decided(cast.approver, filed(cast), "refuse", "Chybí smlouva.")
    again = filed(cast)
    assert (again.plan or {})["account"]["user_name"] == "zofie.stastna"


def test_somebody_of_another_group_may_not_decide(database: Database, cast: Cast) -> None:
    request = filed(cast)
    for stranger in (cast.founder, cast.security, cast.dpo, cast.it, cast.auditor):
        with pytest.raises(NotAllowed):
            decided(stranger, request)


def test_an_applicant_does_not_even_learn_that_there_is_a_queue(database: Database, cast: Cast) -> None:
    request = filed(cast)
    for applicant in (cast.director, cast.deputy, cast.clerk, cast.hospital_director):
        with pytest.raises(NotFound):
            decided(applicant, request)


def test_a_decider_without_a_second_factor_is_asked_for_it(database: Database, cast: Cast) -> None:
    request = filed(cast)
    weak = Caller(cast.approver.person, cast.approver.name, cast.approver.roles, second_factor=False)
    with pytest.raises(SecondFactorNeeded):
        decided(weak, request)


def test_the_second_of_two_simultaneous_approvers_learns_who_decided(database: Database, cast: Cast) -> None:
    request = filed(cast)
    barrier, ends = threading.Barrier(2), list[object]()

    def race(by: Caller) -> None:
        barrier.wait()
        try:
            ends.append(decided(by, request).decision)
        except Refusal as refusal:
            ends.append(refusal)

    threads = [threading.Thread(target=race, args=(by,)) for by in (cast.approver, cast.second_approver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [end for end in ends if isinstance(end, Decision)]
    late = [end for end in ends if isinstance(end, AlreadyDecided)]
    assert len(made) == len(late) == 1
    winner = cast.approver if made[0].decided_by_id == cast.approver.person else cast.second_approver
    assert winner.name in str(late[0])


def test_a_decision_about_a_plan_that_was_not_on_the_page_is_refused(database: Database, cast: Cast) -> None:
    request = filed(cast)
    with pytest.raises(PlanChanged):
        decided(cast.approver, request, plan_hash="0" * 64)
    with pytest.raises(PlanChanged):
        decided(cast.approver, request, version=2)


def test_a_withdrawn_request_can_no_longer_be_decided(database: Database, cast: Cast) -> None:
    request = filed(cast)
    with open_session(cast.director.person) as session, transaction(session):
        decide(session, cast.director, StageRef(str(request.number), 1), Verdict("withdraw"))
    with pytest.raises(NoLongerOpen):
        decided(cast.approver, request)


def test_a_colleague_may_not_withdraw_and_a_stranger_finds_nothing(database: Database, cast: Cast) -> None:
    number = str(filed(cast).number)
    with open_session(cast.deputy.person) as session, pytest.raises(NotAllowed), transaction(session):
        decide(session, cast.deputy, StageRef(number, 1), Verdict("withdraw"))
    for stranger in (cast.hospital_director, cast.clerk):
        with open_session(stranger.person) as session, pytest.raises(NotFound), transaction(session):
            decide(session, stranger, StageRef(number, 1), Verdict("withdraw"))


def test_a_draft_that_is_submitted_twice_is_one_request(database: Database, cast: Cast) -> None:
    by = cast.director
    with open_session(by.person) as session, transaction(session):
        draft = new_draft(session, by, cast.school.id)
        save_draft(session, by, draft.id, TYPED, "zofie@posta.cz")
    numbers = list[str | None]()
    barrier = threading.Barrier(4)

    def press() -> None:
        barrier.wait()
        with open_session(by.person) as session, transaction(session):
            numbers.append(submit(session, by, draft.id).number)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 4
    assert len(set(numbers)) == 1
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalar(select(func.count()).select_from(Outbox)) == 1
        assert session.scalar(select(func.count()).select_from(Person).where(Person.family_name == "Šťastná")) == 1


def test_two_namesakes_filed_at_the_same_moment_get_different_names(database: Database, cast: Cast) -> None:
    barrier, names = threading.Barrier(2), list[str]()

    def file(by: Caller, number: str) -> None:
        barrier.wait()
        request = filed(cast, by, personal_number=number)
        names.append((request.plan or {})["account"]["user_name"])

    threads = [threading.Thread(target=file, args=args) for args in ((cast.director, "1"), (cast.deputy, "2"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == ["zofie.stastna", "zofie.stastna2"]


def test_a_personal_number_that_works_already_is_told_at_its_field(database: Database, cast: Cast) -> None:
    filed(cast)
    with pytest.raises(FormProblems) as problems:
        filed(cast)
    assert list(problems.value.fields) == ["personal_number"]


def test_a_private_address_inside_any_managed_domain_is_refused(database: Database, cast: Cast) -> None:
    by = cast.director
    with open_session(by.person) as session, transaction(session):
        draft = new_draft(session, by, cast.school.id)
        save_draft(session, by, draft.id, TYPED, "zofie@nem-karvina.example")
    with open_session(by.person) as session, pytest.raises(FormProblems) as problems, transaction(session):
        submit(session, by, draft.id)
    assert list(problems.value.fields) == ["private_email"]


def test_the_database_refuses_what_the_program_would_not_do(database: Database, cast: Cast) -> None:
    """The last line: the same acts tried with the portal's own rights."""
    request = filed(cast)
    tries = {
        "approve without a decision": f"UPDATE onboarding_request SET state = 'approved' WHERE id = '{request.id}'",
        "jump to done": f"UPDATE onboarding_request SET state = 'done' WHERE id = '{request.id}'",
        "another plan": f"UPDATE onboarding_request SET plan_hash = 'x' WHERE id = '{request.id}'",
        "another requester": f"UPDATE onboarding_request SET requester_id = '{cast.deputy.person}' WHERE id = '{request.id}'",
        "decide for somebody else": decision_of(request.id, cast.second_approver.person),
        "an approval by a rule": f"INSERT INTO decision (id, stage_id, request_id, version, plan_hash, verdict, rule) "
        f"SELECT gen_random_uuid(), id, request_id, 1, '{request.plan_hash}', 'approve', 'r' FROM stage",
        "change history": "UPDATE audit SET actor = 'nobody'",
        "erase history": "DELETE FROM audit",
        "a role": "INSERT INTO regional_role (id, person_id, role, granted_by) "
        f"VALUES (gen_random_uuid(), '{cast.director.person}', 'region-it', 'me')",
    }
    ended: dict[str, str] = {}
    for what, statement in tries.items():
        with portal_of(database, cast.approver) as db, pytest.raises(psycopg.Error) as refused:
            db.execute(statement)
        ended[what] = type(refused.value).__name__
    assert set(ended.values()) <= {"CheckViolation", "InsufficientPrivilege", "RestrictViolation"}, ended


def test_the_requester_cannot_decide_even_past_the_program(database: Database, cast: Cast) -> None:
    request = filed(cast)
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET requester_id = %s WHERE id = %s", (cast.approver.person, request.id))
    with portal_of(database, cast.approver) as db, pytest.raises(psycopg.errors.CheckViolation, match="own request"):
        db.execute(decision_of(request.id, cast.approver.person))


def test_what_was_approved_cannot_become_another_plan_of_a_new_version(database: Database, cast: Cast) -> None:
    request = decided(cast.approver, filed(cast)).request
    with portal_of(database, cast.approver) as db, pytest.raises(psycopg.errors.CheckViolation, match="what was decided"):
        db.execute("UPDATE onboarding_request SET version = 2, plan = '{}', plan_hash = 'x' WHERE id = %s", (request.id,))


def test_the_worker_cannot_decide_nor_make_somebody_an_approver(database: Database, cast: Cast) -> None:
    request = filed(cast)
    for statement in (
        decision_of(request.id, cast.approver.person),
        f"INSERT INTO regional_role (id, person_id, role, granted_by) VALUES (gen_random_uuid(), '{cast.director.person}', 'it', 'w')",
        f"INSERT INTO login_account (issuer, subject, person_id, linked_by) VALUES ('i', 's', '{cast.approver.person}', 'w')",
        "UPDATE onboarding_request SET plan_hash = 'x'",
        "SELECT * FROM web_session",
    ):
        address = database.url("nastup_worker").replace("+psycopg", "")
        with psycopg.connect(address) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(statement)


def test_every_move_stands_once_in_the_unbroken_audit_chain(database: Database, cast: Cast) -> None:
    decided(cast.approver, filed(cast))
    with database.superuser() as db:
        rows = db.execute(
            "SELECT action, previous_hash, hash, encode(sha256(convert_to(audit_text(a), 'UTF8')), 'hex') FROM audit a ORDER BY position"
        ).fetchall()
    assert [row[0] for row in rows] == ["policy.loaded", "request.moved", "stage.decided", "request.moved"]
    assert all(row[2] == row[3] for row in rows)
    assert [row[1] for row in rows] == ["0" * 64, *(row[2] for row in rows[:-1])]
    assert Audit.__tablename__ == "audit"


def decision_of(request: UUID, by: UUID) -> str:
    return (
        "INSERT INTO decision (id, stage_id, request_id, version, plan_hash, verdict, decided_by_id) "
        f"SELECT gen_random_uuid(), s.id, s.request_id, 1, r.plan_hash, 'approve', '{by}' "
        f"FROM stage s JOIN onboarding_request r ON r.id = s.request_id WHERE r.id = '{request}'"
    )


def portal_of(database: Database, by: Caller) -> psycopg.Connection:
    db = psycopg.connect(database.url("nastup_portal").replace("+psycopg", ""))
    db.execute("SELECT set_config('nastup.person', %s, false), set_config('nastup.roles', %s, false)", (str(by.person), ",".join(by.roles)))
    return db
