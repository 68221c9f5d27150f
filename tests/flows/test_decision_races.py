"""Two people at the same moment, on the real database: whoever is second sees what the first one did, and nothing is decided twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select

from flows.approval.decide import Outcome, Renewed, StageRef, Verdict, decide
from flows.approval.drafts import my_draft, save_draft, typed_of
from flows.approval.people import Caller, Regional
from flows.approval.refusals import AlreadyDecided, NoLongerOpen, NotAllowed, PlanChanged, Refusal
from flows.approval.submit import submit
from flows.model import Decision, OnboardingRequest, RequestState
from flows.model.session import open_session, transaction
from tests.approvals import PRIVILEGED, answer, away, file, route, same_human, seen_today, use_policy
from tests.cast import Cast
from tests.database import Database

ROUNDS = 4  # of every race: the order in which threads wake up is the machine's
IT = 'group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"'
TWO_OF_IT = IT + "\ndeciders = 2"
SECURITY_BESIDE = 'group = "security"\nstep = 1\nworking_days = 3'
STRICTER = ("when = [{ privileged = true }, { contract", 'when = [{ filed_by = ["director"] }, { contract')
S = RequestState


def race(*deeds: Callable[[], Any]) -> list[Any]:
    """What each deed ended with, an answer or a refusal, all begun at the same moment. Any other failure is raised."""
    barrier, ends = threading.Barrier(len(deeds)), [None] * len(deeds)

    def run(n: int, deed: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            ends[n] = deed()
        except Exception as end:
            ends[n] = end

    threads = [threading.Thread(target=run, args=each) for each in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    broken = [end for end in ends if isinstance(end, BaseException) and not isinstance(end, Refusal)]
    if broken:
        raise broken[0]
    return ends


def withdraw(by: Caller, request: OnboardingRequest) -> OnboardingRequest:
    with open_session(by.person) as session, transaction(session):
        return decide(session, by, StageRef(str(request.number), 0), Verdict("withdraw")).request


def correct(by: Caller, request: OnboardingRequest, **changes: str) -> OnboardingRequest:
    with open_session(by.person) as session, transaction(session):
        save_draft(session, by, request.id, typed_of(my_draft(session, by, request.id)) | changes, "zofie@posta.cz")
        return submit(session, by, request.id)


def limit(database: Database, cast: Cast, mail_gb: int | None) -> None:
    with database.superuser() as db:
        db.execute("UPDATE organisation SET mail_gb_limit = %s WHERE id = %s", (mail_gb, cast.school.id))


def link(database: Database, one: Caller, other: Caller, by: Caller) -> None:
    same_human(database, one, other, by)


def fresh(database: Database, request: OnboardingRequest) -> OnboardingRequest:
    with database.used_as("nastup_worker"), transaction() as session:
        return session.get_one(OnboardingRequest, request.id)


def decisions(database: Database, request: OnboardingRequest) -> int:
    with database.superuser() as db:
        row = db.execute("SELECT count(*) FROM decision WHERE request_id = %s", (request.id,)).fetchone()
        return row[0] if row else 0


@contextmanager
def under_way(database: Database, statement: str, *values: object) -> Iterator[psycopg.Connection]:
    """Somebody's change that is written and not yet committed: it is at the end of the block."""
    address = database.url("nastup_owner").replace("+psycopg", "")
    with psycopg.connect(address) as db:
        db.execute(statement.encode(), values)
        yield db


def waits_for(database: Database, deed: Callable[[], Any], ends: list[Any]) -> threading.Thread:
    """Begins the deed and comes back once it waits for a lock, so that the order of the two is certain."""

    def run() -> None:
        try:
            ends.append(deed())
        except Refusal as end:
            ends.append(end)

    thread = threading.Thread(target=run)
    thread.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.superuser() as db:
        for _ in range(500):
            row = db.execute(waiting).fetchone()
            if row and row[0]:
                return thread
            threading.Event().wait(0.01)
    raise AssertionError(f"it did not wait: {ends}")


def test_of_two_approvers_one_decides_and_the_other_learns_it(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        ends = race(partial(answer, cast.approver, request), partial(answer, cast.second_approver, request))
        assert sorted(type(end).__name__ for end in ends) == ["AlreadyDecided", "Outcome"]
        assert decisions(database, request) == 1


def test_an_approval_and_a_refusal_at_once_are_one_decision(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        ends = race(partial(answer, cast.approver, request), partial(answer, cast.second_approver, request, "refuse", "Ne."))
        won = [end for end in ends if isinstance(end, Outcome)]
        assert len(won) == decisions(database, request) == 1
        assert fresh(database, request).state is won[0].request.state


def test_a_double_click_is_one_decision(database: Database, cast: Cast) -> None:
    request = file(cast)
    ends = race(*[partial(answer, cast.approver, request)] * 4)
    assert sorted(type(end).__name__ for end in ends) == [*["AlreadyDecided"] * 3, "Outcome"]


def test_an_approval_and_a_withdrawal_do_not_both_happen(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        ends = race(partial(answer, cast.approver, request), partial(withdraw, cast.director, request))
        assert sum(isinstance(end, NoLongerOpen) for end in ends) == 1
        taken_back = fresh(database, request).state is S.WITHDRAWN
        assert decisions(database, request) == (0 if taken_back else 1)


def test_an_approval_of_what_is_corrected_at_that_moment_does_not_reach_the_correction(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        answer(cast.approver, request, "return", "Prosím doplnit.")
        late, corrected = race(partial(answer, cast.second_approver, request), partial(correct, cast.director, request, quota_gb="9"))
        assert isinstance(late, AlreadyDecided | PlanChanged)
        assert corrected.state is S.WAITING_APPROVAL
        assert decisions(database, request) == 1


def test_the_two_deciders_of_one_stage_may_press_at_once_and_neither_is_lost(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT))
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        ends = race(partial(answer, cast.approver, request), partial(answer, cast.second_approver, request))
        assert all(isinstance(end, Outcome) for end in ends)
        assert (fresh(database, request).state, decisions(database, request)) == (S.APPROVED, 2)


def test_two_stages_beside_each_other_end_at_once_and_the_request_is_approved_once(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(IT, SECURITY_BESIDE))
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        race(partial(answer, cast.approver, request), partial(answer, cast.security, request))
        assert fresh(database, request).state is S.APPROVED
        with database.superuser() as db:
            released = "SELECT count(*) FROM outbox WHERE topic = 'release' AND request_id = %s"
            assert db.execute(released, (request.id,)).fetchone() == (1,)


def test_an_approval_waits_for_a_policy_that_is_being_loaded_and_obeys_it(database: Database, cast: Cast) -> None:
    request, ends = file(cast), list[Any]()
    with under_way(database, "UPDATE policy SET active = false WHERE active") as db:
        thread = waits_for(database, partial(answer, cast.approver, request), ends)
        db.rollback()
    thread.join()
    assert isinstance(ends[0], Outcome)


def test_no_approval_under_the_old_policy_stands_behind_the_load_of_the_new_one(database: Database, cast: Cast) -> None:
    first, second = use_policy(database, STRICTER), use_policy(database, text=route(IT))
    for n in range(ROUNDS):
        request = file(cast, personal_number=str(n))
        race(partial(answer, cast.approver, request), partial(use_policy, database, STRICTER))
        with database.superuser() as db:
            rows = db.execute("SELECT action, facts->>'policy', request_id FROM audit ORDER BY position DESC LIMIT 6").fetchall()
        since = [action for action, _, _ in rows[: next(n for n, row in enumerate(rows) if row[0] == "policy.loaded")]]
        assert ("stage.decided" in since) is False, rows
        assert fresh(database, request).state is (S.WAITING_APPROVAL if "request.renewed" in since else S.APPROVED)
        use_policy(database, text=route(IT))
    assert first != second


def test_two_requests_that_together_are_above_the_envelope_are_not_both_approved_on_the_short_route(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        limit(database, cast, 10 * n + 15)  # what the rounds before used, and room for one of the two
        one, other = (file(cast, personal_number=f"{n}{which}", quota_gb="10") for which in "AB")
        ends = race(partial(answer, cast.approver, one), partial(answer, cast.second_approver, other))
        assert sorted(type(end).__name__ for end in ends) == ["Outcome", "Renewed"]
        late = next(end for end in ends if isinstance(end, Renewed))
        assert (late.request.facts or {})["above_envelope"] is True
        withdraw(cast.director, late.request)


def test_two_standard_hires_that_together_are_above_the_envelope_are_not_both_approved_by_the_rule(database: Database, cast: Cast) -> None:
    use_policy(database, ("enabled = false", "enabled = true"))
    limit(database, cast, 15)
    people = ({"personal_number": "1"}, {"personal_number": "2", "family_name": "Kovář"})  # no namesakes: those wait for each other anyway
    filed = race(*(lambda who=who: file(cast, quota_gb="10", **who) for who in people))
    assert sorted(request.state.value for request in filed) == ["approved", "waiting_approval"]


def test_a_deputys_approval_waits_for_the_end_of_the_absence_that_is_under_way(database: Database, cast: Cast) -> None:
    away(database, cast.security, Regional.SECURITY, cast.it)
    deputy, request, ends = seen_today(cast.it), file(cast, **PRIVILEGED), list[Any]()
    answer(cast.approver, request)
    with under_way(database, "UPDATE absence SET cancelled_at = now()"):
        thread = waits_for(database, partial(answer, deputy, request), ends)
    thread.join()
    assert isinstance(ends[0], NotAllowed)
    assert decisions(database, request) == 1


def test_a_deputy_who_was_first_has_decided_and_the_absence_ends_after(database: Database, cast: Cast) -> None:
    for n in range(ROUNDS):
        away(database, cast.security, Regional.SECURITY, cast.it)
        deputy, request = seen_today(cast.it), file(cast, personal_number=str(n), **PRIVILEGED)
        answer(cast.approver, request)

        def ends_absence() -> None:
            with database.superuser() as db:
                db.execute("UPDATE absence SET cancelled_at = clock_timestamp() WHERE cancelled_at IS NULL")

        race(partial(answer, deputy, request), ends_absence)
        late = "SELECT count(*) FROM decision d JOIN absence a ON a.person_id = d.deputised_for_id WHERE d.request_id = %s AND d.at > ALL "
        with database.superuser() as db:
            assert db.execute((late + "(SELECT cancelled_at FROM absence)").encode(), (request.id,)).fetchone() == (0,)


LINK = "INSERT INTO same_human (person_id, same_as_id, linked_by_id, reason) VALUES (%s, %s, %s, 'dvě smlouvy')"


def test_an_approval_waits_for_a_link_of_two_accounts_that_is_under_way(database: Database, cast: Cast) -> None:
    request, ends = file(cast, **PRIVILEGED), list[Any]()
    answer(cast.approver, request)
    with under_way(database, LINK, cast.security.person, cast.approver.person, cast.second_approver.person):
        thread = waits_for(database, partial(answer, cast.security, request), ends)
    thread.join()
    assert isinstance(ends[0], NotAllowed)
    assert decisions(database, request) == 1


def test_an_approval_and_a_link_at_once_never_leave_one_human_twice_in_an_approved_request(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT))
    request = file(cast)
    answer(cast.approver, request)
    late, _ = race(
        partial(answer, cast.second_approver, request),
        partial(link, database, cast.second_approver, cast.approver, cast.security),
    )
    with database.superuser() as db:
        linked, decided = (
            row[0] if (row := db.execute(what.encode()).fetchone()) else None
            for what in ("SELECT max(at) FROM same_human", "SELECT max(at) FROM decision")
        )
    if isinstance(late, Outcome):
        assert decided < linked, "the approval was the first of the two"
    else:
        assert fresh(database, request).state is S.WAITING_APPROVAL


def test_a_link_made_between_two_stages_asks_again_what_one_human_answered_twice(database: Database, cast: Cast) -> None:
    use_policy(database, text=route(TWO_OF_IT, SECURITY_BESIDE.replace("step = 1", "step = 2")))
    request = file(cast)
    answer(cast.approver, request)
    answer(cast.second_approver, request)
    link(database, cast.second_approver, cast.approver, cast.security)
    late = answer(cast.security, request)
    assert isinstance(late, Renewed)
    assert "one person" in str(late.changes[0])
    with pytest.raises(NotAllowed):
        answer(cast.security, late.request)  # nobody approved the first step yet
    with database.used_as("nastup_worker"), transaction() as session:
        counted = select(func.count()).select_from(Decision).where(Decision.request_id == request.id, Decision.version == 2)
        assert session.scalar(counted) == 0


def test_an_approver_who_turns_out_to_be_the_requester_does_not_count(database: Database, cast: Cast) -> None:
    request = file(cast, **PRIVILEGED)
    answer(cast.approver, request)
    link(database, cast.approver, cast.director, cast.second_approver)
    late = answer(cast.security, request)
    assert isinstance(late, Renewed)
    with pytest.raises(NotAllowed, match="filed this request"):
        answer(cast.approver, late.request)
    answer(cast.second_approver, late.request)
    answer(cast.security, late.request)
    assert fresh(database, request).state is S.APPROVED
