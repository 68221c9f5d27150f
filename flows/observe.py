"""Answers what pages ask about the outside. A page writes a question (`lookup`) and polls; no request of a page calls a server."""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.connectors import registry
from flows.connectors.base import ConnectorError, Gone, LogLine
from flows.model import Lookup, OnboardingRequest
from flows.model.session import transaction
from flows.sentence import say
from flows.words import PRAGUE

log = structlog.get_logger()


def work() -> bool:
    """Answers the oldest open question. Answers whether there was one."""
    with transaction() as session:
        asked = select(Lookup).where(Lookup.answered_at.is_(None)).order_by(Lookup.asked_at).limit(1)
        question = session.scalars(asked.with_for_update(skip_locked=True)).first()
        if question is None:
            return False
        try:
            question.answer = KINDS[question.kind](session, question.question)
        except ConnectorError as fault:
            question.sentence, question.detail = fault.sentence.as_json(), fault.detail
        except Exception as bug:  # answered too, or it would stand before all later questions for ever
            log.exception("question not answered", kind=question.kind)
            mistake = say("Our program made a mistake with this question. Tell the people who run the portal.")
            question.sentence, question.detail = mistake.as_json(), type(bug).__name__
        question.answered_at = func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]
        return True


def _run_log(session: Session, question: dict[str, Any]) -> dict[str, Any]:
    """{"number": ...} -> {"lines": [...], "run": id | None, "state": ...}: what Prefect shows of the newest run of a request."""
    request = session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == question["number"])).one()
    runs = registry.runs()
    try:
        seen = runs.observe(request.id, request.generation)
        lines = [_line(each) for each in runs.log(request.id, request.generation)]
    except Gone:
        seen, lines = None, []
    return {"lines": lines, "run": str(seen.run) if seen else None, "state": seen.state if seen else None}


def _line(line: LogLine) -> str:
    """In the office's time, and as technical as the log is: 2026-11-23 10:41:35 info mail.ensure mailbox: finished: Completed."""
    return f"{line.at.astimezone(PRAGUE):%Y-%m-%d %H:%M:%S} {line.level} {line.step or 'flow'}: {line.message}"


KINDS: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {"run_log": _run_log}
