"""The operator's word on who decides for the region: the realm role in Keycloak and the row in `regional_role` count only together."""

from datetime import date

from flows.approval import known, operator
from flows.approval.people import Regional
from flows.model.session import transaction
from infra.operating import operating
from infra.progress import Trouble
from infra.servers.realm import administrator, give_role
from infra.state import State


def grant(state: State, who: str, role: str, until: date | None = None, *, head: bool = False) -> str:
    """Grants the role to the person with that work address or id, from today; a sentence of what was done.

    `head`: of that group. A repeat changes nothing.
    """
    with operating(state), transaction() as session:
        people = known.known_as(session, who)
        if len(people) > 1:
            raise Trouble(
                f"{len(people)} people have the address {who}: give the id of the one who is meant, it stands on the person's page."
            )
        if not people:
            raise Trouble(f"Nobody with the address or id {who} is known here: the person has to exist in the portal first.")
        new = operator.grant(session, people[0].id, [Regional(role)], until, head=head)
        with administrator(state) as keycloak:
            give_role(keycloak, people[0].id, role)
    done = f"{people[0].email} now holds the role {role}" if new else f"{people[0].email} held the role {role} already"
    return f"{done} and is head of that group" if head else done
