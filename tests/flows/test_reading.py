"""What a list costs: the rows that PostgreSQL reads for one page, with thousands of requests behind it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from flows.approval import desk, directory, queue, runs, tasks
from flows.approval.people import Caller
from flows.model.session import open_session
from tests.bench.filling import fill
from tests.cast import Cast
from tests.database import Database

REQUESTS, WAITING = 6000, 3000
MOST_ROWS = 1000  # 26 or 100 rows of two tables, each asked once more by the policies; the usual time is that of 200 requests

LISTS: dict[str, Callable[[Session, Caller], object]] = {
    "queue of the approver": lambda session, by: queue.queue(session, by, {}),
    "late ones in the queue of the approver": lambda session, by: queue.queue(session, by, {"due": "overdue"}),
    "queue of the founder": lambda session, by: queue.queue(session, by, {}),
    "number in the queue of the approver": queue.waiting,
    "next one of the approver": lambda session, by: queue.following(session, by, "P-2026-0000007"),
    "requests of the director": lambda session, by: queue.requests(session, by, {}, None),
    "requests of the clerk": lambda session, by: queue.requests(session, by, {}, None),
    "requests of the approver": lambda session, by: queue.requests(session, by, {}, None),
    "refused ones of the approver": lambda session, by: queue.requests(session, by, {"state": "refused"}, None),
    "newest of the auditor": queue.recent,
    "usual time for the director": lambda session, by: desk.estimate(session, "employee"),
    "tasks of the approver": tasks.tasks,
    "people of the approver": lambda session, by: directory.people(session, by, {}, None),
    "counters of the it": runs.counters,
    "runs of the it": lambda session, by: runs.runs(session, by, "", None),
    "cancelled runs of the it": lambda session, by: runs.runs(session, by, "cancelled", None),
    "frequent name for the approver": lambda session, by: queue.requests(session, by, {"q": "Novák"}, None),
    "frequent name in the queue of the approver": lambda session, by: queue.queue(session, by, {"q": "Jan Nov"}),
    "rare name for the approver": lambda session, by: queue.requests(session, by, {"q": "4711"}, None),
    "rare name in the queue of the approver": lambda session, by: queue.queue(session, by, {"q": "P-2026-0001234"}),
}


@pytest.fixture
def filled(database: Database, cast: Cast) -> Cast:
    fill(database, cast, people=500, requests=REQUESTS, waiting=WAITING)
    return cast


def test_a_page_reads_its_own_rows_and_not_all(filled: Cast) -> None:
    read: dict[str, int] = {}
    for what, ask in LISTS.items():
        by: Caller = getattr(filled, what.rpartition(" ")[2])
        with open_session(by.person, by.roles) as session:
            read[what] = sum(_rows_read(plan) for plan in _explained(session, lambda ask=ask, session=session, by=by: ask(session, by)))
    assert {what: rows for what, rows in read.items() if rows > MOST_ROWS} == {}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Novák 4711", 1),
        ("novak4711", 1),
        ("jan.NOVAK4711", 1),
        (" jan novak4711", 1),
        ("jan.novak4711@skola", 1),
        ("jan.novak4711@jinde", 0),
        ("p-2026-0004711", 1),
        ("4711", 1),
        ("4", 25),
        ("%", 0),
        ("jan_novak4711", 0),
        ("\\", 0),
    ],
)
def test_whoever_sees_all_finds_a_name_among_thousands(filled: Cast, typed: str, found: int) -> None:
    by = filled.approver
    with open_session(by.person, by.roles) as session:
        assert len(queue.requests(session, by, {"q": typed}, None).rows) == found


def test_the_index_of_names_answers_nobody_who_sees_a_part(filled: Cast) -> None:
    with open_session(filled.director.person) as session:
        ids = session.connection().exec_driver_sql("SELECT requests_named('Novák 4711', '', false)").scalar_one()
        claimed = session.connection().exec_driver_sql("SELECT set_config('nastup.roles', 'region-it', true)").scalar_one()
        again = session.connection().exec_driver_sql("SELECT requests_named('Novák 4711', '', false)").scalar_one()
    assert (ids, claimed, again) == (None, "region-it", None)


def _explained(session: Session, ask: Callable[[], object]) -> list[Any]:
    """The plans of all that is asked, as they ran."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    cursor = session.connection().connection.cursor()
    plans: list[Any] = []
    for statement, parameters in asked:
        if "set_config" not in statement:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
            plans.append(cursor.fetchall()[0][0][0]["Plan"])
    return plans


def _rows_read(plan: dict[str, Any]) -> int:
    """Rows of tables, those that a filter threw away included."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"] if "Relation Name" in plan else 0
    return own + sum(_rows_read(each) for each in plan.get("Plans", []))
