"""A dispatcher that dies between a call and its commit, and two dispatchers at once: each deed is done once."""

import threading
import time
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select

from flows import deeds, launch, postbox
from flows.connectors import registry
from flows.model import Letter, OnboardingRequest, Outbox
from flows.model.session import transaction
from tests.cast import Cast
from tests.database import Database
from tests.faults.mortal import DIED, Mortal
from tests.faults.outside import Outside
from tests.flows.test_decide import decided, filed

SOON = date.today().isoformat()  # a first day that is near makes a letter at once, not a line of the digest

pytestmark = pytest.mark.servers

# what Prefect shows after each deed: (state, who is waited for or why)
SHOWN = {
    "create": ("AwaitingApproval", "region-it"),
    "wait": ("AwaitingApproval", "security"),
    "release": ("Scheduled", "region-it"),
    "activate": ("AwaitingRetry", "region-it"),
    "cancel": ("Refused", "Chybí smlouva."),
}


@pytest.fixture
def waiting(database: Database, cast: Cast, outside: Outside) -> OnboardingRequest:
    with database.used_as("nastup_portal"):
        return filed(cast, start=SOON)


def left() -> int:
    """Deeds and letters that are still to be done."""
    with transaction() as session:
        deeds_left = session.scalar(select(func.count()).select_from(Outbox).where(Outbox.done_at.is_(None))) or 0
        return deeds_left + (session.scalar(select(func.count()).select_from(Letter).where(Letter.sent_at.is_(None))) or 0)


@pytest.mark.parametrize("topic", sorted(launch.TOPICS))
def test_a_dispatcher_killed_after_its_call_to_prefect_does_the_deed_again_and_it_counts_once(
    topic: str, mortal: Mortal, outside: Outside, waiting: OnboardingRequest
) -> None:
    if topic != "create":
        with registry.use(runs=outside.runs, letters=outside.letters):
            while deeds.work() or postbox.work():
                pass
        with transaction() as session:
            told = {"waiting_for": "security"} if topic == "wait" else {"reason": "Chybí smlouva."}
            session.add(Outbox(topic=topic, request_id=waiting.id, payload=told))
    assert mortal.dispatcher(f"outbox.{topic}:after_call") == DIED
    assert left() > 0
    assert mortal.dispatcher() == 0
    assert left() == 0
    assert [(run.state, run.message) for run in outside.runs.runs.values()] == [SHOWN[topic]]


def test_a_dispatcher_killed_after_a_letter_left_sends_it_again_under_the_same_message_id(
    mortal: Mortal, outside: Outside, waiting: OnboardingRequest
) -> None:
    """No mail server can be asked whether it took a letter; a mail program shows two of one id as one."""
    assert mortal.dispatcher("letter.waiting_for_you:after_call") == DIED
    assert mortal.dispatcher() == 0
    assert left() == 0
    sent = Counter((post.to, post.message_id) for post in outside.letters.sent)
    assert sorted(to for to, _ in sent) == ["approver@kraj.example", "second_approver@kraj.example"]
    assert sorted(sent.values()) == [1, 2]


def test_two_dispatchers_at_once_do_each_deed_and_each_letter_once(outside: Outside, cast: Cast, database: Database) -> None:
    with database.used_as("nastup_portal"):
        for n in range(4):
            decided(cast.approver, filed(cast, given_name=f"Žofie {'abcd'[n]}", start=SOON, personal_number=f"20{n}"))
    outside.runs.tell = lambda _call: time.sleep(0.02)  # slow enough for the other one to look meanwhile
    begin, found = threading.Barrier(2), list[int]()

    def dispatch() -> None:
        begin.wait()
        done = 0
        while left():
            done += deeds.work() + postbox.work()
        found.append(done)

    due = left()
    with registry.use(runs=outside.runs, letters=outside.letters):
        threads = [threading.Thread(target=dispatch) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(found) == due
    assert all(found), "only one of them worked"
    assert (outside.runs.calls["create"], outside.runs.calls["release"]) == (4, 4)
    assert {run.state for run in outside.runs.runs.values()} == {"Scheduled"}
    assert Counter(post.message_id for post in outside.letters.sent).most_common(1)[0][1] == 1
