"""Asking an agent of the backup: a row in `backup.job`, and the wait for its answer.

The answer that was lost is asked for again under the same key: while the first job is open the second wish joins it, afterwards the
job is done anew, and every job may be done any number of times.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from flows.connectors import base
from flows.connectors.postgres import Database
from flows.sentence import Sentence, say

Agent = Literal["backup", "store"]
ERRORS: dict[str, type[base.ConnectorError]] = {
    error.__name__: error for error in (base.Unavailable, base.Gone, base.Conflict, base.Refused, base.Misconfigured)
}


@dataclass(frozen=True)
class Wish:
    """What one agent shall do for one organisation. The same `kind` and `subject` are the same wish."""

    agent: Agent
    kind: str
    organisation: UUID
    subject: str
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"


def ask(db: Database, wish: Wish, seconds: float) -> dict[str, Any]:
    """The agent's answer within that many seconds. `db` commits by itself. Raises what the agent met, Unavailable when it is silent."""
    db.execute("LISTEN backup_answer")  # before the wish, or an answer could be faster than the ear
    job = _job(db, wish)
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        row = db.execute("SELECT state, answer, failure FROM backup.job WHERE id = %s", (job,)).fetchone()
        if row and row["state"] == "done":
            return row["answer"]
        if row and row["state"] == "failed":
            raise _failure(row["failure"])
        for _ in db.notifies(timeout=min(left, 1), stop_after=1):  # the poll once a second is the net under a lost notification
            pass
    raise base.Unavailable(say("The agent of the backup has not answered."), f"{wish.agent} agent, job {job} ({wish.kind})")


def _job(db: Database, wish: Wish) -> int:
    while True:
        row = db.execute(
            "INSERT INTO backup.job (agent, kind, key, organisation, arguments) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (key) WHERE state IN ('wanted', 'taken') DO NOTHING RETURNING id",
            (wish.agent, wish.kind, wish.key, wish.organisation, Jsonb(dict(wish.arguments))),
        ).fetchone()
        row = row or db.execute("SELECT id FROM backup.job WHERE key = %s AND state IN ('wanted', 'taken')", (wish.key,)).fetchone()
        if row:
            return row["id"]  # else it was finished between the two statements: wish again


def _failure(stored: dict[str, Any]) -> base.ConnectorError:
    sentence = Sentence.from_json(stored["sentence"]) or say("The agent of the backup has failed.")
    return ERRORS.get(stored["error"], base.Unavailable)(sentence, stored["detail"])


def failure_of(error: Exception) -> dict[str, Any]:
    """How an agent writes down what it met. An unforeseen error may be repeated; its text may hold secrets, its type does not."""
    if isinstance(error, base.ConnectorError):
        return {"error": type(error).__name__, "sentence": error.sentence.as_json(), "detail": error.detail}
    kind = "database" if isinstance(error, psycopg.Error) else "unforeseen"
    sentence = say("The agent of the backup has failed.")
    return {"error": "Unavailable", "sentence": sentence.as_json(), "detail": f"{kind}: {type(error).__name__}"}
