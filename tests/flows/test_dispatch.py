"""The dispatcher's duties against fakes of Prefect, the mail server and the identity server, on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from flows import activations, deeds, observe, postbox, unreported, upkeep
from flows.approval.course import LINK
from flows.approval.relink import send_new_link
from flows.connectors import registry
from flows.connectors.base import Bounce, CredentialsSeen, LogLine
from flows.model import (
    ActivationContact,
    ActivationState,
    Audit,
    Effect,
    EffectState,
    Lease,
    Letter,
    Lookup,
    OnboardingRequest,
    Outbox,
    RequestState,
)
from flows.model.session import open_session, transaction
from flows.plan import MailDomain, Plan
from flows.settings import load
from tests.cast import Cast
from tests.database import Database
from tests.fakes.identity import FakeIdentity
from tests.fakes.letters import FakeLetters
from tests.fakes.mail import FakeMail
from tests.fakes.runs import FakeRuns
from tests.flows.test_decide import decided, filed

SETTINGS = {
    "NASTUP_PORTAL__ADDRESS": "https://nastup.kraj.example",
    "NASTUP_PORTAL__PORT": "1",
    "NASTUP_MAIL__DATABASE": "x",
    "NASTUP_MAIL__VERIFIER_SECRET": "x",
    "NASTUP_MAIL__PROOF_SECRET": "x",
    "NASTUP_MAIL__SENDER": "nastup@kraj.example",
    "NASTUP_MAIL__SENDER_SECRET": "x",
    "NASTUP_PROVISIONING__LEASE_SECONDS": "0.2",
}


class Machine:
    """The outside of the dispatcher; `drain` does everything that is due."""

    def __init__(self) -> None:
        self.runs, self.letters, self.mail, self.identity = FakeRuns(), FakeLetters(), FakeMail(), FakeIdentity()

    def drain(self) -> None:
        for work in (deeds.work, postbox.work, observe.work):
            while work():
                pass

    def run_of(self, request: OnboardingRequest):
        with transaction() as session:
            return self.runs.runs[request.id, session.get_one(OnboardingRequest, request.id).generation]


@pytest.fixture
def machine(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = Machine()
    with database.used_as("nastup_worker"), registry.use(runs=made.runs, letters=made.letters, mail=made.mail, identity=made.identity):
        yield made
    load.cache_clear()


@pytest.fixture
def request_filed(database: Database, cast: Cast, machine: Machine) -> OnboardingRequest:
    with database.used_as("nastup_portal"):
        return filed(cast, start="2026-11-16")


@pytest.fixture
def request_approved(database: Database, cast: Cast, request_filed: OnboardingRequest) -> OnboardingRequest:
    with database.used_as("nastup_portal"):
        return decided(cast.approver, request_filed).request


@pytest.fixture
def link_sent(database: Database, request_approved: OnboardingRequest, machine: Machine, cast: Cast) -> OnboardingRequest:
    """A done request whose activation link lives, as the flow would leave it."""
    plan = Plan.from_json(request_approved.plan or {})
    machine.mail.ensure_domain(MailDomain(cast.school.id, cast.school.domain))
    machine.mail.ensure(plan.mailbox)
    machine.identity.ensure(plan.account)
    machine.mail.open_activation(plan.mailbox.address, "zofie@posta.cz", datetime.now(UTC) + timedelta(hours=1))
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE onboarding_request SET state = 'done'")
    sent = {
        "state": ActivationState.SENT,
        "sending_at": datetime.now(UTC),
        "sent_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
        "links_sent": 1,
    }
    with transaction() as session:
        session.execute(update(ActivationContact).values(**sent))
    return request_approved


@pytest.fixture
def link_asked_again(machine: Machine, link_sent: OnboardingRequest, cast: Cast, database: Database) -> OnboardingRequest:
    """A done request whose link expired and whose new one was handed to Prefect just now."""
    with transaction() as session:
        session.execute(update(ActivationContact).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    activations.follow()
    with database.used_as("nastup_portal"), open_session(cast.director.person) as session, transaction(session):
        send_new_link(session, cast.director, str(link_sent.number), "zofie.nova@posta.cz")
    machine.drain()
    with transaction() as session:
        session.execute(update(OnboardingRequest).values(changed_at=datetime.now(UTC) - timedelta(days=3)))
    return link_sent


def contact(request: OnboardingRequest) -> ActivationContact:
    with transaction() as session:
        return session.get_one(ActivationContact, request.id)


def letters(kind: str) -> list[Letter]:
    with transaction() as session:
        return list(session.scalars(select(Letter).where(Letter.kind == kind)))


def test_a_filed_request_is_a_paused_run_that_says_who_is_waited_for(machine: Machine, request_filed: OnboardingRequest) -> None:
    machine.drain()
    run = machine.run_of(request_filed)
    assert (run.state, run.message, run.number) == ("AwaitingApproval", "region-it", request_filed.number)


def test_an_approval_releases_the_run(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    assert machine.run_of(request_approved).state == "Scheduled"


def test_a_refusal_cancels_the_run_and_the_applicant_reads_the_reason(
    machine: Machine, request_filed: OnboardingRequest, database: Database, cast: Cast
) -> None:
    machine.drain()
    with database.used_as("nastup_portal"):
        decided(cast.approver, request_filed, "refuse", "Chybí pracovní smlouva.")
    machine.drain()
    assert machine.run_of(request_filed).state == "Refused"
    (letter,) = machine.letters.to("director@kraj.example")
    assert "Chybí pracovní smlouva." in letter.text
    assert "Chybí pracovní smlouva." in letter.html
    assert f"https://nastup.kraj.example/requests/{request_filed.number}" in letter.text


def test_approvers_are_written_to_once_in_their_language_with_a_link_to_the_page_only(
    machine: Machine, request_filed: OnboardingRequest, database: Database, cast: Cast
) -> None:
    with database.superuser() as db:
        db.execute("UPDATE person SET language = 'en' WHERE id = %s", (cast.approver.person,))
    machine.drain()
    machine.drain()
    assert sorted(post.to for post in machine.letters.sent) == ["approver@kraj.example", "second_approver@kraj.example"]
    english, czech = machine.letters.to("approver@kraj.example")[0], machine.letters.to("second_approver@kraj.example")[0]
    assert english.language == "en"
    assert czech.subject != english.subject
    assert all(f"/queue/{request_filed.number}" in text for text in (english.text, english.html, czech.text, czech.html))
    assert "zofie@posta.cz" not in english.text + english.html + czech.text + czech.html


def test_with_prefect_down_decisions_wait_and_are_done_in_order_afterwards(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.runs.faults.unavailable("create", times=1)
    machine.drain()
    assert machine.runs.runs == {}
    with transaction() as session:
        waiting = session.scalars(select(Outbox).where(Outbox.done_at.is_(None)).order_by(Outbox.position)).all()
        assert [(row.topic, row.tries) for row in waiting] == [("create", 1), ("release", 0)]
        session.execute(update(Outbox).values(not_before=datetime.now(UTC)))
    machine.drain()
    assert machine.run_of(request_approved).state == "Scheduled"


def test_a_letter_or_a_deed_on_which_our_program_fails_holds_back_no_others(
    machine: Machine, request_filed: OnboardingRequest, cast: Cast
) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    with transaction() as session:
        session.add(Letter(kind="of another version", request_id=request_filed.id, person_id=cast.director.person, not_before=due))
    machine.runs.faults.fail("create", RuntimeError("an answer that nobody foresaw"))  # type: ignore[arg-type]
    machine.drain()
    assert sorted(post.to for post in machine.letters.sent) == ["approver@kraj.example", "second_approver@kraj.example"]
    with transaction() as session:
        assert session.scalars(select(Outbox.last_error)).one() == "RuntimeError: our mistake"


def test_a_run_that_prefect_has_lost_is_created_anew_under_the_next_generation(
    machine: Machine, request_filed: OnboardingRequest, database: Database, cast: Cast
) -> None:
    machine.drain()
    machine.runs.lose()
    with database.used_as("nastup_portal"):
        decided(cast.approver, request_filed)
    machine.drain()
    assert (machine.run_of(request_filed).state, [generation for _, generation in machine.runs.runs]) == ("AwaitingRetry", [2])


def test_work_whose_worker_is_silent_is_taken_over_once(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    machine.run_of(request_approved).state = "Running"
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    with transaction() as session:
        session.add(Lease(request_id=request_approved.id, holder="dead", epoch=1, expires_at=long_ago))
        session.execute(update(Outbox).values(done_at=long_ago))
        session.execute(update(OnboardingRequest).values(state=RequestState.RUNNING))
        session.execute(update(OnboardingRequest).values(changed_at=long_ago))
    upkeep.take_over()
    upkeep.take_over()
    machine.drain()
    assert machine.run_of(request_approved).state == "AwaitingRetry"
    with transaction() as session:
        assert session.scalars(select(Outbox.topic)).all().count("release") == 2


NEXT = {RequestState.APPROVED: RequestState.RUNNING, RequestState.RUNNING: RequestState.DONE}


def end_unheard(request: OnboardingRequest, machine: Machine, ago: timedelta, epoch: int) -> None:
    """The request is done since then, and Prefect believes its run to be at work."""
    machine.run_of(request).state = "Running"
    with transaction() as session:
        for state in (RequestState.APPROVED, RequestState.RUNNING):
            session.execute(update(OnboardingRequest).where(OnboardingRequest.state == state).values(state=NEXT[state]))
        session.execute(update(Outbox).values(done_at=datetime.now(UTC) - ago))
        session.merge(Lease(request_id=request.id, holder="gone", epoch=epoch, expires_at=datetime.now(UTC) - ago))


def test_a_run_whose_end_prefect_never_heard_of_is_released_once_to_tell_it(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    end_unheard(request_approved, machine, timedelta(minutes=5), epoch=1)
    machine.runs.faults.unavailable("observe")
    unreported.report()
    assert not deeds.work()  # Prefect is still away
    unreported.report()
    unreported.report()
    machine.drain()
    assert machine.run_of(request_approved).state == "AwaitingRetry"
    with transaction() as session:
        assert session.scalars(select(Outbox.topic)).all().count("release") == 2  # the approval's, and this one


def test_a_run_that_is_just_ending_or_has_told_its_end_is_left_alone(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    end_unheard(request_approved, machine, timedelta(0), epoch=2)
    unreported.report()
    assert not deeds.work()
    end_unheard(request_approved, machine, timedelta(minutes=5), epoch=3)
    machine.run_of(request_approved).state = "Completed"
    unreported.report()
    assert not deeds.work()


def test_work_whose_worker_lives_is_left_alone(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    with transaction() as session:
        alive = datetime.now(UTC) + timedelta(minutes=1)
        session.add(Lease(request_id=request_approved.id, holder="alive", epoch=1, expires_at=alive))
        session.execute(update(OnboardingRequest).values(state=RequestState.RUNNING))
        session.execute(update(OnboardingRequest).values(changed_at=datetime.now(UTC) - timedelta(minutes=5)))
    upkeep.take_over()
    assert not deeds.work()


def test_a_used_link_erases_the_private_address_everywhere(machine: Machine, link_sent: OnboardingRequest) -> None:
    activations.follow()
    assert contact(link_sent).state is ActivationState.SENT
    machine.identity.opens_link(link_sent.beneficiary_id)  # type: ignore[arg-type]
    activations.follow()
    kept = contact(link_sent)
    assert (kept.state, kept.address, kept.salt, kept.second_factors) == (ActivationState.USED, None, None, 1)
    assert machine.mail.activations == {}
    assert len(letters("activation_used")) == 1


def test_a_second_device_after_the_activation_alarms_security(machine: Machine, link_sent: OnboardingRequest, cast: Cast) -> None:
    machine.identity.opens_link(link_sent.beneficiary_id)  # type: ignore[arg-type]
    activations.follow()
    machine.identity.opens_link(link_sent.beneficiary_id)  # type: ignore[arg-type]
    activations.follow()
    activations.follow()
    assert [letter.person_id for letter in letters("second_factor_added")] == [cast.security.person]
    with transaction() as session:
        assert "activation.second_factor_added" in session.scalars(select(Audit.action)).all()
    machine.drain()
    assert len(machine.letters.to("security@kraj.example")) == 1


def test_an_expired_link_is_told_and_erased(machine: Machine, link_sent: OnboardingRequest) -> None:
    with transaction() as session:
        session.execute(update(ActivationContact).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    activations.follow()
    activations.follow()
    assert (contact(link_sent).state, contact(link_sent).address) == (ActivationState.EXPIRED, None)
    assert len(letters("activation_expired")) == 1


def test_with_the_mail_server_down_an_expired_link_is_erased_there_later(machine: Machine, link_sent: OnboardingRequest) -> None:
    with transaction() as session:
        session.execute(update(ActivationContact).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    machine.mail.faults.unavailable("close_activation")
    activations.follow()
    activations.follow()
    assert (contact(link_sent).state, machine.mail.activations) == (ActivationState.EXPIRED, {})
    assert len(letters("activation_expired")) == 1


def test_a_bounce_is_told_without_the_address(machine: Machine, link_sent: OnboardingRequest) -> None:
    words = "550 5.1.1 <zofie@posta.cz>: no such user"
    machine.mail.returned.append(Bounce("Zofie@posta.cz", datetime.now(UTC) + timedelta(seconds=1), words))
    activations.read_bounces()
    kept = contact(link_sent)
    assert (kept.state, kept.address) == (ActivationState.BOUNCED, None)
    assert kept.diagnostic
    assert "zofie@posta.cz" not in kept.diagnostic.lower()
    assert len(letters("activation_bounced")) == 1


def test_a_bounce_of_somebody_else_changes_nothing(machine: Machine, link_sent: OnboardingRequest) -> None:
    machine.mail.returned.append(Bounce("jiny@posta.cz", datetime.now(UTC) + timedelta(seconds=1), "550"))
    activations.read_bounces()
    assert contact(link_sent).state is ActivationState.SENT


def test_a_new_link_is_asked_for_only_when_none_lives(
    machine: Machine, link_sent: OnboardingRequest, cast: Cast, database: Database
) -> None:
    from flows.approval.refusals import NoLongerOpen, NotFound

    def ask(by) -> None:
        with database.used_as("nastup_portal"), open_session(by.person) as session, transaction(session):
            send_new_link(session, by, str(link_sent.number), "zofie.nova@posta.cz")

    with pytest.raises(NoLongerOpen):
        ask(cast.director)
    with transaction() as session:
        session.execute(update(ActivationContact).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    activations.follow()
    with pytest.raises(NotFound):
        ask(cast.hospital_director)
    ask(cast.director)
    assert (contact(link_sent).state, contact(link_sent).address) == (ActivationState.PENDING, "zofie.nova@posta.cz")
    machine.runs.create(link_sent.id, 1, "onboard-employee", str(link_sent.number), "")
    machine.run_of(link_sent).state = "Completed"
    with transaction() as session:
        session.execute(update(Outbox).where(Outbox.topic != "activate").values(done_at=datetime.now(UTC)))
    machine.drain()
    assert machine.run_of(link_sent).state == "AwaitingRetry"


def test_a_new_link_whose_run_ended_without_sending_it_is_given_back_to_prefect(
    machine: Machine, link_asked_again: OnboardingRequest
) -> None:
    with transaction() as session:
        session.execute(update(Outbox).values(done_at=datetime.now(UTC) + timedelta(minutes=1)))
    upkeep.take_over()  # released a moment ago, no worker has it yet
    assert not deeds.work()
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    with transaction() as session:
        session.execute(update(Outbox).values(done_at=long_ago))
    machine.run_of(link_asked_again).state = "WaitingRetry"
    upkeep.take_over()
    upkeep.take_over()
    machine.drain()
    assert machine.run_of(link_asked_again).state == "AwaitingRetry"


def test_a_new_link_that_could_not_be_sent_at_all_may_be_asked_for_again(
    machine: Machine, link_asked_again: OnboardingRequest, cast: Cast, database: Database
) -> None:
    from flows.approval.refusals import NoLongerOpen

    def ask() -> None:
        with database.used_as("nastup_portal"), open_session(cast.director.person) as session, transaction(session):
            send_new_link(session, cast.director, str(link_asked_again.number), "zofie.jina@posta.cz")

    with pytest.raises(NoLongerOpen):
        ask()
    with transaction() as session:
        session.execute(update(Outbox).values(done_at=datetime.now(UTC) - timedelta(minutes=5)))
        session.add(Effect(request_id=link_asked_again.id, name=LINK, system="keycloak", epoch=1, state=EffectState.FAILED))
    upkeep.take_over()
    assert not deeds.work()  # a person decides, it is not tried for ever
    ask()
    assert contact(link_asked_again).address == "zofie.jina@posta.cz"


def test_a_question_about_a_run_is_answered_from_prefect(
    machine: Machine, request_filed: OnboardingRequest, cast: Cast, database: Database
) -> None:
    machine.drain()
    at = datetime(2026, 7, 1, 10, 0, 5, tzinfo=UTC)
    machine.run_of(request_filed).lines += [
        LogLine(at, "info", None, "Beginning flow run"),
        LogLine(at, "warning", "mail.ensure mailbox", "tried again"),
    ]
    with database.used_as("nastup_portal"), open_session(cast.it.person, cast.it.roles) as session, transaction(session):
        session.add(Lookup(kind="run_log", asked_by_id=cast.it.person, question={"number": request_filed.number}))
    machine.drain()
    with transaction() as session:
        answer = session.scalars(select(Lookup.answer)).one()
    assert answer
    assert answer["lines"] == [
        "2026-07-01 12:00:05 info flow: Beginning flow run",
        "2026-07-01 12:00:05 warning mail.ensure mailbox: tried again",
    ]


def test_a_question_that_prefect_cannot_answer_now_says_so(
    machine: Machine, request_filed: OnboardingRequest, cast: Cast, database: Database
) -> None:
    machine.drain()
    machine.runs.faults.unavailable("observe")
    with database.used_as("nastup_portal"), open_session(cast.it.person, cast.it.roles) as session, transaction(session):
        session.add(Lookup(kind="run_log", asked_by_id=cast.it.person, question={"number": request_filed.number}))
    machine.drain()
    with transaction() as session:
        question = session.scalars(select(Lookup)).one()
    assert question.answered_at
    assert question.sentence


def test_an_old_draft_expires_and_its_private_address_goes(machine: Machine, cast: Cast, database: Database) -> None:
    from flows.approval.drafts import new_draft, save_draft

    with database.used_as("nastup_portal"), open_session(cast.director.person) as session, transaction(session):
        draft = new_draft(session, cast.director, cast.school.id)
        save_draft(session, cast.director, draft.id, {"given_name": "A"}, "a@posta.cz")
    with database.superuser() as db:
        db.execute("UPDATE onboarding_request SET changed_at = now() - interval '31 days'")
    upkeep.expire_drafts()
    with transaction() as session:
        assert session.scalars(select(OnboardingRequest.state)).one() is RequestState.EXPIRED
        assert session.scalars(select(ActivationContact.address)).one() is None


def test_somebody_who_had_a_password_before_has_not_used_the_new_link_yet(
    machine: Machine, link_sent: OnboardingRequest, cast: Cast, database: Database
) -> None:
    person = machine.identity.people[link_sent.beneficiary_id]  # type: ignore[index]
    person.credentials = CredentialsSeen(True, 1, True, datetime.now(UTC) - timedelta(days=30))
    activations.follow()
    assert contact(link_sent).state is ActivationState.SENT
    machine.identity.opens_link(link_sent.beneficiary_id)  # type: ignore[arg-type]
    activations.follow()
    assert (contact(link_sent).state, contact(link_sent).second_factors) == (ActivationState.USED, 2)
    activations.follow()
    assert letters("second_factor_added") == []


def test_a_run_whose_worker_died_long_ago_does_not_hold_up_a_release(machine: Machine, request_approved: OnboardingRequest) -> None:
    machine.drain()
    machine.run_of(request_approved).state = "Running"
    with transaction() as session:
        session.add(Lease(request_id=request_approved.id, holder="dead", epoch=1, expires_at=datetime.now(UTC) - timedelta(minutes=5)))
        session.add(Outbox(topic="release", request_id=request_approved.id, payload={"again": True}))
    machine.drain()
    assert machine.run_of(request_approved).state == "AwaitingRetry"


def test_a_question_on_which_our_program_fails_is_answered_and_holds_back_no_other(
    machine: Machine, request_filed: OnboardingRequest, cast: Cast, database: Database
) -> None:
    machine.drain()
    with database.used_as("nastup_portal"), open_session(cast.it.person, cast.it.roles) as session, transaction(session):
        session.add(Lookup(kind="no_such_kind", asked_by_id=cast.it.person, question={}))
        session.add(Lookup(kind="run_log", asked_by_id=cast.it.person, question={"number": request_filed.number}))
    machine.drain()
    with transaction() as session:
        asked = {question.kind: question for question in session.scalars(select(Lookup))}
    assert asked["no_such_kind"].sentence
    assert asked["run_log"].answer


def test_old_answers_and_log_out_tokens_are_swept(machine: Machine, cast: Cast, database: Database) -> None:
    with database.superuser() as db:
        for days in (1, 8):
            db.execute(
                "INSERT INTO lookup (id, kind, asked_by_id, question, asked_at) "
                "VALUES (gen_random_uuid(), 'x', %s, '{}', now() - make_interval(days => %s))",
                (cast.it.person, days),
            )
            db.execute("INSERT INTO logout_token (jti, seen_at) VALUES (%s, now() - make_interval(hours => %s))", (str(days), days * 10))
    upkeep.sweep()
    with database.superuser() as db:
        assert db.execute("SELECT count(*) FROM lookup").fetchone() == (1,)
        assert db.execute("SELECT jti FROM logout_token").fetchall() == [("1",)]
