"""How far one request is, as its page says it: what exists, what is proved, who has it now. Read from our own rows only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnClause, column, select, table
from sqlalchemy.orm import Session, joinedload, selectinload

from flows.approval.course import ENDED, EXECUTED, FINISHED, LINK, PARTS, Activation, Step, Whole, status_of, timeline
from flows.approval.people import Caller
from flows.approval.refusals import NotFound
from flows.approval.request_rows import WITH_PEOPLE, full_name, holder, open_stage, open_stages
from flows.approval.sight import requests_seen
from flows.approval.versions import Return
from flows.model import Decision, Effect, EffectState, OnboardingRequest, RequestState, RequestVersion, Stage
from flows.plan import GIGABYTE
from flows.sentence import Sentence, say
from flows.settings import load
from flows.words import PRAGUE

S = RequestState

_SEEN = ("request_id", "state", "links_sent", "sent_at", "expires_at", "ended_at", "second_factors")
_columns: list[ColumnClause[Any]] = [column(name) for name in _SEEN]
activation_progress = table("activation_progress", *_columns)  # a view: without the address


@dataclass(frozen=True)
class Event:
    at: datetime
    key: str
    by: Sentence | str | None = None
    note: Sentence | str | None = None
    group: str | None = None  # whose step it was


NO_ACTIVATION = Activation("none")


def find(session: Session, by: Caller, number: str) -> Whole:
    """Raises NotFound for what is not there and for what is not this person's, alike."""
    wanted = select(OnboardingRequest).where(OnboardingRequest.number == number, requests_seen(session, by))
    people = (joinedload(Decision.decided_by), joinedload(Decision.deputised_for))
    answers = selectinload(Stage.decisions).options(*people)
    carried = joinedload(Stage.carried_from).selectinload(Stage.decisions).options(*people)
    stages = selectinload(OnboardingRequest.stages).options(joinedload(Stage.request), joinedload(Stage.holder), answers, carried)
    request = session.scalars(wanted.options(*WITH_PEOPLE, stages)).one_or_none()
    if request is None:
        raise NotFound
    effects = session.scalars(select(Effect).where(Effect.request_id == request.id).order_by(Effect.started_at))
    versions = session.scalars(select(RequestVersion).where(RequestVersion.request_id == request.id).order_by(RequestVersion.version))
    return Whole(request, {effect.name: effect for effect in effects}, activation_of(session, request), versions.all())


def activation_of(session: Session, request: OnboardingRequest) -> Activation:
    return activations_of(session, [request]).get(request.id, NO_ACTIVATION)


def activations_of(session: Session, requests: Sequence[OnboardingRequest]) -> dict[UUID, Activation]:
    wanted = select(activation_progress).where(activation_progress.c.request_id.in_([request.id for request in requests]))
    found: dict[UUID, Activation] = {}
    for row in session.execute(wanted).mappings():
        used, bounced = (row["ended_at"] if row["state"] == state else None for state in ("used", "bounced"))
        found[row["request_id"]] = Activation(row["state"], row["sent_at"], used, row["expires_at"], row["second_factors"] > 1, bounced)
    return found


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
        "access": content.get("access", "standard"),
        "quota_gb": content.get("quota_gb"),
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
        "also": [each.group_name for each in open_stages(request)[1:] if not each.opinion] if request.state is S.WAITING_APPROVAL else [],
        "until": _until(request, stage),
        "fallback": "it" if request.state in (S.APPROVED, S.RUNNING, S.WAITING_RETRY, S.PREPARED) else None,
        "done_steps": sum(step.status == "done" for step in executed),
        "all_steps": len(executed),
        "current": current.key if current else None,
        "attempt": {"n": current.attempt, "of": current.of, "next_at": current.next_at} if current and current.attempt else None,
        "problem": _problem(request, current),
        "held_up": held_up(request),
        "ended": request.state in ENDED,
        "begun": bool(whole.effects),
        "seconds": _seconds(request),
        "steps": steps,
        "results": results(whole),
    }


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
            **snapshots(),
        },
    }


def snapshots() -> dict[str, Any]:
    """When the backup is made and how many days it is kept, as the agents are set."""
    kept = load().snapshots
    return {"nightly": kept.nightly, "keep_days": kept.keep_daily}


def history(whole: Whole) -> list[Event]:
    """What happened, newest first, as far as our rows remember moments."""
    request, events = whole.request, list[Event]()
    for version in whole.versions:
        if version.renewed_for:
            events += [Event(version.at, "renewed", None, Sentence.from_json(each)) for each in version.renewed_for["changes"]]
        else:
            events.append(Event(version.at, "filed" if version.version == 1 else "filed_again", request.requester.name))
    for stage in request.stages:
        for decision in stage.decisions:
            key = {"approve": "approved", "refuse": "refused", "return": "returned", "opinion": "opinion"}[decision.verdict]
            events.append(Event(decision.at, key, _who(decision), decision.reason or None, stage.group_name))
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


def _who(decision: Decision) -> Sentence | str | None:
    """A person, a person for somebody absent, or the rule."""
    if decision.decided_by is None:
        return say("by the rule %(rule)s", rule=decision.rule)
    if decision.deputised_for:
        return say("%(who)s, standing in for %(absent)s", who=decision.decided_by.name, absent=decision.deputised_for.name)
    return decision.decided_by.name


def _activation_events(activation: Activation) -> list[Event]:
    events = [Event(activation.sent_at, "activation_sent")] if activation.sent_at else []
    if activation.used_at:
        events.append(Event(activation.used_at, "activation_used"))
    if activation.bounced_at:
        events.append(Event(activation.bounced_at, "activation_bounced"))
    if activation.state == "expired" and activation.expires_at:
        events.append(Event(activation.expires_at, "activation_expired"))
    return events


def _result(whole: Whole, key: str, also: str | None = None) -> dict[str, Any]:
    names = [*PARTS[key], *([also] if also else [])]
    present = [effect for name in names if (effect := whole.effects.get(name))]
    status = status_of(whole, names)
    at = max((effect.changed_at for effect in present), default=None)
    began = min((effect.started_at for effect in present), default=None)
    return {"status": status, "at": at, "seconds": (at - began).total_seconds() if at and began and status == "done" else None}


def _effect(whole: Whole, name: str) -> Effect | None:
    found = whole.effects.get(name)
    return found if found and found.state in FINISHED else None


def _finished(whole: Whole) -> bool:
    return whole.request.state in ENDED or (whole.request.state is S.DONE and whole.activation.state in ("used", "none"))


def held_up(request: OnboardingRequest) -> bool:
    """Nobody is left who may decide it now: no day can be promised, and the region has been told (`reminding`)."""
    return request.state is S.WAITING_APPROVAL and any(stage.nobody and not stage.opinion for stage in open_stages(request))


def _problem(request: OnboardingRequest, current: Step | None) -> Sentence | None:
    """Of a request that was taken back the trouble is nobody's any more, although its row still names it."""
    if request.state is S.WITHDRAWN:
        return None
    return Sentence.from_json(request.sentence) or (current.problem if current else None)


def _until(request: OnboardingRequest, stage: Stage | None) -> datetime | date | None:
    if request.state in ENDED or held_up(request):
        return None
    if request.state is S.WAITING_APPROVAL and stage:
        return stage.due_at.astimezone(PRAGUE).date()
    return request.start_day if request.state is S.PREPARED else request.next_try


def _seconds(request: OnboardingRequest) -> float | None:
    """From the last approval to the end; None where a first day was waited for in between: that was no time of work."""
    decided = [stage.decision.at for stage in request.stages if stage.decision and stage.decision.verdict == "approve"]
    if not request.done_at or not decided or (request.start_day and request.start_day > max(decided).astimezone(PRAGUE).date()):
        return None
    return (request.done_at - max(decided)).total_seconds()


NO_LINK_LIVES = frozenset({"expired", "bounced", "used"})


def may_send_again(whole: Whole, by: Caller) -> bool:
    """Whether the page offers a new link; `send_new_link` decides again."""
    link = whole.effects.get(LINK)
    given_up = whole.activation.state == "pending" and link is not None and link.state is EffectState.FAILED
    return whole.request.state is S.DONE and (whole.activation.state in NO_LINK_LIVES or given_up) and not by.roles


def returned(whole: Whole) -> Return | None:
    """What the applicant is asked to correct, while that is so."""
    if whole.request.state is not S.RETURNED:
        return None
    decided = [stage.decision for stage in whole.request.stages if stage.decision and stage.decision.verdict == "return"]
    return Return.of(max(decided, key=lambda decision: decision.at))
