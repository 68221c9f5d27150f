"""The person's account and the place in their organisation."""

from dataclasses import replace

from sqlalchemy import select

from flows.connectors import registry
from flows.connectors.base import Conflict, Held, System
from flows.model import LoginAccount, ReservedName
from flows.provisioning.steps import effect
from flows.provisioning.work import Work
from flows.sentence import say
from flows.settings import Keycloak, load


@effect(System.PORTAL, "names are ours")
def names_are_ours(work: Work) -> Held:
    """The names that the applicant saw are still reserved for this person; nothing is created under a name that is not."""
    account = work.plan.account
    with work.fenced() as session:
        mine = set(session.scalars(select(ReservedName.name).where(ReservedName.person_id == account.person)))
    if not {account.user_name, account.email} <= mine:
        raise Conflict(say("The user name or the address is no longer reserved for this person."), "reserved_name")
    return Held(account.user_name, created=False, facts={"user_name": account.user_name, "address": account.email})


@effect(System.KEYCLOAK, "ensure account")
def ensure_account(work: Work) -> Held:
    """Made without a password; disabled as long as the first day of work is ahead."""
    return registry.identity().ensure(replace(work.plan.account, enabled=work.started))


@effect(System.PORTAL, "link log-in")
def link_login(work: Work, account: Held) -> Held:
    """From now on the portal knows who it is that logs in with this account: by issuer and subject."""
    keycloak = load().need(Keycloak)
    issuer = keycloak.issuer or f"{keycloak.address}/realms/{keycloak.realm}"
    with work.fenced() as session:
        known = session.get(LoginAccount, (issuer, account.remote_id))
        if known is None:
            session.add(LoginAccount(issuer=issuer, subject=account.remote_id, person_id=work.plan.account.person, linked_by=work.number))
    if known and known.person_id != work.plan.account.person:
        raise Conflict(say("This account already belongs to another person of the portal."), "login_account")
    return Held(account.remote_id, created=known is None)


@effect(System.KEYCLOAK, "ensure membership")
def ensure_membership(work: Work, _account: Held) -> Held:
    return registry.identity().ensure_membership(work.plan.membership)


@effect(System.KEYCLOAK, "open account")
def open_account(work: Work, _account: Held) -> Held:
    """On the first day of work the account is enabled; one that was never disabled is only looked at."""
    return registry.identity().ensure(replace(work.plan.account, enabled=True))
