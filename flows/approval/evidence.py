"""All that proves how a request was decided, as one value that can be taken away and checked without us.

No private address and no secret can be in it: neither stands in any row that is read here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from flows.approval import hashes
from flows.approval.people import DECIDES, Caller, Regional
from flows.approval.refusals import NotFound
from flows.approval.request_rows import WITH_PEOPLE
from flows.approval.sight import own_organisations, requests_seen
from flows.approval.verify import moment
from flows.model import Decision, Letter, OnboardingRequest, Person, Policy, RequestVersion, Stage
from flows.model.session import as_of_one_moment
from flows.sentence import Sentence

MAY = DECIDES | {Regional.AUDITOR}
RECORD = ("position", "at", "actor_id", "actor", "action", "request_id", "facts", "previous_hash", "hash")


def may_take(session: Session, by: Caller, organisation: UUID) -> bool:
    """The auditor, those who decide for the region, the director of the request's organisation."""
    return bool(by.roles & MAY) or "director" in own_organisations(session, by).get(organisation, ())


def evidence(session: Session, by: Caller, number: str) -> dict[str, Any]:
    """As JSON, all as of one moment; hashes are SHA-256 (hex), times UTC. Raises NotFound for whoever may not take it."""
    as_of_one_moment(session)
    wanted = select(OnboardingRequest).where(OnboardingRequest.number == number, requests_seen(session, by))
    request = session.scalars(wanted.options(*WITH_PEOPLE)).one_or_none()
    if request is None or not may_take(session, by, request.organisation_id):
        raise NotFound
    versions = _versions(session, request)
    return {
        "made_at": moment(session.scalars(select(func.clock_timestamp())).one()),
        "request": _request(request),
        "versions": versions,
        "policies": _policies(session, {each["policy"] for each in versions}),
        "stages": _stages(session, request),
        "decisions": _decisions(session, request),
        "audit": {"records": _records(session, request), "head": _head(session)},
        "letters": _letters(session, request),
    }


def _request(request: OnboardingRequest) -> dict[str, Any]:
    return {
        "number": request.number,
        "id": str(request.id),
        "kind": request.kind,
        "state": request.state.value,
        "version": request.version,
        "organisation": {"name": request.organisation.name, "slug": request.organisation.slug, "ico": request.organisation.ico},
        "requester": _person(request.requester),
        "beneficiary": str(request.beneficiary_id) if request.beneficiary_id else None,
        "submitted_at": _at(request.submitted_at),
        "done_at": _at(request.done_at),
    }


def _versions(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    wanted = select(RequestVersion, Person).join(Person, Person.id == RequestVersion.by_id).where(RequestVersion.request_id == request.id)
    return [
        {
            "version": row.version,
            "at": _at(row.at),
            "by": _person(person),
            "content": row.content,
            "content_hash": hashes.of_json(row.content),
            "plan": row.plan,
            "plan_hash": row.plan_hash,
            "facts": row.facts,
            "policy": row.policy_hash,
            "renewed_for": [str(Sentence.from_json(each)) for each in (row.renewed_for or {}).get("changes", [])],
        }
        for row, person in session.execute(wanted.order_by(RequestVersion.version))
    ]


def _policies(session: Session, wanted: set[str | None]) -> dict[str, dict[str, str]]:
    rows = session.scalars(select(Policy).where(Policy.hash.in_({each for each in wanted if each})))
    return {row.hash: {"version": row.version, "source": row.source} for row in rows}


def _stages(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(Stage).where(Stage.request_id == request.id).order_by(Stage.version, Stage.position).options(joinedload(Stage.carried_from))
    )
    return [
        {
            "version": row.version,
            "stage": row.position,
            "step": row.step,
            "group": row.group_name,
            "instead_of": row.fallback_from,
            "deciders": row.deciders,
            "opinion": row.opinion,
            "state": row.state,
            "opened_at": _at(row.opened_at) if row.state != "waiting" else None,
            "due_at": _at(row.due_at),
            "ended_at": _at(row.ended_at),
            "inputs_hash": row.inputs_hash,
            "carried_from": {"version": row.carried_from.version, "stage": row.carried_from.position} if row.carried_from else None,
        }
        for row in rows
    ]


def _decisions(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    people = (joinedload(Decision.decided_by), joinedload(Decision.deputised_for), joinedload(Decision.stage))
    rows = session.scalars(select(Decision).where(Decision.request_id == request.id).order_by(Decision.at, Decision.id).options(*people))
    return [
        {
            "version": row.version,
            "stage": row.stage.position,
            "group": row.stage.group_name,
            "verdict": row.verdict,
            "by": _person(row.decided_by),
            "deputised_for": _person(row.deputised_for),
            "rule": row.rule,
            "policy": row.policy_hash,
            "plan_hash": row.plan_hash,
            "reason": row.reason,
            "comments": row.comments,
            "at": _at(row.at),
        }
        for row in rows
    ]


def _records(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    """The fields as they were hashed, so that a stranger has only to join them."""
    rows = session.execute(select(*_columns(func.audit_of(request.id), RECORD)))
    return [
        dict(zip(RECORD, row, strict=True))
        | {"at": moment(row.at), "actor_id": str(row.actor_id or ""), "request_id": str(row.request_id or "")}
        for row in rows
    ]


def _head(session: Session) -> dict[str, Any]:
    row = session.execute(select(*_columns(func.audit_head(), ("position", "at", "hash")))).one()
    return {"position": row.position, "at": moment(row.at), "hash": row.hash}


def _columns(answer: Any, names: Sequence[str]) -> list[Any]:
    table = answer.table_valued(*names)
    return [table.c[name] for name in names]


def _letters(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    rows = session.scalars(select(Letter).where(Letter.request_id == request.id).order_by(Letter.created_at))
    return [{"kind": row.kind, "written_at": _at(row.created_at), "sent_at": _at(row.sent_at)} for row in rows]


def _person(person: Person | None) -> dict[str, str] | None:
    return {"id": str(person.id), "name": person.name} if person else None


def _at(at: datetime | None) -> str | None:
    return moment(at) if at else None
