"""Who is asking, and what they may do."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session, contains_eager, joinedload

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
    language: str = "cs"
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


@dataclass(frozen=True)
class Authority:
    """What counts today. `roles`: regional ones; `stands_in`: (group, the absent one); `held`: roles in organisations, with these."""

    roles: frozenset[Regional]
    stands_in: frozenset[tuple[str, UUID]]
    held: list[OrganisationRole]


def authority(session: Session, person: UUID, token_roles: frozenset[str], today: date) -> Authority:
    """The regional roles that count (in the token and in the table, in force today), for whom the person stands in, and where they file.

    One question to the database, because every page asks it. Nobody without a role of their own stands in for anybody.
    """
    absent = func.asking_stands_in().table_valued("group_name", "person_id")
    standing = select(func.array_agg(func.concat_ws(" ", absent.c.group_name, absent.c.person_id))).scalar_subquery()
    in_force = (RegionalRole.valid_from <= today, or_(RegionalRole.valid_until.is_(None), RegionalRole.valid_until >= today))
    regional = select(func.array_agg(RegionalRole.role)).where(RegionalRole.person_id == person, *in_force).scalar_subquery()
    one = select(regional.label("regional"), standing.label("standing")).cte("one").prefix_with("MATERIALIZED")
    mine = and_(OrganisationRole.person_id == person, OrganisationRole.valid_from <= today)
    asked = select(one.c.regional, one.c.standing, OrganisationRole).select_from(one).outerjoin(OrganisationRole, mine)
    asked = asked.outerjoin(OrganisationRole.organisation).options(contains_eager(OrganisationRole.organisation))
    rows: list[Any] = list(session.execute(asked.order_by(OrganisationRole.organisation_id)))
    in_table: list[str] = rows[0][0] or []
    written: list[str] = rows[0][1] or []
    roles = frozenset(Regional(role) for role in in_table if role in token_roles)
    pairs = [each.rpartition(" ") for each in written] if roles else []
    held: list[OrganisationRole] = [row for _, _, row in rows if row and (row.valid_until is None or row.valid_until >= today)]
    return Authority(roles, frozenset((group, UUID(who)) for group, _, who in pairs), held)


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
