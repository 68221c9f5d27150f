"""What lists of requests show: everybody's requests, and the queue of those who decide. Pages by keyset, no count over a whole table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlakeyset import BadBookmark, InvalidPage, Page, select_page, unserialize_bookmark
from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, func, or_, select, true
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from flows.approval import working_days
from flows.approval.names import plain_letters
from flows.approval.people import Caller
from flows.approval.refusals import NotFound
from flows.approval.sight import requests_seen
from flows.model import OnboardingRequest, RequestState, Stage
from flows.sentence import Sentence, say
from flows.words import PRAGUE

PER_PAGE = 25
COUNTED_AT_MOST = 100  # a larger number says "many" just as well and costs a scan
STARTS_SOON = timedelta(days=3)
NUMBER = re.compile(r"[PO]-\d", re.IGNORECASE)
S = RequestState
WITH_THE_PORTAL = frozenset({S.APPROVED, S.RUNNING, S.WAITING_RETRY, S.PREPARED})

R = OnboardingRequest
_typed_name = func.lower(func.concat_ws(" ", R.content["given_name"].astext, R.content["family_name"].astext, R.number))
_filed = func.coalesce(R.submitted_at, R.created_at)  # never null, as a keyset needs it
_user_name = R.plan["account"]["user_name"].astext
_namesake, _external = _user_name.regexp_match("[0-9]$"), R.content["contract"].astext == "external"


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


@dataclass(frozen=True)
class Hint:
    tone: Literal["warn", "run", "idle", "err"]
    text: Sentence


@dataclass(frozen=True)
class QueueRow(RequestRow):
    """`days_left` and `waited_days` in working days; negative = overdue."""

    decide_path: str
    days_left: int
    waited_days: int
    hints: list[Hint]


@dataclass(frozen=True)
class Listed:
    """One page of a list; `next` is the bookmark of the following one."""

    rows: list[Any]
    next: str | None


@dataclass(frozen=True)
class DraftRow:
    path: str
    name: str
    organisation: str
    saved_at: datetime


def requests(session: Session, by: Caller, filter_: Mapping[str, str], bookmark: str | None) -> Listed:
    """Requests that the person may read, newest first. Filter: q (part of a name or number), state, organisation (id)."""
    wanted = select(R).where(requests_seen(session, by), *_filters(session, by, filter_)).order_by(_filed.desc(), R.id.desc())
    rows, after = page_of(session, wanted.options(*WITH_PEOPLE), bookmark)
    return Listed([request_row(request) for (request,) in rows], after)


def recent(session: Session, by: Caller, condition: ColumnElement[bool] | None = None, most: int = 5) -> list[RequestRow]:
    wanted = select(R).where(requests_seen(session, by), true() if condition is None else condition).order_by(_filed.desc(), R.id.desc())
    return [request_row(request) for request in session.scalars(wanted.options(*WITH_PEOPLE).limit(most))]


def drafts(session: Session, by: Caller) -> list[DraftRow]:
    mine = (
        select(R).where(R.requester_id == by.person, R.state == S.DRAFT).options(joinedload(R.organisation)).order_by(R.changed_at.desc())
    )
    return [
        DraftRow(f"/requests/drafts/{draft.id}", full_name(draft.content.get("typed", {})), draft.organisation.name, draft.changed_at)
        for draft in session.scalars(mine.limit(20))
    ]


def queue(session: Session, by: Caller, filter_: Mapping[str, str], bookmark: str | None = None, most: int = PER_PAGE) -> Listed:
    """What waits for the groups of this person, oldest due first. Filter: q, due (overdue | today | hints), organisation."""
    wanted = _waiting(session, by, filter_).order_by(Stage.due_at, Stage.id)
    loaded = wanted.options(contains_eager(Stage.request).options(*WITH_PEOPLE))
    rows, after = page_of(session, loaded, bookmark, most)
    return Listed([queue_row(stage) for (stage,) in rows], after)


def queue_counts(session: Session, by: Caller, filter_: Mapping[str, str]) -> dict[str, int]:
    """How many wait, are overdue, are due today, have a notice: among the COUNTED_AT_MOST that are due first."""
    whole = not any(value for due, value in filter_.items() if due != "due")
    if whole and (known := session.info.get("queue_counts", {}).get(by.person)):  # beside the menu of every page, and on this one
        return known
    kinds = {due: and_(true(), *_due(due)) for due in ("overdue", "today", "hints")}
    first = _waiting(session, by, {**filter_, "due": ""}).with_only_columns(*(is_.label(due) for due, is_ in kinds.items()))
    some = first.order_by(Stage.due_at, Stage.id).limit(COUNTED_AT_MOST).subquery()
    row = session.execute(select(func.count(), *(func.count().filter(some.c[due]) for due in kinds)).select_from(some)).one()
    counts = dict(zip(("all", *kinds), row, strict=True))
    if whole:
        session.info.setdefault("queue_counts", {})[by.person] = counts
    return counts


def waiting(session: Session, by: Caller) -> int:
    """How many requests wait for the groups of this person, counted up to COUNTED_AT_MOST."""
    return queue_counts(session, by, {})["all"]


def following(session: Session, by: Caller, after: str) -> str | None:
    """The number of the next request in the queue besides this one."""
    wanted = _waiting(session, by, {}).where(R.number != after).order_by(Stage.due_at, Stage.id).limit(1)
    return session.scalar(wanted.with_only_columns(R.number))


def request_row(request: OnboardingRequest) -> RequestRow:
    return RequestRow(**_common(request))


def queue_row(stage: Stage) -> QueueRow:
    request, now = stage.request, datetime.now(PRAGUE)
    return QueueRow(
        **_common(request),
        decide_path=f"/queue/{request.number}",
        days_left=working_days.between(now.date(), stage.due_at.astimezone(PRAGUE).date()),
        waited_days=max(0, working_days.between(stage.opened_at.astimezone(PRAGUE).date(), now.date())),
        hints=hints(request, now.date()),
    )


def hints(request: OnboardingRequest, today: date) -> list[Hint]:
    """What a decider should notice first; the same conditions as `_due("hints")`."""
    found: list[Hint] = []
    if request.start_day and request.start_day <= today:
        found.append(Hint("warn", say("the first day has come already")))
    elif request.start_day and request.start_day <= today + STARTS_SOON:
        found.append(Hint("warn", say("starts in a few days")))
    if str((request.plan or {}).get("account", {}).get("user_name", ""))[-1:].isdigit():
        found.append(Hint("run", say("somebody has the same name")))
    if request.content.get("contract") == "external":
        found.append(Hint("run", say("external worker")))
    return found


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


WITH_PEOPLE = (joinedload(R.organisation), joinedload(R.requester), selectinload(R.stages))


def _common(request: OnboardingRequest) -> dict[str, Any]:
    stage = open_stage(request) if request.state is S.WAITING_APPROVAL else None
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
        "waiting_for": holder(request),
    }


def _waiting(session: Session, by: Caller, filter_: Mapping[str, str]) -> Select[Any]:
    here = and_(Stage.state == "open", Stage.group_name.in_(sorted(by.groups)), R.state == S.WAITING_APPROVAL)
    joined = select(Stage).join(Stage.request).where(here, requests_seen(session, by))
    return joined.where(*_filters(session, by, filter_, waiting=True), *_due(filter_.get("due", "")))


def _due(which: str) -> list[ColumnElement[bool]]:
    now = datetime.now(PRAGUE)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    known: dict[str, list[ColumnElement[bool]]] = {
        "overdue": [Stage.due_at < midnight],
        "today": [Stage.due_at >= midnight, Stage.due_at < midnight + timedelta(days=1)],
        "hints": [or_(R.start_day <= now.date() + STARTS_SOON, _namesake, _external)],
    }
    return known.get(which, [])


def _filters(session: Session, by: Caller, filter_: Mapping[str, str], *, waiting: bool = False) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if q := filter_.get("q", "").strip():
        found += _named(session, by, q, waiting)
    if (state := filter_.get("state", "")) in set(S):
        found.append(R.state == S(state))
    if organisation := filter_.get("organisation", ""):
        found.append(R.organisation_id == _uuid(organisation))
    return found


def _named(session: Session, by: Caller, q: str, waiting: bool) -> list[ColumnElement[bool]]:
    """A part of a name, number or user name. Whoever sees the whole region asks the index first: a rare name stands a million rows away.

    `strpos` and not ILIKE: row-level security hides the statistics from a comparison with a pattern, so the planner expects one row of it
    and sorts a whole queue.
    """
    plain = plain_letters(q) if not NUMBER.match(q) else ""  # of a number one letter would be left
    written = func.strpos(_typed_name, func.lower(q)) > 0
    matches = or_(written, func.strpos(func.lower(_user_name), plain) > 0) if plain else written
    ids = session.scalar(select(func.requests_named(q, plain, waiting, type_=ARRAY(Uuid)))) if by.roles else None
    return [matches] if ids is None else [matches, R.id.in_(ids)]


def page_of(session: Session, wanted: Select[*tuple[Any, ...]], bookmark: str | None, most: int = PER_PAGE) -> tuple[list[Any], str | None]:
    """The rows after a bookmark, and the bookmark of what follows them. Raises NotFound for a bookmark that is not ours."""
    try:
        page: Page[Any] = select_page(session, wanted, per_page=most, page=unserialize_bookmark(bookmark) if bookmark else None)
    except (BadBookmark, InvalidPage, ValueError):
        raise NotFound from None
    return list(page), page.paging.bookmark_next if page.paging.has_next else None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
