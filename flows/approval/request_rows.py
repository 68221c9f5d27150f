"""A request as a list shows it: whose, what, in which state, and who has it now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import joinedload, selectinload

from flows.model import OnboardingRequest, RequestState, Stage
from flows.words import PRAGUE

S = RequestState
WITH_THE_PORTAL = frozenset({S.APPROVED, S.RUNNING, S.WAITING_RETRY, S.PREPARED})
WITH_PEOPLE = (joinedload(OnboardingRequest.organisation), joinedload(OnboardingRequest.requester), selectinload(OnboardingRequest.stages))


@dataclass(frozen=True)
class RequestRow:
    """A request in a list. `waiting_for`: a group, `portal`, `requester` or None."""

    number: str
    path: str
    name: str
    position: str
    organisation: str
    start: date
    state: str
    filed_at: datetime
    filed_by: str
    due: date | None
    waiting_for: str | None


def request_row(request: OnboardingRequest) -> RequestRow:
    return RequestRow(**common(request))


def full_name(content: Mapping[str, Any]) -> str:
    """Ing. Žofie Šťastná, Ph.D. from the answers of a form, finished or not."""
    plain = " ".join(part for key in ("title_before", "given_name", "family_name") if (part := str(content.get(key) or "").strip()))
    after = str(content.get("title_after") or "").strip()
    return f"{plain}, {after}" if after and plain else plain


def open_stages(request: OnboardingRequest) -> list[Stage]:
    """Who is asked now: several at once where the policy says so; opinions last."""
    asked = [stage for stage in request.stages if stage.version == request.version and stage.state == "open"]
    return sorted(asked, key=lambda stage: (stage.opinion, stage.due_at, stage.position))


def open_stage(request: OnboardingRequest) -> Stage | None:
    return next(iter(open_stages(request)), None)


def holder(request: OnboardingRequest) -> str | None:
    """Who has it now."""
    if request.state is S.WAITING_APPROVAL:
        stage = open_stage(request)
        return stage.group_name if stage else None
    if request.state is S.NEEDS_ATTENTION:
        return request.owner or "it"
    if request.state is S.RETURNED:
        return "requester"
    return "portal" if request.state in WITH_THE_PORTAL else None


def common(request: OnboardingRequest, asked: Stage | None = None) -> dict[str, Any]:
    """What every row says; `asked` = the stage that the row is about, when a request may stand twice. WITH_PEOPLE must have been loaded."""
    stage = asked or (open_stage(request) if request.state is S.WAITING_APPROVAL else None)
    return {
        "number": request.number or "",
        "path": f"/requests/{request.number}",
        "name": full_name(request.content),
        "position": str(request.content.get("position", "")),
        "organisation": request.organisation.name,
        "start": request.start_day,
        "state": request.state.value,
        "filed_at": request.submitted_at,
        "filed_by": request.requester.name,
        "due": stage.due_at.astimezone(PRAGUE).date() if stage else None,
        "waiting_for": asked.group_name if asked else holder(request),
    }
