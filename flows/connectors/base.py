"""What a connector promises: it says what is wanted, and what it saw.

`ensure` = look, create, on "exists" look again, on silence look again. It may be called any number of times and creates at most one
thing, because every remote object carries our id. A namesake without it is a Conflict, never adopted. `observe` looks at the server
itself, not at what we wrote. Nothing above knows HTTP, the mail system's SQL or restic.

The same contract suite (tests/contracts/) runs against the fakes and the real servers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from flows.plan import Account, Enrolment, Mailbox, MailDomain, Membership, OrganisationSpace, Tenant
from flows.sentence import JsonValue, Sentence

FOREVER = int(timedelta(days=3650).total_seconds())  # seconds: a paused run that expires would end as failed; approval has no such limit


class System(StrEnum):
    """The outside systems, as the ledger and the pages name them."""

    KEYCLOAK = "keycloak"
    MAIL = "mail"
    BACKUP = "backup"
    PORTAL = "portal"


class ConnectorError(Exception):
    """An answer that is not the wanted one: a sentence for a person and a technical detail for IT (no secret, no personal data)."""

    def __init__(self, sentence: Sentence, detail: str = "") -> None:
        super().__init__(f"{sentence} [{detail}]" if detail else str(sentence))
        self.sentence, self.detail = sentence, detail


class Unavailable(ConnectorError):
    """No answer, 5xx, 429, a full queue: may be repeated. `after` = seconds the server itself asked for."""

    def __init__(self, sentence: Sentence, detail: str = "", after: float | None = None) -> None:
        super().__init__(sentence, detail)
        self.after = after


class Gone(ConnectorError):
    """What we held is not there any more: forget the link, ensure again."""


class Conflict(ConnectorError):
    """Something of that name is there and is not ours: a person decides; region-it owns it."""


class Refused(ConnectorError):
    """The server will not take these values: the applicant corrects."""


class Misconfigured(ConnectorError):
    """Our credential or address is wrong (401, 403, unknown realm): IT; stops all work on that system."""


@dataclass(frozen=True)
class Held:
    """What is there now. `created` is False when it was found (adopted). `facts` are for the page: no secret, no private address."""

    remote_id: str
    created: bool = False
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True)
class CredentialsSeen:
    """What a person has set up so far: asked after the activation link went out. `newest`: when the last of it was made."""

    password: bool
    second_factors: int
    email_verified: bool
    newest: datetime | None = None


@dataclass(frozen=True)
class Delivered:
    """A proof message that came back: sha256 (hex) over the bytes that IMAP gave, `size` in bytes, `seconds` from SMTP to IMAP."""

    message_id: str
    sha256: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Restored:
    """A message that came out of the backup: from which snapshot, sha256 (hex) over the restored bytes."""

    snapshot: str
    sha256: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Bounce:
    """Mail that came back: the address that refused, when, the server's words, and the address it was first sent to (the work address)."""

    address: str
    at: datetime
    diagnostic: str
    sent_to: str = ""


class IdentitySystem(Protocol):
    """Organisations, accounts, memberships, credentials asked for by link. Raises every ConnectorError."""

    def ensure_organisation(self, wanted: OrganisationSpace) -> Held: ...
    def ensure(self, wanted: Account) -> Held:
        """facts: user_name, email, enabled. An account of ours that differs (name, enabled) is brought to what is wanted."""
        ...

    def ensure_membership(self, wanted: Membership) -> Held:
        """Gone when the account or the organisation is not there. remote_id = <organisation id>/<account id>."""
        ...

    def observe(self, person: UUID) -> Held | None:
        """The account that carries this person's id. facts: user_name, email, enabled, organisations (their ids, comma separated)."""
        ...

    def suspend(self, person: UUID) -> Held:
        """Disabled and logged out everywhere (in that order)."""
        ...

    def resume(self, person: UUID) -> Held: ...
    def retire(self, person: UUID) -> None:
        """Removed for good (a request of its own); nothing there is no error."""
        ...

    def send_activation(self, person: UUID, hours: int) -> None:
        """One link (password and second factor) to the work address. NOT idempotent: the caller remembers that it was sent."""
        ...

    def credentials(self, person: UUID) -> CredentialsSeen: ...


class MailSystem(Protocol):
    """Domains, mailboxes, the way of the activation letter, and the proof that mail arrives."""

    def ensure_domain(self, wanted: MailDomain) -> Held: ...
    def ensure(self, wanted: Mailbox) -> Held:
        """facts: address, quota_bytes, deliverable (seen at the servers, not in the table)."""
        ...

    def observe(self, person: UUID) -> Held | None:
        """The mailbox that carries this person's id, as the mail servers see it."""
        ...

    def suspend(self, person: UUID) -> Held: ...
    def resume(self, person: UUID) -> Held: ...
    def retire(self, person: UUID) -> None: ...
    def message_comes_back(self, address: str) -> Delivered:
        """Sends a message by SMTP and reads it through the folder Overeni; it stays there until `remove_message`."""
        ...

    def remove_message(self, address: str, message_id: str) -> None: ...
    def open_activation(self, address: str, private_address: str, expires: datetime) -> None:
        """While open, what the identity server sends to `address` goes to `private_address`. Again with other values = replaced."""
        ...

    def activation_forwarded(self, address: str) -> datetime | None:
        """When the mail server last passed a letter of the identity server on to the private address; None when it never did."""
        ...

    def close_activation(self, address: str) -> None:
        """Closed and the private address erased; nothing there is no error."""
        ...

    def bounces(self, since: datetime) -> Sequence[Bounce]: ...


class BackupSystem(Protocol):
    """Tenants and mailboxes in the backup, and the proof that a message comes back from it. The work is done by the agents."""

    def ensure_tenant(self, wanted: Tenant) -> Held:
        """Credential in force and repository initialised. facts: repository."""
        ...

    def ensure(self, wanted: Enrolment) -> Held:
        """Enrolled for the nightly snapshot, and one snapshot with the tag of this person is in the repository. facts: snapshot."""
        ...

    def observe(self, person: UUID) -> Held | None:
        """Seen in the repository by tag. facts: snapshot (the newest), snapshots (how many)."""
        ...

    def suspend(self, person: UUID) -> Held: ...
    def resume(self, person: UUID) -> Held: ...
    def retire(self, person: UUID) -> None:
        """No more snapshots; what is there stays until the retention."""
        ...

    def message_is_restored(self, wanted: Enrolment, message_id: str) -> Restored:
        """A snapshot of the mailbox as it is now, and that very message restored from it."""
        ...


@dataclass(frozen=True)
class Post:
    """One letter, ready: `message_id` is ours, so that a repeat is seen as the same letter."""

    message_id: str
    to: str
    subject: str
    text: str
    html: str
    language: str


class LetterPost(Protocol):
    def send(self, post: Post) -> None: ...


@dataclass(frozen=True)
class RunSeen:
    """A run as Prefect shows it."""

    run: UUID
    state: str
    name: str


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log. `step`: the key of the step that wrote it (`mail.ensure mailbox`), None = the flow itself."""

    at: datetime
    level: str
    step: str | None
    message: str


class RunControl(Protocol):
    """The runs of requests in Prefect: one per request and generation (idempotency key <request>:<generation>)."""

    def create(self, request: UUID, generation: int, flow: str, number: str, waiting_for: str) -> RunSeen:
        """Created as AwaitingApproval; again with the same key = the same run. `flow` names the deployment, `number` the run."""
        ...

    def release(self, request: UUID, generation: int, *, again: bool = False, lost: bool = False) -> None:
        """Scheduled now; `again` names the state AwaitingRetry and waits (Unavailable) for a run that is just ending.

        `lost`: the worker of a run that looks alive is dead, take it away. Gone when Prefect has lost the run.
        """
        ...

    def cancel(self, request: UUID, generation: int, reason: str) -> None: ...
    def observe(self, request: UUID, generation: int) -> RunSeen | None: ...
    def log(self, request: UUID, generation: int) -> Sequence[LogLine]:
        """Lines of the run's log in Prefect, oldest first, at most 200."""
        ...
