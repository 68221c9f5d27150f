"""The operator's word on who decides for the region: the only way into the table `regional_role`."""

import getpass
from datetime import date

import psycopg

from infra.progress import Trouble
from infra.servers import postgres
from infra.state import State


def grant(state: State, email: str, role: str, until: str | None = None) -> str:
    """Grants the role to the person with that work address, from today; a sentence of what was done. A repeat changes nothing."""
    last_day = date.fromisoformat(until) if until else None
    with psycopg.connect(postgres.dsn(state, "postgres", "portal")) as db:
        person = db.execute("SELECT id FROM person WHERE lower(email) = lower(%s)", (email,)).fetchone()
        if person is None:
            raise Trouble(f"Nobody with the address {email} is known here: the person has to exist in the portal first.")
        held = db.execute(
            "SELECT 1 FROM regional_role WHERE person_id = %s AND role = %s AND coalesce(valid_until, 'infinity') >= current_date",
            (person[0], role),
        ).fetchone()
        if held:
            return f"{email} already holds the role {role}"
        db.execute(
            "INSERT INTO regional_role (id, person_id, role, valid_until, granted_by) VALUES (gen_random_uuid(), %s, %s, %s, %s)",
            (person[0], role, last_day, getpass.getuser()),
        )
    return f"{email} holds the role {role} {f'until {last_day}' if last_day else 'until it is taken away'}"
