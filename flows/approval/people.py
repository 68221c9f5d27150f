"""Who is asking, and what they may do."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from flows.approval.audit import Actor
from flows.approval.refusals import NotAllowed, NotFound
from flows.model import OrganisationRole, Person, RegionalRole
from flows.sentence import say


class Regional(StrEnum):
    FOUNDER = "founder"
    REGION_IT = "region-it"
    SECURITY = "security"
    DPO = "dpo"
    IT = "it"
    AUDITOR = "auditor"


DECIDES = frozenset({Regional.FOUNDER, Regional.REGION_IT, Regional.SECURITY})
ASKED = DECIDES | {Regional.DPO}  # have a queue; the DPO gives opinions in it
READS_RUNS = frozenset({Regional.IT, Regional.REGION_IT, Regional.AUDITOR})
MENDS_RUNS = frozenset({Regional.IT, Regional.REGION_IT})


@dataclass(frozen=True)
class Caller:
    """A person with a session: regional roles count only if they stand in the token and in our table.

    `second_factor`: the log-in was confirmed by one (claim `acr`/`amr` of the ID token).
    """

    person: UUID
    name: str
    roles: frozenset[Regional]
    second_factor: bool
    stands_in: frozenset[tuple[str, UUID]] = frozenset()  # (group, the absent one) for whom this person decides today

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.person)

    @property
    def groups(self) -> frozenset[str]:
        """The groups whose questions reach this person: their own, and those of the people they stand in for."""
        own = (role.value for role in self.roles & ASKED)
        return frozenset((*own, *(group for group, _ in self.stands_in if self.roles)))

    @property
    def decides(self) -> bool:
        """Has a queue."""
        return bool(self.groups)

    def must_have_a_queue(self) -> None:
        """Raises NotFound for whom nobody asks anything."""
        if not self.decides:
            raise NotFound

    def must_see(self, *roles: Regional) -> None:
        """Raises NotFound when the person holds none of the roles: a page of others is a page that is not there."""
        if not self.roles & set(roles):
            raise NotFound

    def must_be(self, *roles: Regional) -> None:
        """Raises NotAllowed in words when the person holds none of the roles."""
        if not self.roles & set(roles):
            raise NotAllowed(say("This is done by another group of the region. You may read it, but not change it."))


def authority(
    session: Session, person: UUID, token_roles: frozenset[str], today: date
) -> tuple[frozenset[Regional], frozenset[tuple[str, UUID]]]:
    """The regional roles that count (in the token and in the table, in force today), and for whom the person stands in, by group.

    One question to the database, because every page asks it. Nobody without a role of their own stands in for anybody.
    """
    absent = func.asking_stands_in().table_valued("group_name", "person_id")
    standing = select(func.array_agg(func.concat_ws(" ", absent.c.group_name, absent.c.person_id))).scalar_subquery()
    rows = session.execute(select(RegionalRole, standing).where(RegionalRole.person_id == person, RegionalRole.valid_from <= today)).all()
    counted = [row for row, _ in rows if row.role in token_roles and (row.valid_until is None or row.valid_until >= today)]
    written: list[str] = (rows[0][1] or []) if counted else []
    pairs = [each.rpartition(" ") for each in written]
    return frozenset(Regional(row.role) for row in counted), frozenset((group, UUID(who)) for group, _, who in pairs)


def organisation_roles(session: Session, person: UUID, today: date) -> list[OrganisationRole]:
    """Where the person may file, in force today, with their organisations."""
    rows = (
        select(OrganisationRole)
        .where(OrganisationRole.person_id == person, OrganisationRole.valid_from <= today)
        .options(joinedload(OrganisationRole.organisation))
        .order_by(OrganisationRole.organisation_id)
    )
    return [row for row in session.scalars(rows) if row.valid_until is None or row.valid_until >= today]


def choose_language(session: Session, person: UUID, language: str) -> None:
    """The language of the letters to this person."""
    session.execute(update(Person).where(Person.id == person).values(language=language))


def role_in(session: Session, person: UUID, organisation: UUID, today: date) -> str:
    """director, deputy or clerk of that organisation. Raises NotFound for a stranger: the organisation does not exist for them."""
    held = {row.role for row in organisation_roles(session, person, today) if row.organisation_id == organisation}
    for role in ("director", "deputy", "clerk"):
        if role in held:
            return role
    raise NotFound
