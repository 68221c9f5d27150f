"""What every page carries besides its own content: the reader, the menu, the language, one message after a redirect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi.responses import HTMLResponse
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flows.approval.people import Caller, Regional
from flows.sentence import Sentence, say
from flows.settings import Portal, load
from flows.texts import LANGUAGES
from flows.words import PRAGUE
from web.render import THEMES, preferred_language, render

LANGUAGE_COOKIE, THEME_COOKIE = "__Host-language", "__Host-theme"

NAVIGATION: tuple[tuple[str, frozenset[Regional], bool], ...] = (
    # key, regional roles that have it, whether those who file for an organisation have it
    ("home", frozenset(Regional), True),
    ("queue", frozenset(), False),  # of everybody who is asked something, also who only stands in for somebody
    ("requests", frozenset(Regional), True),
    ("runs", frozenset({Regional.IT, Regional.REGION_IT, Regional.AUDITOR}), False),
    ("people", frozenset(Regional), True),
    ("organisations", frozenset(Regional), True),
    ("audit", frozenset({Regional.AUDITOR}), False),
)


@dataclass(frozen=True)
class Login:
    """Who logged in, as the session keeps it. `roles` stand in the token; they count only together with our table."""

    person: UUID
    name: str
    roles: frozenset[str]
    second_factor: bool


@dataclass(frozen=True)
class Place:
    """An organisation of the person."""

    organisation: UUID
    name: str
    slug: str
    domain: str
    role: str

    def shown(self, path: str) -> dict[str, Any]:
        mine = f"/organisations/{self.slug}"
        return {"name": self.name, "role": self.role, "path": mine, "current": path == mine}


@dataclass
class Reader:
    """What a request knows about its reader so far; an error page may be needed before all of it is known."""

    login: Login | None = None
    caller: Caller | None = None
    places: list[Place] = field(default_factory=list[Place])
    counts: dict[str, int] = field(default_factory=dict[str, int])  # beside the items of the menu


def reader_of(request: Request) -> Reader:
    if not hasattr(request.state, "reader"):
        request.state.reader = Reader()
    return request.state.reader


def language_of(request: Request) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return preferred_language(request.headers.get("accept-language", ""), load().need(Portal).language)


def theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def wants_fragment(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def local_path(path: str) -> str:
    """The path if it leads inside the portal, otherwise the home page: no open redirect."""
    parts = urlsplit(path)
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path and not any(ord(letter) < 33 for letter in path)
    return path if inside and not parts.scheme and not parts.netloc else "/"


class Frame:
    """Answers pages and fragments to one reader. Pages name what they show; the frame adds the rest."""

    def __init__(self, request: Request) -> None:
        self.request, self.reader = request, reader_of(request)
        self.language, self.theme = language_of(request), theme_of(request)

    def show(self, template: str, status: int = 200, *, here: str | None = None, **context: Any) -> HTMLResponse:
        """A whole page. `here` = key of the menu item."""
        common = self.common(here)
        return self._answer(template, status, common | context)

    def fragment(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        return self._answer(template, status, {"lang": self.language, "now": datetime.now(PRAGUE)} | context)

    def redirect(self, path: str, notice: Sentence | None = None, tone: str = "ok") -> Response:
        """To another page after something was done; `notice` is said there once."""
        if notice:
            self.request.session["notice"] = notice.as_json() | {"tone": tone}
        return RedirectResponse(path, status_code=303)

    def common(self, here: str | None) -> dict[str, Any]:
        portal = load().need(Portal)
        url = self.request.url
        path = f"{url.path}?{url.query}" if url.query else url.path
        return {
            "lang": self.language,
            "theme": self.theme,
            "path": path if self.request.method == "GET" else local_path(urlsplit(self.request.headers.get("referer", "")).path or "/"),
            "region": portal.region,
            "support": portal.support,
            "now": datetime.now(PRAGUE),
            "me": self._me(url.path),
            "nav": self._navigation(),
            "here": here,
            "service": None,
            "notice": self._notice(),
        }

    def _answer(self, template: str, status: int, context: Mapping[str, Any]) -> HTMLResponse:
        return HTMLResponse(render(template, self.language, dict(context)), status)

    def _me(self, path: str) -> dict[str, Any] | None:
        if not (login := self.reader.login):
            return None
        roles = sorted(self.reader.caller.roles) if self.reader.caller else []
        held = roles[0].value if roles else (self.reader.places[0].role if self.reader.places else None)
        words = [word for word in login.name.split(",")[0].split() if "." not in word]
        return {
            "name": login.name,
            "initials": "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper(),
            "role": held or say("employee"),
            "places": [place.shown(path) for place in self.reader.places],
            "absences": "/absences" if roles else None,
        }

    def _navigation(self) -> list[dict[str, Any]]:
        if not self.reader.login:
            return []
        caller = self.reader.caller
        roles = caller.roles if caller else frozenset[Regional]()
        decides = caller is not None and caller.decides
        files = bool(self.reader.places)
        shown = {"home": True, "queue": decides}
        mine = (key for key, regional, filing in NAVIGATION if shown.get(key, bool(roles & regional) or (filing and files)))
        return [{"key": key, "count": self.reader.counts.get(key)} for key in mine]

    def _notice(self) -> dict[str, Any] | None:
        session: dict[str, Any] = self.request.scope.get("session") or {}
        kept = session.pop("notice", None)
        return {"tone": kept["tone"], "text": Sentence.from_json(kept)} if kept else None
