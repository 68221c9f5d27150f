"""Done means proved: a message arrived, and that very message came back from the snapshot of the real mailbox, byte for byte."""

from flows.connectors import registry
from flows.connectors.base import Conflict, Held, System
from flows.provisioning.steps import effect
from flows.provisioning.work import Work
from flows.sentence import say


@effect(System.MAIL, "message comes back", proves=True)
def message_comes_back(work: Work, _mailbox: Held) -> Held:
    """Sent by SMTP, read by IMAP through the folder Overeni; it stays there for the next proof."""
    seen = registry.mail().message_comes_back(work.plan.mailbox.address)
    return Held(seen.message_id, created=True, facts={"sha256": seen.sha256, "size": seen.size, "seconds": round(seen.seconds, 3)})


@effect(System.BACKUP, "message is restored", proves=True)
def message_is_restored(work: Work, message: Held) -> Held:
    """A snapshot of the mailbox as it is, and the message out of it. Different bytes are an alarm, not a retry."""
    restored = registry.backup().message_is_restored(work.plan.enrolment, message.remote_id)
    if restored.sha256 != message.facts["sha256"]:
        raise Conflict(
            say("The message from the backup differs from the one that arrived. The backup must not be trusted until this is explained."),
            restored.snapshot,
        )
    facts = {"snapshot": restored.snapshot, "sha256": restored.sha256, "size": restored.size, "seconds": round(restored.seconds, 3)}
    return Held(restored.snapshot, created=True, facts=facts)


@effect(System.MAIL, "remove proof message")
def remove_message(work: Work, message: Held) -> Held:
    """The person finds an empty mailbox."""
    registry.mail().remove_message(work.plan.mailbox.address, message.remote_id)
    return Held(message.remote_id)
