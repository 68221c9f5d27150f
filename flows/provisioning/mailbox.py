"""The person's mailbox."""

from flows.connectors import registry
from flows.connectors.base import Held, System
from flows.provisioning.steps import effect
from flows.provisioning.work import Work


@effect(System.MAIL, "ensure mailbox")
def ensure_mailbox(work: Work, _account: Held) -> Held:
    return registry.mail().ensure(work.plan.mailbox)
