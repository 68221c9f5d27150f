"""Where a letter goes: into a mailbox, into the verifier's folder, to the private address, out to the catcher, or back."""

import imaplib
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from infra.servers import postgres, realm
from infra.servers.dovecot import machine_password
from infra.state import State

pytestmark = pytest.mark.servers

PASSWORD = "only-for-this-test"


@pytest.fixture
def state() -> State:
    return State.of_tests()


@pytest.fixture
def tables(state: State) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.dsn(state, "postgres", "mail"), autocommit=True) as db:
        yield db


@pytest.fixture
def address(tables: psycopg.Connection) -> str:
    """A mailbox that can be opened with a password."""
    name = f"route-{uuid4().hex[:10]}"
    tables.execute("INSERT INTO domain (name, organisation) VALUES ('routes.example', 'o') ON CONFLICT DO NOTHING")
    tables.execute(
        "INSERT INTO mailbox (address, domain, external_id, password) VALUES (%s, 'routes.example', %s, %s)",
        (f"{name}@routes.example", name, machine_password(PASSWORD)),
    )
    return f"{name}@routes.example"


def send(state: State, recipient: str, subject: str, port: str = "smtp", sender: str = realm.SENDER, **headers: str) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = sender, recipient, subject
    for name, value in headers.items():
        letter[name.replace("_", "-")] = value
    letter.set_content("Dobrý den")
    with smtplib.SMTP("127.0.0.1", state.port(port), timeout=20) as line:
        line.send_message(letter, sender, [recipient])


def subjects(state: State, user: str, password: str, folder: str = "INBOX") -> list[str]:
    with imaplib.IMAP4("127.0.0.1", state.port("imap"), timeout=20) as line:
        line.starttls(ssl.create_default_context(cafile=str(state.path("tls", "mail.crt"))))
        line.login(user, password)
        assert line.select(folder, readonly=True)[0] == "OK"
        found = line.search(None, "ALL")[1][0].split()
        read = [line.fetch(each, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0] for each in found]
    return [part[1].decode().removeprefix("Subject: ").strip() for part in read if isinstance(part, tuple)]


def caught(state: State, recipient: str) -> list[dict[str, Any]]:
    letters = httpx2.get(f"{state.address('catcher')}/letters.json", timeout=10).raise_for_status().json()
    return [letter for letter in letters if recipient in letter["recipients"]]


def soon(ask: Callable[[], object], seconds: float = 30) -> object:
    ends = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < ends:
        time.sleep(0.2)
    return answer


def test_a_letter_to_a_mailbox_arrives(state: State, address: str):
    send(state, address, "přijde")
    assert soon(lambda: subjects(state, address, PASSWORD))


def test_a_proof_goes_to_the_folder_of_the_verifier_and_to_no_inbox(state: State, address: str):
    send(state, address, "proof", X_Nastup_Proof=f"{state.secret('mail_proof')} nonce")
    verifier = f"{address}*verifier", state.secret("mail_verifier")
    assert soon(lambda: subjects(state, *verifier, "Overeni") == ["proof"])
    assert subjects(state, address, PASSWORD) == []


def test_who_does_not_know_the_secret_cannot_hide_mail_in_that_folder(state: State, address: str):
    send(state, address, "forged", X_Nastup_Proof="guessed nonce")
    assert soon(lambda: subjects(state, address, PASSWORD) == ["forged"])
    assert subjects(state, f"{address}*verifier", state.secret("mail_verifier"), "Overeni") == []


def test_the_verifier_opens_no_inbox(state: State, address: str):
    with pytest.raises(AssertionError):
        subjects(state, f"{address}*verifier", state.secret("mail_verifier"))


def test_the_verifier_cannot_send_as_the_person(state: State, address: str):
    with smtplib.SMTP("127.0.0.1", state.port("submission"), timeout=30) as line:
        line.starttls(context=ssl.create_default_context(cafile=str(state.path("tls", "mail.crt"))))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            line.login(f"{address}*verifier", state.secret("mail_verifier"))


def test_a_pending_activation_takes_what_keycloak_sends_to_the_private_address_and_nothing_else(
    state: State, tables: psycopg.Connection, address: str
):
    private = f"{uuid4().hex}@posta.example"
    tables.execute("INSERT INTO activation VALUES (%s, %s, now() + interval '1 hour')", (address, private))
    send(state, address, "activation", port="smtp_keycloak")
    send(state, address, "office")
    assert [letter["subject"] for letter in soon(lambda: caught(state, private))] == ["activation"]  # pyright: ignore
    assert soon(lambda: subjects(state, address, PASSWORD) == ["office"])


def test_an_expired_activation_leaves_keycloaks_letter_in_the_mailbox(state: State, tables: psycopg.Connection, address: str):
    private = f"{uuid4().hex}@posta.example"
    tables.execute("INSERT INTO activation VALUES (%s, %s, now() - interval '1 second')", (address, private))
    send(state, address, "late", port="smtp_keycloak")
    assert soon(lambda: subjects(state, address, PASSWORD) == ["late"])
    assert caught(state, private) == []


def test_only_keycloaks_own_sender_may_use_its_listener(state: State, address: str):
    with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)):
        send(state, address, "no", port="smtp_keycloak", sender="someone@elsewhere.example")


def test_a_stranger_cannot_relay_through_us(state: State):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(state, "someone@elsewhere.example", "relay", sender="someone@elsewhere.example")


def test_a_dead_private_address_comes_back_to_the_mailbox_of_the_sender(state: State, tables: psycopg.Connection, address: str):
    private = f"undeliverable-{uuid4().hex}@posta.example"
    tables.execute("INSERT INTO activation VALUES (%s, %s, now() + interval '1 hour')", (address, private))
    before = len(subjects(state, realm.SENDER, state.secret("mail_sender")))
    send(state, address, "activation", port="smtp_keycloak")
    assert soon(lambda: len(subjects(state, realm.SENDER, state.secret("mail_sender"))) > before)


def test_a_suspended_person_cannot_log_in(state: State, tables: psycopg.Connection, address: str):
    tables.execute("UPDATE mailbox SET active = false WHERE address = %s", (address,))
    with pytest.raises((imaplib.IMAP4.error, OSError)):
        subjects(state, address, PASSWORD)
