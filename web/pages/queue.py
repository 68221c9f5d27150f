"""The queue of those who decide: filtered by its address, with the filters that a person keeps, and the samples to be looked at."""

from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import directory, queue, samples, saved_filters
from flows.approval.people import Caller
from flows.approval.refusals import FormProblems, NotFound
from flows.model.session import transaction
from flows.sentence import Sentence, say
from flows.words import PRAGUE
from web.deps import CurrentCaller, Db, Number, PageFrame, RowId, Typed
from web.forms.listing import Filter
from web.frame import Frame

router = APIRouter()
HERE = "/queue"


@router.get(HERE)
def get_queue(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    return _show(frame, by, session, Filter.of(request, *queue.QUEUE_FILTERS))


@router.get(f"{HERE}/news")
def get_news(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    """How many came since the page was made; the page asks, and moves nothing of what is being read."""
    by.must_have_a_queue()
    asked, since = Filter.of(request, *queue.QUEUE_FILTERS), _moment(request.query_params.get("since", ""))
    return frame.fragment("fragments/queue_news.html", news=_news(asked, since, queue.came_since(session, by, asked.values, since)))


@router.post(f"{HERE}/filters")
def post_filter(frame: PageFrame, by: CurrentCaller, session: Db, typed: Typed) -> Response:
    by.must_have_a_queue()
    asked = Filter.read(typed, *queue.QUEUE_FILTERS)
    try:
        with transaction(session):
            query = saved_filters.keep(session, by, typed.get("name", ""), asked.values)
    except FormProblems as problems:
        return _show(frame, by, session, asked, typed, dict(problems.fields))
    return frame.redirect(f"{HERE}?{query}", say("The filter is kept; you find it above the queue."))


@router.post(f"{HERE}/filters/{{saved}}/remove")
def post_filter_removal(frame: PageFrame, by: CurrentCaller, session: Db, saved: RowId) -> Response:
    by.must_have_a_queue()
    with transaction(session):
        saved_filters.remove(session, by, saved)
    return frame.redirect(HERE, say("The filter is removed."))


@router.post(f"{HERE}/samples/{{number}}")
def post_sample(frame: PageFrame, by: CurrentCaller, session: Db, number: Number, typed: Typed) -> Response:
    by.must_see(samples.LOOKS)
    try:
        with transaction(session):
            if (finding := typed.get("finding", "")) not in ("in order", "objection"):
                raise FormProblems({f"finding-{number}": say("Choose what you found.")})
            samples.look_at(session, by, number, finding, typed.get("note", ""))
    except FormProblems as problems:
        return _show(frame, by, session, Filter.read({}, *queue.QUEUE_FILTERS), typed, dict(problems.fields))
    return frame.redirect(f"{HERE}#samples-title", say("What you found about %(number)s is kept.", number=number))


def _show(
    frame: Frame, by: Caller, session: Db, asked: Filter, typed: dict[str, str] | None = None, errors: dict[str, Sentence] | None = None
) -> Response:
    by.must_have_a_queue()
    since = datetime.now(PRAGUE)
    listed = queue.queue(session, by, asked.values, asked.page)
    return frame.show(
        "pages/queue.html",
        422 if errors else 200,
        here="queue",
        rows=listed.rows,
        filter=asked.values,
        addresses={due: asked.at(HERE, due=due) for due in ("", "overdue", "today", "hints")},
        counts=queue.queue_counts(session, by, asked.values),
        organisations=directory.choices(session, by),
        next_path=asked.at(HERE, page=listed.next) if listed.next else None,
        groups=sorted(by.groups),
        kept=[{"name": one.name, "path": f"{HERE}?{one.query}", "id": str(one.id)} for one in saved_filters.kept(session, by)],
        query=asked.at(""),
        news=_news(asked, since, 0),
        samples=samples.to_look_at(session, by) if by.second_factor else [],
        form={"values": {"name": "", "note": ""} | (typed or {}), "errors": errors or {}},
    )


def _news(asked: Filter, since: datetime, count: int) -> dict[str, object]:
    return {"count": count, "poll": asked.at(f"{HERE}/news", since=since.isoformat()), "path": asked.at(HERE)}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotFound from None
    if moment.tzinfo is None:
        raise NotFound
    return moment
