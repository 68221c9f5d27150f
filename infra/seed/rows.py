"""The cast in the portal's database, as its owner: organisations, people, what they do and what they may."""

from datetime import date
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flows.approval import operator, policies
from flows.approval.people import Regional
from flows.model import Employment, LoginAccount, Organisation, OrganisationRole, Person, RegionalRole, ReservedName
from infra.seed.cast import Cast, Member, Place

SINCE = date(2024, 9, 1)  # they have worked there for a while


def plant_rows(session: Session, cast: Cast) -> None:
    """May be repeated: a row that is there is brought to what the data say, except that a role once taken away is not given again."""
    for place in cast.places:
        limits = {"people_limit": place.people_limit, "mail_gb_limit": place.mail_gb_limit}
        session.merge(Organisation(id=place.id, slug=place.slug, name=place.name, ico=place.ico, domain=place.domain, **limits))
    for member in cast.members:
        _person(session, member)
    session.flush()
    for member in cast.regional():
        if session.scalar(select(RegionalRole.id).where(RegionalRole.person_id == member.id, RegionalRole.role == member.role)) is None:
            operator.grant(session, member.id, [Regional(member.role)])
    policies.adopt_shipped(session, operator.operator())
    for member, place in cast.employees():
        _employee(session, member, place)


def link_logins(session: Session, issuer: str, accounts: dict[Member, str]) -> None:
    """Whose account it is: by issuer and subject. Another issuer (another port) is another account."""
    rows = [
        {"issuer": issuer, "subject": subject, "person_id": member.id, "linked_by": operator.operator().name}
        for member, subject in accounts.items()
    ]
    session.execute(insert(LoginAccount).values(rows).on_conflict_do_nothing())


def _person(session: Session, member: Member) -> None:
    titles = {"title_before": member.title_before, "title_after": member.title_after}
    full = {"given_name": member.given_name, "family_name": member.family_name, "email": member.address}
    session.merge(Person(id=member.id, **full, **titles))
    names = {"user_name": member.user_name, "address": member.address}
    reserved = [{"kind": kind, "name": name, "person_id": member.id} for kind, name in names.items()]
    session.flush()
    session.execute(insert(ReservedName).values(reserved).on_conflict_do_nothing())


def _employee(session: Session, member: Member, place: Place) -> None:
    job = {"personal_number": member.personal_number, "contract": "employment", "position": member.position}
    session.merge(
        Employment(
            id=uuid5(NAMESPACE_URL, f"employment:{member.id}"),
            person_id=member.id,
            organisation_id=place.id,
            starts=SINCE,
            state="active",
            **job,
        )
    )
    held = select(OrganisationRole.id).where(OrganisationRole.person_id == member.id, OrganisationRole.organisation_id == place.id)
    if session.scalar(held) is None:
        session.add(OrganisationRole(person_id=member.id, organisation_id=place.id, role=member.role, valid_from=SINCE))
