"""The procedure for a new employee, as a clerk would check it."""

from prefect import flow

from flows.provisioning import activation, backup, identity, mailbox, proof
from flows.provisioning.procedure import procedure
from flows.provisioning.work import Work


@flow(name="onboard-employee", persist_result=False, validate_parameters=False)
@procedure
def onboard_employee(work: Work) -> None:
    """A new employee: from an approved request to a proved account, mailbox and backup. May be started again at any time."""
    identity.names_are_ours(work)
    account = identity.ensure_account(work)
    identity.link_login(work, account)
    identity.ensure_membership(work, account)
    box = mailbox.ensure_mailbox(work, account)
    backup.ensure_enrolment(work, box)
    message = proof.message_comes_back(work, box)
    proof.message_is_restored(work, message)
    proof.remove_message(work, message)
    work.wait_for_start_day()
    identity.open_account(work, account)
    activation.send_link(work, account)
