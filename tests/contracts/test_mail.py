"""What every mail system promises: in memory, and Dovecot with Postfix."""

import smtplib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import psycopg
import pytest

from flows.connectors.base import Bounce, Conflict, Gone, MailSystem, Misconfigured, Refused, Unavailable
from flows.connectors.mail import MailTables
from flows.connectors.mail_servers import fetch, folder
from flows.plan import Mailbox
from flows.settings import Mail, Settings
from infra.state import State
from tests.contracts.conftest import REAL, Newcomer
from tests.fakes import FakeMail

T = TypeVar("T")


class Bench(Protocol):
    """The system under test and what others do to it."""

    @property
    def system(self) -> MailSystem: ...

    def stranger(self, mailbox: Mailbox) -> None:
        """Somebody else's mailbox with this address."""
        ...

    def versions(self) -> object:
        """Changes with every row that is written."""
        ...

    def identity_server_writes_to(self, address: str) -> None: ...


class FakeBench:
    def __init__(self) -> None:
        self.system = FakeMail()

    def stranger(self, mailbox: Mailbox) -> None:
        self.system.strangers.add(mailbox.address)

    def versions(self) -> object:
        return dict(self.system.writes)

    def identity_server_writes_to(self, address: str) -> None:
        private = self.system.passes_on(address)
        if private.startswith("undeliverable"):
            self.system.returned.append(Bounce(private, datetime.now(UTC), "smtp; 550 5.1.1 no such person", address))


class ServersBench:
    def __init__(self, settings: Mail, tables: psycopg.Connection, state: State) -> None:
        self.system = MailTables(settings)
        self._settings, self._tables, self._state = settings, tables, state

    def stranger(self, mailbox: Mailbox) -> None:
        domain = mailbox.address.rpartition("@")[2]
        self._tables.execute("INSERT INTO mailbox (address, domain) VALUES (%s, %s)", (mailbox.address, domain))

    def versions(self) -> object:
        tables = ("domain", "mailbox", "alias", "activation")
        return [self._tables.execute(f"SELECT xmin::text, ctid::text FROM {name} ORDER BY 1, 2").fetchall() for name in tables]

    def identity_server_writes_to(self, address: str) -> None:
        with smtplib.SMTP("127.0.0.1", self._state.port("smtp_keycloak"), timeout=15) as server:
            server.sendmail(self._settings.sender, [address], f"To: {address}\r\nSubject: Odkaz\r\n\r\nodkaz\r\n".encode())


@pytest.fixture(params=["fake", REAL])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
        return
    worker: Settings = request.getfixturevalue("worker")
    yield ServersBench(worker.need(Mail), request.getfixturevalue("mail_tables"), request.getfixturevalue("state"))


@pytest.fixture
def served(bench: Bench, zofie: Newcomer) -> Bench:
    """The domain of Žofie's organisation is served."""
    bench.system.ensure_domain(zofie.mail_domain)
    return bench


def soon(look: Callable[[], T], seconds: float = 15) -> T:
    """The first answer that is something, within that time; else the last one."""
    ends = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < ends:
        time.sleep(0.1)
    return seen


def test_a_domain_is_made_once_and_belongs_to_one_organisation(bench: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    assert bench.system.ensure_domain(zofie.mail_domain).created
    assert not bench.system.ensure_domain(zofie.mail_domain).created

    with pytest.raises(Conflict):
        bench.system.ensure_domain(replace(zofie.mail_domain, organisation=stranger.organisation))


def test_a_mailbox_is_made_once_however_often_it_is_wanted(served: Bench, zofie: Newcomer) -> None:
    first = served.system.ensure(zofie.mailbox)
    before = served.versions()
    second = served.system.ensure(zofie.mailbox)

    assert (first.created, second.created) == (True, False)
    assert first.remote_id == second.remote_id == zofie.address
    assert second.facts == {"address": zofie.address, "quota_bytes": 2 << 30, "deliverable": True, "opens": True}
    assert served.versions() == before


def test_a_larger_mailbox_is_seen_at_the_server(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    held = served.system.ensure(replace(zofie.mailbox, quota_bytes=5 << 30))

    assert not held.created
    assert held.facts["quota_bytes"] == 5 << 30


def test_a_mailbox_in_a_domain_that_is_not_served_is_gone(bench: Bench, zofie: Newcomer) -> None:
    with pytest.raises(Gone):
        bench.system.ensure(zofie.mailbox)


def test_a_namesake_without_our_id_is_a_conflict_and_stays_untouched(served: Bench, zofie: Newcomer) -> None:
    served.stranger(zofie.mailbox)
    before = served.versions()

    with pytest.raises(Conflict) as conflict:
        served.system.ensure(zofie.mailbox)

    assert zofie.address in str(conflict.value.sentence)
    assert served.system.observe(zofie.person) is None
    assert served.versions() == before


def test_a_second_mailbox_of_the_same_person_is_a_conflict(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    with pytest.raises(Conflict):
        served.system.ensure(replace(zofie.mailbox, address=f"jina@{zofie.domain}"))


def test_a_message_comes_back_and_stays_until_it_is_removed(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    first, second = served.system.message_comes_back(zofie.address), served.system.message_comes_back(zofie.address)
    served.system.remove_message(zofie.address, first.message_id)
    served.system.remove_message(zofie.address, first.message_id)

    assert first.message_id != second.message_id
    assert len(first.sha256) == 64
    assert first.size > 0


def test_no_message_comes_back_from_a_mailbox_that_is_not_there(served: Bench, zofie: Newcomer) -> None:
    with pytest.raises(Gone):
        served.system.message_comes_back(zofie.address)


def test_a_suspended_mailbox_takes_mail_and_does_not_open(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    suspended = served.system.suspend(zofie.person)
    assert (suspended.facts["deliverable"], suspended.facts["opens"]) == (True, False)
    with pytest.raises(Gone):
        served.system.message_comes_back(zofie.address)

    assert served.system.resume(zofie.person).facts["opens"] is True
    assert served.system.message_comes_back(zofie.address).size > 0


def test_the_address_of_a_retired_person_is_not_given_to_another(served: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    served.system.retire(zofie.person)
    served.system.retire(zofie.person)

    assert served.system.observe(zofie.person) is None
    with pytest.raises(Conflict):
        served.system.ensure(replace(zofie.mailbox, person=stranger.person))
    with pytest.raises(Gone):
        served.system.suspend(zofie.person)


def test_an_activation_leads_to_the_private_address_until_it_is_closed(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)
    expires = datetime.now(UTC) + timedelta(hours=24)
    served.system.open_activation(zofie.address, "zofie@privat.example", expires)
    before = served.versions()
    served.system.open_activation(zofie.address, "zofie@privat.example", expires)
    assert served.versions() == before
    assert served.system.activation_forwarded(zofie.address) is None

    started = datetime.now(UTC) - timedelta(seconds=1)
    served.identity_server_writes_to(zofie.address)
    forwarded = served.system.activation_forwarded(zofie.address)
    assert forwarded
    assert forwarded > started

    served.system.close_activation(zofie.address)
    served.system.close_activation(zofie.address)
    assert served.system.activation_forwarded(zofie.address) is None


def test_a_private_address_inside_our_domains_is_refused(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)

    with pytest.raises(Refused):
        served.system.open_activation(zofie.address, f"soukroma@{zofie.domain}", datetime.now(UTC) + timedelta(hours=24))


def test_a_dead_private_address_is_seen_as_a_bounce(served: Bench, zofie: Newcomer) -> None:
    served.system.ensure(zofie.mailbox)
    dead, started = f"undeliverable.{zofie.slug}@privat.example", datetime.now(UTC)
    served.system.open_activation(zofie.address, dead, started + timedelta(hours=24))

    served.identity_server_writes_to(zofie.address)

    seen = soon(lambda: [bounce for bounce in served.system.bounces(started) if bounce.address == dead])
    assert [(bounce.sent_to, bounce.at >= started) for bounce in seen] == [(zofie.address, True)]
    assert "550" in seen[0].diagnostic
    assert all(bounce.address != dead for bounce in served.system.bounces(datetime.now(UTC) + timedelta(hours=1)))


@pytest.mark.servers
def test_the_servers_are_believed_and_not_the_tables(worker: Settings, mail_tables: psycopg.Connection, zofie: Newcomer) -> None:
    system = MailTables(worker.need(Mail))
    system.ensure_domain(zofie.mail_domain)
    mail_tables.execute("UPDATE domain SET active = false WHERE name = %s", (zofie.domain,))

    with pytest.raises(Unavailable):
        system.ensure(zofie.mailbox)


@pytest.mark.servers
def test_an_alias_of_the_same_name_is_a_conflict(worker: Settings, mail_tables: psycopg.Connection, zofie: Newcomer) -> None:
    system = MailTables(worker.need(Mail))
    system.ensure_domain(zofie.mail_domain)
    mail_tables.execute("INSERT INTO alias VALUES (%s, 'someone@kraj.example')", (zofie.address,))

    with pytest.raises(Conflict):
        system.ensure(zofie.mailbox)


@pytest.mark.servers
def test_the_folder_of_proofs_takes_no_strangers_message_and_keeps_no_secret(worker: Settings, state: State, zofie: Newcomer) -> None:
    settings = worker.need(Mail)
    system = MailTables(settings)
    system.ensure_domain(zofie.mail_domain)
    system.ensure(zofie.mailbox)
    with smtplib.SMTP("127.0.0.1", state.port("smtp"), timeout=15) as server:
        hidden = f"To: {zofie.address}\r\nX-Nastup-Proof: guessed nonce\r\nMessage-ID: <hidden@x>\r\n\r\nskryto\r\n"
        server.sendmail("someone@privat.example", [zofie.address], hidden.encode())
    proof = system.message_comes_back(zofie.address)  # sent later, so the other one has been filed too

    with folder(settings, zofie.address) as imap:
        uids = imap.uid("SEARCH", "ALL")[1][0].split()
        messages = [fetch(imap, uid.decode())[1] for uid in uids]
        assert imap.select("INBOX")[0] == "NO"  # the verifier sees this one folder

    assert len(messages) == 1
    assert proof.message_id.encode() in messages[0]
    assert settings.proof_secret.get_secret_value().encode() not in messages[0]


@pytest.mark.servers
def test_silent_servers_are_unavailable_and_a_wrong_credential_is_for_it(worker: Settings, zofie: Newcomer) -> None:
    settings = worker.need(Mail)
    with pytest.raises(Unavailable):
        MailTables(settings.model_copy(update={"smtp_port": 1})).message_comes_back(zofie.address)
    address = settings.database.get_secret_value()
    wrong = type(settings.database)(address.replace(":" + address.split(":")[2].split("@")[0], ":wrong"))
    with pytest.raises(Misconfigured):
        MailTables(settings.model_copy(update={"database": wrong})).ensure(zofie.mailbox)
