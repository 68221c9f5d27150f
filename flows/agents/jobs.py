"""How an agent works off its jobs: one at a time per thread, each under a lease, so that nothing is lost with the agent."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.types.json import Jsonb

from flows.connectors.backup_jobs import Agent, failure_of
from flows.connectors.base import ConnectorError, Unavailable
from flows.connectors.postgres import Database, connect
from flows.sentence import say

TRIES_AT_MOST = 5  # a job that kills its agent each time must not do so for ever
KEPT_DAYS = 30

log = structlog.get_logger("flows.agents")


@dataclass(frozen=True)
class Job:
    id: int
    kind: str
    organisation: UUID
    slug: str
    arguments: dict[str, Any]
    tries: int


Handler = Callable[[Database, Job], dict[str, Any]]


@dataclass(frozen=True)
class Office:
    """Where an agent finds its jobs and who does them. `clock` is called every second: the agent's own wishes."""

    agent: Agent
    database: str
    handlers: Mapping[str, Handler]
    clock: Callable[[Database], None]
    lease_seconds: float = 20  # a killed agent's job is taken again after this long


def serve(office: Office, threads: int) -> None:
    """The agent's process: until SIGTERM or SIGINT; what it was doing then has some seconds, or is taken again by the next one."""
    stop = threading.Event()

    def end(_signal: int, _frame: object) -> None:
        stop.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, end)
    hands = [threading.Thread(target=work, args=(office, stop), daemon=True) for _ in range(threads)]
    for hand in hands:
        hand.start()
    stop.wait()
    for hand in hands:
        hand.join(timeout=8)


def work(office: Office, stop: threading.Event) -> None:
    """Takes jobs until `stop`. A lost database is waited for; a job it was busy with is taken again when its lease is over."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    while not stop.is_set():
        try:
            with connect(office.database, autocommit=True) as db:
                db.execute(f"LISTEN backup_{office.agent}")
                while not stop.is_set():
                    office.clock(db)
                    while not stop.is_set() and (job := take(db, office, holder)):
                        _do(office, db, job, holder)
                    for _ in db.notifies(timeout=1, stop_after=1):
                        pass
        except psycopg.Error as lost:
            log.warning("database lost", agent=office.agent, error=type(lost).__name__, sqlstate=lost.sqlstate)
            stop.wait(1)


def take(db: Database, office: Office, holder: str) -> Job | None:
    """The next job that nobody holds, or whose holder has lost its lease; urgent ones first."""
    row = db.execute(
        """
        UPDATE backup.job j
        SET state = 'taken', holder = %(holder)s, lease_until = now() + %(lease)s * interval '1 second', tries = tries + 1
        FROM backup.tenant t
        WHERE t.organisation = j.organisation AND j.id = (
          SELECT id FROM backup.job
          WHERE agent = %(agent)s AND not_before <= now() AND (state = 'wanted' OR state = 'taken' AND lease_until < now())
          ORDER BY urgent DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING j.id, j.kind, j.organisation, t.slug, j.arguments, j.tries
        """,
        {"holder": holder, "lease": office.lease_seconds, "agent": office.agent},
    ).fetchone()
    return Job(**row) if row else None


def _do(office: Office, db: Database, job: Job, holder: str) -> None:
    started = time.monotonic()
    try:
        if job.tries > TRIES_AT_MOST:
            raise Unavailable(say("The agent of the backup has failed."), f"{job.tries - 1} tries without an end")
        with _lease(office, job, holder):
            answer = office.handlers[job.kind](db, job)
    except psycopg.OperationalError:
        raise  # the database is gone: nothing can be written down, the lease runs out
    except Exception as error:
        detail = error.detail if isinstance(error, ConnectorError) else None
        log.warning("job failed", job=job.id, kind=job.kind, error=type(error).__name__, detail=detail, exc_info=detail is None)
        finish(db, job, holder, failure=failure_of(error))
    else:
        log.info("job done", job=job.id, kind=job.kind, seconds=round(time.monotonic() - started, 2))
        finish(db, job, holder, answer=answer)


def finish(db: Database, job: Job, holder: str, *, answer: dict[str, Any] | None = None, failure: dict[str, Any] | None = None) -> None:
    """Only while the job is still ours: who lost its lease has nothing to say any more. The nightly round tries again after a while."""
    db.execute(
        """
        UPDATE backup.job SET answer = %(answer)s, failure = %(failure)s,
          state = CASE WHEN %(again)s AND NOT urgent THEN 'wanted' ELSE %(state)s END,
          not_before = CASE WHEN %(again)s AND NOT urgent THEN now() + interval '5 minutes' ELSE not_before END,
          finished = CASE WHEN %(again)s AND NOT urgent THEN NULL ELSE now() END
        WHERE id = %(id)s AND holder = %(holder)s AND state = 'taken'
        """,
        {"answer": Jsonb(answer) if answer else None, "failure": Jsonb(failure) if failure else None, "id": job.id, "holder": holder}
        | {"state": "failed" if failure else "done", "again": failure is not None and job.tries < TRIES_AT_MOST},
    )


@contextmanager
def _lease(office: Office, job: Job, holder: str):
    """Keeps the lease alive while the handler works, on a connection of its own."""
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(office, job, holder, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _renew(office: Office, job: Job, holder: str, over: threading.Event) -> None:
    while not over.wait(office.lease_seconds / 4):
        try:
            with connect(office.database, autocommit=True) as db:
                db.execute(
                    "UPDATE backup.job SET lease_until = now() + %s * interval '1 second'"
                    " WHERE id = %s AND holder = %s AND state = 'taken'",
                    (office.lease_seconds, job.id, holder),
                )
        except psycopg.Error:
            log.warning("lease not renewed", job=job.id)


def forget_old(db: Database, agent: Agent) -> None:
    """Finished jobs are kept for IT's eyes for a while only."""
    db.execute("DELETE FROM backup.job WHERE agent = %s AND finished < now() - %s * interval '1 day'", (agent, KEPT_DAYS))
