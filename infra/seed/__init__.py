"""The cast of the demo: planted at every start, changed by none but the first."""

from dataclasses import dataclass

from flows.model.session import transaction
from infra.operating import operating
from infra.seed.cast import cast
from infra.seed.credentials import known, set_credentials
from infra.seed.rows import link_logins, plant_rows
from infra.seed.served import serve
from infra.servers.realm import REALM
from infra.state import State


@dataclass(frozen=True)
class LogIn:
    """How one of the cast logs in; `key` is the second factor's, in base32. `organisation` is empty for the region."""

    name: str
    role: str
    organisation: str
    user_name: str
    address: str
    password: str
    key: str


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


def log_ins(state: State) -> list[LogIn]:
    """The cast with its credentials; empty before the first seed."""
    kept = known(state)
    return [
        LogIn(
            who.name,
            who.role,
            who.place.name if who.place else "",
            who.user_name,
            who.address,
            kept[who.user_name].password,
            kept[who.user_name].secret,
        )
        for who in cast().members
        if who.user_name in kept
    ]
