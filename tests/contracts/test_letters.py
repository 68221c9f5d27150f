"""What every post office promises: in memory, and SMTP."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Protocol
from uuid import uuid4

import pytest

from flows.connectors.base import Gone, LetterPost, Post, Unavailable
from flows.connectors.letters import SmtpLetters, letter
from flows.connectors.mail_servers import fetch, returned_mail
from flows.settings import Mail, Settings
from tests.contracts.conftest import REAL
from tests.contracts.test_mail import soon
from tests.fakes import FakeLetters


class Bench(Protocol):
    @property
    def system(self) -> LetterPost: ...

    somebody: str
    nobody: str

    def received(self, message_id: str) -> str | None:
        """The subject of the letter that arrived."""
        ...


class FakeBench:
    somebody, nobody = "radek.hanzlik@kraj.example", "nikdo@kraj.example"

    def __init__(self) -> None:
        self.system = FakeLetters()
        self.system.unknown.add(self.nobody)

    def received(self, message_id: str) -> str | None:
        return next((post.subject for post in self.system.to(self.somebody) if post.message_id == message_id), None)


class SmtpBench:
    """Written to the portal's own mailbox, the only one whose letters a test may read."""

    nobody = "nikdo@kraj.example"

    def __init__(self, settings: Mail) -> None:
        self.system, self.somebody, self._settings = SmtpLetters(settings), settings.sender, settings

    def received(self, message_id: str) -> str | None:
        message = soon(lambda: self._read(message_id))
        return str(message["Subject"]) if message else None

    def _read(self, message_id: str) -> EmailMessage | None:
        with returned_mail(self._settings) as inbox:
            _, found = inbox.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
            if not found[0]:
                return None
            text = fetch(inbox, found[0].split()[0].decode())[1]
        return email.message_from_bytes(text, policy=email.policy.default)


@pytest.fixture(params=["fake", REAL])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
    else:
        worker: Settings = request.getfixturevalue("worker")
        yield SmtpBench(worker.need(Mail))


def post(to: str) -> Post:
    return Post(
        f"<letter.{uuid4().hex}@kraj.example>", to, "Žádost čeká na vás", "Dobrý den,\n\npříliš žluťoučký kůň", "<p>Dobrý den</p>", "cs"
    )


def test_a_letter_arrives_under_its_own_message_id(bench: Bench) -> None:
    one = post(bench.somebody)
    bench.system.send(one)
    assert bench.received(one.message_id) == "Žádost čeká na vás"


def test_a_letter_to_nobody_is_gone(bench: Bench) -> None:
    with pytest.raises(Gone):
        bench.system.send(post(bench.nobody))


@pytest.mark.servers
def test_a_silent_server_may_be_asked_again(worker: Settings) -> None:
    silent = worker.need(Mail).model_copy(update={"smtp_port": 1})
    with pytest.raises(Unavailable):
        SmtpLetters(silent).send(post("radek.hanzlik@kraj.example"))


def test_a_letter_says_that_a_machine_wrote_it_and_has_text_and_html() -> None:
    message = letter(post("radek.hanzlik@kraj.example"), "nastup@kraj.example")

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "cs"
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "žluťoučký" in message.as_bytes(policy=email.policy.SMTP.clone(cte_type="8bit")).decode()
