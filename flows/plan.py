"""What will exist: pure values, made from what was asked and what the world is. The same plan is shown, approved and executed.

Nothing here reads a database or a server. The hash of a plan is what people approve; the flow refuses a plan of another hash.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

GIGABYTE = 1 << 30  # mail servers and restic count binary


@dataclass(frozen=True)
class OrganisationSpace:
    """An organisation in the identity system: alias = our slug, found again by our id."""

    organisation: UUID
    slug: str
    name: str
    domain: str


@dataclass(frozen=True)
class MailDomain:
    organisation: UUID
    domain: str


@dataclass(frozen=True)
class Tenant:
    """An organisation in the backup: one repository, one key, one credential."""

    organisation: UUID
    slug: str


@dataclass(frozen=True)
class Account:
    """A person's account. `user_name` 3-255 characters; `email` is the work address from the start."""

    person: UUID
    user_name: str
    email: str
    given_name: str
    family_name: str
    enabled: bool = True


@dataclass(frozen=True)
class Membership:
    """A person in an organisation of the identity system."""

    person: UUID
    organisation: UUID


@dataclass(frozen=True)
class Mailbox:
    person: UUID
    address: str
    quota_bytes: int


@dataclass(frozen=True)
class Enrolment:
    """A mailbox in its organisation's backup, found again by the tag person:<id>."""

    person: UUID
    organisation: UUID
    slug: str
    address: str


@dataclass(frozen=True)
class Plan:
    """All that one request makes."""

    account: Account
    membership: Membership
    mailbox: Mailbox
    enrolment: Enrolment
    start: date
    end: date | None

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON of the plan: sorted keys, no spaces, UTF-8."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self), default=str))

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Plan":
        """The stored plan as values. Raises KeyError or ValueError when the stored form is not a plan."""
        person, organisation = UUID(stored["account"]["person"]), UUID(stored["membership"]["organisation"])
        return cls(
            account=Account(**stored["account"] | {"person": person}),
            membership=Membership(person, organisation),
            mailbox=Mailbox(**stored["mailbox"] | {"person": person}),
            enrolment=Enrolment(**stored["enrolment"] | {"person": person, "organisation": organisation}),
            start=date.fromisoformat(stored["start"]),
            end=date.fromisoformat(stored["end"]) if stored["end"] else None,
        )


@dataclass(frozen=True)
class World:
    """What the plan depends on besides the form: the organisation as it is, and the names reserved for this person."""

    organisation: UUID
    slug: str
    domain: str
    person: UUID
    user_name: str
    address: str


@dataclass(frozen=True)
class Hire:
    """What the form of a new employee asks for, as far as the outside is concerned."""

    given_name: str
    family_name: str
    quota_gb: int
    start: date
    end: date | None


def plan_for_employee(hire: Hire, world: World) -> Plan:
    """The account, membership, mailbox and enrolment of a new employee. The account starts disabled when its day is ahead: see the flow."""
    return Plan(
        account=Account(world.person, world.user_name, world.address, hire.given_name, hire.family_name),
        membership=Membership(world.person, world.organisation),
        mailbox=Mailbox(world.person, world.address, hire.quota_gb * GIGABYTE),
        enrolment=Enrolment(world.person, world.organisation, world.slug, world.address),
        start=hire.start,
        end=hire.end,
    )
