"""Why a request is asked where it is asked: its facts, every rule of its policy with the reason, and what the active policy would ask."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows.approval import policies, policy_words
from flows.approval.employee import NewEmployee
from flows.approval.facts import facts_of
from flows.approval.policy import Facts, Kind, Policy
from flows.approval.refusals import NotFound
from flows.model import OnboardingRequest, RequestState, Stage

OPEN = frozenset({RequestState.WAITING_APPROVAL, RequestState.RETURNED})  # may still be asked anew


def lines(session: Session, number: str) -> list[str]:
    """English, for the operator. Raises NotFound, and NoLongerOpen when no policy is active."""
    request = session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == number)).one_or_none()
    if request is None:
        raise NotFound
    return [*_then(session, request), "", *_stages(session, request), "", *_now(session, request)]


def _then(session: Session, request: OnboardingRequest) -> list[str]:
    head = f"{request.number}, {request.kind}, version {request.version}, {request.state.value}"
    policy = policies.of_hash(session, request.policy_hash)
    if policy is None:
        return [head, "It was filed before there was a policy."]
    facts = Facts.from_json(request.facts)
    return [
        head,
        *policy_words.facts_lines(facts),
        "",
        f"Its policy: version {policy.version}, {request.policy_hash}",
        *_asked(policy, request, facts),
    ]


def _stages(session: Session, request: OnboardingRequest) -> list[str]:
    """Who is asked as it stands: also a group that is asked because the first one has nobody."""
    mine = select(Stage).where(Stage.request_id == request.id, Stage.version == request.version).order_by(Stage.position)
    told = [
        f"  step {stage.step} {stage.group_name}"
        + (f" instead of {stage.fallback_from}, which has nobody" if stage.fallback_from else "")
        + f": {stage.state}"
        + (", and nobody may decide it now" if stage.nobody and stage.state == "open" else "")
        for stage in session.scalars(mine)
    ]
    return ["As it stands:", *told] if told else ["Nobody has been asked yet."]


def _now(session: Session, request: OnboardingRequest) -> list[str]:
    policy, digest = policies.active(session)
    fresh = request.state in OPEN
    facts = facts_of(session, request, NewEmployee.from_json(request.content)) if fresh else Facts.from_json(request.facts)
    kept = Facts.from_json(request.facts)
    same = digest == request.policy_hash and facts == kept
    if same:
        return ["The active policy is the same, and would ask the same now."]
    seen = "the facts of today" if fresh and facts != kept else "the same facts"
    head = f"The active policy (version {policy.version}, {digest}) with {seen}:"
    return [head, *(policy_words.facts_lines(facts) if facts != kept else []), *_asked(policy, request, facts)]


def _asked(policy: Policy, request: OnboardingRequest, facts: Facts) -> list[str]:
    kind: Kind = request.kind  # pyright: ignore[reportAssignmentType] - the database holds the kinds that the policy knows
    if policy.standard_hires.allows(facts):
        return [f"  approved by the rule {policy.standard_hires.rule} instead of a person"]
    rules = sorted(policy.route[kind], key=lambda rule: rule.step)
    return [f"  step {rule.step} {rule.group.value}: {policy_words.why(rule, facts)}" for rule in rules]
