"""Opens the work of a request, closes it, and turns its ends into states: of our request, and of the run that IT sees in Prefect.

A flow believes only the database: whoever pressed Resume in Prefect gets a run that does nothing. Messages of states hold no personal
data, because Prefect keeps them in the clear.
"""

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.states import Cancelled, Completed, Failed, Paused
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from flows.approval import outcome
from flows.approval.people import Regional
from flows.connectors.base import FOREVER
from flows.model import OnboardingRequest, RequestState
from flows.provisioning.steps import NeedsPerson, WaitLonger
from flows.provisioning.work import CancelAsked, LostLease, NotApproved, StartDayAhead, Work, take
from flows.sentence import say

log = structlog.get_logger()


def procedure(body: Callable[[Work], None]) -> Callable[[str], State[Any]]:
    """A flow over a request id that may be started at any time, any number of times."""

    @functools.wraps(body)
    def run(request_id: str) -> State[Any]:
        try:
            with take(UUID(request_id)) as work:
                return _carried_out(work, body)
        except NotApproved:
            return Paused(name="AwaitingApproval", message="Not approved: nothing was done.", timeout_seconds=FOREVER)
        except LostLease:
            # the other worker reports the end of this run; a word from us would overwrite it
            raise Abort("another worker has this request") from None
        except OperationalError as away:  # our own database, which is nobody's mistake
            log.warning("our database does not answer", request=request_id, fault=type(away.orig).__name__)
            return Failed(name="DatabaseAway", message="The portal's database did not answer; upkeep gives the work back.")

    run.__annotations__ = {"request_id": str, "return": State}
    del run.__wrapped__  # Prefect reads the signature: one id, nothing else
    return run


def _carried_out(work: Work, body: Callable[[Work], None]) -> State[Any]:
    with work.moving() as (session, request):
        outcome.started(session, request)
    try:
        body(work)
    except StartDayAhead:
        return _end(
            work,
            lambda session, request: outcome.prepared(session, request, work.plan.start),
            _paused("Prepared", "Waits for the first day of work."),
        )
    except WaitLonger as pause:
        move = functools.partial(_waits, pause)
        return _end(work, move, _paused("WaitingRetry", "The server asked to wait; the dispatcher releases the run."))
    except NeedsPerson as stop:
        return _needs_person(work, stop)
    except CancelAsked:
        return _end(work, outcome.cancelled, Cancelled(message="Stopped between two steps on request."))
    except (LostLease, NotApproved, OperationalError):
        raise
    except Exception as bug:
        log.exception("flow failed", number=work.number)
        sentence = say("Our program made a mistake in this step. It has to be looked at by IT.")
        return _needs_person(work, NeedsPerson(sentence, f"{type(bug).__name__}: {bug}", Regional.IT))
    return _end(work, outcome.done, Completed(message="Everything exists and is proved."))


def _waits(pause: WaitLonger, session: Session, request: OnboardingRequest) -> None:
    outcome.waits(session, request, pause.until, pause.sentence, pause.detail)


def _needs_person(work: Work, stop: NeedsPerson) -> State[Any]:
    def move(session: Session, request: OnboardingRequest) -> None:
        outcome.needs_attention(session, request, stop.sentence, stop.detail, stop.owner)

    return _end(work, move, Failed(name="NeedsAttention", message=f"Waits for {stop.owner}: see the request in the portal."))


def _end(work: Work, move: Callable[[Session, OnboardingRequest], None], state: State[Any]) -> State[Any]:
    """Our row first, then Prefect's. A request that was done before stays done; what a repeat met is told all the same."""
    with work.moving() as (session, request):
        if request.state is not RequestState.DONE:
            move(session, request)
        elif state.name != "Completed":
            outcome.repeat_ended(session, request, state.name or "")
    return state


def _paused(name: str, message: str) -> State[Any]:
    return Paused(name=name, message=message, timeout_seconds=FOREVER)
