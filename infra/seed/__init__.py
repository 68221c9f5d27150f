"""The cast of the demo: planted at every start, changed by none but the first."""

from flows.model.session import transaction
from infra.operating import operating
from infra.seed.cast import cast
from infra.seed.credentials import set_credentials
from infra.seed.log_ins import LogIn, log_ins, table
from infra.seed.rows import link_logins, plant_rows
from infra.seed.served import serve
from infra.servers.realm import REALM
from infra.state import State

__all__ = ["LogIn", "log_ins", "plant", "table"]


def plant(state: State) -> None:
    """Two organisations and thirteen people in the portal, Keycloak, mail and backup. May be repeated; needs all servers, both agents."""
    people = cast()
    with operating(state):
        with transaction() as session:
            plant_rows(session, people)
        accounts = serve(people)
        set_credentials(state, accounts)
        with transaction() as session:
            link_logins(session, f"{state.address('keycloak')}/realms/{REALM}", accounts)
