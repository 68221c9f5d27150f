"""Organisations and people, as far as the reader may know them. Sorted the Czech way by the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, collate, false, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from flows.approval.keyset import Listed, page_of
from flows.approval.known import is_here
from flows.approval.names import as_searched, parted
from flows.approval.people import Caller
from flows.approval.queue import recent
from flows.approval.refusals import NotFound, id_of
from flows.approval.sight import organisations_seen, own_organisations
from flows.model import Employment, OnboardingRequest, Organisation, OrganisationRole, Person, RegionalRole, RequestState, ReservedName
from flows.words import PRAGUE

CZECH = "cs-x-icu"
FILES = frozenset({"director", "deputy", "clerk"})
SERVICES = ("identity", "mail", "backup")


@dataclass(frozen=True)
class PersonRow:
    name: str
    path: str
    position: str
    organisation: str
    address: str | None
    start: date
    end: date | None
    state: str


def organisations(session: Session, by: Caller, q: str, bookmark: str | None) -> Listed:
    wanted = select(Organisation).where(organisations_seen(session, by)).order_by(collate(Organisation.name, CZECH), Organisation.id)
    if q.strip():
        wanted = wanted.where(
            or_(Organisation.name.icontains(q.strip(), autoescape=True), Organisation.domain.icontains(q.strip(), autoescape=True))
        )
    page, after = page_of(session, wanted, bookmark)
    found: list[Organisation] = [each for (each,) in page]
    working = _people_in(session, [each.id for each in found])
    rows = [
        {
            "name": each.name,
            "path": f"/organisations/{each.slug}",
            "domain": each.domain,
            "people": working.get(each.id, 0),
            "served": each.state == "served",
        }
        for each in found
    ]
    return Listed(rows, after)


def choices(session: Session, by: Caller) -> list[dict[str, str]]:
    """Organisations for a filter, by name."""
    wanted = select(Organisation.id, Organisation.name).where(organisations_seen(session, by))
    rows = session.execute(wanted.order_by(collate(Organisation.name, CZECH)).limit(500))
    return [{"value": str(key), "name": name} for key, name in rows]


def organisation(session: Session, by: Caller, slug: str) -> dict[str, Any]:
    """One organisation with its roles, people and requests. Raises NotFound for a stranger."""
    found = session.scalars(select(Organisation).where(Organisation.slug == slug, organisations_seen(session, by))).one_or_none()
    if found is None:
        raise NotFound
    served = found.state == "served"
    services = [
        {"key": key, "status": "done" if served else "planned", "detail": found.domain if key == "mail" else None} for key in SERVICES
    ]
    return {
        "organisation": {"name": found.name, "domain": found.domain, "slug": found.slug, "id": str(found.id), "served": served}
        | {"services": services, "roles": _roles_in(session, found.id)},
        "people": people(session, by, {"organisation": str(found.id)}, None).rows,
        "recent": recent(session, by, OnboardingRequest.organisation_id == found.id),
        "can_file": bool(own_organisations(session, by).get(found.id, set()) & FILES),
    }


def people(session: Session, by: Caller, filter_: Mapping[str, str], bookmark: str | None) -> Listed:
    """Employments that are planned or alive, by family name. Filter: q, organisation (id)."""
    wanted = (
        select(Employment)
        .join(Employment.person)
        .join(Employment.organisation)
        .where(organisations_seen(session, by), Employment.state.in_(("planned", "active", "ended")))
        .options(contains_eager(Employment.person), contains_eager(Employment.organisation))
        .order_by(collate(Person.family_name, CZECH), collate(Person.given_name, CZECH), Employment.id)
    )
    if q := filter_.get("q", "").strip():
        names = func.concat_ws(" ", Person.given_name, Person.family_name, Employment.personal_number)
        written = names.icontains(q, autoescape=True)
        wanted = wanted.where(or_(written, Person.id.in_(_named(q))))
    if chosen := filter_.get("organisation"):
        wanted = wanted.where(Employment.organisation_id == id_of(chosen))
    page, after = page_of(session, wanted, bookmark)
    rows: list[Employment] = [job for (job,) in page]
    addresses = _names(session, "address", [row.person_id for row in rows])
    return Listed([_person_row(row, addresses.get(row.person_id)) for row in rows], after)


def person(session: Session, by: Caller, wanted: str) -> dict[str, Any]:
    """One person: employments and roles that the reader may see. State void: nothing came of the only employment. Raises NotFound."""
    seen = select(Employment).join(Employment.organisation).where(Employment.person_id == id_of(wanted), organisations_seen(session, by))
    jobs = list(
        session.scalars(seen.options(contains_eager(Employment.organisation), joinedload(Employment.person)).order_by(Employment.starts))
    )
    found = session.get(Person, id_of(wanted))
    roles = _roles_of(session, id_of(wanted))
    if found is None or not (jobs or roles or found.id == by.person):
        raise NotFound
    alive = [job for job in jobs if job.state != "void"]
    return {
        "name": found.name,
        "user_name": _names(session, "user_name", [found.id]).get(found.id),
        "address": _names(session, "address", [found.id]).get(found.id) or found.email or None,
        "id": str(found.id),
        "state": _state(alive[-1]) if alive else "void" if jobs and not roles else "active",
        "employments": [_employment(job) for job in alive],
        "roles": roles,
    }


def managers(session: Session, by: Caller) -> list[str]:
    """Names of those who lead the caller's organisations, for the form."""
    own = list(own_organisations(session, by))
    wanted = (
        select(Person)
        .join(OrganisationRole, OrganisationRole.person_id == Person.id)
        .where(OrganisationRole.organisation_id.in_(own))
        .distinct()
    )
    return sorted({each.name for each in session.scalars(wanted)})


def namesakes(session: Session, given: str, family: str, organisation_id: UUID | None, besides: UUID | None = None) -> int:
    """How many people of exactly this name the reader may know, in one organisation or anywhere."""
    wanted = select(func.count(Person.id.distinct())).where(
        func.lower(Person.given_name) == given.lower(), func.lower(Person.family_name) == family.lower()
    )
    if organisation_id:
        wanted = wanted.join(Employment, Employment.person_id == Person.id)
        wanted = wanted.where(Employment.organisation_id == organisation_id, Employment.state.in_(("planned", "active")))
    else:
        wanted = wanted.where(is_here())
    return session.scalar(wanted.where(Person.id != besides) if besides else wanted) or 0


def _person_row(job: Employment, address: str | None) -> PersonRow:
    path = f"/people/{job.person_id}"
    return PersonRow(job.person.name, path, job.position, job.organisation.name, address, job.starts, job.ends, _state(job))


def _state(job: Employment) -> str:
    """active, waiting, prepared or ended."""
    today = datetime.now(PRAGUE).date()
    if job.state == "ended" or (job.ends and job.ends < today):
        return "ended"
    if job.state == "active":
        return "active"
    return "prepared" if job.state == "planned" and job.starts <= today else "waiting"


def _employment(job: Employment) -> dict[str, Any]:
    return {
        "organisation": job.organisation.name,
        "organisation_path": f"/organisations/{job.organisation.slug}",
        "position": job.position,
        "personal_number": job.personal_number,
        "contract": job.contract,
        "start": job.starts,
        "end": job.ends,
        "manager": job.manager,
    }


def _roles_in(session: Session, organisation_id: UUID) -> list[dict[str, Any]]:
    wanted = (
        select(OrganisationRole).where(OrganisationRole.organisation_id == organisation_id).options(joinedload(OrganisationRole.person))
    )
    held = sorted(session.scalars(wanted), key=lambda each: ("director", "deputy", "clerk").index(each.role))
    return [
        {
            "name": each.person.name,
            "role": each.role,
            "path": f"/people/{each.person_id}",
            "from": each.valid_from,
            "until": each.valid_until,
        }
        for each in held
    ]


def _roles_of(session: Session, person_id: UUID) -> list[dict[str, Any]]:
    local = select(OrganisationRole).where(OrganisationRole.person_id == person_id).options(joinedload(OrganisationRole.organisation))
    regional = session.scalars(select(RegionalRole).where(RegionalRole.person_id == person_id))
    return [
        {"role": each.role, "organisation": each.organisation.name, "from": each.valid_from, "until": each.valid_until}
        for each in session.scalars(local)
    ] + [{"role": each.role, "organisation": None, "from": each.valid_from, "until": each.valid_until} for each in regional]


def _names(session: Session, kind: str, people_: list[UUID]) -> dict[UUID, str]:
    wanted = select(ReservedName.person_id, ReservedName.name).where(ReservedName.kind == kind, ReservedName.person_id.in_(people_))
    return {row.person_id: row.name for row in session.execute(wanted)}


def _named(q: str) -> Select[UUID]:
    """Whose user name has this part; with an @ whose address, because a domain without it would find everybody of an organisation."""
    plain = as_searched(q)
    kind = ReservedName.kind == ("address" if "@" in plain else "user_name")
    return select(ReservedName.person_id).where(kind, func.strpos(parted(ReservedName.name), plain) > 0 if plain else false())


def _people_in(session: Session, organisations_: list[UUID]) -> dict[UUID, int]:
    counted = select(Employment.organisation_id, func.count()).where(
        Employment.organisation_id.in_(organisations_), Employment.state.in_(("planned", "active"))
    )
    return {row[0]: row[1] for row in session.execute(counted.group_by(Employment.organisation_id))}


def starting(session: Session, by: Caller, today: date, until: date) -> list[OnboardingRequest]:
    """Requests of own organisations whose first day is near, soonest first."""
    own = list(own_organisations(session, by))
    near = (OnboardingRequest.start_day >= today, OnboardingRequest.start_day <= until)
    ended = (RequestState.REFUSED, RequestState.WITHDRAWN, RequestState.CANCELLED, RequestState.EXPIRED)
    wanted = select(OnboardingRequest).where(OnboardingRequest.organisation_id.in_(own), OnboardingRequest.submitted_at.is_not(None), *near)
    return list(session.scalars(wanted.where(OnboardingRequest.state.not_in(ended)).order_by(OnboardingRequest.start_day).limit(10)))
