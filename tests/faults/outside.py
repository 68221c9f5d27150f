"""The outside in a process of its own, so that it outlives a worker that dies."""

from collections import Counter
from multiprocessing.managers import BaseManager
from typing import Any

from flows.plan import MailDomain, OrganisationSpace, Tenant
from tests.cast import Cast
from tests.fakes.backup import FakeBackup
from tests.fakes.identity import FakeIdentity
from tests.fakes.letters import FakeLetters
from tests.fakes.mail import FakeMail
from tests.fakes.runs import FakeRuns

NAMES = ("identity", "mail", "backup", "runs", "letters")


class Outside:
    """The servers in memory, with the school already served."""

    def __init__(self) -> None:
        self.identity, self.mail = FakeIdentity(), FakeMail()
        self.backup = FakeBackup(self.mail)
        self.runs, self.letters = FakeRuns(), FakeLetters()  # what the dispatcher asks

    def serve(self, cast: Cast) -> None:
        school = cast.school
        self.identity.ensure_organisation(OrganisationSpace(school.id, school.slug, school.name, school.domain))
        self.mail.ensure_domain(MailDomain(school.id, school.domain))
        self.backup.ensure_tenant(Tenant(school.id, school.slug))
        for server in (self.identity, self.mail, self.backup):
            server.writes.clear()

    def writes(self) -> dict[str, int]:
        """What was changed at all servers since `serve`, by kind; a server never writes a thing twice without counting it."""
        counted = sum((server.writes for server in (self.identity, self.mail, self.backup)), Counter[str]())
        return {kind: n for kind, n in counted.items() if n}


class Servers(BaseManager):
    """A manager whose process holds the fakes; clients are proxies (multiprocessing.managers)."""


def offer(outside: Outside) -> None:
    """Makes this process's fakes reachable for the process that dies."""
    for name in NAMES:
        server = getattr(outside, name)
        calls = [call for call in dir(server) if not call.startswith("_") and callable(getattr(server, call)) and call != "tell"]
        Servers.register(name, callable=_giver(server), exposed=calls)


def _giver(server: Any) -> Any:
    return lambda: server
