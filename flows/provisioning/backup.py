"""The mailbox in the organisation's backup."""

from flows.connectors import registry
from flows.connectors.base import Held, System
from flows.provisioning.steps import effect
from flows.provisioning.work import Work


@effect(System.BACKUP, "ensure enrolment")
def ensure_enrolment(work: Work, _mailbox: Held) -> Held:
    return registry.backup().ensure(work.plan.enrolment)
