"""The audit chain: exactly one record of everything, computed once more in Python, and compared with what was written outside."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Text, func, select
from sqlalchemy import cast as as_type
from typer.testing import CliRunner, Result

from flows import upkeep
from flows.__main__ import app
from flows.approval import heads, verify
from flows.approval.audit import Actor, record
from flows.approval.drafts import new_draft, save_draft
from flows.approval.people import Caller
from flows.approval.states import REQUEST_MOVES, move
from flows.approval.submit import submit
from flows.model import Audit, Decision, OnboardingRequest, RequestState
from flows.model.session import open_session, transaction
from flows.settings import load as settings
from tests.approvals import PRIVILEGED, TYPED, answer, file, use_policy
from tests.cast import Cast
from tests.database import Database

S = RequestState
PAIRS = [(was, to) for was, tos in REQUEST_MOVES.items() for to in sorted(tos)]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of heads."""
    place = tmp_path / "heads.jsonl"
    monkeypatch.setenv("NASTUP_AUDIT__HEADS", str(place))
    settings.cache_clear()
    yield place
    settings.cache_clear()


def audit_verify(database: Database) -> Result:
    with database.used_as("nastup_worker"):
        return CliRunner().invoke(app, ["audit", "verify"])


def write_head(database: Database) -> None:
    with database.used_as("nastup_worker"):
        upkeep.write_head()


def tampered(database: Database, statement: str) -> None:
    """As somebody could who owns the whole machine of the database."""
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute(statement.encode())


def some_records(cast: Cast) -> OnboardingRequest:
    request = file(cast)
    answer(cast.approver, request, "return", "Doplňte „oddělení“ – prosím.\nDěkuji")
    return request


# ---- computed once more


def test_a_whole_chain_is_found_whole(database: Database, cast: Cast) -> None:
    some_records(cast)
    done = audit_verify(database)
    assert done.exit_code == 0, done.output
    assert "The audit chain is whole: 4 records" in done.output
    assert "compared with nothing outside" in done.output


def test_an_empty_chain_is_whole(database: Database) -> None:
    assert "0 records" in audit_verify(database).output


def test_python_reads_every_kind_of_text_as_the_database_hashed_it(database: Database, cast: Cast) -> None:
    odd = {"b": 'ěščř " \\ \n\t\u0001 \u2028 😀', "aa": [1, 2.50, None, True], "a": {"z": 1, "yy": "x"}, "n": 10**20}
    with database.used_as("nastup_worker"), transaction() as session:
        record(session, Actor("Ing. Žofie\nŠťastná, Ph.D."), "odd.one", None, odd)
    assert audit_verify(database).exit_code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE audit SET facts = facts || '{\"verdict\": \"approve\"}' WHERE action = 'stage.decided'", "was changed"),
        ("UPDATE audit SET actor = 'somebody else' WHERE position = 2", "record 2 (request.moved"),
        ("UPDATE audit SET actor_id = NULL WHERE position = 2", "was changed"),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE position = 3", "record 3 (stage.decided"),
        ("UPDATE audit SET request_id = gen_random_uuid() WHERE position = 2", "was changed"),
        ("DELETE FROM audit WHERE position = 2", "record 3 (stage.decided"),
        ("DELETE FROM audit WHERE position = 1", "record 2 (request.moved"),
        ("UPDATE audit SET previous_hash = repeat('0', 64) WHERE position = 3", "does not follow"),
    ],
)
def test_the_first_record_that_was_touched_is_named(database: Database, cast: Cast, change: str, said: str) -> None:
    some_records(cast)
    tampered(database, change)
    done = audit_verify(database)
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_request_whose_state_is_not_where_its_records_lead_is_found(database: Database, cast: Cast) -> None:
    request = some_records(cast)
    tampered(database, "UPDATE onboarding_request SET state = 'approved'")
    done = audit_verify(database)
    assert done.exit_code == 1
    assert str(request.id) in done.stderr


def test_many_writers_at_once_make_one_chain(database: Database, cast: Cast) -> None:
    """The position is given out under the lock: drawn before it, two of twelve writers came in the wrong order and the chain forked."""
    barrier = threading.Barrier(12)

    def write() -> None:
        barrier.wait()
        with database.superuser() as db:
            for _ in range(90):
                db.execute("INSERT INTO audit (actor, action, facts) VALUES ('a writer', 'test', '{}')")

    writers = [threading.Thread(target=write) for _ in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done = audit_verify(database)
    assert done.exit_code == 0, done.output
    assert "1081 records, the last one is 1081" in done.output


# ---- outside the database


def test_the_head_is_written_outside_by_the_dispatcher_for_its_own_user_only(database: Database, cast: Cast, outside: Path) -> None:
    some_records(cast)
    write_head(database)
    (kept,) = heads.read(outside)
    assert kept.position == 4
    assert outside.stat().st_mode & 0o777 == 0o600
    done = audit_verify(database)
    assert done.exit_code == 0, done.output
    assert "It holds all 1 heads" in done.output


def test_heads_are_only_ever_added(database: Database, cast: Cast, outside: Path) -> None:
    write_head(database)
    first = outside.read_text()
    some_records(cast)
    write_head(database)
    assert outside.read_text().startswith(first)
    assert [head.position for head in heads.read(outside)] == [1, 5]
    assert audit_verify(database).exit_code == 0


def test_the_chore_is_done_at_the_start_and_once_a_day() -> None:
    (chore,) = (each for each in upkeep.CHORES if each.do is upkeep.write_head)
    assert chore.every == 24 * 3600
    assert chore.last == float("-inf")


def test_a_chain_written_anew_does_not_hold_the_head(database: Database, cast: Cast, outside: Path) -> None:
    """Every hash fits again after the forgery; only what stands outside tells."""
    some_records(cast)
    write_head(database)
    with database.superuser() as db:
        kept = db.execute("SELECT actor, action, request_id, facts::text FROM audit ORDER BY position").fetchall()
        db.execute("SET session_replication_role = replica")
        db.execute("DELETE FROM audit")
        db.execute("SET session_replication_role = origin")
        for actor, action, request, facts in kept:
            forged = facts.replace('"return"', '"refuse"')
            db.execute("INSERT INTO audit (actor, action, request_id, facts) VALUES (%s, %s, %s, %s)", (actor, action, request, forged))
    done = audit_verify(database)
    assert done.exit_code == 1
    assert "is not the one that the head" in done.stderr
    lines = len(heads.read(outside))
    write_head(database)
    assert len(heads.read(outside)) == lines  # no head of a forged chain
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action == "audit.broken")) == 1


def test_a_chain_cut_off_at_its_end_does_not_hold_the_head(database: Database, cast: Cast, outside: Path) -> None:
    some_records(cast)
    write_head(database)
    tampered(database, "DELETE FROM audit WHERE position >= 4")
    done = audit_verify(database)
    assert done.exit_code == 1
    assert "record 4 is missing" in done.stderr


@pytest.mark.parametrize("line", ["no JSON", "{}", '{"at": "yesterday", "position": 1, "hash": ""}', "[]"])
def test_a_file_of_heads_that_is_none_is_a_sentence(database: Database, cast: Cast, outside: Path, line: str) -> None:
    outside.write_text(line + "\n")
    done = audit_verify(database)
    assert done.exit_code == 1
    assert "Line 1 of" in done.stderr


def test_nothing_is_written_where_no_place_is_set(database: Database, cast: Cast) -> None:
    write_head(database)
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action.like("audit.%"))) == 0


# ---- one record of each


def way(to: RequestState) -> list[RequestState]:
    """The shortest way of a request from its draft to a state."""
    ways = [[S.DRAFT]]
    for each in ways:
        if each[-1] is to:
            return each
        ways += [[*each, then] for then in sorted(REQUEST_MOVES[each[-1]]) if then not in each]
    raise AssertionError(to)


def carry(database: Database, cast: Cast, request: UUID, was: RequestState, to: RequestState) -> None:
    """One move: by the function that people use where there is one, otherwise as the worker or upkeep does it."""
    by: dict[tuple[RequestState, RequestState], Any] = {
        (S.WAITING_APPROVAL, S.APPROVED): (cast.approver, "approve", ""),
        (S.WAITING_APPROVAL, S.REFUSED): (cast.approver, "refuse", "Ne."),
        (S.WAITING_APPROVAL, S.RETURNED): (cast.approver, "return", "Doplňte."),
        (S.WAITING_APPROVAL, S.WITHDRAWN): (cast.director, "withdraw", ""),
        (S.RETURNED, S.WITHDRAWN): (cast.director, "withdraw", ""),
        (S.NEEDS_ATTENTION, S.WITHDRAWN): (cast.director, "withdraw", ""),
    }
    if to is S.WAITING_APPROVAL:
        with open_session(cast.director.person) as session, transaction(session):
            if was is S.RETURNED:
                save_draft(session, cast.director, request, TYPED | {"position": "učitel"}, "zofie@posta.cz")
            submit(session, cast.director, request)
    elif (was, to) in by:
        who, verdict, words = by[was, to]
        answer(who, found(database, request), verdict, words)
    else:
        with database.used_as("nastup_owner"), transaction() as session:
            move(session, session.get_one(OnboardingRequest, request), to, Actor("worker"))


def found(database: Database, request: UUID) -> OnboardingRequest:
    with database.used_as("nastup_worker"), transaction() as session:
        return session.get_one(OnboardingRequest, request)


def drafted(by: Caller, where: UUID) -> UUID:
    with open_session(by.person) as session, transaction(session):
        draft = new_draft(session, by, where)
        save_draft(session, by, draft.id, TYPED, "zofie@posta.cz")
        return draft.id


@pytest.mark.parametrize(("was", "to"), PAIRS, ids=[f"{was}-{to}" for was, to in PAIRS])
def test_every_move_is_one_record_and_the_state_is_their_replay(database: Database, cast: Cast, was: S, to: S) -> None:
    request, path = drafted(cast.director, cast.school.id), [*way(was), to]
    for one, other in pairwise(path):
        carry(database, cast, request, one, other)
    assert found(database, request).state is to
    moved = records(database, request, "request.moved")
    assert [(each["from"], each["to"]) for each in moved] == [(one.value, other.value) for one, other in pairwise(path)]
    assert audit_verify(database).exit_code == 0


def records(database: Database, request: UUID, action: str) -> list[dict[str, Any]]:
    with database.used_as("nastup_worker"), transaction() as session:
        mine = select(as_type(Audit.facts, Text)).where(Audit.request_id == request, Audit.action == action).order_by(Audit.position)
        return [json.loads(facts) for facts in session.scalars(mine)]


def test_every_decision_is_one_record_that_names_version_and_plan(database: Database, cast: Cast) -> None:
    hired = file(cast, **PRIVILEGED)
    answer(cast.approver, hired)
    answer(cast.security, hired, "return", "Doplňte vedoucí(ho).")
    by_rule = use_policy(database, ("enabled = false", "enabled = true"))
    standard = file(cast, personal_number="2")
    for request in (hired.id, standard.id):
        with database.used_as("nastup_worker"), transaction() as session:
            made = session.scalars(select(Decision).where(Decision.request_id == request)).all()
        told = records(database, request, "stage.decided")
        assert Counter((each["version"], each["verdict"], each["plan"]) for each in told) == Counter(
            (each.version, each.verdict, each.plan_hash) for each in made
        )
    assert records(database, standard.id, "stage.decided")[0]["policy"] == by_rule


def test_a_version_is_named_by_the_hashes_of_its_answers_plan_and_policy(database: Database, cast: Cast) -> None:
    request = file(cast)
    (told,) = records(database, request.id, "request.moved")
    assert (told["version"], told["plan"], told["policy"]) == (1, request.plan_hash, request.policy_hash)
    assert len(told["content"]) == 64


def test_a_move_that_does_not_begin_where_the_last_one_ended_is_found() -> None:
    chain: list[verify.Record] = []
    for n, facts in enumerate(('{"to": "waiting_approval", "from": "draft"}', '{"to": "done", "from": "running"}'), start=1):
        before = chain[-1].hash if chain else verify.BEGINNING
        bare = verify.Record(n, datetime.now(UTC), None, "worker", "request.moved", UUID(int=1), facts, before, "")
        chain.append(replace(bare, hash=verify.hash_of(bare)))
    found = verify.follow(chain)
    assert found.at_position == 2
    assert "left it in waiting_approval" in str(found.broken)
