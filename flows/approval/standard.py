"""Approval of a standard hire by a rule of the policy instead of a person: off by default, and a share of them is looked at afterwards."""

import secrets

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from flows.approval.audit import Actor, record
from flows.approval.people import Caller
from flows.approval.policy import StandardHires
from flows.approval.stages import open_next
from flows.approval.verdicts import approved
from flows.model import OnboardingRequest, Sample


def approve(session: Session, request: OnboardingRequest, rule: StandardHires, by: Caller) -> None:
    """Every stage in turn; the database asks once more whether the rule may. The decision names rule and policy, and no person."""
    rules = Actor(f"rule {rule.rule}", by.person)  # said by its own name: the applicant files here and approves nothing
    while opened := [stage for stage in open_next(session, request, by.actor, tell=False) if stage.state == "open" and not stage.opinion]:
        for stage in opened:
            session.scalar(select(func.approve_by_rule(stage.id, rule.rule)))
            stage.state, stage.ended_at = "approved", func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]
            facts = {
                "stage": stage.position,
                "version": stage.version,
                "verdict": "approve",
                "rule": rule.rule,
                "policy": request.policy_hash,
                "plan": request.plan_hash,
            }
            record(session, rules, "stage.decided", request.id, facts)
        session.flush()
    if secrets.randbelow(100) < rule.sample_percent:  # not by anything that the applicant sees before filing, who could then choose
        session.execute(insert(Sample).values(request_id=request.id).inline())  # no RETURNING: the applicant may not read it
    approved(session, request, rules)
