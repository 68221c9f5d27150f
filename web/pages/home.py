"""What waits for me, by role."""

from fastapi import APIRouter
from starlette.responses import Response

from flows.approval import health, queue, runs, tasks
from flows.approval.people import MENDS_RUNS, Caller
from web.deps import CurrentCaller, Db, PageFrame, Places

router = APIRouter()


@router.get("/")
def get_home(frame: PageFrame, by: CurrentCaller, session: Db, places: Places) -> Response:
    return frame.show(
        "pages/home.html",
        here="home",
        can_file=bool(places),
        new_path="/requests/new/employee",
        tasks=tasks.tasks(session, by),
        starting=tasks.starting(session, by),
        recent=queue.recent(session, by),
        queue=_queue(session, by) if by.decides else None,
        runs=_runs(session, by) if by.roles & MENDS_RUNS else None,
    )


def _queue(session: Db, by: Caller) -> dict[str, object]:
    counts = queue.queue_counts(session, by, {})
    return {
        "waiting": counts["all"],
        "overdue": counts["overdue"],
        "today": counts["today"],
        "rows": queue.queue(session, by, {}, most=5).rows,
    }


def _runs(session: Db, by: Caller) -> dict[str, object]:
    return {"counters": runs.counters(session, by), "health": health.health(session, by), "stuck": runs.stuck(session, by, most=5)}
