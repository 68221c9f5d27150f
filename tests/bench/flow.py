"""The flow on a running installation: filed and approved as in the portal, carried out by its own dispatcher, Prefect and worker.

Times are those of the database and of this process, which runs on the same machine.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import uuid4

import psycopg

from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.drafts import new_draft, save_draft
from flows.approval.people import Caller, Regional
from flows.approval.submit import submit
from flows.connectors import registry
from flows.model.session import open_session, transaction
from flows.settings import load
from infra.seed.cast import Member, Place, cast
from infra.servers import postgres
from infra.state import State

FILE = "NASTUP_SETTINGS_FILE"
PATIENCE = 600  # seconds for one round
FIRST_EFFECT = """SELECT min(a.started_at) FROM attempt a JOIN effect e ON e.id = a.effect_id
  JOIN onboarding_request r ON r.id = e.request_id WHERE r.number = %s AND e.system <> 'portal'"""
ENDED = "SELECT number, state::text, done_at FROM onboarding_request WHERE number = ANY(%s)"
CREATED = "SELECT count(*) FROM outbox o JOIN onboarding_request r ON r.id = o.request_id WHERE r.number = ANY(%s) AND o.done_at IS NULL"


@contextmanager
def as_process(state: State, name: str) -> Iterator[None]:
    """This process has the settings of one of the installation's."""
    before = os.environ.get(FILE)
    os.environ[FILE] = str(state.path("settings", f"{name}.env"))
    load.cache_clear()
    registry.forget()
    try:
        yield
    finally:
        os.environ.pop(FILE)
        os.environ.update({FILE: before} if before else {})
        load.cache_clear()
        registry.forget()


@dataclass(frozen=True)
class Measured:
    """`reaction`: seconds from a decision's commit to the first call of a server; `seconds`: from the first decision to the last end."""

    people: int
    seconds: float
    reaction: list[float]


class Bench:
    """Leaves its people in the installation: it is meant for one of tests."""

    def __init__(self, state: State) -> None:
        self.state, self.mark = state, uuid4().hex[:6]
        self.place: Place = next(place for place in cast().places if place.people_limit is None)  # many people, one approval each
        self.director = _caller(cast().one("director", self.place.slug))
        self.approver = _caller(cast().one("region-it"), Regional.REGION_IT)
        self.filed = 0

    def one_by_one(self, people: int) -> Measured:
        """Each is decided when the one before is done: how fast an idle installation reacts."""
        rounds = [self.at_once(1) for _ in range(people)]
        return Measured(people, sum(each.seconds for each in rounds), [one for each in rounds for one in each.reaction])

    def at_once(self, people: int) -> Measured:
        """All are filed and known to Prefect first; the clock runs from the first decision."""
        with as_process(self.state, "portal"):
            requests = [self._file() for _ in range(people)]
            self._wait(lambda db: db.execute(CREATED, ([number for number, _ in requests],)).fetchone() == (0,))
            began, decided = datetime.now(UTC), {number: self._approve(number, plan_hash) for number, plan_hash in requests}
        ended = self._all_done(list(decided))
        with self._database() as db:
            first = {number: db.execute(FIRST_EFFECT, (number,)).fetchone() for number in decided}
        reaction = [(row[0] - decided[number]).total_seconds() for number, row in first.items() if row and row[0]]
        return Measured(people, (max(ended) - began).total_seconds(), reaction)

    def _file(self) -> tuple[str, str]:
        self.filed += 1
        typed = {"title_before": "", "given_name": "Zkouška", "family_name": f"Výkonu {_letters(self.filed)}", "title_after": ""}
        typed |= {"personal_number": f"B{self.mark}-{self.filed}", "contract": "employment", "position": "zkouška výkonu", "manager": ""}
        typed |= {"start": date.today().isoformat(), "end": "", "quota_gb": "10"}
        with open_session(self.director.person) as session, transaction(session):
            draft = new_draft(session, self.director, self.place.id)
            save_draft(session, self.director, draft.id, typed, f"vykon.{self.mark}.{self.filed}@posta.example")
            request = submit(session, self.director, draft.id)
            return str(request.number), str(request.plan_hash)

    def _approve(self, number: str, plan_hash: str) -> datetime:
        with open_session(self.approver.person, self.approver.roles) as session, transaction(session):
            decide(session, self.approver, StageRef(number, 1), Verdict("approve", plan_hash, ""))
        return datetime.now(UTC)

    def _all_done(self, numbers: Sequence[str]) -> list[datetime]:
        rows: dict[str, tuple[str, datetime]] = {}

        def done(db: psycopg.Connection) -> bool:
            rows.update({number: (state, at) for number, state, at in db.execute(ENDED, (list(numbers),))})
            stopped = {number: state for number, (state, _) in rows.items() if state in ("needs_attention", "cancelled")}
            assert not stopped, f"ended otherwise: {stopped}"
            return all(state == "done" for state, _ in rows.values())

        self._wait(done)
        return [at for _, at in rows.values()]

    def _wait(self, until: Callable[[psycopg.Connection], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        with self._database() as db:
            while not until(db):
                assert time.monotonic() < ends, "the installation does not come to an end; see its log directory"
                time.sleep(0.05)

    def _database(self) -> psycopg.Connection:
        return psycopg.connect(postgres.dsn(self.state, "postgres", "portal"), autocommit=True)


def _caller(member: Member, *roles: Regional) -> Caller:
    return Caller(member.id, member.name, frozenset(roles), second_factor=bool(roles))


def _letters(number: int) -> str:
    """A name may have no digits: 1 is B, 27 is BB."""
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("A") + number % 26)
