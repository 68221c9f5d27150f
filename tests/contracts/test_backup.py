"""What every backup system promises: in memory, and restic with its agents against the append-only vault."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import psycopg
import pytest

from flows.connectors.backup import BackupTables, key_of, password_of
from flows.connectors.base import BackupSystem, Conflict, Delivered, Gone, MailSystem, Unavailable
from flows.connectors.mail import MailTables
from flows.plan import Tenant
from flows.settings import Backup, Mail, Settings
from infra.servers import postgres
from infra.state import State
from tests.contracts.conftest import REAL, Newcomer
from tests.fakes import FakeBackup, FakeMail


class Bench(Protocol):
    """The system under test, and the mail system whose mailboxes it holds."""

    @property
    def system(self) -> BackupSystem: ...
    @property
    def mail(self) -> MailSystem: ...

    def stranger(self, tenant: Tenant) -> None:
        """The vault knows that name already and it is not ours."""
        ...

    def ensure_without_an_answer(self, wanted: Newcomer) -> None:
        """The mailbox is enrolled, nobody hears of it."""
        ...


class FakeBench:
    def __init__(self) -> None:
        self.mail = FakeMail()
        self.system = FakeBackup(self.mail)

    def stranger(self, tenant: Tenant) -> None:
        self.system.strangers.add(tenant.slug)

    def ensure_without_an_answer(self, wanted: Newcomer) -> None:
        self.system.faults.lost_answer("ensure")
        with suppress(Unavailable):
            self.system.ensure(wanted.enrolment)


class AgentsBench:
    def __init__(self, settings: Settings, state: State) -> None:
        self._settings, self._state = settings.need(Backup), state
        self.system, self.mail = BackupTables(self._settings), MailTables(settings.need(Mail))

    def stranger(self, tenant: Tenant) -> None:
        """A tenant of an installation whose database was lost: its credential and its repository are still in the vault."""
        self.system.ensure_tenant(tenant)
        with psycopg.connect(postgres.dsn(self._state, "postgres", "portal")) as db:
            db.execute("DELETE FROM backup.job WHERE organisation = %s", (tenant.organisation,))
            db.execute("DELETE FROM backup.tenant WHERE organisation = %s", (tenant.organisation,))
            db.execute("DELETE FROM secret WHERE name IN (%s, %s)", (key_of(tenant.slug), password_of(tenant.slug)))

    def ensure_without_an_answer(self, wanted: Newcomer) -> None:
        impatient = self._settings.model_copy(update={"answer_seconds": 0.05})
        with pytest.raises(Unavailable):
            BackupTables(impatient).ensure(wanted.enrolment)


@pytest.fixture(params=["fake", REAL])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
    else:
        yield AgentsBench(request.getfixturevalue("worker"), request.getfixturevalue("state"))


@pytest.fixture
def served(bench: Bench, zofie: Newcomer) -> Bench:
    """Žofie has a mailbox and her organisation a tenant."""
    bench.mail.ensure_domain(zofie.mail_domain)
    bench.mail.ensure(zofie.mailbox)
    bench.system.ensure_tenant(zofie.tenant)
    return bench


def snapshots(bench: Bench, who: Newcomer) -> object:
    seen = bench.system.observe(who.person)
    return seen.facts["snapshots"] if seen else 0


def test_a_tenant_is_made_once_and_its_name_belongs_to_one_organisation(bench: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    first, second = bench.system.ensure_tenant(zofie.tenant), bench.system.ensure_tenant(zofie.tenant)
    assert (first.created, second.created) == (True, False)
    assert first.facts == second.facts == {"repository": zofie.slug}

    with pytest.raises(Conflict):
        bench.system.ensure_tenant(replace(zofie.tenant, organisation=stranger.organisation))


def test_a_namesake_in_the_vault_is_a_conflict(bench: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    bench.stranger(zofie.tenant)

    with pytest.raises(Conflict):
        bench.system.ensure_tenant(replace(zofie.tenant, organisation=stranger.organisation))


def test_a_mailbox_is_enrolled_once_with_one_snapshot(served: Bench, zofie: Newcomer) -> None:
    first, second = served.system.ensure(zofie.enrolment), served.system.ensure(zofie.enrolment)

    assert (first.created, second.created) == (True, False)
    assert first.remote_id == second.remote_id
    assert snapshots(served, zofie) == 1


def test_an_answer_that_nobody_heard_is_adopted(served: Bench, zofie: Newcomer) -> None:
    served.ensure_without_an_answer(zofie)

    held = served.system.ensure(zofie.enrolment)

    assert held.facts["snapshot"]
    assert snapshots(served, zofie) == 1


def test_nothing_is_enrolled_without_a_tenant(bench: Bench, zofie: Newcomer) -> None:
    with pytest.raises(Gone):
        bench.system.ensure(zofie.enrolment)
    assert bench.system.observe(zofie.person) is None


def test_the_mailbox_of_another_person_is_a_conflict(served: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    served.system.ensure(zofie.enrolment)
    with pytest.raises(Conflict):
        served.system.ensure(replace(zofie.enrolment, person=stranger.person))

    served.system.retire(zofie.person)  # the snapshots stay, and with them whose they are
    with pytest.raises(Conflict):
        served.system.ensure(replace(zofie.enrolment, person=stranger.person))
    assert not served.system.ensure(zofie.enrolment).created


def test_the_very_message_is_restored_byte_for_byte(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.enrolment)
    sent: Delivered = served.mail.message_comes_back(zofie.address)

    restored = served.system.message_is_restored(zofie.enrolment, sent.message_id)

    assert (restored.sha256, restored.size) == (sent.sha256, sent.size)
    assert restored.snapshot
    assert snapshots(served, zofie) == 2


def test_a_message_that_is_not_in_the_mailbox_is_not_restored(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.enrolment)
    sent = served.mail.message_comes_back(zofie.address)
    served.mail.remove_message(zofie.address, sent.message_id)

    with pytest.raises(Gone):
        served.system.message_is_restored(zofie.enrolment, sent.message_id)


def test_a_suspended_mailbox_keeps_what_is_there(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.enrolment)

    assert served.system.suspend(zofie.person).facts["active"] is False
    assert snapshots(served, zofie) == 1
    assert served.system.resume(zofie.person).facts["active"] is True


def test_a_retired_mailbox_takes_no_part_any_more(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.enrolment)

    served.system.retire(zofie.person)
    served.system.retire(zofie.person)

    assert served.system.observe(zofie.person) is None
    with pytest.raises(Gone):
        served.system.suspend(zofie.person)
