"""Lists: filters that live in the address, and the link to the following page."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

LONGEST = 100  # characters of a filter


@dataclass(frozen=True)
class Filter:
    """Every name is present, "" = all. `page` = bookmark of a page, made by us."""

    values: dict[str, str]
    page: str | None

    @classmethod
    def of(cls, request: Request, *names: str) -> "Filter":
        return cls.read(request.query_params, *names)

    @classmethod
    def read(cls, given: Mapping[str, str], *names: str) -> "Filter":
        return cls({name: given.get(name, "").replace("\x00", "")[:LONGEST] for name in names}, given.get("page") or None)

    def at(self, path: str, **changes: str) -> str:
        """The same list with some values exchanged, from its first page."""
        kept = {name: value for name, value in (self.values | changes).items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path


def next_path(request: Request, bookmark: str | None) -> str | None:
    """The same list, one page further."""
    if bookmark is None:
        return None
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    return f"{request.url.path}?{urlencode([*kept, ('page', bookmark)])}"
