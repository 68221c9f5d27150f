"""A worker that dies at any point of any step, and a second one that finds what it left."""

import contextlib
import multiprocessing
import os
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

import flows.onboard_employee  # noqa: F401 - names the steps
from flows.model import Effect, Lease, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.provisioning.steps import STEPS
from tests.cast import Cast
from tests.database import Database
from tests.faults import victim
from tests.faults.conftest import QUICK, now
from tests.faults.outside import Outside, Servers, offer

pytestmark = pytest.mark.servers

# the tenant stood there before; the link is written at the mail server and sent; the empty mailbox and the proof have a snapshot each
ALL_THAT_IS_MADE = {"account": 1, "membership": 1, "mailbox": 1, "enrolment": 1, "activation": 2, "snapshot": 2}
PROVED_TWICE = {"backup.message is restored:after_call"}  # its answer died with the worker: the one thing that is made once more
WHENS = ("before_call", "after_call", "after_commit")
CRASH_POINTS = [f"{step}:{when}" for step in STEPS for when in WHENS]


class Worker:
    """Starts processes that carry out a request against one outside; each is forked with everything imported."""

    def __init__(self, database: Database) -> None:
        self.forks = multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload(["tests.faults.victim"])
        self.database, self.key = database, secrets.token_bytes(16)
        self.address: Any = None

    def carry_out(self, request: OnboardingRequest, crash_at: str = "") -> int | None:
        """The exit code: 137 = died at the crash point."""
        environment = QUICK | {"NASTUP_DATABASE__URL": self.database.url("nastup_worker"), "NASTUP_PROVISIONING__CRASH_AT": crash_at}
        environment |= {name: os.environ[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")}
        process = self.forks.Process(target=victim.carry_out, args=(self.address, self.key, str(request.id), environment))
        process.start()
        process.join(60)
        return process.exitcode


@pytest.fixture
def worker(outside: Outside, database: Database) -> Iterator[Worker]:
    made = Worker(database)
    offer(outside)
    server: Any = Servers(("127.0.0.1", 0), authkey=made.key).get_server()
    made.address = server.address

    def serve() -> None:
        with contextlib.suppress(SystemExit):  # how a manager's server ends
            server.serve_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield made
    server.stop_event.set()
    thread.join()
    server.listener.close()


def wait_for_the_lease(request: OnboardingRequest) -> None:
    """The dead worker's lease expires by itself."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with transaction() as session:
            alive = select(Lease.request_id).where(Lease.request_id == request.id, Lease.expires_at > func.clock_timestamp())
            if session.scalar(alive) is None:
                return
        time.sleep(0.05)
    pytest.fail("the lease of a dead worker does not expire")


@pytest.mark.parametrize("crash_point", CRASH_POINTS)
def test_a_worker_killed_at_any_point_leaves_exactly_one_of_everything(
    crash_point: str, worker: Worker, outside: Outside, approved: OnboardingRequest, cast: Cast
) -> None:
    assert worker.carry_out(approved, crash_point) == 137
    assert now(approved).state is RequestState.RUNNING
    wait_for_the_lease(approved)
    assert worker.carry_out(approved) == 0
    assert now(approved).state is RequestState.DONE
    assert outside.writes() == ALL_THAT_IS_MADE | {"snapshot": 3 if crash_point in PROVED_TWICE else 2}
    assert len(outside.identity.people[approved.beneficiary_id].links) == 1  # type: ignore[index]
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Effect)) == len(STEPS)


@pytest.mark.parametrize("passed_on", [True, False])
def test_a_worker_killed_between_the_sent_link_and_its_note_asks_the_mail_server_first(
    passed_on: bool, worker: Worker, outside: Outside, approved: OnboardingRequest
) -> None:
    """When the letter went through the mail server it is not sent again; when it did not, it was never sent."""
    assert worker.carry_out(approved, "keycloak.send activation link:sent_not_noted") == 137
    address = approved.plan["mailbox"]["address"]  # type: ignore[index]
    person = outside.identity.people[approved.beneficiary_id]  # type: ignore[index]
    if passed_on:
        outside.mail.passes_on(address)
    else:
        person.links.clear()
    wait_for_the_lease(approved)
    time.sleep(0.5)
    assert worker.carry_out(approved) == 0
    assert now(approved).state is RequestState.DONE
    assert len(person.links) == 1
