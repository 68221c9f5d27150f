"""How far one request is, as its page says it: the steps in order, what exists, what is proved, and who has it now.

Read from our own rows only. The ledger names effects by system and verb; a person reads five steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session, joinedload, selectinload

from flows.approval.people import Caller
from flows.approval.queue import WITH_PEOPLE, full_name, holder, open_stage
from flows.approval.refusals import NotFound
from flows.approval.sight import requests_seen
from flows.model import Decision, Effect, EffectState, OnboardingRequest, RequestState, Stage
from flows.plan import GIGABYTE
from flows.sentence import Sentence, say

PRAGUE = ZoneInfo("Europe/Prague")
NIGHTLY, KEEP_DAYS = "2:10", 90  # what the backup servers are set to; settings of the agents, said to everybody
S, E = RequestState, EffectState
FINISHED = frozenset({E.HELD, E.PROVED, E.BY_HAND})
ENDED = frozenset({S.REFUSED, S.WITHDRAWN, S.EXPIRED, S.CANCELLED})

PARTS: Mapping[str, Mapping[str, str]] = {
    # step -> effect of the ledger -> part of the step
    "account": {
        "portal.names are ours": "account",
        "keycloak.ensure account": "account",
        "portal.link log-in": "account",
        "keycloak.ensure membership": "membership",
    },
    "mailbox": {"mail.ensure mailbox": "mailbox"},
    "backup": {"backup.ensure enrolment": "backup"},
    "proof": {"mail.message comes back": "message", "backup.message is restored": "restore", "mail.remove proof message": "message"},
    "start_day": {"keycloak.open account": "start_day"},
    "activation": {"keycloak.send activation link": "activation"},
}
STEP_OF: Mapping[str, str] = {effect: step for step, effects in PARTS.items() for effect in effects}
EXECUTED = ("account", "mailbox", "backup", "proof", "activation")

activation_progress = table(
    "activation_progress",
    *(column(name) for name in ("request_id", "state", "links_sent", "sent_at", "expires_at", "ended_at", "second_factors")),
)


@dataclass(frozen=True)
class Activation:
    """How far the activation link is. Never the address."""

    state: str
    sent_at: datetime | None = None
    used_at: datetime | None = None
    expires_at: datetime | None = None
    second_otp: bool = False


@dataclass(frozen=True)
class Step:
    key: str
    status: str
    at: datetime | None = None
    by: str | None = None
    due: date | None = None
    attempt: int | None = None
    of: int | None = None
    next_at: datetime | None = None
    problem: Sentence | None = None
    note: Sentence | str | None = None
    parts: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


@dataclass(frozen=True)
class Event:
    at: datetime
    key: str
    by: str | None = None
    note: Sentence | str | None = None


@dataclass(frozen=True)
class Whole:
    """A request with everything its page shows."""

    request: OnboardingRequest
    effects: Mapping[str, Effect]
    activation: Activation


def find(session: Session, by: Caller, number: str) -> Whole:
    """Raises NotFound for what is not there and for what is not this person's, alike."""
    wanted = select(OnboardingRequest).where(OnboardingRequest.number == number, requests_seen(session, by))
    decided = joinedload(Stage.decision).joinedload(Decision.decided_by)
    stages = selectinload(OnboardingRequest.stages).options(joinedload(Stage.request), decided)
    request = session.scalars(wanted.options(*WITH_PEOPLE, stages)).one_or_none()
    if request is None:
        raise NotFound
    effects = session.scalars(select(Effect).where(Effect.request_id == request.id).order_by(Effect.started_at))
    return Whole(request, {effect.name: effect for effect in effects}, activation_of(session, request))


def activation_of(session: Session, request: OnboardingRequest) -> Activation:
    row = session.execute(select(activation_progress).where(activation_progress.c.request_id == request.id)).mappings().one_or_none()
    if row is None:
        return Activation("none")
    used = row["ended_at"] if row["state"] == "used" else None
    return Activation(row["state"], row["sent_at"], used, row["expires_at"], row["second_factors"] > 1)


def now() -> datetime:
    """The moment that a page is as of, in Prague."""
    return datetime.now(PRAGUE)


def summary(whole: Whole) -> dict[str, Any]:
    """The request itself: what was asked, by whom."""
    request, content = whole.request, whole.request.content
    return {
        "number": request.number,
        "name": full_name(content),
        "given_name": content.get("given_name", ""),
        "position": content.get("position", ""),
        "organisation": request.organisation.name,
        "organisation_path": f"/organisations/{request.organisation.slug}",
        "start": request.start_day,
        "end": date.fromisoformat(content["end"]) if content.get("end") else None,
        "state": request.state.value,
        "filed_at": request.submitted_at,
        "filed_by": request.requester.name,
        "version": request.version,
        "contract": content.get("contract", ""),
        "personal_number": content.get("personal_number", ""),
        "manager": content.get("manager", ""),
    }


def progress(whole: Whole) -> dict[str, Any]:
    """The moving part of the page. `poll` is None when nothing will move any more."""
    request = whole.request
    path = f"/requests/{request.number}"
    steps = timeline(whole)
    executed = [step for step in steps if step.key in EXECUTED]
    current = next((step for step in executed if step.status in ("running", "retry", "failed")), None)
    stage = open_stage(request)
    return {
        "poll": None if _finished(whole) else f"{path}/progress",
        "refresh_path": path,
        "at": datetime.now(PRAGUE),
        "holder": holder(request),
        "until": _until(request, stage),
        "fallback": "it" if request.state in (S.APPROVED, S.RUNNING, S.WAITING_RETRY, S.PREPARED) else None,
        "done_steps": sum(step.status == "done" for step in executed),
        "all_steps": len(executed),
        "current": current.key if current else None,
        "attempt": {"n": current.attempt, "of": current.of, "next_at": current.next_at} if current and current.attempt else None,
        "problem": Sentence.from_json(request.sentence) or (current.problem if current else None),
        "seconds": _seconds(request),
        "steps": steps,
        "results": results(whole),
    }


def timeline(whole: Whole) -> list[Step]:
    """Filing, decisions, then what is made and proved; the first day of work only when it was ahead."""
    request = whole.request
    steps = [Step("filed", "done", request.submitted_at, request.requester.name)]
    steps += [_decision(request, stage) for stage in request.stages if stage.version == request.version]
    steps += [_made(whole, key) for key in ("account", "mailbox", "backup", "proof")]
    if request.submitted_at and request.start_day and request.start_day > request.submitted_at.astimezone(PRAGUE).date():
        steps.append(_start_day(whole, request.start_day))
    return [*steps, _made(whole, "activation")]


def results(whole: Whole) -> dict[str, Any]:
    """What exists and is proved, with the marks by which anybody can check it."""
    plan: dict[str, Any] = whole.request.plan or {}
    account, message, restored = (
        _effect(whole, name) for name in ("keycloak.ensure account", "mail.message comes back", "backup.message is restored")
    )
    quota = plan.get("mailbox", {}).get("quota_bytes", 0) // GIGABYTE
    seen, back = message.facts if message else {}, restored.facts if restored else {}
    return {
        "account": _result(whole, "account")
        | {
            "user_name": plan.get("account", {}).get("user_name"),
            "id": account.remote_id if account else None,
            "adopted": bool(account and not account.created_remotely),
        },
        "mailbox": _result(whole, "mailbox", also="mail.message comes back")
        | {
            "address": plan.get("mailbox", {}).get("address"),
            "quota_gb": quota,
            "delivered_seconds": seen.get("seconds"),
            "fingerprint": seen.get("sha256"),
        },
        "backup": _result(whole, "backup", also="backup.message is restored")
        | {
            "snapshot": back.get("snapshot"),
            "restored_at": restored.changed_at if restored else None,
            "fingerprint": back.get("sha256"),
            "same": back["sha256"] == seen.get("sha256") if back.get("sha256") else None,
            "nightly": NIGHTLY,
            "keep_days": KEEP_DAYS,
        },
    }


def history(whole: Whole) -> list[Event]:
    """What happened, newest first, as far as our rows remember moments."""
    request, events = whole.request, list[Event]()
    if request.submitted_at:
        events.append(Event(request.submitted_at, "filed", request.requester.name))
    for stage in request.stages:
        if decision := stage.decision:
            key = "approved" if decision.verdict == "approve" else "refused"
            events.append(
                Event(decision.at, key, decision.decided_by.name if decision.decided_by else decision.rule, decision.reason or None)
            )
    if whole.effects:
        events.append(Event(min(effect.started_at for effect in whole.effects.values()), "started"))
    now: dict[RequestState, str] = {
        S.NEEDS_ATTENTION: "attention",
        S.WITHDRAWN: "withdrawn",
        S.CANCELLED: "cancelled",
        S.PREPARED: "prepared",
        S.EXPIRED: "expired",
    }
    if key := now.get(request.state):
        events.append(Event(request.changed_at, key, None, Sentence.from_json(request.sentence)))
    if request.done_at:
        events.append(Event(request.done_at, "done"))
    return sorted(events + _activation_events(whole.activation), key=lambda event: event.at, reverse=True)


def _activation_events(activation: Activation) -> list[Event]:
    events = [Event(activation.sent_at, "activation_sent")] if activation.sent_at else []
    if activation.used_at:
        events.append(Event(activation.used_at, "activation_used"))
    if activation.state == "expired" and activation.expires_at:
        events.append(Event(activation.expires_at, "activation_expired"))
    return events


def _decision(request: OnboardingRequest, stage: Stage) -> Step:
    if decision := stage.decision:
        who = decision.decided_by.name if decision.decided_by else decision.rule
        return Step("decision", "done" if decision.verdict == "approve" else "failed", decision.at, who, note=decision.reason or None)
    status = "skipped" if request.state in ENDED else "running" if stage.state == "open" else "planned"
    return Step("decision", status, due=stage.due_at.astimezone(PRAGUE).date(), note=stage.group_name)


def _made(whole: Whole, key: str) -> Step:
    """One step out of the effects that belong to it."""
    names = PARTS[key]
    present = [effect for name in names if (effect := whole.effects.get(name))]
    status = step_status(whole, key)
    last = max(present, key=lambda effect: effect.changed_at, default=None)
    stuck = next((effect for effect in present if effect.state not in FINISHED), None)
    parts = {part: _status(whole, [name for name in names if names[name] == part]) for part in dict.fromkeys(names.values())}
    return Step(
        key,
        status,
        at=last.changed_at if last else None,
        attempt=stuck.tries if stuck else None,
        of=stuck.tries_at_most if stuck else None,
        next_at=stuck.next_try if stuck else None,
        problem=Sentence.from_json(stuck.sentence) if stuck else None,
        parts=[{"key": part, "status": each} for part, each in parts.items()] if len(parts) > 1 else [],
    )


def step_status(whole: Whole, key: str) -> str:
    return _status(whole, list(PARTS[key]))


def _status(whole: Whole, names: Sequence[str]) -> str:
    """planned, running, retry, failed, done or skipped."""
    present = [effect for name in names if (effect := whole.effects.get(name))]
    if len(present) == len(names) and all(effect.state in FINISHED for effect in present):
        return "done"
    if whole.request.state in ENDED:
        return "skipped"
    if any(effect.state is E.FAILED for effect in present):
        return "failed"
    if any(effect.next_try for effect in present):
        return "retry"
    return "running" if present and whole.request.state is S.RUNNING else "planned"


def _start_day(whole: Whole, day: date) -> Step:
    status = step_status(whole, "start_day")
    at = next((effect.changed_at for effect in whole.effects.values() if effect.name in PARTS["start_day"]), None)
    return Step("start_day", "running" if whole.request.state is S.PREPARED else status, at, due=day)


def _result(whole: Whole, key: str, also: str | None = None) -> dict[str, Any]:
    names = [*PARTS[key], *([also] if also else [])]
    present = [effect for name in names if (effect := whole.effects.get(name))]
    status = _status(whole, names)
    at = max((effect.changed_at for effect in present), default=None)
    began = min((effect.started_at for effect in present), default=None)
    return {"status": status, "at": at, "seconds": (at - began).total_seconds() if at and began and status == "done" else None}


def _effect(whole: Whole, name: str) -> Effect | None:
    found = whole.effects.get(name)
    return found if found and found.state in FINISHED else None


def _finished(whole: Whole) -> bool:
    return whole.request.state in ENDED or (whole.request.state is S.DONE and whole.activation.state in ("used", "none"))


def _until(request: OnboardingRequest, stage: Stage | None) -> datetime | date | None:
    if request.state is S.WAITING_APPROVAL and stage:
        return stage.due_at.astimezone(PRAGUE).date()
    return request.start_day if request.state is S.PREPARED else request.next_try


def _seconds(request: OnboardingRequest) -> float | None:
    """From the last approval to the end; a start day that was waited for does not count as time of work."""
    decided = [stage.decision.at for stage in request.stages if stage.decision]
    return (request.done_at - max(decided)).total_seconds() if request.done_at and decided else None


NO_LINK_LIVES = frozenset({"expired", "bounced", "used"})


def may_send_again(whole: Whole, by: Caller) -> bool:
    """Whether the page offers a new link; `send_new_link` decides again."""
    return whole.request.state is S.DONE and whole.activation.state in NO_LINK_LIVES and not by.roles


def why_refused(whole: Whole) -> Sentence | None:
    decision = next((stage.decision for stage in whole.request.stages if stage.decision and stage.decision.verdict == "refuse"), None)
    return say("Refused: %(reason)s", reason=decision.reason) if decision else None
