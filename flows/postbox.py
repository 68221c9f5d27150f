"""Letters: put into the words of their reader and handed to the mail server, each once."""

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, joinedload

from flows import texts
from flows.approval import due, told, versions
from flows.approval.people import Regional
from flows.connectors import registry
from flows.connectors.base import ConnectorError, Post
from flows.model import ActivationContact, ActivationState, Decision, Letter, OnboardingRequest, Person
from flows.model.session import transaction
from flows.plan import Plan
from flows.provisioning.crash import crash_point
from flows.sentence import Sentence, say
from flows.settings import Mail, Portal, load

log = structlog.get_logger()
LONGEST_PAUSE = timedelta(minutes=10)
PLACES = {  # of all others it is the page of the request
    "waiting_for_you": "queue",
    "handed_to_you": "queue",
    "reminder": "queue",
    "escalated": "queue",
    "needs_attention": "runs",
}
PAGES = {"digest": "/queue", "absence_told": "/absences", "absence_cancelled": "/absences"}  # of letters that are about no request


def work() -> bool:
    """Sends the next letter that is due. Answers whether there was one."""
    due = select(Letter).where(Letter.sent_at.is_(None), Letter.not_before <= func.clock_timestamp())
    with transaction() as session:
        letter = session.scalars(due.order_by(Letter.not_before).limit(1).with_for_update(skip_locked=True)).first()
        if letter is None:
            return False
        _send(session, letter)
        return True


def _send(session: Session, letter: Letter) -> None:
    try:
        with session.begin_nested():
            post = written(session, letter)
        registry.letters().send(post)
        crash_point(f"letter.{letter.kind}:after_call")
        letter.sent_at, letter.last_error = func.clock_timestamp(), None  # pyright: ignore[reportAttributeAccessIssue]
    except OperationalError:
        raise
    except Exception as fault:  # also one that cannot be put into words: it must not hold back all that come after it
        said = fault.detail or fault.sentence if isinstance(fault, ConnectorError) else "our mistake"
        letter.tries, letter.last_error = letter.tries + 1, f"{type(fault).__name__}: {said}"
        pause = min(timedelta(seconds=5 * 2 ** min(letter.tries, 8)), LONGEST_PAUSE)
        letter.not_before = func.clock_timestamp() + pause  # pyright: ignore[reportAttributeAccessIssue]
        named = {"kind": letter.kind, "letter": str(letter.id), "tries": letter.tries, "fault": type(fault).__name__}
        log.warning("letter put off", **named, exc_info=not isinstance(fault, ConnectorError))


def written(session: Session, letter: Letter) -> Post:
    """The letter in the language of its reader. Its Message-ID is ours, so a mail program shows a repeat as the same letter."""
    reader = session.get_one(Person, letter.person_id)
    context = _context(session, letter, reader)
    parts = {
        part: texts.environment(reader.language).get_template(f"mail/{letter.kind}/{part}").render(context)
        for part in ("subject.txt", "body.txt", "body.html")
    }
    domain = load().need(Mail).sender.rpartition("@")[2]
    subject = " ".join(parts["subject.txt"].split())
    return Post(f"<{letter.id}@{domain}>", reader.email, subject, parts["body.txt"], parts["body.html"], reader.language)


def _context(session: Session, letter: Letter, reader: Person) -> dict[str, Any]:
    portal = load().need(Portal)
    common = {"lang": reader.language, "region": portal.region, "support": portal.support, "to": reader.name}
    if letter.request_id is None:
        return common | {"url": f"{portal.address}{PAGES[letter.kind]}"} | told.DAYS[letter.kind](session, letter)
    people = (
        joinedload(OnboardingRequest.organisation),
        joinedload(OnboardingRequest.requester),
        joinedload(OnboardingRequest.beneficiary),
    )
    request = session.get_one(OnboardingRequest, letter.request_id, options=people)
    place = PLACES.get(letter.kind, "requests")
    if letter.kind == "nobody_left" and told.may_answer(session, letter):
        place = "queue"  # the fallback group decides; those who are only to know read
    context = {
        "url": f"{portal.address}/{place}/{request.number}",
        "number": request.number,
        "name": request.beneficiary.name if request.beneficiary else "",
        "organisation": request.organisation.name,
    }
    if letter.kind in told.STAGES:
        return common | context | told.STAGES[letter.kind](session, letter, request)
    return common | context | KINDS[letter.kind](session, request)


def _refused(session: Session, request: OnboardingRequest) -> dict[str, Any]:
    refusals = (
        select(Decision).where(Decision.request_id == request.id, Decision.verdict == "refuse").options(joinedload(Decision.decided_by))
    )
    decision = session.scalars(refusals.order_by(Decision.at.desc())).first()
    return {"by": decision.decided_by.name if decision and decision.decided_by else "", "reason": decision.reason if decision else ""}


def _returned(session: Session, request: OnboardingRequest) -> dict[str, Any]:
    back = versions.last_return(session, request)
    if back is None:
        return {"by": "", "reason": "", "fields": [], "until": None}
    until = due.correct_by(session, back.at, request.organisation_id)
    return {"by": back.by, "reason": back.reason, "fields": list(back.comments), "until": until}


def _done(session: Session, request: OnboardingRequest) -> dict[str, Any]:
    account = Plan.from_json(request.plan or {}).account
    contact = session.get(ActivationContact, request.id)
    sent = contact is not None and contact.state is not ActivationState.PENDING
    return {
        "user_name": account.user_name,
        "address": account.email,
        "start": request.start_day,
        "activation_sent": sent,
    }


def _attention(_session: Session, request: OnboardingRequest) -> dict[str, Any]:
    again = say("What was done already was looked at once more, and not everything was found or proved.")
    return {"problem": Sentence.from_json(request.sentence) or again, "owner": request.owner or Regional.IT.value}


def _second_factor(session: Session, request: OnboardingRequest) -> dict[str, Any]:
    contact = session.get_one(ActivationContact, request.id)
    return {"user_name": Plan.from_json(request.plan or {}).account.user_name, "second_factors": contact.second_factors}


def _activation(session: Session, request: OnboardingRequest) -> dict[str, Any]:
    contact = session.get_one(ActivationContact, request.id)
    return {"at": contact.ended_at, "reason": contact.diagnostic}


KINDS = {
    "refused": _refused,
    "returned": _returned,
    "done": _done,
    "needs_attention": _attention,
    "second_factor_added": _second_factor,
    "activation_used": _activation,
    "activation_expired": _activation,
    "activation_bounced": _activation,
}
