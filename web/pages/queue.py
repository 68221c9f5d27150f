"""The queue of those who decide."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import directory, queue
from flows.approval.refusals import NotFound
from web.deps import CurrentCaller, Db, PageFrame
from web.forms.listing import Filter, next_path

router = APIRouter()


@router.get("/queue")
def get_queue(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    if not by.decides:
        raise NotFound
    asked = Filter.of(request, "q", "due", "organisation")
    listed = queue.queue(session, by, asked.values, asked.page)
    return frame.show(
        "pages/queue.html",
        here="queue",
        rows=listed.rows,
        filter=asked.values,
        counts=queue.queue_counts(session, by, asked.values),
        organisations=directory.choices(session, by),
        next_path=next_path(request, listed.next),
        group=sorted(by.groups)[0],
    )
