"""What lists of requests show: everybody's requests, and the queue of those who decide. Pages by keyset, no count over a whole table."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload

from flows.approval import working_days
from flows.approval.due import closed_days, word
from flows.approval.keyset import PER_PAGE, Listed, page_of
from flows.approval.names import as_searched, parted
from flows.approval.people import Caller
from flows.approval.refusals import id_of
from flows.approval.request_rows import WITH_PEOPLE, RequestRow, common, full_name, request_row
from flows.approval.sight import requests_seen
from flows.model import OnboardingRequest, RequestKind, RequestState, Stage
from flows.sentence import Sentence, say
from flows.words import PRAGUE

COUNTED_AT_MOST = 100  # a larger number says "many" just as well and costs a scan
STARTS_SOON = timedelta(days=3)
LARGE_GB = 25  # above this the decider should look twice
NUMBER = re.compile(r"[PO]-\d", re.IGNORECASE)
S = RequestState
QUEUE_FILTERS = ("q", "kind", "due", "organisation", "stage", "whose")  # what may stand in the queue's address

R = OnboardingRequest
_typed_name = func.lower(func.concat_ws(" ", R.content["given_name"].astext, R.content["family_name"].astext, R.number))
_filed = func.coalesce(R.submitted_at, R.created_at)  # never null, as a keyset needs it
_user_name, _address = R.plan["account"]["user_name"].astext, R.plan["account"]["email"].astext
_risky = or_(
    R.content["access"].astext == "privileged",
    R.facts["above_envelope"].as_boolean(),
    R.content["quota_gb"].as_integer() > LARGE_GB,
)
_namesake, _external = _user_name.regexp_match("[0-9]$"), R.content["contract"].astext == "external"


@dataclass(frozen=True)
class Hint:
    tone: Literal["warn", "run", "idle", "err"]
    text: Sentence


@dataclass(frozen=True)
class QueueRow(RequestRow):
    """`key` names the question: a request may ask two of them at once. `due_is`: late | today | tomorrow | later, by the calendar.

    `days_left` and `waited_days` in the region's working days; negative = overdue.
    `step` of `steps`: how far the question is along the request's way. `nobody`: the alarm that nobody is left who may answer it.
    """

    key: str
    decide_path: str
    group: str
    step: int
    steps: int
    opinion: bool
    holder: str | None
    mine: bool
    nobody: bool
    due_is: str
    days_left: int
    waited_days: int
    came_on: date
    came_today: bool
    hints: list[Hint]


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
    """What waits for the groups of this person, oldest due first.

    Filter: q, kind, due (overdue | today | hints), organisation, stage (a group), whose (mine = I have it | free = nobody has it).
    """
    wanted = _waiting(session, by, filter_).order_by(Stage.due_at, Stage.id)
    loaded = wanted.options(contains_eager(Stage.request).options(*WITH_PEOPLE), joinedload(Stage.holder))
    rows, after = page_of(session, loaded, bookmark, most)
    closed = closed_days(session) if rows else frozenset[date]()
    return Listed([queue_row(stage, by, closed) for (stage,) in rows], after)


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


def count_again(session: Session, by: Caller) -> int:
    """After something of the queue was decided by the page that still shows its count."""
    session.info.pop("queue_counts", None)
    return waiting(session, by)


def came_since(session: Session, by: Caller, filter_: Mapping[str, str], since: datetime) -> int:
    """How many came to this queue, or to this person, after that moment: counted up to COUNTED_AT_MOST."""
    new = or_(Stage.opened_at > since, and_(Stage.holder_id == by.person, Stage.held_at > since))
    some = _waiting(session, by, filter_).where(new).with_only_columns(R.id).limit(COUNTED_AT_MOST).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def following(session: Session, by: Caller, after: str) -> str | None:
    """The number of the request that is due next after this one, from the beginning again after the last; so one that is left is left."""
    here = select(Stage.due_at, Stage.id).join(Stage.request).where(R.number == after, Stage.group_name.in_(sorted(by.groups)))
    place = session.execute(here.order_by(Stage.version.desc(), Stage.position).limit(1)).one_or_none()
    others = _waiting(session, by, {}).where(R.number != after).order_by(Stage.due_at, Stage.id).limit(1).with_only_columns(R.number)
    later = others.where(tuple_(Stage.due_at, Stage.id) > tuple_(*place)) if place else others
    return session.scalar(later) or session.scalar(others)


def queue_row(stage: Stage, by: Caller, closed: Collection[date]) -> QueueRow:
    request, today = stage.request, datetime.now(PRAGUE).date()
    due, came = stage.due_at.astimezone(PRAGUE).date(), stage.opened_at.astimezone(PRAGUE).date()
    steps = sorted({each.step for each in request.stages if each.version == request.version} | {stage.step})
    return QueueRow(
        **common(request, stage),
        key=f"{request.number}.{stage.position}",
        group=stage.group_name,
        step=steps.index(stage.step) + 1,
        steps=len(steps),
        opinion=stage.opinion,
        holder=stage.holder.name if stage.holder else None,
        mine=stage.holder_id == by.person,
        nobody=stage.nobody,
        decide_path=f"/queue/{request.number}",
        due_is=word(due, today),
        days_left=working_days.between(today, due, closed),
        waited_days=max(0, working_days.between(came, today, closed)),
        came_on=came,
        came_today=came == today,
        hints=hints(request, today),
    )


def hints(request: OnboardingRequest, today: date) -> list[Hint]:
    """What a decider should notice first; the same conditions as `_due("hints")`."""
    found = start_hints(request, today)
    if str((request.plan or {}).get("account", {}).get("user_name", ""))[-1:].isdigit():
        found.append(Hint("run", say("somebody has the same name")))
    if request.content.get("access") == "privileged":
        found.append(Hint("warn", say("privileged access")))
    if (request.facts or {}).get("above_envelope"):
        found.append(Hint("warn", say("above what was agreed")))
    if int(request.content.get("quota_gb") or 0) > LARGE_GB:
        found.append(Hint("warn", say("large mailbox")))
    if request.content.get("contract") == "external":
        found.append(Hint("run", say("external worker")))
    return found


def start_hints(request: OnboardingRequest, today: date) -> list[Hint]:
    if request.start_day and request.start_day <= today:
        return [Hint("warn", say("the first day has come already"))]
    if request.start_day and request.start_day <= today + STARTS_SOON:
        return [Hint("warn", say("starts in a few days"))]
    return []


def _waiting(session: Session, by: Caller, filter_: Mapping[str, str]) -> Select[Any]:
    here = and_(Stage.state == "open", Stage.group_name.in_(sorted(by.groups)), R.state == S.WAITING_APPROVAL)
    joined = select(Stage).join(Stage.request).where(here, requests_seen(session, by))
    return joined.where(*_filters(session, by, filter_, waiting=True), *_due(filter_.get("due", "")), *_asked(by, filter_))


def _asked(by: Caller, filter_: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """Which kind of request, whose question, and who has it."""
    found: list[ColumnElement[bool]] = []
    if (kind := filter_.get("kind", "")) in set(RequestKind):
        found.append(R.kind == kind)
    if (group := filter_.get("stage", "")) in by.groups:
        found.append(Stage.group_name == group)
    if (whose := filter_.get("whose", "")) in ("mine", "free"):
        found.append(Stage.holder_id == by.person if whose == "mine" else Stage.holder_id.is_(None))
    return found


def _due(which: str) -> list[ColumnElement[bool]]:
    now = datetime.now(PRAGUE)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    known: dict[str, list[ColumnElement[bool]]] = {
        "overdue": [Stage.due_at < midnight],
        "today": [Stage.due_at >= midnight, Stage.due_at < midnight + timedelta(days=1)],
        "hints": [or_(R.start_day <= now.date() + STARTS_SOON, _namesake, _external, _risky)],
    }
    return known.get(which, [])


def _filters(session: Session, by: Caller, filter_: Mapping[str, str], *, waiting: bool = False) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if q := filter_.get("q", "").strip():
        found += _named(session, by, q, waiting)
    if (state := filter_.get("state", "")) in set(S):
        found.append(R.state == S(state))
    if organisation := filter_.get("organisation", ""):
        found.append(R.organisation_id == id_of(organisation))
    return found


def _named(session: Session, by: Caller, q: str, waiting: bool) -> list[ColumnElement[bool]]:
    """A part of a name, number, user name or (with an @) address.

    Whoever sees the whole region asks the index first: a rare name stands a million rows away. `strpos` and not ILIKE: row-level security
    hides the statistics from a comparison with a pattern, so the planner expects one row of it and sorts a whole queue.
    """
    plain = as_searched(q) if not NUMBER.match(q) else ""  # a request, not somebody called p
    written = func.strpos(_typed_name, func.lower(q)) > 0
    matches = or_(written, func.strpos(parted(_address if "@" in plain else _user_name), plain) > 0) if plain else written
    ids = session.scalar(select(func.requests_named(q, _for_index(plain), waiting, type_=ARRAY(Uuid)))) if by.roles else None
    return [matches] if ids is None else [matches, R.id.in_(ids)]


def _for_index(plain: str) -> str:
    """The pattern by which `requests_named` finds at least what matches: the part of an address before the @ is the user name, and `_`
    stands for what parts its words. Without three letters in a row no index helps, which one letter tells the function.
    """
    words = plain.partition("@")[0].split()
    return "_".join(words) if not plain or any(len(word) > 2 for word in words) else "?"
