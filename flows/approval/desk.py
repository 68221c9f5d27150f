"""The stages of a request as people read them: who is asked, who answered, what counts on; and who has one on the desk."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval.eligible import name_of, seat
from flows.approval.handling import colleagues
from flows.approval.people import Caller
from flows.model import Decision, OnboardingRequest, Stage
from flows.words import PRAGUE

ENOUGH = 20  # decided requests, below which an estimate would be a guess


@dataclass(frozen=True)
class StageShown:
    """`verdicts`: what was answered and by whom. `since_version`: the version whose approval counts on here."""

    group: str
    state: str
    position: int
    opinion: bool
    deciders: int
    due: date
    holder: str | None
    nobody: bool
    instead_of: str | None
    since_version: int | None
    verdicts: list[dict[str, Any]]


def stages_shown(request: OnboardingRequest) -> list[StageShown]:
    """Those of the newest version, first to last."""
    return [_shown(stage) for stage in request.stages if stage.version == request.version]


def _shown(stage: Stage) -> StageShown:
    return StageShown(
        group=stage.group_name,
        state=stage.state,
        position=stage.position,
        opinion=stage.opinion,
        deciders=stage.deciders,
        due=stage.due_at.astimezone(PRAGUE).date(),
        holder=stage.holder.name if stage.holder and stage.state == "open" else None,
        nobody=stage.nobody and stage.state == "open",
        instead_of=stage.fallback_from,
        since_version=stage.carried_from.version if stage.carried_from else None,
        verdicts=[answer_of(each) for each in stage.answers],
    )


def answer_of(decision: Decision) -> dict[str, Any]:
    """Who answered what, for whom, and by which rule when it was no person."""
    return {
        "by": decision.decided_by.name if decision.decided_by else decision.rule,
        "for": decision.deputised_for.name if decision.deputised_for else None,
        "rule": decision.decided_by is None,
        "at": decision.at,
        "decision": decision.verdict,
        "reason": decision.reason or None,
    }


def desk(session: Session, by: Caller, stage: Stage) -> dict[str, Any] | None:
    """What this person may do with an open stage besides answering it; None = it is not theirs. `others`: to whom it may be handed."""
    mine = seat(session, by, stage) if stage.state == "open" else None
    if mine is None:
        return None
    return {
        "instead_of": name_of(session, mine.deputised_for) if mine.deputised_for else None,
        "mine": stage.holder_id == by.person,
        "holder": stage.holder.name if stage.holder else None,
        "others": [{"value": str(each.id), "name": each.name} for each in colleagues(session, stage) if each.id != by.person],
    }


@dataclass(frozen=True)
class Estimate:
    """Seconds from filing to the last approval of the newest requests of the kind; None where there are too few to say."""

    n: int
    median: float | None
    most: float | None


def estimate(session: Session, kind: str) -> Estimate:
    """Median and 90th percentile of up to 200 decided requests, whosever they were."""
    told = func.decided_within(kind).table_valued("n", "median", "most")
    n, median, most = session.execute(select(told.c.n, told.c.median, told.c.most)).one()
    return Estimate(n, median, most) if n >= ENOUGH else Estimate(n, None, None)


def filed_before(session: Session, request: OnboardingRequest, now: datetime) -> dict[str, int]:
    """What became of the other requests that this requester filed in the last year: filed, refused, returned."""
    mine = select(OnboardingRequest.id, OnboardingRequest.state).where(
        OnboardingRequest.requester_id == request.requester_id,
        OnboardingRequest.id != request.id,
        OnboardingRequest.submitted_at > now.replace(year=now.year - 1, day=min(now.day, 28)),
    )
    found = mine.subquery()
    returned = select(func.count(func.distinct(Decision.request_id))).where(
        Decision.verdict == "return", Decision.request_id.in_(select(found.c.id))
    )
    filed, refused = session.execute(select(func.count(), func.count().filter(found.c.state == "refused")).select_from(found)).one()
    return {"filed": filed, "refused": refused, "returned": session.scalar(returned) or 0}
