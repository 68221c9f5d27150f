"""The agents of the backup between the worker's wish and the answer: nothing is lost with a process, a connection or a night."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from uuid import UUID, uuid4

import pytest

from flows.agents.backup import Mailboxes
from flows.agents.jobs import TRIES_AT_MOST, Handler, Job, Office, take, work
from flows.agents.jobs import finish as give_answer
from flows.agents.night import Nightly
from flows.agents.store import Vault
from flows.connectors.backup_jobs import Wish, ask
from flows.connectors.base import Conflict, Unavailable
from flows.connectors.postgres import Database as Connection
from flows.connectors.postgres import connect
from flows.sentence import say
from flows.settings import BackupAgent, StoreAgent
from tests.database import Database

ORGANISATION, PERSON = uuid4(), uuid4()
BACKUP = Office("backup", "", {}, lambda _db: None)


@pytest.fixture
def worker(database: Database) -> Iterator[Connection]:
    """The worker's connection; one organisation has a tenant and one mailbox in it."""
    with connect(database.url("nastup_worker"), autocommit=True) as db:
        db.execute(
            "INSERT INTO backup.tenant (organisation, slug, credential) VALUES (%s, 'gym-opava', '$2b$04$x')",
            (ORGANISATION,),
        )
        db.execute(
            "INSERT INTO backup.enrolment (person, organisation, address) VALUES (%s, %s, 'zofie@gym-opava.example')",
            (PERSON, ORGANISATION),
        )
        yield db


@pytest.fixture
def hand(database: Database) -> Iterator[Connection]:
    """The backup agent's connection, for a test that plays the agent itself."""
    with connect(database.url("nastup_backup_agent"), autocommit=True) as db:
        yield db


def wish(subject: str = "zofie") -> Wish:
    return Wish("backup", "enrol", ORGANISATION, subject, {"person": subject})


@contextmanager
def agent(database: Database, handler: Handler, lease_seconds: float = 20) -> Generator[None]:
    """A backup agent at work in a thread."""
    stop, handlers = threading.Event(), {"enrol": handler, "snapshot": handler}
    office = Office("backup", database.url("nastup_backup_agent"), handlers, lambda _db: None, lease_seconds)
    thread = threading.Thread(target=work, args=(office, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def answers(_db: Connection, job: Job) -> dict[str, Any]:
    return {"seen": job.arguments["person"], "slug": job.slug}


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    heard: list[Any] = []
    thread = threading.Thread(target=lambda: heard.append(call()))
    thread.start()
    return thread, heard


def jobs(db: Connection) -> list[dict[str, Any]]:
    return db.execute("SELECT kind, key, state, tries, urgent, not_before > now() AS later FROM backup.job ORDER BY id").fetchall()


def test_a_wish_is_done_and_answered_at_once(database: Database, worker: Connection) -> None:
    with agent(database, answers):
        started = time.monotonic()
        assert ask(worker, wish(), 10) == {"seen": "zofie", "slug": "gym-opava"}
        assert ask(worker, wish("jana"), 10)["seen"] == "jana"
    assert time.monotonic() - started < 7  # woken by a notification, not by the poll


def test_what_the_agent_met_reaches_who_asked(database: Database, worker: Connection) -> None:
    def refuses(_db: Connection, _job: Job) -> dict[str, Any]:
        raise Conflict(say("The backup holds a mailbox %(address)s of another person.", address="zofie@x"), "tag person")

    with agent(database, refuses), pytest.raises(Conflict) as met:
        ask(worker, wish(), 10)
    assert (str(met.value.sentence), met.value.detail) == ("The backup holds a mailbox zofie@x of another person.", "tag person")


def test_an_unforeseen_fault_of_the_agent_may_be_repeated_and_tells_no_secret(database: Database, worker: Connection) -> None:
    def breaks(_db: Connection, _job: Job) -> dict[str, Any]:
        raise ValueError("https://login:password@vault")

    with agent(database, breaks), pytest.raises(Unavailable) as met:
        ask(worker, wish(), 10)
    assert met.value.detail == "unforeseen: ValueError"


def test_two_who_wish_the_same_wait_for_one_job(database: Database, worker: Connection) -> None:
    with connect(database.url("nastup_worker"), autocommit=True) as other:
        first, heard = in_background(lambda: ask(worker, wish(), 10))
        second, heard_too = in_background(lambda: ask(other, wish(), 10))
        while len(jobs(other)) < 1:
            time.sleep(0.01)
        time.sleep(0.1)
        with agent(database, answers):
            first.join(10)
            second.join(10)
        assert heard == heard_too == [{"seen": "zofie", "slug": "gym-opava"}]
        assert [job["tries"] for job in jobs(other)] == [1]


def test_a_silent_agent_is_unavailable_and_the_wish_stays(database: Database, worker: Connection) -> None:
    with pytest.raises(Unavailable):
        ask(worker, wish(), 0.1)
    with agent(database, answers):
        assert ask(worker, wish(), 10)["seen"] == "zofie"
    assert [(job["state"], job["tries"]) for job in jobs(worker)] == [("done", 1)]


def test_the_job_of_a_killed_agent_is_taken_again_and_its_late_answer_is_not_heard(
    database: Database, worker: Connection, hand: Connection
) -> None:
    with pytest.raises(Unavailable):
        ask(worker, wish(), 0.01)
    dead = take(hand, BACKUP, "dead")
    assert dead
    assert take(hand, BACKUP, "second") is None  # the lease holds

    hand.execute("UPDATE backup.job SET lease_until = now() - interval '1 second'")
    with agent(database, answers):
        assert ask(worker, wish(), 10)["seen"] == "zofie"
    give_answer(hand, dead, "dead", answer={"seen": "nobody"})

    assert [(job["state"], job["tries"]) for job in jobs(worker)] == [("done", 2)]
    answer = worker.execute("SELECT answer FROM backup.job").fetchone()
    assert answer
    assert answer["answer"]["seen"] == "zofie"


def test_a_job_that_kills_its_agent_each_time_is_given_up(database: Database, worker: Connection, hand: Connection) -> None:
    with pytest.raises(Unavailable):
        ask(worker, wish(), 0.01)
    for _ in range(TRIES_AT_MOST):
        assert take(hand, BACKUP, "dying")
        hand.execute("UPDATE backup.job SET lease_until = now() - interval '1 second'")

    with agent(database, answers), pytest.raises(Unavailable) as met:
        ask(worker, wish(), 10)
    assert met.value.detail == f"{TRIES_AT_MOST} tries without an end"


def test_an_agent_outlives_its_connections(database: Database, worker: Connection) -> None:
    with agent(database, answers):
        assert ask(worker, wish(), 10)["seen"] == "zofie"
        with database.superuser() as db:
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nastup_backup_agent'")
        assert ask(worker, wish("jana"), 10)["seen"] == "jana"


def test_a_long_job_keeps_its_lease(database: Database, worker: Connection) -> None:
    def slow(_db: Connection, job: Job) -> dict[str, Any]:
        time.sleep(2.5)
        return {"tries": job.tries}

    with agent(database, slow, 1), agent(database, slow, 1):
        assert ask(worker, wish(), 10) == {"tries": 1}
    assert [job["tries"] for job in jobs(worker)] == [1]


def backup_agent() -> Mailboxes:
    return Mailboxes(BackupAgent.model_validate({"database": "", "repository": "https://vault", "mail_store": "/", "workspace": "/"}))


def test_every_mailbox_is_wished_once_a_night(database: Database, worker: Connection, hand: Connection) -> None:
    today, later = date(2026, 11, 24), datetime.now(UTC) + timedelta(minutes=1)

    for _ in range(2):  # two agents, or one that was started again
        backup_agent().tonight(hand, today, later)
    assert [(job["kind"], job["key"], job["urgent"]) for job in jobs(worker)] == [("snapshot", f"snapshot:2026-11-24:{PERSON}", False)]

    backup_agent().tonight(hand, date(2026, 11, 25), later)
    assert len(jobs(worker)) == 2


def test_a_mailbox_that_is_suspended_or_came_after_that_moment_sleeps_through_the_night(worker: Connection, hand: Connection) -> None:
    backup_agent().tonight(hand, date(2026, 11, 24), datetime.now(UTC) - timedelta(hours=1))
    worker.execute("UPDATE backup.enrolment SET active = false")
    backup_agent().tonight(hand, date(2026, 11, 24), datetime.now(UTC) + timedelta(minutes=1))

    assert jobs(worker) == []


def test_a_snapshot_that_failed_at_night_is_tried_again_later(database: Database, worker: Connection, hand: Connection) -> None:
    backup_agent().tonight(hand, date(2026, 11, 24), datetime.now(UTC) + timedelta(minutes=1))

    def fails(_db: Connection, _job: Job) -> dict[str, Any]:
        raise Unavailable(say("The backup server does not answer."))

    with agent(database, fails):
        ends = time.monotonic() + 10
        while not jobs(worker)[0]["later"] and time.monotonic() < ends:
            time.sleep(0.05)
    assert [(job["state"], job["tries"], job["later"]) for job in jobs(worker)] == [("wanted", 1, True)]


def test_retention_is_wished_for_tenants_with_a_repository(database: Database, worker: Connection, hand: Connection) -> None:
    vault = Vault(StoreAgent.model_validate({"database": "", "credentials": "/x", "repositories": "/"}))
    with connect(database.url("nastup_store_agent"), autocommit=True) as db:
        vault.tonight(db, date(2026, 11, 24), datetime.now(UTC))
        assert jobs(worker) == []

        hand.execute("UPDATE backup.tenant SET initialised = now()")
        vault.tonight(db, date(2026, 11, 24), datetime.now(UTC))
        vault.tonight(db, date(2026, 11, 24), datetime.now(UTC))
    assert [(job["kind"], job["key"]) for job in jobs(worker)] == [("retain", "retain:2026-11-24:gym-opava")]


def test_the_night_comes_once_and_not_before_its_time(hand: Connection) -> None:
    nights: list[date] = []
    early = Nightly(time_of_day(0, 0), lambda _db, day, _moment: nights.append(day))
    never = Nightly(time_of_day(23, 59, 59, 999999), lambda _db, day, _moment: nights.append(day))
    for _ in range(3):
        early(hand)
        never(hand)
    assert len(nights) == 1


def test_an_old_job_is_forgotten_and_a_fresh_one_kept(worker: Connection, hand: Connection, database: Database) -> None:
    for name in ("old", "fresh"):
        with pytest.raises(Unavailable):
            ask(worker, wish(name), 0.01)
    hand.execute("UPDATE backup.job SET state = 'done', finished = now() - interval '31 days' WHERE key = 'enrol:old'")

    backup_agent().tonight(hand, date(2026, 11, 24), datetime.now(UTC) - timedelta(hours=1))

    assert [job["key"] for job in jobs(worker)] == ["enrol:fresh"]


def test_a_wish_for_an_unknown_organisation_is_refused_by_the_database(worker: Connection) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        ask(worker, Wish("backup", "init", UUID(int=1), "nobody"), 1)
