"""Filters of the queue that a person keeps under a name. They are the person's own and nobody else's business."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flows.approval.people import Caller
from flows.approval.queue import QUEUE_FILTERS
from flows.approval.refusals import FormProblems, NotFound
from flows.approval.written import line_problem, tidy
from flows.model import SavedFilter
from flows.sentence import say

MOST, LONGEST_NAME = 12, 40  # more names than that are not found again


@dataclass(frozen=True)
class Kept:
    """`query`: what stands behind the question mark of the queue's address."""

    id: UUID
    name: str
    query: str


def kept(session: Session, by: Caller) -> list[Kept]:
    mine = select(SavedFilter).where(SavedFilter.person_id == by.person).order_by(SavedFilter.name.collate("cs-x-icu")).limit(MOST)
    return [Kept(row.id, row.name, row.query) for row in session.scalars(mine)]


def keep(session: Session, by: Caller, name: str, filter_: Mapping[str, str]) -> str:
    """Keeps a filter, in the place of the one with that name. Answers its query.

    Raises FormProblems: no name, a long one, a filter that shows everything, too many of them.
    """
    name, query = tidy(name), urlencode({key: filter_[key] for key in QUEUE_FILTERS if filter_.get(key)})
    if not name:
        raise FormProblems({"name": say("Write a name for the filter.")})
    if problem := line_problem(name, LONGEST_NAME):
        raise FormProblems({"name": problem})
    if not query:
        raise FormProblems({"name": say("Filter the queue first; this one shows everything.")})
    others = select(func.count()).where(SavedFilter.person_id == by.person, SavedFilter.name != name)
    if (session.scalar(others) or 0) >= MOST:
        raise FormProblems({"name": say("You keep %(most)s filters already. Remove one first.", most=MOST)})
    row = insert(SavedFilter).values(person_id=by.person, name=name, query=query)
    session.execute(row.on_conflict_do_update(index_elements=["person_id", "name"], set_={"query": query}))
    return query


def remove(session: Session, by: Caller, which: UUID) -> None:
    """Raises NotFound for one of somebody else or one that is gone."""
    gone = delete(SavedFilter).where(SavedFilter.id == which, SavedFilter.person_id == by.person).returning(SavedFilter.id)
    if session.scalar(gone) is None:
        raise NotFound
