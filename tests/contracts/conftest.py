"""The real systems of the test installation, with the settings that the worker itself has there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from flows.plan import Account, Enrolment, Mailbox, MailDomain, Membership, OrganisationSpace, Tenant
from flows.settings import Settings, load
from infra.servers import postgres, realm
from infra.state import State

REAL = pytest.param("real", marks=pytest.mark.servers)


@dataclass(frozen=True)
class Newcomer:
    """A new organisation and a new person in it: names that no other test uses."""

    organisation: UUID
    person: UUID
    slug: str

    @property
    def domain(self) -> str:
        return f"{self.slug}.example"

    @property
    def address(self) -> str:
        return f"zofie.stastna@{self.domain}"

    @property
    def space(self) -> OrganisationSpace:
        return OrganisationSpace(self.organisation, self.slug, f"Gymnázium {self.slug}", self.domain)

    @property
    def account(self) -> Account:
        return Account(self.person, f"zofie.{self.slug}", self.address, "Žofie", "Šťastná")

    @property
    def membership(self) -> Membership:
        return Membership(self.person, self.organisation)

    @property
    def mail_domain(self) -> MailDomain:
        return MailDomain(self.organisation, self.domain)

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.person, self.address, 2 << 30)

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.organisation, self.slug)

    @property
    def enrolment(self) -> Enrolment:
        return Enrolment(self.person, self.organisation, self.slug, self.address)


def newcomer(kind: str = "gym") -> Newcomer:
    person = uuid4()
    return Newcomer(uuid4(), person, f"{kind}-{person.hex[:10]}")


@pytest.fixture
def zofie() -> Newcomer:
    return newcomer()


@pytest.fixture
def stranger() -> Newcomer:
    """Another person, of another organisation."""
    return newcomer("nem")


@pytest.fixture(scope="session")
def state() -> State:
    return State.of_tests()


@pytest.fixture(scope="module")
def worker(state: State) -> Iterator[Settings]:
    """This process has the worker's settings."""
    before = os.environ.get("NASTUP_SETTINGS_FILE")
    os.environ["NASTUP_SETTINGS_FILE"] = str(state.path("settings", "worker.env"))
    load.cache_clear()
    try:
        yield load()
    finally:
        os.environ.pop("NASTUP_SETTINGS_FILE")
        if before:
            os.environ["NASTUP_SETTINGS_FILE"] = before
        load.cache_clear()


@pytest.fixture
def administrator(state: State) -> Iterator[httpx2.Client]:
    """Keycloak with all rights: what a test needs to see what the worker may not do."""
    with realm.administrator(state) as client:
        yield client


@pytest.fixture
def mail_tables(state: State) -> Iterator[psycopg.Connection]:
    """The mail tables with all rights."""
    with psycopg.connect(postgres.dsn(state, "postgres", "mail"), autocommit=True) as db:
        yield db
