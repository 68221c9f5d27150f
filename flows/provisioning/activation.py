"""The link by which the person sets their own password and second factor. No password is ever made by us."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func

from flows.approval.course import LINK
from flows.connectors import registry
from flows.connectors.base import Held, Refused, System, Unavailable
from flows.model import ActivationContact, ActivationState
from flows.provisioning.crash import crash_point
from flows.provisioning.steps import effect
from flows.provisioning.work import Work
from flows.sentence import say
from flows.settings import load


@effect(System.KEYCLOAK, "send activation link")
def send_link(work: Work, _account: Held) -> Held:
    """One link to the private address, once: what was sent is remembered, and after a lost answer the mail server is asked first."""
    contact = _contact(work)
    if contact.state is not ActivationState.PENDING:
        return _held(contact, created=False)
    address, expires = work.plan.mailbox.address, datetime.now(UTC) + timedelta(hours=load().provisioning.activation_hours)
    if contact.sending_at and not contact.sent_at and _was_forwarded(address, contact.sending_at):
        return _held(_sent(work, contact.sending_at + timedelta(hours=load().provisioning.activation_hours)))
    if not contact.address:
        raise Refused(say("There is no private address for the activation link any more. Send a new link from the page of the request."))
    _sending(work)
    registry.mail().open_activation(address, contact.address, expires)
    registry.identity().send_activation(work.plan.account.person, load().provisioning.activation_hours)
    crash_point(f"{LINK}:sent_not_noted")
    return _held(_sent(work, expires))


def _was_forwarded(address: str, since: datetime) -> bool:
    """Whether the mail server passed a link on. While the first try may still be under way nobody knows, so nothing is sent."""
    forwarded = registry.mail().activation_forwarded(address)
    if forwarded and forwarded >= since:
        return True
    settling = load().provisioning.settling_seconds
    if datetime.now(UTC) - since < timedelta(seconds=settling):
        raise Unavailable(
            say("It is not known yet whether the activation link went out. We look again in a moment."),
            "settling",
            settling,
        )
    return False


def _contact(work: Work) -> ActivationContact:
    with work.fenced() as session:
        return session.get_one(ActivationContact, work.request)


def _sending(work: Work) -> None:
    with work.fenced() as session:
        session.get_one(ActivationContact, work.request).sending_at = func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]


def _sent(work: Work, expires: datetime) -> ActivationContact:
    with work.fenced() as session:
        contact = session.get_one(ActivationContact, work.request)
        contact.state, contact.expires_at, contact.links_sent = ActivationState.SENT, expires, contact.links_sent + 1
        contact.sent_at = func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]
        session.flush()
        session.refresh(contact)
        return contact


def _held(contact: ActivationContact, *, created: bool = True) -> Held:
    """Never the address itself: when it was sent and until when it lives."""
    facts = {
        "sent": contact.sent_at.isoformat() if contact.sent_at else None,
        "expires": contact.expires_at.isoformat() if contact.expires_at else None,
    }
    return Held(str(contact.links_sent), created, facts)
