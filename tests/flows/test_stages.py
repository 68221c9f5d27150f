"""Several stages: one after another, side by side, with several deciders, with an opinion; carried over when the world changes."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import ProgrammingError

from flows.approval.audit import Actor
from flows.approval.decide import Outcome, Renewed
from flows.approval.people import Regional
from flows.approval.refusals import AlreadyDecided, FormProblems, NotAllowed, PlanChanged
from flows.approval.reminding import look_after, to_look_after
from flows.approval.stages import look_for_somebody
from flows.model import Audit, Decision, Letter, OnboardingRequest, Person, RequestState, RequestVersion, ReservedName, Sample, Stage
from flows.model.session import open_session, transaction
from flows.words import PRAGUE
from tests.approvals import PRIVILEGED, answer, away, correct, file, route, same_human, seen_today, use_policy
from tests.cast import Cast
from tests.database import Database

S = RequestState
IT = 'group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"'
TWO_OF_IT = IT + "\ndeciders = 2"
SECURITY_BESIDE = 'group = "security"\nstep = 1\nworking_days = 3'
DPO_BESIDE = 'group = "dpo"\nstep = 1\nworking_days = 3\nopinion = true'


def fresh(request: OnboardingRequest) -> OnboardingRequest:
    with transaction() as session:
        return session.get_one(OnboardingRequest, request.id)


def stages(database: Database, request: OnboardingRequest) -> list[tuple[int, str, str]]:
    with database.used_as("nastup_worker"), transaction() as session:
        rows = session.scalars(select(Stage).where(Stage.request_id == request.id).order_by(Stage.version, Stage.position))
        return [(row.version, row.group_name, row.state) for row in rows]


def state(database: Database, request: OnboardingRequest) -> RequestState:
    with database.used_as("nastup_worker"):
        return fresh(request).state


def test_a_privileged_person_is_approved_by_both_groups_one_after_the_other(database: Database, cast: Cast) -> None:
    request = file(cast, **PRIVILEGED)
    assert stages(database, request) == [(1, "region-it", "open"), (1, "security", "waiting")]
    with pytest.raises(NotAllowed):
        answer(cast.security, request)
    answer(cast.approver, request)
    assert stages(database, request) == [(1, "region-it", "approved"), (1, "security", "open")]
    assert state(database, request) is S.WAITING_APPROVAL
    answer(cast.security, request)
    assert state(database, request) is S.APPROVED


def test_stages_of_one_step_are_asked_at_the_same_time_in_any_order(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(IT, SECURITY_BESIDE))
    request = file(cast)
    assert {state for _, _, state in stages(database, request)} == {"open"}
    answer(cast.security, request)
    with pytest.raises(AlreadyDecided):
        answer(cast.security, request, position=2)
    answer(cast.approver, request)
    assert state(database, request) is S.APPROVED


def test_a_stage_of_two_deciders_needs_two_different_people(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT))
    request = file(cast)
    answer(cast.approver, request)
    assert state(database, request) is S.WAITING_APPROVAL
    with pytest.raises(AlreadyDecided, match="decided this already"):
        answer(cast.approver, request)
    answer(cast.second_approver, request)
    assert state(database, request) is S.APPROVED


def test_the_second_of_two_deciders_is_enough_for_what_is_left(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT))
    request = file(cast)
    answer(cast.approver, request)
    with database.used_as("nastup_worker"), transaction() as session:  # as upkeep asks every day
        stage = session.scalars(select(Stage).where(Stage.request_id == request.id)).one()
        look_for_somebody(session, session.get_one(OnboardingRequest, request.id), stage, Actor("upkeep"))
        assert (stage.nobody, stage.group_name) == (False, "region-it")


def test_one_human_with_two_accounts_is_one_decider(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT))
    request = file(cast)
    answer(cast.approver, request)
    same_human(database, cast.second_approver, cast.approver, cast.security)
    with pytest.raises(NotAllowed):
        answer(cast.second_approver, request)


def test_an_opinion_is_read_and_decides_nothing(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(IT, DPO_BESIDE))
    request = file(cast)
    with pytest.raises(FormProblems):
        answer(cast.dpo, request, "approve", position=2)
    with pytest.raises(FormProblems):
        answer(cast.dpo, request, "opinion", "  ", position=2)
    answer(cast.dpo, request, "opinion", "Bez výhrad.", position=2)
    assert state(database, request) is S.WAITING_APPROVAL
    answer(cast.approver, request)
    assert state(database, request) is S.APPROVED


def test_an_opinion_that_never_came_holds_nobody_up(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(IT, DPO_BESIDE))
    request = file(cast)
    answer(cast.approver, request)
    assert stages(database, request) == [(1, "region-it", "approved"), (1, "dpo", "closed")]


def test_a_deputy_decides_for_the_absent_and_both_are_named(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, cast.it)
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    outcome = answer(seen_today(cast.it), request)
    assert isinstance(outcome, Outcome)
    assert outcome.decision
    assert (outcome.decision.decided_by_id, outcome.decision.deputised_for_id) == (cast.it.person, cast.security.person)


def test_nobody_answers_two_stages_neither_as_themselves_nor_for_another(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, cast.approver)
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    with pytest.raises(NotAllowed):
        answer(seen_today(cast.approver), request)


def test_when_nobody_is_left_the_fallback_group_is_asked_with_an_alarm(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, None)
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    assert stages(database, request)[1] == (1, "founder", "open")
    with database.used_as("nastup_worker"), transaction() as session:
        told = session.scalars(select(Letter.person_id).where(Letter.kind == "nobody_left")).all()
        assert told == [cast.founder.person]
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action == "stage.nobody")) == 1
    answer(cast.founder, request)
    assert state(database, request) is S.APPROVED


def test_the_group_gets_its_question_back_unless_the_fallback_has_it_in_hand(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(IT))
    taken = file(cast)
    file(cast, personal_number="2")
    answer(cast.approver, taken, "take")
    for who in (cast.approver, cast.second_approver):
        away(database, who, Regional.REGION_IT, None)

    def looked_after() -> list[tuple[str, UUID | None]]:
        with database.used_as("nastup_worker"), transaction() as session:
            wanted = to_look_after(session, datetime.now(PRAGUE))
        for request in wanted:
            with database.used_as("nastup_worker"), transaction() as session:
                look_after(session, request, datetime.now(PRAGUE))
        with database.used_as("nastup_worker"), transaction() as session:
            rows = session.execute(select(Stage.group_name, Stage.holder_id).join(Stage.request).order_by(OnboardingRequest.number))
            return [(group, holder) for group, holder in rows]

    def written() -> list[tuple[object, ...]]:
        with database.superuser() as db:
            return db.execute("SELECT id, xmin::text FROM stage ORDER BY id").fetchall()

    assert looked_after() == [("founder", None), ("founder", None)]  # nobody's: the one who had it is away
    before = written()
    assert looked_after() == [("founder", None), ("founder", None)]
    assert written() == before  # while they are away, asking again writes nothing
    answer(cast.founder, taken, "take")
    with database.superuser() as db:
        db.execute("UPDATE absence SET cancelled_at = now()")
    assert looked_after() == [("founder", cast.founder.person), ("region-it", None)]


def test_when_the_fallback_has_nobody_either_the_alarm_stays_and_nobody_is_made_an_approver(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, None)
    away(database, cast.founder, Regional.FOUNDER, None)
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(Stage.nobody).where(Stage.request_id == request.id).order_by(Stage.position)).all() == [False, True]
        told = set(session.scalars(select(Letter.person_id).where(Letter.kind == "nobody_left")))
    assert {cast.it.person, cast.approver.person} <= told
    with pytest.raises(NotAllowed):
        answer(cast.it, request)


def test_the_envelope_used_up_meanwhile_asks_the_founder_and_keeps_the_approval_that_stands(database: Database, cast: Cast) -> None:
    limit(database, cast, 12)
    first, second = file(cast, quota_gb="10"), file(cast, personal_number="2", quota_gb="10", **PRIVILEGED)
    answer(cast.approver, second)
    answer(cast.approver, first)
    late = answer(cast.security, second)
    assert isinstance(late, Renewed)
    assert [str(each) for each in late.changes] == [
        "The envelope of the organisation was used up by other requests, so this one is above it now."
    ]
    assert stages(database, second)[2:] == [(2, "region-it", "approved"), (2, "security", "open"), (2, "founder", "waiting")]
    with pytest.raises(PlanChanged):
        answer(cast.security, second, version=1)
    again = late.request
    answer(cast.security, again)
    answer(cast.founder, again)
    assert state(database, second) is S.APPROVED


def test_a_changed_policy_voids_the_click_and_asks_whom_it_names(database: Database, cast: Cast) -> None:
    request = file(cast)
    use_policy(
        database,
        ('version = "2026-11-26"', 'version = "stricter"'),
        ("when = [{ privileged = true }, { contract", 'when = [{ filed_by = ["director"] }, { contract'),
    )
    late = answer(cast.approver, request)
    assert isinstance(late, Renewed)
    assert stages(database, request) == [(1, "region-it", "closed"), (2, "region-it", "open"), (2, "security", "waiting")]
    with database.used_as("nastup_worker"), transaction() as session:
        kept = session.scalars(select(RequestVersion).where(RequestVersion.request_id == request.id, RequestVersion.version == 2)).one()
        assert kept.renewed_for is not None
        assert "stricter" in str(kept.renewed_for)


def test_a_policy_that_asks_the_same_about_this_request_disturbs_nobody(database: Database, cast: Cast) -> None:
    request = file(cast)
    use_policy(database, ('version = "2026-11-26"', 'version = "next"'), ("working_days = 10", "working_days = 9"))
    assert isinstance(answer(cast.approver, request), Outcome)


def test_a_name_that_was_given_away_meanwhile_makes_another_plan(database: Database, cast: Cast) -> None:
    request = file(cast)
    with database.superuser() as db:
        db.execute("UPDATE reserved_name SET person_id = %s WHERE kind = 'user_name'", (cast.deputy.person,))
    late = answer(cast.approver, request)
    assert isinstance(late, Renewed)
    assert late.request.plan_hash != request.plan_hash
    assert (late.request.plan or {})["account"]["user_name"] == "zofie.stastna2"
    with database.used_as("nastup_worker"), transaction() as session:
        kept = select(ReservedName.name).where(ReservedName.person_id == request.beneficiary_id).order_by(ReservedName.name)
        assert session.scalars(kept).all() == ["zofie.stastna2", "zofie.stastna2@gym-opava.example"]  # the old address is free again
        assert session.get_one(Person, request.beneficiary_id).email == "zofie.stastna2@gym-opava.example"
    assert isinstance(answer(cast.approver, late.request), Outcome)


@pytest.mark.parametrize(
    "deed",
    [
        "DELETE FROM reserved_name WHERE person_id = :person",
        "UPDATE person SET email = 'zofie.stastna9@gym-opava.example' WHERE id = :person",
        "UPDATE person SET family_name = 'Jiná' WHERE id = :person",
    ],
)
@pytest.mark.parametrize("who", ["director", "approver"])
def test_names_of_a_waiting_request_are_nobodys_to_change_but_for_those_that_are_kept(
    database: Database, cast: Cast, who: str, deed: str
) -> None:
    """The region gives reserved names up for others; an address is written only when it is kept for that very person."""
    request, by = file(cast), getattr(cast, who)
    before = names(database, request)
    with suppress(ProgrammingError), open_session(by.person, by.roles) as session, transaction(session):
        session.execute(text(deed), {"person": request.beneficiary_id})
    assert (names(database, request) == before) == (who == "director" or "DELETE" not in deed)


def test_the_region_gives_up_no_name_of_an_approved_request(database: Database, cast: Cast) -> None:
    request = file(cast)
    answer(cast.approver, request)
    before = names(database, request)
    with open_session(cast.approver.person, cast.approver.roles) as session, transaction(session):
        session.execute(delete(ReservedName))
    assert names(database, request) == before


def names(database: Database, request: OnboardingRequest) -> list[str]:
    """Those that are kept for the future colleague, and what the person is called."""
    with database.used_as("nastup_worker"), transaction() as session:
        person = session.get_one(Person, request.beneficiary_id)
        kept = session.scalars(select(ReservedName.name).where(ReservedName.person_id == person.id).order_by(ReservedName.name))
        return [*kept, person.email, person.family_name]


def test_taken_over_by_one_it_waits_for_that_one_until_somebody_takes_it_over(database: Database, cast: Cast) -> None:
    request = file(cast)
    answer(cast.approver, request, "take")
    with pytest.raises(NotAllowed, match="taken this request over"):
        answer(cast.second_approver, request)
    answer(cast.second_approver, request, "take")
    assert isinstance(answer(cast.second_approver, request), Outcome)


def test_handed_to_a_colleague_who_may_decide_and_to_nobody_else(database: Database, cast: Cast) -> None:
    request = file(cast)
    for nobody in (cast.security, cast.director):
        with pytest.raises(FormProblems):
            answer(cast.approver, request, "hand", to=nobody.person)
    answer(cast.approver, request, "hand", to=cast.second_approver.person)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(Letter.person_id).where(Letter.kind == "handed_to_you")).all() == [cast.second_approver.person]


def test_a_rule_approves_a_standard_hire_and_says_so_instead_of_a_person(database: Database, cast: Cast) -> None:
    policy = use_policy(database, ("enabled = false", "enabled = true"), ("sample_percent = 10", "sample_percent = 100"))
    request = file(cast)
    assert state(database, request) is S.APPROVED
    with database.used_as("nastup_worker"), transaction() as session:
        made = session.scalars(select(Decision)).one()
        assert (made.decided_by_id, made.rule, made.policy_hash) == (None, "standard hire", policy)
        assert session.scalars(select(Sample.request_id)).all() == [request.id]


def test_no_rule_approves_what_a_person_returned(database: Database, cast: Cast) -> None:
    use_policy(database, ("enabled = false", "enabled = true"))
    request = file(cast, contract="external", end=(date.today() + timedelta(days=60)).isoformat())
    answer(cast.approver, request, "return", "Proč externí?")
    assert state(database, correct(cast, request)) is S.WAITING_APPROVAL


def test_no_rule_approves_what_only_people_may(database: Database, cast: Cast) -> None:
    use_policy(database, ("enabled = false", "enabled = true"))
    assert state(database, file(cast, **PRIVILEGED)) is S.WAITING_APPROVAL
    limit(database, cast, 1)
    assert state(database, file(cast, personal_number="3")) is S.WAITING_APPROVAL


def limit(database: Database, cast: Cast, mail_gb: int) -> None:
    with database.superuser() as db:
        db.execute("UPDATE organisation SET mail_gb_limit = %s WHERE id = %s", (mail_gb, cast.school.id))
