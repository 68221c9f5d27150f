"""When the world changed under a waiting request: what changed, and the next version, made by the portal itself.

An approval whose inputs are the same counts on; the others are asked again. Nobody's answer is kept for a plan that was not shown.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval import colleague, hashes, policies, verdicts
from flows.approval.audit import record
from flows.approval.employee import NewEmployee
from flows.approval.facts import facts_of
from flows.approval.people import Caller
from flows.approval.policy import Facts, Kind
from flows.approval.stages import asked_first, close_rest, inputs_of, lay_out, of_version
from flows.model import OnboardingRequest, RequestVersion, ReservedName, Stage
from flows.plan import Plan
from flows.sentence import Sentence, say


def changes(session: Session, request: OnboardingRequest) -> list[Sentence]:
    """What is no longer as it was when this version was made, and matters to its approval. Empty = the same."""
    found = [say("The user name or the address was given to somebody else meanwhile.")] if _names_lost(session, request) else []
    if _void(session, request):
        found.append(say("People who approved it turned out to be one person, so their step is asked again."))
    policy, digest = policies.active(session)
    facts, before = _facts(session, request), Facts.from_json(request.facts)
    wanted = [inputs_of(request, rule, facts) for rule in policy.stages(_kind(request), facts)]
    if wanted == [stage.inputs_hash for stage in of_version(session, request)]:
        return found
    if facts.above_envelope and not before.above_envelope:
        found.append(say("The envelope of the organisation was used up by other requests, so this one is above it now."))
    if before.above_envelope and not facts.above_envelope:
        found.append(say("The envelope of the organisation has room for this request again."))
    if digest != request.policy_hash:
        found.append(say("The rules of approval changed (version %(version)s).", version=policy.version))
    return found or [say("Other groups have to be asked than when the request was filed.")]


def renew(session: Session, request: OnboardingRequest, by: Caller, why: list[Sentence]) -> None:
    """The next version of a waiting request with the plan, facts, policy and stages of today. May approve it, when nobody is left."""
    stages = of_version(session, request)
    before = approved_before(session, request, stages)
    running = {asked_first(stage): stage for stage in stages if stage.state == "open"}
    close_rest(session, request)
    policy, digest = policies.active(session)
    facts = _facts(session, request)
    plan = _other_names(session, request) if _names_lost(session, request) else Plan.from_json(request.plan or {})
    # all in one statement: the database lets them change with the version only
    request.version, request.plan, request.plan_hash = request.version + 1, plan.as_json(), plan.hash
    request.facts, request.policy_hash = facts.as_json(), digest
    session.flush()
    keep_version(session, request, by, why)
    record(session, by.actor, "request.renewed", request.id, fingerprint(request))
    lay_out(session, request, policy.stages(_kind(request), facts), facts, carried=before, running=running)
    verdicts.go_on(session, request, by)
    for stage in of_version(session, request):  # nobody's question waits longer because the portal asks it anew
        if stage.state == "open" and (was := running.get(asked_first(stage))):
            stage.due_at = was.due_at
    session.flush()


def keep_version(session: Session, request: OnboardingRequest, by: Caller, why: list[Sentence] | None = None) -> None:
    """The version as it is now, for ever. `why`: what changed, when the portal made it and not the applicant."""
    session.add(
        RequestVersion(
            request_id=request.id,
            version=request.version,
            content=request.content,
            plan=request.plan or {},
            plan_hash=request.plan_hash or "",
            facts=request.facts or {},
            policy_hash=request.policy_hash,
            renewed_for={"changes": [each.as_json() for each in why]} if why else None,
            by_id=by.person,
        )
    )
    session.flush()


def fingerprint(request: OnboardingRequest) -> dict[str, Any]:
    """The version in the words of the audit: what was asked for, what will be made, by which policy, each by its hash."""
    return {
        "version": request.version,
        "content": hashes.of_json(request.content),
        "plan": request.plan_hash,
        "policy": request.policy_hash,
    }


def last_changes(session: Session, request: OnboardingRequest) -> list[Sentence]:
    """Why the portal made the newest version; empty when the applicant did."""
    mine = select(RequestVersion.renewed_for).where(RequestVersion.request_id == request.id, RequestVersion.version == request.version)
    kept = session.scalar(mine) or {}
    return [sentence for each in kept.get("changes", []) if (sentence := Sentence.from_json(each))]


def approved_before(session: Session, request: OnboardingRequest, stages: list[Stage]) -> dict[str, Stage]:
    """Approvals of the version as it is now that may count on, by the hash of their inputs."""
    void = _void(session, request)
    return {
        stage.inputs_hash: stage
        for stage in stages
        if stage.state == "approved" and not stage.opinion and stage.inputs_hash and stage.id not in void
    }


def _void(session: Session, request: OnboardingRequest) -> set[UUID]:
    """Stages whose approval counts no more, because two of the people are one human as we know now."""
    return set(session.scalars(select(func.void_approvals(request.id).column_valued())))


def _facts(session: Session, request: OnboardingRequest) -> Facts:
    return facts_of(session, request, NewEmployee.from_json(request.content))


def _kind(request: OnboardingRequest) -> Kind:
    return request.kind  # pyright: ignore[reportReturnType] - the database holds the kinds that the policy knows


def _names_lost(session: Session, request: OnboardingRequest) -> bool:
    """Whether the names of the plan are no longer kept for its person."""
    account = Plan.from_json(request.plan or {}).account
    mine = (
        select(func.count())
        .select_from(ReservedName)
        .where(ReservedName.person_id == account.person, ReservedName.name.in_((account.user_name, account.email)))
    )
    return session.scalar(mine) != 2


def _other_names(session: Session, request: OnboardingRequest) -> Plan:
    """The plan with the first free names for the same person."""
    return colleague.rename(session, request, NewEmployee.from_json(request.content))
