"""Approvals played at random on the real database: whatever the people do in whatever order, the invariants hold after every step.

A refusal is as good an end of a rule as a success: what counts is what stands in the database afterwards.
"""

from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.drafts import my_draft, save_draft, typed_of
from flows.approval.people import Caller, Regional
from flows.approval.policy import shipped
from flows.approval.refusals import Refusal
from flows.approval.states import EXECUTABLE
from flows.approval.submit import submit
from flows.model import OnboardingRequest, RequestState
from flows.model.session import open_session, transaction
from flows.plan import Plan
from flows.provisioning.work import NotApproved, take
from tests.approvals import answer, file, route, same_human, seen_today, use_policy
from tests.cast import Cast, caller, plant
from tests.database import Database

IT = 'group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"'
SECURITY = 'group = "security"\nstep = {}\nworking_days = 2\nfallback = "founder"'
FOUNDER = 'group = "founder"\nstep = 3\nworking_days = 2\nfallback = "security"'
DPO = 'group = "dpo"\nstep = 1\nworking_days = 3\nopinion = true'
POLICIES = {
    "shipped": shipped(),
    "two of it": route(IT + "\ndeciders = 2", DPO),
    "side by side": route(IT, SECURITY.format(1)),
    "one after another": route(IT, SECURITY.format(2), FOUNDER),
    "by rule": shipped().replace("enabled = false", "enabled = true"),
}
APPLICANTS = ("director", "clerk", "second_approver")  # the last one has a role in the school too: an applicant who could decide
REGION = ("approver", "second_approver", "founder", "security", "dpo", "it", "auditor")
DECIDERS = ("approver", "second_approver", "security", "founder")
LINKABLE = ("approver", "second_approver", "security", "founder", "director", "it")
ANYBODY = ("director", "deputy", "clerk", "hospital_director", *REGION)
GROUPS = ("region-it", "security", "founder")
FILED_AT_MOST = 6

who_applies, who_at_all = st.sampled_from(APPLICANTS), st.sampled_from(ANYBODY)
who_decides = st.sampled_from((*DECIDERS, *DECIDERS, *DECIDERS, "it", "it", "dpo", "auditor"))
which = st.integers(0, FILED_AT_MOST - 1)
CHANGES = st.one_of(
    st.tuples(
        st.just("an_absence_begins"), st.sampled_from(LINKABLE), st.sampled_from(GROUPS), st.sampled_from((None, "it", "it", *REGION))
    ),
    st.tuples(st.just("the_absences_end")),
    st.tuples(st.just("days_go_by"), st.integers(1, 9)),
    st.tuples(st.just("the_policy_changes"), st.sampled_from(sorted(POLICIES))),
    st.tuples(st.just("the_envelope_changes"), st.sampled_from((None, 8, 15, 25))),
    st.tuples(st.just("two_accounts_turn_out_to_be_one_human"), st.sampled_from(LINKABLE), st.sampled_from(LINKABLE)),
    st.tuples(st.just("the_beneficiary_turns_out_to_be_somebody_known"), which, st.sampled_from(REGION)),
)


class Approvals(RuleBasedStateMachine):
    database: Database  # of the test that runs it: Hypothesis makes the machines itself

    def __init__(self) -> None:
        super().__init__()
        self.requests, self.author = list[UUID](), dict[UUID, str]()
        self.seen = set[UUID]()  # decisions that were looked at when they were made
        self.approved = set[UUID]()
        self.tried = set[tuple[Any, ...]]()
        self.eye = self.database.superuser()  # one connection that looks on

    def teardown(self) -> None:
        self.eye.close()

    @initialize(policy=st.sampled_from(sorted(POLICIES)), absent=st.sampled_from((None, *LINKABLE)), gigabytes=st.sampled_from((None, 15)))
    def begins(self, policy: str, absent: str | None, gigabytes: int | None) -> None:
        self.database.empty()
        self.cast: Cast = plant(self.database)
        self.past(
            "INSERT INTO organisation_role (person_id, organisation_id, role) VALUES (%s, %s, 'deputy')", self.id_of("second_approver")
        )
        self.past(
            "INSERT INTO regional_role (person_id, role, granted_by) VALUES (%s, 'security', 'tests')",
            self.id_of("second_approver"),
            place=False,
        )
        use_policy(self.database, text=POLICIES[policy])
        self.the_envelope_changes(gigabytes)
        if absent:
            self.an_absence_begins(absent, "security", "it")
        self.files("director", privileged=True, external=False, quota="10")
        self.files("second_approver", privileged=False, external=False, quota="10")

    # what people do -------------------------------------------------------------------------------------------------
    @precondition(lambda self: len(self.requests) < FILED_AT_MOST)
    @rule(by=who_applies, privileged=st.booleans(), external=st.booleans(), quota=st.sampled_from(("5", "10", "20")))
    def files(self, by: str, privileged: bool, external: bool, quota: str) -> None:
        changes = {
            "access": "privileged" if privileged else "standard",
            "contract": "external" if external else "employment",
            "quota_gb": quota,
        }
        if external:
            changes["end"] = "2029-01-01"
        request = file(self.cast, self.of(by), personal_number=f"m{len(self.requests)}", **changes)
        self.requests.append(request.id)
        self.author[request.id] = by

    @precondition(lambda self: self.requests)
    @rule(n=which, quota=st.sampled_from(("5", "10", "15")))
    def corrects(self, n: int, quota: str) -> None:
        request = self.pick(n)
        by = self.of(self.author[request.id])
        with suppress(Refusal), open_session(by.person, by.roles) as session, transaction(session):
            draft = my_draft(session, by, request.id)
            save_draft(session, by, draft.id, typed_of(draft) | {"quota_gb": quota}, "zofie@posta.cz")
            submit(session, by, draft.id)

    @precondition(lambda self: self.requests)
    @rule(n=which, by=who_decides, position=st.sampled_from((None, None, 1, 2)), stale=st.sampled_from((0, 0, 0, 0, 1)))
    def approves(self, n: int, by: str, position: int | None, stale: int) -> None:
        self.decides(n, by, "approve", position=position, stale=stale)

    @precondition(lambda self: self.requests)
    @rule(n=which, by=st.permutations((*DECIDERS, "it")))
    def all_approve_in_turn(self, n: int, by: list[str]) -> None:
        for each in by:
            self.decides(n, each, "approve")

    @precondition(lambda self: self.requests)
    @rule(n=which, by=who_at_all, verdict=st.sampled_from(("return", "return", "refuse", "opinion", "take", "withdraw")))
    def does_something_else(self, n: int, by: str, verdict: str) -> None:
        self.decides(n, by, verdict)

    @precondition(lambda self: self.requests)
    @rule(n=which, by=who_decides, to=who_decides)
    def hands_over(self, n: int, by: str, to: str) -> None:
        self.decides(n, by, "hand", to=self.id_of(to))

    @precondition(lambda self: len(self.requests) == FILED_AT_MOST)
    @rule(n=which)
    def takes_back(self, n: int) -> None:
        request = self.pick(n)
        self.decides(n, self.author[request.id], "withdraw")

    # what the world does --------------------------------------------------------------------------------------------
    @rule(changes=st.lists(CHANGES, min_size=1, max_size=2))
    def the_world_changes(self, changes: list[tuple[Any, ...]]) -> None:
        """One rule for all of it: people act more often than the world changes."""
        for what, *how in changes:
            getattr(self, what)(*how)

    def an_absence_begins(self, who: str, group: str, deputy: str | None) -> None:
        columns = "person_id, group_name, deputy_id, from_day, until_day"
        row = f"INSERT INTO absence ({columns}) VALUES (%s, %s, %s, current_date, current_date + 5)"
        self.within_the_guards(row, self.id_of(who), group, self.id_of(deputy) if deputy else None)

    def the_absences_end(self) -> None:
        self.within_the_guards("UPDATE absence SET cancelled_at = now() WHERE cancelled_at IS NULL")

    def days_go_by(self, days: int) -> None:
        self.past("UPDATE stage SET opened_at = opened_at - make_interval(days => %s)", days, place=False)
        self.past("UPDATE stage SET due_at = due_at - make_interval(days => %s)", days, place=False)

    def the_policy_changes(self, policy: str) -> None:
        use_policy(self.database, text=POLICIES[policy])

    def the_envelope_changes(self, gigabytes: int | None) -> None:
        self.within_the_guards("UPDATE organisation SET mail_gb_limit = %s", gigabytes)

    def two_accounts_turn_out_to_be_one_human(self, one: str, other: str) -> None:
        with suppress(psycopg.errors.IntegrityError):
            same_human(self.database, self.of(one), self.of(other), self.cast.auditor)

    def the_beneficiary_turns_out_to_be_somebody_known(self, n: int, who: str) -> None:
        if beneficiary := self.pick(n).beneficiary_id:
            self.within_the_guards(
                "INSERT INTO same_human (person_id, same_as_id, linked_by_id, reason) VALUES (%s, %s, %s, 'vrací se')",
                beneficiary, self.id_of(who), self.cast.auditor.person,
            )  # fmt: skip

    # what always holds ----------------------------------------------------------------------------------------------
    @invariant()
    def a_stage_ends_once(self) -> None:
        for stage in self.rows(
            "SELECT s.id, s.deciders, s.state, array_agg(d.verdict) AS said FROM stage s JOIN decision d ON d.stage_id = s.id GROUP BY s.id"
        ):
            said = Counter(stage["said"])
            final = said["refuse"] + said["return"] + said["opinion"] + (said["approve"] >= stage["deciders"])
            assert final <= 1, stage
            assert said["approve"] <= stage["deciders"], stage

    @invariant()
    def who_decides_is_another_human_than_all_others(self) -> None:
        """Judged when the decision is made: a link that is made later is the next invariant's."""
        for made in self.rows("SELECT d.*, s.different_people FROM decision d JOIN stage s ON s.id = d.stage_id WHERE d.rule IS NULL"):
            if made["id"] in self.seen:
                continue
            self.seen.add(made["id"])
            mine = self.humans(made["decided_by_id"], made["deputised_for_id"])
            request = self.rows("SELECT requester_id, beneficiary_id FROM onboarding_request WHERE id = %s", made["request_id"])[0]
            assert len(mine) == len(set(mine)), made
            assert not set(mine) & set(self.humans(*request.values())), made
            others = [each for each in self.answers_of(made["request_id"], made["version"]) if each["id"] != made["id"]]
            assert not set(mine) & {human for each in others for human in self.humans(each["decided_by_id"], each["deputised_for_id"])}, (
                made
            )

    @invariant()
    def what_is_approved_was_approved_by_different_humans_at_every_stage(self) -> None:
        for request in self.rows("SELECT * FROM onboarding_request WHERE state = 'approved'"):
            if request["id"] in self.approved:
                continue
            self.approved.add(request["id"])
            answers = self.answers_of(request["id"], request["version"])
            for stage in self.rows(
                "SELECT * FROM stage WHERE request_id = %s AND version = %s AND NOT opinion", request["id"], request["version"]
            ):
                counted = [each for each in answers if each["stage_id"] == stage["id"]]
                assert stage["state"] == "approved", stage
                assert len(counted) >= (1 if any(each["rule"] for each in counted) else stage["deciders"]), stage
                assert {(each["verdict"], each["plan_hash"]) for each in counted} == {("approve", request["plan_hash"])}, stage
                assert {each["inputs_hash"] for each in counted} == {stage["inputs_hash"]}, stage
            people = [each for each in answers if each["verdict"] == "approve" and not each["rule"]]
            humans = [human for each in people for human in self.humans(each["decided_by_id"], each["deputised_for_id"])]
            assert len(humans) == len(set(humans)), request["number"]
            assert not set(humans) & set(self.humans(request["requester_id"], request["beneficiary_id"])), request["number"]
            assert not (any(each["rule"] for each in answers) and (request["facts"]["privileged"] or request["facts"]["above_envelope"]))

    @invariant()
    def only_the_approved_plan_is_carried_out(self) -> None:
        with self.database.used_as("nastup_worker"):
            for request in self.rows("SELECT id, state, version, plan FROM onboarding_request WHERE state <> 'draft'"):
                if (key := (request["id"], request["state"], request["version"])) in self.tried:
                    continue
                self.tried.add(key)
                if RequestState(request["state"]) not in EXECUTABLE:
                    with pytest.raises(NotApproved), take(request["id"]):
                        pass
                    continue
                hashes = self.rows("SELECT plan_hash FROM decision WHERE request_id = %s AND verdict = 'approve'", request["id"])
                with take(request["id"]) as work:
                    assert work.plan == Plan.from_json(request["plan"])
                    assert work.plan.hash in {each["plan_hash"] for each in hashes}

    @invariant()
    def the_audit_chain_is_whole_and_tells_the_states(self) -> None:
        rows = self.rows("SELECT a.*, encode(sha256(convert_to(audit_text(a), 'UTF8')), 'hex') AS again FROM audit a ORDER BY position")
        before = "0" * 64
        told: dict[UUID, str] = {}
        for row in rows:
            assert (row["previous_hash"], row["hash"]) == (before, row["again"]), row["position"]
            before = row["hash"]
            if row["action"] == "request.moved":
                assert row["facts"]["from"] == told.get(row["request_id"], "draft"), row
                told[row["request_id"]] = row["facts"]["to"]
        states = {row["id"]: row["state"] for row in self.rows("SELECT id, state FROM onboarding_request WHERE state <> 'draft'")}
        assert states == told
        decided = Counter(row["request_id"] for row in rows if row["action"] == "stage.decided")
        assert decided == Counter(row["request_id"] for row in self.rows("SELECT request_id FROM decision"))

    @invariant()
    def no_number_is_given_twice(self) -> None:
        numbers = [row["number"] for row in self.rows("SELECT number FROM onboarding_request WHERE number IS NOT NULL")]
        assert len(numbers) == len(set(numbers)) == len(self.requests)

    @invariant()
    def somebody_is_asked_while_it_waits_and_nobody_afterwards(self) -> None:
        for row in self.rows(
            "SELECT q.number, q.state, count(s.id) FILTER (WHERE s.version = q.version AND NOT s.opinion) AS asked, count(s.id) AS open"
            " FROM onboarding_request q LEFT JOIN stage s ON s.request_id = q.id AND s.state = 'open' GROUP BY q.id"
        ):
            assert row["asked"] > 0 if row["state"] == "waiting_approval" else row["open"] == 0, row

    # words of the machine -------------------------------------------------------------------------------------------
    def decides(self, n: int, by: str, verdict: str, *, position: int | None = None, stale: int = 0, to: UUID | None = None) -> None:
        request, person = self.pick(n), seen_today(self.of(by))
        with suppress(Refusal):
            if verdict == "withdraw":
                with open_session(person.person, person.roles) as session, transaction(session):
                    decide(session, person, StageRef(str(request.number), request.version), Verdict("withdraw"))
            else:
                answer(person, request, verdict, "Protože.", version=request.version + stale, position=position, to=to)

    def of(self, who: str) -> Caller:
        made = caller(who)
        return Caller(made.person, made.name, made.roles | {Regional.SECURITY}, True) if who == "second_approver" else made

    def id_of(self, who: str) -> UUID:
        return caller(who).person

    def pick(self, n: int) -> OnboardingRequest:
        """One of those that still wait for somebody; of those that ended when there is none."""
        open_now = "SELECT id FROM onboarding_request WHERE state IN ('waiting_approval','returned') ORDER BY number"
        among = [row["id"] for row in self.rows(open_now)] or self.requests
        with self.database.used_as("nastup_worker"), transaction() as session:
            return session.get_one(OnboardingRequest, among[n % len(among)])

    def rows(self, question: str, *values: object) -> list[dict[str, Any]]:
        return self.eye.cursor(row_factory=dict_row).execute(question.encode(), values).fetchall()

    def answers_of(self, request: UUID, version: int) -> list[dict[str, Any]]:
        """The decisions that count for a version, by the stage that they count for; `inputs_hash`: of the stage they were made at."""
        return self.rows(
            "SELECT d.id, s.id AS stage_id, d.verdict, d.rule, d.plan_hash, d.decided_by_id, d.deputised_for_id, o.inputs_hash FROM stage s"
            " JOIN decision d ON d.stage_id = coalesce(s.carried_from_id, s.id) JOIN stage o ON o.id = d.stage_id"
            " WHERE s.request_id = %s AND s.version = %s AND s.different_people",
            request, version,
        )  # fmt: skip

    def humans(self, *people: UUID | None) -> list[UUID]:
        return [row["human"] for row in self.rows("SELECT human(w) FROM unnest(%s::uuid[]) w", [each for each in people if each])]

    def within_the_guards(self, statement: str, *values: object) -> None:
        with suppress(psycopg.errors.IntegrityError), self.database.superuser() as db:
            db.execute(statement.encode(), values)

    def past(self, statement: str, *values: object, place: bool = True) -> None:
        """What takes days in life, or what an operator does, past the guards of the database."""
        with self.database.superuser() as db:
            db.execute("SET session_replication_role = replica")
            db.execute(statement.encode(), (*values, self.cast.school.id) if place else values)


def test_whatever_people_do_the_invariants_of_approvals_hold(migrated: Database) -> None:
    Approvals.database = migrated
    with migrated.used_as("nastup_portal"):
        run_state_machine_as_test(
            Approvals,
            settings=settings(
                max_examples=10,
                stateful_step_count=30,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
