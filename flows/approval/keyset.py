"""Pages of a list by keyset: no count over a whole table, no OFFSET, every row on exactly one page."""

from dataclasses import dataclass
from typing import Any

from sqlakeyset import BadBookmark, InvalidPage, Page, select_page, unserialize_bookmark
from sqlalchemy import Select
from sqlalchemy.exc import DataError, ProgrammingError
from sqlalchemy.orm import Session

from flows.approval.refusals import NotFound

PER_PAGE = 25


@dataclass(frozen=True)
class Listed:
    """One page of a list; `next` is the bookmark of the following one."""

    rows: list[Any]
    next: str | None


def page_of(session: Session, wanted: Select[*tuple[Any, ...]], bookmark: str | None, most: int = PER_PAGE) -> tuple[list[Any], str | None]:
    """The rows after a bookmark, and the bookmark of what follows them. Raises NotFound for a bookmark that is not ours."""
    try:
        page: Page[Any] = select_page(session, wanted, per_page=most, page=unserialize_bookmark(bookmark) if bookmark else None)
    except (BadBookmark, InvalidPage, ValueError):
        raise NotFound from None
    except (DataError, ProgrammingError):
        if bookmark is None:  # then it is a mistake of ours, and no 404 may hide it
            raise
        raise NotFound from None  # a bookmark whose values have other types than the columns
    return list(page), page.paging.bookmark_next if page.paging.has_next else None
