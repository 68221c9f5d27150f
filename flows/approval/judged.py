"""What a decider needs beside the request: the plan in words, checks against what the portal knows, who decided."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval import directory, due, working_days
from flows.approval.course import ENDED
from flows.approval.desk import answer_of, filed_before
from flows.approval.eligible import may_decide
from flows.approval.facts import envelope
from flows.approval.people import Caller
from flows.approval.progress import Whole, snapshots
from flows.approval.queue import LARGE_GB, start_hints
from flows.approval.refusals import NotFound
from flows.approval.request_rows import open_stages
from flows.approval.written import mixes_scripts
from flows.model import OnboardingRequest, ReservedName, Stage
from flows.plan import GIGABYTE, Plan
from flows.sentence import Sentence, say
from flows.settings import load
from flows.words import PRAGUE


def stage_shown(request: OnboardingRequest, by: Caller) -> Stage:
    """The open stage of this version (one's own before others), else the last that was decided. Raises NotFound for one without stages."""
    stages = [stage for stage in request.stages if stage.version == request.version]
    decided = [stage for stage in stages if stage.decision]
    asked = open_stages(request)
    mine = [stage for stage in asked if stage.group_name in by.groups]
    shown = next(iter(mine or asked), decided[-1] if decided else None) or (stages[0] if stages else None)
    if shown is None:
        raise NotFound
    return shown


def why_not(session: Session, by: Caller, stage: Stage) -> Sentence | None:
    """Why this person cannot decide now, in words; None = may."""
    if reason := may_decide(session, by, stage):
        return reason
    if not by.second_factor:
        return say("Decisions need a log-in with the second factor. Log out and log in again with the code from your phone.")
    return None


def plan(whole: Whole) -> dict[str, Any]:
    request, made = whole.request, whole.request.plan or {}
    return {
        "user_name": made["account"]["user_name"],
        "address": made["mailbox"]["address"],
        "quota_gb": made["mailbox"]["quota_bytes"] // GIGABYTE,
        "organisation": request.organisation.name,
        "start": request.start_day,
        "end": date.fromisoformat(made["end"]) if made.get("end") else None,
        **snapshots(),
        "activation_hours": load().provisioning.activation_hours,
        "hash": request.plan_hash,
    }


def stage_words(session: Session, whole: Whole, stage: Stage, today: date) -> dict[str, Any]:
    day = stage.due_at.astimezone(PRAGUE).date()
    asked = [each for each in whole.request.stages if each.version == whole.request.version]
    left = [each for each in asked if each.state in ("open", "waiting") and not each.opinion]
    last = left == [stage] and len(stage.answers) + 1 >= stage.deciders
    left_days = working_days.between(today, day, due.closed_days(session))
    when = {"due": day, "due_is": due.word(day, today), "days_left": left_days}
    return {"group": stage.group_name, "open": stage.state == "open", "opinion": stage.opinion, "last": last} | when


def decided(stage: Stage) -> dict[str, Any] | None:
    return answer_of(stage.decision) if stage.decision else None


def in_short(whole: Whole) -> Sentence:
    """What the approval makes, as one sentence: counted on the plan that the flow executes."""
    made = Plan.from_json(whole.request.plan or {})
    domain = made.mailbox.address.rpartition("@")[2]
    return say(
        "1 identity, 1 mailbox of %(quota)s GB at %(domain)s and 1 backup come into being; nothing is deleted.",
        quota=made.mailbox.quota_bytes // GIGABYTE,
        domain=domain,
    )


def meters(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    """What is left of the organisation's envelope: {key, used, more, limit}; nothing where none was agreed."""
    left, quota = envelope(session, request.organisation_id, request.id), int(request.content.get("quota_gb", 0))
    rows = (("people", left.people, 1, left.people_limit), ("mail_gb", left.mail_gb, quota, left.mail_gb_limit))
    return [{"key": key, "used": used, "more": more, "limit": limit} for key, used, more, limit in rows if limit is not None]


def checks(session: Session, whole: Whole) -> list[dict[str, Any]]:
    """What the portal compared for the decider: tone, sentence, where it is from. A finding is a fact, not a verdict."""
    request, content = whole.request, whole.request.content
    given, family = str(content.get("given_name", "")), str(content.get("family_name", ""))
    same = directory.namesakes(session, given, family, None, besides=request.beneficiary_id)
    found = [] if request.state in ENDED else _unique(session, request)  # names are given back with a request that has ended
    found += [
        _check("warn", say("%(n)s other people of the same name are known here.", n=same), say("people of the portal"))
        if same
        else _check("ok", say("Nobody else of the same name is known here."), say("people of the portal")),
        _check("ok", say("The organisation is served: accounts, mail and backup."), say("organisations"))
        if request.organisation.state == "served"
        else _check("err", say("The organisation is not served yet."), say("organisations")),
    ]
    found += _risks(session, request)
    quota = plan(whole)["quota_gb"]
    if quota > LARGE_GB:
        found.append(_check("warn", say("The mailbox is large: %(quota)s GB.", quota=quota), say("request")))
    if any(mixes_scripts(word) or not _latin(word) for word in f"{given} {family}".split()):
        found.append(_check("warn", say("The name is not written in Latin letters."), say("request")))
    submitted = request.submitted_at.astimezone(PRAGUE).date() if request.submitted_at else datetime.now(PRAGUE).date()
    found += [_check("warn", hint.text, say("request")) for hint in start_hints(request, submitted)]
    return found


def _unique(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    """Whether names and number are this person's alone. The region reads all reserved names; numbers are answered by the database."""
    made, person = Plan.from_json(request.plan or {}), request.beneficiary_id
    mine = select(ReservedName.kind, ReservedName.name).where(ReservedName.person_id == person)
    wanted = {("user_name", made.account.user_name.lower()), ("address", made.mailbox.address.lower())}
    reserved = wanted <= {(row.kind, row.name) for row in session.execute(mine)}
    taken = session.scalar(select(func.personal_number_taken(request.organisation_id, request.content["personal_number"], person)))
    return [
        _check("ok", say("The user name and the address are reserved for this person."), say("reserved names"))
        if reserved
        else _check("warn", say("The user name or the address is not reserved for this person."), say("reserved names")),
        _check("warn", say("Somebody else in the organisation has this personal number."), say("employments"))
        if taken
        else _check("ok", say("The personal number is not used by anybody else in the organisation."), say("employments")),
    ]


def _risks(session: Session, request: OnboardingRequest) -> list[dict[str, Any]]:
    """What the policy looks at, and who asks."""
    found: list[dict[str, Any]] = []
    if request.content.get("access") == "privileged":
        found.append(_check("warn", say("The person gets privileged access."), say("request")))
    if (request.facts or {}).get("above_envelope"):
        found.append(_check("warn", say("The request is above what was agreed with the organisation."), say("envelope")))
    before = filed_before(session, request, datetime.now(PRAGUE))
    told = say(
        "%(who)s filed %(filed)s other requests in the last year: %(refused)s refused, %(returned)s returned.",
        who=request.requester.name,
        **before,
    )
    return [*found, _check("run", told, say("requests"))]


def _check(tone: str, text: Sentence, source: Sentence) -> dict[str, Any]:
    return {"tone": tone, "text": text, "source": source}


def _latin(word: str) -> bool:
    return all(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" or not letter.isalpha() for letter in word)
