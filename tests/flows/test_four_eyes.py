"""Who may decide, by every way into the ledger of decisions and for every relation that a person can have to a request: no bypass.

Every relation is a scene: it makes rows, and answers a request and the person who tries. The ways are tried on it one after another.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from flows.approval.decide import Outcome
from flows.approval.people import Caller, Regional
from flows.approval.refusals import Refusal
from flows.model import OnboardingRequest
from flows.settings import load
from tests.approvals import PRIVILEGED, answer, away, file, same_human, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.flows.test_decide import portal_of
from tests.web.client import Browser
from tests.web.conftest import SETTINGS, session_of
from web.app import create_app
from web.sessions import COOKIE

R = Regional
Tried = tuple[OnboardingRequest, Caller]


class Scene:
    """The cast, and what a relation needs beside it."""

    def __init__(self, database: Database, cast: Cast) -> None:
        self.database, self.cast, self.filed = database, cast, 0

    def run(self, statement: str, *values: object) -> None:
        """As an operator or a fault could: past the triggers."""
        with self.database.superuser() as db:
            db.execute("SET session_replication_role = replica")
            db.execute(statement.encode(), values)

    def files_for_school(self, who: Caller) -> Caller:
        """The person has a role in the school too."""
        self.run(
            "INSERT INTO organisation_role (person_id, organisation_id, role) VALUES (%s, %s, 'clerk')", who.person, self.cast.school.id
        )
        return who

    def is_also(self, who: Caller, role: Regional) -> Caller:
        self.run("INSERT INTO regional_role (person_id, role, granted_by) VALUES (%s, %s, 'tests')", who.person, role.value)
        return replace(who, roles=who.roles | {role})

    def about(self, request: OnboardingRequest, who: Caller) -> OnboardingRequest:
        """Makes the person the beneficiary: no page can."""
        self.run("UPDATE onboarding_request SET beneficiary_id = %s WHERE id = %s", who.person, request.id)
        return request

    def file(self, by: Caller | None = None, **changes: str) -> OnboardingRequest:
        self.filed += 1
        return file(self.cast, by, personal_number=f"f{self.filed}", **changes)

    def at_security(self, by: Caller | None = None, decided_by: Caller | None = None) -> OnboardingRequest:
        """Approved by region-it, waits for security, where somebody who has nothing to do with it may decide: so not for the fallback."""
        self.is_also(self.cast.second_approver, R.SECURITY)
        request = self.file(by, **PRIVILEGED)
        answer(decided_by or self.cast.approver, request)
        with self.database.superuser() as db:
            asked = db.execute("SELECT group_name FROM stage WHERE request_id = %s AND state = 'open'", (request.id,)).fetchall()
        assert asked == [("security",)]
        return request

    def away(self, who: Caller, group: Regional, deputy: Caller) -> Caller:
        away(self.database, who, group, deputy)
        return deputy

    def same(self, one: UUID, other: Caller) -> Caller:
        """Linked by security, who has nothing to do with either."""
        same_human(self.database, replace(other, person=one), other, self.cast.auditor)
        return other


def requester(s: Scene) -> Tried:
    by = s.files_for_school(s.cast.approver)
    return s.file(by), by


def requesters_second_account(s: Scene) -> Tried:
    return s.file(), s.same(s.cast.director.person, s.cast.approver)


def requesters_third_account(s: Scene) -> Tried:
    """The chain is director -> deputy -> approver."""
    s.same(s.cast.deputy.person, s.cast.approver)
    s.same(s.cast.director.person, s.cast.deputy)
    return s.file(), s.cast.approver


def beneficiary(s: Scene) -> Tried:
    return s.about(s.file(), s.cast.approver), s.cast.approver


def beneficiarys_second_account(s: Scene) -> Tried:
    request = s.file()
    assert request.beneficiary_id
    return request, s.same(request.beneficiary_id, s.cast.approver)


def deputy_of_the_requester(s: Scene) -> Tried:
    by = s.files_for_school(s.cast.security)
    return s.at_security(by), s.away(by, R.SECURITY, s.cast.it)


def deputy_of_the_requesters_second_account(s: Scene) -> Tried:
    s.same(s.cast.director.person, s.cast.security)
    return s.at_security(), s.away(s.cast.security, R.SECURITY, s.cast.it)


def deputy_of_the_beneficiary(s: Scene) -> Tried:
    return s.about(s.at_security(), s.cast.security), s.away(s.cast.security, R.SECURITY, s.cast.it)


def deputy_who_is_the_requester(s: Scene) -> Tried:
    by = s.files_for_school(s.cast.it)
    return s.at_security(by), s.away(s.cast.security, R.SECURITY, by)


def deputy_who_is_the_requesters_second_account(s: Scene) -> Tried:
    return s.at_security(), s.away(s.cast.security, R.SECURITY, s.same(s.cast.director.person, s.cast.it))


def deputy_who_is_the_beneficiary(s: Scene) -> Tried:
    return s.about(s.at_security(), s.cast.it), s.away(s.cast.security, R.SECURITY, s.cast.it)


def answered_another_stage(s: Scene) -> Tried:
    by = s.is_also(s.cast.approver, R.SECURITY)
    return s.at_security(decided_by=by), by


def second_account_of_one_who_answered(s: Scene) -> Tried:
    request = s.at_security()
    return request, s.same(s.cast.approver.person, s.cast.security)


def deputy_who_answered_another_stage(s: Scene) -> Tried:
    request = s.at_security()
    return request, s.away(s.cast.security, R.SECURITY, s.cast.approver)


def deputy_of_one_who_answered_another_stage(s: Scene) -> Tried:
    absent = s.is_also(s.cast.approver, R.SECURITY)
    return s.at_security(decided_by=absent), s.away(absent, R.SECURITY, s.cast.it)


def deputy_for_whom_a_deputy_answered_another_stage(s: Scene) -> Tried:
    """Security was deputised for at region-it's stage; they may not answer their own as well."""
    absent = s.is_also(s.cast.security, R.REGION_IT)
    return s.at_security(decided_by=s.away(absent, R.REGION_IT, s.cast.it)), absent


def somebody_of_another_group(s: Scene) -> Tried:
    return s.file(), s.cast.founder


def the_group_of_a_later_stage(s: Scene) -> Tried:
    return s.file(**PRIVILEGED), s.cast.security


def deputy_in_another_group(s: Scene) -> Tried:
    return s.file(), s.away(s.cast.security, R.SECURITY, s.cast.it)


def deputy_of_somebody_who_is_no_member(s: Scene) -> Tried:
    return s.file(), s.away(s.cast.founder, R.REGION_IT, s.cast.it)


def deputy_without_a_role_of_the_region(s: Scene) -> Tried:
    return s.file(), s.away(s.cast.approver, R.REGION_IT, s.cast.deputy)


def deputy_after_the_absence(s: Scene) -> Tried:
    s.away(s.cast.approver, R.REGION_IT, s.cast.it)
    s.run("UPDATE absence SET from_day = current_date - 9, until_day = current_date - 1")
    return s.file(), s.cast.it


def deputy_of_a_cancelled_absence(s: Scene) -> Tried:
    s.away(s.cast.approver, R.REGION_IT, s.cast.it)
    s.run("UPDATE absence SET cancelled_at = now()")
    return s.file(), s.cast.it


def member_until_yesterday(s: Scene) -> Tried:
    s.run(
        "UPDATE regional_role SET valid_from = current_date - 9, valid_until = current_date - 1 WHERE person_id = %s",
        s.cast.approver.person,
    )
    return s.file(), s.cast.approver


def member_by_the_token_only(s: Scene) -> Tried:
    return s.file(), replace(s.cast.it, roles=frozenset({R.REGION_IT}))


def member_by_the_table_only(s: Scene) -> Tried:
    return s.file(), replace(s.cast.approver, roles=frozenset())


def director_of_another_organisation(s: Scene) -> Tried:
    return s.file(), s.cast.hospital_director


def colleague_of_the_requester(s: Scene) -> Tried:
    return s.file(), s.cast.deputy


def dpo(s: Scene) -> Tried:
    return s.file(), s.cast.dpo


def it(s: Scene) -> Tried:
    return s.file(), s.cast.it


def auditor(s: Scene) -> Tried:
    return s.file(), s.cast.auditor


def member(s: Scene) -> Tried:
    return s.file(), s.cast.approver


def member_who_is_away_and_works_all_the_same(s: Scene) -> Tried:
    s.away(s.cast.approver, R.REGION_IT, s.cast.it)
    return s.file(), s.cast.approver


def member_with_a_second_account_that_did_nothing(s: Scene) -> Tried:
    return s.file(), s.same(s.cast.clerk.person, s.cast.approver)


def deputy_of_somebody(s: Scene) -> Tried:
    return s.file(), s.away(s.cast.approver, R.REGION_IT, s.cast.it)


def deputy_of_the_requesters_absent_colleague(s: Scene) -> Tried:
    by = s.files_for_school(s.cast.second_approver)
    return s.file(by), s.away(s.cast.approver, R.REGION_IT, s.cast.it)


def member_of_the_later_group_when_it_is_asked(s: Scene) -> Tried:
    return s.at_security(), s.cast.security


def one_who_answered_the_version_before(s: Scene) -> Tried:
    request = s.file()
    use_policy(s.database, ("working_days = 3", "working_days = 4"))
    renewed = answer(s.cast.approver, request)
    assert not isinstance(renewed, Outcome)
    return renewed.request, s.cast.approver


MUST_NOT = (
    requester,
    requesters_second_account,
    requesters_third_account,
    beneficiary,
    beneficiarys_second_account,
    deputy_of_the_requester,
    deputy_of_the_requesters_second_account,
    deputy_of_the_beneficiary,
    deputy_who_is_the_requester,
    deputy_who_is_the_requesters_second_account,
    deputy_who_is_the_beneficiary,
    answered_another_stage,
    second_account_of_one_who_answered,
    deputy_who_answered_another_stage,
    deputy_of_one_who_answered_another_stage,
    deputy_for_whom_a_deputy_answered_another_stage,
    somebody_of_another_group,
    the_group_of_a_later_stage,
    deputy_in_another_group,
    deputy_of_somebody_who_is_no_member,
    deputy_without_a_role_of_the_region,
    deputy_after_the_absence,
    deputy_of_a_cancelled_absence,
    member_until_yesterday,
    member_by_the_token_only,
    member_by_the_table_only,
    director_of_another_organisation,
    colleague_of_the_requester,
    dpo,
    it,
    auditor,
)
MAY = (
    member,
    member_who_is_away_and_works_all_the_same,
    member_with_a_second_account_that_did_nothing,
    deputy_of_somebody,
    deputy_of_the_requesters_absent_colleague,
    member_of_the_later_group_when_it_is_asked,
    one_who_answered_the_version_before,
)


ROW = """INSERT INTO decision (id, stage_id, request_id, version, plan_hash, verdict, reason, decided_by_id, deputised_for_id)
  SELECT gen_random_uuid(), s.id, s.request_id, s.version, r.plan_hash, v.verdict, 'Protože.', v.by_id, v.seat
    FROM (SELECT %s::text AS verdict, %s::uuid AS by_id, %s::uuid AS seat, %s::uuid AS stage) v
    JOIN stage s ON s.id = v.stage JOIN onboarding_request r ON r.id = s.request_id"""


class Way:
    """Every way by which a row of `decision` could come about. Each answers whether one did."""

    def __init__(self, database: Database, app: Any) -> None:
        self.database, self.app = database, app

    def function(self, request: OnboardingRequest, by: Caller, verdict: str) -> bool:
        try:
            return isinstance(answer(by, request, verdict, "Protože."), Outcome)
        except Refusal:
            return False

    def page(self, request: OnboardingRequest, by: Caller, verdict: str) -> bool:
        browser = Browser(self.app)
        browser.http.cookies.set(COOKIE, session_of(by), domain="portal.example")
        form = {"decision": verdict, "plan_hash": str(request.plan_hash), "version": str(request.version), "reason": "Protože."}
        answered = browser.http.post(f"/queue/{request.number}/decision", data=form, follow_redirects=False)
        assert answered.status_code in (303, 403, 404, 409, 422), answered.text[:500]
        return answered.status_code == 303

    def together(self, request: OnboardingRequest, by: Caller, verdict: str) -> bool:
        """Several at once: every stage of the request in one form."""
        browser = Browser(self.app)
        browser.http.cookies.set(COOKIE, session_of(by), domain="portal.example")
        with self.database.superuser() as db:
            stages = db.execute(
                "SELECT position FROM stage WHERE request_id = %s AND version = %s", (request.id, request.version)
            ).fetchall()
            before = db.execute("SELECT count(*) FROM decision").fetchone()
        items = {f"item-{request.number}.{position}": f"{request.version}:{request.plan_hash}" for (position,) in stages}
        answered = browser.http.post("/queue/decisions", data=items | {"decision": verdict, "reason": "Protože."}, follow_redirects=False)
        assert answered.status_code in (200, 403, 404, 422), answered.text[:500]
        with self.database.superuser() as db:
            return db.execute("SELECT count(*) FROM decision").fetchone() != before

    def sql_of_the_portal(self, request: OnboardingRequest, by: Caller, verdict: str) -> bool:
        """For every stage, and on every seat that one could claim: one's own, and that of anybody of the region. Nothing of it is kept."""
        with self.database.superuser() as db:
            seats = [None, *(row[0] for row in db.execute("SELECT DISTINCT person_id FROM regional_role"))]
            stages = [row[0] for row in db.execute("SELECT id FROM stage WHERE request_id = %s", (request.id,))]
        with portal_of(self.database, by) as db:
            made = [self._inserted(db, (verdict, by.person, seat, stage)) for seat in seats for stage in stages]
            db.rollback()
        return any(made)

    def _inserted(self, db: psycopg.Connection, values: tuple[object, ...]) -> bool:
        try:
            with db.transaction(force_rollback=True):
                return db.execute(ROW.encode(), values).rowcount > 0
        except (psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege):
            return False

    def rule(self, request: OnboardingRequest, by: Caller, _verdict: str) -> bool:
        """A rule is nobody's seat, and the policy has it switched off."""
        with portal_of(self.database, by) as db:
            try:
                made = db.execute("SELECT approve_by_rule(id, 'standard hire') FROM stage WHERE request_id = %s", (request.id,)).fetchall()
            except psycopg.errors.CheckViolation:
                return False
            return any(row[0] for row in made)

    def sql_of_the_worker(self, request: OnboardingRequest, by: Caller, verdict: str) -> bool:
        with self.database.superuser() as db:
            stage = db.execute("SELECT id FROM stage WHERE request_id = %s AND state = 'open'", (request.id,)).fetchone()
        address = self.database.url("nastup_worker").replace("+psycopg", "")
        with psycopg.connect(address) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(ROW.encode(), (verdict, by.person, None, stage and stage[0]))
        return False


PORTAL_WAYS = (Way.function, Way.page, Way.together, Way.sql_of_the_portal)
NOBODYS_WAYS = (Way.rule, Way.sql_of_the_worker)
VERDICTS = ("approve", "refuse", "return")


@pytest.fixture
def way(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    yield Way(database, create_app())
    load.cache_clear()


def kept(database: Database) -> list[tuple[Any, ...]]:
    """All that a decision would change."""
    with database.superuser() as db:
        rows = [
            *db.execute("SELECT id FROM decision ORDER BY at"),
            *db.execute("SELECT id, version, state FROM onboarding_request ORDER BY id"),
        ]
        return [*rows, *db.execute("SELECT id, state FROM stage ORDER BY id")]


@pytest.mark.parametrize("relation", MUST_NOT, ids=lambda relation: relation.__name__)
def test_who_must_not_decide_does_not_by_any_way(database: Database, cast: Cast, way: Way, relation: Callable[[Scene], Tried]) -> None:
    request, by = relation(Scene(database, cast))
    before = kept(database)
    bypasses = [
        f"{through.__name__} {verdict}"
        for through in (*PORTAL_WAYS, *NOBODYS_WAYS)
        for verdict in VERDICTS
        if through(way, request, by, verdict)
    ]
    assert bypasses == []
    assert kept(database) == before


@pytest.mark.parametrize("relation", MAY, ids=lambda relation: relation.__name__)
@pytest.mark.parametrize("through", PORTAL_WAYS, ids=lambda through: through.__name__)
def test_who_may_decide_does_by_every_way_that_is_theirs(
    database: Database, cast: Cast, way: Way, relation: Callable[[Scene], Tried], through: Callable[..., bool]
) -> None:
    request, by = relation(Scene(database, cast))
    assert through(way, request, by, "approve")


@pytest.mark.parametrize("relation", MAY, ids=lambda relation: relation.__name__)
def test_nobody_decides_by_the_ways_that_are_nobodys(database: Database, cast: Cast, way: Way, relation: Callable[[Scene], Tried]) -> None:
    request, by = relation(Scene(database, cast))
    before = kept(database)
    assert [through.__name__ for through in NOBODYS_WAYS if through(way, request, by, "approve")] == []
    assert kept(database) == before
