"""A worker that dies at any point of any step, and a second one that finds what it left."""

import time

import pytest
from sqlalchemy import func, select

import flows.onboard_employee  # noqa: F401 - names the steps
from flows.model import Effect, Lease, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.provisioning.steps import STEPS
from tests.cast import Cast
from tests.faults.conftest import now
from tests.faults.mortal import Mortal
from tests.faults.outside import Outside

pytestmark = pytest.mark.servers

# the tenant stood there before; the link is written at the mail server and sent; the empty mailbox and the proof have a snapshot each
ALL_THAT_IS_MADE = {"account": 1, "membership": 1, "mailbox": 1, "enrolment": 1, "activation": 2, "snapshot": 2}
PROVED_TWICE = {"backup.message is restored:after_call"}  # its answer died with the worker: the one thing that is made once more
WHENS = ("before_call", "after_call", "after_commit")
CRASH_POINTS = [f"{step}:{when}" for step in STEPS for when in WHENS]


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
    crash_point: str, mortal: Mortal, outside: Outside, approved: OnboardingRequest, cast: Cast
) -> None:
    assert mortal.worker(approved, crash_point) == 137
    assert now(approved).state is RequestState.RUNNING
    wait_for_the_lease(approved)
    assert mortal.worker(approved) == 0
    assert now(approved).state is RequestState.DONE
    assert outside.writes() == ALL_THAT_IS_MADE | {"snapshot": 3 if crash_point in PROVED_TWICE else 2}
    assert len(outside.identity.people[approved.beneficiary_id].links) == 1  # type: ignore[index]
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Effect)) == len(STEPS)


@pytest.mark.parametrize("passed_on", [True, False])
def test_a_worker_killed_between_the_sent_link_and_its_note_asks_the_mail_server_first(
    passed_on: bool, mortal: Mortal, outside: Outside, approved: OnboardingRequest
) -> None:
    """When the letter went through the mail server it is not sent again; when it did not, it was never sent."""
    assert mortal.worker(approved, "keycloak.send activation link:sent_not_noted") == 137
    address = approved.plan["mailbox"]["address"]  # type: ignore[index]
    person = outside.identity.people[approved.beneficiary_id]  # type: ignore[index]
    if passed_on:
        outside.mail.passes_on(address)
    else:
        person.links.clear()
    wait_for_the_lease(approved)
    time.sleep(0.5)
    assert mortal.worker(approved) == 0
    assert now(approved).state is RequestState.DONE
    assert len(person.links) == 1
