"""A new activation link, for a person whose last one expired, bounced, or was lost with their password."""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from flows.approval import names
from flows.approval.audit import record
from flows.approval.course import LINK
from flows.approval.employee import read_private_address
from flows.approval.people import Caller, role_in
from flows.approval.refusals import FormProblems, NoLongerOpen, NotFound
from flows.model import ActivationContact, ActivationState, Effect, EffectState, OnboardingRequest, Outbox, RequestState
from flows.sentence import say
from flows.words import PRAGUE


def send_new_link(session: Session, by: Caller, number: str, private_address: str) -> OnboardingRequest:
    """The address is entered again, because the old one was erased. Raises NotFound, NoLongerOpen while a link lives, FormProblems."""
    found = select(OnboardingRequest).where(OnboardingRequest.number == number).with_for_update(of=OnboardingRequest)
    request = session.scalars(found.options(joinedload(OnboardingRequest.organisation, innerjoin=True))).one_or_none()
    if request is None:
        raise NotFound
    role_in(session, by.person, request.organisation_id, datetime.now(PRAGUE).date())
    contact = session.get(ActivationContact, request.id)
    if contact is None or request.state is not RequestState.DONE:
        raise NoLongerOpen(say("A new link can be sent once everything else is ready."))
    if contact.state is ActivationState.PENDING and not _given_up(session, request):
        raise NoLongerOpen(say("A new link is on its way already."))
    if contact.state is ActivationState.SENT:
        raise NoLongerOpen(say("The last link is still valid, so a second one is not sent. You can send a new one when it has expired."))
    address, problem = read_private_address(private_address, names.our_domains(session, request.organisation.domain))
    if problem or address is None:
        raise FormProblems({"private_email": problem or say("Write the private e-mail address.")})
    contact.address, contact.salt, contact.state = address, secrets.token_hex(16), ActivationState.PENDING
    contact.sending_at = contact.sent_at = contact.expires_at = contact.ended_at = contact.diagnostic = None
    record(session, by.actor, "activation.asked_again", request.id, {"links_sent": contact.links_sent})
    session.add(Outbox(topic="activate", request_id=request.id))
    return request


def _given_up(session: Session, request: OnboardingRequest) -> bool:
    """The last one that was asked for could not be sent at all."""
    failed = (Effect.request_id == request.id, Effect.name == LINK, Effect.state == EffectState.FAILED)
    return session.scalar(select(Effect.id).where(*failed)) is not None
