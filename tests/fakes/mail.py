"""A mail system in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from flows.connectors.base import Bounce, Conflict, Delivered, Gone, Held, Refused
from flows.plan import Mailbox, MailDomain
from flows.sentence import say
from tests.fakes.faults import Fake, remote


@dataclass
class Box:
    """One mailbox: `messages` by message id, the bytes as IMAP would give them."""

    mailbox: Mailbox
    active: bool = True
    messages: dict[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True)
class Activation:
    private_address: str
    expires: datetime
    forwarded: datetime | None = None


class FakeMail(Fake):
    """`strangers` are addresses that somebody else has made. `returned` is what the portal's own mailbox received back."""

    def __init__(self) -> None:
        super().__init__()
        self.domains: dict[str, UUID] = {}
        self.boxes: dict[UUID, Box] = {}
        self.strangers: set[str] = set()
        self.activations: dict[str, Activation] = {}
        self.returned: list[Bounce] = []

    @remote
    def ensure_domain(self, wanted: MailDomain) -> Held:
        created = wanted.domain not in self.domains
        if self.domains.setdefault(wanted.domain, wanted.organisation) != wanted.organisation:
            raise Conflict(say("The mail domain %(domain)s belongs to another organisation.", domain=wanted.domain))
        self.writes["domain"] += created
        return Held(wanted.domain, created, {"domain": wanted.domain})

    @remote
    def ensure(self, wanted: Mailbox) -> Held:
        if wanted.address.rpartition("@")[2] not in self.domains:
            raise Gone(say("The mail domain of the address is not served."))
        found = self.boxes.get(wanted.person)
        taken = self.strangers | {box.mailbox.address for person, box in self.boxes.items() if person != wanted.person}
        if wanted.address in taken or (found and found.mailbox.address != wanted.address):
            raise Conflict(say("The address %(address)s is taken and is not ours.", address=wanted.address))
        if found is None:
            self.writes["mailbox"] += 1
            self.boxes[wanted.person] = Box(wanted)
            return self._held(wanted.person, created=True)
        self.writes["mailbox"] += (found.mailbox, found.active) != (wanted, True)
        self.boxes[wanted.person] = replace(found, mailbox=wanted, active=True)
        return self._held(wanted.person)

    @remote
    def observe(self, person: UUID) -> Held | None:
        return self._held(person) if person in self.boxes else None

    @remote
    def suspend(self, person: UUID) -> Held:
        return self._set_active(person, active=False)

    @remote
    def resume(self, person: UUID) -> Held:
        return self._set_active(person, active=True)

    @remote
    def retire(self, person: UUID) -> None:
        if box := self.boxes.pop(person, None):
            self.writes["mailbox"] += 1
            self.strangers.add(box.mailbox.address)  # the old mail is still in the store: nobody gets the address again
            self.activations.pop(box.mailbox.address, None)

    @remote
    def message_comes_back(self, address: str) -> Delivered:
        box = self._opened(address)
        message_id = f"<proof.{uuid4().hex}@fake.example>"
        message = f"Message-ID: {message_id}\r\n\r\nPříliš žluťoučký kůň.\r\n".encode()
        box.messages[message_id] = message
        return Delivered(message_id, hashlib.sha256(message).hexdigest(), len(message), 0.001)

    @remote
    def remove_message(self, address: str, message_id: str) -> None:
        self._opened(address).messages.pop(message_id, None)

    @remote
    def open_activation(self, address: str, private_address: str, expires: datetime) -> None:
        if private_address.rpartition("@")[2].lower() in self.domains:
            raise Refused(say("The private address must be outside the domains of the region."))
        old, new = self.activations.get(address), Activation(private_address, expires)
        if old is None or replace(old, forwarded=None) != new:
            self.writes["activation"] += 1
            self.activations[address] = new

    @remote
    def activation_forwarded(self, address: str) -> datetime | None:
        return self.activations[address].forwarded if address in self.activations else None

    @remote
    def close_activation(self, address: str) -> None:
        self.writes["activation"] += self.activations.pop(address, None) is not None

    @remote
    def bounces(self, since: datetime) -> Sequence[Bounce]:
        return sorted((bounce for bounce in self.returned if bounce.at >= since), key=lambda bounce: bounce.at)

    def passes_on(self, address: str) -> str:
        """A letter of the identity server comes for the work address: where it goes."""
        with self.lock:
            if address not in self.activations:
                return address
            self.activations[address] = replace(self.activations[address], forwarded=datetime.now(UTC))
            return self.activations[address].private_address

    def _opened(self, address: str) -> Box:
        for box in self.boxes.values():
            if box.mailbox.address == address and box.active:
                return box
        raise Gone(say("The mailbox does not open."))

    def _set_active(self, person: UUID, *, active: bool) -> Held:
        if person not in self.boxes:
            raise Gone(say("The mailbox is not in the mail system."))
        self.writes["mailbox"] += self.boxes[person].active is not active
        self.boxes[person].active = active
        return self._held(person)

    def _held(self, person: UUID, *, created: bool = False) -> Held:
        box = self.boxes[person]
        facts = {"address": box.mailbox.address, "quota_bytes": box.mailbox.quota_bytes, "deliverable": True, "opens": box.active}
        return Held(box.mailbox.address, created, facts)
