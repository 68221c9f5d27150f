"""What tests of approvals do over and over: file, decide, load another policy, be away, be one human."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flows.approval import policies
from flows.approval.audit import Actor
from flows.approval.decide import Outcome, Renewed, StageRef, Verdict, decide
from flows.approval.drafts import new_draft, save_draft
from flows.approval.people import Caller, Regional, authority
from flows.approval.policy import shipped
from flows.approval.submit import submit
from flows.model import OnboardingRequest, Organisation
from flows.model.session import open_session, transaction
from tests.cast import Cast
from tests.database import Database

TYPED = {
    "given_name": "Žofie",
    "family_name": "Šťastná",
    "title_before": "Ing.",
    "title_after": "Ph.D.",
    "personal_number": "1042",
    "contract": "employment",
    "position": "učitelka fyziky",
    "manager": "",
    "start": (date.today() + timedelta(days=30)).isoformat(),
    "end": "",
    "quota_gb": "5",
    "access": "standard",
}
PRIVILEGED = {"access": "privileged"}


def file(cast: Cast, by: Caller | None = None, where: Organisation | None = None, **changes: str) -> OnboardingRequest:
    """A request that waits for its first decision: of the school's director, unless said otherwise."""
    by = by or cast.director
    with open_session(by.person, by.roles) as session, transaction(session):
        draft = new_draft(session, by, (where or cast.school).id)
        save_draft(session, by, draft.id, TYPED | changes, "zofie@posta.cz")
        return submit(session, by, draft.id)


def correct(cast: Cast, request: OnboardingRequest, **changes: str) -> OnboardingRequest:
    """The director submits the next version of a returned request."""
    by = cast.director
    with open_session(by.person, by.roles) as session, transaction(session):
        save_draft(session, by, request.id, TYPED | changes, "zofie@posta.cz")
        return submit(session, by, request.id)


def seen_today(by: Caller) -> Caller:
    """The caller as a log-in of this moment makes it: with those for whom the person stands in."""
    with open_session(by.person, by.roles) as session:
        roles, standing = authority(session, by.person, frozenset(role.value for role in by.roles), date.today())
        return Caller(by.person, by.name, roles, by.second_factor, standing)


def answer(
    by: Caller,
    request: OnboardingRequest,
    verdict: Any = "approve",
    reason: str = "",
    *,
    version: int | None = None,
    plan_hash: str | None = None,
    position: int | None = None,
    comments: Mapping[str, str] | None = None,
    to: UUID | None = None,
) -> Outcome | Renewed:
    """One decision in a transaction of its own, about the request as it is in the caller's hands."""
    on = StageRef(str(request.number), version or request.version, position)
    choice = Verdict(verdict, str(request.plan_hash) if plan_hash is None else plan_hash, reason, comments or {}, to)
    with open_session(by.person, by.roles) as session, transaction(session):
        return decide(session, by, on, choice)


def use_policy(database: Database, *changes: tuple[str, str], text: str | None = None) -> str:
    """Loads the shipped policy with some of its words exchanged; answers its hash."""
    text = text or shipped()
    for was, becomes in changes:
        assert was in text, was
        text = text.replace(was, becomes)
    with database.used_as("nastup_owner"), transaction() as session:
        return policies.load(session, text, Actor("tests"))


def route(*stages: str) -> str:
    """A policy whose route of an employee is made of these stages (TOML without the heading)."""
    whole = shipped()
    first, rest = whole.index("[[route.employee]]"), whole.index("[[route.organisation]]")
    return whole[:first] + "".join(f"[[route.employee]]\n{stage}\n\n" for stage in stages) + whole[rest:]


def away(database: Database, who: Caller, group: Regional, deputy: Caller | None, days: int = 5) -> None:
    """From today on."""
    with database.superuser() as db:
        db.execute(
            "INSERT INTO absence (person_id, group_name, from_day, until_day, deputy_id)"
            " VALUES (%s, %s, current_date, current_date + %s, %s)",
            (who.person, group.value, days, deputy.person if deputy else None),
        )


def same_human(database: Database, one: Caller, other: Caller, by: Caller) -> None:
    with database.superuser() as db:
        db.execute(
            "INSERT INTO same_human (person_id, same_as_id, linked_by_id, reason) VALUES (%s, %s, %s, 'dvě smlouvy')",
            (one.person, other.person, by.person),
        )
