"""What every control of runs promises: in memory, and Prefect."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from prefect import task
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import LogCreate, WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Completed, Running

from flows.connectors.base import Gone, LogLine, Misconfigured, RunControl, Unavailable
from flows.connectors.runs import PrefectRuns
from flows.settings import Prefect, Settings
from tests.contracts.conftest import REAL
from tests.fakes import FakeRuns

FLOW, POOL = "contract", "contract-tests"  # a pool without a worker: nothing moves by itself


class FakeBench:
    def __init__(self) -> None:
        self.system = FakeRuns(flows=[FLOW])

    def works(self, request: UUID) -> None:
        self.system.runs[request, 1].state = "Running"

    def ends(self, request: UUID) -> None:
        self.system.runs[request, 1].state = "Completed"

    def parameters(self, request: UUID) -> dict[str, str]:
        return {"request_id": str(self.system.runs[request, 1].request)}

    def writes(self, request: UUID, line: LogLine) -> None:
        self.system.runs[request, 1].lines.append(line)


class PrefectBench:
    def __init__(self, settings: Prefect, client: SyncPrefectClient) -> None:
        self.system, self._client = PrefectRuns(settings), client
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="contract"))
        flow = client.create_flow_from_name(FLOW)
        client.create_deployment(flow, "default", work_pool_name=POOL)

    def works(self, request: UUID) -> None:
        self._client.set_flow_run_state(self._run(request), Running(), force=True)

    def ends(self, request: UUID) -> None:
        self._client.set_flow_run_state(self._run(request), Completed(), force=True)

    def parameters(self, request: UUID) -> dict[str, str]:
        return self._client.read_flow_run(self._run(request)).parameters

    def writes(self, request: UUID, line: LogLine) -> None:
        """As a flow and its tasks do: each step is a task run with a name."""
        run, step = self._run(request), None
        if line.step:
            nothing = task(name=line.step)(lambda: None)
            step = self._client.create_task_run(nothing, run, dynamic_key=str(uuid4()), name=line.step).id
        level = logging.getLevelNamesMapping()[line.level.upper()]
        self._client.create_logs(
            [LogCreate(name="contract", level=level, message=line.message, timestamp=line.at, flow_run_id=run, task_run_id=step)]
        )

    def _run(self, request: UUID) -> UUID:
        seen = self.system.observe(request, 1)
        assert seen
        return seen.run


Bench = FakeBench | PrefectBench


@pytest.fixture(params=["fake", REAL])
def bench(request: pytest.FixtureRequest) -> Iterator[FakeBench | PrefectBench]:
    if request.param == "fake":
        yield FakeBench()
        return
    worker: Settings = request.getfixturevalue("worker")
    settings = worker.need(Prefect)
    with SyncPrefectClient(settings.address, auth_string=settings.auth.get_secret_value()) as client:
        yield PrefectBench(settings, client)


@pytest.fixture
def request_id() -> UUID:
    return uuid4()


def state(system: RunControl, request: UUID) -> str:
    seen = system.observe(request, 1)
    return seen.state if seen else ""


def test_a_run_waits_for_approval_and_is_made_once(bench: Bench, request_id: UUID) -> None:
    first = bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    second = bench.system.create(request_id, 1, FLOW, "P-2026-0042", "security")

    assert first.run == second.run
    assert (first.state, first.name) == ("AwaitingApproval", "P-2026-0042")
    assert state(bench.system, request_id) == "AwaitingApproval"
    assert bench.parameters(request_id) == {"request_id": str(request_id)}


def test_the_next_generation_is_another_run(bench: Bench, request_id: UUID) -> None:
    first = bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    assert bench.system.create(request_id, 2, FLOW, "P-2026-0042", "region-it").run != first.run


def test_a_released_run_is_scheduled_and_a_second_release_changes_nothing(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")

    bench.system.release(request_id, 1)
    assert state(bench.system, request_id) == "Scheduled"
    bench.system.release(request_id, 1)
    assert state(bench.system, request_id) == "Scheduled"

    bench.works(request_id)
    bench.system.release(request_id, 1)
    assert state(bench.system, request_id) == "Running"


def test_a_finished_run_is_released_again_only_on_demand(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    bench.ends(request_id)

    bench.system.release(request_id, 1)
    assert state(bench.system, request_id) == "Completed"
    bench.system.release(request_id, 1, again=True)
    assert state(bench.system, request_id) == "AwaitingRetry"


def test_a_run_that_is_just_ending_is_waited_for_and_a_dead_workers_run_is_taken_away(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    bench.works(request_id)

    with pytest.raises(Unavailable):
        bench.system.release(request_id, 1, again=True)
    bench.system.release(request_id, 1, again=True, lost=True)
    assert state(bench.system, request_id) == "AwaitingRetry"


def test_a_refused_run_is_cancelled_and_one_at_work_ends_by_itself(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    bench.works(request_id)
    bench.system.cancel(request_id, 1, "withdrawn")
    assert state(bench.system, request_id) == "Running"

    other = uuid4()
    bench.system.create(other, 1, FLOW, "P-2026-0043", "region-it")
    bench.system.cancel(other, 1, "withdrawn")
    assert state(bench.system, other) == "Refused"


def test_a_run_that_was_lost_is_gone(bench: Bench, request_id: UUID) -> None:
    assert bench.system.observe(request_id, 1) is None
    with pytest.raises(Gone):
        bench.system.release(request_id, 1)
    with pytest.raises(Gone):
        bench.system.cancel(request_id, 1, "withdrawn")
    with pytest.raises(Gone):
        bench.system.log(request_id, 1)


def test_a_new_run_has_an_empty_log(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    assert list(bench.system.log(request_id, 1)) == []


def test_a_line_of_the_log_says_when_how_grave_and_which_step(bench: Bench, request_id: UUID) -> None:
    bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
    at = datetime(2026, 11, 23, 9, 41, 35, tzinfo=UTC)
    lines = [
        LogLine(at, "info", None, "Beginning flow run"),
        LogLine(at.replace(second=36), "warning", "mail.ensure mailbox", "mail does not answer, try 1 of 9"),
        LogLine(at.replace(second=37), "error", None, "the flow ends"),
    ]
    for line in lines:
        bench.writes(request_id, line)
    assert list(bench.system.log(request_id, 1)) == lines


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ("Finished in state Completed()", "finished: Completed"),
        ("Finished in state Failed('Task run failed: TryAgain')", "finished: Failed, Task run failed: TryAgain"),
        ('Finished in state Cancelled("the plan\'s end")', "finished: Cancelled, the plan's end"),
    ],
)
@pytest.mark.servers
def test_prefects_ends_are_read_without_python(worker: Settings, request_id: UUID, message: str, read: str) -> None:
    settings = worker.need(Prefect)
    with SyncPrefectClient(settings.address, auth_string=settings.auth.get_secret_value()) as client:
        bench = PrefectBench(settings, client)
        bench.system.create(request_id, 1, FLOW, "P-2026-0042", "region-it")
        bench.writes(request_id, LogLine(datetime.now(UTC), "info", None, message))
        assert [line.message for line in bench.system.log(request_id, 1)] == [read]


def test_a_procedure_that_no_worker_announced_may_be_asked_for_again(bench: Bench, request_id: UUID) -> None:
    with pytest.raises(Unavailable):
        bench.system.create(request_id, 1, "nobody-knows-it", "P-2026-0042", "region-it")


@pytest.mark.servers
def test_a_silent_prefect_may_be_asked_again_and_a_wrong_credential_is_for_it(worker: Settings, request_id: UUID) -> None:
    settings = worker.need(Prefect)
    with pytest.raises(Unavailable):
        PrefectRuns(settings.model_copy(update={"address": "http://127.0.0.1:1/api"})).observe(request_id, 1)
    with pytest.raises(Misconfigured):
        PrefectRuns(settings.model_copy(update={"auth": type(settings.auth)("nastup:wrong")})).observe(request_id, 1)
