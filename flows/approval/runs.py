"""What IT looks at: requests as runs, where they stand, what every try met, and what the outside was asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session, joinedload

from flows.approval.course import EXECUTED, STEP_OF, Activation, Whole, step_status
from flows.approval.keyset import Listed, page_of
from flows.approval.people import READS_RUNS, Caller
from flows.approval.request_rows import WITH_PEOPLE, full_name
from flows.approval.sight import requests_seen
from flows.model import Attempt, Effect, Lease, Lookup, OnboardingRequest, RequestState
from flows.sentence import Sentence
from flows.words import PRAGUE

S = RequestState
EXECUTING = (S.APPROVED, S.RUNNING, S.PREPARED, S.WAITING_RETRY, S.NEEDS_ATTENTION, S.DONE, S.CANCELLED)
STUCK = (S.NEEDS_ATTENTION, S.WAITING_RETRY)
LOG_IS_FRESH = timedelta(seconds=20)
LAST_DONE = 500  # among which the last hundred are looked for that waited for no day
R = OnboardingRequest


@dataclass(frozen=True)
class RunRow:
    number: str
    path: str
    name: str
    organisation: str
    state: str
    step: str | None
    step_n: int
    steps: int
    started_at: datetime | None
    seconds: float | None
    problem: Sentence | None
    next_at: datetime | None


@dataclass(frozen=True)
class Counters:
    """`usual_seconds`: median from start to end over the last hundred that were done without waiting for a day."""

    done_today: int
    running: int
    waiting_retry: int
    needs_attention: int
    usual_seconds: float | None


def runs(session: Session, by: Caller, state: str, bookmark: str | None) -> Listed:
    """Runs, newest first. Raises NotFound for who neither runs nor audits."""
    by.must_see(*READS_RUNS)
    wanted = select(R).where(requests_seen(session, by), R.state.in_([S(state)] if state in set(EXECUTING) else EXECUTING))
    found, after = page_of(session, wanted.options(*WITH_PEOPLE).order_by(R.changed_at.desc(), R.id.desc()), bookmark)
    return Listed(_rows(session, [request for (request,) in found]), after)


def stuck(session: Session, by: Caller, most: int = 10) -> list[RunRow]:
    """What waits for a person or for its next try, persons first."""
    wanted = select(R).where(requests_seen(session, by), R.state.in_(STUCK)).options(*WITH_PEOPLE)
    first = case((R.state == S.NEEDS_ATTENTION, 0), else_=1)
    return _rows(session, list(session.scalars(wanted.order_by(first, R.changed_at).limit(most)).unique()))


def counters(session: Session, by: Caller) -> Counters:
    midnight = datetime.now(PRAGUE).replace(hour=0, minute=0, second=0, microsecond=0)
    open_now = (
        select(R.state, func.count()).where(requests_seen(session, by), R.state.in_((S.APPROVED, S.RUNNING, *STUCK))).group_by(R.state)
    )
    count = {row[0]: row[1] for row in session.execute(open_now)}
    done = session.scalar(select(func.count()).select_from(R).where(requests_seen(session, by), R.state == S.DONE, R.done_at >= midnight))
    running = count.get(S.RUNNING, 0) + count.get(S.APPROVED, 0)
    return Counters(done or 0, running, count.get(S.WAITING_RETRY, 0), count.get(S.NEEDS_ATTENTION, 0), session.scalar(_usual()))


def _usual() -> Select[Any]:
    newest = select(R.id, R.start_day, R.done_at).where(R.state == S.DONE).order_by(R.done_at.desc()).limit(LAST_DONE).subquery()
    ended = newest.c.done_at
    began = select(func.min(Effect.started_at)).where(Effect.request_id == newest.c.id).scalar_subquery()
    took = func.extract("epoch", ended - began).label("took")
    last = select(took).where(newest.c.start_day <= func.date(ended), ended >= began).order_by(ended.desc()).limit(100).subquery()
    return select(func.percentile_cont(0.5).within_group(last.c.took))


def run(session: Session, whole: Whole) -> dict[str, Any]:
    """The head of one run's page."""
    request = whole.request
    lease = session.get(Lease, request.id)
    started = min((effect.started_at for effect in whole.effects.values()), default=None)
    return {
        "state": request.state.value,
        "step": _current(whole),
        "started_at": started,
        "finished_at": request.done_at,
        "seconds": _took(started, request.done_at),
        "worker": lease.holder if lease and lease.expires_at > datetime.now(PRAGUE) else None,
        "epoch": lease.epoch if lease else None,
        "generation": request.generation,
        "problem": Sentence.from_json(request.sentence),
        "detail": request.detail,
        "next_at": request.next_try,
        "plan_hash": request.plan_hash,
        "owner": request.owner,
        "at": datetime.now(PRAGUE),
    }


OUTCOMES = {"made": "done", "found": "adopted"}  # anything else is the name of an error


def attempts(session: Session, whole: Whole) -> list[dict[str, Any]]:
    """Every try of every effect, oldest first, and those that are on their way."""
    wanted = select(Attempt).join(Attempt.effect).where(Effect.request_id == whole.request.id).options(joinedload(Attempt.effect))
    rows = [_attempt(attempt) for attempt in session.scalars(wanted.order_by(Attempt.started_at, Attempt.n))]
    for effect in whole.effects.values():
        if effect.state.value in ("intent", "unknown") and effect.next_try:
            rows.append(_planned(effect, "planned", effect.next_try))
        elif effect.state.value == "intent" and whole.request.state is S.RUNNING:
            rows.append(_planned(effect, "waiting", effect.changed_at))
    return rows


def _attempt(attempt: Attempt) -> dict[str, Any]:
    effect = attempt.effect
    return {
        "step": STEP_OF.get(effect.name, "account"),
        "effect": effect.name,
        "system": effect.system,
        "n": attempt.n,
        "of": max(effect.tries_at_most, attempt.n),
        "at": attempt.started_at,
        "seconds": (attempt.finished_at - attempt.started_at).total_seconds(),
        "outcome": OUTCOMES.get(attempt.outcome, "failed"),
        "answer": attempt.detail or (effect.remote_id if attempt.outcome in OUTCOMES else attempt.outcome),
        "next_at": attempt.next_try,
    }


def _planned(effect: Effect, outcome: str, at: datetime) -> dict[str, Any]:
    step, n = STEP_OF.get(effect.name, "account"), effect.tries + (outcome == "planned")
    some = {"step": step, "effect": effect.name, "system": effect.system, "n": n, "of": max(effect.tries_at_most, n)}
    return some | {"at": at, "seconds": None, "outcome": outcome, "answer": None, "next_at": None}


def ask_log(session: Session, by: Caller, number: str) -> None:
    """Asks the outside for the run's log; the dispatcher answers, the page polls. A question that is still open is not asked twice."""
    by.must_see(*READS_RUNS)
    if (last := newest_log(session, by, number)) and (last.answered_at is None or last.answered_at > datetime.now(PRAGUE) - LOG_IS_FRESH):
        return
    session.add(Lookup(kind="run_log", asked_by_id=by.person, question={"number": number}))


def newest_log(session: Session, by: Caller, number: str) -> Lookup | None:
    wanted = select(Lookup).where(Lookup.kind == "run_log", Lookup.asked_by_id == by.person, Lookup.question["number"].astext == number)
    return session.scalars(wanted.order_by(Lookup.asked_at.desc()).limit(1)).one_or_none()


def may_read_runs(by: Caller) -> None:
    """Raises NotFound for everybody else: a run is not a page of theirs."""
    by.must_see(*READS_RUNS)


def _current(whole: Whole) -> str | None:
    return next((key for key in EXECUTED if step_status(whole, key) in ("running", "retry", "failed")), None)


def _rows(session: Session, requests: list[OnboardingRequest]) -> list[RunRow]:
    effects = session.scalars(select(Effect).where(Effect.request_id.in_([request.id for request in requests])))
    of: dict[Any, dict[str, Effect]] = {}
    for effect in effects:
        of.setdefault(effect.request_id, {})[effect.name] = effect
    return [_row(request, of.get(request.id, {})) for request in requests]


def _row(request: OnboardingRequest, effects: dict[str, Effect]) -> RunRow:
    whole = Whole(request, effects, Activation("none"))
    started = min((effect.started_at for effect in effects.values()), default=None)
    until = request.done_at or (datetime.now(PRAGUE) if request.state is S.RUNNING else request.changed_at)
    return RunRow(
        number=request.number or "",
        path=f"/runs/{request.number}",
        name=full_name(request.content),
        organisation=request.organisation.name,
        state=request.state.value,
        step=_current(whole),
        step_n=sum(step_status(whole, key) == "done" for key in EXECUTED),
        steps=len(EXECUTED),
        started_at=started,
        seconds=_took(started, until),
        problem=Sentence.from_json(request.sentence),
        next_at=request.next_try,
    )


def _took(began: datetime | None, ended: datetime | None) -> float | None:
    """Seconds; None when work on a finished request began anew, so that the ledger is younger than its end."""
    return (ended - began).total_seconds() if began and ended and ended >= began else None
