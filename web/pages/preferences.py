"""Language and appearance: kept in cookies of this browser, because they are chosen before a log-in too."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from flows.texts import LANGUAGES
from web.deps import FormUnreadable, Typed
from web.frame import LANGUAGE_COOKIE, THEME_COOKIE, local_path
from web.render import THEMES

router = APIRouter()
A_YEAR = 365 * 86400


@router.post("/preferences")
def post_preferences(typed: Typed) -> Response:
    answer = RedirectResponse(local_path(typed.get("back", "/")), status_code=303)
    for field, cookie, offered in (("language", LANGUAGE_COOKIE, LANGUAGES), ("theme", THEME_COOKIE, THEMES)):
        if (chosen := typed.get(field)) is not None:
            if chosen not in offered:
                raise FormUnreadable
            answer.set_cookie(cookie, chosen, max_age=A_YEAR, path="/", secure=True, httponly=True, samesite="lax")
    return answer
