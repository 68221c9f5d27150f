"""The flow of a new employee, its faults and its repeats.

Prefect and PostgreSQL are real, the servers outside are the fakes of the contract suite.
"""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError

from flows.approval import operator
from flows.approval.outcome import try_again
from flows.connectors.base import Misconfigured
from flows.model import ActivationContact, Attempt, Effect, Lease, Letter, OnboardingRequest, Outbox, RequestState
from flows.model.session import open_session, transaction
from flows.onboard_employee import onboard_employee
from flows.plan import Plan
from flows.provisioning import work as working
from flows.provisioning.steps import STEPS
from flows.sentence import say
from tests.cast import Cast
from tests.database import Database
from tests.faults.conftest import ledger, now
from tests.faults.outside import Outside
from tests.flows.test_decide import filed

ONE_OF_EACH = {"account": 1, "membership": 1, "mailbox": 1, "enrolment": 1}

pytestmark = pytest.mark.servers


def run(request: OnboardingRequest):
    return onboard_employee(str(request.id), return_state=True)


def test_an_approved_request_ends_with_one_of_everything_and_both_proofs(outside: Outside, approved: OnboardingRequest) -> None:
    state = run(approved)
    assert state.name == "Completed"
    assert now(approved).state is RequestState.DONE
    effects = ledger(approved)
    assert set(effects) == set(STEPS)
    assert effects["mail.message comes back"].facts["sha256"] == effects["backup.message is restored"].facts["sha256"]
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH
    assert len(outside.identity.people[approved.beneficiary_id].links) == 1  # type: ignore[index]


def test_the_same_flow_again_writes_nothing(outside: Outside, approved: OnboardingRequest) -> None:
    run(approved)
    before = outside.writes()
    assert run(approved).name == "Completed"
    assert outside.writes() == before


def test_with_its_ledger_emptied_everything_is_adopted_and_nothing_created(outside: Outside, approved: OnboardingRequest) -> None:
    run(approved)
    before = outside.writes()
    with transaction() as session:
        session.execute(delete(Effect).where(Effect.request_id == approved.id))
    assert run(approved).name == "Completed"
    effects = ledger(approved)
    things = [row for row in effects.values() if row.state.value == "held" and row.name != "keycloak.send activation link"]
    assert things
    assert not any(row.created_remotely for row in things)
    assert outside.writes() | {"snapshot": 0, "message": 0} == before | {"snapshot": 0, "message": 0}  # proof traffic aside
    assert len(outside.identity.people[approved.beneficiary_id].links) == 1  # type: ignore[index]


def test_a_done_request_is_proved_again_after_a_run_that_touched_no_row(outside: Outside, approved: OnboardingRequest) -> None:
    run(approved)
    run(approved)  # the lease has a newer epoch than every row of the ledger now
    first = ledger(approved)["backup.message is restored"].facts["sha256"]
    operator.prove_again(now(approved).number or "")
    assert run(approved).name == "Completed"
    assert ledger(approved)["backup.message is restored"].facts["sha256"] != first
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH


@pytest.mark.parametrize("state", ["waiting_approval", "refused", "withdrawn", "cancelled"])
def test_a_run_that_somebody_resumed_in_prefect_does_nothing_without_an_approval(
    outside: Outside, cast: Cast, database: Database, state: str
) -> None:
    with database.used_as("nastup_portal"):
        request = filed(cast)
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET state = %s WHERE id = %s", (state, request.id))
    assert run(request).name == "AwaitingApproval"
    assert outside.writes() == {}
    assert now(request).state.value == state


@pytest.mark.parametrize("state", ["approved", "running", "waiting_retry", "done"])
def test_a_state_that_says_approved_is_not_enough_without_a_decision(outside: Outside, cast: Cast, database: Database, state: str) -> None:
    with database.used_as("nastup_portal"):
        request = filed(cast)
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET state = %s WHERE id = %s", (state, request.id))
    assert run(request).name == "AwaitingApproval"
    assert outside.writes() == {}


def test_a_plan_whose_own_hash_nobody_approved_is_not_carried_out(
    outside: Outside, approved: OnboardingRequest, database: Database
) -> None:
    """Plan and hash were exchanged together: they fit each other, but no decision is about them."""
    plan = Plan.from_json(approved.plan or {})
    other = replace(plan, mailbox=replace(plan.mailbox, quota_bytes=1))
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        values = (json.dumps(other.as_json()), other.hash, approved.id)
        db.execute("UPDATE onboarding_request SET plan = %s, plan_hash = %s WHERE id = %s", values)
    with pytest.raises(working.NotApproved), working.take(approved.id):
        pass
    assert run(approved).name == "AwaitingApproval"
    assert outside.writes() == {}


def test_a_plan_that_is_not_the_approved_one_is_not_carried_out(outside: Outside, approved: OnboardingRequest, database: Database) -> None:
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET plan = jsonb_set(plan, '{mailbox,quota_bytes}', '1') WHERE id = %s", (approved.id,))
    assert run(approved).name == "AwaitingApproval"
    assert outside.writes() == {}


@pytest.mark.parametrize(
    ("server", "call"),
    [("identity", "ensure"), ("identity", "ensure_membership"), ("mail", "ensure"), ("mail", "message_comes_back"), ("backup", "ensure")],
)
def test_a_server_that_is_down_for_a_moment_is_tried_again(outside: Outside, approved: OnboardingRequest, server: str, call: str) -> None:
    getattr(outside, server).faults.unavailable(call, times=2)
    assert run(approved).name == "Completed"
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH
    with transaction() as session:
        tried = session.execute(select(Effect.name, func.count()).join(Attempt).group_by(Effect.name).having(func.count() > 1)).all()
    assert [count for _, count in tried] == [3]


@pytest.mark.parametrize(
    ("server", "call"), [("identity", "ensure"), ("identity", "ensure_membership"), ("mail", "ensure"), ("backup", "ensure")]
)
def test_a_lost_answer_is_looked_up_and_nothing_is_doubled(outside: Outside, approved: OnboardingRequest, server: str, call: str) -> None:
    getattr(outside, server).faults.lost_answer(call)
    assert run(approved).name == "Completed"
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH


def test_every_attempt_says_when_the_next_one_is(outside: Outside, approved: OnboardingRequest) -> None:
    outside.mail.faults.unavailable("ensure", times=2)
    run(approved)
    with transaction() as session:
        rows = session.scalars(select(Attempt).join(Effect).where(Effect.name == "mail.ensure mailbox").order_by(Attempt.n)).all()
    assert [row.outcome for row in rows] == ["unavailable", "unavailable", "made"]
    assert all(row.next_try and timedelta(0) < row.next_try - row.finished_at + timedelta(seconds=1) for row in rows[:2])
    assert [row.n for row in rows] == [1, 2, 3]


def test_after_the_last_try_it_needs_attention_and_try_again_does_only_the_rest(
    outside: Outside, approved: OnboardingRequest, cast: Cast, database: Database
) -> None:
    outside.mail.faults.unavailable("ensure", times=3)
    assert run(approved).name == "NeedsAttention"
    stopped = now(approved)
    assert (stopped.state, stopped.owner) == (RequestState.NEEDS_ATTENTION, "it")
    assert stopped.sentence
    with transaction() as session:
        assert session.scalars(select(Letter.person_id).where(Letter.kind == "needs_attention")).all() == [cast.it.person]
    calls = dict(outside.identity.calls)
    with database.used_as("nastup_portal"), open_session(cast.it.person, cast.it.roles) as session, transaction(session):
        try_again(session, cast.it, str(approved.number))
    assert run(approved).name == "Completed"
    assert outside.identity.calls["ensure_membership"] == calls["ensure_membership"]
    assert now(approved).state is RequestState.DONE


def test_a_server_that_asks_for_a_longer_pause_gets_it(outside: Outside, approved: OnboardingRequest) -> None:
    outside.mail.faults.unavailable("ensure", after=900)
    assert run(approved).name == "WaitingRetry"
    waiting = now(approved)
    assert waiting.state is RequestState.WAITING_RETRY
    assert waiting.next_try
    assert 800 < (waiting.next_try - waiting.changed_at).total_seconds() < 1000
    with transaction() as session:
        assert (
            session.scalars(select(Outbox.not_before).where(Outbox.topic == "release").order_by(Outbox.position.desc())).first()
            == waiting.next_try
        )


@pytest.mark.parametrize("server", ["identity", "mail", "backup"])
def test_a_namesake_that_is_not_ours_is_never_adopted(outside: Outside, approved: OnboardingRequest, server: str) -> None:
    getattr(outside, server).faults.conflict("ensure")
    assert run(approved).name == "NeedsAttention"
    assert now(approved).owner == "region-it"
    states = {row.system: row.state.value for row in ledger(approved).values() if row.state.value == "failed"}
    assert list(states.values()) == ["failed"]


def test_our_own_database_that_is_away_for_a_moment_is_nobodys_business(outside: Outside, approved: OnboardingRequest) -> None:
    def restart(call: str) -> None:
        if call == "ensure":
            raise OperationalError("SELECT", {}, Exception("the server closed the connection"))

    outside.mail.tell = restart
    assert run(approved).name == "DatabaseAway"
    assert now(approved).state is RequestState.RUNNING  # upkeep gives it back
    outside.mail.tell = lambda _call: None
    assert run(approved).name == "Completed"
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH


def test_a_wrong_credential_is_for_it_and_is_not_hammered(outside: Outside, approved: OnboardingRequest) -> None:
    outside.identity.faults.fail("ensure", Misconfigured(say("The identity server refuses our credential."), "401"))
    assert run(approved).name == "NeedsAttention"
    assert (now(approved).owner, outside.identity.calls["ensure"]) == ("it", 1)


def test_what_was_removed_outside_is_made_again(outside: Outside, approved: OnboardingRequest) -> None:
    person = approved.beneficiary_id
    outside.mail.faults.unavailable("ensure", times=3)
    run(approved)
    outside.identity.retire(person)  # type: ignore[arg-type]
    outside.identity.people.clear()
    with transaction() as session:
        session.execute(update(Effect).where(Effect.name == "keycloak.ensure membership").values(state="intent"))
        session.execute(update(OnboardingRequest).where(OnboardingRequest.id == approved.id).values(state="waiting_retry"))
    assert run(approved).name == "WaitingRetry"
    assert run(approved).name == "Completed"
    assert outside.identity.people[person].organisations  # type: ignore[index]


def test_a_start_day_ahead_ends_prepared_and_the_account_opens_on_the_day(
    outside: Outside, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.flows.test_decide import decided

    with database.used_as("nastup_portal"):
        request = decided(cast.approver, filed(cast, start="2027-01-11")).request
    assert run(request).name == "Prepared"
    person = outside.identity.people[request.beneficiary_id]  # type: ignore[index]
    assert (person.account.enabled, person.links) == (False, [])
    assert now(request).state is RequestState.PREPARED
    assert now(request).next_try.isoformat() == "2027-01-11T05:00:00+00:00"  # type: ignore[union-attr]
    monkeypatch.setattr(working, "today", lambda: request.start_day)
    assert run(request).name == "Completed"
    assert (outside.identity.people[request.beneficiary_id].account.enabled, len(person.links)) == (True, 1)  # type: ignore[index]


def test_a_cancelled_run_ends_between_two_effects(outside: Outside, approved: OnboardingRequest) -> None:
    def ask(call: str) -> None:
        if call == "ensure":
            with transaction() as session:
                session.execute(update(OnboardingRequest).where(OnboardingRequest.id == approved.id).values(cancel_asked=True))

    outside.mail.tell = ask
    assert run(approved).name == "Cancelled"
    assert now(approved).state is RequestState.CANCELLED
    assert ledger(approved)["mail.ensure mailbox"].state.value == "held"
    assert "backup.ensure enrolment" not in ledger(approved)


def test_a_worker_that_lost_its_lease_is_refused(outside: Outside, approved: OnboardingRequest) -> None:
    def steal(call: str) -> None:
        if call == "ensure":
            with transaction() as session:
                session.execute(update(Lease).where(Lease.request_id == approved.id).values(epoch=Lease.epoch + 1, holder="other"))

    outside.mail.tell = steal
    with pytest.raises(BaseException, match="another worker"):
        onboard_employee(str(approved.id))
    assert ledger(approved)["mail.ensure mailbox"].state.value == "intent"
    assert now(approved).state is RequestState.RUNNING


def test_two_workers_at_once_make_one_of_everything(outside: Outside, approved: OnboardingRequest) -> None:
    barrier, late = threading.Barrier(2), list[str]()

    def go() -> None:
        barrier.wait()
        try:
            run(approved)
        except BaseException as other:  # the one that came second leaves the run to the first
            late.append(str(other))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now(approved).state is RequestState.DONE
    assert all("another worker" in words for words in late)
    assert {kind: outside.writes()[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH


def test_an_unknown_request_does_nothing(outside: Outside, cast: Cast) -> None:
    assert onboard_employee(str(uuid4()), return_state=True).name == "AwaitingApproval"
    assert outside.writes() == {}


def test_the_private_address_never_stands_in_the_ledger(outside: Outside, approved: OnboardingRequest) -> None:
    run(approved)
    with transaction() as session:
        assert session.get_one(ActivationContact, approved.id).address == "zofie@posta.cz"
        assert not any("zofie@posta.cz" in str(row.facts) + str(row.detail) for row in session.scalars(select(Effect)))


def test_a_repeat_that_fails_leaves_the_request_done_and_tells_it(outside: Outside, approved: OnboardingRequest, cast: Cast) -> None:
    run(approved)
    with transaction() as session:
        session.execute(delete(Effect).where(Effect.request_id == approved.id))
    outside.mail.faults.conflict("ensure")
    assert run(approved).name == "NeedsAttention"
    assert now(approved).state is RequestState.DONE
    with transaction() as session:
        assert session.scalars(select(Letter.person_id).where(Letter.kind == "needs_attention")).all() == [cast.it.person]
