"""Every legal move of a request and of an effect, as data.

`move` is the only place that changes a request's state; the database refuses the rest.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from flows.approval.audit import Actor, record
from flows.approval.refusals import NoLongerOpen
from flows.model import EffectState, OnboardingRequest, RequestState
from flows.sentence import say

R, E = RequestState, EffectState

REQUEST_MOVES: dict[RequestState, frozenset[RequestState]] = {
    R.DRAFT: frozenset({R.WAITING_APPROVAL, R.WITHDRAWN, R.EXPIRED}),
    R.WAITING_APPROVAL: frozenset({R.RETURNED, R.REFUSED, R.WITHDRAWN, R.EXPIRED, R.APPROVED}),
    R.RETURNED: frozenset({R.WAITING_APPROVAL, R.WITHDRAWN, R.EXPIRED}),
    R.APPROVED: frozenset({R.RUNNING, R.NEEDS_ATTENTION, R.CANCELLED}),
    R.RUNNING: frozenset({R.PREPARED, R.WAITING_RETRY, R.NEEDS_ATTENTION, R.CANCELLED, R.DONE}),
    R.PREPARED: frozenset({R.RUNNING, R.NEEDS_ATTENTION, R.CANCELLED}),
    R.WAITING_RETRY: frozenset({R.RUNNING, R.NEEDS_ATTENTION, R.CANCELLED}),
    R.NEEDS_ATTENTION: frozenset({R.WAITING_RETRY, R.RUNNING, R.WITHDRAWN, R.CANCELLED}),
    R.REFUSED: frozenset(),
    R.WITHDRAWN: frozenset(),
    R.EXPIRED: frozenset(),
    R.CANCELLED: frozenset(),
    R.DONE: frozenset(),
}

EFFECT_MOVES: dict[EffectState, frozenset[EffectState]] = {
    E.INTENT: frozenset({E.UNKNOWN, E.HELD, E.PROVED, E.FAILED}),
    E.UNKNOWN: frozenset({E.INTENT, E.HELD, E.PROVED, E.FAILED}),
    E.FAILED: frozenset({E.INTENT, E.BY_HAND}),
    E.HELD: frozenset({E.INTENT, E.PROVED}),
    E.PROVED: frozenset({E.INTENT}),
    E.BY_HAND: frozenset({E.INTENT, E.PROVED}),
}

EXECUTABLE = frozenset({R.APPROVED, R.RUNNING, R.PREPARED, R.WAITING_RETRY})
REPEATABLE = EXECUTABLE | {R.DONE}  # a done request may be run again: what is held is found, what is missing is made, the state stays


def move(
    session: Session, request: OnboardingRequest, to: RequestState, by: Actor, told: Mapping[str, Any] | None = None, /, **values: object
) -> None:
    """Compare-and-swap from the state that `request` was read in. Raises NoLongerOpen when the move is illegal or somebody was faster.

    `values` are columns written with the move (sentence, owner, next_try, ...). Exactly one audit record is written; `told` are
    further facts of it.
    """
    was = request.state
    if to not in REQUEST_MOVES[was]:
        raise NoLongerOpen(say("This cannot be done any more: the request has moved on. Open it again to see where it is now."))
    swap = (
        update(OnboardingRequest)
        .where(OnboardingRequest.id == request.id, OnboardingRequest.state == was)
        .values(state=to, changed_at=func.clock_timestamp(), **values)
        .execution_options(synchronize_session=False)
    )
    if session.execute(swap).rowcount != 1:  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
        raise NoLongerOpen(say("Somebody changed the request at the same moment. Open it again to see where it is now."))
    session.refresh(request)
    record(session, by, "request.moved", request.id, {**(told or {}), "from": was.value, "to": to.value})
