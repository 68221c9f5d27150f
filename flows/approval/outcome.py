"""What a flow may report back on a request, and what IT may ask of it. A flow cannot approve, and nothing here can."""

from datetime import date, datetime, time

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from flows.approval import post
from flows.approval.audit import Actor, record
from flows.approval.people import MENDS_RUNS, READS_RUNS, Caller, Regional
from flows.approval.refusals import NoLongerOpen, NotFound
from flows.approval.states import move
from flows.model import Employment, OnboardingRequest, Outbox, RequestState
from flows.sentence import Sentence, say
from flows.words import PRAGUE

FLOW = Actor("flow")
ENABLED_AT = time(6, 0)  # on the first day of work, Prague time

NOTHING_WRONG: dict[str, object] = {"sentence": None, "detail": None, "owner": None, "next_try": None}


def started(session: Session, request: OnboardingRequest) -> None:
    if request.state not in (RequestState.RUNNING, RequestState.DONE):
        move(session, request, RequestState.RUNNING, FLOW, **NOTHING_WRONG)


def waits(session: Session, request: OnboardingRequest, until: datetime, sentence: Sentence, detail: str) -> None:
    """The server itself asked for a longer pause than a step sits through: the dispatcher releases the run then."""
    move(session, request, RequestState.WAITING_RETRY, FLOW, sentence=sentence.as_json(), detail=detail, next_try=until)
    session.add(Outbox(topic="release", request_id=request.id, not_before=until, payload={"again": True}))


def needs_attention(session: Session, request: OnboardingRequest, sentence: Sentence, detail: str, owner: Regional) -> None:
    """A person has to act: who, why in a sentence, and the technical detail for IT."""
    move(session, request, RequestState.NEEDS_ATTENTION, FLOW, sentence=sentence.as_json(), detail=detail, owner=owner.value, next_try=None)
    post.write_to_group(session, "needs_attention", request, owner, occasion=request.changed_at.isoformat())


def prepared(session: Session, request: OnboardingRequest, day: date) -> None:
    """All is proved and the account disabled until the first day of work."""
    morning = datetime.combine(day, ENABLED_AT, PRAGUE)
    move(session, request, RequestState.PREPARED, FLOW, **NOTHING_WRONG | {"next_try": morning})
    session.add(Outbox(topic="release", request_id=request.id, not_before=morning, payload={"again": True}))


def cancelled(session: Session, request: OnboardingRequest) -> None:
    move(session, request, RequestState.CANCELLED, FLOW, **NOTHING_WRONG)


def done(session: Session, request: OnboardingRequest) -> None:
    """Everything exists, is proved, and the activation link is on its way."""
    move(session, request, RequestState.DONE, FLOW, done_at=func.clock_timestamp(), **NOTHING_WRONG)
    work = (
        Employment.person_id == request.beneficiary_id,
        Employment.organisation_id == request.organisation_id,
        Employment.state == "planned",
    )
    session.execute(update(Employment).where(*work).values(state="active"))
    post.write(session, "done", request, request.requester_id)


def repeat_ended(session: Session, request: OnboardingRequest, how: str) -> None:
    """A repeat of a done request did not come to its end. The request stays done; IT is told, once a day."""
    record(session, FLOW, "request.repeat_ended", request.id, {"how": how})
    post.write_to_group(session, "needs_attention", request, Regional.IT, occasion=f"repeat {datetime.now(PRAGUE).date()}")


def try_again(session: Session, by: Caller, number: str) -> OnboardingRequest:
    """IT has mended what was broken: the run goes on with the rest. Raises NotFound, NotAllowed, NoLongerOpen."""
    by.must_see(*READS_RUNS)
    found = select(OnboardingRequest).where(OnboardingRequest.number == number).with_for_update()
    request = session.scalars(found).one_or_none()
    if request is None:
        raise NotFound
    by.must_be(*MENDS_RUNS)
    if request.state is RequestState.WAITING_RETRY:
        return request
    if request.state is not RequestState.NEEDS_ATTENTION:
        raise NoLongerOpen(say("There is nothing to try again: the request is not waiting for anybody's help."))
    move(session, request, RequestState.WAITING_RETRY, by.actor, **NOTHING_WRONG)
    session.add(Outbox(topic="release", request_id=request.id, payload={"again": True}))
    return request
