"""One record per decision and change of state. The database chains them by hash and lets nobody change or remove one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from flows.model import Audit


@dataclass(frozen=True)
class Actor:
    """Who did it: a person, or a part of the product (`person` is None)."""

    name: str
    person: UUID | None = None


def record(session: Session, by: Actor, action: str, request: UUID | None, facts: Mapping[str, Any]) -> None:
    """Appends to the chain in the same transaction. `facts` must hold no personal data beyond ids and states."""
    values = {"actor": by.name, "actor_id": by.person, "action": action, "request_id": request, "facts": dict(facts)}
    session.execute(insert(Audit.__table__).values(values).inline())  # pyright: ignore[reportArgumentType] - no RETURNING: the writer may not read
