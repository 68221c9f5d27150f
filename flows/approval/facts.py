"""What the policy may ask about a request, read from its answers, its author and the organisation's envelope as it is now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval.employee import NewEmployee
from flows.approval.policy import Facts
from flows.model import OnboardingRequest, Organisation, OrganisationRole
from flows.words import PRAGUE


@dataclass(frozen=True)
class Envelope:
    """What the organisation has of what was agreed, one request left out. A limit of None is no limit."""

    people: int
    people_limit: int | None
    mail_gb: int
    mail_gb_limit: int | None

    def exceeded_by(self, people: int, mail_gb: int) -> bool:
        return any(
            limit is not None and used + more > limit
            for used, more, limit in ((self.people, people, self.people_limit), (self.mail_gb, mail_gb, self.mail_gb_limit))
        )


def envelope(session: Session, organisation: UUID, besides: UUID | None = None) -> Envelope:
    """Used = what works and what was approved; a request that still waits uses nothing."""
    limits = session.execute(select(Organisation.people_limit, Organisation.mail_gb_limit).where(Organisation.id == organisation)).one()
    used = func.envelope_used(organisation, besides).table_valued("people", "mail_gb")
    people, mail_gb = session.execute(select(used.c.people, used.c.mail_gb)).one()
    return Envelope(people, limits[0], mail_gb, limits[1])


def hold_still(session: Session, request: OnboardingRequest) -> None:
    """Until the end of the transaction nobody else changes what an approval rests on: policy, who is one human, the envelope.

    Asked after the request is locked and before anything is read, by all that may end in an approval.
    """
    session.execute(select(func.hold_still(request.organisation_id)))


def facts_of(session: Session, request: OnboardingRequest, employee: NewEmployee) -> Facts:
    """Who files is asked only once: afterwards it stands in the kept facts, whatever became of that person's role."""
    known = Facts.from_json(request.facts)
    left = envelope(session, request.organisation_id, request.id)
    return Facts(
        contract=employee.contract,
        filed_by=known.filed_by or _role(session, request),
        privileged=employee.privileged,
        above_envelope=left.exceeded_by(1, employee.quota_gb),
        days=(employee.end - employee.start).days + 1 if employee.end else None,
    )


def _role(session: Session, request: OnboardingRequest) -> str:
    today = datetime.now(PRAGUE).date()
    mine = select(OrganisationRole).where(
        OrganisationRole.person_id == request.requester_id, OrganisationRole.organisation_id == request.organisation_id
    )
    held = {each.role for each in session.scalars(mine) if each.valid_from <= today and (each.valid_until or today) >= today}
    return next((role for role in ("director", "deputy", "clerk") if role in held), "")


def content_of(request: OnboardingRequest) -> dict[str, Any]:
    """The submitted answers, without what is being typed for a correction."""
    return {name: value for name, value in request.content.items() if name != "typed"}
