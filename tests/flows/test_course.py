"""What a person reads of a ledger."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from flows.approval.course import EXECUTED, PARTS, STEP_OF, Activation, Whole, step_status, timeline
from flows.approval.progress import history, progress
from flows.approval.request_rows import full_name, holder
from flows.model import Decision, Effect, EffectState, OnboardingRequest, Organisation, Person, RequestState, RequestVersion, Stage
from flows.sentence import say
from flows.texts import catalog
from flows.words import Words

S, E = RequestState, EffectState
FILED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def request(state: RequestState, **changed: Any) -> OnboardingRequest:
    """A request as it would be read, outside a database."""
    made = OnboardingRequest(
        id=uuid4(), number="P-2026-0001", state=state, version=1, start_day=date(2026, 11, 23), submitted_at=FILED, changed_at=FILED
    )
    made.content = {"given_name": "Žofie", "family_name": "Šťastná"}
    made.organisation = Organisation(slug="gym-opava", name="Gymnázium Opava", domain="gym-opava.example")
    made.requester = Person(given_name="Radek", family_name="Hanzlík", title_before="", title_after="")
    made.stages = []
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def effect(name: str, state: EffectState = E.HELD, **changed: Any) -> Effect:
    made = Effect(name=name, state=state, started_at=FILED, changed_at=FILED + timedelta(seconds=3), facts={}, tries=1, tries_at_most=5)
    made.next_try, made.sentence, made.remote_id, made.created_remotely = None, None, "x", True
    for key, value in changed.items():
        setattr(made, key, value)
    return made


def whole(state: RequestState, *effects: Effect, **changed: Any) -> Whole:
    return Whole(request(state, **changed), {each.name: each for each in effects}, Activation("pending"))


ALL = [effect(name) for key in EXECUTED for name in PARTS[key]]


def statuses(one: Whole) -> dict[str, str]:
    return {key: step_status(one, key) for key in EXECUTED}


def test_a_step_is_done_when_all_its_effects_are() -> None:
    assert set(statuses(whole(S.DONE, *ALL)).values()) == {"done"}
    part = whole(S.RUNNING, *(effect(name) for name in list(PARTS["account"])[:2]))
    assert statuses(part) == {"account": "running", "mailbox": "planned", "backup": "planned", "proof": "planned", "activation": "planned"}


@pytest.mark.parametrize(
    ("state", "stuck", "seen"),
    [
        (S.RUNNING, effect("mail.ensure mailbox", E.UNKNOWN, next_try=FILED), "retry"),
        (S.NEEDS_ATTENTION, effect("mail.ensure mailbox", E.FAILED), "failed"),
        (S.RUNNING, effect("mail.ensure mailbox", E.INTENT), "running"),
        (S.CANCELLED, effect("mail.ensure mailbox", E.INTENT), "skipped"),
        (S.DONE, effect("mail.ensure mailbox", E.BY_HAND), "done"),
    ],
)
def test_a_step_that_is_not_done_says_why(state: RequestState, stuck: Effect, seen: str) -> None:
    assert step_status(whole(state, stuck), "mailbox") == seen


def test_a_retry_says_which_try_and_when_the_next_one_is() -> None:
    later = FILED + timedelta(minutes=2)
    stuck = effect("mail.ensure mailbox", E.UNKNOWN, tries=3, next_try=later, sentence=say("The mail server is busy.").as_json())
    found = progress(whole(S.RUNNING, *(effect(name) for name in PARTS["account"]), stuck))
    assert found["attempt"] == {"n": 3, "of": 5, "next_at": later}
    assert (found["current"], str(found["problem"]), found["done_steps"]) == ("mailbox", "The mail server is busy.", 1)


def test_the_first_day_is_a_step_only_when_it_was_ahead() -> None:
    assert "start_day" not in [step.key for step in timeline(whole(S.DONE, *ALL))]
    ahead = whole(S.PREPARED, start_day=date(2026, 12, 1))
    (step,) = [step for step in timeline(ahead) if step.key == "start_day"]
    assert (step.status, step.due) == ("running", date(2026, 12, 1))


def version(n: int, at: datetime, *, by_portal: bool = False) -> RequestVersion:
    return RequestVersion(version=n, at=at, renewed_for={"changes": []} if by_portal else None)


def test_a_corrected_request_was_filed_when_the_correction_was() -> None:
    corrected, renewed = FILED + timedelta(days=2), FILED + timedelta(days=3)
    one = whole(S.WAITING_APPROVAL, start_day=date(2026, 11, 24))
    assert "start_day" in [step.key for step in timeline(one)]
    versions = [version(1, FILED), version(2, corrected), version(3, renewed, by_portal=True)]
    steps = timeline(Whole(one.request, {}, Activation("pending"), versions))
    assert steps[0].at == corrected
    assert "start_day" not in [step.key for step in steps]


@pytest.mark.parametrize("state", [S.REFUSED, S.WITHDRAWN, S.EXPIRED])
def test_nothing_is_waited_for_once_a_request_has_ended(state: RequestState) -> None:
    found = progress(whole(state, start_day=date(2026, 12, 1), next_try=FILED + timedelta(hours=1)))
    assert [step.key for step in found["steps"]] == ["filed"]
    assert (found["until"], found["holder"], found["problem"], found["begun"]) == (None, None, None, False)


def test_what_had_stopped_is_no_trouble_of_a_request_that_was_taken_back() -> None:
    trouble, later = say("The mail server is busy.").as_json(), FILED + timedelta(hours=1)
    stuck = effect("mail.ensure mailbox", E.FAILED, sentence=trouble, next_try=later)
    found = progress(whole(S.WITHDRAWN, *(effect(name) for name in PARTS["account"]), stuck, sentence=trouble, next_try=later))
    assert [step.key for step in found["steps"]] == ["filed", "account", "mailbox"]
    mailbox = found["steps"][-1]
    assert (mailbox.status, mailbox.problem, mailbox.next_at, mailbox.attempt) == ("skipped", None, None, None)
    assert (found["until"], found["problem"], found["begun"]) == (None, None, True)


def decided(at: datetime, verdict: str = "approve") -> Stage:
    stage = Stage(version=1, position=1, group_name="region-it", state="approved", due_at=at, opinion=False)
    stage.decisions = [Decision(verdict=verdict, at=at, comments={}, reason="")]
    return stage


@pytest.mark.parametrize(("start", "seconds"), [(date(2026, 11, 23), 40), (date(2026, 11, 24), None)])
def test_the_time_from_approval_to_the_end_is_not_said_where_a_day_was_waited_for(start: date, seconds: int | None) -> None:
    done = FILED + timedelta(seconds=40)
    assert progress(whole(S.DONE, *ALL, start_day=start, done_at=done, stages=[decided(FILED)]))["seconds"] == seconds


def test_the_page_stops_asking_when_nothing_can_move() -> None:
    assert progress(whole(S.RUNNING))["poll"] == "/requests/P-2026-0001/progress"
    for state in (S.REFUSED, S.WITHDRAWN, S.CANCELLED, S.EXPIRED):
        assert progress(whole(state))["poll"] is None
    done = whole(S.DONE, *ALL, done_at=FILED)
    assert progress(done)["poll"]
    assert progress(Whole(done.request, done.effects, Activation("used")))["poll"] is None


def test_bytes_that_came_back_are_compared() -> None:
    facts = {"mail.message comes back": {"sha256": "a", "seconds": 0.1}, "backup.message is restored": {"sha256": "a", "snapshot": "s"}}
    for returned, same in (("a", True), ("b", False)):
        facts["backup.message is restored"]["sha256"] = returned
        found = whole(S.DONE, *(effect(name, E.PROVED, facts=each) for name, each in facts.items()))
        assert progress(found)["results"]["backup"]["same"] is same


@pytest.mark.parametrize(
    ("state", "owner", "has_it"),
    [(S.RUNNING, None, "portal"), (S.NEEDS_ATTENTION, "region-it", "region-it"), (S.NEEDS_ATTENTION, None, "it"), (S.DONE, None, None)],
)
def test_somebody_has_every_open_request(state: RequestState, owner: str | None, has_it: str | None) -> None:
    assert holder(request(state, owner=owner)) == has_it


def test_history_is_newest_first() -> None:
    events = history(whole(S.DONE, *ALL, done_at=FILED + timedelta(minutes=1)))
    assert events[0].key == "done"
    assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "méně než 1 s"), (0.7, "méně než 1 s"), (1, "1 s"), (6.44, "6,4 s"), (292, "4 min 52 s"), (3 * 86400, "3 dny")],
)
def test_a_duration_is_as_exact_as_it_is_useful(seconds: float, said: str) -> None:
    assert Words("cs", catalog("cs")).duration(seconds).replace("\xa0", " ") == said


def test_a_name_is_written_as_in_a_letter_however_little_of_it_is_there() -> None:
    assert (
        full_name({"title_before": "Ing.", "given_name": "Žofie", "family_name": "Šťastná", "title_after": "Ph.D."})
        == "Ing. Žofie Šťastná, Ph.D."
    )
    assert full_name({"given_name": " Jan "}) == "Jan"
    assert full_name({"title_after": "Ph.D."}) == ""


def test_every_step_of_the_flow_has_its_place_on_the_page() -> None:
    import flows.onboard_employee
    from flows.provisioning.steps import STEPS

    assert flows.onboard_employee.onboard_employee.name == "onboard-employee"
    assert set(STEP_OF) == set(STEPS)
