"""A flow with everything real but the servers outside; and the running installation with everything real."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from flows.connectors import registry
from flows.model import Effect, OnboardingRequest
from flows.model.session import transaction
from flows.settings import load
from infra.operating import operating
from infra.state import State
from tests.cast import Cast
from tests.database import Database
from tests.faults.mortal import Mortal
from tests.faults.outside import Outside
from tests.faults.running import Running
from tests.flows.test_decide import decided, filed

QUICK = {
    "NASTUP_PROVISIONING__FIRST_WAIT_SECONDS": "0.05",
    "NASTUP_PROVISIONING__ATTEMPTS": "3",
    "NASTUP_PROVISIONING__LEASE_SECONDS": "1",
    "NASTUP_PROVISIONING__SETTLING_SECONDS": "0.5",
    "NASTUP_KEYCLOAK__ADDRESS": "http://127.0.0.1:1",
    "NASTUP_KEYCLOAK__CLIENT_SECRET": "none",
    "NASTUP_KEYCLOAK__ACTIVATION_RETURN": "http://127.0.0.1:1/activated",
    "NASTUP_PORTAL__ADDRESS": "https://nastup.kraj.example",
    "NASTUP_PORTAL__PORT": "1",
    "NASTUP_MAIL__DATABASE": "none",
    "NASTUP_MAIL__VERIFIER_SECRET": "none",
    "NASTUP_MAIL__PROOF_SECRET": "none",
    "NASTUP_MAIL__SENDER": "nastup@kraj.example",
}


@pytest.fixture
def quick(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short waits, and the process works as the worker."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    with database.used_as("nastup_worker"):
        yield
    load.cache_clear()


@pytest.fixture
def outside(cast: Cast, quick: None) -> Iterator[Outside]:
    servers = Outside()
    servers.serve(cast)
    with registry.use(identity=servers.identity, mail=servers.mail, backup=servers.backup):
        yield servers


@pytest.fixture
def mortal(outside: Outside, database: Database) -> Iterator[Mortal]:
    with Mortal(database, QUICK).against(outside) as made:
        yield made


@pytest.fixture
def approved(database: Database, cast: Cast) -> OnboardingRequest:
    """A request whose start day is today or earlier, approved."""
    with database.used_as("nastup_portal"):
        request = filed(cast, start="2026-11-16")
        return decided(cast.approver, request).request


def now(request: OnboardingRequest) -> OnboardingRequest:
    with transaction() as session:
        return session.get_one(OnboardingRequest, request.id)


def ledger(request: OnboardingRequest) -> dict[str, Effect]:
    """The effects of a request by name."""
    with transaction() as session:
        return {row.name: row for row in session.scalars(select(Effect).where(Effect.request_id == request.id))}


@pytest.fixture(scope="package")
def logged_in() -> Iterator[Running]:
    """Once: a code of the second factor is good for one log-in only."""
    with Running(State.of_tests()).logged_in() as made:
        yield made


@pytest.fixture
def running(logged_in: Running) -> Iterator[Running]:
    """The test installation with people logged in; this process works as its operator."""
    with operating(logged_in.state):
        yield logged_in
