"""Which groups are asked about a request, in which order, and how long they have: data, which a policy file can replace."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
    """The end of the rule's last working day; Saturdays and Sundays do not count."""
    day, left = opened, rule.working_days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day.replace(hour=16, minute=0, second=0, microsecond=0)
