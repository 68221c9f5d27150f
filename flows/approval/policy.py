"""Which groups are asked about a request, in which order, and how long they have: data, which a policy file can replace."""

from dataclasses import dataclass
from datetime import datetime

from flows.approval import working_days
from flows.approval.people import Regional
from flows.model import RequestKind


@dataclass(frozen=True)
class StageRule:
    group: Regional
    working_days: int


ROUTES: dict[RequestKind, tuple[StageRule, ...]] = {RequestKind.EMPLOYEE: (StageRule(Regional.REGION_IT, working_days=3),)}


def route(kind: RequestKind) -> tuple[StageRule, ...]:
    """The stages of a request, first to last. Never empty: nothing is approved by a missing rule."""
    return ROUTES[kind]


def due(opened: datetime, rule: StageRule) -> datetime:
    """The end of the rule's last working day."""
    return working_days.after(opened, rule.working_days)
