"""The row of a request and its lease are locked in one order, so a run that ends and one that begins never wait for each other."""

import threading
from typing import Any

from flows.approval.decide import Outcome
from flows.model import Effect, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.provisioning.procedure import procedure
from flows.provisioning.work import LostLease, Work, take
from tests.approvals import answer, file
from tests.cast import Cast
from tests.database import Database
from tests.flows.test_decision_races import fresh, under_way, waits_for


def approved(cast: Cast) -> OnboardingRequest:
    request = file(cast)
    assert isinstance(answer(cast.approver, request), Outcome)
    return request


def test_the_end_of_a_run_holds_no_lease_while_it_waits_for_the_request(database: Database, cast: Cast) -> None:
    request, ends = approved(cast), list[Any]()
    began, locked = threading.Event(), threading.Event()

    def body(_work: Work) -> None:
        began.set()
        assert locked.wait(20)

    def run() -> str | None:
        return procedure(body)(str(request.id)).name

    with database.used_as("nastup_worker"):
        running = threading.Thread(target=lambda: ends.append(run()))
        running.start()
        assert began.wait(20)
        with under_way(database, "SELECT FROM onboarding_request WHERE id = %s FOR UPDATE", request.id) as taking:
            thread = waits_for(database, locked.set, [])
            # what `take` does next: refused at once if the run held the lease, and with a wait the two would wait for each other
            taking.execute("SELECT FROM lease WHERE request_id = %s FOR UPDATE NOWAIT", (request.id,))
        for each in (thread, running):
            each.join()
    assert ends == ["Completed"]
    assert fresh(database, request).state is RequestState.DONE


def test_a_step_is_written_while_another_worker_tries_to_take_the_request(database: Database, cast: Cast) -> None:
    request, ends = approved(cast), list[Any]()

    def second() -> str:
        try:
            with take(request.id):
                return "taken"
        except LostLease:
            return "lost"

    with database.used_as("nastup_worker"), take(request.id) as work:
        with work.fenced() as session:
            thread = waits_for(database, second, ends)
            session.add(Effect(request_id=request.id, name="mail.ensure mailbox", system="mail", epoch=work.epoch))
            session.flush()
        thread.join()
        with transaction() as session:
            assert session.query(Effect).count() == 1
    assert ends == ["lost"]
