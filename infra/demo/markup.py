"""What a person without JavaScript sees of a page: its title, links, forms by their fields, and what it says out loud (role alert)."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
SILENT = frozenset(("script", "style", "template"))


@dataclass
class Form:
    """`fields`: what would be sent if the person only pressed the button. `names`: every field there is, those without a value too."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    names: set[str] = field(default_factory=set[str])


@dataclass
class Content:
    title: str = ""
    links: list[str] = field(default_factory=list[str])
    forms: list[Form] = field(default_factory=list[Form])
    alerts: list[str] = field(default_factory=list[str])
    words: list[str] = field(default_factory=list[str])
    marks: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])  # id -> attributes


def read(html: str, url: str) -> Content:
    """The content of a page; links and actions are absolute."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    return reader.content


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url, self.content = url, Content()
        self.open: list[tuple[str, bool]] = []  # (tag, it is an alert)
        self.form: Form | None = None
        self.select: str | None = None
        self.textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append((tag, told.get("role") == "alert"))
        if "id" in told:
            self.content.marks[told["id"]] = told
        if tag == "a" and "href" in told:
            self.content.links.append(urljoin(self.url, told["href"]))
        if tag == "form":
            self.form = Form(urljoin(self.url, told.get("action", "")), told.get("method", "get").lower())
            self.content.forms.append(self.form)
        elif self.form is not None and "disabled" not in told:
            self._field(self.form, tag, told)

    def _field(self, form: Form, tag: str, told: dict[str, str]) -> None:
        if tag == "option" and self.select:
            if "selected" in told or not form.fields.get(self.select):
                form.fields[self.select] = told.get("value", "")
            return
        name = told.get("name", "")
        if not name or tag not in ("input", "select", "textarea"):
            return
        form.names.add(name)
        kind = told.get("type", "text")
        if tag == "select":
            self.select, form.fields[name] = name, ""
        elif tag == "textarea":
            self.textarea, form.fields[name] = name, ""
        elif kind in ("radio", "checkbox"):
            if "checked" in told:
                form.fields[name] = told.get("value", "on")
        elif kind not in ("submit", "button", "image"):
            form.fields[name] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        while self.open and tag in [name for name, _ in self.open]:
            closed, _ = self.open.pop()
            if closed == tag:
                break
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        elif tag == "textarea":
            self.textarea = None

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self.open]
        if self.textarea and self.form:
            self.form.fields[self.textarea] += data
        elif "title" in inside and "svg" not in inside:
            self.content.title += data
        elif (words := " ".join(data.split())) and not SILENT & set(inside):
            self.content.words.append(words)
            if any(alert for _, alert in self.open):
                self.content.alerts.append(words)
