"""A policy in plain words, for the operator who reads what it would do. English, like the file itself."""

from flows.approval.policy import Condition, Facts, Policy, StageRule


def route_lines(policy: Policy) -> list[str]:
    """Every kind with its stages, first to last, and what is said of standard hires."""
    lines: list[str] = []
    for kind, rules in policy.route.items():
        lines.append(f"{kind}:")
        lines += [f"  step {rule.step}: {stage(rule)}" for rule in sorted(rules, key=lambda rule: rule.step)]
    hires = policy.standard_hires
    how = f"on, {hires.sample_percent} % are looked at afterwards; {conditions(hires.when)}" if hires.enabled else "off"
    return [*lines, f"approval of standard hires by a rule: {how}"]


def stage(rule: StageRule) -> str:
    """region-it decides within 3 working days; then founder if nobody is left; always"""
    several = f"decides with {rule.deciders} different people" if rule.deciders > 1 else "decides"
    parts = [f"{rule.group.value} {'gives an opinion' if rule.opinion else several} within {_days(rule.working_days)}"]
    if rule.fallback:
        parts.append(f"{rule.fallback.value} instead when nobody of them is left")
    if not rule.deputies:
        parts.append("no deputies")
    if not rule.different_people:
        parts.append("may be somebody who answered another step")
    return "; ".join([*parts, conditions(rule.when)])


def conditions(when: tuple[Condition, ...]) -> str:
    return "always" if not when else "only when " + ", or when ".join(map(condition, when))


def condition(wanted: Condition) -> str:
    """the contract is external and it is longer than 365 days"""
    parts: list[str] = []
    if wanted.contract is not None:
        parts.append(f"the contract is {' or '.join(wanted.contract)}")
    if wanted.filed_by is not None:
        parts.append(f"it is filed by the {' or '.join(wanted.filed_by)}")
    for name, words in (("privileged", "privileged"), ("above_envelope", "above the envelope"), ("destructive", "destructive")):
        if (said := getattr(wanted, name)) is not None:
            parts.append(f"it is {'' if said else 'not '}{words}")
    if wanted.longer_than_days is not None:
        parts.append(f"it is longer than {wanted.longer_than_days} days")
    if wanted.batch_larger_than is not None:
        parts.append(f"the batch is larger than {wanted.batch_larger_than}")
    return " and ".join(parts)


def why(rule: StageRule, facts: Facts) -> str:
    """Why a stage is asked about a request with these facts, or why not."""
    if not rule.when:
        return "asked, because it always is"
    held = [condition(each) for each in rule.when if each.holds(facts)]
    if held:
        return f"asked, because {' and because '.join(held)}"
    return f"not asked: it would be only when {', or when '.join(map(condition, rule.when))}"


def facts_lines(facts: Facts) -> list[str]:
    days = "without an end" if facts.days is None else f"{facts.days} days"
    return [
        f"contract: {facts.contract or 'unknown'}, {days}",
        f"filed by: {facts.filed_by or 'unknown'}",
        f"privileged: {_yes(facts.privileged)}",
        f"above the envelope: {_yes(facts.above_envelope)}",
        f"destructive: {_yes(facts.destructive)}",
        f"in the batch: {facts.batch}",
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _days(many: int) -> str:
    return "1 working day" if many == 1 else f"{many} working days"
