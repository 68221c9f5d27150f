"""What waits for a person who files requests: drafts, requests that stopped, links that were not used."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from flows.approval import due
from flows.approval.course import Activation
from flows.approval.directory import starting as requests_starting
from flows.approval.people import Caller
from flows.approval.progress import activation_progress, activations_of
from flows.approval.queue import drafts
from flows.approval.request_rows import full_name
from flows.approval.sight import own_organisations, requests_seen
from flows.model import OnboardingRequest, RequestState
from flows.sentence import Sentence
from flows.words import PRAGUE

Kind = Literal["draft", "returned", "colleague_corrects", "activation_expired", "activation_bounced", "second_otp", "attention"]
NEAR = timedelta(days=14)
R, A = OnboardingRequest, activation_progress.c


@dataclass(frozen=True)
class Task:
    """`waits_for`: the colleague who alone can do it."""

    kind: Kind
    name: str
    number: str | None
    path: str
    due: date | None = None
    at: datetime | None = None
    note: Sentence | None = None
    waits_for: str | None = None


@dataclass(frozen=True)
class Starting:
    start: date
    name: str
    position: str
    path: str
    state: str
    activation: Activation | None


def tasks(session: Session, by: Caller) -> list[Task]:
    """Own business only, what needs a person first."""
    waiting = [_task(session, by, request, state, otp) for request, state, otp in _of_own(session, by)]
    unfinished = [Task("draft", draft.name or "…", None, draft.path, at=draft.saved_at) for draft in drafts(session, by)]
    return [*waiting, *unfinished]


def starting(session: Session, by: Caller) -> list[Starting]:
    today = datetime.now(PRAGUE).date()
    near = requests_starting(session, by, today, today + NEAR)
    activations = activations_of(session, near)
    return [
        Starting(
            request.start_day or today,
            full_name(request.content),
            str(request.content.get("position", "")),
            f"/requests/{request.number}",
            request.state.value,
            activations.get(request.id),
        )
        for request in near
    ]


def _of_own(session: Session, by: Caller) -> list[Any]:
    wanted = or_(
        R.state.in_((RequestState.NEEDS_ATTENTION, RequestState.RETURNED)),
        and_(R.state == RequestState.DONE, or_(A.state.in_(("expired", "bounced")), A.second_factors > 1)),
    )
    own = R.organisation_id.in_(list(own_organisations(session, by)))
    joined = (
        select(R, A.state, A.second_factors).join(activation_progress, A.request_id == R.id, isouter=True).options(joinedload(R.requester))
    )
    return list(session.execute(joined.where(requests_seen(session, by), own, wanted).order_by(R.changed_at).limit(20)))


def _task(session: Session, by: Caller, request: OnboardingRequest, activation: str | None, second_factors: int | None) -> Task:
    kinds: dict[RequestState, Kind] = {
        RequestState.NEEDS_ATTENTION: "attention",
        RequestState.RETURNED: "returned",
    }
    kind = kinds.get(request.state)
    if kind is None:
        kind = "second_otp" if (second_factors or 0) > 1 else "activation_bounced" if activation == "bounced" else "activation_expired"
    note = Sentence.from_json(request.sentence)
    if kind == "returned":
        until = due.correct_by(session, request.changed_at, request.organisation_id)
        if request.requester_id == by.person:
            return Task(kind, full_name(request.content), request.number, f"/requests/drafts/{request.id}", until, request.changed_at, note)
        # the form is its author's: to a colleague its address would answer that nothing is there
        path, author = f"/requests/{request.number}", request.requester.name
        return Task("colleague_corrects", full_name(request.content), request.number, path, until, request.changed_at, note, author)
    return Task(kind, full_name(request.content), request.number, f"/requests/{request.number}", at=request.changed_at, note=note)
