"""Language and appearance: kept in cookies of this browser, because they are chosen before a log-in too."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flows.approval.people import choose_language
from flows.model.session import open_session, transaction
from flows.texts import LANGUAGES
from web.deps import FormUnreadable, Typed
from web.frame import LANGUAGE_COOKIE, THEME_COOKIE, local_path, reader_of
from web.render import THEMES

router = APIRouter()
A_YEAR = 365 * 86400


@router.post("/preferences")
def post_preferences(request: Request, typed: Typed) -> Response:
    answer = RedirectResponse(local_path(typed.get("back", "/")), status_code=303)
    if (language := typed.get("language")) in LANGUAGES and (login := reader_of(request).login):
        with open_session(login.person) as session, transaction(session):
            choose_language(session, login.person, language)  # letters come in the same one
    for field, cookie, offered in (("language", LANGUAGE_COOKIE, LANGUAGES), ("theme", THEME_COOKIE, THEMES)):
        if (chosen := typed.get(field)) is not None:
            if chosen not in offered:
                raise FormUnreadable
            answer.set_cookie(cookie, chosen, max_age=A_YEAR, path="/", secure=True, httponly=True, samesite="lax")
    return answer
