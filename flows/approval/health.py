"""How the servers are, as our own work saw them: the newest try on each, and whether what was decided is being carried out.

Nothing is called for this; a server that nobody needed today says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from flows.approval.people import READS_RUNS, Caller
from flows.model import Attempt, Effect, Outbox
from flows.sentence import Sentence, say
from flows.words import PRAGUE

RECENT = timedelta(hours=24)
PATIENCE = timedelta(seconds=30)  # a deed that is due longer than this without a try: no dispatcher is at work
NAMES = {"keycloak": "Keycloak", "mail": "Dovecot, Postfix", "backup": "restic"}
TROUBLE = frozenset({"unavailable", "misconfigured"})  # these tell about the server; a conflict or a refusal tells about one request


@dataclass(frozen=True)
class Health:
    name: str
    tone: Literal["ok", "warn", "err", "idle"]
    word: Sentence
    detail: Sentence


def health(session: Session, by: Caller) -> list[Health]:
    by.must_see(*READS_RUNS)
    newest = (
        select(Effect.system, Attempt.outcome, Attempt.finished_at, Attempt.detail)
        .join(Attempt.effect)
        .where(Attempt.finished_at > func.now() - RECENT)
        .ext(distinct_on(Effect.system))
        .order_by(Effect.system, Attempt.finished_at.desc())
    )
    seen = {row.system: _server(row.system, row.outcome, row.finished_at, row.detail) for row in session.execute(newest)}
    return [*(seen.get(system) or _unused(name) for system, name in NAMES.items()), _dispatcher(session)]


def _server(system: str, outcome: str, at: datetime, detail: str | None) -> Health:
    name = NAMES.get(system, system)
    if outcome in TROUBLE:
        said = say("%(when)s: %(answer)s", when=at.isoformat(), answer=detail or outcome)
        return Health(name, "warn" if outcome == "unavailable" else "err", say("does not answer"), said)
    return Health(name, "ok", say("answers"), say("last used %(when)s", when=at.isoformat()))


def _unused(name: str) -> Health:
    return Health(name, "idle", say("not used today"), say("nobody needed it in the last 24 hours"))


def _dispatcher(session: Session) -> Health:
    """The oldest deed that is due: the dispatcher takes it within a second, Prefect answers it."""
    due = select(Outbox).where(Outbox.done_at.is_(None), Outbox.created_at < func.now() - PATIENCE).order_by(Outbox.created_at).limit(1)
    oldest = session.scalars(due.where(Outbox.not_before < func.now() + timedelta(minutes=5))).first()
    if oldest is None:
        return Health("Prefect", "ok", say("answers"), say("everything that was decided is on its way"))
    if oldest.tries:
        said = say("since %(when)s: %(answer)s", when=oldest.created_at.isoformat(), answer=oldest.last_error or "?")
        return Health("Prefect", "warn", say("does not answer"), said)
    if oldest.not_before > datetime.now(PRAGUE) - PATIENCE:
        return Health("Prefect", "ok", say("answers"), say("everything that was decided is on its way"))
    waits = say("a decision waits since %(when)s: is the dispatcher running?", when=oldest.not_before.isoformat())
    return Health("Nástup", "err", say("nothing is handed over"), waits)
