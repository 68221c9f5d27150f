"""The cast on the servers, through the same connectors that serve everybody else: found again by our ids, made when missing."""

from concurrent.futures import ThreadPoolExecutor

from flows.connectors import registry
from flows.plan import GIGABYTE, Account, Mailbox, MailDomain, Membership, OrganisationSpace, Tenant
from infra.seed.cast import Cast, Member, Place

AT_ONCE = 4  # more calls at once do not make two cores faster
QUOTA = 5 * GIGABYTE


def serve(cast: Cast) -> dict[Member, str]:
    """Organisations, mail domains and tenants, then accounts, memberships and mailboxes. Answers everybody's id in the identity server."""
    for place in cast.places:
        _organisation(place)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tenants = [pool.submit(registry.backup().ensure_tenant, Tenant(place.id, place.slug)) for place in cast.places]
        accounts = dict(zip(cast.members, pool.map(_member, cast.members), strict=True))
        for tenant in tenants:
            tenant.result()
    return accounts


def _organisation(place: Place) -> None:
    registry.identity().ensure_organisation(OrganisationSpace(place.id, place.slug, place.name, place.domain))
    registry.mail().ensure_domain(MailDomain(place.id, place.domain))


def _member(member: Member) -> str:
    identity = registry.identity()
    account = identity.ensure(Account(member.id, member.user_name, member.address, member.given_name, member.family_name))
    if member.place:
        identity.ensure_membership(Membership(member.id, member.place.id))
    registry.mail().ensure(Mailbox(member.id, member.address, QUOTA))
    return account.remote_id
