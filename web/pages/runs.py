"""Runs, for IT: the list, one run with every try, the log from Prefect, trying again."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import health, outcome, progress, runs
from flows.approval.people import MENDS_RUNS, Caller
from flows.model import RequestState
from flows.model.session import transaction
from flows.sentence import Sentence, say
from flows.settings import Portal, load
from web.deps import CurrentCaller, Db, Number, PageFrame
from web.forms.listing import Filter, next_path

router = APIRouter()


@router.get("/runs")
def get_runs(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    asked, portal = Filter.of(request, "state"), load().need(Portal)
    listed = runs.runs(session, by, asked.values["state"], asked.page)
    return frame.show(
        "pages/runs.html",
        here="runs",
        counters=runs.counters(session, by),
        health=health.health(session, by),
        stuck=runs.stuck(session, by),
        rows=listed.rows,
        filter=asked.values,
        next_path=next_path(request, listed.next),
        prefect_url=portal.prefect_address or None,
        catcher_url=portal.catcher_address or None,
        at=progress.now(),
    )


@router.get("/runs/{number}")
def get_run(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    runs.may_read_runs(by)
    whole = progress.find(session, by, number)
    mends = by.roles & MENDS_RUNS and whole.request.state is RequestState.NEEDS_ATTENTION
    return frame.show(
        "pages/run.html",
        here="runs",
        request=progress.summary(whole),
        run=runs.run(session, whole),
        attempts=runs.attempts(session, whole),
        runs=_in_prefect(session, by, whole),
        logs=_logs(session, by, number),
        actions={"retry_path": f"/runs/{number}/retry" if mends else None},
        request_path=f"/requests/{number}",
        history=progress.history(whole),
    )


@router.post("/runs/{number}/retry")
def post_retry(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    with transaction(session):
        outcome.try_again(session, by, number)
    return frame.redirect(f"/runs/{number}", say("The run goes on with what is left."), "run")


@router.post("/runs/{number}/log")
def post_log(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    """Asks for the log; it comes through the dispatcher."""
    progress.find(session, by, number)
    with transaction(session):
        runs.ask_log(session, by, number)
    return frame.redirect(f"/runs/{number}#logs")


@router.get("/runs/{number}/log")
def get_log(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    runs.may_read_runs(by)
    progress.find(session, by, number)
    return frame.fragment("fragments/logs.html", logs=_logs(session, by, number))


def _logs(session: Db, by: Caller, number: str) -> dict[str, Any]:
    """none: never asked; asking: on its way; ready: the lines, or the sentence why there are none."""
    asked = runs.newest_log(session, by, number)
    state = "none" if asked is None else "ready" if asked.answered_at else "asking"
    return {
        "state": state,
        "at": asked.answered_at if asked else None,
        "lines": (asked.answer or {}).get("lines", []) if asked else [],
        "problem": Sentence.from_json(asked.sentence) if asked else None,
        "poll": f"/runs/{number}/log" if state == "asking" else None,
        "ask_path": None if state == "asking" else f"/runs/{number}/log",
    }


def _in_prefect(session: Db, by: Caller, whole: progress.Whole) -> list[dict[str, Any]]:
    """The run as Prefect knew it when the log was read; older generations by their number."""
    request, prefect = whole.request, load().need(Portal).prefect_address
    asked = runs.newest_log(session, by, request.number or "")
    answer = (asked.answer or {}) if asked else {}
    if request.run_id is None:
        return []
    found = {"name": request.number, "id": str(request.run_id), "state": answer.get("state"), "started_at": None}
    url = f"{prefect}/runs/flow-run/{request.run_id}" if prefect else None
    return [found | {"generation": request.generation, "url": url}]
