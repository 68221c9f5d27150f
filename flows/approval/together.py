"""Several decisions in one go: first they are looked at together, then each is decided on its own, so one that fails stops no other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from sqlalchemy.orm import Session

from flows.approval import judged, progress, renew
from flows.approval.decide import Outcome, StageRef, Verdict, decide, said
from flows.approval.people import Caller
from flows.approval.refusals import AlreadyDecided, FormProblems, Refusal, SecondFactorNeeded
from flows.approval.request_rows import full_name
from flows.model import RequestState, Stage
from flows.model.session import transaction
from flows.sentence import Sentence, say

MOST = 50  # more than a person looks at in one go
Common = Literal["approve", "return"]  # a refusal is said to one applicant at a time, an opinion about one plan


@dataclass(frozen=True)
class Chosen:
    """A stage as it stood on the page where it was chosen. `plan_hash`: what was shown there."""

    number: str
    position: int
    version: int = 0
    plan_hash: str = ""


@dataclass(frozen=True)
class Shown:
    """What is looked at before it is decided together. `why_not`: it is decided by somebody else, or on its own page."""

    chosen: Chosen
    path: str
    name: str
    position: str
    organisation: str
    address: str
    in_short: Sentence
    findings: list[Mapping[str, object]]
    filed_by: str
    start: date | None
    why_not: Sentence | None


@dataclass(frozen=True)
class Result:
    """What became of one item, `name` = whose it was. `tone`: ok = decided, warn = somebody was faster, err = not decided."""

    number: str
    tone: Literal["ok", "warn", "err"]
    told: Sentence
    name: str = ""


def look(session: Session, by: Caller, chosen: Iterable[Chosen]) -> list[Shown]:
    """The facts of the chosen ones that this person may read, in the order in which they were chosen; each once."""
    return [_shown(session, by, each) for each in list(dict.fromkeys(chosen))[:MOST]]


def decide_together(session: Session, by: Caller, chosen: Iterable[Chosen], verdict: Common, reason: str = "") -> list[Result]:
    """One decision and one transaction for each, all through the one function; commits by itself.

    Raises FormProblems (nothing chosen, too many, a return without a reason) and SecondFactorNeeded before anything is decided.
    """
    wanted = list(dict.fromkeys(chosen))
    if not by.second_factor:
        raise SecondFactorNeeded
    if not wanted or len(wanted) > MOST:
        told = say("Choose at most %(most)s requests at once.", most=MOST) if wanted else say("Nothing was chosen.")
        raise FormProblems({"": told})
    answer = Verdict(verdict, reason=reason if verdict == "return" else "")
    try:
        said(answer)
    except FormProblems as problems:  # of the one text that all of them get
        raise FormProblems({"reason": next(iter(problems.fields.values()))}) from None
    return [_decided(session, by, each, replace(answer, plan_hash=each.plan_hash)) for each in wanted]


def _decided(session: Session, by: Caller, chosen: Chosen, verdict: Verdict) -> Result:
    try:
        with transaction(session):
            outcome = decide(session, by, StageRef(chosen.number, chosen.version, chosen.position), verdict)
    except FormProblems as problems:
        return Result(chosen.number, "err", next(iter(problems.fields.values())))
    except AlreadyDecided as decided:
        return Result(chosen.number, "ok" if decided.mine else "warn", decided.sentence)
    except Refusal as refusal:
        return Result(chosen.number, "err", refusal.sentence)
    if not isinstance(outcome, Outcome):
        return Result(chosen.number, "err", say("The world changed after you opened the page, so nothing was decided. Read what changed."))
    told = say("Returned to complete.")
    if verdict.verdict == "approve":
        waits = outcome.request.state is RequestState.WAITING_APPROVAL
        told = say("Approved by you; others decide now.") if waits else say("Approved.")
    return Result(chosen.number, "ok", told, full_name(outcome.request.content))


def _shown(session: Session, by: Caller, chosen: Chosen) -> Shown:
    whole = progress.find(session, by, chosen.number)
    request = whole.request
    stage = next((each for each in request.stages if (each.version, each.position) == (request.version, chosen.position)), None)
    changed = renew.changes(session, request) if stage and stage.state == "open" else []
    found = [check for check in judged.checks(session, whole) if check["tone"] in ("warn", "err")]
    return Shown(
        Chosen(chosen.number, chosen.position, request.version, request.plan_hash or ""),
        f"/queue/{request.number}",
        full_name(request.content),
        str(request.content.get("position", "")),
        request.organisation.name,
        str((request.plan or {}).get("mailbox", {}).get("address", "")),
        judged.in_short(whole),
        [*({"tone": "err", "text": each} for each in changed), *found],
        request.requester.name,
        request.start_day,
        _why_not(session, by, stage),
    )


def _why_not(session: Session, by: Caller, stage: Stage | None) -> Sentence | None:
    if stage is None:
        return say("The request was made anew since, and has other steps now. Choose it again in the queue.")
    if stage.state != "open":
        return say("This request does not wait for a decision.")
    if stage.opinion:
        return say("Your opinion is asked for here: write it on the page of the request.")
    return judged.why_not(session, by, stage)
