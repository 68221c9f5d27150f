"""The course of a request: the steps that a person reads, out of the effects that the ledger names by system and verb."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from flows.model import Effect, EffectState, OnboardingRequest, RequestState, RequestVersion, Stage
from flows.sentence import Sentence, say
from flows.words import PRAGUE

S, E = RequestState, EffectState
FINISHED = frozenset({E.HELD, E.PROVED, E.BY_HAND})
ENDED = frozenset({S.REFUSED, S.WITHDRAWN, S.EXPIRED, S.CANCELLED})
LINK = "keycloak.send activation link"
NOBODY = say("Nobody of this group can decide it now.")

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
    "activation": {LINK: "activation"},
}
STEP_OF: Mapping[str, str] = {effect: step for step, effects in PARTS.items() for effect in effects}
EXECUTED = ("account", "mailbox", "backup", "proof", "activation")


@dataclass(frozen=True)
class Activation:
    """How far the activation link is. Never the address."""

    state: str
    sent_at: datetime | None = None
    used_at: datetime | None = None
    expires_at: datetime | None = None
    second_otp: bool = False
    bounced_at: datetime | None = None


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
    verdict: str | None = None  # of a decision: approve, refuse, return, opinion; `ask_opinion` while one is waited for


@dataclass(frozen=True)
class Whole:
    """A request with everything its page shows."""

    request: OnboardingRequest
    effects: Mapping[str, Effect]
    activation: Activation
    versions: Sequence[RequestVersion] = ()


def filed_at(whole: Whole) -> datetime | None:
    """When the applicant filed what is asked for now: a correction is filed anew, a plan that the portal made anew is not."""
    return max((each.at for each in whole.versions if not each.renewed_for), default=whole.request.submitted_at)


def timeline(whole: Whole) -> list[Step]:
    """Filing, decisions, then what is made and proved; the first day of work only when it was ahead.

    Of a request that has ended only what was done: nobody waits for the rest any more.
    """
    steps = _steps(whole)
    return [step for step in steps if step.status != "skipped" or step.at] if whole.request.state in ENDED else steps


def _steps(whole: Whole) -> list[Step]:
    request, filed = whole.request, filed_at(whole)
    steps = [Step("filed", "done", filed, request.requester.name)]
    steps += [_decision(request, stage) for stage in request.stages if stage.version == request.version]
    steps += [_made(whole, key) for key in ("account", "mailbox", "backup", "proof")]
    if filed and request.start_day and request.start_day > filed.astimezone(PRAGUE).date():
        steps.append(_start_day(whole, request.start_day))
    return [*steps, _made(whole, "activation")]


def _decision(request: OnboardingRequest, stage: Stage) -> Step:
    if decision := stage.decision:
        who = decision.decided_by.name if decision.decided_by else decision.rule
        status = "done" if decision.verdict in ("approve", "opinion") else "failed"
        return Step("decision", status, decision.at, who, note=decision.reason or None, verdict=decision.verdict)
    status = "skipped" if request.state in ENDED or stage.state == "closed" else "running" if stage.state == "open" else "planned"
    asked, stuck = "ask_opinion" if stage.opinion else None, NOBODY if status == "running" and stage.nobody else None
    return Step("decision", status, due=stage.due_at.astimezone(PRAGUE).date(), problem=stuck, note=stage.group_name, verdict=asked)


def _made(whole: Whole, key: str) -> Step:
    """One step out of the effects that belong to it."""
    names = PARTS[key]
    present = [effect for name in names if (effect := whole.effects.get(name))]
    status = step_status(whole, key)
    last = max(present, key=lambda effect: effect.changed_at, default=None)
    stuck = next((effect for effect in present if effect.state not in FINISHED), None) if status != "skipped" else None
    parts = {part: status_of(whole, [name for name in names if names[name] == part]) for part in dict.fromkeys(names.values())}
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
    return status_of(whole, list(PARTS[key]))


def status_of(whole: Whole, names: Sequence[str]) -> str:
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
