"""A backup system in memory."""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from flows.connectors.base import Conflict, Gone, Held, Restored
from flows.plan import Enrolment, Tenant
from flows.sentence import say
from tests.fakes.faults import Fake, remote
from tests.fakes.mail import FakeMail


@dataclass
class Entry:
    wanted: Enrolment
    active: bool = True


@dataclass(frozen=True)
class Shot:
    """A snapshot: its tags and what was in the mailbox."""

    id: str
    person: UUID
    address: str
    messages: dict[str, bytes] = field(default_factory=dict[str, bytes])


class FakeBackup(Fake):
    """`strangers` are names of tenants, `shots` the repository of each organisation."""

    def __init__(self, mail: FakeMail | None = None) -> None:
        super().__init__()
        self.mail = mail or FakeMail()
        self.tenants: dict[UUID, str] = {}
        self.entries: dict[UUID, Entry] = {}
        self.shots: dict[UUID, list[Shot]] = {}
        self.strangers: set[str] = set()

    @remote
    def ensure_tenant(self, wanted: Tenant) -> Held:
        created = wanted.organisation not in self.tenants
        taken = {slug for organisation, slug in self.tenants.items() if organisation != wanted.organisation} | self.strangers
        if wanted.slug in taken or self.tenants.get(wanted.organisation, wanted.slug) != wanted.slug:
            raise Conflict(say("The backup named %(name)s belongs to another organisation.", name=wanted.slug))
        self.writes["tenant"] += created
        self.tenants[wanted.organisation] = wanted.slug
        self.shots.setdefault(wanted.organisation, [])
        return Held(wanted.slug, created, {"repository": wanted.slug})

    @remote
    def ensure(self, wanted: Enrolment) -> Held:
        if wanted.organisation not in self.tenants:
            raise Gone(say("The organisation has no backup."))
        others = [one for one in self.shots[wanted.organisation] if one.address == wanted.address and one.person != wanted.person]
        enrolled = any(e.wanted.address == wanted.address and p != wanted.person for p, e in self.entries.items())
        if others or enrolled:
            raise Conflict(say("The backup holds a mailbox %(address)s of another person.", address=wanted.address))
        known = self._shots(wanted.person)
        shot = known[-1] if known else self._shoot(wanted)
        self.writes["enrolment"] += self.entries.get(wanted.person) != Entry(wanted)
        self.entries[wanted.person] = Entry(wanted)
        return Held(shot.id, not known, {"snapshot": shot.id, "address": wanted.address, "active": True})

    @remote
    def observe(self, person: UUID) -> Held | None:
        return self._held(person)

    @remote
    def suspend(self, person: UUID) -> Held:
        return self._set_active(person, active=False)

    @remote
    def resume(self, person: UUID) -> Held:
        return self._set_active(person, active=True)

    @remote
    def retire(self, person: UUID) -> None:
        self.writes["enrolment"] += self.entries.pop(person, None) is not None

    @remote
    def message_is_restored(self, wanted: Enrolment, message_id: str) -> Restored:
        if wanted.organisation not in self.tenants:
            raise Gone(say("The organisation has no backup."))
        message = self._messages(wanted.address).get(message_id)
        if message is None:
            raise Gone(say("The message is not in the mail store."))
        shot = self._shoot(wanted)
        return Restored(shot.id, hashlib.sha256(message).hexdigest(), len(message), 0.001)

    def snapshots(self, person: UUID) -> int:
        with self.lock:
            return len(self._shots(person))

    def _shots(self, person: UUID) -> list[Shot]:
        return [shot for shots in self.shots.values() for shot in shots if shot.person == person]

    def _shoot(self, wanted: Enrolment) -> Shot:
        self.writes["snapshot"] += 1
        shot = Shot(uuid4().hex, wanted.person, wanted.address, dict(self._messages(wanted.address)))
        self.shots[wanted.organisation].append(shot)
        return shot

    def _messages(self, address: str) -> dict[str, bytes]:
        boxes = [box for box in self.mail.boxes.values() if box.mailbox.address == address]
        return boxes[0].messages if boxes else {}

    def _set_active(self, person: UUID, *, active: bool) -> Held:
        if person in self.entries:
            self.writes["enrolment"] += self.entries[person].active is not active
            self.entries[person].active = active
        if (held := self._held(person)) is None:
            raise Gone(say("The mailbox is not in the backup."))
        return held

    def _held(self, person: UUID) -> Held | None:
        entry, shots = self.entries.get(person), self._shots(person)
        if entry is None or not shots:
            return None
        facts = {"snapshot": shots[-1].id, "snapshots": len(shots), "address": entry.wanted.address, "active": entry.active}
        return Held(shots[-1].id, facts=facts)
