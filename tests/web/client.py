"""A browser without JavaScript. Every page that it fetches is checked, so no test can pass over a broken one.

The idea is that of GOV.UK Notify's page client: one h1 which is the title, unique ids, forms that lead somewhere, nothing inline.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2
from starlette.routing import Match
from starlette.testclient import TestClient

VOID_OF_STYLE = re.compile(r"\sstyle=|<style|\son[a-z]+=|javascript:", re.IGNORECASE)
FIELD_TAGS = {"input", "select", "textarea", "button"}


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    buttons: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class Page(HTMLParser):
    """A page taken apart: title, headings, ids, links, forms with the values that a browser would send."""

    def __init__(self, answer: httpx2.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.answer, self.status, self.html = answer, answer.status_code, answer.text
        self.path = answer.url.path
        self.language, self.title, self.headings = "", "", list[str]()
        self.ids, self.links, self.forms = Counter[str](), list[str](), list[Form]()
        self.scripts, self.references = list[dict[str, str]](), list[tuple[str, str]]()
        self.text = ""
        self._into: list[str] = []
        self._select = ""
        self._area = ""
        self.feed(self.html)
        self.text = re.sub(r"\s+", " ", self.text.replace("\u00a0", " "))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids[given["id"]] += 1
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.references += [(name, one) for one in given.get(name, "").split()]
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag in ("title", "h1"):
            self._into.append(tag)
            if tag == "h1":
                self.headings.append("")
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "script":
            self.scripts.append(given)
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif tag in FIELD_TAGS:
            self._field(tag, given)
        elif tag == "option" and self._select and self.forms:
            fields = self.forms[-1].fields
            if "selected" in given or self._select not in fields:
                fields[self._select] = given.get("value", "")

    def _field(self, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if not name or not self.forms:
            return
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            self.forms[-1].fields[name] = ""
        elif tag == "button":
            self.forms[-1].buttons.append((name, given.get("value", "")))
        elif given.get("type") not in ("radio", "checkbox") or "checked" in given:
            self.forms[-1].fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._into and self._into[-1] == tag:
            self._into.pop()
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._into and self._into[-1] == "title":
            self.title += data
        elif self._into and self._into[-1] == "h1":
            self.headings[-1] += data
        if self._area:
            self.forms[-1].fields[self._area] += data

    def form(self, action: str) -> Form:
        found = [form for form in self.forms if form.action == action]
        assert found, f"no form leads to {action}; there are {[form.action for form in self.forms]}"
        return found[0]


class Browser:
    """One person's browser. `get` and `post` follow redirects and answer the page at their end."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.http = TestClient(app, base_url="https://portal.example", raise_server_exceptions=False)
        self.http.headers.update({"accept-language": "cs", "sec-fetch-site": "same-origin"})

    def get(self, path: str, status: int = 200, **headers: str) -> Page:
        return self._page(self.http.get(path, headers=headers), status)

    def post(self, path: str, fields: dict[str, str], status: int = 200, **headers: str) -> Page:
        return self._page(self.http.post(path, data=fields, headers=headers), status)

    def send(self, page: Page, to: str, status: int = 200, /, **typed: str) -> Page:
        """Fills a form of the page and sends it, with the hidden fields that it has."""
        form = page.form(to)
        unknown = set(typed) - set(form.fields) - {name for name, _ in form.buttons} - RADIOS
        assert not unknown, f"the form has no {unknown}"
        return self.post(form.action, form.fields | typed, status)

    def fragment(self, path: str, status: int = 200) -> httpx2.Response:
        answer = self.http.get(path, headers={"hx-request": "true"}, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return answer

    def _page(self, answer: httpx2.Response, status: int) -> Page:
        assert answer.status_code == status, f"{answer.status_code} instead of {status}: {Page(answer).headings} {Page(answer).text[-600:]}"
        page = Page(answer)
        check(page, self.app)
        return page


RADIOS = {"decision"}


def check(page: Page, app: Any) -> None:
    """What holds of every page."""
    assert page.language in ("cs", "en")
    assert len(page.headings) == 1, page.headings
    said = re.sub(r"\s+", " ", page.headings[0]).strip()
    assert re.sub(r"\s+", " ", page.title).strip() == f"{said} – Nástup"
    assert [name for name, times in page.ids.items() if times > 1] == []
    assert [one for one in page.references if one[1] not in page.ids] == []
    assert not VOID_OF_STYLE.search(re.sub(r">[^<]*<", "><", page.html)), "inline style or script"
    assert all("src" in script for script in page.scripts)
    for form in page.forms:
        assert leads_somewhere(app, form.method, form.action), f"nothing answers {form.method} {form.action}"
    for link in page.links:
        assert link.startswith(("#", "http", "mailto:", "tel:")) or leads_somewhere(app, "get", link), f"nothing answers {link}"
    policy = page.answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.answer.headers["cache-control"] == "no-store"


def leads_somewhere(app: Any, method: str, path: str) -> bool:
    bare = path.partition("?")[0].partition("#")[0]
    scope = {"type": "http", "method": method.upper(), "path": bare, "headers": [], "root_path": ""}
    return any(matches(route, scope) for route in routes_of(app))


def matches(route: Any, scope: dict[str, Any]) -> bool:
    return route.matches(dict(scope))[0] is Match.FULL


def routes_of(app: Any) -> list[Any]:
    """FastAPI keeps included routers lazily, so the routes are read from our own list of screens."""
    from web import login
    from web.pages import ROUTERS

    return [route for router in (*ROUTERS, login.router) for route in router.routes]
