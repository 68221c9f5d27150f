"""Lists: filters that live in the address, and the link to the following page."""

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
        given = request.query_params
        return cls({name: given.get(name, "").replace("\x00", "")[:LONGEST] for name in names}, given.get("page") or None)


def next_path(request: Request, bookmark: str | None) -> str | None:
    """The same list, one page further."""
    if bookmark is None:
        return None
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    return f"{request.url.path}?{urlencode([*kept, ('page', bookmark)])}"
