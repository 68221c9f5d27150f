"""Every refusal and failure becomes a page in the reader's language, or stays out of the way of a fragment. Never a stack trace."""

from urllib.parse import quote, urlsplit
from uuid import uuid4

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from flows.approval.refusals import NotFound, Refusal, SecondFactorNeeded
from flows.sentence import Sentence, say
from web.deps import FormUnreadable, LoginNeeded, typed_fields
from web.frame import Frame, wants_fragment

log = structlog.get_logger()
NOT_TYPED = frozenset({"plan_hash", "version", "stage", "decision", "form_key", "action", "organisation", "to", "back"})  # hidden or chosen


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(LoginNeeded, on_login_needed)
    app.add_exception_handler(FormUnreadable, on_unreadable)
    app.add_exception_handler(RequestValidationError, on_unreadable)
    app.add_exception_handler(HTTPException, on_status)
    app.add_exception_handler(OperationalError, on_database_away)
    app.add_exception_handler(Exception, on_failure)


def error_page(
    request: Request,
    status: int,
    sentence: Sentence | None,
    *,
    reference: str | None = None,
    path: str | None = None,
    label: Sentence | None = None,
    typed: str = "",
) -> Response:
    """The page of an error. A fragment that is refused becomes the whole page; one that failed for a moment stays and asks again."""
    error = {"status": status, "sentence": sentence, "reference": reference, "path": path, "label": label, "typed": typed}
    answer = Frame(request).show("pages/error.html", status, error=error)
    if wants_fragment(request):
        if status >= 500:
            answer.headers["HX-Reswap"] = "none"
        else:
            answer.headers.update({"HX-Retarget": "body", "HX-Reswap": "outerHTML"})
    return answer


def on_refusal(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    if isinstance(refusal, SecondFactorNeeded):
        return error_page(
            request, refusal.status, refusal.sentence, path=login_path(request, again=True), label=say("Log in with the second factor")
        )
    return error_page(request, refusal.status, None if isinstance(refusal, NotFound) else refusal.sentence)


async def on_login_needed(request: Request, _: Exception) -> Response:
    """What was typed into a form meanwhile is shown again, to be copied: nothing of it is kept anywhere."""
    where = login_path(request)
    if wants_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": where})
    if request.method == "GET":
        return Response(status_code=303, headers={"Location": where})
    sentence = say(
        "You were logged out meanwhile, so nothing was done. Copy what you typed from below, log in, and put it into the form again."
    )
    return error_page(request, 401, sentence, path=where, label=say("Log in"), typed=await _typed(request))


async def _typed(request: Request) -> str:
    try:
        fields = await typed_fields(request)
    except Exception:  # no form of ours: there is nothing to give back
        return ""
    return "\n\n".join(value for name, value in fields.items() if name not in NOT_TYPED and value.strip())


def on_unreadable(request: Request, _: Exception) -> Response:
    return error_page(request, 422, say("The portal could not read this. Open the page again and use its own form."))


def on_status(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    answer = error_page(request, problem.status_code, None)
    answer.headers.update(problem.headers or {})
    return answer


def on_database_away(request: Request, problem: Exception) -> Response:
    log.error("database away", fault=type(problem).__name__, path=request.url.path)
    return _plain_failure(request, 503, None)


def on_failure(request: Request, problem: Exception) -> Response:
    reference = uuid4().hex[:12]
    log.error("failure", reference=reference, method=request.method, path=request.url.path, exc_info=problem)
    return _plain_failure(request, 500, reference)


async def refuse_origin(scope: Scope, receive: Receive, send: Send) -> None:
    """A form that was sent from another site."""
    sentence = say("This form was sent from another site, so nothing was done. Open the page in the portal and send it from there.")
    await error_page(Request(scope), 403, sentence)(scope, receive, send)


async def database_away(scope: Scope, receive: Receive, send: Send) -> None:
    """The session of whoever asks could not be read or kept."""
    log.error("database away", path=scope["path"])
    await _plain_failure(Request(scope), 503, None)(scope, receive, send)


async def refuse_size(scope: Scope, receive: Receive, send: Send) -> None:
    await error_page(Request(scope), 413, say("This is too large for a form of the portal."))(scope, receive, send)


def login_path(request: Request, *, again: bool = False) -> str:
    """The log-in that leads back to the page on which the person was."""
    if wants_fragment(request):
        page = urlsplit(request.headers.get("hx-current-url", "")).path
    elif request.method == "GET":
        page = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    else:
        page = urlsplit(request.headers.get("referer", "")).path
    return f"/login?back={quote(page or '/', safe='/')}" + ("&again=1" if again else "")


def _plain_failure(request: Request, status: int, reference: str | None) -> Response:
    try:
        return error_page(request, status, None, reference=reference)
    except Exception:  # the failure may be in what every page needs: then plain words, still no stack trace
        log.exception("the error page failed too")
        return PlainTextResponse(f"{status} Nástup", status)
