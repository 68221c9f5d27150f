"""Which requests and organisations a person may see: the conditions of their lists and pages, with row-level security as the second lock.

Not every query has one: drafts are asked for by their author, and what hangs on a row that was found this way by its key.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlalchemy.orm import Session

from flows.approval.people import Caller, organisation_roles
from flows.model import OnboardingRequest, Organisation, OrganisationRole
from flows.words import PRAGUE

SEES_ALL_REQUESTS = frozenset({"director", "deputy"})  # of their organisation; a clerk sees their own


def held_roles(session: Session, person: UUID) -> list[OrganisationRole]:
    """The roles that the person holds in organisations today; asked once in the life of a session, which is one request of a page."""
    kept: dict[UUID, list[OrganisationRole]] = session.info.setdefault("held_roles", {})
    if person not in kept:
        kept[person] = organisation_roles(session, person, datetime.now(PRAGUE).date())
    return kept[person]


def own_organisations(session: Session, by: Caller) -> dict[UUID, set[str]]:
    """The person's organisations with the roles held there today."""
    held: dict[UUID, set[str]] = {}
    for role in held_roles(session, by.person):
        held.setdefault(role.organisation_id, set()).add(role.role)
    return held


def requests_seen(session: Session, by: Caller) -> ColumnElement[bool]:
    """Submitted requests that this person may read; drafts are their author's business and in no list of others."""
    own = own_organisations(session, by)
    whole = [organisation for organisation, roles in own.items() if roles & SEES_ALL_REQUESTS]
    part = [organisation for organisation in own if organisation not in whole]
    of_whole = OnboardingRequest.organisation_id.in_(whole)
    mine = and_(OnboardingRequest.organisation_id.in_(part), OnboardingRequest.requester_id == by.person)
    # an OR of both is in the order of no index, so it is asked only of those who hold both kinds of roles
    reach = true() if by.roles else or_(*(arm for arm, places in ((of_whole, whole), (mine, part)) if places)) if own else false()
    return and_(OnboardingRequest.submitted_at.is_not(None), reach)


def organisations_seen(session: Session, by: Caller) -> ColumnElement[bool]:
    own = own_organisations(session, by)
    return true() if by.roles else (Organisation.id.in_(own) if own else false())
