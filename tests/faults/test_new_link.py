"""The second activation link, from the button to the letter: page, outbox, run and servers in the order in which they follow each other."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from flows import activations, deeds
from flows.approval.refusals import NoLongerOpen
from flows.approval.relink import send_new_link
from flows.connectors import registry
from flows.model import ActivationContact, ActivationState, Effect, OnboardingRequest, RequestState
from flows.model.session import open_session, transaction
from flows.onboard_employee import onboard_employee
from tests.cast import Cast
from tests.database import Database
from tests.fakes.runs import FakeRuns
from tests.faults.conftest import now
from tests.faults.outside import Outside

pytestmark = pytest.mark.servers
AGAIN = "zofie.nova@posta.cz"


@pytest.fixture
def runs(outside: Outside, approved: OnboardingRequest) -> FakeRuns:
    """Prefect's side, with the first run already carried out and its link expired."""
    made = FakeRuns()
    with registry.use(runs=made):
        work_off()
    run(approved)
    made.runs[approved.id, 1].state = "Completed"
    with transaction() as session:
        session.execute(update(ActivationContact).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    activations.follow()
    return made


def run(request: OnboardingRequest) -> str:
    return str(onboard_employee(str(request.id), return_state=True).name)


def work_off() -> None:
    while deeds.work():
        pass


def ask(cast: Cast, database: Database, request: OnboardingRequest) -> None:
    with database.used_as("nastup_portal"), open_session(cast.director.person) as session, transaction(session):
        send_new_link(session, cast.director, str(request.number), AGAIN)


def test_a_new_link_is_sent_once_to_the_new_address_and_nothing_else_is_done_again(
    runs: FakeRuns, outside: Outside, approved: OnboardingRequest, cast: Cast, database: Database
) -> None:
    person = outside.identity.people[approved.beneficiary_id]  # type: ignore[index]
    before, calls = outside.writes(), outside.backup.calls.total()
    ask(cast, database, approved)
    with pytest.raises(NoLongerOpen):
        ask(cast, database, approved)  # pressed twice
    with registry.use(runs=runs):
        work_off()
    assert runs.runs[approved.id, 1].state == "AwaitingRetry"  # the same run, released again
    assert [run(approved), run(approved)] == ["Completed", "Completed"]
    assert len(person.links) == 2
    assert outside.writes() == before | {"activation": before["activation"] + 2}  # the way of the letter, and the letter
    assert outside.backup.calls.total() == calls
    assert outside.mail.activations[approved.plan["mailbox"]["address"]].private_address == AGAIN  # type: ignore[index]
    with transaction() as session:
        contact = session.get_one(ActivationContact, approved.id)
        assert (contact.state, contact.links_sent) == (ActivationState.SENT, 2)
    assert now(approved).state is RequestState.DONE


def test_a_new_link_whose_answer_is_lost_is_not_sent_a_third_time(
    runs: FakeRuns, outside: Outside, approved: OnboardingRequest, cast: Cast, database: Database
) -> None:
    person, address = outside.identity.people[approved.beneficiary_id], approved.plan["mailbox"]["address"]  # type: ignore[index]
    outside.identity.faults.lost_answer("send_activation")
    outside.identity.tell = lambda call: outside.mail.passes_on(address) if call == "send_activation" else None  # type: ignore[return-value]
    ask(cast, database, approved)
    with registry.use(runs=runs):
        work_off()
    run(approved)
    assert len(person.links) == 2
    with transaction() as session:
        tries = session.scalars(select(Effect.tries).where(Effect.name == "keycloak.send activation link")).one()
        assert session.get_one(ActivationContact, approved.id).links_sent == 2
    assert tries > 1
