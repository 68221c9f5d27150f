"""A browser without JavaScript: cookies, redirects, forms sent by the names of their fields. One browser is one person at one computer."""

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx2

from infra.demo import markup
from infra.demo.markup import Content, Form
from infra.demo.trouble import NotProved

LONGEST_CHAIN = 15  # redirects
PATIENCE = 30  # seconds for one answer


class Page:
    """One page as it came. `url` is where the redirects ended."""

    def __init__(self, url: str, status: int, text: str) -> None:
        self.url, self.status, self.text = url, status, text

    @cached_property
    def content(self) -> Content:
        return markup.read(self.text, self.url)

    def form(self, *names: str) -> Form | None:
        """The first form that has all these fields."""
        return next((form for form in self.content.forms if set(names) <= form.names), None)

    def form_to(self, path: str) -> Form | None:
        return next((form for form in self.content.forms if urlsplit(form.action).path == path), None)

    def link(self, part: str) -> str | None:
        """The first link whose address contains `part`."""
        return next((link for link in self.content.links if part in link), None)

    @property
    def says(self) -> str:
        """What a person would read out to support: the alert, or how the page begins."""
        return " ".join(self.content.alerts)[:400] or f"{self.content.title.strip()}: {' '.join(self.content.words)[:300]}"

    def expect(self, form: Form | str | None, what: str) -> Form:
        """The form that has to be there. Raises NotProved with the words of the page."""
        if isinstance(form, Form):
            return form
        raise NotProved(f"{what} is not on the page {self.url} (status {self.status}). The page says: {self.says}")


class Browser:
    def __init__(self) -> None:
        self._http = httpx2.Client(timeout=PATIENCE, event_hooks={"response": [self._keep_cookies]}, headers={"Accept-Language": "cs"})

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def get(self, url: str, stop: str = "\0") -> Page:
        """The page after all redirects; one that would lead to an address beginning with `stop` is not followed."""
        return self._follow(self._http.get(url), stop)

    def send(self, page: Page, form: Form, typed: Mapping[str, str], stop: str = "\0") -> Page:
        """Presses the button: what the form holds, with `typed` over it."""
        values = {**form.fields, **typed}
        if form.method == "get":
            return self._follow(self._http.get(form.action, params=values), stop)
        where = urlsplit(page.url)
        return self._follow(self._http.post(form.action, data=values, headers={"Origin": f"{where.scheme}://{where.netloc}"}), stop)

    def _follow(self, answer: httpx2.Response, stop: str) -> Page:
        for _ in range(LONGEST_CHAIN):
            if not answer.has_redirect_location:
                return Page(str(answer.url), answer.status_code, answer.text)
            target = urljoin(str(answer.url), answer.headers["location"])
            if target.startswith(stop):
                return Page(target, answer.status_code, "")
            answer = self._http.get(target)
        raise NotProved(f"{answer.url} redirects in a circle.")

    def _keep_cookies(self, _answer: httpx2.Response) -> None:
        """Browsers send Secure cookies over http to their own machine; this client has to be told."""
        for cookie in self._http.cookies.jar:
            cookie.secure = False
