"""An identity system in memory."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from flows.connectors.base import Conflict, CredentialsSeen, Gone, Held, Refused
from flows.plan import Account, Membership, OrganisationSpace
from flows.sentence import say
from tests.fakes.faults import Fake, remote


@dataclass
class Person:
    """What the server keeps of one account."""

    id: str
    account: Account
    organisations: set[str] = field(default_factory=set[str])
    credentials: CredentialsSeen = field(default_factory=lambda: CredentialsSeen(False, 0, False))
    sessions: int = 0
    links: list[int] = field(default_factory=list[int])


class FakeIdentity(Fake):
    """`people` by person id. `strangers` are user names and addresses of accounts that do not carry an id of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[UUID, Person] = {}
        self.organisations: dict[UUID, tuple[str, OrganisationSpace]] = {}
        self.strangers: set[str] = set()

    @remote
    def ensure_organisation(self, wanted: OrganisationSpace) -> Held:
        facts = {"alias": wanted.slug, "domain": wanted.domain}
        if found := self.organisations.get(wanted.organisation):
            if found[1] != wanted:
                self.writes["organisation"] += 1
                self.organisations[wanted.organisation] = (found[0], wanted)
            return Held(found[0], facts=facts)
        if wanted.slug in self.strangers | {space.slug for _, space in self.organisations.values()}:
            raise Conflict(say("An organisation named %(name)s is there and is not ours.", name=wanted.slug))
        self.writes["organisation"] += 1
        self.organisations[wanted.organisation] = (str(uuid4()), wanted)
        return Held(self.organisations[wanted.organisation][0], True, facts)

    @remote
    def ensure(self, wanted: Account) -> Held:
        if found := self.people.get(wanted.person):
            self._change(found, replace(wanted, user_name=found.account.user_name))
            return Held(found.id, facts=_facts(found))
        taken = self.strangers | {name for one in self.people.values() for name in (one.account.user_name, one.account.email)}
        if {wanted.user_name, wanted.email} & taken:
            raise Conflict(say("The user name %(name)s is taken and is not ours.", name=wanted.user_name))
        if not 3 <= len(wanted.user_name) <= 255:
            raise Refused(say("The identity server does not accept these values."), "username")
        self.writes["account"] += 1
        self.people[wanted.person] = Person(str(uuid4()), wanted)
        return Held(self.people[wanted.person].id, True, _facts(self.people[wanted.person]))

    @remote
    def ensure_membership(self, wanted: Membership) -> Held:
        person = self._need(wanted.person)
        if wanted.organisation not in self.organisations:
            raise Gone(say("The organisation is not there."))
        organisation = self.organisations[wanted.organisation][0]
        created = organisation not in person.organisations
        self.writes["membership"] += created
        person.organisations.add(organisation)
        return Held(f"{organisation}/{person.id}", created)

    @remote
    def observe(self, person: UUID) -> Held | None:
        if (found := self.people.get(person)) is None:
            return None
        return Held(found.id, facts={**_facts(found), "organisations": ",".join(sorted(found.organisations))})

    @remote
    def suspend(self, person: UUID) -> Held:
        found = self._need(person)
        self._change(found, replace(found.account, enabled=False))
        found.sessions = 0
        return Held(found.id, facts=_facts(found))

    @remote
    def resume(self, person: UUID) -> Held:
        found = self._need(person)
        self._change(found, replace(found.account, enabled=True))
        return Held(found.id, facts=_facts(found))

    @remote
    def retire(self, person: UUID) -> None:
        self.writes["account"] += self.people.pop(person, None) is not None

    @remote
    def send_activation(self, person: UUID, hours: int) -> None:
        found = self._need(person)
        if not found.account.enabled:
            raise Refused(say("The identity server does not accept these values."), "disabled")
        self.writes["activation"] += 1
        found.links.append(hours)

    @remote
    def credentials(self, person: UUID) -> CredentialsSeen:
        return self._need(person).credentials

    def opens_link(self, person: UUID) -> None:
        """The person follows the link and sets a password and a second factor."""
        with self.lock:
            found = self.people[person]
            found.credentials = CredentialsSeen(True, found.credentials.second_factors + 1, True, datetime.now(UTC))

    def _need(self, person: UUID) -> Person:
        if person not in self.people:
            raise Gone(say("The account is not there."))
        return self.people[person]

    def _change(self, found: Person, wanted: Account) -> None:
        self.writes["account"] += found.account != wanted
        found.account = wanted


def _facts(person: Person) -> dict[str, str | bool]:
    return {"user_name": person.account.user_name, "email": person.account.email, "enabled": person.account.enabled}
