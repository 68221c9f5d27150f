"""What the letters say that are about a question to a group, a morning, or an absence: facts of our own rows, read when it is sent."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from flows.approval import reminding
from flows.model import Absence, Letter, OnboardingRequest, Stage

ROWS, COUNTED = 20, 100  # in a digest: shown, and counted beyond that


def stage_of(session: Session, letter: Letter) -> Stage:
    """The stage that the letter's occasion begins with."""
    return session.get_one(Stage, UUID(letter.occasion.split()[0]))


def may_answer(session: Session, letter: Letter) -> bool:
    """Whether the reader has a seat at the letter's stage."""
    who = func.eligible_deciders(stage_of(session, letter).id).table_valued("person_id", "deputised_for_id", "away")
    return bool(session.scalar(select(func.count()).where(who.c.person_id == letter.person_id)))


def asked(session: Session, letter: Letter, request: OnboardingRequest) -> dict[str, Any]:
    """What every letter about a stage says: what is asked for, whom it waits for, until when."""
    stage = stage_of(session, letter)
    facts = {"filed_by": request.requester.name, "position": request.content.get("position", ""), "start": request.start_day}
    return facts | {"due": stage.due_at, "group": stage.group_name}


def left(session: Session, letter: Letter, request: OnboardingRequest) -> dict[str, Any]:
    """Nobody of `was` is left; `group` is asked now, and `nobody` says that there is nobody in it either."""
    stage = stage_of(session, letter)
    return asked(session, letter, request) | {"was": stage.fallback_from or stage.group_name, "nobody": stage.nobody}


def escalated(session: Session, letter: Letter, request: OnboardingRequest) -> dict[str, Any]:
    return asked(session, letter, request) | {"to_head": letter.occasion.endswith(" head")}


def digest(session: Session, letter: Letter) -> dict[str, Any]:
    """What waits now for the reader, oldest due first. `more`: how many are not shown; `many`: even more than were counted."""
    found = reminding.waiting_for(session, letter.person_id, COUNTED + 1)
    rows = [
        {
            "number": stage.request.number,
            "name": stage.request.beneficiary.name if stage.request.beneficiary else "",
            "organisation": stage.request.organisation.name,
            "due": stage.due_at,
        }
        for stage in found[:ROWS]
    ]
    counted = min(len(found), COUNTED)
    return {"rows": rows, "all": counted, "more": max(0, counted - ROWS), "many": len(found) > COUNTED}


def absence(session: Session, letter: Letter) -> dict[str, Any]:
    """Both sides get it; `mine` = the reader is the absent one."""
    both = (joinedload(Absence.person), joinedload(Absence.deputy))
    told = session.get_one(Absence, UUID(letter.occasion.split()[0]), options=both)
    return {
        "who": told.person.name,
        "deputy": told.deputy.name if told.deputy else "",
        "group": told.group_name,
        "first": told.from_day,
        "last": told.until_day,
        "whole": told.cancelled_at is not None,
        "mine": told.person_id == letter.person_id,
    }


STAGES: Mapping[str, Callable[[Session, Letter, OnboardingRequest], dict[str, Any]]] = {
    "waiting_for_you": asked,
    "handed_to_you": asked,
    "reminder": asked,
    "nobody_left": left,
    "escalated": escalated,
}
DAYS: Mapping[str, Callable[[Session, Letter], dict[str, Any]]] = {
    "digest": digest,
    "absence_told": absence,
    "absence_cancelled": absence,
}
