"""What becomes of an activation link: used, expired, refused by the private mail server, or used twice.

The private address is erased at the end.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from flows.approval import post
from flows.approval.audit import Actor, record
from flows.approval.people import Regional
from flows.connectors import registry
from flows.connectors.base import ConnectorError, CredentialsSeen
from flows.model import ActivationContact, ActivationState, OnboardingRequest
from flows.model.session import transaction
from flows.plan import Plan

log = structlog.get_logger()
UPKEEP = Actor("upkeep")
CLOCKS_DIFFER = timedelta(seconds=30)  # at most, between the identity server and our database
WATCHED_AFTER_USE = timedelta(days=2)  # an unused second link still works after the first: a second device is an alarm


def follow() -> None:
    """Looks at every link that lives, and for a while at those that were used; the older one is, the more seldom."""
    for request_id, since in _open():
        if not _due(request_id, since):
            continue
        try:
            _look(request_id)
        except ConnectorError as fault:
            log.warning("activation not looked at", request=str(request_id), fault=type(fault).__name__)


def _open() -> Sequence[tuple[UUID, datetime]]:
    recently = func.clock_timestamp() - WATCHED_AFTER_USE
    watched = and_(ActivationContact.state == ActivationState.USED, ActivationContact.ended_at > recently)
    living = or_(ActivationContact.state == ActivationState.SENT, watched)
    since = func.coalesce(ActivationContact.ended_at, ActivationContact.sent_at)
    with transaction() as session:
        return [(row[0], row[1]) for row in session.execute(select(ActivationContact.request_id, since).where(living))]


def _due(request_id: UUID, since: datetime) -> bool:
    """At first with every look of upkeep, later after a hundredth of its age: each look asks the identity server."""
    pause = (datetime.now(UTC) - since).total_seconds() / 100
    if time.monotonic() - _looked.get(request_id, float("-inf")) < pause:
        return False
    _looked[request_id] = time.monotonic()
    return True


_looked: dict[UUID, float] = {}  # of this dispatcher; another one that looks too does no harm


def _look(request_id: UUID) -> None:
    with transaction() as session:
        plan = Plan.from_json(session.get_one(OnboardingRequest, request_id).plan or {})
    seen = registry.identity().credentials(plan.account.person)
    with transaction() as session:
        contact = session.get_one(ActivationContact, request_id, with_for_update=True)
        request = session.get_one(OnboardingRequest, request_id)
        if contact.state is ActivationState.USED:
            _second_device(session, request, contact, seen)
        elif end := _ended(contact, seen):
            contact.second_factors = seen.second_factors
            _end(session, request, contact, end)
            # before the commit: a mail server that is away leaves the link among those that are looked at
            registry.mail().close_activation(plan.mailbox.address)


def _ended(contact: ActivationContact, seen: CredentialsSeen) -> ActivationState | None:
    if contact.state is not ActivationState.SENT:
        return None
    if _used(contact, seen):
        return ActivationState.USED
    late = contact.expires_at and contact.expires_at < datetime.now(UTC)
    return ActivationState.EXPIRED if late else None


def _used(contact: ActivationContact, seen: CredentialsSeen) -> bool:
    """Whoever lost a phone still has an old password and an old second factor: something must be younger than the link."""
    begun = contact.sending_at or contact.sent_at
    return bool(seen.password and seen.second_factors and seen.newest and begun and seen.newest > begun - CLOCKS_DIFFER)


def _second_device(session: Session, request: OnboardingRequest, contact: ActivationContact, seen: CredentialsSeen) -> None:
    if seen.second_factors <= contact.second_factors:
        return
    contact.second_factors = seen.second_factors
    record(session, UPKEEP, "activation.second_factor_added", request.id, {"second_factors": seen.second_factors})
    post.write_to_group(session, "second_factor_added", request, Regional.SECURITY, occasion=str(seen.second_factors))


def _end(
    session: Session, request: OnboardingRequest, contact: ActivationContact, state: ActivationState, diagnostic: str | None = None
) -> None:
    """The link is dead or done: address and salt are erased, and the person who filed the request is told."""
    contact.state, contact.ended_at, contact.diagnostic = state, datetime.now(UTC), diagnostic
    contact.address, contact.salt = None, None
    record(session, UPKEEP, f"activation.{state.value}", request.id, {"links_sent": contact.links_sent})
    post.write(session, f"activation_{state.value}", request, request.requester_id, occasion=str(contact.links_sent))


def read_bounces() -> None:
    """A private address that refuses mail shows only as a bounce; it is matched by the address, which is erased at once.

    Counted from the moment before the sending: the bounce is often back before the answer to it.
    """
    with transaction() as session:
        oldest = session.scalar(select(func.min(ActivationContact.sending_at)).where(ActivationContact.state == ActivationState.SENT))
    if oldest is None:
        return
    for bounce in registry.mail().bounces(oldest):
        mine = select(ActivationContact).where(
            ActivationContact.state == ActivationState.SENT, func.lower(ActivationContact.address) == bounce.address.lower()
        )
        with transaction() as session:
            for contact in session.scalars(mine.where(ActivationContact.sending_at <= bounce.at).with_for_update()).all():
                request = session.get_one(OnboardingRequest, contact.request_id)
                _end(
                    session,
                    request,
                    contact,
                    ActivationState.BOUNCED,
                    re.sub(re.escape(bounce.address), "***", bounce.diagnostic, flags=re.IGNORECASE),
                )
                registry.mail().close_activation(Plan.from_json(request.plan or {}).mailbox.address)
