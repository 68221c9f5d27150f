"""What a changed policy would have asked about past requests, beside what was asked. The comparing is pure; nothing is written."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from flows.approval.policy import Facts, Kind, Policy
from flows.model import OnboardingRequest, Stage

AT_ONCE = 500
RULE = "a rule"  # stands where a rule approved instead of people


@dataclass(frozen=True)
class Past:
    """A request as it was: its facts and the stages of its last version in words, first to last. `asked` by a rule is (RULE,)."""

    number: str
    kind: Kind
    facts: Facts
    asked: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    number: str
    had: tuple[str, ...]
    would: tuple[str, ...]


@dataclass
class Shadow:
    """Differences, and how often each stage was and would have been asked."""

    requests: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    had: Counter[str] = field(default_factory=Counter[str])
    would: Counter[str] = field(default_factory=Counter[str])


def compare(past: Iterable[Past], policy: Policy) -> Shadow:
    """Pure. Facts are those of the time: a policy that asks about something that was not known then sees its default."""
    found = Shadow()
    for each in past:
        would = asked_by(policy, each.kind, each.facts)
        found.requests += 1
        found.had.update(each.asked)
        found.would.update(would)
        if would != each.asked:
            found.differences.append(Difference(each.number, each.asked, would))
    return found


def asked_by(policy: Policy, kind: Kind, facts: Facts) -> tuple[str, ...]:
    """Stages as they are compared: the group, how many of it, whether an opinion."""
    if kind == "employee" and policy.standard_hires.allows(facts):
        return (RULE,)
    return tuple(_stage(rule.step, rule.group.value, rule.deciders, rule.opinion) for rule in policy.stages(kind, facts))


def past_requests(session: Session, since: datetime) -> Iterator[Past]:
    """Submitted requests, oldest first. One from before there were policies kept no facts, so nothing can be said about it."""
    wanted = (
        select(OnboardingRequest)
        .where(OnboardingRequest.submitted_at >= since, OnboardingRequest.facts.is_not(None))
        .order_by(OnboardingRequest.submitted_at, OnboardingRequest.id)
        .options(selectinload(OnboardingRequest.stages).selectinload(Stage.decisions))
        .execution_options(yield_per=AT_ONCE)
    )
    for request in session.scalars(wanted):
        kind: Kind = request.kind  # pyright: ignore[reportAssignmentType] - the database holds the kinds that the policy knows
        yield Past(str(request.number), kind, Facts.from_json(request.facts), _asked(request))


def unknown(session: Session, since: datetime) -> int:
    """How many were submitted without facts."""
    mine = (OnboardingRequest.submitted_at >= since, OnboardingRequest.facts.is_(None))
    return session.scalar(select(func.count()).select_from(OnboardingRequest).where(*mine)) or 0


def _asked(request: OnboardingRequest) -> tuple[str, ...]:
    mine = [stage for stage in request.stages if stage.version == request.version]
    if any(decision.rule for stage in mine for decision in stage.decisions):
        return (RULE,)
    # the group that the policy named, not the one that stood in when nobody was left
    return tuple(_stage(each.step, each.fallback_from or each.group_name, each.deciders, each.opinion) for each in mine)


def _stage(step: int, group: str, deciders: int, opinion: bool) -> str:
    many = f" x{deciders}" if deciders > 1 else ""
    return f"{step} {group}{many}{' (opinion)' if opinion else ''}"
