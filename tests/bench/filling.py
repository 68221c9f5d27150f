"""A region's history, written by SQL past the guards: people, requests that ended, requests that wait; and real decisions on top."""

import time
from collections.abc import Iterator, Sequence
from threading import Lock, Thread

from flows.approval.people import Caller
from flows.model import OnboardingRequest
from tests.approvals import answer, file
from tests.cast import Cast
from tests.database import Database

ORGANISATIONS = 200
AT_ONCE = 4  # deciders

PLACES = """INSERT INTO organisation (slug, name, ico, domain)
  SELECT 'skola-' || g, 'Škola č. ' || g, lpad(g::text, 8, '0'), 'skola-' || g || '.example' FROM generate_series(1, %(places)s) g"""
PEOPLE = """INSERT INTO person (id, given_name, family_name, email)
  SELECT gen_random_uuid(), 'Jan', 'Novák ' || g, 'jan.novak' || g || '@skola.example' FROM generate_series(1, %(people)s) g"""
REQUESTS = """
  CREATE TEMP TABLE who AS SELECT id, row_number() OVER () AS n FROM person WHERE family_name LIKE 'Novák %';
  CREATE TEMP TABLE place AS SELECT id, row_number() OVER () AS n FROM organisation;
  CREATE INDEX ON who (n); CREATE INDEX ON place (n); ANALYZE who; ANALYZE place;
"""
MADE = """
  INSERT INTO onboarding_request (number, kind, organisation_id, requester_id, beneficiary_id, state, content, plan, plan_hash, facts,
                                  policy_hash, start_day, created_at, submitted_at, changed_at)
  SELECT 'P-2026-' || lpad(g::text, 7, '0'), 'employee', p.id, %(director)s, w.id,
         CASE WHEN g <= %(waiting)s THEN 'waiting_approval' ELSE 'done' END,
         jsonb_build_object('given_name', 'Jan', 'family_name', 'Novák ' || g, 'position', 'učitel', 'contract', 'employment',
                            'access', 'standard', 'quota_gb', 10, 'personal_number', g::text),
         jsonb_build_object('account', jsonb_build_object('user_name', 'jan.novak' || g, 'email', 'jan.novak' || g || '@skola.example'),
                            'mailbox', jsonb_build_object('quota_bytes', 10737418240)),
         md5(g::text), '{"privileged": false, "above_envelope": false}', (SELECT hash FROM policy LIMIT 1),
         current_date + (g %% 60), t.at, t.at, t.at
    FROM generate_series(1, %(requests)s) g
    CROSS JOIN LATERAL (SELECT now() - make_interval(mins => (g * 7) %% 500000) AS at) t
    JOIN who w ON w.n = 1 + g %% (SELECT count(*) FROM who) JOIN place p ON p.n = 1 + g %% (SELECT count(*) FROM place)"""
VERSIONS = """INSERT INTO request_version (request_id, version, content, plan, plan_hash, facts, by_id, at)
  SELECT id, 1, content, plan, plan_hash, facts, requester_id, submitted_at FROM onboarding_request"""
STAGES = """INSERT INTO stage (request_id, version, position, step, group_name, state, opened_at, due_at, ended_at, inputs_hash)
  SELECT id, 1, 1, 1, 'region-it', CASE WHEN state = 'done' THEN 'approved' ELSE 'open' END, submitted_at,
         submitted_at + interval '3 days', CASE WHEN state = 'done' THEN submitted_at + interval '1 day' END, plan_hash
    FROM onboarding_request"""
DECISIONS = """INSERT INTO decision (stage_id, request_id, version, plan_hash, verdict, decided_by_id, at)
  SELECT s.id, s.request_id, 1, s.inputs_hash, 'approve', %(approver)s, s.ended_at FROM stage s WHERE s.state = 'approved'"""


def fill(database: Database, cast: Cast, *, people: int, requests: int, waiting: int) -> None:
    """`waiting`: how many of the requests wait for region-it."""
    values = {"people": people, "requests": requests, "waiting": waiting, "places": ORGANISATIONS}
    values |= {"director": cast.director.person, "approver": cast.approver.person}
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute(PLACES, values)
        db.execute(PEOPLE, values)
        db.execute(REQUESTS)
        for statement in (MADE, VERSIONS, STAGES, DECISIONS):
            db.execute(statement.encode(), values if "%(" in statement else None)
        db.execute("VACUUM ANALYZE")


def decisions_per_second(database: Database, cast: Cast, decisions: int) -> float:
    """Real requests, approved through the one function by two people who press as fast as they can."""
    with database.used_as("nastup_portal"):
        filed = [file(cast, personal_number=f"b{n}", family_name=f"Zkouška {_letters(n)}") for n in range(decisions)]
        waiting, lock = iter(filed), Lock()
        threads = [Thread(target=_decide, args=(by, waiting, lock)) for by in (cast.approver, cast.second_approver) * (AT_ONCE // 2)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return _approved(database, filed) / (time.perf_counter() - began)


def _decide(by: Caller, waiting: Iterator[OnboardingRequest], lock: Lock) -> None:
    while True:
        with lock:
            request = next(waiting, None)
        if request is None:
            return
        answer(by, request)


def _approved(database: Database, filed: Sequence[OnboardingRequest]) -> int:
    with database.superuser() as db:
        row = db.execute(
            "SELECT count(*) FROM onboarding_request WHERE state = 'approved' AND id = ANY(%s)", ([each.id for each in filed],)
        ).fetchone()
    assert row == (len(filed),)
    return len(filed)


def _letters(number: int) -> str:
    """A name may have no digits."""
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("A") + number % 26)
