"""What one request of the running installation has made, counted at the servers themselves."""

from collections.abc import Mapping
from typing import Any

import httpx2
import psycopg

from flows.connectors import registry
from infra.servers import postgres, prefect, realm
from tests.faults.running import Running

ONE_OF_EACH = {
    "account": 1,
    "membership": 1,
    "request for the activation letter": 1,
    "activation letter": 1,
    "mailbox": 1,
    "enrolment": 1,
    "run in Prefect": 1,
    "letter that it is done": 1,
}
EVENTS = {
    "account": ("CREATE", "users/{account}"),
    "request for the activation letter": ("ACTION", "users/{account}/execute-actions-email"),
}


def remains(running: Running, number: str) -> Mapping[str, int]:
    """By kind, how often it was made; of things that a repeat would only find again, how many there are."""
    letters = httpx2.get(f"{running.state.address('catcher')}/letters.json", timeout=30).raise_for_status().json()
    to_newcomer = [letter for letter in letters if running.private[number] in letter["recipients"]]
    return {
        **_at_keycloak(running, number),
        "activation letter": len(to_newcomer),
        "mailbox": _count(running, "mail", "SELECT count(*) FROM mailbox WHERE external_id = %s", str(running.person(number))),
        "enrolment": _count(running, "portal", "SELECT count(*) FROM backup.enrolment WHERE person = %s", running.person(number)),
        "run in Prefect": len(runs_of(running, number)),
        "letter that it is done": _count(
            running,
            "portal",
            "SELECT count(*) FROM letter l JOIN onboarding_request q ON q.id = l.request_id WHERE l.kind = 'done' AND q.number = %s",
            number,
        ),
    }


def snapshots(running: Running, number: str) -> int:
    held = registry.backup().observe(running.person(number))
    return int(held.facts["snapshots"] or 0) if held else 0


def runs_of(running: Running, number: str) -> list[dict[str, Any]]:
    """As Prefect tells them: `run_count`, `state_name`, ..."""
    name, _, password = prefect.auth(running.state).partition(":")
    wanted = {"flow_runs": {"name": {"any_": [number]}}}
    asked = httpx2.post(f"{running.state.address('prefect')}/api/flow_runs/filter", json=wanted, auth=(name, password), timeout=30)
    return asked.raise_for_status().json()


def _at_keycloak(running: Running, number: str) -> dict[str, int]:
    """Counted in Keycloak's record of administration: what was made twice and removed would be seen too. It does not name members."""
    account = running.held(number, "keycloak.ensure account")
    with realm.administrator(running.state) as keycloak:
        events = {
            kind: keycloak.get("/admin-events", params={"operationTypes": deed, "resourcePath": path.format(account=account)})
            for kind, (deed, path) in EVENTS.items()
        }
        places = keycloak.get(f"/organizations/members/{account}/organizations").raise_for_status().json()
    return {kind: len(answer.raise_for_status().json()) for kind, answer in events.items()} | {"membership": len(places)}


def _count(running: Running, database: str, query: str, value: object) -> int:
    with psycopg.connect(postgres.dsn(running.state, "postgres", database)) as db:
        row = db.execute(query.encode(), (value,)).fetchone()
        return row[0] if row else 0
