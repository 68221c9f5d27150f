"""Who is really here. A request of which nothing came leaves a row of a person with a name and an address: its history needs one."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, String, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from flows.model import Employment, LoginAccount, OrganisationRole, Person, RegionalRole


def is_here() -> ColumnElement[bool]:
    """Of a `Person`: has an employment that is planned or alive, or holds a role."""
    works = exists().where(Employment.person_id == Person.id, Employment.state.in_(("planned", "active")))
    roles = (exists().where(kind.person_id == Person.id) for kind in (OrganisationRole, RegionalRole))
    return or_(works, *roles)


def known_as(session: Session, who: str) -> Sequence[Person]:
    """Those with that work address or id: the ones who are here or log in, and others only where there is none of these."""
    named = or_(func.lower(Person.email) == who.lower(), cast(Person.id, String) == who.lower())
    logs_in = exists().where(LoginAccount.person_id == Person.id)
    return session.scalars(select(Person).where(named, or_(is_here(), logs_in))).all() or session.scalars(select(Person).where(named)).all()
