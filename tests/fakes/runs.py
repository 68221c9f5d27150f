"""Prefect's runs in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from flows.connectors.base import Gone, LogLine, RunSeen, Unavailable
from flows.sentence import say
from tests.fakes.faults import Fake, remote


@dataclass
class Run:
    id: UUID
    flow: str
    number: str
    request: UUID
    state: str = "AwaitingApproval"
    message: str = ""
    lines: list[LogLine] = field(default_factory=list[LogLine])


class FakeRuns(Fake):
    """`runs` by (request, generation). A run moves by itself only when a test says so: `runs[...].state = "Running"`."""

    def __init__(self, flows: Sequence[str] = ("onboard-employee",)) -> None:
        super().__init__()
        self.flows = set(flows)
        self.runs: dict[tuple[UUID, int], Run] = {}

    @remote
    def create(self, request: UUID, generation: int, flow: str, number: str, waiting_for: str) -> RunSeen:
        if flow not in self.flows:
            raise Unavailable(say("The worker has not announced this procedure yet."))
        run = self.runs.setdefault((request, generation), Run(uuid4(), flow, number, request))
        if run.state == "AwaitingApproval":
            run.message = waiting_for
        return RunSeen(run.id, run.state, run.number)

    @remote
    def release(self, request: UUID, generation: int, *, again: bool = False, lost: bool = False) -> None:
        run = self._need(request, generation)
        at_work = run.state in ("Running", "Pending")
        if run.state in ("Scheduled", "AwaitingRetry") or (not again and (at_work or run.state == "Completed")):
            return
        if at_work and not lost:
            raise Unavailable(say("The last run is still ending."), run.state, after=1)
        run.state = "AwaitingRetry" if again else "Scheduled"

    @remote
    def cancel(self, request: UUID, generation: int, reason: str) -> None:
        run = self._need(request, generation)
        if run.state not in ("Running", "Pending", "Completed", "Failed", "Refused", "Cancelled"):
            run.state, run.message = "Refused", reason

    @remote
    def observe(self, request: UUID, generation: int) -> RunSeen | None:
        run = self.runs.get((request, generation))
        return RunSeen(run.id, run.state, run.number) if run else None

    @remote
    def log(self, request: UUID, generation: int) -> Sequence[LogLine]:
        return list(self._need(request, generation).lines)

    def lose(self) -> None:
        """Prefect's database is gone."""
        with self.lock:
            self.runs.clear()

    def _need(self, request: UUID, generation: int) -> Run:
        if (request, generation) not in self.runs:
            raise Gone(say("Prefect does not know the run."))
        return self.runs[request, generation]
