"""The queue of an approver beside a page of the same portal that asks the database for nothing of its own."""

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests import database as databases
from tests.cast import plant
from tests.database import Database
from tests.journeys.portal import served

BARE, QUEUE, SEARCH = "/privacy", "/queue", "/queue?q=Novak+7"
WARM = 3  # first answers compile templates and open connections

FILL = """
WITH made AS (
  INSERT INTO onboarding_request (id, number, kind, organisation_id, requester_id, submission, state, version, generation,
                                  content, plan, plan_hash, start_day, created_at, submitted_at, changed_at)
  SELECT gen_random_uuid(), 'P-2026-' || lpad(g::text, 6, '0'), 'employee', %(school)s, %(director)s, gen_random_uuid(),
         'waiting_approval', 1, 1,
         jsonb_build_object('given_name', 'Jan', 'family_name', 'Novák ' || g, 'position', 'učitel', 'contract', 'employment'),
         jsonb_build_object('account', jsonb_build_object('user_name', 'jan.novak' || g)), md5(g::text),
         current_date + (g %% 60), now() - interval '1 day', now() - make_interval(mins => g), now()
  FROM generate_series(1, %(requests)s) g RETURNING id, submitted_at)
INSERT INTO stage (id, request_id, version, position, group_name, state, opened_at, due_at)
SELECT gen_random_uuid(), id, 1, 1, 'region-it', 'open', submitted_at, submitted_at + interval '3 days' FROM made"""


@dataclass(frozen=True)
class Pages:
    """Medians of one answer, in milliseconds."""

    requests: int
    bare: float
    queue: float
    search: float

    @property
    def ratio(self) -> float:
        return self.queue / self.bare


def measured(requests: int, rounds: int) -> Pages:
    """A portal of its own over a database of its own, with that many requests in the queue of one group."""
    database = databases.of_tests(f"nastup_bench_{os.getpid()}")
    database.create()
    try:
        _fill(database, requests)
        with (
            tempfile.TemporaryDirectory() as place,
            served(database, Path(place) / "portal.log") as portal,
            portal.client("approver") as browser,
        ):
            times = {path: [_seconds(browser, path) for _ in range(WARM)] and [] for path in (BARE, QUEUE, SEARCH)}
            for _ in range(rounds):  # in turn, so that a busy moment of the machine meets all of them
                for path, of_path in times.items():
                    of_path.append(_seconds(browser, path))
        bare, queue, search = (statistics.median(times[path]) * 1000 for path in (BARE, QUEUE, SEARCH))
        return Pages(requests, bare, queue, search)
    finally:
        database.drop()


def _fill(database: Database, requests: int) -> None:
    cast = plant(database)
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute(FILL.encode(), {"school": cast.school.id, "director": cast.director.person, "requests": requests})
        db.execute("ANALYZE")


def _seconds(browser: httpx2.Client, path: str) -> float:
    began = time.perf_counter()
    answer = browser.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return time.perf_counter() - began
